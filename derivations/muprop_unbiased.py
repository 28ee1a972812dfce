r"""MuProp is unbiased although its baseline looks at the draw.

A baseline may be subtracted from the learning signal of a score-function gradient because a score has mean zero, and
so has a constant times a score. MuProp's baseline is not a constant: it is the first-order Taylor expansion
$b(h) = l(\mu) + l'(\mu)^\top (h - \mu)$ of the signal $l(h) = \log p_\theta(x, h) - \log q_\phi(h|x)$ about the mean
field $\mu = E_q h$, and it follows the draw closely; that is why it takes away so much variance. Whatever of the mean
it takes away with it must be put back. It can be, because $E_q h = \mu$ is a known function of $\phi$: a linear
function of $h$ has an exact gradient, the one that back-propagation through the mean field computes.
"""
import autograd.numpy as np
from autograd import grad, jacobian

from refdgm.derivation import derivation, equals, mistake, start
from refdgm.directed import muprop
from refdgm.models.sbn import latent_states, log_q, log_q_table, log_weights, random_case, score_phi
from refdgm.numerics import sigmoid, weighted_sum


def elbo(theta, phi, x):
    """L(x), a sum over h."""
    return np.sum(np.exp(log_q_table(phi, x)) * log_weights(theta, phi, x, latent_states(theta)))


@derivation(random_case)
def gradient(theta, phi, x):
    """MuProp's estimate has the phi-gradient of the variational lower bound as its mean."""
    h = latent_states(theta)
    q, score = np.exp(log_q(phi, x, h)), score_phi(phi, x, h)
    mu = sigmoid(np.dot(phi["V"], x) + phi["c"])
    signal = log_weights(theta, phi, x, h)
    slope = grad(lambda point: log_weights(theta, phi, x, point))(mu)               # l'(mu), by autograd
    baseline = log_weights(theta, phi, x, mu) + (h - mu) @ slope
    d_mu = {"V": jacobian(lambda V: sigmoid(np.dot(V, x) + phi["c"]))(phi["V"]),
            "c": jacobian(lambda c: sigmoid(np.dot(phi["V"], x) + c))(phi["c"])}
    back = {name: np.tensordot(slope, leaf, axes=1) for name, leaf in d_mu.items()}

    yield start(r"\nabla_\phi \mathcal L(x)", grad(elbo, 1)(theta, phi, x))

    yield equals(r"E_q[l(h) \nabla_\phi \log q_\phi(h|x)]", weighted_sum(q * signal, score),
                 because="the log-derivative trick; E_q of dl/dphi = -dlog q/dphi is zero", claim="ou2018.table1.nvil")

    without_b, of_b = weighted_sum(q * (signal - baseline), score), weighted_sum(q * baseline, score)
    yield equals(r"E_q[(l - b) \nabla_\phi \log q_\phi] + E_q[b \nabla_\phi \log q_\phi]",
                 {name: without_b[name] + of_b[name] for name in phi}, because="add and subtract b")

    yield mistake(r"E_q[(l - b) \nabla_\phi \log q_\phi]", without_b,
                  because="b depends on h, so it has no mean zero against the score")

    yield equals(r"E_q[(l - b) \nabla_\phi \log q_\phi] + l'(\mu)^\top E_q[(h - \mu) \nabla_\phi \log q_\phi]",
                 {name: without_b[name] + np.tensordot(slope @ ((h - mu) * q[:, None]).T, score[name], axes=1)
                  for name in phi}, because="the constant l(mu) does have mean zero")

    yield equals(r"E_q[(l - b) \nabla_\phi \log q_\phi] + l'(\mu)^\top \nabla_\phi \mu",
                 {name: without_b[name] + back[name] for name in phi},
                 because="E_q[h dlog q/dphi] is the derivative of E_q h = mu")

    yield equals(r"E_q\left[(l - b) \nabla_\phi \log q_\phi + l'(\mu)^\top \nabla_\phi \mu\right]",
                 weighted_sum(q, muprop.estimate_grad_phi(theta, phi, x, h)),
                 because="the estimate from one draw, by hand", claim="ou2018.table1.muprop")

    yield mistake(r"l'(\mu)^\top \nabla_\phi \mu", back,
                  because="back-propagation through the mean field alone: biased unless l is linear in h")

    slope_of_draw = np.array([grad(lambda point: log_weights(theta, phi, x, point))(draw) for draw in h])
    yield mistake(r"E_q\left[(l - b) \nabla_\phi \log q_\phi + l'(h)^\top \nabla_\phi \mu\right]",
                  {name: without_b[name] + np.tensordot(q @ slope_of_draw, d_mu[name], axes=1) for name in phi},
                  because="the slope must be that of the baseline which was taken off")


@derivation(random_case)
def any_expansion(theta, phi, x):
    """The point of expansion is free: it decides the variance, not the mean."""
    h = latent_states(theta)
    q, score, mu = np.exp(log_q(phi, x, h)), score_phi(phi, x, h), muprop.mean_field(phi, x)
    signal = log_weights(theta, phi, x, h)

    def mean_about(point, centre):
        """The mean of the estimate with the slope of `point` and a baseline linear in h - centre."""
        slope = muprop.slope(theta, phi, x, point)
        b = log_weights(theta, phi, x, point) + (h - centre) @ slope
        rest, back = weighted_sum(q * (signal - b), score), muprop.through_the_mean(slope, phi, x)
        return {name: rest[name] + back[name] for name in phi}

    yield start(r"\nabla_\phi \mathcal L(x)", grad(elbo, 1)(theta, phi, x))

    yield equals(r"E_q\left[(l - b_\mu) \nabla_\phi \log q_\phi + l'(\mu)^\top \nabla_\phi \mu\right]",
                 mean_about(mu, mu), because="expansion about the mean field", claim="ou2018.table1.muprop")

    yield equals(r"E_q\left[(l - b_{1/2}) \nabla_\phi \log q_\phi + l'(\tfrac12)^\top \nabla_\phi \mu\right]",
                 mean_about(0.5 + 0 * mu, 0.5), because="expansion about the centre of the cube")

    excess = muprop.slope(theta, phi, x, 0.5 + 0 * mu) - muprop.slope(theta, phi, x, mu)
    wrong_slope = muprop.through_the_mean(excess, phi, x)
    yield mistake(r"E_q\left[(l - b_\mu) \nabla_\phi \log q_\phi + l'(\tfrac12)^\top \nabla_\phi \mu\right]",
                  {name: mean_about(mu, mu)[name] + wrong_slope[name] for name in phi},
                  because="but the slope taken off and the slope put back have to be the same")
