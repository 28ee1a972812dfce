"""Contracts of samplers on R^d that draw inside: their target stays, and they are reversible (ou2018 Sec. 2.3).

A step takes the states of many independent chains and a seed, and returns their next states.
"""

from refdgm.backend import xp as np
from refdgm.contract import INTEGER, NUMBER, Argument, Case, Contract, Other
from refdgm.draws import keeps
from refdgm.models import gaussian_rbm
from refdgm.numerics import sigmoid
from refdgm.samplers import hmc

X = Argument("x", "(N, d)", "where the N chains are", "states")
MEAN = Argument("mean", "(d,)", "of the normal")
SD = Argument("sd", "(d,)", "its standard deviations")
SEED = Argument("seed", "", "a whole number; the same seed gives the same draws", "seed")


# ---- the normal -------------------------------------------------------------------------

def normal_cases(**numbers):
    def cases(seed):
        yield Case("a normal in 2 dimensions", {"mean": np.random.default_rng(seed).normal(size=2),
                                                "sd": np.array([1.0, 0.6]), **numbers})
    return cases


def normal_draw(rng, n, mean, sd, *_):
    return mean + sd * rng.normal(size=(n, len(mean)))


def normal_cdf(x, mean, sd, *_):
    from scipy.special import ndtr
    return ndtr((x - mean) / sd)


def log_p_of(mean, sd):
    return lambda x: -0.5 * np.sum(((x - mean) / sd)**2, axis=1)


def random_walk(sign=1.0, times=1.0, drift=0.0, spread=lambda x, mean: 1.0):
    """Random-walk Metropolis, and its mistakes: in log p, and in a proposal that is not symmetric."""
    def step(x, mean, sd, scale, rng):
        new = x + scale * (spread(x, mean) * rng.normal(size=x.shape) + drift)
        log_p = log_p_of(mean, sd)
        log_a = sign * times * (log_p(new) - log_p(x))
        return np.where((np.log(rng.uniform(size=len(x))) < log_a)[:, None], new, x)
    return step


def hmc_step(x, mean, sd, eps, L, rng):
    def score(x): return (mean - x) / sd**2
    return hmc.step(log_p_of(mean, sd), score, x, rng.normal(size=x.shape), rng.uniform(size=len(x)), eps, L)


def hmc_by(accept=lambda rise, fall: rise + fall, first=0.5, last=0.5, mass=1.0):
    """HMC by its parts: accept(rise of log p, fall of |r|^2 / 2) is the log-ratio."""
    def step(x, mean, sd, eps, L, rng):
        def score(x): return (mean - x) / sd**2
        log_p, r = log_p_of(mean, sd), np.sqrt(mass) * rng.normal(size=x.shape)
        y, s = x, r + first * eps * score(x)
        for n in range(L):
            y = y + eps * s
            s = s + (eps if n < L - 1 else last * eps) * score(y)
        log_a = accept(log_p(y) - log_p(x), np.sum(r**2 - s**2, axis=1) / 2)
        return np.where((np.log(rng.uniform(size=len(x))) < log_a)[:, None], y, x)
    return step


# ---- an RBM with Gaussian visible units -----------------------------------------------------

def machine_cases(seed):
    rng = np.random.default_rng(seed)
    yield Case("2 visible and 3 hidden units", {"W": rng.normal(size=(2, 3)), "b": rng.normal(size=2),
                                                "c": rng.normal(size=3) / 2, "sigma": np.array([0.6, 1.4])})


def mixture(W, b, c, sigma):
    log_p, mean = gaussian_rbm.mixture({"w": W, "b": b, "c": c, "sigma": sigma})
    return np.exp(log_p) / np.sum(np.exp(log_p)), mean


def mixture_draw(rng, n, W, b, c, sigma):
    p, mean = mixture(W, b, c, sigma)
    return mean[rng.choice(len(p), n, p=p)] + sigma * rng.normal(size=(n, len(b)))


def mixture_cdf(v, W, b, c, sigma):
    from scipy.special import ndtr
    p, mean = mixture(W, b, c, sigma)
    return np.clip(sum(weight * ndtr((v - m) / sigma) for weight, m in zip(p, mean)), 0.0, 1.0)


