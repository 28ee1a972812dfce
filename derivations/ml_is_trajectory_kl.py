r"""With the right prior, descending the trajectory divergence is maximum likelihood, at every number of steps.

A Gibbs chain is reversible: started from the RBM's marginal it looks the same in both directions. Let the backward
law start there. Then its trajectory given x_0 is distributed exactly as the forward chain's: the encoder samples
the decoder's posterior, not only for infinitely many steps but for any. All that the two laws can still disagree
about is x_0, and so the divergence is that of the data from the model.
"""
import numpy as np
from autograd import grad
from autograd.misc import flatten

from refdgm.derivation import derivation, equals, mistake, start
from refdgm.models import rbm
from refdgm.numerics import all_binary, kl, weighted_sum
from refdgm.samplers import block_gibbs as gibbs
from refdgm.undirected import ignored_term, trajectory


@derivation(gibbs.random_case)
def posterior(theta, data, k):
    """Given x_0, a stationary Gibbs chain run backwards is the same chain run forwards."""
    pi = gibbs.visible_table(theta)
    tau = gibbs.all_trajectories(*theta["w"].shape, k)
    first, last = gibbs.state_index(tau.x[:, 0]), gibbs.state_index(tau.x[:, -1])

    yield start(r"\log p(\tau_x|x)", trajectory_posterior(theta, pi, k), claim="bachman2015.sec5.4_posterior")
    yield equals(r"\log\frac{\pi(x_k)}{\pi(x_0)} + \log p(\tau_{:k}|x_k)",
                 np.log(pi[last] / pi[first]) + gibbs.log_backward(theta, tau),
                 because="Bayes; the chain leaves pi invariant, so p(x_0) = pi(x_0)")
    yield equals(r"\log Z_{x_k} - \log Z_{x_0} + \log p(\tau_{:k}|x_k)",
                 rbm.free_energy(theta, tau.x[:, 0]) - rbm.free_energy(theta, tau.x[:, -1])
                 + gibbs.log_backward(theta, tau), because="pi(x) = Z_x / Z", claim="bachman2015.eq40")
    yield equals(r"\log q(\tau_x|x)", gibbs.log_forward(theta, tau), because="the steps telescope",
                 claim="bachman2015.eq37")
    yield mistake(r"\log p(\tau_{:k}|x_k)", gibbs.log_backward(theta, tau),
                  because="given x_k, not given x_0: another conditional of the same law")
    yield mistake(r"\log p(\tau_x|x), \quad p(x_k) = q(x_k)",
                  trajectory_posterior(theta, gibbs.marginal_table(theta, data, k), k),
                  because="with the prior q(x_k) the two agree only as k grows", claim="bachman2015.eq45_equal")


@derivation(gibbs.random_case)
def divergence(theta, data, k):
    """With the RBM's marginal as prior the trajectory divergence is KL(D||pi), whatever k."""
    pi = np.exp(rbm.log_marginal_table(theta))
    t = trajectory.terms(theta, data, trajectory.RBM, k)

    yield start(r"\mathrm{KL}(q(\tau)\|p(\tau))", trajectory.divergence_by_tables(theta, data, trajectory.RBM, k),
                claim="bachman2015.eq24")
    yield equals(r"\mathbb E_q\left[\log\frac{q(\tau_x|x)}{p(\tau_x|x)}\right] + \mathrm{KL}(\mathcal D\|p(x_0))",
                 t.q @ t.given_x + t.q @ t.baseline, because="the chain rule of the divergence",
                 claim="bachman2015.eq30")
    yield equals(r"\mathrm{KL}(\mathcal D\|p(x_0))", kl(data, gibbs.marginal(theta, pi, k)),
                 because="the forward conditional is the posterior", claim="bachman2015.sec5.4_posterior")
    yield equals(r"\mathrm{KL}(\mathcal D\|\pi)", kl(data, pi), because="the chain leaves pi invariant",
                 claim="bachman2015.x_ml")
    yield mistake(r"\mathrm{KL}(\mathcal D\|\pi) - \mathrm{KL}(q_k\|\pi)", ignored_term.divergence(theta, data, k),
                  because="that is the prior q(x_k): contrastive divergence", claim="bachman2015.x_cdk")
    yield mistake(r"\mathrm{KL}(\pi\|\mathcal D)", kl(pi, data), because="the other direction: mode seeking")


@derivation(gibbs.random_case)
def gradient(theta, data, k):
    """Descending it follows the exact likelihood gradient, and the term of Eq. 45 is zero."""
    t = trajectory.terms(theta, data, trajectory.RBM, k)

    yield start(r"\nabla\,\mathrm{KL}(q\|p)", trajectory.gradient_by_tables(theta, data, trajectory.RBM, k),
                claim="bachman2015.x_ml")
    yield equals(r"\text{Eq. 45} + \mathbb E_q\left[\nabla\log\frac{q(\tau)}{p(\tau)}\right]",
                 trajectory.gradient_without_baseline(t), because="Eq. 31 holds for any prior",
                 claim="bachman2015.eq31")
    yield equals(r"\mathbb E_q\left[\nabla\log Z_{x_k} - \nabla\log Z_{x_0}\right] - \mathbb E_{q_k}[\nabla\log\pi(x)]",
                 trajectory.contrastive_term(t) - t.q @ t.grad_prior,
                 because="Eq. 45 is zero, as q(tau_x|x) = p(tau_x|x)", claim="bachman2015.sec5.4_posterior")
    yield equals(r"\mathbb E_\pi[\nabla\log Z_x] - \mathbb E_{\mathcal D}[\nabla\log Z_x]",
                 flatten(weighted_sum(np.exp(rbm.log_marginal_table(theta)) - data,
                                      rbm.grad_log_z(theta, all_binary(theta["w"].shape[0]))))[0],
                 because="log pi = log Z_x - log Z: the terms in q_k cancel")
    yield equals(r"-\nabla\,\mathbb E_{\mathcal D}\log\pi(x)",
                 -flatten(grad(lambda t: data @ rbm.log_marginal_table(t))(theta))[0],
                 because="data minus model, with the sign of a descent")
    yield mistake(r"\mathbb E_{q_k}[\nabla\log Z_x] - \mathbb E_{\mathcal D}[\nabla\log Z_x]",
                  trajectory.contrastive_term(t),
                  because="E_{q_k}[grad log pi] does not cancel: x_k is not yet from pi", claim="bachman2015.eq35")
    yield mistake(r"\nabla\,\mathbb E_{\mathcal D}\log\pi(x)",
                  flatten(ignored_term.likelihood_gradient(theta, data))[0],
                  because="the divergence is descended, the likelihood ascended")


def trajectory_posterior(theta, prior, k):
    """log p(tau_x|x), from the table of the backward law."""
    p = gibbs.backward_table(theta, prior, k)
    return np.ravel(np.log(p / np.sum(p, axis=tuple(range(1, p.ndim)), keepdims=True)))
