"""log Z and marginals by visiting every state: small enough for others to take part, and as large as refdgm goes."""
from functools import partial

import numpy as np

from refdgm import enumeration
from refdgm.benchmark import Case
from refdgm.models import boltzmann, rbm

CHUNK = 12                  # bits of what others handle at once


def _states(first, n):
    """2**CHUNK states of n bits."""
    return ((np.arange(first, first + 2**CHUNK)[:, None] >> np.arange(n)) & 1).astype(np.float64)


def _largest(peak, log_weights):
    """A running log-sum-exp, its weights now and what the old sum shrinks by."""
    top = max(peak, log_weights.max())
    weights = np.exp(log_weights - top)
    return top, weights, np.exp(peak - top)


# ---- an RBM ---------------------------------------------------------------------------

def _rbm(D, H):
    return rbm.random_theta(np.random.default_rng(0), D, H, scale=0.1)


def _rbm_refdgm(D, H):
    theta = _rbm(D, H)
    return lambda: enumeration.rbm_log_partition(theta)


def _rbm_numpy(D, H, softplus=None):
    """A softplus for each state and unit: log(1 + e^a) in place, or as np.logaddexp has it for any a."""
    theta = _rbm(D, H)
    w_transposed, b, c = theta["w"].T.copy(), theta["b"], theta["c"]

    def work():
        peak, total = -np.inf, 0.0
        for first in range(0, 2**H, 2**CHUNK):
            h = _states(first, H)
            a = h @ w_transposed
            a += b
            if softplus:
                a = softplus(a)
            else:
                np.exp(a, out=a)
                np.log1p(a, out=a)
            peak, weights, shrink = _largest(peak, h @ c + a.sum(axis=1))
            total = total * shrink + weights.sum()
        return peak + np.log(total)
    return work


def _rbm_jax(D, H):
    import jax
    jax.config.update("jax_enable_x64", True)
    theta, np_ = _rbm(D, H), jax.numpy
    w, b, c = (np_.asarray(theta[k]) for k in "wbc")

    @jax.jit
    def log_z():
        def chunk(carry, first):
            h = ((first + np_.arange(2**CHUNK))[:, None] >> np_.arange(H) & 1).astype(float)
            log_weight = h @ c + jax.nn.softplus(h @ w.T + b).sum(axis=1)
            return np_.logaddexp(carry, jax.nn.logsumexp(log_weight)), None
        return jax.lax.scan(chunk, -np_.inf, np_.arange(0, 2**H, 2**CHUNK))[0]

    return lambda: log_z().block_until_ready()


# ---- a Boltzmann machine --------------------------------------------------------------

def _boltzmann(n):
    return boltzmann.random_theta(np.random.default_rng(0), n, scale=0.3)


def _boltzmann_refdgm(n):
    theta = _boltzmann(n)

    def work():
        log_z, mean = enumeration.boltzmann_moments(theta)
        return log_z + mean["J"].sum()
    return work


def _boltzmann_numpy(n):
    """Two matrix products and an exponential for each chunk of states."""
    theta = _boltzmann(n)
    half_J, b = theta["J"] / 2, theta["b"]

    def work():
        peak, total, pairs = -np.inf, 0.0, np.zeros((n, n))
        for first in range(0, 2**n, 2**CHUNK):
            x = _states(first, n)
            a = x @ half_J
            a += b
            peak, weights, shrink = _largest(peak, np.einsum("si,si->s", a, x))
            total = total * shrink + weights.sum()
            pairs = pairs * shrink + x.T @ (weights[:, None] * x)
        return peak + np.log(total) + pairs.sum() / total
    return work


def _boltzmann_jax(n):
    import jax
    jax.config.update("jax_enable_x64", True)
    theta, np_ = _boltzmann(n), jax.numpy
    J, b = np_.asarray(theta["J"]), np_.asarray(theta["b"])

    @jax.jit
    def moments():
        def chunk(carry, first):
            peak, total, pairs = carry
            x = ((first + np_.arange(2**CHUNK))[:, None] >> np_.arange(n) & 1).astype(float)
            a = np_.sum((x @ J / 2 + b) * x, axis=1)
            top = np_.maximum(peak, a.max())
            weights, shrink = np_.exp(a - top), np_.exp(peak - top)
            return (top, total * shrink + weights.sum(), pairs * shrink + x.T @ (weights[:, None] * x)), None
        start = (-np_.inf, 0.0, np_.zeros((n, n)))
        peak, total, pairs = jax.lax.scan(chunk, start, np_.arange(0, 2**n, 2**CHUNK))[0]
        return peak + np_.log(total) + pairs.sum() / total

    return lambda: moments().block_until_ready()


def _case(model, size, bits, units, work, ours, peers):
    name = "x".join(map(str, size))
    return Case(f"enumeration.{model}.{name}.float64", work, 2**bits * units, "state-units" if units > 1 else "states",
                "float64", partial(ours, *size), {peer: partial(maker, *size) for peer, maker in peers.items()},
                lambda number: number, quick=bits == 18 and units == 1)


def _rbm_case(D, H, **peers):
    return _case("rbm", (D, H), H, D, f"log Z of an RBM with {D} visible and {H} hidden units", _rbm_refdgm, peers)


def _boltzmann_case(n, **peers):
    return _case("boltzmann", (n,), n, 1, f"log Z and all pairwise marginals of a Boltzmann machine of {n} units",
                 _boltzmann_refdgm, peers)


_RBM = {"NumPy": _rbm_numpy, "NumPy, with logaddexp": partial(_rbm_numpy, softplus=partial(np.logaddexp, 0.0)),
        "JAX": _rbm_jax}
_BOLTZMANN = {"NumPy": _boltzmann_numpy, "JAX": _boltzmann_jax}
CASES = (_rbm_case(784, 18, **_RBM), _rbm_case(784, 26),
         _boltzmann_case(18, **_BOLTZMANN), _boltzmann_case(24, **_BOLTZMANN), _boltzmann_case(32))
