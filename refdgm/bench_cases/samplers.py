"""The samplers without a file of their own here: Gibbs steps of deep and directed models, Metropolis, HMC, weights.

A peer's step is written once, for NumPy, JAX and PyTorch alike, see refdgm.bench_peers.any_library; BlackJAX
has kernels of its own for two of them.
"""
from functools import partial

import numpy as np

from refdgm.bench_peers import any_library, mixture
from refdgm.bench_peers.any_library import Library, Work
from refdgm.benchmark import Case
from refdgm.models import dbm, gaussian_rbm, rbm, sbn
from refdgm.proposals import LogWeight, normal
from refdgm.samplers import ais, dbm_gibbs, finite_metropolis, gaussian_rbm_gibbs, hamiltonian, random_walk
from refdgm.samplers import resampling, sbn_gibbs

EPS, LEAPS, SCALE, WIDE = 0.7, 5, 1.5, 3.0      # of HMC and its leapfrog steps, of the random walk, of a proposal


# ---- Gibbs -----------------------------------------------------------------------------

def _bits(library, logits):
    return library.real(library.rand(logits.shape) < library.sigmoid(logits))


def _dbm(chains, steps, real):
    theta = {k: a.astype(real) for k, a in dbm.random_theta(np.random.default_rng(0), 64, 64, 32, scale=0.1).items()}
    start = dbm_gibbs.init(theta, chains, seed=1, real=real)

    def step(library, constants, state, t):
        (W1, W2, b, c1, c2), (v, h2) = constants, state
        h1 = _bits(library, v @ W1 + h2 @ W2.T + c1)
        return _bits(library, h1 @ W1.T + b), _bits(library, h1 @ W2 + c2)

    return Work(lambda: dbm_gibbs.run(theta, start, steps).state.v, step,
                tuple(theta[k] for k in ("W1", "W2", "b", "c1", "c2")), (start.v, start.h2), lambda state: state[0])


def _gaussian_rbm(chains, steps, real):
    theta = {k: a.astype(real) for k, a in
             gaussian_rbm.random_theta(np.random.default_rng(0), 64, 64, scale=0.1).items()}
    start = gaussian_rbm_gibbs.init(theta, chains, seed=1, real=real)

    def step(library, constants, state, t):
        w, b, c, sigma, precision = constants
        h = _bits(library, (state[0] * precision) @ w + c)
        return (h @ w.T + b + sigma * library.randn(state[0].shape),)

    return Work(lambda: gaussian_rbm_gibbs.run(theta, start, steps).state.v, step,
                (*(theta[k] for k in ("w", "b", "c", "sigma")), theta["sigma"]**-2), (start.v,), lambda state: state[0])


def _sbn(chains, steps, real):
    theta = {k: a.astype(real) for k, a in sbn.random_case(0, 32, 16)["theta"].items()}
    x = np.random.default_rng(1).integers(0, 2, (chains, 32)).astype(real)
    start = sbn_gibbs.init(theta, x, seed=1, real=real)

    def step(library, constants, state, t):
        (a, W, b, x), (h,) = constants, state
        columns, s = list(h.T), h @ W.T + b
        for j in range(16):
            off = s - columns[j][:, None] * W[:, j]
            logit = a[j] + x @ W[:, j] - (library.softplus(off + W[:, j]) - library.softplus(off)).sum(1)
            columns[j] = _bits(library, logit)
            s = off + columns[j][:, None] * W[:, j]
        return (library.np.stack(columns, 1),)

    return Work(lambda: sbn_gibbs.run(theta, start, steps).state.h, step, (theta["a"], theta["W"], theta["b"], x),
                (start.h,), lambda state: state[0])


def _ais(chains, steps, real):
    """Where the path ends; a path has as many steps as there are."""
    theta = {k: a.astype(real) for k, a in rbm.random_theta(np.random.default_rng(0), 64, 64, scale=0.1).items()}
    betas = np.linspace(0, 1, steps + 1)
    start = ais.init(theta, betas, chains, seed=1, real=real)

    def step(library, constants, state, t):
        (w, b, c, betas), (v, log_w) = constants, state
        old, new, logits = betas[t], betas[t + 1], v @ w + c
        gain = library.softplus(new * logits) - library.softplus(old * logits)
        log_w = log_w + (new - old) * (v @ b) + gain.sum(1)
        h = _bits(library, new * logits)
        return _bits(library, new * (h @ w.T + b)), log_w

    constants = theta["w"], theta["b"], theta["c"], betas.astype(real)
    return Work(lambda: ais.run(theta, betas, start).state.log_w, step, constants, (start.v, start.log_w),
                lambda state: state[1])


# ---- Metropolis, HMC and weights on four normals in the plane --------------------------

def _log_p_and_score(library, mean, log_weight, x):
    away = mean - x[:, None]
    component = log_weight - 0.5 * (away * away).sum(2)
    top = library.np.amax(component, 1)
    share = library.np.exp(component - top[:, None])
    total = share.sum(1)
    return top + library.np.log(total), (share[:, :, None] * away).sum(1) / total[:, None]


