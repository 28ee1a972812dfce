"""Annealed importance sampling: the compiled chain is the NumPy chain, and its mean weight is Z / Z_0."""
import numpy as np
import pytest

from refdgm.models import rbm
from refdgm.samplers import ais

BETAS = np.linspace(0, 1, 7)**1.5


def machine(D=5, H=4, seed=0, scale=0.8):
    rng = np.random.default_rng(seed)
    return rbm.random_theta(rng, D, H, scale=scale), rng.normal(size=D)


def equal(a, b):
    return np.array_equal(a.v, b.v) and np.array_equal(a.log_w, b.log_w) and a.stream.step == b.stream.step


@pytest.mark.parametrize("real", [np.float64, np.float32])
@pytest.mark.parametrize("D, H, chains", [(37, 70, 150), (5, 3, 1)])
def test_the_compiled_chain_is_the_numpy_chain(D, H, chains, real):
    theta, base = machine(D, H, scale=0.3)
    start = ais.init(theta, BETAS, chains, seed=7, base=base, real=real)
    twin = start
    for _ in range(6):
        twin = ais.step(theta, BETAS, twin, base)
    assert twin.v.dtype == twin.log_w.dtype == real
    for threads in (1, 2):
        assert equal(ais.run(theta, BETAS, start, base=base, threads=threads).state, twin)
    assert equal(ais.run(theta, BETAS, ais.run(theta, BETAS, start, 2, base).state, base=base).state, twin)


def test_a_chain_does_not_notice_its_batch():
    theta, base = machine()
    start, part = ais.init(theta, BETAS, 200, base=base), slice(40, 77)
    together = ais.run(theta, BETAS, start, base=base).state
    alone = ais.State(start.v[part], start.log_w[part], start.stream._replace(chain=start.stream.chain[part]))
    alone = ais.run(theta, BETAS, alone, base=base).state
    assert np.array_equal(alone.v, together.v[part]) and np.array_equal(alone.log_w, together.log_w[part])


# ---- unbiasedness ---------------------------------------------------------------------

def exact_ratio(theta, base):
    return np.exp(rbm.log_partition(theta) - ais.log_partition_of_base(theta, base))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("betas", [np.array([0, 1.0]), BETAS, np.linspace(0, 1, 40)], ids=len)
def test_the_weight_has_mean_z_over_z0(betas, seed):
    """A sum over all trajectories, for a path of any length."""
    theta, base = machine(seed=seed)
    assert abs(ais.mean_weight(theta, betas, base) / exact_ratio(theta, base) - 1) < 1e-12
    assert abs(ais.mean_weight({"w": theta["w"]}, betas) / exact_ratio({"w": theta["w"]}, None) - 1) < 1e-12


def test_more_steps_make_it_less_variable():
    theta, base = machine()
    spread = [ais.mean_weight(theta, np.linspace(0, 1, T + 1), base, power=2) / exact_ratio(theta, base)**2 - 1
              for T in (1, 4, 16, 64)]
    assert np.all(np.diff(spread) < 0) and spread[-1] < 0.05 * spread[0]


def standard_errors(step, theta, base, chains=40_000):
    """How many exact standard errors the mean weight of the chains is from Z / Z_0."""
    state = ais.init(theta, BETAS, chains, seed=5, base=base)
    while state.stream.step < len(BETAS):
        state = step(state)
    ratio = exact_ratio(theta, base)
    deviation = np.sqrt((ais.mean_weight(theta, BETAS, base, power=2) - ratio**2) / chains)
    return abs(np.mean(np.exp(state.log_w)) - ratio) / deviation


def test_the_compiled_weights_have_this_mean():
    theta, base = machine()
    assert standard_errors(lambda s: ais.run(theta, BETAS, s, base=base).state, theta, base) < 5
    assert standard_errors(lambda s: ais.run(theta, BETAS, s._replace(
        v=s.v.astype(np.float32), log_w=s.log_w.astype(np.float32)), base=base).state, theta, base) < 5


def next_v(theta, base, s):
    return ais.step(theta, BETAS, s, base)


def weight_after_the_transition(theta, base, s):
    """log f_t - log f_(t-1) at the new v."""
    after = next_v(theta, base, s)
    return after._replace(log_w=s.log_w + next_v(theta, base, s._replace(v=after.v)).log_w - s.log_w)


MISTAKES = {
    "the weight is taken after the transition": weight_after_the_transition,
    "inverted ratio": lambda theta, base, s: (after := next_v(theta, base, s))._replace(
        log_w=s.log_w - (after.log_w - s.log_w)),
    "the base is forgotten in the weight": lambda theta, base, s: next_v(theta, base, s)._replace(
        log_w=next_v(theta, 0 * base, s).log_w),
    "the transition is that of the RBM at beta = 1": lambda theta, base, s: next_v(theta, base, s)._replace(
        v=ais.step(theta, np.append(np.linspace(0, 0.5, s.stream.step), 1.0), s, base).v),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_has_another_mean(name):
    theta, base = machine()
    assert standard_errors(lambda s: MISTAKES[name](theta, base, s), theta, base) > 8


def test_log_z_of_an_rbm():
    """20 hidden and 12 visible units, 300 temperatures, 2000 chains: log Z within five of its standard errors."""
    theta, _ = machine(12, 20, scale=0.5)
    x = ais.init(theta, [0, 1], 500, seed=3).v
    betas, base = np.linspace(0, 1, 301), ais.base_rates(x)
    state = ais.run(theta, betas, ais.init(theta, betas, 2000, seed=1, base=base), base=base).state
    w = np.exp(state.log_w - state.log_w.max())
    error = w.std(ddof=1) / w.mean() / np.sqrt(len(w))
    assert error < 0.02
    assert abs(ais.log_partition(theta, state, base) - rbm.log_partition(theta)) < 5 * error


def test_errors():
    theta, base = machine()
    start = ais.init(theta, BETAS, 3, base=base)
    for betas in ([0.0], [0, 0.5], [0.1, 1], [0, 0.6, 0.5, 1]):
        with pytest.raises(ValueError, match="betas must rise from 0 to 1, strictly"):
            ais.init(theta, betas, 3)
    with pytest.raises(ValueError, match="base must have 5 components"):
        ais.init(theta, BETAS, 3, base=base[:4])
    with pytest.raises(ValueError, match="number of chains"):
        ais.init(theta, BETAS, 0)
    with pytest.raises(ValueError, match="the path has the steps 1 to 6; the next one is 1, and 7 are asked for"):
        ais.run(theta, BETAS, start, 7, base)
    with pytest.raises(ValueError, match="this state is at its end"):
        ais.step(theta, BETAS, ais.run(theta, BETAS, start, base=base).state, base)
    with pytest.raises(ValueError, match="a transition matrix of an RBM with 30 visible"):
        ais.mean_weight(machine(30, 2)[0], BETAS)


@pytest.mark.filterwarnings("ignore:overflow")
def test_a_weight_that_is_not_finite_is_named():
    theta, base = machine()
    start, huge = ais.init(theta, BETAS, 70, base=base, real=np.float32), {**theta, "c": np.full(4, 3e38)}
    for steps in (ais.step, ais.run):
        with pytest.raises(ValueError, match=r"log weight must be finite, but is inf for chain \d+ at step \d\."):
            state = start
            for _ in range(6):
                state = steps(huge, BETAS, state, base=base)
