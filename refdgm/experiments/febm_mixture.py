r"""f-EBM on the mixture of two Gaussians: which one each divergence selects, what is learned (yu2020 Sec. 6.1).

    target   0.33 N(-1, 0.25^2) + 0.67 N(2, 2)               model   E = (x - mu)^2 / (2 sigma^2)

    table    every divergence: the optimum by quadrature, what is learned if both expectations are sums, what is learned
             from minibatches of samples of both laws, and the second minimum where there is one
    density, ratio      data, optimum and learned model; log p/q and the learned H + E          (Figs. 1 and 3)
    rejection           the model's samples, and those that the learned ratio lets through      (Fig. 2)
    path                (mu, sigma) from several starts; from the narrow mode H begins at log p (Fig. 4)

The data are 20 000 quantiles of the target. Total variation is not learned: every gradient of f-EBM is zero for it.
febm_mixture.json is {divergence: {"optimal": [mu, sigma], "learned": .., "sampled": .., "second": ..}}.
"""
from pathlib import Path
from typing import NamedTuple

import numpy as np

import refdgm
from refdgm import drawing, files, updates
from refdgm import validation as valid
from refdgm.adversarial import mixture_minima
from refdgm.f_divergences import F_DIVERGENCES
from refdgm.journal import dumps
from refdgm.learning import febm_learning
from refdgm.models import critic, gaussian_fit
from refdgm.models.gaussian_fit import PRINTED
from refdgm.streams import normals, stream, uniforms

NAME, TITLE = "febm_mixture", "f-EBM on the mixture of two Gaussians"
NAMES = tuple(name for name in F_DIVERGENCES if name != "total variation")
SHOWN = ("kl", "reverse kl", "jensen-shannon", "squared hellinger")                     # those of the paper's figures
START = (0.2, 2.25)
PATHS = (("jensen-shannon", START, False), ("jensen-shannon", (2.1, 2.3), False), ("jensen-shannon", (2.0, 1.4), False),
         ("reverse kl", START, False), ("reverse kl", (2.1, 2.3), False), ("reverse kl", (-0.9, 0.4), True),
         ("neyman", (-0.9, 0.4), True), ("neyman", (-0.5, 0.6), True))
GRID = np.linspace(-7.0, 9.0, 161)[:, None]
REACH = (-14.0, 16.0)           # of the model's samples


class Settings(NamedTuple):
    """Of every run."""
    rows: int = 20000
    batch: int = 1000
    steps: int = 800            # from samples
    exact_steps: int = 500      # from sums
    path_steps: int = 300
    eta: float = 0.04           # the step, in units of 1/f''(1)
    drawn: int = 20000          # for rejection
    sampled: tuple = NAMES      # the divergences learned from samples
    starts: np.ndarray = mixture_minima.STARTS


QUICK = Settings(rows=1000, batch=100, steps=40, exact_steps=400, path_steps=60, drawn=500, sampled=("jensen-shannon",),
                 starts=np.array([(1.0, np.log(1.7)), (-0.95, np.log(0.3))]))


def log_p(x):
    """The target at x (N, 1).  -> (N,)"""
    return gaussian_fit.log_target(PRINTED, x[:, 0])


def masses(x):
    """The target's probabilities of the points of a grid."""
    p = np.exp(log_p(x))
    return p / p.sum()


def quantiles(n):
    """The (i - 1/2)/n quantiles of the target.  -> (n, 1)"""
    fine = np.linspace(*REACH, 30001)
    return febm_learning.invert(log_p(fine[:, None]), fine, (np.arange(n) + 0.5) / n)[:, None]


def gaussian_of(fit):
    """(mu, sigma) of a fit."""
    mu, log_sigma = fit.parameters["theta"]["gaussian"]
    return [float(mu), float(np.exp(log_sigma))]


