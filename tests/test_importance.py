"""Importance sampling and rejection sampling: exact laws on finite spaces, and the mistakes that they reject."""
import numpy as np
import pytest

from refdgm.numerics import all_tuples, log_softmax
from refdgm.samplers import importance, rejection
from refdgm.streams import stream
from refdgm.transition_test import compare, follow


def laws(S=4, seed=0):
    """log p up to a constant, log p and log q."""
    rng = np.random.default_rng(seed)
    log_p = rng.normal(size=S) * 1.5 + 2
    return log_p, log_softmax(log_p), log_softmax(rng.normal(size=S))


# ---- importance sampling --------------------------------------------------------------

def draws(log_q, K):
    """Every K draws from q, one row each, and their probability."""
    drawn = all_tuples(len(log_q), K)
    return drawn, np.exp(np.sum(log_q[drawn], axis=1))


def test_the_mean_weight_is_unbiased():
    """A sum over all draws; its logarithm is too small on average, and the self-normalised estimate is biased."""
    log_p, _, log_q = laws()
    drawn, probability = draws(log_q, 5)
    log_w, f = (log_p - log_q)[drawn], np.array([1.0, -2.0, 0.5, 3.0])
    log_Z, p = np.log(np.sum(np.exp(log_p))), np.exp(log_softmax(log_p))
    assert abs(probability @ np.exp(importance.log_normaliser(log_w)) / np.exp(log_Z) - 1) < 1e-12
    assert probability @ importance.log_normaliser(log_w) < log_Z - 0.01
    assert abs(probability @ importance.estimate(log_w, f[drawn]) - p @ f) > 1e-3


def test_the_bias_and_the_error_shrink_as_they_should():
    log_p, log_p_normalised, log_q = laws()
    f = np.array([1.0, -2.0, 0.5, 3.0])
    bias = []
    for K in (4, 8):
        drawn, probability = draws(log_q, K)
        mean = probability @ importance.estimate((log_p - log_q)[drawn], f[drawn])
        bias.append(abs(mean - np.exp(log_p_normalised) @ f))
    assert bias[1] < 0.65 * bias[0]
    z = np.random.default_rng(0).choice(4, p=np.exp(log_q), size=(4000, 500))
    values, errors = (g((log_p - log_q)[z], f[z]) for g in (importance.estimate, importance.standard_error))
    assert abs(errors.mean() / values.std() - 1) < 0.05


def test_weights_of_any_size():
    log_w = np.array([[1e4, 1e4 + np.log(3), -np.inf], [-1e4, -np.inf, -np.inf]])
    assert np.allclose(importance.estimate(log_w, np.array([[0.0, 4.0, 9.0], [5.0, 1.0, 1.0]])), [3, 5], atol=1e-9)
    assert np.allclose(importance.effective_sample_size(log_w), [1.6, 1.0])
    assert np.allclose(importance.effective_sample_size(np.full((1, 7), -3e5)), 7)
    assert np.allclose(importance.log_normaliser(log_w), [1e4 + np.log(4 / 3), -1e4 - np.log(3)])


RESAMPLING = {"multinomial": importance.multinomial, "systematic": importance.systematic}


@pytest.mark.parametrize("name", RESAMPLING)
def test_resampling_picks_in_proportion(name):
    """20 000 rows of the same weights: the mean number of times that each is picked is n wbar."""
    log_w = np.array([0.3, -np.inf, 1.2, -2.0, 0.0]) + 700
    wbar, n, rows = np.exp(log_softmax(log_w)), 7, 20_000
    picked = RESAMPLING[name](np.tile(log_w, (rows, 1)), n, stream(3, rows))
    counts = np.sum(picked[..., None] == np.arange(5), axis=1)
    error = counts.std(axis=0, ddof=1) / np.sqrt(rows)
    assert picked.shape == (rows, n) and not np.any(counts[:, 1])
    assert np.all(np.abs(counts.mean(axis=0) - n * wbar) <= 5 * error)
    if name == "systematic":
        assert np.all((counts == np.floor(n * wbar)) | (counts == np.ceil(n * wbar)))
    else:
        variance = n * wbar * (1 - wbar)
        assert np.all(np.abs(counts.var(axis=0) - variance) <= 0.06 * variance)
    part = slice(30, 50)
    some = stream(3, rows)._replace(chain=stream(3, rows).chain[part])
    assert np.array_equal(RESAMPLING[name](np.tile(log_w, (20, 1)), n, some), picked[part])


