r"""Which Gaussian each f-divergence selects for a mixture of two (yu2020 Sec. 6.1, Fig. 1).

    target    p = 0.33 N(-1, 0.25^2) + 0.67 N(2, 2)           0.0625 and 2 are variances; the numbers are the code's
    model     q = exp(-E) / Z,   E = (x - mu)^2 / (2 sigma^2),   Z = sqrt(2 pi sigma^2)              (Eq. 20)

    KL 1.0100, 1.8304 (the target's moments)    Jensen-Shannon 1.3125, 1.7525    reverse KL 1.5841, 1.6294

The heavier f weighs p/q > 1, the wider the optimum: it covers both modes. All agree when the target is a Gaussian.
For other mixtures the order may be another: where the light mode is a wide shoulder of the heavy one, squared Hellinger
is wider than Jensen-Shannon.
The model is that of models/gaussian_fit.py; the oracle minimises the quadrature of D_f by BFGS and autograd.

The standard deviations that KL and reverse KL select for the mixture of Sec. 6.1; KL covers both modes.

>>> from refdgm.adversarial.mixture_experiment import F_DIVERGENCES, gaussian_fit, optima
>>> family = {name: F_DIVERGENCES[name] for name in ("kl", "reverse kl")}
>>> [round(float(sigma), 2) for sigma in optima(gaussian_fit.PRINTED, family)[:, 1]]
[1.83, 1.63]
"""
from autograd import value_and_grad

from refdgm.backend import here
from refdgm.backend import xp as np
from refdgm.checking import Claim, equals, is_ordered, provided
from refdgm.f_divergences import F_DIVERGENCES, alpha_divergence
from refdgm.models import gaussian_fit
from refdgm.models.gaussian_fit import (WEIGHTS, X, energy, is_near_printed, log_partition, log_target, moments,
                                        near_printed)

NAMES = ("kl", "reverse kl", "jensen-shannon", "squared hellinger")         # those of the paper's figures
WIDENING = {"neyman": F_DIVERGENCES["neyman"], "alpha -0.5": alpha_divergence(-0.5),
            "reverse kl": F_DIVERGENCES["reverse kl"], "jeffrey": F_DIVERGENCES["jeffrey"],
            "squared hellinger": F_DIVERGENCES["squared hellinger"], "jensen-shannon": F_DIVERGENCES["jensen-shannon"],
            "alpha 0.9": alpha_divergence(0.9), "kl": F_DIVERGENCES["kl"], "pearson": F_DIVERGENCES["pearson"]}


def optima(target, family):
    """(mu*, sigma*) for each f of a dict (yu2020 Sec. 6.1, Table 5).  -> (len(family), 2)"""
    fits = np.array([gaussian_fit.optimum(target, f) for f in family.values()])
    return np.stack([fits[:, 0], np.exp(fits[:, 1])], axis=-1)


def optimal(target):
    """The optima of the four divergences of Fig. 1.  -> (4, 2)"""
    return optima(target, {name: F_DIVERGENCES[name] for name in NAMES})


def opposite(f):
    """u f(1/u), which gives D_f(q||p); only f and its two derivatives are changed."""
    return f._replace(f=lambda u: u * f.f(1 / u), derivative=lambda u: f.f(1 / u) - f.derivative(1 / u) / u,
                      second=lambda u: f.second(1 / u) / u**3)


# ---- oracles --------------------------------------------------------------------------

def searched(target, name):
    """The minimum by BFGS with autograd's gradient, from another start; then the gradient's zero there.  -> (2,)

    BFGS compares values, and those of D_f are flat, to rounding, within 1e-8 of the minimum.
    """
    from scipy.optimize import minimize, root
    log_p, f = log_target(target), F_DIVERGENCES[name]
    objective = value_and_grad(lambda gaussian: gaussian_fit.divergence(gaussian, log_p, f))
    near = minimize(objective, np.array([1.3, 0.55]), jac=True, method="BFGS", options={"gtol": 1e-6}).x
    end = root(lambda gaussian: objective(gaussian)[1], near, tol=1e-13).x
    return np.array([end[0], np.exp(end[1])])


def moments_by_quadrature(target):
    p = WEIGHTS * np.exp(log_target(target))
    mean = np.sum(p * X)
    return np.array([np.sum(p), mean, np.sqrt(np.sum(p * (X - mean)**2))])


# ---- claims ---------------------------------------------------------------------------

def gaussian_case(seed):
    rng = np.random.default_rng([seed, 62])
    return {"mu": rng.normal(), "sigma": np.exp(rng.uniform(-0.6, 0.6))}


