r"""Contracts of f-EBM's objective, critic and gradients, for four divergences (yu2020 Secs. 3.1-3.3, App. E.1).

    q = exp(-E)/Z    r = exp(H + E), a guess of p/q    L(E, H) = E_p[f'(r)] - E_q[f*(f'(r))]; H up, E down
    Eq. 18           dL/dtheta = E_p[r f'' dE] + E_q[F dE] - E_q[r^2 f'' dE] - E_q[dE] E_q[F],  F = f*(f'(r))

E is the energy: low where x is probable. The f are those of divergences.F_DIVERGENCES.
"""
import autograd.numpy as np
from autograd.tracer import getval

from refdgm.adversarial import febm, febm_algorithm, febm_dual, febm_game
from refdgm.adversarial.febm_algorithm import Samples
from refdgm.backend import xp as onp
from refdgm.contract import Argument, Case, Contract, Other
from refdgm.f_divergences import F_DIVERGENCES
from refdgm.models.energy import law_of
from refdgm.values import values

NAMES = {"kl": "kl", "reverse_kl": "reverse kl", "jensen_shannon": "jensen-shannon",
         "squared_hellinger": "squared hellinger"}
E = Argument("E", "(S,)", "the energy of every state")
H = Argument("H", "(S,)", "the critic at every state")
P = Argument("p", "(S,)", "the law of the data: probabilities, with sum one", "table")
D_E = Argument("dE", "(S, d)", "the gradient of the energy at every state")
AT_DATA = tuple(Argument(f"{name}_data", "(M,)", f"{name} at data") for name in "EH")
AT_MODEL = tuple(Argument(f"{name}_model", "(N,)", f"{name} at samples of the model") for name in "EH")
TABLES = ((2, 3), (3, 2), (5, 4))


def table_cases(*names, far=()):
    """Tables over S states; then one state; then H + E of the sizes `far`, for what takes E and H alone."""
    def cases(seed):
        rng = onp.random.default_rng(seed)
        for S, d in TABLES:
            made = {"E": rng.normal(size=S), "H": 0.7 * rng.normal(size=S), "dE": rng.normal(size=(S, d)) + 0.5,
                    "p": rng.dirichlet(onp.full(S, 2.0))}
            yield Case(f"{S} states", {name: made[name] for name in names})
        one = {"E": onp.array([0.4]), "H": onp.array([-0.3]), "dE": onp.array([[1.0, -2.0]]), "p": onp.ones(1)}
        yield Case("one state", {name: one[name] for name in names}, hard=True)
        for v in far:
            yield Case(f"H + E = {v:g}", {"E": onp.array([0.5, v / 2]), "H": onp.array([0.2, v / 2])}, hard=True)
    return cases


def normalised(p):
    p = onp.asarray(p, float)
    return p / p.sum()


def with_law(q, name):
    """L with another law for q."""
    def L(E, H, p):
        T = F_DIVERGENCES[name].at_log(H + E)
        return np.sum(p * T) - np.sum(q(E) * F_DIVERGENCES[name].conjugate(T))
    return L


def objective(suffix, name):
    d = F_DIVERGENCES[name]
    def L(E, H, p): return febm.objective(E, H, normalised(p), name)
    def q(E): return law_of(E)
    return Contract(f"febm_objective_{suffix}", f"f-EBM's objective for {name}, E_p[f'(r)] - E_q[f*(f'(r))] with "
                    "r = exp(H + E), q = exp(-E)/Z", "yu2020 Eq. 14", (E, H, P), "(): H raises it, E lowers it", L,
                    values(table_cases("E", "H", "p"), gradients=("E", "H")), {
        "q = exp(E)/Z": Other(with_law(lambda E: q(-E), name), "the energy is low where x is probable: exp(-E)"),
        "q not normalised": Other(with_law(lambda E: np.exp(-E), name), "divide by Z"),
        "every state alike": Other(with_law(lambda E: 0 * E + 1 / len(E), name), "the second mean is under q"),
        "the law held constant": Other(with_law(lambda E: getval(q(E)), name), "q moves with E as well: add the score "
                                       "term, E_q[F dE] - E_q[F] E_q[dE] (Theorem 1)"),
        "r = exp(H - E)": Other(lambda E, H, p: np.sum(p * d.at_log(H - E)) - np.sum(q(E) * d.conjugate(
            d.at_log(H - E))), "r = exp(H + E): at the best H, H = log(p Z)"),
        "f* left out": Other(lambda E, H, p: np.sum((p - q(E)) * d.at_log(H + E)), "subtract E_q[f*(f'(r))]"),
        "f* added": Other(lambda E, H, p: np.sum(p * d.at_log(H + E)) + np.sum(q(E) * d.conjugate(d.at_log(H + E))),
                          "subtract E_q[f*(f'(r))]"),
        "f' left out": Other(lambda E, H, p: np.sum(p * np.exp(H + E)) - np.sum(q(E) * d.conjugate(np.exp(H + E))),
                             "the variational function is f'(r), not r"),
        "p and q exchanged": Other(lambda E, H, p: np.sum(q(E) * d.at_log(H + E)) - np.sum(
            p * d.conjugate(d.at_log(H + E))), "f'(r) under p, f*(f'(r)) under q")}, {
        "minus it": Other(lambda *given: -L(*given), "you return the critic's loss, to be minimised in H"),
        "E for -E": Other(lambda E, H, p: L(-E, H, p), "your function is f = -E, high where x is probable")})


