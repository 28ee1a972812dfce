"""Table 1 and MuProp: what no claim covers (laws sum to one, hand slopes, the edge of a small chain, bad input)."""
import numpy as np
import pytest
from autograd import grad

from refdgm.adversarial import learning_table_game as game
from refdgm.directed import learning_table as table
from refdgm.directed import learning_table_notes as notes
from refdgm.directed import muprop
from refdgm.models import sbn
from refdgm.models.finite_chain import stationary_law

SEEDS = range(4)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("law", [table.variational, table.resampled, table.accepted, table.dreamt])
def test_laws_of_draws_sum_to_one(seed, law):
    case = table.random_case(seed)
    weights = law(**case)
    assert np.all(weights > 0)
    np.testing.assert_allclose(weights.sum(), 1, rtol=1e-12)
    if law is not table.dreamt:
        np.testing.assert_allclose(weights.sum(axis=1), case["p_data"], rtol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_one_draw_makes_the_iwae_a_vae_and_rws_a_mean_over_q(seed):
    case = table.random_case(seed, K=1)
    assert table.iw_bound(**case) == pytest.approx(table.elbo(**case), rel=1e-12)
    np.testing.assert_allclose(table.resampled(**case), table.variational(**case), rtol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_counts_and_tuples_give_the_same_resampled_law(seed):
    case = table.random_case(seed)
    log_q = table.log_q(case["phi"])
    law = notes.importance_law(table.log_joint(case["theta"]) - log_q, log_q, case["K"])
    np.testing.assert_allclose(case["p_data"][:, None] * law, table.resampled(**case), rtol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_slope_of_the_signal_is_its_derivative(seed):
    case, h = sbn.random_case(seed), np.random.default_rng(seed).uniform(size=2)
    auto = grad(lambda h: sbn.log_weights(case["theta"], case["phi"], case["x"], h))(h)
    np.testing.assert_allclose(muprop.slope(**case, h=h), auto, rtol=1e-10)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("value, slope", [(game.gan_value, game.gan_slope), (game.kl_value, game.kl_slope)])
def test_slopes_of_the_games_are_central_differences(seed, value, slope):
    case, V = game.pair_case(seed), np.random.default_rng(seed).normal(size=5)
    up, down = slope(**case, V=V)
    moved = [(value(**case, V=V + d) - value(**case, V=V - d)) / 2e-5 for d in 1e-5 * np.eye(5)]
    np.testing.assert_allclose(up - down, moved, rtol=1e-6, atol=1e-9)


def test_rounding_does_not_take_a_stationary_law_away():
    """Here rounding makes the redundant equations of the stationary law look independent."""
    case = notes.settled(4)
    log_q = sbn.log_q_table(case["phi"], case["X"])
    P = notes.stale_weight(sbn.log_joint_table(case["theta"], case["X"]) - log_q, log_q)
    law = stationary_law(P)
    np.testing.assert_allclose((law[..., None, :] @ P)[..., 0, :], law, atol=1e-14)


def test_no_draws_is_an_error():
    with pytest.raises(ValueError, match="the number of samples K must be an integer of at least 1, but is 0"):
        table.resampled(**table.random_case(0, K=0))


def test_muprop_names_a_parameter_that_does_not_fit():
    case = sbn.random_case(0)
    with pytest.raises(ValueError, match="x must have 3 components"):
        muprop.over_draws(case["theta"], case["phi"], np.zeros((2, 4)), None)