def chosen(log_w, z, rows):
    return z[np.arange(rows), importance.multinomial(log_w, 1, stream(9, rows))[:, 0]]


def deviation(weights, rows=50_000, K=3):
    """How far resampled draws are from their exact law, in standard errors."""
    log_p, _, log_q = laws()
    z = np.random.default_rng(2).choice(4, p=np.exp(log_q), size=(rows, K))
    law = importance.resampled_law(log_p, log_q, K)
    share = np.bincount(chosen(weights(log_p, log_q)[z], z, rows), minlength=4) / rows
    return np.max(np.abs(share - law) / np.sqrt(law * (1 - law) / rows))


def test_resampled_draws_have_their_exact_law():
    assert deviation(lambda log_p, log_q: log_p - log_q) < 5
    for wrong in (lambda p, q: q - p, lambda p, q: p, lambda p, q: 0 * p, lambda p, q: np.exp(p - q)):
        assert deviation(wrong) > 10


def test_the_resampled_law_approaches_the_target():
    log_p, log_p_normalised, log_q = laws()
    assert np.max(np.abs(importance.resampled_law(log_p, log_q, 1) - np.exp(log_q))) < 1e-12
    off = [np.max(np.abs(importance.resampled_law(log_p, log_q, K) - np.exp(log_p_normalised))) for K in (2, 4, 8)]
    assert off[1] < 0.65 * off[0] and off[2] < 0.65 * off[1]


def test_importance_errors():
    for log_w, said in ((np.full((2, 3), -np.inf), "every weight of row 0 is zero"),
                        (np.array([[0.0, np.nan]]), "but is nan for sample 1 of row 0"),
                        (np.array([[np.inf]]), "but is inf"), (np.zeros((0, 3)), "number of chains"),
                        (np.zeros((2, 0)), "number of samples K"), (np.zeros(3), "log_w must have shape")):
        with pytest.raises(ValueError, match=said):
            importance.effective_sample_size(log_w)
    with pytest.raises(ValueError, match="2 rows for 3 chains"):
        importance.systematic(np.zeros((2, 4)), 2, stream(0, 3))
    with pytest.raises(ValueError, match="the proposal q must be positive"):
        importance.resampled_law(np.zeros(2), np.array([0.0, -np.inf]), 2)


# ---- rejection ------------------------------------------------------------------------

def problem():
    log_p, log_p_normalised, log_q = laws()
    return log_p, log_p_normalised, log_q, rejection.log_bound(log_p, log_q)


def test_accepted_states_are_draws_from_the_target():
    """Attempts are geometric with mean M, independently of the state that is accepted."""
    log_p, log_p_normalised, log_q, log_M = problem()
    propose, rows, p = rejection.proposer(np.exp(log_q)), 40_000, np.exp(log_p_normalised)
    state = rejection.run(propose, lambda z: (log_p - log_q)[z], log_M, rejection.init(propose, rows), 1000).state
    share = np.bincount(state.x, minlength=4) / rows
    M = np.exp(rejection.log_bound(log_p_normalised, log_q))
    assert state.accepted.all()
    assert np.all(np.abs(share - p) < 5 * np.sqrt(p * (1 - p) / rows))
    assert abs(state.attempts.mean() - M) < 5 * np.sqrt(M * (M - 1) / rows)
    part = state.stream._replace(chain=state.stream.chain[7:19], step=0)
    alone = rejection.run(propose, lambda z: (log_p - log_q)[z], log_M,
                          rejection.init(propose, 12)._replace(stream=part), 1000).state
    assert np.array_equal(alone.x, state.x[7:19]) and np.array_equal(alone.attempts, state.attempts[7:19])


