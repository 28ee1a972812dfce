r"""The bias of unadjusted Langevin dynamics against its step eps (yu2020 Eq. 5), and of MALA, which has none.

    Gaussian    on N(0, 1) the stationary variance is 1 / (1 - eps/4); beside the formula, what the chains have
    mixture     on yu2020 Sec. 6.1's target the distance of the stationary law from p, total variation, by quadrature:
                K(x'|x) = N(x'; x + (eps/2) dlog p(x), eps) on a grid, its stationary law the fixed vector

The points are means over chains of a run's mean of x^2 - 1, with their standard errors.
"""
import numpy as np

from refdgm.drawing import curve, decades, plain, points, reference
from refdgm.models import gaussian_fit
from refdgm.models.targets import Gaussian, gaussian_mixture, log_p_and_score
from refdgm.numerics import trapezoid
from refdgm.samplers import langevin, mala, ula

NAME, TITLE = "ula_bias", "the bias of Langevin dynamics against its step"
PRINTED = gaussian_fit.PRINTED
MIXTURE = gaussian_mixture(PRINTED["w"], PRINTED["mean"][:, None], PRINTED["std"]**2)


def make(quick=False, seed=0):
    """A row for each step and panel."""
    epsilons, steps = ((0.5, 2.0), (0.5, 1.0)) if quick else ((0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 3.0),
                                                              (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0))
    chains, length, grid = (200, 100, trapezoid(-8.0, 12.0, 201)) if quick else (4000, 200, trapezoid(-8.0, 12.0, 801))
    return plain([of_gaussian(eps, chains, int(length / eps), seed) for eps in epsilons]
                 + [{"panel": "mixture", "eps": eps, "total_variation": of_mixture(eps, *grid)} for eps in steps])


def of_gaussian(eps, chains, steps, seed):
    """Bias of the variance on N(0, 1): exact, to first order, and of chains that began there, with their errors."""
    target, x = Gaussian(np.zeros(1), np.eye(1)), np.zeros((chains, 1))
    exact = float(langevin.stationary_covariance(np.eye(1), eps)[0, 0]) - 1
    row = {"panel": "gaussian", "eps": eps, "exact": exact, "first_order": eps / 4}
    burn_in = int(np.ceil(30 / min(eps, 4 - eps)))
    for name, sampler in (("ula", ula), ("mala", mala)):
        run = sampler.run(target, sampler.init(target, x, seed), eps, steps, burn_in=burn_in, threads=1,
                          average=lambda state: state.x[:, 0]**2)
        row |= {name: run.average.mean() - 1, f"{name}_error": run.average.std(ddof=1) / np.sqrt(chains)}
    return row


def of_mixture(eps, x, weight):
    """Total variation between the stationary law of a step eps and yu2020 Sec. 6.1's target.  -> ()"""
    log_p, score = log_p_and_score(MIXTURE, x[:, None])
    p = weight * np.exp(log_p)
    after = langevin.step(x, lambda x: -score[:, 0], eps, 0.0)
    K = weight * np.exp(-(x - after[:, None])**2 / (2 * eps))
    K /= K.sum(axis=1, keepdims=True)                       # row x: the law of the next state
    return 0.5 * np.abs(stationary(K, p) - p).sum()


def stationary(K, law):
    """The law with law K = law, by squaring K: 2^20 steps."""
    for _ in range(20):
        K = K @ K
        K /= K.sum(axis=1, keepdims=True)
    return law @ K


def draw(figure, rows):
    """The Gaussian on the left, the mixture on the right."""
    left, right = figure.subplots(1, 2)
    gaussian = [row for row in rows if row["panel"] == "gaussian"]
    curve(left, gaussian, "eps", "exact", r"$1/(1-\epsilon/4) - 1$", marker="")
    reference(left, gaussian, "eps", "first_order", r"$\epsilon/4$")
    points(left, gaussian, "eps", "ula", "ula_error", "unadjusted")
    points(left, gaussian, "eps", "mala", "mala_error", "MALA", 1)
    left.set(xlabel=r"step $\epsilon$", ylabel="variance minus 1", title="on N(0, 1)", ylim=(-2.0, 10.0))
    left.set_yscale("symlog", linthresh=0.01)
    mixture = [row for row in rows if row["panel"] == "mixture"]
    first = mixture[0]
    for row in mixture:
        row["line"] = first["total_variation"] * row["eps"] / first["eps"]
    curve(right, mixture, "eps", "total_variation", "stationary law and target")
    reference(right, mixture, "eps", "line", r"$\propto \epsilon$")
    right.set(xlabel=r"step $\epsilon$", ylabel="total variation", title="on 0.33 N(−1, 1/16) + 0.67 N(2, 2)")
    decades(left, right, x=True)
    decades(right, y=True)
    left.legend(loc="lower left"), right.legend(loc="upper left")