def _on_mixture(sampler, arguments, more):
    """A chain whose steps propose y with log ratio `more(library, evaluate, x, log_p, score)`."""
    def work(chains, steps, real):
        target, log_weight, mean, x = mixture.problem(chains, real)
        constants = mean, log_weight
        start = sampler.init(target, x, seed=1, real=real)

        def step(library, constants, state, t):
            x, log_p, score = state
            y, new_log_p, new_score, ratio = more(library, partial(_log_p_and_score, library, *constants), *state)
            taken = library.np.log(library.rand(ratio.shape)) < ratio
            where = library.np.where
            return where(taken[:, None], y, x), where(taken, new_log_p, log_p), where(taken[:, None], new_score, score)

        found = _log_p_and_score(Library(np, *[None] * 5), *constants, x)
        return Work(lambda: sampler.run(target, start, *arguments, steps).state.x, step, constants, (x, *found),
                    lambda state: state[0])
    return work


def _walk(library, evaluate, x, log_p, score):
    y = x + SCALE * library.randn(x.shape)
    new_log_p, new_score = evaluate(y)
    return y, new_log_p, new_score, new_log_p - log_p


def _leapfrog(library, evaluate, x, log_p, score):
    r = library.randn(x.shape)
    energy = log_p - 0.5 * (r * r).sum(1)
    r = r + EPS / 2 * score
    for i in range(LEAPS):
        x = x + EPS * r
        log_p, score = evaluate(x)
        r = r + (EPS if i < LEAPS - 1 else EPS / 2) * score
    return x, log_p, score, log_p - 0.5 * (r * r).sum(1) - energy


def _resampling(chains, steps, real):
    q = normal(np.zeros(2), WIDE, real)
    target, log_weight, mean, _ = mixture.problem(chains, real)
    weight, start = LogWeight(target, q), resampling.init(q, chains, seed=1)

    def step(library, constants, state, t):
        x, top, total = state
        z = library.randn(x.shape)
        new = WIDE * z
        log_w = _log_p_and_score(library, *constants, new)[0] + 0.5 * (z * z).sum(1)
        highest = library.np.maximum(top, log_w)
        fresh = library.np.exp(log_w - highest)
        total = total * library.np.exp(top - highest) + fresh
        return library.np.where((library.rand(top.shape) * total < fresh)[:, None], new, x), highest, total

    return Work(lambda: resampling.run(q, weight, start, steps).state.x, step,
                (mean, log_weight), (start.x, start.top, start.total), lambda state: state[0])


def _finite(chains, steps, real):
    """On 16 states."""
    rng = np.random.default_rng(0)
    log_p, R = rng.normal(size=16), rng.dirichlet(np.ones(16), size=16)
    start = finite_metropolis.init(log_p, R, np.zeros(chains, int), seed=1)

    def step(library, constants, state, t):
        (up_to, accept), (z,) = constants, state
        new = (up_to[z] <= library.rand(z.shape)[:, None]).sum(1)
        return (library.np.where(library.rand(z.shape) < accept[z, new], new, z),)

    tables = finite_metropolis.cumulative(R), finite_metropolis.acceptance(log_p, R)
    return Work(lambda: finite_metropolis.run(log_p, R, start, steps).state.z, step,
                tables, (start.z,), lambda state: state[0])


# ---- the cases -------------------------------------------------------------------------

def _hmc(blackjax, log_p):
    return blackjax.hmc(log_p, EPS, np.ones(2), LEAPS)


def _random_walk(blackjax, log_p):
    return blackjax.additive_step_random_walk(log_p, blackjax.mcmc.random_walk.normal(np.full(2, SCALE)))


SAMPLERS = {        # name: (what is done, maker of its work, chains, steps)
    "dbm": ("block Gibbs of a Boltzmann machine 64-64-32", _dbm, 10**4, 5),
    "gaussian_rbm": ("block Gibbs of an RBM of 64 Gaussian and 64 hidden units", _gaussian_rbm, 10**4, 5),
    "sbn": ("Gibbs sampling of 16 latents of a sigmoid belief net with 32 visible units", _sbn, 2000, 3),
    "ais": ("annealed importance sampling of an RBM of 64 + 64 units", _ais, 1000, 50),
    "finite": ("Metropolis-Hastings on 16 states", _finite, 10**5, 10),
    "random_walk": ("random-walk Metropolis on 4 normals in the plane",
                    _on_mixture(random_walk, (SCALE,), _walk), 10**5, 10),
    "hmc": (f"HMC of {LEAPS} leapfrog steps on 4 normals in the plane",
            _on_mixture(hamiltonian, (EPS, LEAPS), _leapfrog), 2 * 10**4, 10),
    "resampling": ("importance sampling with resampling on 4 normals in the plane", _resampling, 10**5, 20)}
BLACKJAX = {"random_walk": _random_walk, "hmc": _hmc}


def _case(name, real):
    what, maker, chains, steps = SAMPLERS[name]
    dtype = np.dtype(real).name
    peers = {peer: (lambda by=by: by(maker(chains, steps, real), steps, real))
             for peer, by in any_library.PEERS.items()}
    if name in BLACKJAX:
        peers["BlackJAX"] = partial(mixture.by_blackjax, BLACKJAX[name], steps, real, chains)
    return Case(f"samplers.{name}.{dtype}", f"{what}: {steps} steps of {chains} chains", steps * chains, "chain-steps",
                dtype, lambda: maker(chains, steps, real).refdgm, peers,
                observe=lambda a: a if a.ndim == 1 else a.mean(axis=1), quick=name == "finite")


CASES = tuple(_case(name, real) for real in (np.float32, np.float64) for name in SAMPLERS
              if (name, real) != ("finite", np.float32))          # its tables are float64
