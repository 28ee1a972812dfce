r"""The encoder's gradient of KL(q || p) under an aggregate prior, samples reparametrised (bachman2015 Eqs. 9, 15-20).

With y for (z_0..z_n), the samples y and zbar are functions of noise and of the encoder's parameters phi. The mean of a
gradient in phi can then be read in two ways, and the supplement uses both in one formula:

    pathwise[f] = E_noise[d f(phi, y(phi), zbar(phi)) / d phi]    the samples move, as Eq. 9 presumes
    held[f]     = E_q[partial f(phi, y, zbar) / partial phi]      they do not, as in the sums over states of Eq. 17

    Eq. 9, first line     grad KL = pathwise[log q(y|x) + log q(zbar|x,y) - log p(x,y|zbar) - log q(zbar)]
    Eq. 9, second line    grad KL = pathwise[log q(y|x) - log p(x,y|zbar)] + grad I_q(zbar; (x,y)), the last not printed

since pathwise[log q(zbar|x,y)] = -grad H(zbar|x,y) and pathwise[log q(zbar)] = -grad H(zbar): the densities over zbar
do not disappear, they add up to the gradient of what zbar tells of (x, y). Each one's held mean is zero, and that is
how the supplement loses them: the terms of Eq. 18 are pathwise, those of Eq. 19 held.

The functions below take a density f(theta, phi, points, D, y, zbar) of `refdgm.models.gaussian_encoder`; the oracle
integrates over a grid of (y, zbar), which does not move.
Shapes: points and D are (n,), y and zbar (n, ...). For discrete codes see `encoder_score`.

The slope in c of KL(q || p), and what Eq. 9's second line makes of it:

    >>> from refdgm.autoencoders.encoder_gradient import corrected, random_case, second_line
    >>> [round(float(gradient(**random_case(0))["c"]), 3) for gradient in (corrected, second_line)]
    [0.305, -0.062]
"""
import autograd.numpy as np
from autograd import elementwise_grad, grad
from autograd.tracer import getval

from refdgm.checking import Claim, equals, is_gradient_of, vanishes
from refdgm.models.gaussian_encoder import (aggregate_entropy, along, joint_on_grid, log_aggregate, log_p, log_q_y,
                                            log_q_zbar, noise, random_case, sample, score_q_zbar)
from refdgm.numerics import LOG_2PI, log_sum_exp

LOG_DENSITY = {"q(y|x)": lambda theta, phi, points, D, y, zbar: log_q_y(phi, points, y),
               "q(zbar|x,y)": lambda theta, phi, points, D, y, zbar: log_q_zbar(phi, points, y, zbar),
               "q(zbar)": lambda theta, phi, points, D, y, zbar: log_aggregate(phi, points, D, zbar),
               "p(x,y|zbar)": lambda theta, phi, points, D, y, zbar: log_p(theta, y, zbar)}


def log(signed):
    """A sum of log-densities: log("+q(y|x) -q(zbar)") is log q(y|x) - log q(zbar), a function (theta, ..., zbar)."""
    parts = [(1.0 if name[0] == "+" else -1.0, LOG_DENSITY[name[1:]]) for name in signed.split()]
    return lambda *args: sum(sign * density(*args) for sign, density in parts)


def pathwise(f, draw=sample):
    """E_noise[d f / d phi], y and zbar moving with phi (bachman2015 Eq. 9, footnote 2).  -> g(theta, phi, points, D)"""
    def gradient(theta, phi, points, D):
        eps, eta, w = noise()
        def average(phi):
            y, zbar = draw(phi, points, eps, eta)
            return np.sum(along(D, zbar) * w * f(theta, phi, points, D, y, zbar))
        return grad(average)(phi)
    return gradient


def held(f):
    """E_q[partial f / partial phi], y and zbar fixed (bachman2015 Eqs. 17, 19).  -> g(theta, phi, points, D)"""
    def gradient(theta, phi, points, D):
        eps, eta, w = noise()
        y, zbar = sample(phi, points, eps, eta)
        return grad(lambda phi: np.sum(along(D, zbar) * w * f(theta, phi, points, D, y, zbar)))(phi)
    return gradient


first_line = pathwise(log("+q(y|x) +q(zbar|x,y) -p(x,y|zbar) -q(zbar)"))        # bachman2015 Eq. 9
second_line = pathwise(log("+q(y|x) -p(x,y|zbar)"))                             # as printed; Eq. 20 is the same


def information(theta, phi, points, D):
    """I_q(zbar; (x, y)) = H(zbar) - H(zbar|x, y), whose gradient Eq. 9 lacks (bachman2015 Eq. 9).  -> ()"""
    return aggregate_entropy(phi, points, D) - (0.5 + 0.5 * LOG_2PI + phi["log_t"])


