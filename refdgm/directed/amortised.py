r"""Amortised and local variational parameters (ou2018 Sec. 3.2.1).

    classic variational EM    one set of parameters for each datum: q_k(h) = Bern(sigmoid(mu_k)), k = 1..n
    amortised inference       one set phi for all: mu_k = V x_k + c

The amortised parameters are one point in the space of the local ones, so that fitting each datum by itself can only
raise its bound. The local fit is coordinate ascent, exact in each coordinate: with all other bits of h averaged out,
the best logit of bit i is the mean log odds  E_{q(h without i)}[log p(x, h_i = 1, ..) - log p(x, h_i = 0, ..)].

Shapes: X (n, D), logits mu (n, H); the model is `refdgm.models.sbn`.

The bound on six data, under one phi and after a fit of each datum:

    >>> from refdgm.directed.amortised import amortised_logits, bound, fit_locally, trained_case
    >>> theta, phi, X = trained_case(0).values()
    >>> mu = amortised_logits(phi, X)
    >>> [round(float(bound(theta, X, logits).sum()), 3) for logits in (mu, fit_locally(theta, X, mu))]
    [-20.879, -19.987]
"""
import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.checking import Claim, is_at_least
from refdgm.models import sbn
from refdgm.numerics import bernoulli_log_prob, least_squares


def amortised_logits(phi, X):
    """mu_k = V x_k + c: the parameters that one phi gives to every datum (ou2018 Sec. 3.2.1).  (n, D) -> (n, H)"""
    return np.dot(X, phi["V"].T) + phi["c"]


def bound(theta, X, logits):
    """L(x_k) of each datum under its own factorial q_k (ou2018 Eq. 7).  (n, D), (n, H) -> (n,)"""
    log_q = bernoulli_log_prob(sbn.latent_states(theta), logits[:, None, :])
    return np.sum(np.exp(log_q) * (sbn.log_joint_table(theta, X) - log_q), axis=-1)


def fit_locally(theta, X, logits, sweeps=3):
    """Coordinate ascent on each datum's own logits: the E-step of classic variational EM (ou2018 Sec. 3.2.1).

    (n, D), (n, H) -> (n, H)
    """
    h, log_joint = sbn.latent_states(theta), sbn.log_joint_table(theta, X)
    logits = onp.array(logits)
    for i in list(range(logits.shape[-1])) * sweeps:
        others = onp.delete(onp.arange(logits.shape[-1]), i)
        weights = onp.exp(bernoulli_log_prob(h[:, others], logits[:, None, others]))      # of q(h without i)
        logits[:, i] = onp.sum(weights * log_joint * (2 * h[:, i] - 1), axis=-1)
    return logits


# ---- claims ---------------------------------------------------------------------------

def amortised_bound(theta, phi, X):
    """L(x_k; phi) of each datum under one phi."""
    return bound(theta, X, amortised_logits(phi, X))


def local_bound(change=lambda logits: logits):
    """L(x_k; mu_k) of each datum after its own fit, started from the amortised parameters, and then changed."""
    return lambda theta, phi, X: bound(theta, X, change(fit_locally(theta, X, amortised_logits(phi, X))))


def trained_case(seed):
    """Six data, and a phi that nearly is the regression of their local fits on x: amortised inference after training.

    A datum loses little by sharing phi, and much by another's parameters.
    """
    case = sbn.random_data_case(seed, n=6, H=3)
    X = case["X"]
    local = fit_locally(case["theta"], X, amortised_logits(case["phi"], X))
    slopes = least_squares(onp.column_stack([X, onp.ones(6)]), local)
    slopes = slopes + 0.3 * onp.random.default_rng([seed, 1]).normal(size=slopes.shape)
    return case | {"phi": {"V": slopes[:-1].T, "c": slopes[-1]}}


CLAIMS = [
    Claim("ou2018.sec321.amortized", local_bound(), is_at_least(amortised_bound, trained_case),
          {"each datum under its neighbour's parameters": local_bound(lambda logits: onp.roll(logits, 1, axis=0)),
           "log odds of 0 against 1": local_bound(lambda logits: -logits),
           "nothing to gain: amortised is already local": amortised_bound}),
]
