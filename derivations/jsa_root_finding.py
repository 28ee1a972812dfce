r"""JSA turns maximum likelihood into finding a root under the posterior.

Variational learning replaces the posterior $p(h|x)$ by $q(h|x)$, and pays with a bound. JSA keeps the posterior:
Fisher's identity writes the gradient of $\log p(x)$ as a posterior mean, so that at the maximum a mean of *computable*
scores is zero. Samples of the posterior come from a Markov chain that proposes from $q$, and to train $q$ with the
inclusive KL needs nothing but the same samples. Proposition 2 puts both equations into the form that stochastic
approximation solves, with a state $z = (k, h_1, \dots, h_n)$ that holds one latent code per observation.

Everything is a table: 4 observations of 3 values, 3 latent states, so that a mean over $z$ is a sum over $4 \cdot 3^4$.
"""
import autograd.numpy as np
from autograd import grad

from refdgm.derivation import derivation, equals, mistake, start
from refdgm.directed import jsa
from refdgm.models.tables import log_joint, log_marginal, log_posterior, log_q, score_phi, score_theta
from refdgm.numerics import kl, weighted_sum


def frequencies(observations):
    """The empirical distribution p~ of 3 values."""
    return np.bincount(observations, minlength=3) / len(observations)


def average(weight_of_x, score, observations):
    """(1/n) sum_k sum_h weight(x_k)[h] score(x_k, h): an average over observations, not over values."""
    return sum(weighted_sum(weight_of_x[x], score[x]) for x in observations) / len(observations)


@derivation(jsa.sample_case)
def theta_equation(theta, phi, observations):
    """The likelihood's gradient is the mean of F over the codes of all observations."""
    p_data = frequencies(observations)
    score = score_theta(theta)["joint"]

    yield start(r"-\nabla_\theta \mathrm{KL}[\tilde p(x) \| p_\theta(x)]",
                -grad(lambda t: jsa.divergences(t, phi, p_data)[0])(theta)["joint"], claim="ou2018.eq22")

    yield equals(r"\mathbb E_{\tilde p(x)}[\nabla_\theta \log p_\theta(x)]",
                 grad(lambda t: np.mean(log_marginal(t)[observations]))(theta)["joint"],
                 because="the entropy of the data does not depend on theta")

    yield equals(r"\mathbb E_{\tilde p(x) p_\theta(h|x)}[\nabla_\theta \log p_\theta(x)]",
                 sum(np.exp(log_posterior(theta))[x, h] * grad(lambda t: log_marginal(t)[x])(theta)["joint"]
                     for x in observations for h in range(3)) / len(observations),
                 because="a constant in h, averaged over h")

    yield equals(r"\mathbb E_{\tilde p(x) p_\theta(h|x)}[\nabla_\theta \log p_\theta(x, h)]",
                 average(np.exp(log_posterior(theta)), score, observations),
                 because="Fisher: the score of p(h|x) that is added has posterior mean zero", claim="ou2018.jsa.fisher")

    yield mistake(r"\mathbb E_{\tilde p(x) p_\theta(h|x)}[\nabla_\theta \log p_\theta(h|x)]",
                  average(np.exp(log_posterior(theta)), score_phi({"q": theta["joint"]})["q"], observations),
                  because="that is the term which vanishes, not the one that stays")

    yield mistake(r"\mathbb E_{\tilde p(x) q_\phi(h|x)}[\nabla_\theta \log p_\theta(x, h)]",
                  average(np.exp(log_q(phi)), score, observations),
                  because="h from q: the gradient of the ELBO")

    yield mistake(r"\mathbb E_{p_\theta(x, h)}[\nabla_\theta \log p_\theta(x, h)]",
                  weighted_sum(np.exp(log_joint(theta)), score),
                  because="x from the model: zero at every theta, by Fisher once more")

    yield equals(r"\sum_z p(z;\lambda)\, \nabla_\theta \log p_\theta(x_k, h_k), \quad"
                 r" p(z;\lambda) = \tfrac1n \prod_{j=1}^n p_\theta(h_j|x_j)",
                 jsa.mean_F(theta, phi, observations)["theta"]["joint"],
                 because="k picks an observation, and the codes that it does not pick sum out", claim="ou2018.prop2")

    yield mistake(r"\sum_z p(z;\lambda)\, \sum_{k=1}^n \nabla_\theta \log p_\theta(x_k, h_k)",
                  average(np.exp(log_posterior(theta)), score, observations) * len(observations),
                  because="summing over k although z holds a k already: n times too long")


@derivation(jsa.sample_case)
def phi_equation(theta, phi, observations):
    """The inclusive KL needs only the scores of q at posterior samples."""
    p_data = frequencies(observations)
    posterior = np.exp(log_posterior(theta))

    yield start(r"-\nabla_\phi \mathrm{KL}[\tilde p(x) p_\theta(h|x) \| \tilde p(x) q_\phi(h|x)]",
                -grad(lambda f: jsa.divergences(theta, f, p_data)[1])(phi)["q"], claim="ou2018.eq22")

    yield equals(r"\nabla_\phi\, \mathbb E_{\tilde p(x) p_\theta(h|x)}[\log q_\phi(h|x)]",
                 grad(lambda f: np.sum(p_data[:, None] * posterior * log_q(f)))(phi)["q"],
                 because="theta is held fixed: the entropy of the posterior is a constant")

    yield equals(r"\mathbb E_{\tilde p(x) p_\theta(h|x)}[\nabla_\phi \log q_\phi(h|x)]",
                 average(posterior, score_phi(phi)["q"], observations),
                 because="h is drawn from p, which does not depend on phi: no score term, no reparametrisation",
                 claim="ou2018.eq23")

    yield mistake(r"\mathbb E_{\tilde p(x) q_\phi(h|x)}[\nabla_\phi \log q_\phi(h|x)]",
                  average(np.exp(log_q(phi)), score_phi(phi)["q"], observations),
                  because="h from q itself: zero at every phi, q would learn nothing")

    yield mistake(r"-\nabla_\phi \mathrm{KL}[\tilde p(x) q_\phi(h|x) \| \tilde p(x) p_\theta(h|x)]",
                  -grad(lambda f: p_data @ kl(np.exp(log_q(f)), posterior))(phi)["q"],
                  because="the exclusive KL, that of variational learning")

    yield equals(r"\sum_z p(z;\lambda)\, \nabla_\phi \log q_\phi(h_k|x_k)",
                 jsa.mean_F(theta, phi, observations)["phi"]["q"],
                 because="the same z serves both equations", claim="ou2018.prop2")

    yield equals(r"\tilde p(x)\,(p_\theta(h|x) - q_\phi(h|x))", p_data[:, None] * (posterior - np.exp(log_q(phi))),
                 because="for a table the score is one-hot minus q: the root is q = p(h|x)", claim="ou2018.prop3")
