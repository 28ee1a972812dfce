r"""Where the gap of the bound comes from, observation by observation (ou2018 Sec. 3.2.1; Cremer et al. 2018).

    log p(x) - L(x) = approximation gap + amortisation gap,      both KL divergences, in closed form

for the linear-Gaussian model of refdgm.directed.inference_gap: what the factorised family cannot reach, and what the
inference network does not reach although the family could.
"""
from refdgm.directed import inference_gap
from refdgm.drawing import BLUE, VERMILLION, plain
from refdgm.models import linear_gaussian

NAME, TITLE = "inference_gap", "the gap of the bound, and which part of it is the network's fault"


def make(quick=False, seed=0):
    """A row for each observation: log p(x), the bound, and the two parts of what lies between."""
    case = inference_gap.random_case(seed, n=4 if quick else 8)
    parts = inference_gap.gaps(**case)
    log_p = linear_gaussian.log_marginal(case["theta"], case["X"])
    return plain([{"x": n + 1, "log_p": log_p[n], "bound": log_p[n] - sum(gap[n] for gap in parts.values()),
                   **{part: gap[n] for part, gap in parts.items()}} for n in range(len(log_p))])


def draw(figure, rows):
    """Stacked bars: the family's part below, the network's above."""
    axes = figure.subplots()
    places, below = [row["x"] for row in rows], [row["approximation"] for row in rows]
    axes.bar(places, below, color=BLUE, label="approximation gap: the family", width=0.6)
    axes.bar(places, [row["amortisation"] for row in rows], bottom=below, color=VERMILLION, hatch="//", alpha=0.85,
             label="amortisation gap: the network", width=0.6)
    axes.set(xlabel="observation", ylabel=r"nats: $\log p(x) - \mathcal{L}(x)$", xticks=places)
    axes.legend()
