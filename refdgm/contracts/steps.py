"""Contracts of Langevin and Metropolis-Hastings steps, their random numbers given (yu2020 Eq. 5; ou2018 Sec. 2.3).

A step that looks at its target itself is held on the normal N(mean, diag(sd^2)).
"""

from refdgm.backend import xp as np
from refdgm.contract import INTEGER, NUMBER, Argument, Case, Contract, Other
from refdgm.samplers import independence, mala
from refdgm.values import apart, values

X = Argument("x", "(N, d)", "where the N chains are")
SCORE = Argument("score", "(N, d)", "dlog p(x)/dx, which points uphill")
EPS = Argument("eps", "", "the variance of the noise: the drift is eps/2", NUMBER)
Z = Argument("z", "(N, d)", "standard normal numbers")
U = Argument("u", "(N,)", "uniform numbers in (0, 1)")
MEAN = Argument("mean", "(d,)", "of the target")
SD = Argument("sd", "(d,)", "the target's standard deviations")
WHERE = "ou2018 Sec. 2.3; yu2020 Sec. 3"
SHAPES = [(1, 2), (3, 2), (2, 4), (1, 1), (4, 3)]


def arrays(rng, N, d, *names):
    return {name: rng.normal(size=(N, d)) for name in names}


def step_cases(seed):
    rng = np.random.default_rng(seed)
    for (N, d), eps in zip(SHAPES, (0.5, 0.16, 1.3, 2.25, 0.3)):
        yield Case(f"{N} chains in {d} dimensions, eps = {eps}", {**arrays(rng, N, d, "x", "score"), "eps": eps,
                                                                  **arrays(rng, N, d, "z")})
    yield Case("a score of 1e4", {"x": rng.normal(size=(2, 3)), "score": 1e4 * rng.normal(size=(2, 3)), "eps": 0.01,
                                  "z": rng.normal(size=(2, 3))}, hard=True)


def langevin(drift=lambda eps: eps / 2, noise=np.sqrt):
    """x + drift(eps) score + noise(eps) z, for conventions and mistakes."""
    return lambda x, score, eps, z: x + drift(eps) * score + noise(eps) * z


def sgld_cases(seed):
    rng = np.random.default_rng(seed)
    for (N, d), m, total in zip(SHAPES, (2, 3, 1, 4, 2), (5, 7, 6, 9, 4)):
        yield Case(f"{N} chains in {d} dimensions, {m} of {total} data",
                   {**arrays(rng, N, d, "x", "prior_score"), "scores": rng.normal(size=(N, m, d)), "total": total,
                    "eps": rng.uniform(0.1, 0.4), **arrays(rng, N, d, "z")})


def tempered(call, case):
    """The variance of the noise is twice the factor of the score: p itself is sampled, not a power of it."""
    zero, one = np.zeros_like(case["x"]), np.ones_like(case["x"])
    drift, = call(**{**case, "x": zero, "score": one, "z": zero})
    noise, = call(**{**case, "x": zero, "score": zero, "z": one})
    return apart([noise**2], [2 * drift]) / np.max(np.abs(drift), initial=1e-300)


def sgld(prior=lambda m, total: 1.0, data=lambda m, total: total / m, noise=1.0):
    """The Langevin step with an estimated score: that of the prior and m of the `total` data, by their factors."""
    def step(x, prior_score, scores, total, eps, z):
        m = scores.shape[1]
        return mala.propose(x, prior(m, total) * prior_score + data(m, total) * np.sum(scores, axis=1), eps, noise * z)
    return step


# ---- Metropolis-Hastings ----------------------------------------------------------------

def pair_cases(seed):
    """What is known of x and y when the proposal y of x is judged."""
    rng = np.random.default_rng(seed)
    for (N, d), eps in zip(SHAPES, (0.5, 0.7, 1.3, 0.9, 0.3)):
        x, y, s, t = rng.normal(size=(4, N, d))
        yield Case(f"{N} pairs in {d} dimensions, eps = {eps}",
                   {"x": x, "log_p": rng.normal(size=N), "score": s, "y": x + 0.5 * (y - x),
                    "log_p_new": rng.normal(size=N), "score_new": t, "eps": eps})
    yield Case("log p of -1e4 and 1e4", {"x": x, "log_p": np.full(N, -1e4), "score": s, "y": y,
                                         "log_p_new": np.full(N, 1e4), "score_new": t, "eps": 0.5}, hard=True)


