r"""f-EBM's bound: two energies in place of a test function.

Lemma 1 bounds an f-divergence by $\mathbb E_p[T] - \mathbb E_q[f^*(T)]$. In a GAN the model stands in it only as the
law of the samples. f-EBM writes $T = f'(e^{H+E})$ with the model's own energy $E$, so that the energy is evaluated on
data, too, and leaves a function $H$ to be found. At its best $e^{H+E}$ is the ratio $p/q$; then the bound is the
divergence.

How much is lost with another $H$ is a Bregman divergence: how far the tangent of $f$ at the guessed ratio $r$ lies
below $f$ at the true ratio $u$. It is never negative, since $f$ is convex, and that is the whole proof. Each instance
takes another $f$; all expectations are sums over six states.
"""
import autograd.numpy as np
import numpy as onp

from refdgm.adversarial.febm import SMOOTH, best_H, gap, objective, ratio, tables_case
from refdgm.derivation import at_least, derivation, equals, mistake, start
from refdgm.divergences import f_bound, f_divergence
from refdgm.f_divergences import F_DIVERGENCES
from refdgm.models.energy import law_of


def case(seed):
    return {**tables_case(seed), "name": SMOOTH[seed % len(SMOOTH)]}


@derivation(case)
def theorem_2(E, H, p, name):
    """The f-divergence is the supremum, over H, of the f-EBM objective."""
    d, q = F_DIVERGENCES[name], law_of(E)
    u, Z = p / q, onp.sum(onp.exp(-E))
    best = p * Z * onp.exp(E)

    yield start(r"D_f(P \| Q) = \mathbb E_q\left[f\left(\tfrac pq\right)\right]", f_divergence(name, p, q),
                claim="yu2020.sec2.1.def")

    yield equals(r"\mathbb E_q[u f'(u) - f^*(f'(u))],\quad u = \tfrac pq",
                 np.sum(q * (u * d.derivative(u) - d.conjugate(d.derivative(u)))),
                 because="f(u) = u f'(u) - f*(f'(u))", claim="yu2020.eq1.legendre")

    yield equals(r"\mathbb E_p[T^*] - \mathbb E_q[f^*(T^*)],\quad T^* = f'\left(\tfrac pq\right)",
                 f_bound(name, p, q, d.derivative(u)), because="q u = p", claim="yu2020.lem1.attain")

    yield equals(r"\mathbb E_p[f'(e^{H^* + E})] - \mathbb E_q[f^*(f'(e^{H^* + E}))],\quad H^* = \log(p Z_q)",
                 np.sum(p * d.derivative(best)) - np.sum(q * d.conjugate(d.derivative(best))),
                 because="exp(H* + E) = p Z exp(E) = p/q", claim="yu2020.eq16")

    yield mistake(r"\mathbb E_p[f'(e^{H^* - E})] - \mathbb E_q[f^*(f'(e^{H^* - E}))]",
                  objective(E, best_H(E, p) - 2 * E, p, name),
                  because="the energy of q is in the denominator of p/q: it enters with a plus")

    yield mistake(r"\mathbb E_p[f'(p\,e^E)] - \mathbb E_q[f^*(f'(p\,e^E))]", objective(E, onp.log(p), p, name),
                  because="H = log p leaves the ratio off by Z")

    yield at_least(r"\mathbb E_p[f'(e^{H + E})] - \mathbb E_q[f^*(f'(e^{H + E}))]\quad\text{for every }H",
                   objective(E, H, p, name), because="Lemma 1: T = f'(exp(H + E)) is one test function of many",
                   claim="yu2020.thm2")


@derivation(case)
def the_gap(E, H, p, name):
    """What a wrong H loses is a Bregman divergence of the true ratio from the guessed one."""
    d, q, r = F_DIVERGENCES[name], law_of(E), ratio(E, H)
    u = p / q

    yield start(r"D_f(P \| Q) - \mathcal L(E, H)", f_divergence(name, p, q) - objective(E, H, p, name),
                claim="yu2020.sec3.2.gap")

    yield equals(r"\mathbb E_q[f(u)] - \mathbb E_q[u f'(r)] + \mathbb E_q[f^*(f'(r))],\quad r = e^{H + E}",
                 np.sum(q * d.f(u)) - np.sum(q * u * d.derivative(r)) + np.sum(q * d.conjugate(d.derivative(r))),
                 because="an expectation under p is one under q with the weight u")

    yield equals(r"\mathbb E_q[f(u) - f(r) - f'(r)(u - r)]", gap(E, H, p, name),
                 because="f*(f'(r)) = r f'(r) - f(r)", claim="yu2020.eq1.legendre")

    yield mistake(r"\mathbb E_q[f(r) - f(u) - f'(u)(r - u)]",
                  np.sum(q * (d.f(r) - d.f(u) - d.derivative(u) * (r - u))),
                  because="the tangent touches at the guess, not at the truth")

    yield mistake(r"\mathbb E_p[f(u) - f(r) - f'(r)(u - r)]",
                  np.sum(p * (d.f(u) - d.f(r) - d.derivative(r) * (u - r))),
                  because="the ratio is compared where the model has its mass")

    yield at_least(r"0", onp.array(0.0), because="a convex function lies above its tangents", claim="yu2020.thm2")
