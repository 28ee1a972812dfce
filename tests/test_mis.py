"""Metropolis independence sampling: the compiled chain is the NumPy chain, and both have the posterior as their law."""
import numpy as np
import pytest

from refdgm.models import linear_gaussian
from refdgm.samplers import linear_gaussian_mis as mis
from refdgm.samplers.linear_gaussian_mis import State


def problem(D=8, H=2, seed=1):
    case = linear_gaussian.random_case(seed, D, H)
    return case["theta"], case["phi"], case["x"]


def equal(a, b):
    return np.array_equal(a.h, b.h) and np.array_equal(a.log_w, b.log_w) and a.stream.step == b.stream.step


@pytest.mark.parametrize("real", [np.float64, np.float32])
@pytest.mark.parametrize("D, H, chains, own_x", [(8, 2, 300, False), (5, 3, 77, True), (3, 1, 1, True)])
def test_the_compiled_chain_is_the_numpy_chain(D, H, chains, own_x, real):
    theta, phi, x = problem(D, H)
    if own_x:
        x = x + np.random.default_rng(0).normal(size=(chains, D))
    start = mis.init(theta, phi, x, chains, seed=7, real=real)
    twin = start
    for _ in range(9):
        twin = mis.step(theta, phi, x, twin)
    assert twin.h.dtype == twin.log_w.dtype == real
    for threads in (1, 2):
        assert equal(mis.run(theta, phi, x, start, 9, threads=threads).state, twin)
    assert equal(mis.run(theta, phi, x, mis.run(theta, phi, x, start, 3).state, 6).state, twin)


def test_a_chain_does_not_notice_its_batch():
    theta, phi, x = problem()
    x = x + np.random.default_rng(0).normal(size=(200, 8))
    start = mis.init(theta, phi, x, 200, seed=3)
    together, part = mis.run(theta, phi, x, start, 20).state, slice(40, 77)
    alone = State(start.h[part], start.log_w[part], start.stream._replace(chain=start.stream.chain[part]))
    alone = mis.run(theta, phi, x[part], alone, 20).state
    assert np.array_equal(alone.h, together.h[part]) and np.array_equal(alone.log_w, together.log_w[part])


def test_the_weight_is_that_of_the_state():
    """log w = log p(x, h) - log q(h|x) by the model's own functions, at first and after many acceptances."""
    theta, phi, x = problem(5, 3)
    for state in (mis.init(theta, phi, x, 100), mis.init(theta, phi, x, 2, h=np.ones((2, 3)))):
        after = mis.run(theta, phi, x, state, 50).state
        assert np.mean(after.log_w != state.log_w) > 0.5
        for s in (state, after):
            exact = linear_gaussian.log_joint(theta, x, s.h) - linear_gaussian.log_q(phi, x, s.h)
            assert np.max(np.abs(s.log_w - exact)) < 1e-12 * np.max(np.abs(exact))


# ---- the law --------------------------------------------------------------------------

def standard_errors(h, theta, x):
    """How many standard errors the first and second moments of independent h (C, H) are from the posterior's."""
    covariance = np.linalg.inv(linear_gaussian.posterior_precision(theta))
    d = h - linear_gaussian.posterior_mean(theta, x)
    moments = np.concatenate([d, (d[:, :, None] * d[:, None, :] - covariance).reshape(len(h), -1)], axis=1)
    return np.max(np.abs(moments.mean(axis=0)) / (moments.std(axis=0, ddof=1) / np.sqrt(len(h))))


def good_problem():
    """The proposal has three halves of the posterior's covariance and a mean that is off by half a standard deviation:
    about half of the proposals are accepted, and w is bounded."""
    theta, _, x = problem()
    covariance = np.linalg.inv(linear_gaussian.posterior_precision(theta))
    mean = linear_gaussian.posterior_mean(theta, x) + 0.5 * np.sqrt(np.diag(covariance))
    return theta, {"V": np.zeros((2, 8)), "c": mean, "S": 1.5 * covariance}, x


