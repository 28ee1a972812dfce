r"""GANs and f-GANs on a ring of eight Gaussians: how many modes are covered, how near points are (ou2018 3.2.4).

    modes    centres that have, within 3 sigma, a fifth of their equal share of the points or more
    near     the share of points within 3 sigma of some centre; of the data's own it is 0.989

Two tanh networks of 32 x 32 units, both moved at once by Adam at the same rate, the output activations those of the
f-GAN paper's table, with which Jensen-Shannon moves as the minimax GAN does; a WGAN's critic is clipped, and
moves once for each step of the generator as the others do. A row for each look at a run, the means over the seeds, and
for the first seed the points of the generator at the end.
"""
from typing import NamedTuple

import numpy as np

import refdgm
from refdgm import datasets, updates
from refdgm.drawing import BLUE, INK
from refdgm.learning import gan_learning
from refdgm.runs import by_algorithm

WITH_RUNS, NAME, TITLE = True, "gan_ring", "GANs on a ring of Gaussians, and the modes they cover"
ALGORITHMS = {"GAN, log D": ("gan", True), "GAN, minimax": ("gan", False), "KL": ("kl", False),
              "reverse KL": ("reverse kl", False), "squared Hellinger": ("squared hellinger", False),
              "Jeffrey": ("jeffrey", False), "Pearson": ("pearson", False), "WGAN": None}


class Settings(NamedTuple):
    """Of every run."""
    steps: int = 2000
    batch: int = 200
    gamma: float = 0.002
    hidden: int = 32
    clip: float = 0.5           # of the WGAN
    points: int = 300           # kept for the picture
    looks: int = 8
    seeds: int = 3


QUICK = Settings(steps=8, batch=20, hidden=8, points=20, looks=2, seeds=2)
MODES, RADIUS, SIGMA = 8, 2.0, 0.1


def perform(cell, settings):
    """One run.  -> {"step": .., "modes": .., "near": .., "x": .., "y": ..}, lists"""
    size = (settings.hidden, settings.hidden)
    generator, critic = gan_learning.tanh_generator(2, hidden=size), gan_learning.tanh_discriminator(2, size)
    rule, kind = updates.adam(0.5, 0.9), ALGORITHMS[cell.algorithm]
    if kind is None:
        rule, algorithm = gan_learning.weight_clipping(rule, settings.clip), gan_learning.wgan(generator, critic)
    else:
        algorithm = gan_learning.fgan(kind[0], generator, critic, activation="table", trick=kind[1])
    monitor = gan_learning.ring_monitor(generator, datasets.ring_centres(MODES, RADIUS), SIGMA)
    fit = refdgm.fit(algorithm, datasets.ring(1000, MODES, RADIUS, SIGMA).train, settings.steps, batch=settings.batch,
                     update=rule, schedule=updates.constant(settings.gamma), seed=cell.seed, monitor=monitor,
                     every=max(1, settings.steps // settings.looks))
    x = gan_learning.sample(generator, fit.parameters, settings.points)
    return {**{key: values.tolist() for key, values in fit.history.items()}, "x": x[:, 0].tolist(),
            "y": x[:, 1].tolist()}


def make(quick=False, seed=0, **how):
    """The rows; how: jobs, journal, tell."""
    return run(QUICK if quick else Settings(), seed, **how)


def run(settings, seed=0, **how):
    """A row for each algorithm and look, and for each point of the first seed."""
    records = by_algorithm(NAME, ALGORITHMS, settings, perform, seed, **how)
    rows = []
    for name in ALGORITHMS:
        mine = records[name]
        for i, step in enumerate(mine[0]["step"]):
            row = {"algorithm": name, "step": int(step), "seeds": len(mine)}
            for key in ("modes", "near"):
                values = np.array([record[key][i] for record in mine])
                row |= {key: float(values.mean()), f"{key}_stderr": float(values.std(ddof=1) / len(values)**0.5)}
            rows.append(row)
        rows += [{"algorithm": name, "x": x, "y": y} for x, y in zip(mine[0]["x"], mine[0]["y"])]
    return rows


def draw(figure, rows):
    """The points of each algorithm, circles of 3 sigma, and what the seeds reach on the mean."""
    from matplotlib.patches import Circle
    figure.set_size_inches(9.6, 5.4)
    centres = datasets.ring_centres(MODES, RADIUS)
    for name, axes in zip(ALGORITHMS, figure.subplots(2, 4, sharex=True, sharey=True).flat):
        points = [row for row in rows if row["algorithm"] == name and "x" in row]
        last = [row for row in rows if row["algorithm"] == name and "x" not in row][-1]
        for centre in centres:
            axes.add_patch(Circle(centre, 3 * SIGMA, edgecolor=INK, facecolor="none"))
        axes.plot([row["x"] for row in points], [row["y"] for row in points], linestyle="", marker=".", markersize=3,
                  color=BLUE, alpha=0.8)
        axes.set(xlim=(-2.9, 2.9), ylim=(-2.9, 2.9), aspect="equal",
                 title=f"{name}\n{last['modes']:.1f} of {MODES} modes, {100 * last['near']:.0f} % near")
