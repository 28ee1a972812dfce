r"""Where the gap of the bound comes from: the family, the network, and the generator.

The bound misses the log evidence by $\mathrm{KL}[q \| p(h|x)]$. One part of that no network can remove, because the
family of $q$ does not contain the posterior; the rest is what a shared network gives away against fitting each $x$ by
itself. The second derivation finds the first part in closed form when $q$ is factorised and the posterior is Gaussian.
The third shows that this part is a property of the parametrisation: rotating the latents changes nothing that can be
seen in $x$, and can remove it, so a generator that is learned jointly can adapt to its inference model.
"""
import autograd.numpy as np

from refdgm.derivation import at_least, derivation, equals, mistake, start
from refdgm.directed import expressive
from refdgm.directed import inference_gap as gap
from refdgm.models import linear_gaussian as model


@derivation(gap.random_case)
def decomposition(theta, phi, X):
    """The inference gap is the approximation gap plus the amortisation gap."""
    q, best = gap.amortised(phi, X), gap.best_factorised(theta, X)
    searched = gap.differences_of_bounds(theta, phi, X)
    kl_q, kl_best = gap.kl_to_posterior(theta, X, q), gap.kl_to_posterior(theta, X, best)

    yield start(r"\log p_\theta(x) - \mathcal L(x;\theta,\phi)", gap.per_sample(theta, phi, X))

    yield equals(r"[\log p_\theta(x) - \mathcal L(x;\theta,\phi^*_x)]"
                 r" + [\mathcal L(x;\theta,\phi^*_x) - \mathcal L(x;\theta,\phi)]",
                 searched["approximation"] + searched["amortisation"],
                 because="insert the bound at the best q for this x, here found by coordinate ascent",
                 claim="ou2018.gap")

    yield equals(r"\mathrm{KL}[q_{\phi^*_x} \| p_\theta(h|x)]"
                 r" + \left(\mathrm{KL}[q_\phi \| p_\theta(h|x)] - \mathrm{KL}[q_{\phi^*_x} \| p_\theta(h|x)]\right)",
                 kl_best + (kl_q - kl_best), because="each bound misses the same log evidence by its own divergence",
                 claim="ou2018.gap")

    yield mistake(r"\mathrm{KL}[q_{\phi^*_x} \| p_\theta(h|x)] + \mathrm{KL}[q_\phi \| q_{\phi^*_x}]",
                  kl_best + model.kl_gaussian(q[0], np.diag(q[1]), best[0], np.diag(best[1])),
                  because="divergences do not add up along a path; here the means are off across the posterior's axes")

    yield mistake(r"\log p_\theta(x) - \sum_k \mathcal L(x_k;\theta,\phi)", gap.pooled(theta, phi, X),
                  because="the bound of all samples against the evidence of one", claim="ou2018.gap.notation")

    yield at_least(r"\mathrm{KL}[q_{\phi^*_x} \| p_\theta(h|x)]", kl_best,
                   because="no member of the family beats the best one: the amortisation gap is not negative")


@derivation(expressive.random_case)
def factorised(theta, x):
    """What a factorised q must miss of a Gaussian posterior is a determinant of its scaled precision."""
    precision = model.posterior_precision(theta)
    covariance, variances = np.linalg.inv(precision), np.diag(precision)
    best = np.diag(1 / variances)

    def log_det(A):
        return np.linalg.slogdet(A)[1]

    yield start(r"\min_{m, s} \mathrm{KL}[N(m, \mathrm{diag}\, s) \| N(\mu, \Lambda^{-1})]",
                expressive.searched_gap(theta, x, expressive.block_family(expressive.FACTORISED)),
                claim="ou2018.mismatch_gap")

    yield equals(r"\mathrm{KL}[N(\mu, \mathrm{diag}\, 1/\Lambda_{ii}) \| N(\mu, \Lambda^{-1})]",
                 model.kl_gaussian(np.zeros(3), best, np.zeros(3), covariance),
                 because="the slope in s_i is (Lambda_ii - 1/s_i)/2, and in m it is Lambda (m - mu)")

    yield equals(r"\tfrac12 \left(\mathrm{tr}(\Lambda\, \mathrm{diag}\, 1/\Lambda_{ii}) - H"
                 r" + \sum_i \log\Lambda_{ii} - \log\det\Lambda\right)",
                 0.5 * (np.trace(precision @ best) - 3 + np.sum(np.log(variances)) - log_det(precision)),
                 because="the divergence of two Gaussians with one mean")

    yield equals(r"\tfrac12 \left(\sum_i \log\Lambda_{ii} - \log\det\Lambda\right)",
                 expressive.smallest_gap(theta, expressive.FACTORISED), because="the trace is H")

    yield equals(r"-\tfrac12 \log\det\left(D^{-1/2} \Lambda D^{-1/2}\right),\quad D = \mathrm{diag}\,\Lambda_{ii}",
                 -0.5 * log_det(precision / np.sqrt(np.outer(variances, variances))),
                 because="a determinant is multiplicative")

    yield mistake(r"\tfrac12 \left(\sum_i \log\Sigma_{ii} - \log\det\Sigma\right),\quad \Sigma = \Lambda^{-1}",
                  0.5 * (np.sum(np.log(np.diag(covariance))) - log_det(covariance)),
                  because="that is the best KL[p || q]; for two latents both happen to agree")

    yield mistake(r"\mathrm{KL}[N(\mu, \mathrm{diag}\,\Sigma_{ii}) \| N(\mu, \Lambda^{-1})]",
                  model.kl_gaussian(np.zeros(3), np.diag(np.diag(covariance)), np.zeros(3), covariance),
                  because="the marginal variances are too wide for this divergence")

    yield at_least(r"\tfrac12 \left(\log\det\Lambda_{12,12} + \log\Lambda_{33} - \log\det\Lambda\right)",
                   expressive.smallest_gap(theta, expressive.PAIR),
                   because="a family with one pair left dependent contains the factorised one",
                   claim="ou2018.expressive")


@derivation(expressive.random_case)
def rotation(theta, x):
    """Rotating the latents leaves the evidence as it is and removes the gap: a learned generator can adapt."""
    _, _, R = np.linalg.svd(np.linalg.solve(np.linalg.cholesky(theta["Psi"]), theta["W"]), full_matrices=False)
    rotated = {**theta, "W": theta["W"] @ R.T}
    mixed = {**theta, "W": theta["W"] @ (R.T + 0.1)}

    def best_bound(theta):
        return model.log_marginal(theta, x) - expressive.smallest_gap(theta, expressive.FACTORISED)

    yield start(r"\log p_\theta(x)", model.log_marginal(theta, x))

    yield equals(r"\log p_{\theta'}(x),\quad W' = W R^\top,\quad R R^\top = I", model.log_marginal(rotated, x),
                 because="p(x) depends on W W' only, as the prior of h is the same in all directions")

    yield equals(r"\mathcal L(x;\theta',\phi^*_x)\ \text{of the best factorised } q",
                 gap.bound(rotated, x[None], gap.best_factorised(rotated, x[None]))[0],
                 because="R from the singular vectors makes the posterior's precision diagonal")

    yield mistake(r"\mathcal L(x;\theta,\phi^*_x)\ \text{of the best factorised } q", best_bound(theta),
                  because="for the old theta the gap stays, however long q is trained", claim="ou2018.mismatch_gap")

    yield mistake(r"\log p_{\theta''}(x),\quad W'' = W M\ \text{with any } M", model.log_marginal(mixed, x),
                  because="only a rotation keeps the evidence")
