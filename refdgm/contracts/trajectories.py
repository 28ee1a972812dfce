"""Contracts of samplers with a momentum, their random numbers given (kingma2019 App. A.2.3; Chen et al. 2014).

The target is the normal N(mean, diag(sd^2)), log p up to a constant; the momentum has unit mass.
"""

from refdgm.backend import xp as np
from refdgm.contract import INTEGER, NUMBER, Argument, Case, Contract, Other
from refdgm.samplers import hmc, sghmc
from refdgm.values import values

X = Argument("x", "(N, d)", "where the N chains are")
R = Argument("r", "(N, d)", "their momenta")
MEAN = Argument("mean", "(d,)", "of the target")
SD = Argument("sd", "(d,)", "the target's standard deviations")
EPS = Argument("eps", "", "the step size", NUMBER)
L = Argument("L", "", "how many leapfrog steps", INTEGER)
SHAPES = [(1, 2), (3, 2), (2, 4), (1, 1), (4, 3), (16, 2)]


def arrays(rng, N, d, *names):
    return {name: rng.normal(size=(N, d)) for name in names}


def score_of(mean, sd):
    return lambda x: (mean - x) / sd**2


def log_p_of(mean, sd):
    return lambda x: -0.5 * np.sum(((x - mean) / sd)**2, axis=-1)


def leap_cases(seed):
    rng = np.random.default_rng(seed)
    for (N, d), L, eps in zip(SHAPES, (1, 3, 2, 4, 5, 2), (0.6, 0.5, 0.7, 0.4, 0.3, 0.5)):
        yield Case(f"{N} chains in {d} dimensions, L = {L}",
                   {**arrays(rng, N, d, "x", "r"), "mean": rng.normal(size=d), "sd": rng.uniform(0.6, 1.6, size=d),
                    "eps": eps, "L": L})


def leapfrog(x, r, mean, sd, eps, L):
    return hmc.leapfrog(score_of(mean, sd), x, r, eps, L)


def turned(x, r, mean, sd, eps, L):
    return hmc.proposal(score_of(mean, sd), x, r, eps, L)


def leaps(first=0.5, last=0.5, between=1.0, move=1.0, more=0, sign=1.0):
    """L steps with other lengths of the half steps, for mistakes."""
    def run(x, r, mean, sd, eps, L):
        score = score_of(mean, sd)
        r = r + first * eps * sign * score(x)
        for n in range(L + more):
            x = x + move * eps * r
            r = r + (between if n < L + more - 1 else last) * eps * sign * score(x)
        return x, r
    return run


def hmc_cases(seed):
    """Steps so long that some are rejected; u is well above or below the probability."""
    rng = np.random.default_rng(seed)
    for case in leap_cases(seed):
        given = {**case.arguments, "eps": 3 * case.arguments["eps"] * np.min(case.arguments["sd"])}
        x, r, mean, sd, eps, L = given.values()
        p = np.exp(log_rise(x, r, mean, sd, eps, L))
        below = (rng.uniform(size=len(x)) < 0.5) | (p > 0.7)
        given["u"] = np.where(below, 0.5 * p, p + 0.6 * (1 - p))
        yield Case(case.label, given)


def log_rise(x, r, mean, sd, eps, L):
    log_p = log_p_of(mean, sd)
    return hmc.log_acceptance(log_p, (x, r), hmc.proposal(score_of(mean, sd), x, r, eps, L))


def hmc_step(x, r, mean, sd, eps, L, u):
    return hmc.step(log_p_of(mean, sd), score_of(mean, sd), x, r, u, eps, L)


def hmc_by(accept):
    """The step with another rule accept(log p, (x, r), (y, s), u)."""
    def step(x, r, mean, sd, eps, L, u):
        y, s = leapfrog(x, r, mean, sd, eps, L)
        return np.where(accept(log_p_of(mean, sd), (x, r), (y, s), u)[:, None], y, x)
    return step


def H(log_p, x, r, kinetic=0.5):
    return kinetic * np.sum(r**2, axis=-1) - log_p(x)


def friction_cases(seed):
    for case, friction in zip(leap_cases(seed), (0.7, 1.1, 0.4, 0.9, 1.3, 0.5)):
        x, r, mean, sd, eps, _ = case.arguments.values()
        z = np.random.default_rng([seed, len(x)]).normal(size=x.shape)
        yield Case(f"{len(x)} chains in {x.shape[1]} dimensions",
                   {"x": x, "r": r, "mean": mean, "sd": sd, "eps": eps, "friction": friction, "z": z})


def sghmc_step(x, r, mean, sd, eps, friction, z):
    return sghmc.move(x, r, score_of(mean, sd), eps, friction, 0.0, z)