def critic(suffix, name):
    d = F_DIVERGENCES[name]
    def T(E, H): return d.at_log(H + E)
    mistakes = {
        "r itself": Other(lambda E, H: np.exp(H + E), "f'(r) at r = exp(H + E)"),
        "H + E": Other(lambda E, H: H + E, "f'(exp(H + E)): H + E is the log-ratio"),
        "H alone": Other(lambda E, H: d.at_log(H) + 0 * E, "the energy stands in r, too"),
        "f(r)": Other(lambda E, H: d.f(np.exp(H + E)), "its derivative, f'(r)")}
    if name != "kl":            # where it is r itself
        mistakes["f*(f'(r))"] = Other(lambda E, H: d.conjugate(T(E, H)), "this is subtracted at the model's samples")
    if name in ("kl", "jensen-shannon"):
        mistakes["overflows"] = Other(lambda E, H: d.derivative(np.exp(H + E)), "write f'(e^v) in v = H + E itself")
    return Contract(f"febm_critic_{suffix}", f"f-EBM's variational function for {name}, f'(exp(H + E))",
                    "yu2020 Sec. 3.2, Theorem 2", (E, H), "(S,)", T,
                    values(table_cases("E", "H", far=(-1e4, 1e4) if name in ("kl", "jensen-shannon") else (-40, 40)),
                           gradients=("E", "H")), mistakes,
                    {"E for -E": Other(lambda E, H: T(-E, H), "right if you are given f = -E, high where x is "
                                       "probable; an energy is added: exp(H + E)")})


def theta_gradient(suffix, name):
    def g(E, H, dE, p): return febm_game.grad_theta(E, H, dE, p, name)
    def F(E, H): return febm_game.reward(E, H, name)
    def on_data(E, H, dE, p): return np.dot(p * febm_game.slope_on_data(E, H, name), dE)
    def on_model(E, H, dE): return np.dot(law_of(E) * febm_game.slope_on_model(E, H, name), dE)
    def score(E, H, dE): return febm_dual.score_gradient(law_of(E), dE, F(E, H))
    return Contract(f"febm_theta_gradient_{suffix}", f"the gradient of f-EBM's objective for {name} in theta, by "
                    "Theorem 3: every term from tables", "yu2020 Eq. 18", (E, H, D_E, P),
                    "(d,): theta descends it", g, values(table_cases("E", "H", "dE", "p")), {
        "no score term": Other(lambda E, H, dE, p: on_data(E, H, dE, p) - on_model(E, H, dE),
                               "q moves with theta: add E_q[F dE] - E_q[F] E_q[dE]"),
        "the score term alone": Other(lambda E, H, dE, p: score(E, H, dE) + 0 * np.dot(p, dE),
                                      "this is Theorem 1, for a T without E: r contains E as well"),
        "no product of means": Other(lambda E, H, dE, p: g(E, H, dE, p) + np.dot(law_of(E), dE) * np.dot(
            law_of(E), F(E, H)), "subtract E_q[dE] E_q[F], which is the gradient of log Z"),
        "the score term with a minus": Other(lambda E, H, dE, p: g(E, H, dE, p) - 2 * score(E, H, dE),
                                             "dlog q = -dE + E_q[dE]: the score term of -E_q[F] is + E_q[F dE]"),
        "the slope of F added": Other(lambda E, H, dE, p: g(E, H, dE, p) + 2 * on_model(E, H, dE), "subtract E_q[dF]"),
        "r f'' for r^2 f''": Other(lambda E, H, dE, p: on_data(E, H, dE, p) + score(E, H, dE)
                                   - on_data(E, H, dE, law_of(E)), "dF = r df'(r): the slope of f* at f'(r) is r"),
        "the data's term left out": Other(lambda E, H, dE, p: g(E, H, dE, p) - on_data(E, H, dE, p),
                                          "f'(r) at data contains E: add E_p[r f'' dE]")}, {
        "minus it": Other(lambda *given: -g(*given), "you return the direction of descent")})


def sample_cases(*more):
    """Energies and critic at data and at samples of the model; more: "dH", gradients of the critic there."""
    def cases(seed):
        rng = onp.random.default_rng(seed)
        for M, N, e in ((2, 3, 1), (4, 2, 3), (3, 5, 2)):
            given = {}
            for of, n in (("data", M), ("model", N)):
                given |= {f"E_{of}": rng.normal(size=n), f"H_{of}": 0.7 * rng.normal(size=n),
                          **{f"{name}_{of}": rng.normal(size=(n, e)) + 0.5 for name in more}}
            yield Case(f"{M} data and {N} samples", given)
    return cases


