r"""What the eigenvalues of the Jacobian say of the game: rates, transients, steps (yu2020 Sec. 4, footnote 3).

Near an equilibrium the flow is $\dot z = J z$. Its distance from the equilibrium shrinks like $e^{\alpha t}$ with
$\alpha = \max \mathrm{Re}\, \lambda$, but only in the long run. At the start it is the symmetric part of $J$ that
counts, and since the two off-diagonal blocks are opposite, that part is $-f''(1)\, \mathrm{diag}(K_{EE}, K_{HH})$: with
definite blocks the distance never grows, not even for a moment.

Algorithms take steps. A step of both players at once multiplies $z$ by $I + \eta J$; if they move in turn, $\theta$
sees the new $\omega$, and a term of order $\eta^2$ is added. Both inherit $\alpha$ as $\eta \to 0$; a large step
destroys what the flow promises, the sooner the faster the game rotates.
"""
import numpy as np

from refdgm.adversarial import game_dynamics
from refdgm.adversarial.stability import smallest
from refdgm.derivation import approaches, at_most, derivation, equals, mistake, start
from refdgm.models.energy_game import blocks, definite, jacobian


def one_game(seed):
    """The blocks of one game, that with the best conditioned J of 20 with a definite K_EE, and a displacement z."""
    case, rng = definite(20)(seed), np.random.default_rng([seed, 71])
    def condition(i): return np.linalg.cond(jacobian(blocks(case["p"][i], case["dE"][i], case["dH"][i]), 1.0))
    best = min(range(20), key=condition)
    return {"K": blocks(case["p"][best], case["dE"][best], case["dH"][best]), "k": case["curvature"][best],
            "z": rng.normal(size=5)}


def in_turn(J, eta, d, order=("omega", "theta")):
    """The product of the two half-steps, in which each player sees what the other has just done."""
    step = {"theta": np.eye(len(J)), "omega": np.eye(len(J))}
    step["theta"][:d] += eta * J[:d]
    step["omega"][d:] += eta * J[d:]
    return step[order[1]] @ step[order[0]]


def radius(A):
    return np.max(np.abs(np.linalg.eigvals(A)))


@derivation(one_game)
def rates(K, k, z):
    """In the long run the largest real part is the rate, for the flow and for small steps of both kinds."""
    J, d = jacobian(K, k), len(K.EE)

    yield start(r"\alpha = \max \mathrm{Re}\, \lambda(J)", game_dynamics.spectral_abscissa(J), claim="yu2020.thm5.rate")

    yield approaches(r"\tfrac1t \log \lVert e^{Jt} \rVert,\ t \to \infty",
                     [game_dynamics.log_growth(J, t) for t in (1.0, 2.0**12, 2.0**34)],
                     because="Gelfand: the eigenvectors' share is a constant, and vanishes like 1/t")

    yield mistake(r"\log \lVert e^J \rVert", game_dynamics.log_growth(J, 1.0),
                  because="after a finite time the eigenvectors count, too", claim="yu2020.thm5.rate")

    steps = 10.0**-np.array([0, 4, 7])
    yield approaches(r"\tfrac1\eta \log \rho(I + \eta J),\ \eta \to 0",
                     [np.log(radius(np.eye(len(J)) + eta * J)) / eta for eta in steps],
                     because="log |1 + eta lambda| = eta Re lambda + O(eta^2)", claim="yu2020.fn3", allowed=1e-5)

    yield approaches(r"\tfrac1\eta \log \rho(\text{omega's step, then theta's}),\ \eta \to 0",
                     [np.log(radius(in_turn(J, eta, d))) / eta for eta in steps],
                     because="the product of the half-steps is I + eta J + O(eta^2)", claim="yu2020.fn3", allowed=1e-5)

    yield mistake(r"\min \mathrm{Re}\, \lambda(J)", np.min(np.linalg.eigvals(J).real),
                  because="the slowest direction decides, not the fastest")

    yield mistake(r"\tfrac12 \max \lambda(J + J^\top)", np.linalg.eigvalsh(J + J.T)[-1] / 2,
                  because="that is the rate at the start, from the worst direction")


@derivation(one_game)
def no_transient(K, k, z):
    """With definite blocks the distance from the equilibrium falls from the first moment on."""
    J, d = jacobian(K, k), len(K.EE)
    a, b = z[:d], z[d:]

    yield start(r"\tfrac{d}{dt} \tfrac12 \lvert z \rvert^2 = z^\top J z", z @ J @ z, claim="yu2020.thm5.hurwitz")

    yield equals(r"\tfrac12 z^\top (J + J^\top) z", np.sum(np.linalg.eigh((J + J.T) / 2)[0]
                                                         * (np.linalg.eigh((J + J.T) / 2)[1].T @ z)**2),
                 because="a quadratic form sees the symmetric part only; summed along its axes")

    yield equals(r"-f''(1) \left(a^\top K_{EE} a + b^\top K_{HH} b\right)", -k * (a @ K.EE @ a + b @ K.HH @ b),
                 because="the off-diagonal blocks are opposite: they turn z and do not stretch it")

    yield mistake(r"-f''(1) \left(a^\top K_{EE} a + b^\top K_{HH} b - 2 a^\top K_{EH} b\right)",
                  -k * (a @ K.EE @ a + b @ K.HH @ b - 2 * a @ K.EH @ b),
                  because="as if J were symmetric")

    yield at_most(r"-f''(1) \min\left(\underline\lambda(K_{EE}),\ \underline\lambda(K_{HH})\right) \lvert z \rvert^2",
                  -k * min(smallest(K.EE), smallest(K.HH)) * (z @ z),
                  because="Rayleigh, for each player: negative where both blocks are definite")

    yield mistake(r"\alpha \lvert z \rvert^2", game_dynamics.spectral_abscissa(J) * (z @ z),
                  because="that rate holds along one eigenvector, in the long run", claim="yu2020.thm5.rate")


@derivation(game_dynamics.oscillating)
def largest_step(J):
    """Simultaneous steps converge up to the least 2 |Re lambda| / |lambda|^2, and no further."""
    eigenvalues = np.linalg.eigvals(J)

    yield start(r"\sup \{\eta : \rho(I + \eta J) < 1\}", game_dynamics.step_by_bisection(J), claim="yu2020.fn3")

    roots = [max(np.roots([abs(value)**2, 2 * value.real, 0.0]).real) for value in eigenvalues]
    yield equals(r"\min_\lambda \{\eta > 0 : 1 + 2 \eta\, \mathrm{Re}\, \lambda + \eta^2 |\lambda|^2 = 1\}", min(roots),
                 because="|1 + eta lambda| = 1, squared: a parabola in eta for each eigenvalue")

    yield equals(r"\min_\lambda 2 |\mathrm{Re}\, \lambda| / |\lambda|^2",
                 np.min(2 * np.abs(eigenvalues.real) / np.abs(eigenvalues)**2), because="its second root")

    yield mistake(r"\min_\lambda 2 / |\lambda|", np.min(2 / np.abs(eigenvalues)),
                  because="right for a minimisation, where all eigenvalues are real; a game rotates")

    yield mistake(r"2 / \max |\mathrm{Re}\, \lambda|", 2 / np.max(np.abs(eigenvalues.real)),
                  because="the imaginary part makes the step overshoot")
