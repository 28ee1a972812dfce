r"""The entropy of a generator, and what the batch-norm surrogate misses.

To fit a generator $x = G(\epsilon)$ to a random field by $\mathrm{KL}[q \| p]$ one needs the entropy of $q$, or it
collapses on a mode. If $G$ is invertible the entropy is that of the noise plus the mean log of the stretching. In
general it is not, and Kim and Bengio add up the normal entropies of all activations, since batch normalisation has
their deviations at hand. For a linear network, where every activation is exactly normal, the second derivation gives
the error of that sum in full: the hidden layers, which do not belong there, and the correlation of the outputs.

The third derivation asks which of this the gradient of $\mathrm{KL}[q \| p]$ sees.
"""
import autograd.numpy as np
from autograd import elementwise_grad, grad

from refdgm.derivation import derivation, equals, mistake, start
from refdgm.models import implicit
from refdgm.numerics import weighted_sum
from refdgm.undirected import batch_norm_entropy as bn
from refdgm.undirected import eag


def one_generator(seed):
    """A skewed generator on the real line, x = A sinh(arcsinh(eps) + s) + m."""
    return {"phi": eag.line_case(seed)["lam"]["phi"]}


@derivation(one_generator)
def change_of_variables(phi):
    """The entropy of q is the entropy of the noise plus the mean log of the stretching."""
    log_q = implicit.log_density(phi, eag.X)
    x = implicit.generate(phi, eag.EPS)
    stretching = np.abs(elementwise_grad(lambda e: implicit.generate(phi, e))(eag.EPS)[:, 0])
    log_noise = -eag.EPS[:, 0]**2 / 2 - np.log(2 * np.pi) / 2
    inverse_slope = np.exp(implicit.log_det_inverse(phi, eag.X))

    yield start(r"H[q] = -\int q(x) \log q(x)\, dx", -np.sum(eag.DX * np.exp(log_q) * log_q))

    yield equals(r"-\mathbb E_{p(\epsilon)}[\log q(G(\epsilon))]",
                 -np.sum(eag.DENSITY * implicit.log_density(phi, x)), because="x = G(eps)")

    yield equals(r"-\mathbb E_{p(\epsilon)}\left[\log p(\epsilon) - \log |G'(\epsilon)|\right]",
                 -np.sum(eag.DENSITY * (log_noise - np.log(stretching))),
                 because="change of variables: the density is divided by the stretching")

    yield equals(r"H[\epsilon] + \mathbb E_{p(\epsilon)}[\log |G'(\epsilon)|]",
                 bn.normal_entropy(1.0) + np.sum(eag.DENSITY * np.log(stretching)),
                 because="the entropy of the noise in closed form", claim="ou2018.normal_entropy")

    yield mistake(r"H[\epsilon] - \mathbb E_{p(\epsilon)}[\log |G'(\epsilon)|]",
                  bn.normal_entropy(1.0) - np.sum(eag.DENSITY * np.log(stretching)),
                  because="stretching spreads q out: it adds entropy")

    yield mistake(r"H[\epsilon] + \log \mathbb E_{p(\epsilon)}[|G'(\epsilon)|]",
                  bn.normal_entropy(1.0) + np.log(np.sum(eag.DENSITY * stretching)),
                  because="the log of the mean is larger than the mean of the log, by Jensen")

    yield mistake(r"\tfrac12 \log(2 e \pi \mathrm{Var}_q[x])",
                  bn.normal_entropy(np.sum(eag.DENSITY * (x[:, 0] - np.sum(eag.DENSITY * x[:, 0]))**2)),
                  because="batch-norm's answer for one activation: exact only for a normal, else too large",
                  claim="ou2018.bn.approx")

    yield equals(r"H[\epsilon] - \int q(x) \log |(G^{-1})'(x)|\, dx",
                 bn.normal_entropy(1.0) - np.sum(eag.DX * np.exp(log_q) * np.log(inverse_slope)),
                 because="the slope of the inverse is one over the slope")


