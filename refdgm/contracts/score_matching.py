r"""Contracts of score matching, plain and denoising (Hyvarinen 2005; Vincent 2011).

    plain        E[sum_i ds_i/dx_i + s_i^2 / 2],   s(x) = dlog p(x)/dx
    denoising    E[|s(x~) - (x - x~) / sigma^2|^2 / 2],   x~ = x + n,   n = sigma z;     for an energy dE/dx = -s
"""
import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.contract import Argument, Case, Contract, Other
from refdgm.values import values

REAL = (Argument("x", "(B, D)", "the data"), Argument("noisy", "(B, D)", "x~, the data with noise of variance sigma^2"))
SIGMA = Argument("sigma", "", "the standard deviation of the noise", "number")
SQUARES = "sum the squares of the components, not the components"


def score_cases(seed):
    rng = onp.random.default_rng(seed)
    for B, D in ((1, 2), (3, 2), (2, 5)):
        yield Case(f"B = {B}, D = {D}", {"score": 2 * rng.normal(size=(B, D)), "slope": rng.normal(size=(B, D)) - 1})
    yield Case("scores near 1e3", {"score": 1e3 * rng.normal(size=(2, 3)), "slope": rng.normal(size=(2, 3))}, hard=True)


def score_matching(score, slope, square=lambda s: np.sum(s**2, axis=-1), half=0.5, sign=1.0):
    return np.mean(sign * np.sum(slope, axis=-1) + half * square(score))


def matching_with(**changed):
    return lambda *a: score_matching(*a, **changed)


def noise_cases(given):
    """Data, noisy data, and what a network gives there, which is about right."""
    def cases(seed):
        rng = onp.random.default_rng(seed)
        for B, D, sigma in ((1, 2, 0.5), (3, 2, 2.0), (2, 5, 0.7), (2, 3, 0.01)):
            x, z = rng.normal(size=(B, D)), rng.normal(size=(B, D))
            score = (rng.normal(size=(B, D)) - z) / sigma
            yield Case(f"B = {B}, D = {D}, sigma = {sigma:g}", {
                "x": x, "noisy": x + sigma * z, given: score if given == "score" else -score, "sigma": sigma},
                hard=sigma < 0.1)
    return cases


def denoising_with(of_energy, target=lambda n, sigma: -n / sigma**2, square=lambda e: np.sum(e**2, axis=-1),
                   reduce=np.mean, half=0.5, power=0):
    """reduce half sigma^power |s - target|^2 over the rows, s the score, or minus the energy's gradient."""
    def loss(x, noisy, given, sigma):
        error = (-given if of_energy else given) - target(noisy - x, sigma)
        return reduce(half * sigma**power * square(error))
    return loss


def scaled(of_energy, target=lambda n, sigma: -n / sigma**2):
    """The loss times factors that do not hang on the network, in the forms that are in use.  -> {name: loss}"""
    ways = {"": {}, "averaged over everything": {"square": lambda e: e**2},
            "summed over everything": {"reduce": np.sum}}
    found = {}
    for way, how in ways.items():
        for half, power in ((0.5, 0), (1.0, 0), (0.5, 2), (1.0, 2)):
            words = ["z parametrisation: times sigma^2"] * (power > 0) + ["no 1/2"] * (half > 0.5) + [way] * (way != "")
            found[", ".join(words)] = denoising_with(of_energy, target, half=half, power=power, **how)
    return found


def conventions(of_energy):
    return {name: Other(loss, "the same optimum for one sigma; the step size, and the weight of each sigma, must know")
            for name, loss in scaled(of_energy).items() if name}


def wrong_targets(of_energy):
    right = f"{'dE/dx' if of_energy else 'the score'} at x~ is to be {'+' if of_energy else '-'}n / sigma^2, n = x~ - x"
    wrong = f"matched to {'-' if of_energy else '+'}n / sigma^2"
    other = {"n / sigma": lambda n, sigma: -n / sigma, "n itself": lambda n, sigma: -n,
             "n / sigma^3": lambda n, sigma: -n / sigma**3,
             "nothing: the target is zero": lambda n, sigma: 0 * n}
    return {**{", ".join(filter(None, (wrong, name))): Other(loss, right)
               for name, loss in scaled(of_energy, lambda n, sigma: n / sigma**2).items()},
            **{f"matched to {name}": Other(denoising_with(of_energy, target), right) for name, target in other.items()},
            "the square of the sum": Other(denoising_with(of_energy, square=lambda e: np.sum(e, axis=-1)**2), SQUARES),
            "the norm, not its square": Other(
                denoising_with(of_energy, square=lambda e: np.sqrt(np.sum(e**2, axis=-1))),
                "square it: the mean of a norm has another optimum")}


CONTRACTS = [
    Contract("score_matching_loss", "the mean over the batch of sum_i ds_i/dx_i + s_i^2 / 2, s the score of the model",
             "Hyvarinen 2005 Eq. 4", (Argument("score", "(B, D)", "s(x) = dlog p(x)/dx"),
                                      Argument("slope", "(B, D)", "ds_i/dx_i, the diagonal of the Jacobian")),
             "(): a number whose gradient trains", score_matching, values(score_cases, gradients=("score", "slope")),
             {"the divergence subtracted, as of an energy's gradient": Other(matching_with(sign=-1.0),
                                                                             "s = -dE/dx: add ds_i/dx_i"),
              "no 1/2": Other(matching_with(half=1.0), "half of the squares: the two terms must balance"),
              "the square of the sum": Other(matching_with(square=lambda s: np.sum(s, axis=-1)**2), SQUARES),
              "no divergence": Other(matching_with(sign=0.0), "without it the optimum is s = 0"),
              "the squares averaged over the components": Other(
                  matching_with(square=lambda s: np.mean(s**2, axis=-1)), "sum both over the components")},
             {"twice: s^2 + 2 ds/dx": Other(lambda *a: 2 * score_matching(*a), "the same optimum"),
              "averaged over everything": Other(lambda s, d: score_matching(s, d) / s.shape[-1], "the same optimum"),
              "summed over the batch": Other(lambda s, d: len(s) * score_matching(s, d), "the same optimum")}),
    Contract("denoising_score_matching_loss", "the mean over the batch of |s(x~) - (x - x~) / sigma^2|^2 / 2",
             "Vincent 2011 Eq. 11", (*REAL, Argument("score", "(B, D)", "the model's score at x~"), SIGMA),
             "(): a number whose gradient trains", denoising_with(False),
             values(noise_cases("score"), gradients=("score",)), wrong_targets(False), conventions(False)),
    Contract("denoising_energy_matching_loss", "the mean over the batch of |dE/dx(x~) - (x~ - x) / sigma^2|^2 / 2",
             "Vincent 2011 Eq. 11", (*REAL, Argument("grad_energy", "(B, D)", "dE/dx at x~"), SIGMA),
             "(): a number whose gradient trains", denoising_with(True),
             values(noise_cases("grad_energy"), gradients=("grad_energy",)), wrong_targets(True), conventions(True)),
]
