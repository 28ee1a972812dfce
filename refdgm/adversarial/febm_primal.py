r"""Training an energy-based model on D_f itself: what its gradient needs (yu2020 Sec. 3.1.1).

    Eq. 9      min_theta D_f(p||q_theta) = min_theta E_q[f(p/q)]
    here       dD_f/dtheta = -E_q[F(p/q) dlog q],   F(u) = f*(f'(u)) = u f'(u) - f(u)
    Eq. 10     reverse KL: D = E_q[log q/p]
    Eq. 11     dD/dtheta = E_q[dlog q (log q/p + 1)]

Samples of p and q suffice for the gradient where F is affine, F(u) = a u + b: then E_q[F(p/q) dlog q] = a E_p[dlog q],
and the gradient is linear in p. That is so for f(u) = a u log u + c (u - 1), KL, and for nothing else.

Shapes: theta (d,), s (S, d), p and q (S,), as in refdgm.models.energy.

How far the gradient is from linear in the data's law: not at all for KL, and for reverse KL it is.

>>> import autograd.numpy as np
>>> from refdgm.adversarial.febm_primal import bend, two_data_laws
>>> generators = lambda u: u * np.log(u), lambda u: -np.log(u)
>>> [round(float(np.abs(bend(f)(**two_data_laws(0))).max()), 3) for f in generators]
[0.0, 0.019]
"""
import autograd.numpy as np
from autograd import grad
from autograd.tracer import getval

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, is_gradient_of, vanishes
from refdgm.divergences import f_divergence
from refdgm.f_divergences import F_DIVERGENCES, named, SMOOTH
from refdgm.models.energy import energy, grad_energy, law, log_law, log_partition, random_case, score


def grad_divergence(theta, s, p, name):
    """dD_f/dtheta = -E_q[F(p/q) dlog q], F(u) = u f'(u) - f(u) (yu2020 Sec. 3.1.1).  -> (d,)"""
    q, d = law(theta, s), named(name)
    u = p / q
    return -np.dot(q * (u * d.derivative(u) - d.f(u)), score(theta, s))


def reverse_kl(theta, s, p):
    """E_q[log q/p] (yu2020 Eq. 10).  -> ()"""
    log_q = log_law(theta, s)
    return np.sum(np.exp(log_q) * (log_q - np.log(p)))


def grad_reverse_kl(theta, s, p):
    """E_q[dlog q (log q/p + 1)] (yu2020 Eq. 11).  -> (d,)"""
    q = law(theta, s)
    return np.dot(q * (np.log(q / p) + 1), score(theta, s))


# ---- claims ---------------------------------------------------------------------------

def named_case(seed):
    """random_case, with one generator for each instance."""
    return {**random_case(seed), "name": SMOOTH[seed % len(SMOOTH)]}


def by_sum(theta, s, p, name):
    """The oracle: sum_x q f(p/q), with q from the products of 1 + exp(theta_j + s_j) spelled out."""
    weights = np.prod(1 + np.exp(theta + s), axis=1)
    q = weights / np.sum(weights)
    return np.sum(q * F_DIVERGENCES[name].f(p / q))


def grad_of(objective):
    return lambda theta, s, p, name: grad(lambda theta: objective(law(theta, s), p, F_DIVERGENCES[name].f))(theta)


def two_data_laws(seed):
    """random_case, with a second data law."""
    return {**random_case(seed), "p2": random_case(seed + 1000)["p"]}


def bend(f):
    """How far the gradient of D_f is from linear in p: g(p) + g(p2) - 2 g((p + p2)/2), by autograd."""
    def difference(theta, s, p, p2):
        def gradient(data): return grad(lambda theta: np.sum(law(theta, s) * f(data / law(theta, s))))(theta)
        return gradient(p) + gradient(p2) - 2 * gradient((p + p2) / 2)
    return difference


def size_of_gradient(theta, s, p, p2):
    return onp.max(onp.abs(grad_divergence(theta, s, p, "kl")))


def by_energies(theta, s, p):
    """-E_q[E] - log Z - E_q[log p], with the weights exp(-E) summed by hand."""
    weights = onp.prod(1 + onp.exp(theta + s), axis=1)
    return onp.sum(weights * (onp.log(weights) - onp.log(onp.sum(weights)) - onp.log(p))) / onp.sum(weights)


CLAIMS = [
    Claim("yu2020.eq9", grad_divergence, is_gradient_of(by_sum, "theta", named_case),
          {"D_f(q||p)": grad_of(lambda q, p, f: np.sum(p * f(q / p))),
           "expectation under p": grad_of(lambda q, p, f: np.sum(p * f(p / q))),
           "q held fixed outside of f": grad_of(lambda q, p, f: np.sum(getval(q) * f(p / q))),
           "D_f is maximised": lambda **c: -grad_divergence(**c)}),
    Claim("yu2020.sec3.1.1.klonly", bend(lambda u: 3 * u * np.log(u) + 2 * (u - 1)),
          vanishes(size_of_gradient, two_data_laws, method="autodiff"),
          {f"{name} qualifies, too": bend(F_DIVERGENCES[name].f) for name in SMOOTH[1:]}),
    Claim("yu2020.eq10", lambda theta, s, p: f_divergence("reverse kl", p, law(theta, s)),
          equals(by_energies, random_case),
          {"E_p[log q/p]": lambda theta, s, p: np.sum(p * np.log(law(theta, s) / p)),
           "E_q[log p/q]": lambda theta, s, p: -reverse_kl(theta, s, p),
           "E_p[log p/q]": lambda theta, s, p: f_divergence("kl", p, law(theta, s)),
           "log Z forgotten": lambda theta, s, p: reverse_kl(theta, s, p) + log_partition(energy(theta, s))}),
    Claim("yu2020.eq11", grad_reverse_kl, is_gradient_of(reverse_kl, "theta", random_case),
          {"log p/q": lambda theta, s, p: law(theta, s) * (np.log(p / law(theta, s)) + 1) @ score(theta, s),
           "expectation under p": lambda theta, s, p: p * (np.log(law(theta, s) / p) + 1) @ score(theta, s),
           "-dE for dlog q": lambda theta, s, p: -(law(theta, s) * (np.log(law(theta, s) / p) + 1)
                                                   @ grad_energy(theta, s)),
           "the sampling law held fixed: only the 1": lambda theta, s, p: law(theta, s) @ score(theta, s)}),
]