def corrected(theta, phi, points, D):
    """Eq. 9's second line with the term that it lacks.  -> dict"""
    return add(second_line(theta, phi, points, D), grad(information, 1)(theta, phi, points, D))


def decoder_term(theta, phi, points, D, through=("y", "zbar")):
    """-E[dlog p(x, y|zbar)/dphi] through y and zbar, as dx/dphi = 0 (bachman2015 after Eq. 20).  -> dict"""
    eps, eta, w = noise()
    y, zbar = sample(phi, points, eps, eta)
    x, y = along(points, zbar), y + 0 * zbar
    dy = {"a": x, "b": 1.0, "log_s": np.exp(phi["log_s"]) * eps, "c": 0.0, "d": 0.0, "log_t": 0.0}
    own = {"a": 0.0, "b": 0.0, "log_s": 0.0, "c": y, "d": x, "log_t": np.exp(phi["log_t"]) * eta}
    by_y, by_zbar = [elementwise_grad(log_p, i)(theta, y, zbar) if name in through else 0.0
                     for i, name in ((1, "y"), (2, "zbar"))]
    return {name: -np.sum(along(D, zbar) * w * (by_y * dy[name] + by_zbar * (phi["c"] * dy[name] + own[name])))
            for name in phi}


# ---- the oracle: a fixed grid ---------------------------------------------------------

def divergence(theta, phi, points, D):
    """KL(q || p) less the constant E_D log D, with q(zbar) summed over the grid (bachman2015 Eq. 15).  -> ()"""
    log_q, y, zbar, w = joint_on_grid(phi, points, D)
    log_q_of_zbar = log_sum_exp(np.reshape(log_q + np.log(y[0, 1, 0] - y[0, 0, 0]), (-1, zbar.size)), axis=0)
    return np.sum(w * np.exp(log_q) * (log_q - along(np.log(D), zbar) - log_q_of_zbar - log_p(theta, y, zbar)))


def mean_on_grid(f):
    """E_q[f] on the grid.  -> m(theta, phi, points, D)"""
    def mean(theta, phi, points, D):
        log_q, y, zbar, w = joint_on_grid(phi, points, D)
        return np.sum(w * np.exp(log_q) * f(theta, phi, points, D, y, zbar))
    return mean


def posterior_mean_score(theta, phi, points, D, independent=False):
    """E_{q(zbar)} E_{q(x,y|zbar)}[grad log q(zbar|x,y)], by hand and held (bachman2015 Eq. 19).  -> dict"""
    log_q, y, zbar, w = joint_on_grid(phi, points, D)
    q = w * np.exp(log_q)
    q_zbar = np.sum(q, axis=(0, 1))
    posterior = np.sum(q, axis=2, keepdims=True) + 0 * q if independent else q / q_zbar
    score = score_q_zbar(phi, points, y, zbar)
    return {name: np.sum(q_zbar * np.sum(posterior * score.get(name, 0.0), axis=(0, 1))) for name in phi}


# ---- claims ---------------------------------------------------------------------------

def add(a, b, sign=1):
    return {name: a[name] + sign * b[name] for name in a}


def brackets(theta, phi, points, D, reading, of=LOG_DENSITY["q(zbar|x,y)"], **law):
    """The score of q(zbar|x, y) in Eq. 18, in a `reading` of its gradient, minus that in Eq. 19."""
    return add(reading(of)(theta, phi, points, D), posterior_mean_score(theta, phi, points, D, **law), -1)


def density(signed):
    """The densities themselves, where their logs belong."""
    return lambda *args: np.exp(log(signed)(*args))


def smooth(theta, phi, points, D, y, zbar):
    """Any smooth function of the samples that has parameters of its own."""
    return np.sin(1.5 * y + phi["a"]) * zbar + phi["c"] * np.exp(phi["log_t"]) * zbar**2 + np.cos(zbar - y)


def smooth_of_samples(theta, phi, *rest):
    return smooth(theta, {name: getval(value) for name, value in phi.items()}, *rest)


def log_scale_for_scale(phi, points, eps, eta):
    """y = a x + b + log(s) eps, with log(s) < 0 here."""
    return sample({**phi, "log_s": np.log(-phi["log_s"])}, points, eps, eta)


def with_reading(reading):
    return lambda seed: {**random_case(seed), "reading": reading}


def entropy_gradient(theta, phi, points, D):
    """Of log q(y|x) + log q(zbar|x, y): minus the entropies 1/2 log(2 pi e s^2) + 1/2 log(2 pi e t^2)."""
    return {name: -1.0 if name in ("log_s", "log_t") else 0.0 for name in phi}


def nothing(theta, phi, points, D):
    return {name: 0.0 for name in phi}


