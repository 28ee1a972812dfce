r"""The Jacobian of f-EBM's game at an equilibrium, block by block (yu2020 Theorem 4).

Whether gradient descent and ascent settle is read off the derivative of the vector field $(-\nabla_\theta V,
\nabla_\omega V)$ at the equilibrium, where $p = q_\theta$ and $r = e^{H + E} = 1$. Second derivatives of $V$ bring in
$f'''(1)$ and the second derivatives of both networks; at $r = 1$ all of these cancel, and means of first derivatives
under $p$ remain. They are not what one would guess: the block of $\theta$ is a second moment minus *twice* an outer
product, the block of $\omega$ a plain second moment, and the two players meet only through their means.

Below, $A = r f''(r)$ and $B = r^2 f''(r)$ are the derivatives of $f'(r)$ and of $F = f^*(f'(r))$ in $\log r$; primes on
them are further ones. The networks are sums of $\log\cosh$, so no second derivative vanishes.
"""
import autograd.numpy as np
from autograd import grad
from autograd import jacobian as differentiate

from refdgm.adversarial.game_field import blocks_of, equilibrium_case
from refdgm.derivation import derivation, equals, mistake, start
from refdgm.f_divergences import F_DIVERGENCES
from refdgm.models.energy_game import covariance, gradients, mean, outer, second_moment, value


def at_one(f):
    """A', B' and f''(1), the derivatives in log r at r = 1."""
    def A(v): return np.exp(v) * f.second(np.exp(v))
    def B(v): return np.exp(2 * v) * f.second(np.exp(v))
    return grad(A)(0.0), grad(B)(0.0), f.second(1.0)


def first_and_second(player, inputs):
    """The gradient of sum log cosh for each state, and its own derivative, which is diagonal.  -> (S, d), (S, d)"""
    slope = np.tanh(player + inputs)
    return slope, 1 - slope**2


@derivation(equilibrium_case)
def theta_block(theta, omega, game, name):
    """The block of theta is minus the second moment of the energy gradient, plus twice the outer product of its mean.
    """
    f, p = F_DIVERGENCES[name], game["p"]
    A, B, k = at_one(f)
    dE, ddE = first_and_second(theta, game["s"])
    M, m, D = second_moment(p, dE), mean(p, dE), np.diag(p @ ddE)

    yield start(r"-\nabla_\theta^2 V", -differentiate(grad(value))(theta, omega, game, f), claim="yu2020.thm4")

    yield equals(r"-\nabla_\theta\left(\mathbb E_p[A \nabla E] + \mathbb E_q[F \nabla E] - \mathbb E_q[B \nabla E]"
                 r" - \mathbb E_q[\nabla E] \mathbb E_q[F]\right)",
                 -differentiate(lambda t: gradients(t, omega, game, f)[0])(theta),
                 because="Theorem 3: V has this gradient", claim="yu2020.eq19")

    yield equals(r"-A' M - f'' D - f'' (M - m m^\top) + B' M + f'' D - f'' (M - m m^\top)",
                 -A * M - k * D - k * (M - outer(m, m)) + B * M + k * D - k * (M - outer(m, m)),
                 because="r = 1 and F constant: with M, m, D the means of the products, of the gradient and of its "
                         "derivative, each mean under q brings a covariance with the score")

    yield mistake(r"-A' M - f'' D - f'' (M - m m^\top) + B' M + f'' D",
                  -A * M - k * (M - outer(m, m)) + B * M, because="q under the term E_q[B dE] depends on theta, too")

    yield equals(r"-f''(1)\left(M - 2 m m^\top\right)", -k * blocks_of(theta, omega, game).EE,
                 because="B' - A' = f''(1): the third derivative cancels, and so does D", claim="yu2020.thm4.KEE")

    yield mistake(r"-f''(1)\left(M - m m^\top\right)", -k * covariance(p, dE),
                  because="a covariance would be definite; the outer product counts twice", claim="yu2020.thm5.psd")


@derivation(equilibrium_case)
def cross_block(theta, omega, game, name):
    """The two players meet only through the means of their gradients."""
    f, p = F_DIVERGENCES[name], game["p"]
    A, B, k = at_one(f)
    dE, dH = np.tanh(theta + game["s"]), np.tanh(omega + game["t"])
    N = dE.T @ (p[:, None] * dH)

    yield start(r"-\nabla_\omega \nabla_\theta V", -differentiate(grad(value), 1)(theta, omega, game, f),
                claim="yu2020.thm4")

    yield equals(r"-A' N - f'' \left(N - m h^\top\right) + B' N",
                 -A * N - k * (N - outer(mean(p, dE), mean(p, dH))) + B * N,
                 because="N is the mean of dE dH^T; F varies with omega and stands in a covariance with dE under q")

    yield equals(r"f''(1)\, m h^\top", k * blocks_of(theta, omega, game).EH, because="B' - A' = f''(1)",
                 claim="yu2020.thm4.KEH")

    yield equals(r"-(\nabla_\theta \nabla_\omega V)^\top",
                 -differentiate(lambda t: gradients(t, omega, game, f)[1])(theta).T,
                 because="mixed derivatives exchange: hence the opposite sign in the other corner of J")

    yield mistake(r"f''(1)\, N", k * N, because="the mean of the product: of rank two here, not one")

    yield mistake(r"f''(1) \left(N - m h^\top\right)", k * (N - outer(mean(p, dE), mean(p, dH))),
                  because="the covariance is what cancels, the product of the means is what remains")


@derivation(equilibrium_case)
def omega_block(theta, omega, game, name):
    """The block of omega is minus the uncentred second moment of the gradient of H."""
    f, p = F_DIVERGENCES[name], game["p"]
    A, B, k = at_one(f)
    dH, ddH = first_and_second(omega, game["t"])
    M, D = second_moment(p, dH), np.diag(p @ ddH)

    yield start(r"\nabla_\omega^2 V", differentiate(grad(value, 1), 1)(theta, omega, game, f), claim="yu2020.thm4")

    yield equals(r"A' M_H + f'' D_H - B' M_H - f'' D_H", A * M + k * D - B * M - k * D,
                 because="q does not depend on omega: no covariance with a score")

    yield mistake(r"A' M_H + f'' D_H", A * M + k * D, because="the samples of q pull, too")

    yield equals(r"-f''(1)\, \mathbb E_p\left[\nabla H \nabla^\top H\right]", -k * blocks_of(theta, omega, game).HH,
                 because="B' - A' = f''(1)", claim="yu2020.thm4.KHH")

    yield mistake(r"-f''(1)\, \mathrm{Cov}_p[\nabla H]", -k * covariance(p, dH),
                  because="H must learn its constant, too: log Z is part of it")
