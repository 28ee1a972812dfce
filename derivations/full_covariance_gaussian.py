r"""A Gaussian posterior with full covariance costs no determinant.

A factorised posterior cannot say that two latents depend on each other. With $z=\mu+L\epsilon$ and a triangular $L$ it
can: the covariance is $LL^\top$, any covariance has such a factor, and the log-density of a sample needs only its own
noise and the diagonal of $L$. Nothing is inverted, and $\log\det$ is a sum. It is also the simplest inverse
autoregressive flow: one step that is linear in the noise.

Densities are taken at a few samples; means and divergences are quadratures in the plane. One diagonal entry of $L$ is
negative, so that the absolute value under the logarithm matters.
"""
import autograd.numpy as np

from refdgm.derivation import derivation, equals, mistake, start
from refdgm.models import gaussian_posterior as q
from refdgm.numerics import LOG_2PI, full_gaussian_log_prob, gauss_hermite, gaussian_log_prob


@derivation(q.random_full_case)
def density(mu, L, eps):
    """The log-density of z = mu + L eps from eps and the diagonal of L."""
    z = mu + eps @ L.T
    d = z - mu
    covariance = L @ L.T
    noise = -0.5 * np.sum(eps**2 + LOG_2PI, axis=-1)

    yield start(r"\log N(z;\mu,LL^\top)", full_gaussian_log_prob(z, mu, covariance), claim="kingma2019.toc.2.5.1")

    yield equals(r"-\tfrac12|L^{-1}(z-\mu)|^2-\tfrac12\log\det LL^\top-\tfrac n2\log2\pi",
                 -0.5 * np.sum(np.linalg.solve(L, d.T)**2, axis=0) - 0.5 * np.log(np.linalg.det(covariance)) - LOG_2PI,
                 because="the quadratic form of the inverse covariance is a squared length")

    yield equals(r"\log N(\epsilon;0,I)-\log|\det L|", noise - np.log(abs(np.linalg.det(L))),
                 because="the noise is that length's vector, and det(L L') is det(L) squared")

    yield mistake(r"\log N(\epsilon;0,I)-\log\det LL^\top", noise - np.log(np.linalg.det(covariance)),
                  because="the half in front of the log-determinant is lost")

    yield mistake(r"\log N(\epsilon;0,I)+\log|\det L|", noise + np.log(abs(np.linalg.det(L))),
                  because="where L stretches, the density gets thinner")

    yield equals(r"\log N(\epsilon;0,I)-\sum_i\log|L_{ii}|", q.log_q_full(L, eps),
                 because="the determinant of a triangular matrix is the product of its diagonal",
                 claim="kingma2019.toc.2.5.1")

    yield mistake(r"\log N(\epsilon;0,I)-\tfrac12\sum_i\log(LL^\top)_{ii}",
                  noise - 0.5 * np.sum(np.log(np.diag(covariance))),
                  because="those are variances: the diagonal of L is what the components before leave of them")


@derivation(q.random_full_case)
def covariance(mu, L, eps):
    """The sample's covariance is L L'."""
    nodes, w = gauss_hermite(4, 2)
    z = q.sample_full(mu, L, nodes)

    def second_moment(d):
        return np.dot((w[:, None] * d).T, d)

    yield start(r"\mathbb E_\epsilon[(z-\mu)(z-\mu)^\top]", second_moment(z - mu))

    yield equals(r"L\,\mathbb E_\epsilon[\epsilon\epsilon^\top]L^\top", L @ second_moment(nodes) @ L.T,
                 because="z is linear in the noise")

    yield equals(r"LL^\top", L @ L.T, because="the noise is uncorrelated and of variance one",
                 claim="kingma2019.toc.2.5.1")

    yield mistake(r"L^\top L", L.T @ L, because="the order matters: L acts on the noise from the left")

    yield mistake(r"\mathrm{diag}(L_{11}^2,L_{22}^2)", np.diag(np.diag(L)**2),
                  because="that is the factorised posterior, which the off-diagonal entries go beyond")


@derivation(q.random_full_case)
def divergence(mu, L, eps):
    """The divergence from the prior in closed form."""
    z, w = q.plane(n=101, reach=10.0)
    log_q = full_gaussian_log_prob(z + mu, mu, L @ L.T)
    mass = w * np.exp(log_q)
    log_det = np.sum(np.log(np.abs(np.diag(L))))

    yield start(r"D_{KL}(q(z)\|N(0,I))", np.sum(mass * (log_q - gaussian_log_prob(z + mu, 0.0, 1.0))))

    yield equals(r"\tfrac12\mathbb E_q|z|^2-\tfrac12\mathbb E|\epsilon|^2-\sum_i\log|L_{ii}|",
                 0.5 * np.sum(mass * np.sum((z + mu)**2, axis=-1)) - len(mu) / 2 - log_det,
                 because="the normal constants cancel, and the quadratic form of q is that of its noise")

    yield equals(r"\tfrac12(\mathrm{tr}\,LL^\top+\mu^\top\mu-n)-\sum_i\log|L_{ii}|", q.kl_to_prior_full(mu, L),
                 because="a second moment is variance plus squared mean", claim="kingma2019.toc.2.5.1")

    yield mistake(r"\tfrac12(\mathrm{tr}\,LL^\top+\mu^\top\mu-n)-\log\det LL^\top",
                  0.5 * (np.sum(L**2) + mu @ mu - len(mu)) - 2 * log_det,
                  because="the half belongs to the log-determinant, too")

    yield mistake(r"\tfrac12\sum_i(\mu_i^2+\Sigma_{ii}-1-\log\Sigma_{ii}),\ \Sigma=LL^\top",
                  q.kl_to_prior(mu, 0.5 * np.log(np.diag(L @ L.T))),
                  because="a sum over components misses their correlation, which costs more",
                  claim="kingma2019.toc.2.5")