def test_a_proposal_is_accepted_with_probability_one_over_M():
    _, log_p, log_q, _ = problem()
    for log_M in (rejection.log_bound(log_p, log_q), 1.7):
        P = rejection.transition_matrix(log_p, log_q, log_M)
        assert abs(1 - P[-1, -1] - np.exp(-log_M)) < 1e-12
        assert np.max(np.abs(P[-1, :-1] / np.exp(-log_M) - np.exp(log_p))) < 1e-12


def judged():
    """Fresh attempts of 2000 chains against the matrix's row of waiting."""
    _, log_p, log_q, _ = problem()
    log_M = rejection.log_bound(log_p, log_q)
    propose, row = rejection.proposer(np.exp(log_q)), rejection.transition_matrix(log_p, log_q, log_M)[-1]

    def attempt(s):
        waiting = s._replace(accepted=np.zeros(2000, bool))
        return rejection.step(propose, lambda z: (log_p - log_q)[z], log_M, waiting)

    return compare(np.tile(row, (5, 1)), *follow(
        rejection.init(propose, 2000), attempt, lambda s: np.where(s.accepted, s.x, 4)), most=10**5)


def test_an_attempt_has_this_matrix():
    assert judged().agrees


@pytest.mark.parametrize("accepts", [lambda log_a, u: u < np.exp(-log_a), lambda log_a, u: u < log_a + 1,
                                     lambda log_a, u: u < np.exp(log_a / 2), lambda log_a, u: u < 2],
                         ids=["inverted ratio", "log for the ratio", "root of the ratio", "every proposal accepted"])
def test_a_wrong_attempt_is_rejected(accepts, monkeypatch):
    monkeypatch.setattr(rejection, "accepts", accepts)
    assert not judged().agrees


def test_rejection_on_the_real_line():
    """A half-normal from an exponential proposal: log p/q = -x^2/2 + x + constant, whose maximum is at 1."""
    def propose(s):
        return -np.log(1 - rejection.uniforms(s, 1, rejection.PROPOSE)[:, 0])

    def log_ratio(x):
        return -x**2 / 2 + x + 0.5 * np.log(2 / np.pi)
    log_M = 0.5 + 0.5 * np.log(2 / np.pi)
    state = rejection.run(propose, log_ratio, log_M, rejection.init(propose, 20_000), 200).state
    assert state.accepted.all() and abs(state.attempts.mean() - np.exp(log_M)) < 0.02
    assert abs(state.x.mean() - np.sqrt(2 / np.pi)) < 5 * np.sqrt((1 - 2 / np.pi) / 20_000)
    with pytest.raises(ValueError, match=r"log p/q must be at most log M = 0.1, but is \S+ for chain \d+ at step \d+"):
        rejection.run(propose, log_ratio, 0.1, rejection.init(propose, 1000), 50)


def test_a_run_may_end_before_all_are_accepted():
    """A bound that is far too large: a proposal is accepted with probability e^-5."""
    propose = rejection.proposer(np.array([0.5, 0.5]))
    run = rejection.run(propose, lambda z: 0.0 * z, 5.0, rejection.init(propose, 1000), 10)
    assert 20 < run.state.accepted.sum() < 120 and run.state.stream.step == 10
    assert np.all(run.state.attempts[~run.state.accepted] == 10)


def test_rejection_errors():
    log_p, _, log_q, log_M = problem()
    propose = rejection.proposer(np.exp(log_q))
    with pytest.raises(ValueError, match="number of chains"):
        rejection.init(propose, 0)
    with pytest.raises(ValueError, match="propose gave 3 proposals for 4 chains"):
        rejection.init(lambda s: np.zeros(3), 4)
    with pytest.raises(ValueError, match="is nan for chain 0 at step 0"):
        rejection.run(propose, lambda z: z * np.nan, log_M, rejection.init(propose, 4), 5)
    with pytest.raises(ValueError, match="proposal q must be positive wherever the target p is"):
        rejection.log_bound(np.log([0.5, 0.5]), np.array([0.0, -np.inf]))
    with pytest.raises(ValueError, match="the ratio p/q exceeds M"):
        rejection.transition_matrix(log_p, log_q, log_M - 0.1)
    with pytest.raises(ValueError, match="steps must be an integer"):
        rejection.run(propose, lambda z: 0.0 * z, 1.0, rejection.init(propose, 4), 0)
