r"""The score of an energy-based model, and when it may be found under the integral (yu2020 Lemma 2, Eq. 7).

    Eq. 7    dlog q_theta(x)/dtheta = -dE/dtheta + E_q[dE/dtheta],   for  dlog Z/dtheta = (1/Z) int dexp(-E)/dtheta dx

Lemma 2 asks for exp(-E) and its derivative in theta to be continuous. On finitely many states that is enough. On the
half-line it is not, as mass can slip away to infinity while theta moves: with 1 < a < 1.5 and c > 0

    exp(-E_t(x)) = (1 + x)^-a + c t^3 exp(-t^2 x),   x > 0,     has  Z(t) = 1/(a - 1) + c t

Both functions are continuous in t and x, and positive near t = 0. Where t is not 0 an integrable function dominates
the derivative, and Eq. 7 holds. At t = 0 the derivative is zero for every x, but that of Z is c.

Shapes: theta (d,), s (S, d) as in refdgm.models.energy; t a number, x (n,) points of the half-line.

At t = 0 no energy changes, but Z does, at the rate c = 1: mass comes in from infinity.

>>> from refdgm.undirected.energy_score import half_line, weight
>>> x, w = half_line()
>>> round(float(w @ (weight(0.01, x, 1.2, 1.0) - weight(0.0, x, 1.2, 1.0))) / 0.01, 3)
1.0
"""
import autograd.numpy as np
from autograd import jacobian

from refdgm.backend import xp as onp
from refdgm.checking import GRADIENT, Claim, equals
from refdgm.models.energy import energy, grad_energy, log_law, model_case
from refdgm.numerics import log_softmax, trapezoid


def weight(t, x, a, c):
    """exp(-E_t(x)) on the half-line.  (n,) -> (n,)"""
    return (1 + x)**-a + c * t**3 * np.exp(-t**2 * x)


def grad_half_line(t, x, a, c):
    """dE_t(x)/dt, by hand.  (n,) -> (n,)"""
    return -c * (3 * t**2 - 2 * t**4 * x) * np.exp(-t**2 * x) / weight(t, x, a, c)


def score(dE, mean):
    """dlog q(x)/dtheta = -dE/dtheta + E_q[dE/dtheta] (yu2020 Eq. 7).  (..., d), (d,) -> (..., d)"""
    return -dE + mean


def half_line():
    """Nodes x = e^u and weights that integrate over x > 0, also what falls as slowly as x^-1.2."""
    u, w = trapezoid(-40.0, 160.0, 1201)
    return np.exp(u), w * np.exp(u)


# ---- claims ---------------------------------------------------------------------------

def two_models(seed):
    """A model on six states, and one on the half-line with t away from zero."""
    rng = onp.random.default_rng([seed, 44])
    return {**model_case(seed), "t": rng.uniform(0.4, 0.8), "x": rng.gamma(2.0, size=4), "a": rng.uniform(1.2, 1.45),
            "c": rng.uniform(0.5, 1.5)}


def slipping_mass(seed):
    """As two_models, at t = 0."""
    return {**two_models(seed), "t": 0.0}


def both(combine=score, mean=lambda q, dE: q @ dE):
    """Eq. 7 in both models, from their energies' gradients and the mean of these under q."""
    def scores(theta, s, t, x, a, c):
        states, (nodes, w) = grad_energy(theta, s), half_line()
        q = np.exp(log_softmax(-energy(theta, s)))
        density = w * weight(t, nodes, a, c)
        return {"states": combine(states, mean(q, states)),
                "half-line": combine(grad_half_line(t, x, a, c),
                                     mean(density / np.sum(density), grad_half_line(t, nodes, a, c)))}
    return scores


def slopes_of_log_q(theta, s, t, x, a, c):
    """The oracle: autograd of the normalised log q, on the half-line with Z(t) = 1/(a - 1) + c t."""
    def log_density(t): return np.log(weight(t, x, a, c)) - np.log(1 / (a - 1) + c * t)
    return {"states": jacobian(log_law)(theta, s), "half-line": jacobian(log_density)(t)}


CLAIMS = [
    Claim("yu2020.lem2", both(), equals(slopes_of_log_q, two_models, rtol=GRADIENT, method="quadrature"),
          {"Z taken for a constant": both(lambda dE, mean: -dE),
           "signs exchanged": both(lambda dE, mean: dE - mean),
           "both terms negative": both(lambda dE, mean: -dE - mean),
           "all states alike for q": both(mean=lambda q, dE: np.mean(dE, axis=0))},
          without=equals(slopes_of_log_q, slipping_mass, rtol=GRADIENT, method="quadrature")),
]
