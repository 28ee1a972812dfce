r"""From a convex function to a lower bound on a divergence that needs samples only.

A divergence $\sum_x p_\theta(x) f(p_0(x)/p_\theta(x))$ asks for densities that a generator does not have. The way
out is that a convex $f$ is the upper envelope of its tangents: $f(u) = \sup_t tu - f^*(t)$. With $u = p_0/p_\theta$ the
$p_\theta$ in front cancels, and what remains are two expectations. A function $T$ guesses the slope $t$ at each $x$.

What is lost by a wrong guess is known exactly: with $r(x)$ the ratio that $T = f'(r)$ stands for, it is the mean
Bregman divergence of $f$ between the true ratio and $r$. And what is lost by a class of functions $T$ that cannot
tell some points apart is the part of the divergence that lies within these points.

The divergence changes with the seed; all laws are on six points.
"""
import autograd.numpy as np
import numpy as onp
from autograd import elementwise_grad

from refdgm.adversarial.conjugates import search_over_t, search_over_u
from refdgm.adversarial.vdm_bound import best_constants, blocks_case, guess_case
from refdgm.derivation import at_least, derivation, equals, mistake, start
from refdgm.divergences import f_bound, f_divergence
from refdgm.f_divergences import F_DIVERGENCES, in_domain

NAMES = tuple(name for name in F_DIVERGENCES if name != "total variation")      # strictly convex


def named_case(case):
    """A case, and the divergence of its turn."""
    return lambda seed: {"name": NAMES[seed % len(NAMES)], **case(seed)}


@derivation(named_case(guess_case))
def bound_and_gap(name, p0, p, r):
    """An f-divergence is a supremum over functions T; a wrong T costs a Bregman divergence of the ratios."""
    d, u = F_DIVERGENCES[name], p0 / p
    yield start(r"D_f[p_0 \| p_\theta] = \sum_x p_\theta(x) f\left(\frac{p_0(x)}{p_\theta(x)}\right)",
                f_divergence(name, p0, p), claim="ou2018.eq26")

    yield equals(r"\sum_x p_\theta(x) \sup_t \left\{ t \frac{p_0(x)}{p_\theta(x)} - f^*(t) \right\}",
                 np.sum(p * search_over_t(d, u)), because="f is the conjugate of its conjugate", claim="ou2018.biconj")

    slope = elementwise_grad(d.f)(u)
    yield equals(r"E_{p_0}[T^*] - E_{p_\theta}[f^*(T^*)],\quad T^* = f'(p_0/p_\theta)",
                 np.sum(p0 * slope) - np.sum(p * search_over_u(d.f, slope)),
                 because="the supremum is at the slope of f; T may be another number at each x, so nothing is lost",
                 claim="ou2018.eq28")

    yield mistake(r"E_{p_0}[T] - E_{p_\theta}[f^*(T)],\quad T = f'(p_\theta/p_0)",
                  f_bound(name, p0, p, d.derivative(1 / u)), because="the ratio is upside down")

    t = in_domain(d, onp.linspace(-9, 9, 999))
    yield mistake(r"\sup_t \sum_x p_\theta(x) \left\{ t \frac{p_0(x)}{p_\theta(x)} - f^*(t) \right\}",
                  np.max(np.sum(p0) * t - np.sum(p) * d.conjugate(t)),
                  because="one t for all x: that is Jensen's bound f(1)", claim="ou2018.eq27.reasons")

    T = d.derivative(r)
    bregman = d.f(u) - d.f(r) - T * (u - r)
    yield equals(r"E_{p_0}[T] - E_{p_\theta}[f^*(T)] + E_{p_\theta}[f(u) - f(r) - f'(r)(u - r)],\quad T = f'(r)",
                 f_bound(name, p0, p, T) + np.sum(p * bregman),
                 because="f*(f'(r)) = r f'(r) - f(r)", claim="ou2018.boyd")

    yield mistake(r"E_{p_0}[T] - E_{p_\theta}[f^*(T)] + E_{p_\theta}[f(r) - f(u) - f'(u)(r - u)]",
                  f_bound(name, p0, p, T) + np.sum(p * (d.f(r) - d.f(u) - d.derivative(u) * (r - u))),
                  because="a Bregman divergence is not symmetric: the tangent is drawn at the guess")

    yield at_least(r"E_{p_0}[T] - E_{p_\theta}[f^*(T)]", f_bound(name, p0, p, T),
                   because="a convex f lies above its tangents", claim="ou2018.eq27")


@derivation(named_case(blocks_case))
def restricted_class(name, p0, p, block):
    """If T sees only the block of x, the best bound is the divergence of the two laws of the block."""
    d = F_DIVERGENCES[name]
    P0, P = onp.bincount(block, p0), onp.bincount(block, p)
    yield start(r"\max_{T \text{ constant on blocks}} E_{p_0}[T] - E_{p_\theta}[f^*(T)]",
                best_constants(d, p0, p, block), claim="ou2018.eq27.reasons")

    yield equals(r"\sum_B P_\theta(B) f\left(\frac{P_0(B)}{P_\theta(B)}\right)", np.sum(P * d.f(P0 / P)),
                 because="the bound sees only the probabilities of the blocks")

    yield mistake(r"D_f[p_0 \| p_\theta]", f_divergence(name, p0, p),
                  because="only functions that tell all points apart reach the divergence")

    u, U = p0 / p, (P0 / P)[block]
    within = np.sum(p * (d.f(u) - d.f(U)))
    yield equals(r"D_f[p_0 \| p_\theta] - E_{p_\theta}\left[f(u(x)) - f(E_{p_\theta}[u|B])\right]",
                 f_divergence(name, p0, p) - within, because="the ratio of a block is the mean of its ratios")

    yield mistake(r"D_f[p_0 \| p_\theta] - E_{p_\theta}\left[f(u(x)) - f(E_{p_0}[u|B])\right]",
                  f_divergence(name, p0, p) - np.sum(p * (d.f(u) - d.f((onp.bincount(block, p0 * u) / P0)[block]))),
                  because="the mean of the ratio is one under the generator, not under the data")
