r"""What the variational bound leaves out is a KL divergence.

The bound $\mathcal L(x)$ is maximised in place of $\log p(x)$, so it matters what separates the two: exactly
$\mathrm{KL}[q(h|x) \| p(h|x)]$, which does not depend on how the bound is written. The three forms in use (a mean log
ratio, an expected energy plus an entropy, a reconstruction minus a KL divergence to the prior) are one number.
Each line is a sum over the states of a random table, for every $x$ at once.
"""
import autograd.numpy as np

from refdgm.derivation import at_least, derivation, equals, mistake, start
from refdgm.directed import elbo
from refdgm.models import tables
from refdgm.numerics import entropy, kl, log_softmax, log_sum_exp


@derivation(tables.random_case)
def gap(theta, phi, p_data):
    """The log evidence is the bound plus the divergence of q from the posterior.

    Bayes' rule is inserted under the expectation, and nothing else happens until the KL divergence is dropped.
    """
    log_joint, log_q = tables.log_joint(theta), tables.log_q(phi)
    q, log_posterior = np.exp(log_q), tables.log_posterior(theta)

    yield start(r"\log p_\theta(x)", np.log(np.sum(np.exp(log_joint), axis=-1)))

    yield equals(r"E_{q_\phi(h|x)}\left[\log\frac{p_\theta(x,h)}{p_\theta(h|x)}\right]",
                 np.sum(q * (log_joint - log_posterior), axis=-1),
                 because="Bayes' rule: the ratio is p(x) for every h, so that its mean is, too")

    yield equals(r"E_{q_\phi(h|x)}\left[\log\frac{p_\theta(x,h)}{q_\phi(h|x)}\right]"
                 r"+E_{q_\phi(h|x)}\left[\log\frac{q_\phi(h|x)}{p_\theta(h|x)}\right]",
                 elbo.bound(log_joint, log_q) + np.sum(q * (log_q - log_posterior), axis=-1),
                 because="multiply and divide by q(h|x) inside the logarithm")

    yield equals(r"\mathcal L(x)+\mathrm{KL}[q_\phi(h|x)\|p_\theta(h|x)]",
                 np.sum(q * log_joint, axis=-1) + entropy(q) + elbo.gap(log_joint, log_q),
                 because="the definitions of both terms", claim="ou2018.eq7")

    yield mistake(r"\mathcal L(x)+\mathrm{KL}[p_\theta(h|x)\|q_\phi(h|x)]",
                  elbo.bound(log_joint, log_q) + kl(np.exp(log_posterior), q),
                  because="the expectation is under q, so q comes first: this divergence is what sleep minimises")

    yield mistake(r"\mathcal L(x)+\mathrm{KL}[q_\phi(h|x)\|p_\theta(h)]",
                  elbo.bound(log_joint, log_q) + kl(q, np.exp(tables.log_prior(theta))),
                  because="the divergence from the prior belongs to the other form of the bound, Eq. 8")

    yield at_least(r"\mathcal L(x)", elbo.bound(log_joint, log_q),
                   because="a KL divergence is never negative", claim="ou2018.eq7.bound")


