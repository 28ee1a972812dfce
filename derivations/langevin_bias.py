r"""What Langevin dynamics with a finite step samples from.

A Langevin step goes down the energy by $\frac\epsilon2 \nabla E$ and adds noise of variance $\epsilon$. On a Gaussian
target $\mathcal N(m, P^{-1})$ the step is affine, so its stationary law is Gaussian and its covariance solves a
linear equation. It is not the target's: it is too wide by $\frac\epsilon4$ in every direction, to first order, and
there is none at all for steps of $4/\lambda_{\max}$ or longer. The mean is right for every step size.

It is the factors one half and square root that make the limit the right one. With a drift of $\epsilon$, or noise of
$\sqrt{2\epsilon}$ beside a drift of $\frac\epsilon2$, the chain converges as smoothly, to a density at another
temperature.
"""
import numpy as onp

from refdgm.derivation import approaches, derivation, equals, mistake, start
from refdgm.samplers.langevin import affine_map, gaussian_case, longest_step, moments_after, stationary_covariance, step


def case(seed):
    c = gaussian_case(seed)
    return {**c, "eps": longest_step(c["P"]) * onp.random.default_rng([seed, 112]).uniform(0.2, 0.8)}


@derivation(case)
def stationary_law(P, m, x, eps):
    """On a Gaussian target the stationary covariance of a Langevin chain has a closed form, and is too wide."""
    one, target = onp.eye(len(P)), onp.linalg.inv(P)

    def on_target(x, eps, z): return step(x, lambda x: (x - m) @ P, eps, z)

    yield start(r"\lim_{T \to \infty} \mathrm{Cov}(\tilde x_T)",
                moments_after(on_target, m, eps, x, 2**13)["covariance"], claim="yu2020.eq5")

    A, B, _ = affine_map(on_target, m, eps)
    solved = onp.linalg.solve(onp.eye(A.size) - onp.kron(A, A), (B @ B.T).reshape(-1)).reshape(A.shape)
    yield equals(r"C:\quad C = A C A^\top + B B^\top", solved, because="a step leaves the stationary law as it is")

    A = one - eps / 2 * P
    yield equals(r"\epsilon \left(I - A^2\right)^{-1},\quad A = I - \tfrac\epsilon2 P",
                 eps * onp.linalg.inv(one - A @ A), because="A is symmetric and commutes with C, and B = sqrt(eps) I")

    yield equals(r"P^{-1} \left(I - \tfrac\epsilon4 P\right)^{-1}", stationary_covariance(P, eps),
                 because="I - A^2 = eps P (I - eps P / 4)", claim="yu2020.eq5.bias")

    yield mistake(r"P^{-1}", target, because="the target's own: that is the limit of small steps")

    yield mistake(r"P^{-1} \left(I - \tfrac\epsilon2 P\right)^{-1}", onp.linalg.inv(P - eps / 2 * P @ P),
                  because="A^2 has the terms -eps P and + eps^2 P^2 / 4")

    lengths, vectors = onp.linalg.eigh(P)
    series = [sum((eps / 4 * lengths)**k for k in range(n)) / lengths for n in (2, 8, 32, 128)]
    yield approaches(r"P^{-1} + \tfrac\epsilon4 I + \tfrac{\epsilon^2}{16} P + \ldots",
                     [(vectors * terms) @ vectors.T for terms in series],
                     because="the geometric series, which converges for eps < 4 / lambda_max")


@derivation(case)
def wrong_noise(P, m, x, eps):
    """As the step shrinks the law becomes the target's, if drift and noise belong together."""
    def chain(drift, noise):
        def stationary(eps):
            def a_step(x, eps, z): return step(x, lambda x: drift * (x - m) @ P, eps, noise * z)
            A, B, _ = affine_map(a_step, m, eps)
            return onp.linalg.solve(onp.eye(A.size) - onp.kron(A, A), (B @ B.T).reshape(-1)).reshape(A.shape)
        return stationary

    yield start(r"P^{-1}", onp.linalg.inv(P), claim="yu2020.eq5.limit")

    small = 1e-7
    yield approaches(r"C(\epsilon):\quad \text{drift } \tfrac\epsilon2,\ \text{noise } \sqrt\epsilon",
                     [chain(1, 1)(eps) for eps in (0.1, 1e-3, 1e-5, small)], because="the bias is of order eps",
                     allowed=1e-6)

    yield mistake(r"C(0):\quad \text{drift } \epsilon,\ \text{noise } \sqrt\epsilon", chain(2, 1)(small), allowed=1e-2,
                  because="half the variance: a density at half the temperature")

    yield mistake(r"C(0):\quad \text{drift } \tfrac\epsilon2,\ \text{noise } \sqrt{2\epsilon}",
                  chain(1, onp.sqrt(2))(small), because="twice the variance", allowed=1e-2)
