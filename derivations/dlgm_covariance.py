r"""A layer of a deep latent Gaussian model has the covariance $G G^\top$.

The layer adds mixed noise to a mean, $h = T + G \xi$ with $\xi \sim N(0, I)$. That is all a Gaussian with a full
covariance needs: no matrix is inverted to sample it, and the noise enters as an argument, so that gradients pass
through it. The order of the two factors is easily got wrong, and for a symmetric $G$ nobody would notice; here $G$ is
not symmetric. Means over the noise are Gauss-Hermite sums, exact for polynomials.
"""
import numpy as np

from refdgm.derivation import derivation, equals, mistake, start
from refdgm.models import dlgm
from refdgm.numerics import full_gaussian_log_prob, gauss_hermite, gaussian_log_prob


@derivation(dlgm.random_case)
def covariance(theta, h2):
    r"""The noise G xi gives a layer the covariance G G^T."""
    G = theta["G"]
    xi, w = gauss_hermite(6, len(G))
    h1 = dlgm.generate(theta, h2, xi, 0.0)[1]
    T, _ = dlgm.layer_moments(theta, h2)

    yield start(r"\mathbb E[h h^\top] - \mathbb E[h]\, \mathbb E[h]^\top",
                h1.T @ (w[:, None] * h1) - np.outer(w @ h1, w @ h1), claim="ou2018.eq3")

    yield equals(r"\mathbb E[(h - T)(h - T)^\top]", (h1 - T).T @ (w[:, None] * (h1 - T)),
                 because="the noise has mean zero, so E[h] = T")

    noise = xi @ G.T
    yield equals(r"\mathbb E[G \xi \xi^\top G^\top]", sum(w_i * np.outer(n, n) for w_i, n in zip(w, noise)),
                 because="h - T = G xi")

    yield equals(r"G\, \mathbb E[\xi \xi^\top]\, G^\top", G @ (xi.T @ (w[:, None] * xi)) @ G.T,
                 because="G does not depend on the noise: it leaves the mean on both sides")

    yield equals(r"G G^\top", G @ G.T, because="the noise is standard normal: E[xi xi^T] = I", claim="ou2018.eq3")

    yield mistake(r"G^\top G", G.T @ G, because="the order of the factors: right only if G is normal")
    yield mistake(r"G", G, because="G is a square root of the covariance, as a standard deviation is of a variance")
    yield mistake(r"\mathrm{diag}(G_{ii}^2)", np.diag(np.diag(G)**2),
                  because="every row of G mixes all the noise: the units of the layer are correlated",
                  claim="ou2018.eq4.vs_eq3")


@derivation(dlgm.random_case)
def density(theta, h2):
    r"""The density of the layer is the density of its noise, stretched by G."""
    G = theta["G"]
    T, covariance = dlgm.layer_moments(theta, h2)
    xi = np.random.default_rng(0).normal(size=(5, len(G)))
    h1 = dlgm.generate(theta, h2, xi, 0.0)[1]
    log_det = np.log(np.abs(np.linalg.det(G)))

    yield start(r"\log p(h | h') \text{ at } h = T + G \xi", dlgm.log_layer(theta, h1, h2), claim="ou2018.eq3")

    yield equals(r"\log N(\xi; 0, I) - \log |\det G|", gaussian_log_prob(xi, 0.0, 1.0) - log_det,
                 because="change of variables: G stretches volumes by |det G|", claim="ou2018.eq5.invertible")

    yield mistake(r"\log N(\xi; 0, I) + \log |\det G|", gaussian_log_prob(xi, 0.0, 1.0) + log_det,
                  because="stretching makes a density smaller")

    d = h1 - T
    n = len(G)
    precision = np.linalg.inv(G).T @ np.linalg.inv(G)
    yield equals(r"-\tfrac12 (h - T)^\top G^{-\top} G^{-1} (h - T) - \log |\det G| - \tfrac n2 \log 2\pi",
                 -0.5 * np.einsum("ki,ij,kj->k", d, precision, d) - log_det - n / 2 * np.log(2 * np.pi),
                 because="xi = G^{-1} (h - T)")

    _, log_det_covariance = np.linalg.slogdet(covariance)
    whitened = np.einsum("ki,ki->k", d, np.linalg.solve(covariance, d.T).T)
    yield equals(r"-\tfrac12 (h - T)^\top (G G^\top)^{-1} (h - T) - \tfrac12 \log \det (2\pi\, G G^\top)",
                 -0.5 * (whitened + log_det_covariance + n * np.log(2 * np.pi)),
                 because="(G G^T)^{-1} = G^{-T} G^{-1} and det G G^T = (det G)^2: it is N(T, G G^T)")

    yield mistake(r"\log N(h; T, G^\top G)", full_gaussian_log_prob(h1, T, G.T @ G),
                  because="the same determinant, but another precision")
