r"""EM with posterior samples from Markov chains (kingma2019 App. A.2.3, Eqs. A.11-A.14).

    p(z|x) is replaced by (1/L) sum_l delta(z - z_l),  with z_1..z_L from a chain whose law is p(z|x)
    M-step direction    (1/L) sum_l dlog p_theta(x, z_l)/dtheta,   whose mean is dlog p_theta(x)/dtheta
    Eqs. A.11-A.14      dlog p(z|x)/dz = dlog p(x, z)/dz           p(x) does not depend on z, and need not be known

The samples are arguments, so the mean over all draws from the posterior of `refdgm.models.sbn` is a finite sum. The
z-gradient is that of `refdgm.models.linear_gaussian`, where the posterior has a closed form of its own.
Each posterior needs a chain of its own: X (n, D) holds several data, h (..., L, H) the samples for one.

x = z + noise, both of variance 1: at x = 1 the posterior is N(1/2, 1/2), its slope 1 at z = 0 and 0 at its mode.

    >>> import numpy as np
    >>> from refdgm.directed.mcmc_em import posterior_score
    >>> theta = {"W": np.eye(1), "b": np.zeros(1), "Psi": np.eye(1)}
    >>> posterior_score(theta, x=np.ones(1), z=np.array([[0.0], [0.5]]))[:, 0].tolist()
    [1.0, 0.0]
"""
import autograd.numpy as np
from autograd import elementwise_grad

from refdgm.backend import xp as onp
from refdgm.checking import GRADIENT, Claim, equals, is_gradient_of
from refdgm.models import linear_gaussian, sbn
from refdgm.numerics import all_tuples, weighted_sum


def m_step_direction(theta, x, h):
    """(1/L) sum_l dlog p(x, h_l)/dtheta for samples h (..., L, H) (kingma2019 App. A.2.3).  -> dict of (..., *leaf)"""
    L = h.shape[-2]
    return weighted_sum(onp.full(h.shape[:-1], 1 / L), sbn.score_theta(theta, x, h), axis=-1)


def posterior_score(theta, x, z):
    """dlog p(z|x)/dz from the joint alone: prior and likelihood (kingma2019 Eq. A.14).  (D,), (..., H) -> (..., H)"""
    residual = x - np.dot(z, theta["W"].T) - theta["b"]
    return -z + np.dot(np.linalg.solve(theta["Psi"], residual.T).T, theta["W"])


# ---- claims ---------------------------------------------------------------------------

def mean_direction(law=sbn.posterior, weights=lambda theta, x, h: 1.0, L=2):
    """The exact mean of sum_i weights m_step_direction(x_i, h_1..h_L) over all draws h_l ~ law(theta, x_i)."""
    def mean(theta, X):
        states = sbn.latent_states(theta)
        draws = all_tuples(len(states), L)
        total = {name: 0.0 for name in theta}
        for x in X:
            probability = onp.prod(law(theta, x)[draws], axis=-1)
            g = weighted_sum(probability * weights(theta, x, states[draws]),
                             m_step_direction(theta, x, states[draws]))
            total = {name: total[name] + g[name] for name in theta}
        return total
    return mean


def data_case(n):
    def case(seed):
        data = sbn.random_data_case(seed, n=n)
        return {"theta": data["theta"], "X": data["X"]}
    return case


def log_likelihood(theta, X):
    return np.sum(sbn.log_marginal(theta, X))


def prior(theta, x):
    return onp.exp(sbn.log_prior(theta, sbn.latent_states(theta)))


def squared_posterior(theta, x):
    """Samples of the posterior that are weighed with it once more."""
    p = sbn.posterior(theta, x)**2
    return p / onp.sum(p)


def one_law_for_all(combine):
    """One chain for all data: its law is combine(posteriors (n, 2**H)), the same at every x."""
    def mean(theta, X):
        law = combine(sbn.posterior(theta, X))
        return mean_direction(lambda theta, x: law / onp.sum(law))(theta, X)
    return mean


def differing_data(seed):
    """Three data, no two of them equal."""
    rng = onp.random.default_rng(seed)
    rows = rng.permutation(8)[:3]
    return {"theta": sbn.random_case(seed)["theta"], "X": (rows[:, None] >> onp.arange(3) & 1).astype(float)}


def continuous_case(seed):
    case = linear_gaussian.random_case(seed)
    return {"theta": case["theta"], "x": case["x"], "z": onp.random.default_rng([seed, 1]).normal(size=(5, 2))}


def autograd_of_posterior(theta, x, z):
    """The oracle: the z-gradient of the Gaussian posterior's log-density."""
    return elementwise_grad(lambda z: linear_gaussian.log_posterior(theta, x, z))(z)


CLAIMS = [
    Claim("kingma2019.A.2.3.mix", mean_direction(L=3), is_gradient_of(log_likelihood, "theta", data_case(1)),
          {"samples of the prior": mean_direction(prior, L=3),
           "weights proportional to the posterior density": mean_direction(squared_posterior, L=3),
           "the sum over samples, not their mean": mean_direction(weights=lambda theta, x, h: 3.0, L=3),
           "the chain still at its uniform start": mean_direction(lambda theta, x: onp.full(4, 1 / 4), L=3)}),
    Claim("kingma2019.eqA.11", posterior_score,
          equals(autograd_of_posterior, continuous_case, rtol=GRADIENT, method="autodiff"),
          {"the prior forgotten": lambda theta, x, z: posterior_score(theta, x, z) + z,
           "the prior only": lambda theta, x, z: -z,
           "the residual's sign": lambda theta, x, z: (posterior_score(theta, x, z) + z) * -1 - z,
           "the energy's gradient": lambda theta, x, z: -posterior_score(theta, x, z),
           "x in place of its residual": lambda theta, x, z: -z + np.dot(
               np.linalg.solve(theta["Psi"], x - theta["b"]), theta["W"])}),
    Claim("kingma2019.A.2.3.cost", mean_direction(), is_gradient_of(log_likelihood, "theta", differing_data),
          {"one chain for all, in the average posterior": one_law_for_all(lambda p: onp.mean(p, axis=0)),
           "one chain for all, in the product of the posteriors": one_law_for_all(lambda p: onp.prod(p, axis=0)),
           "the first datum's chain for all": one_law_for_all(lambda p: p[0]),
           "the chain of the datum before": lambda theta, X: mean_direction(
               lambda theta, x: sbn.posterior(theta, onp.roll(X, 1, axis=0)[onp.argmax(onp.all(X == x, axis=1))]))(
                   theta, X)}),
]
