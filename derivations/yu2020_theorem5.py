r"""Why the eigenvalues of the game's Jacobian have negative real parts, and which bounds hold (yu2020 Theorem 5).

The off-diagonal blocks of $J = f''(1) \left(\begin{smallmatrix} -K_{EE} & K_{EH} \\ -K_{EH}^\top & -K_{HH}
\end{smallmatrix}\right)$ are opposite, so they turn and do not stretch: for a unit eigenvector $(a, b)$ they drop out
of the real part of $\lambda$. What remains is a sum of two quadratic forms. For an eigenvalue that is not real the two
players share the eigenvector evenly, which gives the second bullet of the theorem.

The first bullet, for real eigenvalues, cannot be right for more than one parameter. $K_{EH}$ is an outer product, so
the smallest eigenvalue of $K_{EH} K_{EH}^\top$ is zero and the bound reads $\lambda < 0 < 0$. Eliminating $b$ gives a
bound that holds in every dimension: the Schur complement takes the place of $K_{EH} K_{EH}^\top$.
"""
import numpy as np

from refdgm.adversarial import stability
from refdgm.derivation import at_most, derivation, equals, mistake, start
from refdgm.models.energy_game import (blocks, covariance, definite, jacobian, mean, mean_in_covariances,
                                       random_gradients)


def one_model(kind, wanted=lambda K, values: True, d=2, e=3):
    """A case with one random model, K_EE definite, that has an eigenvalue of the kind wanted."""
    def case(seed):
        many = definite(60, kind, d, e)(seed)
        for p, dE, dH, k in zip(many["p"], many["dE"], many["dH"], many["curvature"]):
            K = blocks(p, dE, dH)
            if wanted(K, np.linalg.eigvals(jacobian(K, 1.0))):
                return {"K": K, "k": k}
        raise ValueError(f"none of {len(many['p'])} random models has the eigenvalue wanted.")
    return case


def eigen(K, k, keep):
    """The eigenvalues to keep, and the parts a and b of their unit eigenvectors, as rows."""
    eigenvalues, vectors = np.linalg.eig(jacobian(K, k))
    which = np.flatnonzero(keep(eigenvalues))
    d = len(K.EE)
    return eigenvalues[which], vectors[:d, which].T, vectors[d:, which].T


def form(K, a):
    """a* K a for each row a."""
    return np.einsum("ni,ij,nj->n", a.conj(), K, a).real


def slow_real(K, eigenvalues):
    """There is a real eigenvalue (for f''(1) = 1) above -min K_HH."""
    real = eigenvalues[eigenvalues.imag == 0].real
    return real.size > 0 and np.max(real) > -stability.smallest(K.HH)


@derivation(one_model("complex"))
def real_part(K, k):
    """The real part of every eigenvalue is minus a sum of two quadratic forms."""
    eigenvalues, a, b = eigen(K, k, lambda values: values.imag >= 0)

    yield start(r"\mathrm{Re}\, \lambda", eigenvalues.real, claim="yu2020.thm5.hurwitz")

    yield equals(r"\mathrm{Re}\left(-a^* K_{EE} a + a^* K_{EH} b - b^* K_{EH}^\top a - b^* K_{HH} b\right) f''(1)",
                 k * (-form(K.EE, a) - form(K.HH, b)
                      + np.einsum("ni,ij,nj->n", a.conj(), K.EH, b).real
                      - np.einsum("nj,ij,ni->n", b.conj(), K.EH, a).real),
                 because="lambda = (a, b)* J (a, b) for a unit eigenvector")

    yield equals(r"-f''(1) \left(a^* K_{EE} a + b^* K_{HH} b\right)", -k * (form(K.EE, a) + form(K.HH, b)),
                 because="the two cross terms are conjugates with opposite signs: their sum is imaginary")

    yield mistake(r"-f''(1)\, a^* K_{EE} a", -k * form(K.EE, a), because="omega damps as well")

    yield mistake(r"-f''(1) \left(a^\top K_{EE} a + b^\top K_{HH} b\right)",
                  -k * (np.einsum("ni,ij,nj->n", a, K.EE, a) + np.einsum("ni,ij,nj->n", b, K.HH, b)).real,
                  because="transposed without conjugation")

    yield at_most(r"-f''(1) \min\left(\underline\lambda(K_{EE}),\ \underline\lambda(K_{HH})\right)",
                  np.full(len(a), -k * min(stability.smallest(K.EE), stability.smallest(K.HH))),
                  because="|a|^2 + |b|^2 = 1")