@derivation(bn.generator_case)
def error_of_the_surrogate(layers, scale):
    """The batch-norm surrogate exceeds the entropy by the hidden layers and the correlation of the outputs."""
    product = layers[1] @ layers[0]
    hidden, output = bn.deviations(layers)
    covariance = product @ product.T
    correlation = covariance / np.outer(output, output)
    rescaled = bn.deviations([scale * layers[0], layers[1] / scale])

    yield start(r"\sum_{a_i} H[\mathcal N(\mu_{a_i}, \sigma_{a_i}^2)] - H[q]",
                bn.sum_over_layers(layers) - bn.entropy_on_plane(np.zeros(2), covariance), claim="ou2018.bn.approx")

    yield equals(r"\sum_{a_i} H[\mathcal N(\mu_{a_i}, \sigma_{a_i}^2)]"
                 r" - H[\epsilon] - \log |\det B_2| - \log |\det B_1|",
                 bn.sum_over_layers(layers) - bn.entropy_by_change_of_variables(layers),
                 because="change of variables in a linear network")

    yield equals(r"\sum_{a_i \in \mathrm{hidden}} H[\mathcal N(\mu_{a_i}, \sigma_{a_i}^2)]"
                 r" + \sum_i \tfrac12 \log(2 e \pi \Sigma_{ii}) - \tfrac12 \log \det(2 e \pi \Sigma)",
                 bn.surrogate(hidden) + np.sum(np.log(2 * np.e * np.pi * np.diag(covariance))) / 2
                 - np.linalg.slogdet(2 * np.e * np.pi * covariance)[1] / 2,
                 because="the output is normal with covariance Sigma = B_2 B_1 B_1' B_2'")

    yield equals(r"\sum_{a_i \in \mathrm{hidden}} H[\mathcal N(\mu_{a_i}, \sigma_{a_i}^2)] - \tfrac12 \log \det R",
                 bn.surrogate(hidden) - np.log(correlation[0, 0] * correlation[1, 1] - correlation[0, 1]**2) / 2,
                 because="the variances cancel; the correlation matrix R of the outputs stays")

    yield mistake(r"\sum_{a_i \in \mathrm{hidden}} H[\mathcal N(\mu_{a_i}, \sigma_{a_i}^2)]", bn.surrogate(hidden),
                  because="a sum of entropies is the joint entropy only for independent outputs")

    yield mistake(r"-\tfrac12 \log \det R", -np.linalg.slogdet(correlation)[1] / 2,
                  because="the hidden layer is counted, too, although q is the law of the output only")

    yield mistake(r"\sum_{a_i \in \mathrm{hidden}} H[\mathcal N(\mu_{a_i}, c^2 \sigma_{a_i}^2)] - \tfrac12 \log \det R",
                  bn.surrogate(rescaled[0]) - np.linalg.slogdet(correlation)[1] / 2,
                  because="a hidden layer times c, undone by the next: the same q, another surrogate")


@derivation(eag.line_case)
def gradient_of_the_exclusive_divergence(lam, fixed, data):
    """The gradient of KL[q || p] needs the force of the field and the stretching of the generator, and no Z."""
    phi = lam["phi"]
    toward_modes = weighted_sum(eag.DENSITY, eag.reconstruction_gradient(fixed, phi, eag.EPS))
    spread = weighted_sum(eag.DENSITY, eag.entropy_gradient(phi, eag.EPS))

    def log_q_at_draws(f):
        return np.sum(eag.DENSITY * implicit.log_density(f, implicit.generate(f, eag.EPS)))

    def u_at_draws(f):
        return np.sum(eag.DENSITY * eag.potential(fixed, implicit.generate(f, eag.EPS)))

    def entropy_on_grid(f):
        log_q = implicit.log_density(f, eag.X)
        return -np.sum(eag.DX * np.exp(log_q) * log_q)

    yield start(r"\nabla_\phi \mathrm{KL}[q_\phi \| p_\theta]", grad(lambda f: eag.exclusive_kl(fixed, f))(phi),
                claim="ou2018.eq35")

    yield equals(r"\nabla_\phi\, \mathbb E_{p(\epsilon)}\left[\log q_\phi(G_\phi(\epsilon))"
                 r" - \log p_\theta(G_\phi(\epsilon))\right]",
                 grad(lambda f: log_q_at_draws(f) - u_at_draws(f) + eag.log_partition(fixed))(phi),
                 because="x = G(eps): the law of the noise does not depend on phi")

    yield equals(r"-\nabla_\phi \left\{\mathbb E_{p(\epsilon)}[u_\theta(G_\phi(\epsilon))] + H[q_\phi]\right\}",
                 grad(lambda f: -u_at_draws(f) - entropy_on_grid(f))(phi),
                 because="log Z does not depend on phi", claim="ou2018.eag.noZ")

    yield equals(r"-\mathbb E_{p(\epsilon)}\left[\frac{\partial G_\phi}{\partial\phi} \nabla_x u_\theta(x)"
                 r" + \nabla_\phi \log |G_\phi'(\epsilon)|\right]",
                 {name: -toward_modes[name] - spread[name] for name in phi},
                 because="chain rule, and the change of variables for the entropy", claim="ou2018.eq36")

    yield mistake(r"-\mathbb E_{p(\epsilon)}\left[\frac{\partial G_\phi}{\partial\phi} \nabla_x u_\theta(x)\right]",
                  {name: -toward_modes[name] for name in phi},
                  because="without the entropy the generator collapses on a mode of the field")

    yield mistake(r"-\mathbb E_{p(\epsilon)}\left[\frac{\partial G_\phi}{\partial\phi} \nabla_x u_\theta(x)"
                  r" - \nabla_\phi \log |G_\phi'(\epsilon)|\right]",
                  {name: -toward_modes[name] + spread[name] for name in phi},
                  because="the sign of the entropy: q is to be spread out, not squeezed")
