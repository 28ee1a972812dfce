r"""An inclusive auxiliary generator turns two fits into one root (ou2018 Proposition 4).

A random field $p_\theta(x) \propto e^{u_\theta(x)}$ is fitted to data, and a generator $q_\phi(x) = \sum_h q_\phi(h)
q_\phi(x|h)$ is fitted to the field, so that it can propose samples of it. With the inclusive divergence
$\mathrm{KL}[p_\theta \| q_\phi]$ both gradients are means under one law of $z = (\tilde x, x, h)$, and stochastic
approximation can look for the point where they vanish. No partition function and no entropy of the generator is left.

The exclusive divergence is set beside it: the price that Kim and Bengio pay for samples from the generator in place of
the field is the gradient of that divergence in $\theta$.

Fields and generators have three bits, the generator two latent bits: every mean is a finite sum.
"""
import autograd.numpy as np
from autograd import grad

from refdgm.derivation import derivation, equals, mistake, start
from refdgm.models import random_field, sbn
from refdgm.numerics import kl, weighted_sum
from refdgm.undirected import eag, iag


@derivation(iag.case)
def generator_row(theta, phi, p_data):
    """The generator's gradient is a mean of joint scores, its latent drawn from the posterior."""
    x, h, p = random_field.states(theta), sbn.latent_states(phi), random_field.law(theta)
    score, posterior = sbn.score_theta(phi, x[:, None], h), sbn.posterior(phi, x)

    yield start(r"-\nabla_\phi \mathrm{KL}[p_\theta(x) \| q_\phi(x)]", grad(lambda f: -kl(p, iag.q_of(f)))(phi),
                claim="ou2018.eq37")

    yield equals(r"\nabla_\phi\, \mathbb E_{p_\theta(x)}[\log q_\phi(x)]",
                 grad(lambda f: np.sum(p * sbn.log_marginal(f, x)))(phi),
                 because="the entropy of the field does not depend on phi", claim="ou2018.iag.no_entropy")

    yield equals(r"\mathbb E_{p_\theta(x)}[\nabla_\phi \log q_\phi(x)]",
                 weighted_sum(p, {name: np.array([grad(sbn.log_marginal)(phi, point)[name] for point in x])
                                  for name in phi}),
                 because="x is drawn from p, not from q: the gradient goes inside")

    yield equals(r"\mathbb E_{p_\theta(x)}\left[\sum_h q_\phi(h|x) \nabla_\phi \log q_\phi(x, h)\right]",
                 weighted_sum(p[:, None] * posterior, score),
                 because="Fisher: the score of q(h|x) that is added has mean zero under q(h|x)", claim="ou2018.eq38")

    yield mistake(r"\mathbb E_{p_\theta(x)}\left[\sum_h q_\phi(h) \nabla_\phi \log q_\phi(x, h)\right]",
                  weighted_sum(p[:, None] * np.exp(sbn.log_prior(phi, h)), score),
                  because="h from the prior: it does not know which x it has to explain")

    yield mistake(r"\mathbb E_{q_\phi(x, h)}[\nabla_\phi \log q_\phi(x, h)]",
                  weighted_sum(np.exp(sbn.log_joint_table(phi, x)), score),
                  because="(x, h) from the generator: zero for every phi, it would learn nothing")

    yield mistake(r"-\nabla_\phi \mathrm{KL}[q_\phi(x) \| p_\theta(x)]", grad(lambda f: -kl(iag.q_of(f), p))(phi),
                  because="the exclusive divergence: there x moves with phi, and the entropy of q is needed",
                  claim="ou2018.eq35")

    yield equals(r"\sum_z p(z;\lambda)\, \nabla_\phi \log q_\phi(x, h), \quad"
                 r" p(z;\lambda) = \tilde p(\tilde x)\, p_\theta(x)\, q_\phi(h|x)",
                 iag.mean_F(theta, phi, p_data)["phi"],
                 because="the observation, which the score does not see, sums out", claim="ou2018.prop4")

    yield mistake(r"\sum_z p(z;\lambda)\, \nabla_\phi \log q_\phi(\tilde x, h)",
                  weighted_sum(iag.law_of_z(theta, phi, p_data),
                               sbn.score_theta(phi, iag.every_z(theta, phi)[0], h)),
                  because="the score at the observation, with the latent of another x")


