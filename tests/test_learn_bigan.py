"""A BiGAN makes both joint laws one; predictability minimisation finds free units; a wrong sign does neither."""
import numpy as np
import pytest

import refdgm
from refdgm import datasets, trees, updates
from refdgm.directed import predictability_minimisation as formulas
from refdgm.learning import bigan_learning, predictability_learning
from refdgm.numerics import gaussian_log_prob


def flipped(part):
    return lambda field: lambda p, z, x: {**field(p, z, x), part: trees.tree_map(np.negative, field(p, z, x)[part])}


# ---- BiGAN ----------------------------------------------------------------------------

NORMAL = datasets.mixture(1000, (1.0,), (1.0,), (1.5,), seed=4).train


def log_normal(x):
    return gaussian_log_prob(x[:, None], NORMAL.mean(), NORMAL.var())


def paired(seed=0, change=lambda field: field, steps=300):
    """What is true of the joint laws at the start and at the end."""
    algorithm = bigan_learning.bigan()
    fit = refdgm.fit(algorithm._replace(field=change(algorithm.field)), NORMAL, steps, batch=200, every=steps,
                     seed=seed, schedule=updates.constant_then_harmonic(0.06, 150),
                     monitor=bigan_learning.exact(log_normal, -8.0, 10.0, 121))
    return [{name: column[i] for name, column in fit.history.items()} for i in (0, -1)]


def test_a_bigan_makes_the_joint_laws_one():
    """Then the decoder's marginal is the data's law, and the encoder the decoder's posterior.

    Over eight seeds JS was at most 0.006, the marginal KL 0.018 and the inference's 0.004.
    """
    start, end = paired()
    assert start["minus_js"] < -0.08 and -0.02 < end["minus_js"] <= 0
    assert start["marginal_kl"] > 0.5 and end["marginal_kl"] < 0.06 and end["inference_kl"] < 0.04


def test_an_encoder_that_helps_the_discriminator_is_seen():
    assert paired(change=flipped("phi"), steps=150)[1]["minus_js"] < -0.04


def test_the_best_value_of_the_game_is_that_of_js():
    """At V* = log of the ratio F is -log 4 + 2 JS: by quadrature, and from draws with a standard error below 0.002."""
    parameters, _ = bigan_learning.bigan().start(NORMAL, 0)
    look = bigan_learning.exact(log_normal, -8.0, 10.0, 201)(parameters)
    rng = np.random.default_rng(0)
    pair = rng.normal(size=(40, 2))
    ratio = (log_normal(pair[:, 0]) + bigan_learning.log_linear(parameters["phi"]["encoder"], *pair.T)
             - gaussian_log_prob(pair[:, 1:], 0.0, 1.0)
             - bigan_learning.log_linear(parameters["theta"]["decoder"], *pair.T[::-1]))
    critic, terms = bigan_learning.quadratic_critic(), np.eye(6)
    features = np.stack([critic.value({"omega": term}, pair) for term in terms], axis=1)
    omega, residual, _, _ = np.linalg.lstsq(features, ratio, rcond=None)
    assert residual[0] < 1e-20
    x = NORMAL.mean() + NORMAL.std() * rng.normal(size=(200000, 1))
    z = bigan_learning.Draws(*rng.normal(size=(3, len(x))))
    F = bigan_learning.objective({**parameters, "psi": {"omega": omega}}, x, z, critic)
    assert abs(F - (-np.log(4) - 2 * look["minus_js"])) < 0.01


# ---- predictability minimisation ------------------------------------------------------

SYMBOLS = np.eye(4)             # four equally frequent symbols: two free bits


def coded(change=lambda field: field, seeds=(0, 2), steps=300):
    algorithm = predictability_learning.predictability_minimisation(2, speed=5.0)
    look, algorithm = predictability_learning.exact(SYMBOLS), algorithm._replace(field=change(algorithm.field))
    return [look(refdgm.fit(algorithm, SYMBOLS, steps, seed=seed, update=updates.adam(0.5, 0.9),
                            schedule=updates.constant(0.03)).parameters) for seed in seeds]


def test_units_that_cannot_be_predicted():
    """Of eight seeds six end so, two at a code of three words, a local maximum (1/3): so the best of two is asked."""
    ends = coded()
    top = max(ends, key=lambda end: end["unpredicted"])
    assert abs(top["unpredicted"] - 0.5) < 1e-12 and abs(top["information"] - 2 * np.log(2)) < 1e-12
    assert abs(top["V"] - 0.5) < 0.02 and all(end["unpredicted"] < 0.5 + 1e-12 for end in ends)


@pytest.mark.parametrize("change", [flipped("phi"), flipped("psi")])
def test_a_player_with_a_wrong_sign_is_seen(change):
    assert abs(coded(change, seeds=(0,))[0]["V"] - 0.5) > 0.1


def test_what_is_left_unpredicted_is_the_formula():
    p = np.random.default_rng(1).dirichlet(np.ones(8)).reshape(2, 2, 2)
    right = formulas.prediction_error(p, formulas.best_predictors(p))
    assert np.allclose(predictability_learning.unpredicted(p), right)
    y = np.random.default_rng(2).random((5, 3))
    psi = predictability_learning.predictability_minimisation(3).start(np.eye(3), 0)[0]["psi"]
    other = y.copy()
    other[:, 1] = 0.5                                                       # no predictor of unit 1 sees unit 1
    same = predictability_learning.predict(psi, y) == predictability_learning.predict(psi, other)
    assert same[:, 1].all() and not same[:, 0].any()


@pytest.mark.parametrize("algorithm, rule", [
    (bigan_learning.bigan(), updates.adam()),
    (predictability_learning.predictability_minimisation(2), updates.adamax())], ids=lambda a: a.name)
def test_resume_is_the_run_that_was_not_interrupted(tmp_path, algorithm, rule):
    settings = {"batch": 7, "update": rule, "schedule": updates.constant(0.01), "every": 5, "seed": 3}
    whole = refdgm.fit(algorithm, NORMAL[:50], 20, **settings)
    refdgm.fit(algorithm, NORMAL[:50], 10, checkpoint=tmp_path / "run.npz", **settings)
    rest = refdgm.fit(algorithm, NORMAL[:50], 20, checkpoint=tmp_path / "run.npz", **settings)
    pairs = zip(trees.leaves(whole.parameters), trees.leaves(rest.parameters))
    assert all(np.array_equal(a, b) for (_, a), (_, b) in pairs)


@pytest.mark.parametrize("make, message", [
    (lambda: bigan_learning.bigan(decoder=(1.0, 0.0)), "decoder must have 3 components"),
    (lambda: bigan_learning.bigan(speed=0.0), "speed must be positive"),
    (lambda: refdgm.fit(bigan_learning.bigan(), np.zeros((4, 2)), 1), "data must have shape"),
    (lambda: predictability_learning.predictability_minimisation(1), "the number of units n must be"),
    (lambda: predictability_learning.predictability_minimisation(2, J=0), "J must be")])
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