@derivation(one_model("complex"))
def complex_eigenvalues(K, k):
    """Where lambda is not real, both players have half of the eigenvector, and the bound is a mean of two."""
    eigenvalues, a, b = eigen(K, k, lambda values: values.imag > 0)

    yield start(r"\mathrm{Re}\, \lambda", eigenvalues.real, claim="yu2020.thm5.complex")

    size_a, size_b = np.sum(np.abs(a)**2, axis=-1), np.sum(np.abs(b)**2, axis=-1)
    yield equals(r"-f''(1) \left(a^* K_{EE} a + b^* K_{HH} b\right)", -k * (form(K.EE, a) + form(K.HH, b)),
                 because="the cross terms are imaginary")

    yield equals(r"-\tfrac{f''(1)}2 \left(\hat a^* K_{EE} \hat a + \hat b^* K_{HH} \hat b\right)",
                 -k / 2 * (form(K.EE, a) / size_a + form(K.HH, b) / size_b),
                 because="the imaginary parts of the two rows of J(a, b) = lambda(a, b) give |a| = |b|; "
                         "hats have norm one")

    yield mistake(r"-f''(1) \left(\hat a^* K_{EE} \hat a + \hat b^* K_{HH} \hat b\right)",
                  -k * (form(K.EE, a) / size_a + form(K.HH, b) / size_b), because="the halves have norm 1/2 each")

    yield at_most(r"-\tfrac{f''(1)}2 \left(\underline\lambda(K_{EE}) + \underline\lambda(K_{HH})\right)",
                  stability.complex_bound(K, k) + 0 * size_a, because="Rayleigh", claim="yu2020.thm5.complex")

    yield mistake(r"-\tfrac{f''(1)}2 \left(\overline\lambda(K_{EE}) + \overline\lambda(K_{HH})\right)",
                  -k / 2 * (stability.largest(K.EE) + stability.largest(K.HH)) + 0 * size_a,
                  because="the largest eigenvalues bound from the other side")


@derivation(one_model("real", slow_real))
def real_eigenvalues(K, k):
    """A real eigenvalue obeys the bound of the Schur complement, in any dimension."""
    slow = -k * stability.smallest(K.HH)
    eigenvalues, a, _ = eigen(K, k, lambda values: (values.imag == 0) & (values.real > slow))
    slowest = np.argmax(eigenvalues.real)
    value, a = eigenvalues[slowest].real, a[slowest].real / np.linalg.norm(a[slowest].real)

    yield start(r"\lambda", value, claim="yu2020.thm5.real")

    shifted = K.EE + K.EH @ np.linalg.solve(K.HH + value / k * np.eye(len(K.HH)), K.EH.T)
    yield equals(r"-f''(1)\, \hat a^\top \left(K_{EE}"
                 r" + K_{EH} (K_{HH} + \lambda/f''(1))^{-1} K_{EH}^\top\right) \hat a",
                 -k * a @ shifted @ a, because="eliminate b: the second row of J(a, b) = lambda(a, b)")

    schur = K.EE + K.EH @ np.linalg.inv(K.HH) @ K.EH.T
    yield mistake(r"-f''(1)\, \hat a^\top \left(K_{EE} + K_{EH} K_{HH}^{-1} K_{EH}^\top\right) \hat a",
                  -k * a @ schur @ a, because="not equal: lambda shifts K_HH")

    yield at_most(r"-f''(1)\, \hat a^\top \left(K_{EE} + K_{EH} K_{HH}^{-1} K_{EH}^\top\right) \hat a",
                  -k * a @ schur @ a,
                  because="-min K_HH < lambda/f''(1) < 0, so the shifted inverse is the larger one")

    yield at_most(r"-f''(1)\, \underline\lambda\left(K_{EE} + K_{EH} K_{HH}^{-1} K_{EH}^\top\right)",
                  -k * np.linalg.eigvalsh(schur)[0], because="Rayleigh", claim="yu2020.thm5.real")

    yield mistake(r"\frac{-f''(1) \underline\lambda(K_{HH}) \underline\lambda(K_{EH} K_{EH}^\top)}"
                  r"{\underline\lambda(K_{HH}) \overline\lambda(K_{EE}, K_{HH})"
                  r" + \underline\lambda(K_{EH} K_{EH}^\top)}",
                  stability.printed_real_bound(K, k), because="as printed: zero, since K_EH K_EH^T has rank one",
                  claim="yu2020.thm5.real")


def any_gradients(seed):
    """One law and one table of gradients, with a mean of any length."""
    off = np.random.default_rng([seed, 69]).uniform(0.3, 3.0)
    case = random_gradients(seed, off, n=1, d=3)
    return {"p": case["p"][0], "dE": case["dE"][0]}


@derivation(any_gradients)
def definite_or_not(p, dE):
    """K_EE is positive semidefinite if and only if the mean gradient is at most one standard deviation long."""
    m, C = mean(p, dE), covariance(p, dE)

    yield start(r"\det K_{EE}", np.linalg.det(blocks(p, dE, dE).EE), claim="yu2020.thm5.psd")

    yield equals(r"\det\left(\mathrm{Cov} - m m^\top\right)", np.linalg.det(C - np.outer(m, m)),
                 because="K_EE = E[dE dE^T] - 2 m m^T, and the covariance has taken one of the two")

    root = np.linalg.cholesky(C)
    w = np.linalg.solve(root, m)
    yield equals(r"\det L\, \det\left(I - w w^\top\right) \det L^\top",
                 np.linalg.det(root)**2 * np.linalg.det(np.eye(len(m)) - np.outer(w, w)),
                 because="Cov = L L^T and w = L^-1 m, the mean in standard deviations")

    yield equals(r"\det \mathrm{Cov} \left(1 - m^\top \mathrm{Cov}^{-1} m\right)",
                 np.linalg.det(C) * (1 - mean_in_covariances(p, dE)),
                 because="I - w w^T has the eigenvalues 1, ..., 1 and 1 - |w|^2: at most one of K_EE is negative")

    yield mistake(r"\det \mathrm{Cov} \left(1 - m^\top m\right)", np.linalg.det(C) * (1 - m @ m),
                  because="the length counts in standard deviations")

    yield mistake(r"\det \mathrm{Cov} \left(1 + m^\top \mathrm{Cov}^{-1} m\right)",
                  np.linalg.det(C) * (1 + mean_in_covariances(p, dE)),
                  because="that is the second moment, which is always definite")
