r"""ou2018's Table 1 as an experiment: one sigmoid belief net on binary digits, by every cell for discrete h.

    theta by  ML     E_p~ log p(x), the codes a Markov chain of MIS steps                         (JSA's theta)
              V-LB   the variational bound, codes from q                                          (NVIL's, wake-sleep's)
              IW-LB  the importance weighted bound, K codes from q and their weights              (VIMCO's and RWS's)
    phi by    V-LB   NVIL's signal              IW-LB  VIMCO's          sleep  dreams (x, h) ~ p
              IS     the inclusive KL by importance weights (RWS)       MIS    the same by JSA's chain

An algorithm of refdgm.learning.sbn_learning fills a cell (MuProp stands beside NVIL), or `crossed` takes theta's rule
from one and phi's from another. `exact ML` and `exact ELBO` are references, whose F is a sum over all h
(refdgm.directed.sbn_gradients).

Everything that is compared is exact, a sum over all 2**H states of h: -log p(x) of the training and of the test images,
KL[q(h|x) || p(h|x)] and KL[p(h|x) || q(h|x)]. All algorithms begin with the same parameters, see the same minibatches
and take as many Adam steps of the same sizes; a seed changes the parameters, the minibatches and all draws.

At the parameters reached, F is drawn again and again for one minibatch (refdgm.runs.gradient_noise), and its mean is
held against the exact gradient of log p for the theta of ML and IW-LB, of L for V-LB, and of -KL[p(h|x) || q(h|x)] for
the phi of IS and MIS. The draws of a chain follow each other (ML, MIS): there the error by chance exceeds the noise.
"""
import time
from typing import NamedTuple

import refdgm
from refdgm import datasets, updates
from refdgm import validation as valid
from refdgm.directed.sbn_gradients import elbo_gradient, inclusive_gradient
from refdgm.drawing import decades, dots
from refdgm.fitting import Algorithm
from refdgm.learning import relaxed_learning, sbn_learning
from refdgm.runs import by_algorithm, gradient_noise, row

AS_LIST, NAME, TITLE = True, "table1", "ou2018's Table 1 on a sigmoid belief net and binary digits"
THETA_BY = {"ML": "jsa", "V-LB": "wake_sleep", "IW-LB": "vimco"}
PHI_BY = {"V-LB": "nvil", "IW-LB": "vimco", "IS": "rws", "MIS": "jsa", "sleep": "wake_sleep"}
NAMED = {("ML", "MIS"): "JSA", ("V-LB", "V-LB"): "NVIL", ("IW-LB", "IW-LB"): "VIMCO", ("IW-LB", "IS"): "RWS, wake phi",
         ("V-LB", "sleep"): "wake-sleep", ("IW-LB", "sleep"): "RWS, sleep phi"}


class Settings(NamedTuple):
    """Of the whole table."""
    H: int = 8
    K: int = 5
    steps: int = 3000
    batch: int = 100
    gamma: float = 0.01         # Adam's step, constant for half the steps and falling like 1/t from there on
    rows: int = 1438            # training images
    repeats: int = 200          # draws of F at the end
    seeds: int = 5


QUICK = Settings(H=4, K=2, steps=8, batch=20, rows=40, repeats=4, seeds=2)


# ---- the cells ------------------------------------------------------------------------

def table(H, K):
    """Every row of the table.  -> {name: (theta's objective, phi's objective, Algorithm)}"""
    valid.count("K", K, 2)
    part = {"jsa": sbn_learning.jsa(K, H), "nvil": sbn_learning.nvil(K, H), "vimco": sbn_learning.vimco(K, H),
            "rws": sbn_learning.rws(K, H, "wake"), "wake_sleep": sbn_learning.wake_sleep(K, H)}
    whole = {"JSA": part["jsa"], "NVIL": part["nvil"], "VIMCO": part["vimco"], "RWS, wake phi": part["rws"],
             "wake-sleep": part["wake_sleep"], "RWS, sleep phi": sbn_learning.rws(K, H, "sleep")}
    rows = {"exact ML": ("ML", "inclusive KL", exact_ml(H)), "exact ELBO": ("V-LB", "V-LB", exact_elbo(H))}
    for theta, of_theta in THETA_BY.items():
        for phi, of_phi in PHI_BY.items():
            name = NAMED.get((theta, phi), f"theta {theta}, phi {phi}")
            rows[name] = (theta, phi, whole.get(name) or crossed(name, part[of_theta], part[of_phi]))
    return {**rows, "MuProp": ("V-LB", "V-LB", relaxed_learning.muprop(K, H)),
            "RWS, both phi": ("IW-LB", "IS + sleep", sbn_learning.rws(K, H, "both"))}


