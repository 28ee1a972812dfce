r"""Annealed importance sampling for the partition function of an RBM (Neal 2001; Salakhutdinov and Murray 2008).

A path of RBMs leads from independent visible units, whose partition function is known, to the RBM theta:

    log f_t(v) = ((1 - beta_t) b_0 + beta_t b)'v + sum_j softplus(beta_t (w'v + c)_j),    0 = beta_0 < ... < beta_T = 1

    v_0 ~ p_0;   step t = 1..T:   log w += log f_t(v) - log f_(t-1)(v),   then v by one Gibbs step of the RBM at beta_t

    E w = Z / Z_0,    Z_0 = 2^H prod_i (1 + e^b_0i):    Z_0 times the mean of w is an unbiased estimate of Z

for any number of steps; more of them make it less variable. log of a mean is not unbiased: it is too small on average.
softplus(s) = max(s, 0) + log(1 + e^-|s|), the logarithms taken of products over 64 units, each factor at most 2.

`step` is plain NumPy and pure: the stream says which t is next. `run` is the same compiled, bit for bit, in float64 and
float32; a float32 log w is the sum of T numbers of that precision.

theta as in refdgm.models.rbm;  base = b_0 (D,), zero where not given;  betas (T + 1,);  v (C, D), log_w (C,).

However short the path, the mean weight is Z / Z_0 exactly; here over all trajectories of three steps:

>>> import numpy as np
>>> from refdgm.samplers.ais import log_partition_of_base, mean_weight, rbm
>>> theta, betas = rbm.random_theta(np.random.default_rng(0), 3, 2), np.linspace(0, 1, 4)
>>> log_ratio = float(rbm.log_partition(theta) - log_partition_of_base(theta))
>>> round(float(mean_weight(theta, betas) / np.exp(log_ratio)), 6)
1.0
"""
from typing import NamedTuple

from refdgm import chains
from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.elementary import dot_in_order, exp, log
from refdgm.models import rbm
from refdgm.numerics import all_binary, log_mean_exp, softplus
from refdgm.streams import Stream, advance, fires, keys, stream, words

HIDDEN, VISIBLE = 0, 1              # the two draws of a step
GROUP = 64                          # factors between 1 and 2 whose product is within the range of float32


class State(NamedTuple):
    """C chains on their way: the visible units, the log weight so far; the next step is t = stream.step."""
    v: np.ndarray           # (C, D)
    log_w: np.ndarray       # (C,)
    stream: Stream


def init(theta, betas, number, seed=0, base=None, first=0, real=np.float64):
    """`number` draws of p_0, of weight 1.

    Raises ValueError if theta or base is not finite, betas does not rise from 0 to 1, or there is no chain.
    """
    _, b, _, base, _ = _parameters(theta, betas, base, real)
    s = stream(seed, number, first)
    return State(fires(words(s, len(b), VISIBLE), np.broadcast_to(base, (number, len(b)))).astype(real),
                 np.zeros(number, real), advance(s))


def step(theta, betas, state, base=None):
    """Step t = stream.step of the path: the weight first, at the old v, then v."""
    w, b, c, base, betas = _parameters(theta, betas, base, state.v.dtype.type)
    _on_path(betas, state, 1)
    s, t = state.stream, state.stream.step
    old, new, one = betas[t - 1], betas[t], betas.dtype.type(1)
    logits = dot_in_order(state.v, w, c)
    log_w = log_ratio(state.log_w, state.v, (new - old) * (b - base), old * logits, new * logits)
    h = fires(words(s, len(c), HIDDEN), new * logits).astype(w.dtype)
    logits = ((one - new) * base + new * b) + new * dot_in_order(h, w.T, np.zeros_like(b))
    return State(fires(words(s, len(b), VISIBLE), logits).astype(w.dtype), _finite(log_w, s), advance(s))


def log_ratio(total, v, slope, before, after):
    """total + v'slope + sum_j [softplus(after_j) - softplus(before_j)]: log f_t(v) - log f_(t-1)(v), in order."""
    zero, one = np.zeros_like(total), np.ones_like(total)
    for i in range(v.shape[1]):
        total = total + v[:, i] * slope[i]
    for start in range(0, before.shape[1], GROUP):
        hot = cold = one
        for old, new in zip(before.T[start:start + GROUP], after.T[start:start + GROUP]):
            total = total + (np.maximum(new, zero) - np.maximum(old, zero))
            hot, cold = hot * (one + exp(-np.abs(old))), cold * (one + exp(-np.abs(new)))
        total = total + log(cold / hot)
    return total


