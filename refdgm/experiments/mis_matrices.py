r"""Metropolis independence sampling as a matrix: right, and with the weight that is never updated (ou2018 Sec. 3.2.3).

    P(h, h') = q(h') min{1, w(h') / w(h)}          what is rejected stays

The rows of the right matrix differ, and pi P = pi. With the weight of the first state for ever, as in a released
implementation, every row is the same but for what stays, and the chain settles on another law.
"""
import numpy as np

from refdgm.drawing import INK, MARKS, plain
from refdgm.numerics import softmax
from refdgm.samplers import independence

NAME, TITLE = "mis_matrices", "the transition matrix of Metropolis independence sampling, and of a shipped mistake"
KINDS = {"the weight moves with the state": independence.chain,
         "the weight is never updated": independence.weight_never_updated}


def make(quick=False, seed=0):
    """A row for each entry of each matrix, then the target and the law that each chain settles on."""
    case = independence.random_case(seed)
    rows = [{"kind": kind, "from": s + 1, "to": t + 1, "probability": P[s, t]}
            for kind, of in KINDS.items() for P in [of(**case)] for s in range(len(P)) for t in range(len(P))]
    target = softmax(case["log_p"])
    for kind, of in KINDS.items():
        settled = np.linalg.matrix_power(of(**case), 10_000)[0]
        rows += [{"kind": kind, "state": s + 1, "target": target[s], "settled": settled[s]}
                 for s in range(len(target))]
    return plain(rows)


def draw(figure, rows):
    """The two matrices, dots by area, and what they settle on beside the target."""
    figure.set_size_inches(10.0, 3.6)
    panels = figure.subplots(1, 3)
    for axes, (kind, style) in zip(panels, zip(KINDS, MARKS)):
        entries = [row for row in rows if row["kind"] == kind and "from" in row]
        axes.scatter([row["to"] for row in entries], [row["from"] for row in entries],
                     [900 * row["probability"] for row in entries], color=style[0])
        axes.set(title=kind, xlabel="to state", ylabel="from state", aspect="equal", xlim=(0.4, 5.6), ylim=(5.6, 0.4),
                 xticks=range(1, 6), yticks=range(1, 6))
    last = panels[2]
    for number, (kind, (colour, marker, dashes)) in enumerate(zip(KINDS, MARKS)):
        law = [row for row in rows if row["kind"] == kind and "settled" in row]
        last.plot([row["state"] for row in law], [row["settled"] for row in law], color=colour, marker=marker,
                  linestyle=dashes, label=kind, zorder=2 + number)
    last.plot([row["state"] for row in law], [row["target"] for row in law], "_", color=INK, markersize=22,
              markeredgewidth=2.0, label="the target")
    last.set(title="what the chain settles on", xlabel="state", ylabel="probability", xticks=range(1, 6))
    last.set(ylim=(0.0, 0.8))
    last.legend(fontsize=8, loc="upper right")