def mala_log_ratio(x, log_p, score, y, log_p_new, score_new, eps):
    return mala.log_ratio((x, log_p, score), (y, log_p_new, score_new), eps)


def judged(target=1.0, correction=1.0, eta=0.5, swap=False, over=True):
    """log of p(y) q(x|y) / (p(x) q(y|x)) by its parts; q(y|x) = N(y; x + eta eps s(x), 2 eta eps)."""
    def ratio(x, log_p, score, y, log_p_new, score_new, eps):
        there, back = (score, score_new) if not swap else (score_new, score)
        scale = 4 * eta * eps if over else 1.0
        q = (np.sum((y - x - eta * eps * there)**2, axis=-1) - np.sum((x - y - eta * eps * back)**2, axis=-1)) / scale
        return target * (log_p_new - log_p) + correction * q
    return ratio


def ratio_cases(seed):
    rng = np.random.default_rng(seed)
    names = ("log_p_old", "log_p_new", "log_q_forward", "log_q_backward")
    for shape in ((3,), (1,), (6,), (2, 5)):
        given = dict(zip(names, rng.normal(size=(4, *shape)), strict=True))
        given["log_p_new"].flat[0] = given["log_p_old"].flat[0] + given["log_q_forward"].flat[0] \
            - given["log_q_backward"].flat[0] - 0.5
        yield Case(f"shape {shape}", given)
    yield Case("log p near -1e4", {name: a - 1e4 * name.startswith("log_p") for name, a in given.items()}, hard=True)
    yield Case("log p near +1e4", {name: a + 1e4 * name.startswith("log_p") for name, a in given.items()}, hard=True)
    yield Case("log p of -inf where it is to go", {**given, "log_p_new": np.full((2, 5), -np.inf)}, hard=True)


def accepted(sign=1.0, forward=-1.0, backward=1.0, target=1.0):
    def probability(log_p_old, log_p_new, log_q_forward, log_q_backward):
        log_a = target * (log_p_new - log_p_old) + forward * log_q_forward + backward * log_q_backward
        return np.exp(np.minimum(0.0, sign * log_a))
    return probability


def acceptance(log_p_old, log_p_new, log_q_forward, log_q_backward):
    return independence.acceptance(log_p_new - log_q_forward, log_p_old - log_q_backward)


def naive_acceptance(log_p_old, log_p_new, log_q_forward, log_q_backward):
    ratio = np.exp(log_p_new) * np.exp(log_q_backward) / (np.exp(log_p_old) * np.exp(log_q_forward))
    return np.minimum(1.0, ratio)


# ---- a whole step of MALA ---------------------------------------------------------------

def mala_cases(seed):
    """Steps so long that some are rejected; u is well above or below the probability."""
    rng = np.random.default_rng(seed)
    for (N, d), eps in zip([*SHAPES, (16, 2)], (1.5, 1.1, 0.9, 2.0, 1.3, 0.8)):
        given = {**arrays(rng, N, d, "x"), "mean": rng.normal(size=d), "sd": rng.uniform(0.6, 1.2, size=d), "eps": eps,
                 **arrays(rng, N, d, "z")}
        y, log_a = proposed(*given.values())
        p = np.exp(np.minimum(0.0, log_a))
        below = (rng.uniform(size=N) < 0.5) | (p > 0.7)
        yield Case(f"{N} chains in {d} dimensions", {**given, "u": np.where(below, 0.5 * p, p + 0.6 * (1 - p))})


def proposed(x, mean, sd, eps, z, ratio=mala_log_ratio):
    """The proposal, and the logarithm of its ratio."""
    def look(x): return x, -0.5 * np.sum(((x - mean) / sd)**2, axis=-1), (mean - x) / sd**2
    y = mala.propose(x, look(x)[2], eps, z)
    return y, ratio(*look(x), *look(y), eps)


