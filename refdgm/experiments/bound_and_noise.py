r"""The importance weighted bound and its gradient's signal-to-noise ratio against K (ou2018 Sec. 3.2.1).

    gap   log p(x) - I_K(x)  ~  Var(w) / (2 K p(x)^2)       SNR of dI_K/dphi ~ c K^-1/2       of dI_K/dmu ~ c K^1/2

(Rainforth et al. 2018) for the Gaussian model of refdgm.directed.signal_to_noise. Nothing is simulated: every point is
an integral.
"""
import numpy as np

from refdgm.directed import signal_to_noise as snr
from refdgm.drawing import curve, plain, reference
from refdgm.models import iid_weights

NAME, TITLE = "iwae_bound_and_snr", "the IWAE bound and its gradient's signal-to-noise ratio against K"


def make(quick=False, seed=0):
    """A row for each K: the gap and its first order, three signal-to-noise ratios and their limits."""
    model = snr.random_case(seed)
    eps, probability = snr.noise_grid()
    w = np.exp(snr.log_weight(**model, eps=eps))
    w = w / (probability @ w)
    variance, constants = probability @ (w - 1)**2, np.asarray(snr.limits(**model))
    return plain([row(K, model, w, probability, variance, constants) for K in 2**np.arange(0, 9 if quick else 19)])


def row(K, model, w, probability, variance, constants):
    """What is measured at K; at K = 1 the gradient is a plain average."""
    ratios = snr.signal_to_noise(K, **model) if K > 1 else snr.snr_of_the_elbo(1, **model)
    limits = constants * np.array([K**-0.5, K**-0.5, K**0.5])
    return {"K": K, "gap": iid_weights.gap(w, probability, K), "gap_first_order": variance / (2 * K),
            **{f"snr_{name}": r for name, r in zip(("m", "log_s", "mu"), ratios)},
            **{f"limit_{name}": r for name, r in zip(("m", "log_s", "mu"), limits)}}


def draw(figure, rows):
    """The gap on the left, the ratios on the right."""
    left, right = figure.subplots(1, 2)
    curve(left, rows, "K", "gap", r"$\log p(x) - I_K(x)$")
    reference(left, rows, "K", "gap_first_order", r"Var$(w)\,/\,2Kp(x)^2$")
    left.set(xscale="log", yscale="log", xlabel="samples $K$", ylabel="nats", title="the bound's gap")
    for number, (name, label) in enumerate((("m", r"$\phi$: mean of $q$"), ("log_s", r"$\phi$: log sd of $q$"),
                                            ("mu", r"$\theta$: prior mean"))):
        curve(right, rows, "K", f"snr_{name}", label, number)
    for name, label in (("m", None), ("log_s", None), ("mu", r"$c\,K^{\pm 1/2}$")):
        reference(right, rows, "K", f"limit_{name}", label)
    right.set(xscale="log", yscale="log", xlabel="samples $K$", ylabel="|mean| / standard deviation",
              title="signal-to-noise ratio of one gradient")
    left.legend(), right.legend()