def wrong_step(**change):
    """A step with one mistake, from the same parts as the right one."""
    def step(theta, phi, x, state):
        h, log_w = mis.propose(mis._problem(theta, phi, x, len(state.h), np.float64), state.stream)
        moves = change.get("accepts", mis.accepts)(log_w, state.log_w, state.stream)
        kept = change.get("kept", lambda moves, new, old: np.where(moves, new, old))(moves, log_w, state.log_w)
        return State(np.where(moves[:, None], h, state.h), kept, mis.advance(state.stream))
    return step


def u_for_log_u(new, old, s):
    return mis.uniform(mis.words(s, 1, mis.ACCEPT)[:, 0], old) < new - old


MISTAKES = {
    "inverted ratio": wrong_step(accepts=lambda new, old, s: mis.accepts(old, new, s)),
    "the weight is never updated": wrong_step(kept=lambda moves, new, old: old),
    "the weight is that of the last proposal": wrong_step(kept=lambda moves, new, old: new),
    "u in place of log u": wrong_step(accepts=u_for_log_u),
    "every proposal accepted": wrong_step(accepts=lambda new, old, s: np.full(len(new), True)),
}


def after(steps, step):
    """20 000 independent chains; after 40 steps from the proposal the right ones have forgotten where they began."""
    theta, phi, x = good_problem()
    state = mis.init(theta, phi, x, 20_000, seed=2)
    for _ in range(steps):
        state = step(theta, phi, x, state)
    return standard_errors(state.h, theta, x)


def test_the_posterior_is_its_law():
    """Five moments within 5 standard errors: a false alarm in 3 * 10^-6 of seeds, of which this is one."""
    assert after(1, lambda theta, phi, x, state: mis.run(theta, phi, x, state, 40).state) < 5
    assert after(40, wrong_step()) < 5, "the parts of the mistakes below, put together without a mistake"


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_has_another_law(name):
    assert after(40, MISTAKES[name]) > 10


def test_detailed_balance():
    """pi(h) q(h') a(h, h') = pi(h') q(h) a(h', h), a from the formula of the step, for pairs from far and near."""
    theta, phi, x = problem(5, 3)
    h = np.random.default_rng(0).normal(size=(2, 500, 3)) * 2
    log_pi, log_q = linear_gaussian.log_posterior(theta, x, h), linear_gaussian.log_q(phi, x, h)
    log_w = linear_gaussian.log_joint(theta, x, h) - log_q
    log_flow = [log_pi[i] + log_q[1 - i] + np.minimum(0, log_w[1 - i] - log_w[i]) for i in (0, 1)]
    assert np.max(np.abs(log_flow[0] - log_flow[1])) < 1e-12 * np.max(np.abs(log_flow))


def test_errors():
    theta, phi, x = problem(3, 2)
    start = mis.init(theta, phi, x, 4)
    with pytest.raises(ValueError, match="number of chains must be an integer of at least 1"):
        mis.init(theta, phi, x, 0)
    with pytest.raises(ValueError, match="proposal has no density"):
        mis.init(theta, {**phi, "S": np.zeros((2, 2))}, x, 4)
    with pytest.raises(ValueError, match="x must have shape"):
        mis.run(theta, phi, np.zeros((3, 3)), start, 1)
    with pytest.raises(ValueError, match="steps must be an integer"):
        mis.run(theta, phi, x, start, 0)
    with pytest.raises(ValueError, match="h must have shape"):
        mis.init(theta, phi, x, 4, h=np.zeros((4, 3)))


def test_a_weight_that_is_not_finite_is_named():
    """Far away in one direction float32 overflows; the chain and the step are those of the NumPy chain."""
    theta, phi, x = problem(3, 2)
    start = mis.init(theta, phi, x, 4, real=np.float32)
    far = {**phi, "S": 1e37 * np.eye(2)}
    with pytest.raises(ValueError, match=r"the log weight must be finite, but is \S+ for chain \d at step 1\."):
        mis.step(theta, far, x, start)
    with pytest.raises(ValueError, match=r"but is \S+ for chain \d at step 1\."):
        mis.run(theta, far, x, start, 20)
