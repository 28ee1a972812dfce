r"""Maximum likelihood and the bound, seen as two divergences.

Maximum likelihood moves the model's marginal $p_\theta(x)$ towards the data. Maximising the bound moves a joint law
$p_\theta(x,z)$ towards another joint law, $q_{\mathcal D}(x)q_\phi(z|x)$, which the inference model builds on top of
the data. The chain rule of the KL divergence says what lies between: the divergence of $q_\phi(z|x)$ from the
posterior. So the bound can be improved in two ways, by a better model or by a posterior that is easier to match.

Each line is a sum over the cells of a random table.
"""
import autograd.numpy as np
from autograd import grad

from refdgm.derivation import at_least, derivation, equals, mistake, start
from refdgm.directed import joint_kl
from refdgm.models import tables
from refdgm.numerics import entropy, kl, log_sum_exp, softmax


def mean_bound(theta, phi, p_data):
    """E_q_D L(x), cell by cell."""
    q = softmax(phi["q"])
    log_joint = theta["joint"] - log_sum_exp(np.reshape(theta["joint"], -1))
    return np.sum(p_data[:, None] * q * (log_joint - np.log(q)))


@derivation(tables.random_case)
def decomposition(theta, phi, p_data):
    """The joint divergence is the marginal one plus the divergence from the posterior."""
    q, p = np.exp(tables.log_q(phi)), np.exp(tables.log_joint(theta))
    p_x = np.sum(p, axis=1)
    posterior = p / p_x[:, None]

    yield start(r"D_{KL}(q_{\mathcal D}(x)q_\phi(z|x)\|p_\theta(x,z))", joint_kl.joint_divergence(theta, phi, p_data),
                claim="kingma2019.toc.2.7")

    yield equals(r"\mathbb E_{q_{\mathcal D}(x)q_\phi(z|x)}\left[\log\frac{q_{\mathcal D}(x)}{p_\theta(x)}"
                 r"+\log\frac{q_\phi(z|x)}{p_\theta(z|x)}\right]",
                 np.sum(p_data[:, None] * q * (np.log(p_data / p_x)[:, None] + np.log(q / posterior))),
                 because="both joint laws factorise as a marginal times a conditional")

    yield equals(r"D_{KL}(q_{\mathcal D}(x)\|p_\theta(x))"
                 r"+\mathbb E_{q_{\mathcal D}(x)}[D_{KL}(q_\phi(z|x)\|p_\theta(z|x))]",
                 kl(p_data, p_x) + np.sum(p_data * kl(q, posterior)),
                 because="the first term does not depend on z, and q(z|x) sums to one", claim="kingma2019.toc.2.7")

    yield mistake(r"D_{KL}(q_{\mathcal D}(x)\|p_\theta(x))+\mathbb E_{p_\theta(x)}[D_{KL}(q_\phi(z|x)\|p_\theta(z|x))]",
                  kl(p_data, p_x) + np.sum(p_x * kl(q, posterior)),
                  because="all expectations are under the first argument of the divergence: under the data")

    yield mistake(r"D_{KL}(q_{\mathcal D}(x)\|p_\theta(x))+D_{KL}(q_\phi(z)\|p(z))",
                  kl(p_data, p_x) + kl(p_data @ q, np.sum(p, axis=0)),
                  because="two marginal divergences forget how x and z depend on each other")

    yield equals(r"-H[q_{\mathcal D}]-\mathbb E_{q_{\mathcal D}(x)}[\mathcal L(x)]",
                 -entropy(p_data) - mean_bound(theta, phi, p_data),
                 because="the bound is the mean of log p(x, z) / q(z|x), and the data's own law is left",
                 claim="kingma2019.toc.2.7")

    yield at_least(r"D_{KL}(q_{\mathcal D}(x)\|p_\theta(x))"
                   r"=-H[q_{\mathcal D}]-\mathbb E_{q_{\mathcal D}(x)}[\log p_\theta(x)]",
                   -entropy(p_data) - np.sum(p_data * np.log(p_x)),
                   because="a divergence from the posterior is not negative", claim="kingma2019.A.2.2.bound")


@derivation(tables.random_case)
def gradients(theta, phi, p_data):
    """Descending the joint divergence is ascending the bound; descending the marginal one is something else."""
    def by_theta(objective):
        return grad(lambda t: objective(t, phi, p_data))(theta)

    def posterior_weighted(t, of):
        """E_q_D E_q grad log p(x, z), with the scores by hand; q may be the posterior."""
        return {"joint": np.tensordot(p_data[:, None] * of, tables.score_theta(t)["joint"], axes=2)}

    yield start(r"-\nabla_\theta D_{KL}(q_{\mathcal D}(x)q_\phi(z|x)\|p_\theta(x,z))",
                by_theta(lambda *case: -joint_kl.joint_divergence(*case)), claim="kingma2019.toc.2.7")

    yield equals(r"\nabla_\theta\mathbb E_{q_{\mathcal D}(x)}[\mathcal L(x)]", by_theta(mean_bound),
                 because="the entropy of the data does not depend on theta")

    yield equals(r"\mathbb E_{q_{\mathcal D}(x)q_\phi(z|x)}[\nabla_\theta\log p_\theta(x,z)]",
                 posterior_weighted(theta, np.exp(tables.log_q(phi))),
                 because="nor does q")

    yield mistake(r"-\nabla_\theta D_{KL}(q_{\mathcal D}(x)\|p_\theta(x))"
                  r"=\mathbb E_{q_{\mathcal D}(x)p_\theta(z|x)}[\nabla_\theta\log p_\theta(x,z)]",
                  posterior_weighted(theta, np.exp(tables.log_posterior(theta))),
                  because="maximum likelihood takes the mean over the posterior: equal only where q is the posterior")

    yield mistake(r"-\nabla_\theta D_{KL}(p_\theta(x,z)\|q_{\mathcal D}(x)q_\phi(z|x))",
                  by_theta(lambda t, f, d: -kl(np.reshape(np.exp(tables.log_joint(t)), -1),
                                               np.reshape(d[:, None] * np.exp(tables.log_q(f)), -1))),
                  because="the other direction avoids what the data lack; the bound covers what they have")