def omega_gradient(suffix, name):
    def g(E_d, H_d, E_m, H_m, dH_d, dH_m):
        return febm_algorithm.estimate_grad_omega(Samples(E_d, H_d, dH_d), Samples(E_m, H_m, dH_m), name)
    def weighed(of_data, of_model):
        """(1/M) sum of_data(r) dH - (1/N) sum of_model(r) dH; each also takes f''(r)"""
        def other(E_d, H_d, E_m, H_m, dH_d, dH_m):
            terms = [np.mean(of(r, F_DIVERGENCES[name].second(r))[:, None] * dH, axis=0) for of, r, dH in
                     ((of_data, np.exp(H_d + E_d), dH_d), (of_model, np.exp(H_m + E_m), dH_m))]
            return terms[0] - terms[1]
        return other
    gradients = tuple(Argument(f"dH_{of}", f"({n}, e)", f"the gradient of the critic at {where}")
                      for of, n, where in (("data", "M", "data"), ("model", "N", "samples of the model")))
    mistakes = {} if name == "kl" else {        # for KL r f'' is one
        "no chain rule": Other(weighed(lambda r, s: 0 * r + 1, lambda r, s: r), "dT = r f''(r) dH, not dH")}
    return Contract(f"febm_omega_gradient_{suffix}", f"the gradient of f-EBM's objective for {name} in omega, the "
                    "critic's parameters, from samples", "yu2020 Sec. 3.3", (*AT_DATA, *AT_MODEL, *gradients),
                    "(e,): omega ascends it", g, values(sample_cases("dH")), {
        "r f'' at both": Other(weighed(lambda r, s: r * s, lambda r, s: r * s), "r^2 f''(r) at the model's samples"),
        "r^2 f'' at both": Other(weighed(lambda r, s: r**2 * s, lambda r, s: r**2 * s), "r f''(r) at the data"),
        "f'' and r f'': one r too few": Other(weighed(lambda r, s: s, lambda r, s: r * s), "dr/dH = r: multiply by r"),
        **mistakes,
        "summed over the samples": Other(lambda *a: a[0].shape[0] * np.mean(
            febm_algorithm.slope_of_A(a[0], a[1], name)[:, None] * a[4], axis=0) - a[2].shape[0] * np.mean(
            febm_algorithm.slope_of_B(a[2], a[3], name)[:, None] * a[5], axis=0), "average over the samples"),
        "added": Other(weighed(lambda r, s: r * s, lambda r, s: -r**2 * s), "subtract the model's samples")}, {
        "minus it": Other(lambda *given: -g(*given), "you return the gradient of the critic's loss")})


def surrogate(suffix, name):
    def terms(E_d, H_d, E_m, H_m):
        b = febm_algorithm.B(E_m, H_m, name)
        return np.mean(febm_algorithm.A(E_d, H_d, name)), np.mean(E_m * getval(b)), \
            np.mean(E_m) * getval(np.mean(b)), np.mean(b), np.mean(E_m * b), np.mean(E_m) * np.mean(b)

    def of(combine): return lambda *given: combine(*terms(*given))
    def loss(*given): return febm_algorithm.surrogate_loss(*given, name)
    return Contract(f"febm_surrogate_{suffix}", f"a scalar whose derivative in theta is f-EBM's for {name}: mean A + "
                    "mean E sg(B) - mean E sg(mean B) - mean B, A = f'(r) at data, B = f*(f'(r)) at the model's "
                    "samples, sg(.) held constant", "yu2020 App. E.1", (*AT_DATA, *AT_MODEL),
                    "(): its derivative trains, its value says nothing", loss,
                    values(sample_cases(), gradients=("E_data", "E_model")), {
        "B not held constant": Other(of(lambda A, s, m, B, s_, m_: A + s_ - m_ - B), "stop the gradient at B where it "
                                     "multiplies E (detach, stop_gradient)"),
        "no product of means": Other(of(lambda A, s, m, B, s_, m_: A + s - B), "subtract mean E sg(mean B)"),
        "the score term with a minus": Other(of(lambda A, s, m, B, s_, m_: A - s + m - B), "E_q[F dE] is added"),
        "no score term": Other(of(lambda A, s, m, B, s_, m_: A - B), "the samples are the model's: add the score term"),
        "B's own gradient left out": Other(of(lambda A, s, m, B, s_, m_: A + s - m - getval(B)),
                                           "B contains E itself: only where it multiplies E is it held constant"),
        "the data left out": Other(of(lambda A, s, m, B, s_, m_: s - m - B), "A at data contains E, too")}, {
        "with the value L": Other(of(lambda A, s, m, B, s_, m_: A - B + s - getval(s) - m + getval(m)),
                                  "the score term less its own value: the same derivative")})


CONTRACTS = [make(suffix, name) for make in (objective, critic, theta_gradient, omega_gradient, surrogate)
             for suffix, name in NAMES.items()]
