"""Metropolis independence sampling of discrete codes, against its exact matrix, and the mistakes that this rejects."""
import numpy as np
import pytest

from refdgm.models import sbn
from refdgm.models.finite_chain import stationary_law
from refdgm.samplers import sbn_mis as mis
from refdgm.transition_test import compare, follow, number


def problem(n=2, D=4, H=2, scale=1.0):
    case = sbn.random_data_case(1, n, D, H)
    return {**case["theta"], "W": scale * case["theta"]["W"]}, case["phi"], case["X"]


def numbered(state):
    return number(state.h.reshape(len(state.h), -1))


def equal(a, b):
    return all(np.array_equal(p, q) for p, q in zip(a[:3], b[:3])) and a.stream.step == b.stream.step


@pytest.mark.parametrize("real", [np.float64, np.float32])
@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("n, D, H, chains", [(3, 70, 6, 90), (1, 3, 1, 1)])
def test_the_compiled_chain_is_the_numpy_chain(n, D, H, chains, every, real):
    theta, phi, x = problem(n, D, H, scale=0.5)
    start = mis.init(theta, phi, x, chains, seed=7, real=real)
    twin = start
    for _ in range(7):
        twin = mis.step(theta, phi, x, twin, every)
    assert twin.h.dtype == twin.log_w.dtype == real
    for threads in (1, 2):
        assert equal(mis.run(theta, phi, x, start, 7, every, threads=threads).state, twin)
    assert equal(mis.run(theta, phi, x, mis.run(theta, phi, x, start, 2, every).state, 5, every).state, twin)


def test_a_chain_does_not_notice_its_batch():
    theta, phi, x = problem(3)
    start = mis.init(theta, phi, x, 200, seed=3)
    together, part = mis.run(theta, phi, x, start, 20).state, slice(40, 77)
    alone = mis.State(*(a[part] for a in start[:3]), start.stream._replace(chain=start.stream.chain[part]))
    alone = mis.run(theta, phi, x, alone, 20).state
    assert all(np.array_equal(a, b[part]) for a, b in zip(alone[:3], together[:3]))


def test_the_weight_is_that_of_the_code():
    theta, phi, x = problem(3, 70, 6, scale=0.5)
    start = mis.init(theta, phi, x, 50)
    after = mis.run(theta, phi, x, start, 30).state
    assert np.mean(after.log_w != start.log_w) > 0.3
    other = {**theta, "a": theta["a"] + 1}
    for s, under in ((start, theta), (after, theta), (mis.reweighted(other, phi, x, after), other)):
        exact = sbn.log_weights(under, phi, x, s.h)
        assert np.max(np.abs(s.log_w - exact)) < 1e-12 * np.max(np.abs(exact))


@pytest.mark.parametrize("every", [False, True])
def test_the_matrix(every):
    """Its law is the product of the posteriors, one update at a time in detailed balance."""
    theta, phi, x = problem()
    P, pi = mis.transition_matrix(theta, phi, x, every), np.kron(*sbn.posterior(theta, x)[::-1])
    assert np.max(np.abs(P.sum(axis=1) - 1)) < 1e-12
    assert np.max(np.abs(pi @ P - pi)) < 1e-12 and np.max(np.abs(stationary_law(P) - pi)) < 1e-12
    flow = pi[:, None] * P
    assert np.max(np.abs(flow - flow.T)) < 1e-12


@pytest.mark.parametrize("every", [False, True])
def test_the_compiled_chain_has_this_matrix(every):
    theta, phi, x = problem()
    verdict = compare(mis.transition_matrix(theta, phi, x, every), *follow(
        mis.init(theta, phi, x, 20_000), lambda s: mis.run(theta, phi, x, s, 1, every).state, numbered), most=10**6)
    assert verdict.agrees, verdict


# ---- mistakes -------------------------------------------------------------------------

def wrong_step(accepts=mis.accepts, to_beat=lambda log_w, k: log_w[np.arange(len(k)), k],
               kept=lambda moves, new, old: np.where(moves, new, old)):
    """The step of one code with one mistake, from the same parts as the right one."""
    def step(theta, phi, x, state):
        parts, s, chain = mis._problem(theta, phi, x, np.float64), state.stream, np.arange(len(state.h))
        to_choose, to_accept = mis.words(s, 2, 0).T
        k = (to_choose.astype(np.uint64) * len(x) >> 32).astype(int)
        h_new = mis.propose(parts, k, s, 0)
        log_w_new = mis.log_weight(parts, k, h_new)
        moves = accepts(log_w_new, to_beat(state.log_w, k), to_accept)
        h, log_w = state.h.copy(), state.log_w.copy()
        h[chain, k] = np.where(moves[:, None], h_new, h[chain, k])
        log_w[chain, k] = kept(moves, log_w_new, log_w[chain, k])
        return mis.State(h, log_w, k, mis.advance(s))
    return step


MISTAKES = {
    "inverted ratio": wrong_step(accepts=lambda new, old, word: mis.accepts(old, new, word)),
    "the weight is never updated": wrong_step(kept=lambda moves, new, old: old),
    "the weight is that of the last proposal": wrong_step(kept=lambda moves, new, old: new),
    "u in place of log u": wrong_step(accepts=lambda new, old, word: mis.uniform(word, old) < new - old),
    "the weight to beat is that of the first code": wrong_step(to_beat=lambda log_w, k: log_w[:, 0]),
    "every proposal accepted": wrong_step(accepts=lambda new, old, word: np.full(len(word), True)),
}


def judged(step):
    theta, phi, x = problem()
    return compare(mis.transition_matrix(theta, phi, x), *follow(
        mis.init(theta, phi, x, 20_000), lambda s: step(theta, phi, x, s), numbered), most=2 * 10**5)


def test_the_right_step_from_these_parts():
    assert judged(wrong_step()).agrees


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_rejected(name):
    assert not judged(MISTAKES[name]).agrees


def test_errors():
    theta, phi, x = problem()
    start = mis.init(theta, phi, x, 4)
    with pytest.raises(ValueError, match="number of chains must be an integer of at least 1"):
        mis.init(theta, phi, x, 0)
    with pytest.raises(ValueError, match="number of observations"):
        mis.init(theta, phi, x[:0], 4)
    with pytest.raises(ValueError, match="x must consist of bits"):
        mis.init(theta, phi, x + 0.5, 4)
    with pytest.raises(ValueError, match="h must have shape"):
        mis.init(theta, phi, x, 4, h=np.zeros((4, 2)))
    with pytest.raises(ValueError, match="steps must be an integer"):
        mis.run(theta, phi, x, start, 0)
    with pytest.raises(ValueError, match="transition matrix of 2 codes of 9 units"):
        mis.transition_matrix(*problem(H=9))


@pytest.mark.filterwarnings("ignore:overflow")
def test_a_weight_that_is_not_finite_is_named():
    """Couplings whose sum is beyond float32."""
    theta, phi, x = problem()
    start, huge = mis.init(theta, phi, x, 4, real=np.float32), {**theta, "b": np.full(4, 3e38)}
    for steps in (mis.step, lambda *a: mis.run(*a, 5)):
        with pytest.raises(ValueError, match=r"log weight must be finite, but is \S+ for chain \d at step \d\."):
            steps(huge, phi, x, start)
