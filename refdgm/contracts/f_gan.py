r"""Contracts of variational divergence minimisation, f-GAN (ou2018 Sec. 3.2.4, Eqs. 27-32; Nowozin et al. 2016).

    the bound        E_p[T] - E_q[f*(T)] <= D_f[p||q], from tables p, q and T
    the objective    mean g_f(V) over data - mean f*(g_f(V)) over generated x; the critic maximises it
    the generator    - mean f*(g_f(V)), minimised, or the paper's trick, - mean g_f(V)

Signs: a bound and an objective are maximised, a loss is minimised.
"""
from collections.abc import Callable
from typing import NamedTuple

import autograd.numpy as np

from refdgm.adversarial import output_activation, vdm_bound
from refdgm.backend import xp as onp
from refdgm.contract import Argument, Case, Contract, Other
from refdgm.f_divergences import F_DIVERGENCES, alpha_divergence, in_domain, weighted_jensen_shannon
from refdgm.values import values

P = Argument("p", "(n,)", "the law of the data: probabilities, with sum one", "table")
Q = Argument("q", "(n,)", "the law of the model: probabilities, with sum one", "table")
T = Argument("T", "(n,)", "the variational function at every state, in the domain of f*")
REAL = Argument("v_real", "(M,)", "the critic's output V(x), before the activation, at data")
FAKE = Argument("v_fake", "(N,)", "the critic's output V(x), before the activation, at generated x")
ALPHA = Argument("alpha", "", "the order, neither 0 nor 1", "number")
WEIGHT = Argument("weight", "", "the weight of p, between 0 and 1", "number")
CHOICES = {"alpha": (1.7, 0.4, 2.5), "weight": (0.3, 0.8, 0.6)}


class Row(NamedTuple):
    """A divergence: the rows of f_divergences.F_DIVERGENCES, and those with a parameter."""
    says: str
    of: Callable                    # (*parameter) -> FDivergence
    opposite: Callable | None       # the f of D_f[q||p]; None where it is the same
    parameters: tuple = ()
    identity: bool = False          # the f-GAN paper's activation is V itself


def row(says, name, opposite=None, identity=False):
    return Row(says, lambda: F_DIVERGENCES[name], opposite and (lambda: F_DIVERGENCES[opposite]), (), identity)


ROWS = {
    "kl": row("KL[p||q]", "kl", "reverse kl", identity=True),
    "reverse_kl": row("KL[q||p]", "reverse kl", "kl"),
    "jensen_shannon": row("2 JS[p||q]", "jensen-shannon"),
    "weighted_js": Row("the weighted JS, w KL[p||m] + (1 - w) KL[q||m]", weighted_jensen_shannon,
                       lambda w: weighted_jensen_shannon(1 - w), (WEIGHT,)),
    "squared_hellinger": row("sum (sqrt p - sqrt q)^2", "squared hellinger"),
    "pearson": row("Pearson's sum (p - q)^2/q", "pearson", "neyman", identity=True),
    "neyman": row("Neyman's sum (p - q)^2/p", "neyman", "pearson"),
    "jeffreys": row("KL[p||q] + KL[q||p]", "jeffrey", identity=True),
    "gan": row("2 JS[p||q] - log 4", "gan"),
    "total_variation": row("sum |p - q|/2", "total variation"),
    "alpha": Row("the alpha-divergence", alpha_divergence, lambda a: alpha_divergence(1 - a),
                 (ALPHA,)),
}
TRAINED = ("kl", "reverse_kl", "pearson", "neyman", "squared_hellinger", "jensen_shannon")


# ---- the bound --------------------------------------------------------------------------

def bound_cases(row):
    """Laws and a variational function in the domain of f*, anything but the best; then zeros, and T far down."""
    def cases(seed):
        rng = onp.random.default_rng(seed)

        def case(label, i, p, q, s, hard=False):
            number = {a.name: CHOICES[a.name][i % 3] for a in row.parameters}
            return Case(label, {"p": p, "q": q, "T": in_domain(row.of(*number.values()), onp.array(s)), **number}, hard)
        for i, n in enumerate((2, 3, 5)):
            p, q = rng.dirichlet(onp.full(n, 2.0), size=2)
            yield case(f"{n} states", i, p, q, onp.minimum(1.2 * rng.normal(size=n), 1.5))
        yield case("one state", 1, onp.ones(1), onp.ones(1), [0.3], True)
        yield case("a state that p never has", 0, onp.array([0.0, 1.0]), onp.array([0.4, 0.6]), [-0.7, 0.5], True)
        yield case("T far down", 0, onp.array([0.4, 0.6]), onp.array([0.7, 0.3]), [-5.0, -3.0], True)
    return cases