def normalised(log_Z=log_partition, factor=1.0):
    """log Z, and mass, mean and standard deviation of exp(-factor E) / Z."""
    def measured(mu, sigma):
        gaussian = np.append(mu, np.log(sigma))
        x, weights = here((X, WEIGHTS))
        q = weights * np.exp(-factor * energy(gaussian) - log_Z(gaussian))
        mean = np.sum(q * x)
        return np.array([log_Z(gaussian), np.sum(q), mean, np.sqrt(np.sum(q * (x - mean)**2))])
    return measured


def gaussian_by_hand(mu, sigma):
    """The same by a Riemann sum over the energy as it is printed."""
    x = np.linspace(mu - 12 * sigma, mu + 12 * sigma, 601)
    return np.array([np.log(np.sum(np.exp(-(x - mu)**2 / (2 * sigma**2))) * (x[1] - x[0])), 1.0, mu, sigma])


def target_case(seed):
    return {"target": near_printed(seed)}


def named_case(seed):
    return {"target": near_printed(seed), "name": NAMES[seed % len(NAMES)]}


def optimal_for(change=lambda f: f):
    """(mu*, sigma*) for one f, or for a changed one."""
    return lambda target, name: optima(target, {name: change(F_DIVERGENCES[name])})[0]


def realisable(seed):
    """Both components of the target are the same Gaussian."""
    rng = np.random.default_rng([seed, 63])
    return {"target": {"w": np.array([0.33, 0.67]), "mean": np.full(2, rng.uniform(-1, 2)),
                       "std": np.full(2, np.exp(rng.uniform(-0.2, 0.5)))}}


def wide_shoulder(seed):
    """A mixture whose light mode is wide, and not far from the other."""
    rng = np.random.default_rng([seed, 64])
    w = rng.uniform(0.78, 0.82)
    return {"target": {"w": np.array([w, 1 - w]), "mean": np.array([-0.2, 2.0]) + rng.uniform(-0.05, 0.05, size=2),
                       "std": np.array([0.9, 1.3]) * np.exp(rng.uniform(-0.05, 0.05, size=2))}}


def widths(family):
    """sigma* for each f, which should increase."""
    return lambda target: optima(target, family)[:, 1]


CLAIMS = [
    Claim("yu2020.eq20", normalised(), equals(gaussian_by_hand, gaussian_case, method="quadrature"),
          {"Z = sqrt(2 pi) sigma^2": normalised(lambda g: log_partition(g) + g[1]),
           "Z = 2 pi sigma^2": normalised(lambda g: 2 * log_partition(g)),
           "E without its 1/2": normalised(factor=2.0),
           "1/Z for Z": normalised(lambda g: -log_partition(g))}),
    Claim("yu2020.sec6.1.mixture", lambda target: np.append(1.0, moments(target)),
          equals(moments_by_quadrature, target_case, method="quadrature"),
          {"standard deviations 0.0625 and 2": lambda target: np.array([1.0, *moments(
              {**target, "std": target["std"]**2})]),
           "the weights exchanged": lambda target: np.array([1.0, *moments({**target, "w": target["w"][::-1]})]),
           "the spread of the means forgotten": lambda target: np.array([1.0, moments(target)[0], np.sqrt(
               target["w"] @ target["std"]**2)])}),
    Claim("yu2020.sec6.1.optimum", optimal_for(), equals(searched, named_case, method="optimisation"),
          {"the target's moments for every f": lambda target, name: moments(target),
           "D_f(q||p)": optimal_for(opposite),
           "sigma^2 for sigma": lambda target, name: optimal_for()(target, name)**[1, 2],
           "the optimum of Jensen-Shannon for every f": lambda target, name: optimal_for()(target, "jensen-shannon")}),
    Claim("yu2020.sec6.1.valid", optimal,
          equals(lambda target: np.tile(moments(target), (4, 1)), realisable, method="optimisation"),
          {"sigma^2 for sigma": lambda target: optimal(target)**[1, 2],
           "the narrower component only": lambda target: np.tile([target["mean"][0], target["std"][0] / 2], (4, 1)),
           "the energy without Z": lambda target: optimal(target) + [0, 1]},
          without=equals(lambda target: np.tile(moments(target), (4, 1)), target_case)),
    Claim("yu2020.fig1", widths(WIDENING), provided(is_near_printed, is_ordered(target_case, method="optimisation")),
          {"the other direction: D_f(q||p)": widths({name: opposite(f) for name, f in WIDENING.items()}),
           "KL seeks modes": widths(dict(reversed(WIDENING.items()))),
           "every f selects the target's moments": widths({name: F_DIVERGENCES["kl"] for name in WIDENING})},
          without=is_ordered(wide_shoulder, method="optimisation")),
]