def crossed(name, of_theta, of_phi):
    """theta as one algorithm moves it, all else as another does; each has its own draws and its own memory."""
    def start(x, seed):
        (first, one), (second, two) = of_theta.start(x, seed), of_phi.start(x, seed)
        return {**second, "theta": first["theta"]}, (one, two)

    def draw(parameters, memory, *step):
        (z_theta, one), (z_phi, two) = (a.draw(parameters, m, *step) for a, m in zip((of_theta, of_phi), memory))
        return (z_theta, z_phi), (one, two)

    def field(parameters, z, x):
        return {**of_phi.field(parameters, z[1], x), "theta": of_theta.field(parameters, z[0], x)["theta"]}
    return Algorithm(name, start, draw, field)


def exact_ml(H):
    """Up the likelihood with theta, down the inclusive KL with phi, both exact."""
    return _exact("exact ML", H, inclusive_gradient)


def exact_elbo(H):
    """Up the variational bound with theta and phi, both exact."""
    return _exact("exact ELBO", H, elbo_gradient)


def _exact(name, H, gradient):
    begin = sbn_learning.start(H)
    return Algorithm(name, lambda x, seed: (begin(x, seed), ()), lambda parameters, memory, *step: ((), memory),
                     lambda parameters, z, x: gradient(parameters["theta"], parameters["phi"], x))


# ---- one run --------------------------------------------------------------------------

def perform(cell, settings):
    """One run: learn, and measure what is reached.  -> dict of numbers"""
    theta_by, phi_by, algorithm = table(settings.H, settings.K)[cell.algorithm]
    digits = datasets.digits()
    train, rows = digits.train[:settings.rows], digits.train[:settings.batch]
    begun = time.perf_counter()
    fit = refdgm.fit(algorithm, train, settings.steps, batch=settings.batch, update=updates.adam(), seed=cell.seed,
                     schedule=updates.constant_then_harmonic(settings.gamma, max(1, settings.steps // 2)))
    seconds = time.perf_counter() - begun
    reached = sbn_learning.exact(train, digits.test)(fit.parameters)
    return {"train_nll": -float(reached["log_p"]), "test_nll": -float(reached["test_log_p"]),
            "exclusive_kl": float(reached["exclusive_kl"]), "inclusive_kl": float(reached["inclusive_kl"]),
            **gradient_noise(algorithm, fit, rows, exact_gradients(theta_by, phi_by, fit.parameters, rows), cell.seed,
                             settings.repeats), "seconds": seconds}


def exact_gradients(theta_by, phi_by, parameters, x):
    """What F stands for in a cell; None where that is no sum over h.  -> {"theta": .., "phi": ..}"""
    likelihood, bound = (g(parameters["theta"], parameters["phi"], x) for g in (inclusive_gradient, elbo_gradient))
    return {"theta": bound["theta"] if theta_by == "V-LB" else likelihood["theta"],
            "phi": {"V-LB": bound["phi"], "IS": likelihood["phi"], "MIS": likelihood["phi"],
                    "inclusive KL": likelihood["phi"]}.get(phi_by)}


# ---- the table ------------------------------------------------------------------------

def make(quick=False, seed=0, **how):
    """The rows of the table; how: jobs, journal, tell."""
    return run(QUICK if quick else Settings(), seed, **how)


def run(settings, seed=0, **how):
    """The table.  -> a list of rows, dicts: the means over the seeds, and for each number its standard error"""
    names = table(settings.H, settings.K)
    records = by_algorithm(NAME, names, settings, perform, seed, **how)
    return [row(name, *names[name][:2], records[name]) for name in names]


def draw(figure, rows):
    """What is reached on the left, the KL divergences in the middle, the noise of the gradients on the right."""
    figure.set_size_inches(11.0, 5.2)
    nll, kl, noise = figure.subplots(1, 3, sharey=True)
    dots(nll, rows, "train_nll", "training images"), dots(nll, rows, "test_nll", "test images", 1)
    dots(kl, rows, "exclusive_kl", "KL[q(h|x) || p(h|x)]"), dots(kl, rows, "inclusive_kl", "KL[p(h|x) || q(h|x)]", 1)
    drawn = [{**row, "theta_variance": row["theta_variance"] or None, "phi_variance": row["phi_variance"] or None}
             for row in rows]
    dots(noise, drawn, "theta_variance", r"$F_\theta$"), dots(noise, drawn, "phi_variance", r"$F_\phi$", 1)
    decades(noise, x=True)
    nll.set(xlabel=r"nats: exact $-\log p(x)$"), kl.set(xlabel="nats"), noise.set(xlabel="variance of the gradient")
    for axes in (nll, kl, noise):
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0))