def from_samples(name, H, data, settings, seed):
    """Minibatches of data, as many samples of the model.  -> Fit"""
    steps, gamma = settings.steps, settings.eta / F_DIVERGENCES[name].second(1.0)
    algorithm = febm_learning.febm(name, febm_learning.quadratic(*START), H, febm_learning.exact(*REACH))
    return refdgm.fit(algorithm, data, steps, batch=settings.batch, seed=seed,
                      schedule=updates.constant_then_harmonic(gamma, max(1, steps // 2)))


def from_sums(name, H, start=START, near=False, steps=500, every=1000):
    """Both expectations are sums over the grid; with `near` H begins at log p.  -> Fit, with its path"""
    algorithm = febm_learning.febm(name, febm_learning.quadratic(*start), H, febm_learning.sums(-7.0, 9.0),
                                   weigh=masses, base=log_p if near else None)
    with np.errstate(over="ignore"):            # the ratio at the mode that a narrow model does not cover
        return refdgm.fit(algorithm, GRID, steps, schedule=updates.constant(0.05 / F_DIVERGENCES[name].second(1.0)),
                          monitor=febm_learning.exact_divergence("kl", PRINTED), every=every)


def make(quick=False, seed=0):
    """The rows of all panels."""
    settings = QUICK if quick else Settings()
    valid.count("the seed", seed, 0)
    data = quantiles(settings.rows)
    H = critic.linear_critic(data[::max(1, len(data) // 2000)], units=30, keep=1e-2)
    exact_H = critic.linear_critic(data[::max(1, len(data) // 1000)])
    rows, curves = [], []
    for name in NAMES:
        found = {"learned": gaussian_of(from_sums(name, exact_H, steps=settings.exact_steps))}
        if name in settings.sampled:
            fit = from_samples(name, H, data, settings, seed)
            found["sampled"] = gaussian_of(fit)
            if name in SHOWN:
                curves += shapes(name, fit, H)
            if name == "jensen-shannon":
                curves += rejected(fit, H, settings.drawn, seed)
        rows.append(table_row(name, found, settings.starts))
    for name, start, near in PATHS[:2] if quick else PATHS:
        history = from_sums(name, exact_H, start, near, settings.path_steps, 5).history
        curves += [{"panel": "path", "divergence": name, "start": str(start), "step": int(t), "mu": mu, "sigma": sigma}
                   for t, mu, sigma in zip(history["step"], history["mu"], history["sigma"])]
    return drawing.plain(rows + curves)


def optimum(name):
    """(mu, log sigma)."""
    return gaussian_fit.optimum(PRINTED, F_DIVERGENCES[name])


def table_row(name, found, starts):
    """One divergence; found: {kind: (mu, sigma)}."""
    minima = mixture_minima.minima(PRINTED, F_DIVERGENCES[name], starts)
    mu, log_sigma = optimum(name)
    found = {"optimal": (mu, np.exp(log_sigma)), **found, **({"second": minima[1]} if len(minima) > 1 else {})}
    return {"panel": "table", "divergence": name, **{f"{kind}_{part}": value for kind, pair in found.items()
                                                     for part, value in zip(("mu", "sigma"), pair)}}


def shapes(name, fit, H):
    """Densities and log-ratios on the grid."""
    x, log_data = GRID[:, 0], log_p(GRID)
    learned, best = (gaussian_fit.log_model(g, x) for g in (fit.parameters["theta"]["gaussian"], optimum(name)))
    ratio = np.log(febm_learning.ratio(fit.parameters, febm_learning.quadratic(), H, GRID))
    return [{"panel": "shape", "divergence": name, "x": x[i], "data": np.exp(log_data[i]),
             "learned": np.exp(learned[i]), "optimal": np.exp(best[i]), "log_ratio": log_data[i] - learned[i],
             "learned_log_ratio": ratio[i]} for i in range(len(x))]


def rejected(fit, H, n, seed):
    """Densities, in bins, of n samples of the model and of those that the learned ratio lets through."""
    s, (mu, sigma) = stream(seed, n, first=2**30), gaussian_of(fit)
    x = mu + sigma * normals(s, 1)
    ratio = febm_learning.ratio(fit.parameters, febm_learning.quadratic(), H, x)
    kept = x[uniforms(s, 1, draw=1)[:, 0] < ratio / ratio.max()]
    edges = np.linspace(-4.0, 7.0, 56)
    before, after = (np.histogram(part, edges)[0] / (len(part) * np.diff(edges)) for part in (x, kept))
    centres = (edges[1:] + edges[:-1]) / 2
    return [{"panel": "rejection", "divergence": "jensen-shannon", "x": c, "data": p, "model": a, "accepted": b}
            for c, p, a, b in zip(centres, np.exp(log_p(centres[:, None])), before, after)]


def contract(header, rows):
    """{divergence: {"optimal": [mu, sigma], "learned": [mu, sigma], ..}}, the header in each."""
    kinds = ("optimal", "learned", "sampled", "second")
    return {row["divergence"]: {**{kind: [row[f"{kind}_mu"], row[f"{kind}_sigma"]] for kind in kinds
                                   if f"{kind}_mu" in row}, **header} for row in rows if row["panel"] == "table"}


def write(folder, quick=False, seed=0):
    """febm_mixture.json by the contract, and the figure with its rows.  -> five paths"""
    header = {"name": NAME, "version": refdgm.__version__, "seed": seed, "quick": quick}
    files.make_folder(folder)
    rows, table = make(quick, seed), Path(folder) / f"{NAME}.json"
    drawing.replace(table, dumps(contract(header, rows), indent=1).encode() + b"\n")
    return [table, *drawing.write(folder, f"{NAME}_figures", header, rows, draw)]


def draw(figure, rows):
    """Figures 1 to 4 of the document."""
    figure.set_size_inches(9.6, 6.6)
    (left, right), (below, last) = figure.subplots(2, 2)
    shape = [row for row in rows if row["panel"] == "shape"]
    shown = list(dict.fromkeys(row["divergence"] for row in shape))
    for number, name in enumerate(shown):
        mine = [row for row in shape if row["divergence"] == name]
        drawing.curve(left, mine, "x", "learned", name, number, marker="")
        seen = [row for row in mine if -2.5 < row["x"] < 6.5]
        drawing.curve(below, seen, "x", "learned_log_ratio", name, number, marker="")
        drawing.reference(below, seen, "x", "log_ratio", "exact" if number == 0 else None)
    drawing.reference(left, [row for row in shape if row["divergence"] == shown[0]], "x", "data", "data")
    bins = [row for row in rows if row["panel"] == "rejection"]
    drawing.reference(right, bins, "x", "data", "data")
    drawing.curve(right, bins, "x", "model", "samples", 0, marker="", drawstyle="steps-mid")
    drawing.curve(right, bins, "x", "accepted", "accepted", 1, marker="", drawstyle="steps-mid")
    steps = [row for row in rows if row["panel"] == "path"]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(row["divergence"] for row in steps))}
    for key in dict.fromkeys((row["divergence"], row["start"]) for row in steps):
        mine = [row for row in steps if (row["divergence"], row["start"]) == key]
        first = key == next((k["divergence"], k["start"]) for k in steps if k["divergence"] == key[0])
        drawing.curve(last, mine, "mu", "sigma", key[0] if first else None, numbers[key[0]], marker="")
        last.plot(mine[-1]["mu"], mine[-1]["sigma"], "o", color=drawing.INK)
    left.set(xlabel="x", ylabel="density", title="what each divergence learns")
    right.set(xlabel="x", ylabel="density", title="rejection with the learned ratio")
    below.set(xlabel="x", ylabel="log p/q", title="the learned log-ratio H + E")
    last.set(xlabel=r"$\mu$", ylabel=r"$\sigma$", title="from several starts")
    for axes in (left, right, below, last):
        axes.legend(fontsize=8)
