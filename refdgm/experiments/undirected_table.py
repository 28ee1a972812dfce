r"""One RBM on binary digits, learned in every way (bachman2015 Sec. 5.4, ou2018 Sec. 4.2): the undirected Table 1.

    exact ML    the model's mean is a sum over all 2**H states of the hidden layer
    CD-k        k Gibbs steps from the data         PCD-k     k Gibbs steps of chains that live on
    f-EBM       the game of the RBM and a critic of as many units, k = 1 step of chains that live on
    NCE-nu      nu noise images for each datum, pixels drawn independently with the data's means; log Z is learned, too

-log p(x) of training and test images is exact, as is what NCE's log Z is off by. All begin with the same parameters,
see the same minibatches and take as many Adam steps of the same sizes; a seed changes all three. At the end F is drawn
again and again (refdgm.runs.gradient_noise); exact ML's, CD's and PCD's is held against the exact gradient of log p.
"""
import time
from typing import NamedTuple

import refdgm
from refdgm import datasets, updates
from refdgm.drawing import decades, dots
from refdgm.learning import nce_learning, rbm_learning
from refdgm.runs import by_algorithm, gradient_noise, row

AS_LIST, NAME, TITLE = True, "table1_undirected", "one RBM on binary digits, learned in every way"


class Settings(NamedTuple):
    """Of the whole table."""
    H: int = 16
    chains: int = 100
    steps: int = 4000
    batch: int = 100
    gamma: float = 0.01         # Adam's step, constant for half the steps and falling like 1/t from there on
    rows: int = 1438            # training images
    repeats: int = 200          # draws of F at the end
    seeds: int = 5


HELD = ("exact ML", "CD", "PCD")        # against the exact gradient of the likelihood
QUICK = Settings(H=4, chains=20, steps=8, batch=20, rows=40, repeats=4, seeds=2)


def table(H, chains):
    """Every row of the table.  -> {name: (theta's objective, what phi is, Algorithm)}"""
    fields = {nu: nce_learning.nce(nce_learning.boltzmann(H), nu) for nu in (1, 10)}
    games = {name: rbm_learning.febm(f, H, chains=chains) for name, f in (("KL", "kl"), ("JS", "jensen-shannon"))}
    return {"exact ML": ("ML", None, rbm_learning.exact_ml(H)), "CD-1": ("CD-1", None, rbm_learning.cd(1, H)),
            "CD-10": ("CD-10", None, rbm_learning.cd(10, H)), "PCD-1": ("ML", None, rbm_learning.pcd(1, chains, H)),
            "PCD-10": ("ML", None, rbm_learning.pcd(10, chains, H)),
            **{f"NCE-{nu}": ("NCE", None, algorithm) for nu, algorithm in fields.items()},
            **{f"f-EBM, {name}": (name, "critic", algorithm) for name, algorithm in games.items()}}


def perform(cell, settings):
    """One run: learn, and measure what is reached.  -> dict of numbers"""
    _, _, algorithm = table(settings.H, settings.chains)[cell.algorithm]
    digits = datasets.digits()
    train, rows = digits.train[:settings.rows], digits.train[:settings.batch]
    begun = time.perf_counter()
    fit = refdgm.fit(algorithm, train, settings.steps, batch=settings.batch, update=updates.adam(), seed=cell.seed,
                     schedule=updates.constant_then_harmonic(settings.gamma, max(1, settings.steps // 2)))
    seconds = time.perf_counter() - begun
    reached = rbm_learning.exact(train, digits.test)(fit.parameters)
    exact = rbm_learning.exact_ml(settings.H).field(fit.parameters, (), rows)["theta"]
    error = nce_learning.exact(nce_learning.boltzmann(settings.H), train)(fit.parameters)["log_z_error"] \
        if "c" in fit.parameters else None
    return {"train_nll": -float(reached["log_p"]), "test_nll": -float(reached["test_log_p"]),
            "log_z_error": error and float(error),
            **gradient_noise(algorithm, fit, rows, {"theta": exact if cell.algorithm.startswith(HELD) else None},
                             cell.seed, settings.repeats), "seconds": seconds}


def make(quick=False, seed=0, **how):
    """The rows of the table; how: jobs, journal, tell."""
    return run(QUICK if quick else Settings(), seed, **how)


def run(settings, seed=0, **how):
    """The table.  -> a list of rows, dicts: the means over the seeds, and for each number its standard error"""
    names = table(settings.H, settings.chains)
    records = by_algorithm(NAME, names, settings, perform, seed, **how)
    return [row(name, *names[name][:2], records[name]) for name in names]


def draw(figure, rows):
    """What is reached on the left; the error of F's mean beside its noise on the right."""
    figure.set_size_inches(9.0, 3.4)
    nll, noise = figure.subplots(1, 2, sharey=True)
    dots(nll, rows, "train_nll", "training images"), dots(nll, rows, "test_nll", "test images", 1)
    held = [row if row["theta_variance"] else {**row, "theta_error": None, "theta_noise": None} for row in rows]
    dots(noise, held, "theta_error", "|mean of F − gradient of log p|")
    dots(noise, held, "theta_noise", "the same by chance", 1)
    decades(noise, x=True)
    nll.set(xlabel=r"nats: exact $-\log p(x)$"), noise.set(xlabel="the gradient at the end")
    for axes in (nll, noise):
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0))