def mala_step(accept=lambda u, log_a: np.log(u) < log_a, ratio=mala_log_ratio):
    def step(x, mean, sd, eps, z, u):
        y, log_a = proposed(x, mean, sd, eps, z, ratio)
        return np.where(np.reshape(accept(u, log_a), (-1, 1)), y, x)
    return step


NO_CORRECTION = "add log q(old|new) - log q(new|old): the drift makes the proposal asymmetric"
LOG_Q = "log q(y|x) = -|y - x - (eps/2) score(x)|^2 / (2 eps)"
NEW_OVER_OLD = "accept by new over old: log p(new) + log q(old|new) - log p(old) - log q(new|old)"

CONTRACTS = [
    Contract("langevin_step", "a step of Langevin dynamics (ULA): x + (eps/2) score + sqrt(eps) z", "yu2020 Eq. 5",
             (X, SCORE, EPS, Z), "(N, d): the next x", mala.propose, values(step_cases),
             {"noise times eps": Other(langevin(noise=lambda eps: eps), "the noise is sqrt(eps) z"),
              "drift eps with noise sqrt(eps): half the temperature": Other(
                  langevin(drift=lambda eps: eps), "a drift of eps goes with the noise sqrt(2 eps)"),
              "drift eps/2 with noise sqrt(2 eps): twice the temperature": Other(
                  langevin(noise=lambda eps: np.sqrt(2 * eps)), "a drift of eps/2 goes with the noise sqrt(eps)"),
              "noise of a size of its own: a tempered density": Other(
                  langevin(noise=lambda eps: 0.005), "the noise is sqrt(eps): else it samples p^(eps / noise^2)"),
              "noise of the size 1": Other(langevin(noise=lambda eps: 1.0), "multiply the noise by sqrt(eps)"),
              "no noise: gradient ascent": Other(langevin(noise=lambda eps: 0.0), "add sqrt(eps) z"),
              "downhill": Other(langevin(drift=lambda eps: -eps / 2), "add the score: minus the energy's gradient"),
              "drift sqrt(eps)": Other(langevin(drift=np.sqrt), "the drift is eps/2 times the score")},
             {"eps the drift: x + eps score + sqrt(2 eps) z": Other(
                 langevin(lambda eps: eps, lambda eps: np.sqrt(2 * eps)), "the same chain with eps half as large")},
             {"the variance of the noise is twice the factor of the score, else a power of p is sampled": tempered}),
    Contract("sgld_step", "a step of stochastic gradient Langevin dynamics, the score estimated from m of the data",
             "yu2020 Sec. 2.2; Welling and Teh 2011 Eq. 4",
             (X, Argument("prior_score", "(N, d)", "dlog prior(x)/dx"),
              Argument("scores", "(N, m, d)", "dlog p(datum|x)/dx, for m of the data"),
              Argument("total", "", "how many data there are", INTEGER), EPS, Z), "(N, d): the next x", sgld(),
             values(sgld_cases),
             {"the minibatch not scaled up": Other(sgld(data=lambda m, total: 1.0), "multiply its sum by total / m"),
              "the mean over the minibatch": Other(sgld(data=lambda m, total: 1 / m), "multiply the mean by total"),
              "its sum times total": Other(sgld(data=lambda m, total: float(total)), "divide by m"),
              "the prior scaled up, too": Other(sgld(prior=lambda m, total: total / m), "the prior counts once"),
              "the prior scaled down": Other(sgld(prior=lambda m, total: m / total), "the prior counts once"),
              "the prior forgotten": Other(sgld(prior=lambda m, total: 0.0), "add the prior's score"),
              "no noise: SGD": Other(sgld(noise=0.0), "add sqrt(eps) z"),
              "drift eps/2 with noise sqrt(2 eps)": Other(sgld(noise=np.sqrt(2.0)), "the noise is sqrt(eps) z")}),
    Contract("mala_log_acceptance", "log of p(y) q(x|y) / (p(x) q(y|x)), q(y|x) = N(y; x + (eps/2) score(x), eps)",
             WHERE, (X, Argument("log_p", "(N,)", "log p(x), up to a constant"), SCORE,
              Argument("y", "(N, d)", "the proposals"), Argument("log_p_new", "(N,)", "log p(y)"),
              Argument("score_new", "(N, d)", "at y"), EPS), "(N,): not cut off at 0", mala_log_ratio,
             values(pair_cases),
             {"the whole ratio inverted": Other(judged(target=-1.0, correction=-1.0), NEW_OVER_OLD),
              "log p inverted": Other(judged(target=-1.0), NEW_OVER_OLD),
              "the Hastings correction missing": Other(judged(correction=0.0), NO_CORRECTION),
              "the Hastings correction inverted": Other(judged(correction=-1.0), NO_CORRECTION),
              "the scores of x and y exchanged": Other(judged(swap=True), "log q(y|x) has the score at x"),
              "q not divided by its variance": Other(judged(over=False), LOG_Q),
              "the correction twice": Other(judged(correction=2.0), LOG_Q),
              "the correction halved": Other(judged(correction=0.5), LOG_Q)},
             {"eps the drift: q(y|x) = N(x + eps score, 2 eps)": Other(
                 judged(eta=1.0), "the same rule with eps half as large"),
              "cut off at 0": Other(lambda *given: np.minimum(0.0, mala_log_ratio(*given)), "log of the probability")}),
    Contract("mala_step", "a step of MALA on N(mean, diag(sd^2)), proposal x + (eps/2) score + sqrt(eps) z accepted "
             "where u is below min(1, ratio)", WHERE, (X, MEAN, SD, EPS, Z, U), "(N, d): the next x", mala_step(),
             values(mala_cases),
             {"every proposal accepted": Other(mala_step(lambda u, log_a: log_a < np.inf), "compare u with the ratio"),
              "the ratio inverted": Other(mala_step(ratio=judged(target=-1.0, correction=-1.0)), NEW_OVER_OLD),
              "the Hastings correction missing": Other(mala_step(ratio=judged(correction=0.0)), NO_CORRECTION),
              "the Hastings correction inverted": Other(mala_step(ratio=judged(correction=-1.0)), NO_CORRECTION),
              "accepted where u is above": Other(mala_step(lambda u, log_a: np.log(u) >= log_a), "turn it around"),
              "only better ones accepted": Other(mala_step(lambda u, log_a: log_a > 0), "compare with u, not 1"),
              "u compared with the logarithm": Other(mala_step(lambda u, log_a: u < log_a), "take log u")}),
    Contract("metropolis_hastings_acceptance", "the probability min{1, p(new) q(old|new) / (p(old) q(new|old))}", WHERE,
             (Argument("log_p_old", "(...)", "log p(old), up to a constant"),
              Argument("log_p_new", "(...)", "log p(new)"), Argument("log_q_forward", "(...)", "log q(new|old)"),
              Argument("log_q_backward", "(...)", "log q(old|new)")),
             "(...): between 0 and 1", acceptance, values(ratio_cases),
             {"the ratio inverted": Other(accepted(sign=-1.0), NEW_OVER_OLD),
              "the Hastings correction missing": Other(accepted(forward=0.0, backward=0.0), "multiply by q(old|new) / "
                                                       "q(new|old), unless the proposal is symmetric"),
              "the Hastings correction inverted": Other(accepted(forward=1.0, backward=-1.0),
                                                        "multiply by q(old|new) / q(new|old), not its inverse"),
              "the ratio of p inverted": Other(accepted(target=-1.0), NEW_OVER_OLD),
              "q(old|new) missing": Other(accepted(backward=0.0), "multiply by q(old|new)"),
              "q(new|old) missing": Other(accepted(forward=0.0), "divide by q(new|old)"),
              "not cut off at 1": Other(lambda p, new, f, b: np.exp(new - p + b - f), "a probability is at most 1"),
              "overflows": Other(naive_acceptance, "subtract logarithms before exp")},
             {"its logarithm": Other(lambda *given: np.log(acceptance(*given)), "log of the probability")}),
]