@derivation(iag.case)
def field_row(theta, phi, p_data):
    """The field's gradient compares the potential at an observation with that at a sample."""
    x, p = random_field.states(theta), random_field.law(theta)
    slopes = random_field.grad_potential(theta, x)

    yield start(r"-\nabla_\theta \mathrm{KL}[\tilde p \| p_\theta]",
                grad(lambda t: -kl(p_data, random_field.law(t)))(theta), claim="ou2018.eq37")

    yield equals(r"\mathbb E_{\tilde p}[\nabla_\theta u_\theta] - \nabla_\theta \log Z(\theta)",
                 grad(lambda t: np.sum(p_data * random_field.potential(t, x)) - random_field.log_partition(t))(theta),
                 because="log p = u - log Z, and the entropy of the data is a constant")

    yield equals(r"\mathbb E_{\tilde p}[\nabla_\theta u_\theta] - \mathbb E_{p_\theta}[\nabla_\theta u_\theta]",
                 weighted_sum(p_data - p, slopes), because="the gradient of log Z is the mean slope",
                 claim="ou2018.eq38")

    yield equals(r"\sum_z p(z;\lambda)\, (\nabla_\theta u_\theta(\tilde x) - \nabla_\theta u_\theta(x))",
                 iag.mean_F(theta, phi, p_data)["theta"],
                 because="the observation and the sample are independent, and h sums out", claim="ou2018.prop4")

    yield mistake(r"\sum_z p(z;\lambda)\, (\nabla_\theta u_\theta(x) - \nabla_\theta u_\theta(\tilde x))",
                  weighted_sum(p - p_data, slopes), because="u is a potential, not an energy: this descends")

    yield mistake(r"\mathbb E_{\tilde p}[\nabla_\theta u_\theta] - \mathbb E_{q_\phi}[\nabla_\theta u_\theta]",
                  weighted_sum(p_data - np.exp(sbn.log_marginal(phi, x)), slopes),
                  because="x from the generator, as Kim and Bengio have it: biased while q is not p",
                  claim="ou2018.eag.approx_negphase")


@derivation(eag.bits_case)
def price_of_the_generator(theta, phi, p_data):
    """With samples from the generator the field ascends another objective."""
    x, q = random_field.states(theta), np.exp(sbn.log_marginal(phi, random_field.states(theta)))

    def log_likelihood(t):
        return -kl(p_data, random_field.law(t))

    def exclusive(t):
        return kl(q, random_field.law(t))

    yield start(r"\mathbb E_{\tilde p}[\nabla_\theta u_\theta] - \mathbb E_{q_\phi}[\nabla_\theta u_\theta]",
                weighted_sum(p_data - q, random_field.grad_potential(theta, x)))

    yield equals(r"-\nabla_\theta \mathrm{KL}[\tilde p \| p_\theta]"
                 r" + (\mathbb E_{p_\theta} - \mathbb E_{q_\phi})[\nabla_\theta u_\theta]",
                 {name: leaf + eag.error_of_negative_phase(theta, phi)[name]
                  for name, leaf in grad(log_likelihood)(theta).items()},
                 because="add and subtract the mean under the field", claim="ou2018.eag.approx_negphase")

    yield equals(r"\nabla_\theta \{\mathrm{KL}[q_\phi \| p_\theta] - \mathrm{KL}[\tilde p \| p_\theta]\}",
                 grad(lambda t: exclusive(t) + log_likelihood(t))(theta),
                 because="log Z is in both divergences and cancels: the field runs away from the generator")

    yield mistake(r"-\nabla_\theta \mathrm{KL}[\tilde p \| p_\theta]", grad(log_likelihood)(theta),
                  because="not the likelihood: the difference is there until q = p")

    yield mistake(r"-\nabla_\theta \{\mathrm{KL}[q_\phi \| p_\theta] + \mathrm{KL}[\tilde p \| p_\theta]\}",
                  grad(lambda t: log_likelihood(t) - exclusive(t))(theta),
                  because="the sign of the second player: theta does not help phi, it works against it")