def plus_gradient_of(entropy, sign=1):
    """Eq. 9's second line plus the gradient of something else than I(zbar; (x, y))."""
    return lambda theta, phi, points, D: add(second_line(theta, phi, points, D),
                                             grad(lambda phi: entropy(phi, points, D))(phi), sign)


def information_on_x(phi, points, D):
    variance = phi["c"]**2 * np.exp(2 * phi["log_s"]) + np.exp(2 * phi["log_t"])
    return aggregate_entropy(phi, points, D) - 0.5 * np.log(variance)


def is_gradient_in_phi_of(objective):
    return is_gradient_of(objective, "phi", random_case, method="quadrature")


def score_scale(noise_level):
    """The size of a score, 1 / its noise level."""
    return lambda theta, phi, **_: np.exp(-phi[noise_level])


CLAIMS = [
    Claim("bachman2015.eq9_line1", first_line, is_gradient_in_phi_of(divergence),
          {"samples held": held(log("+q(y|x) +q(zbar|x,y) -p(x,y|zbar) -q(zbar)")),
           "log q(zbar) at a fixed zbar, as in Eq. 17": pathwise(log("+q(y|x) +q(zbar|x,y) -p(x,y|zbar)")),
           "plus log q(zbar)": pathwise(log("+q(y|x) +q(zbar|x,y) -p(x,y|zbar) +q(zbar)"))}),
    Claim("bachman2015.eq9", corrected, is_gradient_in_phi_of(divergence),
          {"the information subtracted": plus_gradient_of(lambda *args: information(None, *args), -1),
           "the entropy of zbar only": plus_gradient_of(aggregate_entropy),
           "the information on x only": plus_gradient_of(information_on_x)},
          printed=second_line),
    Claim("bachman2015.sec2_disappear", pathwise(log("+q(zbar|x,y) -q(zbar)")),
          is_gradient_in_phi_of(information),
          {"samples held": held(log("+q(zbar|x,y) -q(zbar)")),
           "log q(zbar) differentiated at a fixed zbar": pathwise(log("+q(zbar|x,y)")),
           "log q(zbar|x,y) taken for constant: the entropy of zbar": pathwise(log("-q(zbar)"))},
          printed=nothing),
    Claim("bachman2015.fn2", pathwise(smooth), is_gradient_in_phi_of(mean_on_grid(smooth)),
          {"samples held": held(smooth),
           "the function's own parameters forgotten": pathwise(smooth_of_samples),
           "log s in place of s": pathwise(smooth, log_scale_for_scale)}),
    Claim("bachman2015.sec2_noise", pathwise(log("+q(y|x) +q(zbar|x,y)")),
          equals(entropy_gradient, random_case, method="quadrature"),
          {"samples held": held(log("+q(y|x) +q(zbar|x,y)")),
           "the entropy of the aggregate, too": pathwise(log("+q(y|x) +q(zbar)"))}),
    Claim("bachman2015.eq18", pathwise(log("+q(y|x) +q(zbar|x,y) -p(x,y|zbar)")),
          is_gradient_in_phi_of(mean_on_grid(log("+q(y|x) +q(zbar|x,y) -p(x,y|zbar)"))),
          {"q(zbar) in place of q(zbar|x,y)": pathwise(log("+q(y|x) +q(zbar) -p(x,y|zbar)")),
           "samples held": held(log("+q(y|x) +q(zbar|x,y) -p(x,y|zbar)"))},
          printed=pathwise(lambda *args: log("+q(y|x) -p(x,y|zbar)")(*args) + density("+q(zbar|x,y)")(*args))),
    Claim("bachman2015.eq18_19_cancel", brackets,
          vanishes(score_scale("log_t"), with_reading(held), method="quadrature"),
          {"q(zbar|x,y), not its log, in Eq. 18": lambda **case: brackets(**case, of=density("+q(zbar|x,y)")),
           "(x, y) drawn apart from zbar": lambda **case: brackets(**case, independent=True)},
          without=vanishes(score_scale("log_t"), with_reading(pathwise), method="quadrature")),
    Claim("bachman2015.eq19_selfcancel", held(log("+q(y|x)")),
          vanishes(score_scale("log_s"), random_case, method="quadrature"),
          {"samples move: minus the entropy's gradient": pathwise(log("+q(y|x)")),
           "q(x, y), not its log": held(density("+q(y|x)"))}),
    Claim("bachman2015.eq20_dx", decoder_term, is_gradient_in_phi_of(mean_on_grid(log("-p(x,y|zbar)"))),
          {"through y only": lambda **case: decoder_term(**case, through=("y",)),
           "through zbar only": lambda **case: decoder_term(**case, through=("zbar",)),
           "log p has no encoder parameters: zero": nothing}),
]
