"""One gradient of the importance weighted bound: a VAE with 784 pixels, 200 tanh units and 50 latents, K = 50, 20 rows.

Everybody gets the same parameters, pixels and noise, and gives the bound and its gradient in all parameters.
"""
import time
from functools import partial

import numpy as np

from refdgm.benchmark import Case
from refdgm.directed import iwae_network

D, J, H, K, B = 784, 200, 50, 50, 20
PRODUCTS = 6 * B * K * J * (H + D) + 4 * B * J * D + 12 * B * J * H       # sums and products of one gradient


class Gradient:
    """The parts of a gradient, put together when somebody looks, which is not timed."""

    def __init__(self, leaves):
        self.leaves = leaves

    def __array__(self, dtype=None, copy=None):
        return np.concatenate([np.ravel(leaf) for leaf in self.leaves])


def _problem(real):
    params = iwae_network.random_params(0, D, J, H, real)
    rng = np.random.default_rng(1)
    return params, (rng.random((B, D)) < 0.3).astype(real), rng.normal(size=(B, K, H)).astype(real)


def _leaves(tree):
    return Gradient([leaf for part in ("theta", "phi") for leaf in tree[part].values()])


def _refdgm(real):
    params, x, eps = _problem(real)
    return lambda: _leaves(iwae_network.gradient(params, x, eps)[1])


def _bound(numbers, tanh, log_likelihood, log_sum_exp, head=lambda z, W, b: z @ W.T + b):
    """The bound, in words that NumPy, JAX and PyTorch all know."""
    def bound(theta, phi, x, eps):
        hidden = tanh(head(x, phi["W"], phi["b"]))
        mean, log_variance = head(hidden, phi["M"], phi["m"]), head(hidden, phi["S"], phi["s"])
        h = mean[:, None] + numbers.exp(0.5 * log_variance)[:, None] * eps
        logits = head(tanh(head(h.reshape(B * K, H), theta["W"], theta["b"])), theta["M"], theta["m"])
        log_w = (log_likelihood(x[:, None], logits.reshape(B, K, D)) + 0.5 * (eps**2).sum(2) - 0.5 * (h**2).sum(2)
                 + 0.5 * log_variance.sum(1)[:, None])
        return (log_sum_exp(log_w) - float(np.log(K))).sum() / B
    return bound


def _autograd(real):
    import autograd
    import autograd.numpy as anp

    from refdgm import numerics
    params, x, eps = _problem(real)
    bound = _bound(anp, anp.tanh, lambda x, a: anp.sum(x * a - numerics.softplus(a), axis=-1), numerics.log_sum_exp)
    slope = autograd.grad(lambda p: bound(p["theta"], p["phi"], x, eps))
    return lambda: _leaves(slope(params))


def _torch(real):
    import torch
    from torch.nn import functional
    params, x, eps = _problem(real)
    params = {part: {name: torch.from_numpy(leaf).requires_grad_() for name, leaf in tree.items()}
              for part, tree in params.items()}
    leaves = [leaf for tree in params.values() for leaf in tree.values()]
    x, eps = torch.from_numpy(x), torch.from_numpy(eps)
    bound = _bound(torch, torch.tanh, lambda x, a: -functional.binary_cross_entropy_with_logits(
        a, x.expand_as(a), reduction="none").sum(2), lambda a: torch.logsumexp(a, 1), functional.linear)
    return lambda: Gradient(torch.autograd.grad(bound(params["theta"], params["phi"], x, eps), leaves))


def _jax(real):
    import jax
    from jax import numpy as jnp
    jax.config.update("jax_enable_x64", real is np.float64)
    params, x, eps = jax.tree.map(jnp.asarray, _problem(real))
    bound = _bound(jnp, jnp.tanh, lambda x, a: (x * a - jax.nn.softplus(a)).sum(2), lambda a: jax.nn.logsumexp(a, 1))
    slope = jax.jit(jax.value_and_grad(lambda p, x, eps: bound(p["theta"], p["phi"], x, eps)))
    return lambda: _leaves(jax.block_until_ready(slope(params, x, eps))[1])


def _products(real):
    """The products of one gradient at the speed of the largest product here."""
    w = np.random.default_rng(0).normal(size=(2, 1024, 1024)).astype(real)

    def bound():
        begin = time.perf_counter()
        w[0] @ w[1]
        return (time.perf_counter() - begin) * PRODUCTS / (2 * 1024**3)
    return bound


def _case(real):
    dtype = np.dtype(real).name
    peers = {"PyTorch": _torch, "JAX": _jax, "autograd without fused layers": _autograd}
    return Case(f"iwae.gradient.{dtype}", f"one gradient of the IW bound, {D}-{J}-{H}, K = {K}, {B} rows", B * K,
                "samples", dtype, partial(_refdgm, real), {name: partial(maker, real) for name, maker in peers.items()},
                observe=lambda g: np.linalg.norm(np.maximum(g, 0)),             # of the rising part: signs count
                limit=("its products at the speed of the largest", partial(_products, real)), quick=True)


CASES = tuple(_case(real) for real in (np.float32, np.float64))
