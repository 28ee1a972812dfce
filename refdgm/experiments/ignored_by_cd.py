r"""What contrastive divergence ignores, against its number of steps k (bachman2015 Eqs. 44-45).

    ignored / CD_k      |Eq. 45| / |Eq. 44|: the term that CD-k leaves out, beside the update it makes
    bias                |CD_k - E_D[grad log p(x)]| / |E_D[grad log p(x)]|, which falls like lambda_2^k

on RBMs of 4 x 3 units with weights N(0, scale^2), the data 2 x 2 bars and stripes; a sum over all states. Medians over
machines; lambda_2 is the second eigenvalue of the Gibbs chain, of the machine in the middle.
"""
import numpy as np
from autograd.misc import flatten

from refdgm import datasets
from refdgm.drawing import curve, plain, reference
from refdgm.models import rbm
from refdgm.samplers import block_gibbs
from refdgm.undirected import ignored_term as cd

NAME, TITLE = "cd_ignored_term", "the term that CD-k ignores against k"
SCALES, D, H = (1.0, 2.0, 4.0), 4, 3


def make(quick=False, seed=0):
    """A row for each scale of the weights and each k."""
    images = datasets.bars_and_stripes(2).train
    data = np.bincount(block_gibbs.state_index(images), minlength=2**D) / len(images)
    rows = []
    for scale in SCALES:
        machines = [rbm.random_theta(np.random.default_rng([seed, n]), D, H, scale=scale)
                    for n in range(3 if quick else 25)]
        second = float(np.median([block_gibbs.spectrum(theta)[0][1] for theta in machines]))
        for k in (1, 2, 4) if quick else (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 21, 25):
            sizes = np.array([measured(theta, data, k) for theta in machines])
            rows.append({"scale": scale, "k": k, "ignored_over_update": np.median(sizes[:, 0]),
                         "bias": np.median(sizes[:, 1]), "second_eigenvalue": second, "machines": len(machines)})
    return plain(rows)


def measured(theta, data, k):
    """|Eq. 45| / |CD_k|, and the bias of CD_k relative to the gradient of the likelihood.  -> (2,)"""
    def vector(tree): return flatten(tree)[0]
    update, likelihood = vector(cd.mean_update(theta, data, k)), vector(cd.likelihood_gradient(theta, data))
    return np.array([np.linalg.norm(vector(cd.ignored_term(theta, data, k))) / np.linalg.norm(update),
                     np.linalg.norm(update - likelihood) / np.linalg.norm(likelihood)])


def draw(figure, rows):
    """The ignored term on the left, the bias on the right; lambda_2^k dotted."""
    left, right = figure.subplots(1, 2)
    for number, scale in enumerate(SCALES):
        chosen = [row for row in rows if row["scale"] == scale]
        rate = [{**row, "rate": chosen[0]["bias"] * row["second_eigenvalue"]**(row["k"] - 1)} for row in chosen]
        curve(left, chosen, "k", "ignored_over_update", f"weights N(0, {scale:g}²)", number)
        curve(right, chosen, "k", "bias", rf"$\lambda_2$ = {chosen[0]['second_eigenvalue']:.2f}", number)
        reference(right, rate, "k", "rate", r"$\propto \lambda_2^{\,k}$" if scale == SCALES[-1] else None)
    left.set(yscale="log", xlabel="Gibbs steps $k$", ylabel="|ignored| / |CD-k|",
             title="the ignored term beside the update", ylim=(1e-6, None))
    right.set(yscale="log", xlabel="Gibbs steps $k$", ylabel="relative distance",
              title="CD-k's mean from the likelihood's gradient", ylim=(1e-6, None))
    left.legend(), right.legend()