def run(theta, betas, state, steps=None, base=None, threads=None, **options):
    """`steps` steps of every chain, compiled; those that are left where not given.  -> refdgm.chains.Run"""
    from refdgm import jit
    from refdgm.kernels.ais import anneal
    given = betas, base
    w, b, c, base, betas = _parameters(theta, betas, base, state.v.dtype.type)
    steps = len(betas) - state.stream.step if steps is None else steps
    _on_path(betas, state, steps)
    chains.shaped(state, v=b.shape, log_w=())
    panels, panels_transposed, lanes = jit.panels(w), jit.panels(w.T), jit.lanes(w.dtype)

    def compiled(state, n):
        v, log_w, s = state.v.copy(), state.log_w[:, None].copy(), state.stream
        jit.in_threads(anneal, (v, log_w, s.chain[:, None]), (panels, panels_transposed, b, c, base, betas, s.step, n,
                                                              *keys(s.seed), lanes, GROUP), threads, together=lanes)
        if not np.isfinite(log_w).all():                                       # the twin raises where it happened
            chains.repeated(lambda state: step(theta, given[0], state, given[1]))(state, n)
        return State(v, log_w[:, 0], advance(s, n))

    return chains.drive(state, compiled, steps, **options)


# ---- the estimate ---------------------------------------------------------------------

def log_partition(theta, state, base=None):
    """log of Z_0 times the mean weight, from chains at the end of the path.  -> ()"""
    return log_partition_of_base(theta, base) + log_mean_exp(np.asarray(state.log_w, np.float64))


def log_partition_of_base(theta, base=None):
    """log Z_0 = H log 2 + sum_i softplus(b_0i).  -> ()"""
    D, H = np.shape(theta["w"])
    return H * np.log(2) + np.sum(softplus(np.zeros(D) if base is None else base))


def base_rates(x):
    """The log-odds of each visible unit in data x (N, D), with one unit on and one off added: a good b_0.  -> (D,)"""
    on = np.sum(x, axis=0)
    return np.log(on + 1) - np.log(len(x) - on + 1)


def mean_weight(theta, betas, base=None, power=1):
    """E w^power, exactly: a sum over all trajectories v_0, ..., v_T, as a product of 2**D by 2**D matrices.  -> ()

    With power = 1 this is Z / Z_0; with power = 2 it gives the estimate's variance.
    """
    w, b, c, base, betas = _parameters(theta, betas, base, np.float64)
    D, H = w.shape
    valid.enumerable(2**(D + max(D, H)), f"a transition matrix of an RBM with {D} visible and {H} hidden units")
    v, h = all_binary(D), all_binary(H)
    path = [{"w": beta * w, "b": (1 - beta) * base + beta * b, "c": beta * c} for beta in betas]
    law = np.exp(rbm.log_marginal(path[0], v))
    for old, new in zip(path, path[1:]):
        law = law * np.exp(power * (rbm.free_energy(old, v) - rbm.free_energy(new, v)))
        law = (law @ np.exp(rbm.log_z_given_x(new, v[:, None], h))) @ np.exp(rbm.log_x_given_z(new, v, h[:, None]))
    return np.sum(law)


def _parameters(theta, betas, base, real):
    """w, b, c, base and betas as arrays of one type, absent biases as zeros."""
    valid.real_type(real)
    rbm.validate(theta)
    D, H = np.shape(theta["w"])
    base = np.zeros(D) if base is None else base
    valid.vector("base", base, D)
    valid.shape("betas", betas, (None,))
    valid.require(len(betas) > 1 and betas[0] == 0 and betas[-1] == 1 and np.all(np.diff(betas) > 0),
                  "betas must rise from 0 to 1, strictly.")
    b, c = theta.get("b", np.zeros(D)), theta.get("c", np.zeros(H))
    return [np.ascontiguousarray(a, real) for a in (theta["w"], b, c, base, betas)]


def _on_path(betas, state, steps):
    t, last = state.stream.step, len(betas) - 1
    valid.require(1 <= t and t + steps - 1 <= last, f"the path has the steps 1 to {last}; the next one is {t}"
                  + (f", and {steps} are asked for." if t <= last else ": this state is at its end."))


def _finite(log_w, s):
    """log_w, or a ValueError that names a chain and the step."""
    for i in np.flatnonzero(~np.isfinite(log_w)):
        raise ValueError(f"the log weight must be finite, but is {log_w[i]} for chain {s.chain[i]} at step {s.step}.")
    return log_w
