"""Four normals in the plane, and how ULA and MALA run on them with NumPy, JAX, BlackJAX and PyTorch.

The chains start apart, in the corners between the components, so that every step matters to where they are after a few.
"""
import numpy as np

from refdgm.models import targets

CHAINS, STEPS, EPS = 10**5, 50, 0.5
WEIGHT, MEAN = np.array([0.1, 0.2, 0.3, 0.4]), np.array([[2.0, 2.0], [-2.0, 2.0], [2.0, -2.0], [-2.0, -2.0]])


def problem(chains, real):
    """The target, its parameters, and where the chains start: the same for everybody."""
    start = np.random.default_rng(0).uniform(-3, 3, (chains, 2)).astype(real)
    return targets.gaussian_mixture(WEIGHT, MEAN, 1.0), np.log(WEIGHT).astype(real), MEAN.astype(real), start


# ---- NumPy ------------------------------------------------------------------------------

def _log_p_and_score(log_weight, mean, real):
    def evaluate(x, with_log_p=True):
        away = mean - x[:, None]
        component = log_weight - real(0.5) * np.sum(away * away, axis=2)
        top = component.max(axis=1, keepdims=True)
        share = np.exp(component - top)
        total = share.sum(axis=1, keepdims=True)
        share /= total
        return with_log_p and (top + np.log(total))[:, 0], np.einsum("ck,cki->ci", share, away)
    return evaluate


def _in_rows(log_weight, mean, real):
    """A row for each component and coordinate, the squares multiplied out for the BLAS: x is (2, C) here."""
    offset = (log_weight - real(0.5) * np.sum(mean * mean, axis=1))[:, None]

    def evaluate(x, with_log_p=True):
        component = mean @ x
        component += offset
        top = component.max(axis=0)
        component -= top
        share = np.exp(component, out=component)
        total = share.sum(axis=0)
        share /= total
        return with_log_p and top + np.log(total) - real(0.5) * (x * x).sum(axis=0), mean.T @ share - x
    return evaluate


def by_numpy(adjust, real, in_rows=False):
    """Steps of MALA if `adjust`, else of ULA."""
    _, log_weight, mean, start = problem(CHAINS, real)
    rng, axis = np.random.default_rng(0), 0 if in_rows else 1
    evaluate = (_in_rows if in_rows else _log_p_and_score)(log_weight, mean, real)
    half, root = real(EPS / 2), real(EPS**0.5)
    start = np.ascontiguousarray(start.T) if in_rows else start

    def unadjusted():
        x = start
        for _ in range(STEPS):
            x = x + half * evaluate(x, False)[1] + root * rng.standard_normal(x.shape, dtype=real)
        return x.T if in_rows else x

    def adjusted():
        x = start.copy()
        log_p, score = evaluate(x)
        for _ in range(STEPS):
            y = x + half * score + root * rng.standard_normal(x.shape, dtype=real)
            new_log_p, new_score = evaluate(y)
            there, back = y - x - half * score, x - y - half * new_score
            ratio = new_log_p - log_p + ((there * there).sum(axis) - (back * back).sum(axis)) / real(2 * EPS)
            taken = np.log(rng.random(CHAINS, dtype=real)) < ratio
            log_p = np.where(taken, new_log_p, log_p)
            taken = taken if in_rows else taken[:, None]
            x, score = np.where(taken, y, x), np.where(taken, new_score, score)
        return x.T if in_rows else x

    return adjusted if adjust else unadjusted


# ---- JAX and BlackJAX -------------------------------------------------------------------

def _jax_log_p(real, chains=CHAINS):
    import jax
    jax.config.update("jax_enable_x64", real is np.float64)
    _, log_weight, mean, start = problem(chains, real)

    def log_p(x):
        return jax.nn.logsumexp(log_weight - real(0.5) * jax.numpy.sum((mean - x)**2, axis=-1))

    def hand(x):
        away = mean - x[:, None]
        component = log_weight - real(0.5) * jax.numpy.sum(away * away, axis=-1)
        return (jax.nn.logsumexp(component, axis=-1),
                jax.numpy.einsum("ck,cki->ci", jax.nn.softmax(component, axis=-1), away))

    return jax, log_p, hand, jax.numpy.asarray(start)


def by_jax(adjust, real, by_hand=True, chains=CHAINS):
    """The same, with the gradient by hand or by JAX."""
    jax, log_p, hand, start = _jax_log_p(real, chains)
    evaluate = hand if by_hand else jax.vmap(jax.value_and_grad(log_p))
    half, root = real(EPS / 2), real(EPS**0.5)

    def unadjusted(x, key):
        return x + half * evaluate(x)[1] + root * jax.random.normal(key, x.shape, real)

    def adjusted(state, key):
        (x, log_p, score), (first, second) = state, jax.random.split(key)
        y = x + half * score + root * jax.random.normal(first, x.shape, real)
        new_log_p, new_score = evaluate(y)
        there, back = y - x - half * score, x - y - half * new_score
        ratio = new_log_p - log_p + jax.numpy.sum(there**2 - back**2, axis=1) / real(2 * EPS)
        taken = jax.numpy.log(jax.random.uniform(second, log_p.shape, real)) < ratio
        return (jax.numpy.where(taken[:, None], y, x), jax.numpy.where(taken, new_log_p, log_p),
                jax.numpy.where(taken[:, None], new_score, score))

    @jax.jit
    def run(x, keys):
        if adjust:
            return jax.lax.scan(lambda state, key: (adjusted(state, key), None), (x, *evaluate(x)), keys)[0][0]
        return jax.lax.scan(lambda x, key: (unadjusted(x, key), None), x, keys)[0]

    keys = jax.random.split(jax.random.key(0), STEPS)
    return lambda: run(start, keys).block_until_ready()


def by_blackjax(kernel, steps, real, chains=CHAINS):
    """`steps` steps of kernel(blackjax, log_p)."""
    import blackjax
    jax, log_p, _, start = _jax_log_p(real, chains)
    kernel = kernel(blackjax, log_p)

    def one(states, key):
        return jax.vmap(kernel.step)(jax.random.split(key, chains), states)[0], None

    @jax.jit
    def run(x, keys):
        return jax.lax.scan(one, jax.vmap(kernel.init)(x), keys)[0].position

    keys = jax.random.split(jax.random.key(0), steps)
    return lambda: run(start, keys).block_until_ready()


# ---- PyTorch ----------------------------------------------------------------------------

def by_torch(real, chains):
    """Steps of ULA on a GPU."""
    import torch
    _, log_weight, mean, start = problem(chains, real)
    log_weight, mean, first = (torch.from_numpy(a).cuda() for a in (log_weight, mean, start))

    @torch.compile
    def step(x):
        away = mean - x[:, None]
        share = torch.softmax(log_weight - 0.5 * (away * away).sum(-1), dim=-1)
        return x + EPS / 2 * (share[:, :, None] * away).sum(1) + EPS**0.5 * torch.randn_like(x)

    @torch.no_grad()
    def work():
        x = first
        for _ in range(STEPS):
            x = step(x)
        return x
    return work