def rubbed(noise=lambda eps, C: np.sqrt(2 * C * eps), keep=lambda eps, C: 1 - eps * C, sign=1.0, first=False):
    def step(x, r, mean, sd, eps, friction, z):
        old, x = x, x + eps * r
        r = keep(eps, friction) * r + sign * eps * score_of(mean, sd)(old if first else x) + noise(eps, friction) * z
        return (old + eps * r if first else x), r
    return step


ENERGY = "accept where log u < H(old) - H(new), H = |r|^2 / 2 - log p(x)"

CONTRACTS = [
    Contract("leapfrog", "L leapfrog steps: r += (eps/2) score(x); x += eps r; r += (eps/2) score(x)",
             "kingma2019 App. A.2.3", (X, R, MEAN, SD, EPS, L), "two arrays (N, d): the new x and r", leapfrog,
             values(leap_cases),
             {"Euler: whole steps of r": Other(leaps(first=1.0, last=0.0), "begin and end with half a step of r"),
              "the first step of r is whole": Other(leaps(first=1.0), "begin with half a step of r"),
              "the last step of r is whole": Other(leaps(last=1.0), "end with half a step of r"),
              "the last half step of r missing": Other(leaps(last=0.0), "end with half a step of r"),
              "half steps of r between steps of x": Other(leaps(between=0.5), "they add up to a whole step"),
              "half steps of x": Other(leaps(move=0.5), "x moves by eps r"),
              "downhill": Other(leaps(sign=-1.0), "add the score; the energy's gradient is minus it"),
              "a step too many": Other(leaps(more=1), "make L steps"),
              "x and r exchanged": Other(lambda *given: leapfrog(*given)[::-1], "return x, then r")},
             {"the momentum turned around": Other(turned, "returns -r, so that a second call leads back")}),
    Contract("hmc_step", "a step of HMC: L leapfrog steps, accepted where u is below exp(H(old) - H(new))",
             "kingma2019 App. A.2.3", (X, R, MEAN, SD, EPS, L, Argument("u", "(N,)", "uniform numbers in (0, 1)")),
             "(N, d): the next x", hmc_step, values(hmc_cases),
             {"every trajectory accepted": Other(hmc_by(lambda log_p, old, new, u: u < np.inf), ENERGY),
              "the momentum left out of H": Other(
                  hmc_by(lambda log_p, old, new, u: np.log(u) < H(log_p, *old, 0.0) - H(log_p, *new, 0.0)), ENERGY),
              "|r|^2 not halved": Other(
                  hmc_by(lambda log_p, old, new, u: np.log(u) < H(log_p, *old, 1.0) - H(log_p, *new, 1.0)), ENERGY),
              "the momentum's sign in H": Other(
                  hmc_by(lambda log_p, old, new, u: np.log(u) < H(log_p, *old, -0.5) - H(log_p, *new, -0.5)), ENERGY),
              "the ratio inverted": Other(
                  hmc_by(lambda log_p, old, new, u: np.log(u) < H(log_p, *new) - H(log_p, *old)), ENERGY),
              "accepted where u is above": Other(
                  hmc_by(lambda log_p, old, new, u: np.log(u) >= H(log_p, *old) - H(log_p, *new)), ENERGY)}),
    Contract("sghmc_step", "a step of SGHMC: x += eps r; r += eps score(x) - eps C r + sqrt(2 C eps) z",
             "yu2020 Sec. 2.2; Chen et al. 2014 Eq. 13",
             (X, R, MEAN, SD, EPS, Argument("friction", "", "C", NUMBER),
              Argument("z", "(N, d)", "standard normal numbers")),
             "two arrays (N, d): the new x and r", sghmc_step, values(friction_cases),
             {"noise sqrt(C eps)": Other(rubbed(lambda eps, C: np.sqrt(C * eps)), "the noise is sqrt(2 C eps) z"),
              "noise sqrt(2 C) eps": Other(rubbed(lambda eps, C: np.sqrt(2 * C) * eps), "the noise is sqrt(2 C eps)"),
              "noise 2 C eps": Other(rubbed(lambda eps, C: 2 * C * eps), "2 C eps is the variance of the noise"),
              "no friction": Other(rubbed(keep=lambda eps, C: 1.0), "multiply r by 1 - eps C"),
              "friction C, not eps C": Other(rubbed(keep=lambda eps, C: 1 - C), "multiply r by 1 - eps C"),
              "friction drives": Other(rubbed(keep=lambda eps, C: 1 + eps * C), "multiply r by 1 - eps C"),
              "no noise": Other(rubbed(lambda eps, C: 0.0), "add sqrt(2 C eps) z"),
              "downhill": Other(rubbed(sign=-1.0), "add the score; the energy's gradient is minus it")},
             {"the momentum first, then x": Other(rubbed(first=True), "its halves in the other order")}),
]