def bound(name, row):
    def F(p, q, T, *a): return vdm_bound.bound(row.of(*a), p, q, T)
    def f_star(T, *a): return row.of(*a).conjugate(T)
    mistakes = {
        "p and q exchanged": Other(lambda p, q, T, *a: F(q, p, T, *a), "T is averaged under p, f*(T) under q"),
        "f* left out": Other(lambda p, q, T, *a: np.sum(p * T) - np.sum(q * T), "subtract the mean of f*(T), not of T: "
                             "this is a bound for the Wasserstein distance, of a Lipschitz T"),
        "f* added": Other(lambda p, q, T, *a: np.sum(p * T) + np.sum(q * f_star(T, *a)), "subtract E_q[f*(T)]"),
        "f* of the mean": Other(lambda p, q, T, *a: np.sum(p * T) - f_star(np.sum(q * T), *a),
                                "average f*(T), not T (Jensen's inequality)"),
        "not weighed": Other(lambda p, q, T, *a: np.mean(T) - np.mean(f_star(T, *a)) + 0 * np.sum(p + q),
                             "expectations under p and q, not means over the states"),
        "both under p": Other(lambda p, q, T, *a: np.sum(p * (T - f_star(T, *a))), "f*(T) is averaged under q"),
    }
    if row.opposite:
        mistakes["f* of the other direction"] = Other(
            lambda p, q, T, *a: vdm_bound.bound(row.opposite(*a), p, q, T), "this f* is that of D_f[q||p]")
    conventions = {"the loss: minus the bound": Other(lambda *given: -F(*given),
                                                      "you return the loss of the critic, to be minimised")}
    if name == "pearson":
        conventions["t + t^2/4 below -2, too"] = Other(
            lambda p, q, T: np.sum(p * T) - np.sum(q * (T + T**2 / 4)),
            "f* as in the f-GAN paper; with u >= 0 it is -1 there. Yours bounds as well, not as tightly")
    return Contract(f"f_bound_{name}", f"E_p[T] - E_q[f*(T)], which bounds {row.says} from below",
                    "ou2018 Eq. 27; yu2020 Lemma 1", (P, Q, T, *row.parameters), "(): the bound, to be maximised", F,
                    values(bound_cases(row), gradients=("T",)), mistakes, conventions)


# ---- samples ----------------------------------------------------------------------------

def logit_cases(names):
    def cases(seed):
        rng = onp.random.default_rng(seed)
        for M, N in ((1, 2), (4, 2), (3, 5)):
            given = {"v_real": rng.normal(size=M) + 0.4, "v_fake": rng.normal(size=N) - 0.2}
            yield Case(f"{M} and {N} outputs", {name: given[name] for name in names})
        given = {"v_real": onp.array([6.0, -6.0]), "v_fake": onp.array([-6.0, 6.0, 0.0])}
        yield Case("outputs of +-6", {name: given[name] for name in names}, hard=True)
    return cases


def of_samples(d, v_real, v_fake, activation):
    """Eq. 30 under the laws of the samples: output_activation.objective with every sample a state of its own."""
    M, N = len(v_real), len(v_fake)
    p0, p = onp.repeat(onp.array([[1 / max(M, 1), 0.0], [0.0, 1 / N]]), [M, N], axis=1)
    return output_activation.objective(d, p0, p, np.concatenate([v_real, v_fake]), activation)


def summed(d, real, fake):
    return np.sum(d.activation(real)) - np.sum(d.conjugate(d.activation(fake)))