def gaussian_gibbs(seen=np.square, noise=lambda sigma: sigma, fire=np.less, drawn=True):
    def step(v, W, b, c, sigma, rng):
        p = sigmoid((v / seen(sigma)) @ W + c)
        h = fire(rng.uniform(size=p.shape), p) if drawn else p
        return gaussian_rbm.visible_mean({"w": W, "b": b}, h) + noise(sigma) * rng.normal(size=v.shape)
    return step


CONTRACTS = [
    Contract("random_walk_kernel", "a step of random-walk Metropolis on N(mean, diag(sd^2)), proposal x + scale z",
             "ou2018 Sec. 2.3", (X, MEAN, SD, Argument("scale", "", "of the proposal", NUMBER), SEED),
             "(N, d): the next states", random_walk(), keeps(normal_cases(scale=0.9), normal_draw, normal_cdf),
             {"every proposal accepted": Other(random_walk(times=0.0), "accept with the probability p(new) / p(old)"),
              "the ratio inverted": Other(random_walk(sign=-1.0), "accept by new over old"),
              "|x - mean|^2 not halved": Other(random_walk(times=2.0), "log p = -|x - mean|^2 / (2 sd^2)"),
              "half of log p": Other(random_walk(times=0.5), "log p = -|x - mean|^2 / (2 sd^2)"),
              "a proposal that drifts": Other(random_walk(drift=0.5), "centre it at x, or correct for q(old|new)"),
              "a proposal as wide as x is far out": Other(random_walk(spread=lambda x, mean: 0.3 + np.abs(x - mean)),
                                                          "a constant scale, or correct for q(old|new)")}),
    Contract("hmc_kernel", "a step of HMC on N(mean, diag(sd^2)) with a new momentum of unit mass",
             "kingma2019 App. A.2.3", (X, MEAN, SD, Argument("eps", "", "the step size", NUMBER),
                                       Argument("L", "", "how many leapfrog steps", INTEGER), SEED),
             "(N, d): the next states", hmc_step, keeps(normal_cases(eps=0.8, L=2), normal_draw, normal_cdf),
             {"every trajectory accepted": Other(hmc_by(lambda rise, fall: 0 * rise), "accept by H(old) - H(new)"),
              "the momentum left out of H": Other(hmc_by(lambda rise, fall: rise), "H = |r|^2 / 2 - log p(x)"),
              "log p left out of H": Other(hmc_by(lambda rise, fall: fall), "H = |r|^2 / 2 - log p(x)"),
              "the ratio inverted": Other(hmc_by(lambda rise, fall: -rise - fall), "accept by exp(H(old) - H(new))"),
              "Euler: whole steps of r": Other(hmc_by(first=1.0, last=0.0), "begin and end with half a step of r"),
              "a momentum of another mass": Other(hmc_by(mass=0.25), "r ~ N(0, I), as in H")}),
    Contract("gaussian_rbm_kernel", "a step of block Gibbs sampling of a Gaussian RBM, v -> h -> v'",
             "bachman2015 Sec. 5.4; ou2018 Sec. 4",
             (Argument("v", "(N, D)", "visible units of N chains", "states"), Argument("W", "(D, H)", "couplings"),
              Argument("b", "(D,)", "visible biases"), Argument("c", "(H,)", "hidden biases"),
              Argument("sigma", "(D,)", "standard deviations of the visible units"), SEED),
             "(N, D): the next v", gaussian_gibbs(), keeps(machine_cases, mixture_draw, mixture_cdf),
             {"the mean in place of a draw": Other(gaussian_gibbs(noise=lambda sigma: 0.0), "v' = b + W h + sigma z"),
              "noise of the size 1": Other(gaussian_gibbs(noise=lambda sigma: 1.0), "multiply the noise by sigma"),
              "noise sigma^2": Other(gaussian_gibbs(noise=np.square), "sigma^2 is the variance: multiply by sigma"),
              "v not divided by sigma^2": Other(gaussian_gibbs(seen=np.ones_like), "logits c + (v / sigma^2)'W"),
              "v divided by sigma": Other(gaussian_gibbs(seen=lambda sigma: sigma), "logits c + (v / sigma^2)'W"),
              "on where u is above": Other(gaussian_gibbs(fire=np.greater), "on where u is below its probability"),
              "v' made from the hidden probabilities": Other(gaussian_gibbs(drawn=False), "draw h first")}),
]