@derivation(tables.random_case)
def forms(theta, phi, p_data):
    """The bound is a mean log ratio, an energy plus an entropy, and a reconstruction minus a regulariser."""
    log_joint, log_q = tables.log_joint(theta), tables.log_q(phi)
    q, prior = np.exp(log_q), np.exp(tables.log_prior(theta))

    yield start(r"\mathcal L(x)=E_{q_\phi(h|x)}\left[\log\frac{p_\theta(x,h)}{q_\phi(h|x)}\right]",
                elbo.bound(log_joint, log_q), claim="ou2018.eq7")

    yield equals(r"E_{q_\phi(h|x)}[\log p_\theta(x,h)]+\mathrm H[q_\phi(h|x)]",
                 np.sum(q * log_joint, axis=-1) + entropy(q), because="the logarithm of a quotient")

    yield equals(r"E_{q_\phi(h|x)}[\log p_\theta(x|h)]+E_{q_\phi(h|x)}\left[\log\frac{p_\theta(h)}{q_\phi(h|x)}\right]",
                 np.sum(q * (log_joint - log_sum_exp(log_joint, axis=0)), axis=-1)
                 + np.sum(q * (np.log(prior) - log_q), axis=-1),
                 because="the chain rule p(x, h) = p(h) p(x|h)")

    yield equals(r"E_{q_\phi(h|x)}[\log p_\theta(x|h)]-\mathrm{KL}[q_\phi(h|x)\|p_\theta(h)]",
                 elbo.bound_by_reconstruction(tables.log_likelihood(theta), tables.log_prior(theta), log_q),
                 because="the second mean is a KL divergence with its sign changed", claim="ou2018.eq8")

    yield mistake(r"E_{q_\phi(h|x)}[\log p_\theta(x|h)]+\mathrm{KL}[q_\phi(h|x)\|p_\theta(h)]",
                  np.sum(q * tables.log_likelihood(theta), axis=-1) + kl(q, prior),
                  because="the regulariser is subtracted: a q far from the prior lowers the bound")

    yield mistake(r"E_{q_\phi(h|x)}[\log p_\theta(x,h)]-\mathrm{KL}[q_\phi(h|x)\|p_\theta(h)]",
                  np.sum(q * log_joint, axis=-1) - kl(q, prior), because="the prior is counted twice")

    yield mistake(r"E_{q_\phi(h|x)}[\log p_\theta(x,h)]", np.sum(q * log_joint, axis=-1),
                  because="without its entropy q would collapse onto the best single h")


@derivation(tables.random_case)
def jensen(theta, phi, p_data):
    """The bound again, from the concavity of the logarithm."""
    log_joint, log_q = tables.log_joint(theta), tables.log_q(phi)

    yield start(r"\log p_\theta(x)", tables.log_marginal(theta))

    yield equals(r"\log\sum_hq_\phi(h|x)\frac{p_\theta(x,h)}{q_\phi(h|x)}",
                 np.log(np.sum(np.exp(log_q) * (np.exp(log_joint) / np.exp(log_q)), axis=-1)),
                 because="q is positive on every h, so that it may divide", claim="ou2018.fn5")

    yield mistake(r"\sum_h\log\frac{p_\theta(x,h)}{q_\phi(h|x)}", np.sum(log_joint - log_q, axis=-1),
                  because="the weights q stay outside the logarithm")

    yield at_least(r"\sum_hq_\phi(h|x)\log\frac{p_\theta(x,h)}{q_\phi(h|x)}",
                   elbo.bound(log_joint, log_q), because="Jensen's inequality", claim="ou2018.fn5")


@derivation(tables.random_case)
def tight(theta, phi, p_data):
    """The bound touches the log evidence at the posterior."""
    log_joint = tables.log_joint(theta)
    posterior = np.exp(log_joint) / np.sum(np.exp(log_joint), axis=-1, keepdims=True)

    yield start(r"\log p_\theta(x)", tables.log_marginal(theta))

    yield equals(r"E_{p_\theta(h|x)}\left[\log\frac{p_\theta(x,h)}{p_\theta(h|x)}\right]",
                 elbo.bound(log_joint, np.log(posterior)), because="q is the posterior, and the gap is KL[q || q] = 0",
                 claim="ou2018.eq7.tight")

    yield mistake(r"\mathcal L(x)\ \text{at}\ q(h|x)\propto p_\theta(x|h)",
                  elbo.bound(log_joint, log_softmax(tables.log_likelihood(theta))),
                  because="the posterior is proportional to p(h) p(x|h), not to p(x|h)")

    yield mistake(r"\mathcal L(x)\ \text{at}\ q(h|x)=p_\theta(h)",
                  elbo.bound(log_joint, np.log(np.ones_like(posterior) * np.exp(tables.log_prior(theta)))),
                  because="the prior does not look at x")
