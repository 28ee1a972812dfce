r"""The spectra of f-EBM's game at its equilibrium, and how it gets there (yu2020 Sec. 4).

    J / f''(1) = [[-K_EE, K_EH], [-K_EH^T, -K_HH]]       every eigenvalue left of zero if K_EE >= 0 and K_HH > 0
    |z - z*|   falls at the rate max Re lambda, in a time that counts f''(1)

The eigenvalues are those of random games with K_EE positive definite, and with an indefinite K_EE and an H that is
learned slowly, where Theorem 5 does not hold. On the right the flow of Eq. 19, of one game, under several divergences.
"""
import numpy as np

from refdgm.adversarial import game_dynamics as dynamics
from refdgm.drawing import BLUE, INK, VERMILLION, curve, decades, plain, reference
from refdgm.models import energy_game as games

NAME, TITLE = "febm_spectra", "the spectra of f-EBM's game at its equilibrium"
FLOWS = ("kl", "reverse kl", "jensen-shannon", "pearson")
KINDS = {"K_EE positive definite": ((0.3, 0.95), 1.0, BLUE, "o"), "K_EE indefinite": ((3.0, 9.0), 0.2, VERMILLION, "x")}


def make(quick=False, seed=0):
    """A row for each eigenvalue, and one for each time of each flow."""
    rows = []
    for number, (kind, (span, weak_H, _, _)) in enumerate(KINDS.items()):
        off = np.random.default_rng([seed, number]).uniform(*span, size=10 if quick else 150)
        case = games.random_models(seed, off, len(off), weak_H=weak_H)
        J = games.jacobian(games.blocks(case["p"], case["dE"], case["dH"]), np.ones(len(off)))
        rows += [{"panel": "spectra", "kind": kind, "game": n, "real": value.real, "imaginary": value.imag}
                 for n, matrix in enumerate(J) for value in np.linalg.eigvals(matrix)]
    return plain(rows + [row for name in FLOWS for row in flow(name, 20 if quick else 100, seed)])


def flow(name, steps, seed):
    """The distance from the equilibrium of one game along its flow, and what the linearisation makes of it."""
    case = games.stable_game(seed)
    game, z = case["game"], np.concatenate([case["theta"], case["omega"]])
    away = np.random.default_rng([seed, 2]).normal(size=len(z))
    away *= 0.3 / np.linalg.norm(away)
    path = dynamics.flow(case["theta"], case["omega"], game, name, z + away, steps)
    dE, dH = np.tanh(case["theta"] + game["s"]), np.tanh(case["omega"] + game["t"])
    rate = np.max(np.linalg.eigvals(games.jacobian(games.blocks(game["p"], dE, dH), 1.0)).real)
    return [{"panel": "flow", "divergence": name, "time": 0.5 * n, "distance": distance,
             "linear_rate": 0.3 * np.exp(0.5 * n * rate)}
            for n, distance in enumerate(np.linalg.norm(path - z, axis=1))]


def draw(figure, rows):
    """Eigenvalues on the left, distances on the right."""
    left, right = figure.subplots(1, 2)
    for kind, (_, _, colour, marker) in KINDS.items():
        chosen = [row for row in rows if row.get("kind") == kind]
        left.plot([row["real"] for row in chosen], [row["imaginary"] for row in chosen], color=colour, marker=marker,
                  linestyle="", markersize=3.5, alpha=0.8, label=kind.replace("K_EE", "$K_{EE}$"))
    left.axvline(0.0, color=INK, linewidth=1.2)
    left.set(xlabel=r"Re $\lambda\,/\,f''(1)$", ylabel=r"Im $\lambda\,/\,f''(1)$", title="eigenvalues at equilibrium")
    left.set_xscale("symlog", linthresh=0.1)
    left.set_xticks([-10, -1, -0.1, 0.1, 1, 10])
    for number, name in enumerate(FLOWS):
        chosen = [row for row in rows if row.get("divergence") == name]
        curve(right, chosen, "time", "distance", name, number, marker="")
    reference(right, chosen, "time", "linear_rate", r"$e^{\,t\,\max\,\mathrm{Re}\,\lambda}$")
    right.set(xlabel="time, in units of $1/f''(1)$", ylabel="distance from the equilibrium",
              title="the flow of one game")
    decades(right, y=True)
    left.legend(), right.legend()
