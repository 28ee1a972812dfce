r"""The gradient of an expectation under an energy-based model is a covariance.

A test function $T$ rewards the samples of a model $q_\theta = e^{-E_\theta}/Z_\theta$ with $F(x) = f^*(T(x))$, and
the model is to move so that $-\mathbb E_{q_\theta}[F]$ falls or rises. The reward does not depend on $\theta$; the
law of the samples does, twice: through the energy of each state, and through the partition function, which is the
energies of all of them.

The derivation keeps the two apart. What comes of the partition function is the product of the means; whoever forgets
$Z_\theta$ forgets it. It also says what an estimate from samples has to be: a covariance, whose unbiased estimate has
the familiar $N - 1$. Every expectation is a sum over six states, every gradient of the first line is autograd's.
"""
import autograd.numpy as np
import numpy as onp
from autograd import grad, jacobian

from refdgm.adversarial.febm_dual import estimate_score_gradient, plug_in, score_gradient
from refdgm.derivation import derivation, equals, mistake, start
from refdgm.models.energy import energy, grad_energy, law, log_law, log_partition, random_case, score
from refdgm.numerics import all_tuples, weighted_sum


def case(seed):
    c = random_case(seed)
    return {"theta": c["theta"], "s": c["s"], "F": onp.random.default_rng([seed, 111]).normal(size=6) + 1}


@derivation(case)
def theorem_1(theta, s, F):
    """The gradient of a mean reward is the covariance of the reward with the energy's gradient."""
    q, dE = law(theta, s), grad_energy(theta, s)

    yield start(r"-\nabla_\theta \mathbb E_{q_\theta}[F]", grad(lambda theta: -np.sum(law(theta, s) * F))(theta),
                claim="yu2020.thm1")

    yield equals(r"-\sum_x F(x) \nabla_\theta q_\theta(x)", -F @ jacobian(law)(theta, s),
                 because="the reward does not depend on theta")

    yield equals(r"-\mathbb E_{q_\theta}[F \nabla_\theta \log q_\theta]", -(q * F) @ jacobian(log_law)(theta, s),
                 because="the gradient of q is q times the gradient of log q")

    d_log_Z = grad(lambda theta: log_partition(energy(theta, s)))(theta)
    yield equals(r"\mathbb E_{q_\theta}[F \nabla_\theta E_\theta]"
                 r" + \mathbb E_{q_\theta}[F] \nabla_\theta \log Z_\theta",
                 (q * F) @ jacobian(energy)(theta, s) + (q @ F) * d_log_Z,
                 because="log q = -E - log Z, and log Z is the same for every state", claim="yu2020.eq4")

    yield mistake(r"\mathbb E_{q_\theta}[F \nabla_\theta E_\theta]", (q * F) @ dE,
                  because="the partition function depends on theta, too")

    yield equals(r"\mathbb E_{q_\theta}[F \nabla_\theta E_\theta] - \mathbb E_{q_\theta}[\nabla_\theta E_\theta] \,"
                 r" \mathbb E_{q_\theta}[F]", score_gradient(q, dE, F),
                 because="the gradient of log Z is minus the mean gradient of the energy", claim="yu2020.lem2")

    yield mistake(r"\mathbb E_{q_\theta}[\nabla_\theta E_\theta] \, \mathbb E_{q_\theta}[F]"
                  r" - \mathbb E_{q_\theta}[F \nabla_\theta E_\theta]", -score_gradient(q, dE, F),
                  because="that is the gradient of +E[F]: q falls where the energy rises")

    yield equals(r"-\mathbb E_{q_\theta}[(F - b) \nabla_\theta \log q_\theta],\quad b = \mathbb E_{q_\theta}[F]",
                 -(q * (F - q @ F)) @ score(theta, s),
                 because="the score has mean zero, so a constant may be taken from the reward")


@derivation(case)
def from_samples(theta, s, F):
    """The covariance of N samples is an unbiased estimate only with the factor N/(N - 1)."""
    N = 3
    q, dE = law(theta, s), grad_energy(theta, s)
    index = all_tuples(len(F), N)
    probability = onp.prod(q[index], axis=1)

    yield start(r"-\nabla_\theta \mathbb E_{q_\theta}[F]", grad(lambda theta: -np.sum(law(theta, s) * F))(theta),
                claim="yu2020.thm1.unbiased")

    yield mistake(r"\mathbb E\left[\overline{F \nabla E} - \overline{\nabla E} \; \overline F\right]",
                  weighted_sum(probability, plug_in(dE[index], F[index])),
                  because="both means are of the same samples: it is 1 - 1/N of the gradient")

    first, second = (F[index[:, i]][:, None] for i in (0, 1))
    yield mistake(r"\mathbb E\left[(\nabla E(x_1) - \nabla E(x_2))(F(x_1) - F(x_2))\right]",
                  weighted_sum(probability, (dE[index[:, 0]] - dE[index[:, 1]]) * (first - second)),
                  because="differences of two samples vary twice as much as one")

    yield equals(r"\mathbb E\left[\tfrac12 (\nabla E(x_1) - \nabla E(x_2))(F(x_1) - F(x_2))\right]",
                 weighted_sum(probability, (dE[index[:, 0]] - dE[index[:, 1]]) * (first - second) / 2),
                 because="two independent samples: the cross terms have the product of the means for their mean")

    yield equals(r"\mathbb E\left[\tfrac{N}{N-1}"
                 r" \left(\overline{F \nabla E} - \overline{\nabla E} \; \overline F\right)\right]",
                 weighted_sum(probability, estimate_score_gradient(dE[index], F[index])),
                 because="the covariance of N samples is the mean over their pairs")