def objective(name, row):
    d = row.of()
    def F(real, fake): return of_samples(d, real, fake, d.activation)
    mistakes = {
        "f* left out": Other(lambda real, fake: np.mean(d.activation(real)) - np.mean(d.activation(fake)),
                             "subtract the mean of f*(g_f(V)), not of g_f(V)"),
        "f* added": Other(lambda real, fake: np.mean(d.activation(real)) + np.mean(d.conjugate(d.activation(fake))),
                          "subtract the mean of f*(g_f(V))"),
        "f* of the mean": Other(lambda real, fake: np.mean(d.activation(real))
                                - d.conjugate(np.mean(d.activation(fake))), "average f*(g_f(V)), not g_f(V)"),
        "summed over the draws": Other(lambda real, fake: summed(d, real, fake), "average over the draws of each kind"),
    }
    if name != "squared_hellinger":         # there it is V reversed
        mistakes["data and generated exchanged"] = Other(lambda real, fake: F(fake, real),
                                                         "g_f(V) at data, f*(g_f(V)) at generated x")
    if not row.identity:
        mistakes["the activation at data only"] = Other(
            lambda real, fake: np.mean(d.activation(real)) - np.mean(d.conjugate(fake)), "f*(g_f(V)), not f*(V)")
        mistakes["the activation at generated x only"] = Other(
            lambda real, fake: np.mean(real) - np.mean(d.conjugate(d.activation(fake))), "g_f(V) at data, too")
    return Contract(f"fgan_objective_{name}", f"f-GAN's objective for {row.says}, mean g_f(V) at data - mean "
                    "f*(g_f(V)) at generated x, g_f as in the f-GAN paper", "ou2018 Eq. 30", (REAL, FAKE),
                    "(): what the critic maximises", F, values(logit_cases(("v_real", "v_fake")),
                                                               gradients=("v_real", "v_fake")), mistakes,
                    {"the loss: minus it": Other(lambda *v: -F(*v), "you return the critic's loss, to be minimised"),
                     **others(d, name, lambda v, activation: of_samples(d, *v, activation))})


def others(d, name, value):
    """Other activations: value(outputs, activation) with what is as right."""
    conventions = {}
    if name != "jensen_shannon":
        conventions["V reversed"] = Other(lambda *v: value(v, lambda x: d.activation(-x)), "the same values of T, if "
                                          "your critic and your generator agree that V is small for data")
    if name not in ("reverse_kl", "jensen_shannon"):
        conventions["the rule f'(e^v)"] = Other(lambda *v: value(v, d.at_log),
                                                "the best V is then log p/q, whatever f is (ou2018 Sec. 3.2.4)")
    return conventions


def generator_loss(name, row):
    d = row.of()
    def loss(fake): return of_samples(d, np.zeros(0), fake, d.activation)
    mistakes = {
        "the sign": Other(lambda fake: -loss(fake), "the generator lowers the objective, - mean f*(g_f(V))"),
        "f* of the mean": Other(lambda fake: -d.conjugate(np.mean(d.activation(fake))), "average f*(g_f(V))"),
        "summed over the draws": Other(lambda fake: loss(fake) * len(fake), "average over the draws"),
    }
    if name != "squared_hellinger":         # there it is V reversed
        mistakes["g_f(V) minimised"] = Other(lambda fake: np.mean(d.activation(fake)),
                                             "the generator raises V at what it makes: minus g_f(V)")
    if not row.identity:
        mistakes["no activation"] = Other(lambda fake: -np.mean(d.conjugate(fake)), "f*(g_f(V)), not f*(V)")
    return Contract(f"fgan_generator_loss_{name}", f"what f-GAN's generator minimises for {row.says}, - mean "
                    "f*(g_f(V)) at generated x, g_f as in the f-GAN paper", "ou2018 Eq. 30, Algorithm 5", (FAKE,),
                    "(): to be minimised", loss, values(logit_cases(("v_fake",)), gradients=("v_fake",)), mistakes,
                    {"the trick: - mean g_f(V)": Other(
                        lambda fake: -np.mean(d.activation(fake)), "as in the f-GAN paper: a stronger gradient, which "
                        "vanishes at p = q as well, but descends another function than the divergence"),
                     **others(d, name, lambda v, activation: of_samples(d, np.zeros(0), *v, activation))})


CONTRACTS = [*(bound(name, row) for name, row in ROWS.items()),
             *(make(name, ROWS[name]) for make in (objective, generator_loss) for name in TRAINED)]
