"""RBM and DBM learning against the exact maximum: what is consistent reaches it, CD-1 and a wrong field do not."""
import autograd.numpy as np
import numpy as onp
import pytest
from autograd import grad, value_and_grad
from scipy.optimize import minimize

import refdgm
from refdgm import datasets, trees, updates
from refdgm.adversarial import febm_algorithm
from refdgm.divergences import f_divergence
from refdgm.f_divergences import F_DIVERGENCES
from refdgm.learning import dbm_learning as D
from refdgm.learning import rbm_learning as R
from refdgm.models import dbm, rbm
from refdgm.numerics import all_binary
from refdgm.samplers import block_gibbs

CLOSE = 0.02                    # nats: what issue 5 allows between an algorithm and the exact maximum


def noisy(N, flipped, seed=0):
    """Bars and stripes of 2 by 2 pixels, N times one of them, a few pixels flipped: all 16 images occur."""
    rng, images = onp.random.default_rng(seed), datasets.bars_and_stripes(2).train
    return onp.abs(images[onp.arange(N) % 6] - (rng.random((N, 4)) < flipped))


def law(x):
    """The share of each image.  -> (2**D,)"""
    return onp.bincount((x @ 2**onp.arange(x.shape[1])).astype(int), minlength=2**x.shape[1]) / len(x)


def minus_entropy(x):
    p = law(x)[law(x) > 0]
    return p @ onp.log(p)


X = noisy(200, 0.1)
assert onp.all(law(X) > 0)


def from_place(algorithm, parameters):
    """The algorithm, but for where it starts: in the basin of one maximum."""
    return algorithm._replace(start=lambda x, seed: (parameters, algorithm.start(x, seed)[1]))


def log_p(algorithm, x, steps, gamma, look=R.exact, seed=0):
    schedule = updates.constant_then_harmonic(gamma, steps // 4)
    return look(x)(refdgm.fit(algorithm, x, steps, schedule=schedule, seed=seed).parameters)["log_p"]


# ---- RBM ------------------------------------------------------------------------------

# Eight hidden units can have any law of four pixels, so that the maximum is minus the entropy of the data. On eight
# seeds exact ML ends at most 0.005 nats below it, PCD 0.009 and CD-10 0.011.

@pytest.mark.parametrize("algorithm", [R.exact_ml(8), R.pcd(5, 500, 8), R.cd(10, 8)], ids=lambda a: a.name)
def test_the_maximum_is_reached_where_the_model_has_the_law_of_the_data(algorithm):
    assert minus_entropy(X) - CLOSE < log_p(algorithm, X, 1500, 2.0) < minus_entropy(X)


def test_wrong_signs_and_chains_that_begin_anew_are_seen():
    pcd = R.pcd(1, 500, 8)

    def anew(parameters, memory, x, index, seed, t):
        return pcd.draw(parameters, {"v": onp.zeros((500, 4))}, x, index, seed, t)

    def model_minus_data(parameters, z, x):
        return {"theta": R.contrast(parameters["theta"], z, x)}
    for wrong in (pcd._replace(draw=anew), pcd._replace(field=model_minus_data)):
        assert log_p(wrong, X, 300, 1.0) < log_p(pcd, X, 300, 1.0) - 5 * CLOSE


def test_cd_1_ends_below_cd_10_and_the_likelihood():
    """Two hidden units cannot have the law of bars and stripes: CD-1 goes where its mean field goes, which is lower.

    All start in one basin. Fifty copies of each row make the noise of a step small: on eight seeds CD-1 ends 0.120 to
    0.133 nats below exact ML, CD-10 and PCD at most 0.005.
    """
    bars, steps = datasets.bars_and_stripes(3).train, 500
    place = refdgm.fit(R.exact_ml(2), bars, 200, schedule=updates.constant(1.0), seed=2).parameters
    data, x = law(bars), onp.repeat(bars, 50, axis=0)
    schedule = updates.constant_then_harmonic(1.0, steps // 4)
    mean = place["theta"]
    for t in range(1, steps + 1):
        F = rbm.mean_statistics(mean, data - block_gibbs.marginal(mean, data, 1))
        mean = {name: mean[name] + schedule(t) * F[name] for name in mean}
    bias = log_p(from_place(R.exact_ml(2), place), bars, steps, 1.0) - R.exact(bars)({"theta": mean})["log_p"]
    ends = {k: log_p(from_place(R.cd(k, 2), place), x, steps, 1.0) for k in (1, 10)}
    pcd = log_p(from_place(R.pcd(5, 500, 2), place), bars, steps, 1.0)
    best = log_p(from_place(R.exact_ml(2), place), bars, steps, 1.0)
    assert bias > 0.1 and abs(best - ends[1] - bias) < CLOSE
    assert abs(best - ends[10]) < CLOSE and abs(best - pcd) < CLOSE


def test_exact_ml_is_the_gradient_of_the_mean_log_likelihood():
    algorithm = R.exact_ml(3)
    theta = rbm.random_theta(onp.random.default_rng(1), 4, 3)
    found = algorithm.field({"theta": theta}, (), X)["theta"]
    right = grad(lambda theta: np.mean(rbm.log_marginal(theta, X)))(theta)
    assert all(onp.allclose(found[name], right[name], atol=1e-12) for name in theta)
    assert abs(R.exact(X)({"theta": theta})["log_p"] - onp.mean(rbm.log_marginal(theta, X))) < 1e-12


def test_chains_go_on_as_those_of_the_sampler():
    """With parameters that stay, k steps twice are 2k steps of the sampler from the same state."""
    theta, x = rbm.random_theta(onp.random.default_rng(2), 4, 3), X[:7]
    chain = onp.arange(9, 16)
    twice = R.gibbs(theta, R.gibbs(theta, x, chain, 5, 1, 3), chain, 5, 2, 3)
    assert onp.array_equal(twice, R.gibbs(theta, x, chain, 5, 1, 6))


# ---- f-EBM ----------------------------------------------------------------------------

Y = noisy(300, 0.15)
PLACE = refdgm.fit(R.exact_ml(1), Y, 300, schedule=updates.constant(1.0), seed=1).parameters["theta"]
NAMES = [name for name in F_DIVERGENCES if name != "total variation"]


def divergence(name, theta):
    return f_divergence(name, law(Y), np.exp(rbm.log_marginal_table(theta)))


def least(name):
    """The least D_f of an RBM of one hidden unit, by BFGS from the place."""
    ends = onp.cumsum([PLACE[leaf].size for leaf in PLACE])[:-1]

    def value(v):
        parts = [v[i:j] for i, j in zip([0, *ends], [*ends, len(v)])]
        return divergence(name, {leaf: np.reshape(part, PLACE[leaf].shape) for leaf, part in zip(PLACE, parts)})
    first = onp.concatenate([onp.ravel(PLACE[leaf]) for leaf in PLACE])
    return minimize(value_and_grad(value), first, jac=True, method="BFGS", options={"maxiter": 200}).fun


def play(name, steps=600, J=6, change=lambda algorithm: algorithm, seed=1, first=0.1, **options):
    """From the place, and from r = 1, nearly: the critic has the model's unit and J - 1 small ones."""
    algorithm = change(R.febm(name, 1, J, **options))
    omega = algorithm.start(Y, seed)[0]["omega"]
    for leaf, part in (("w", PLACE["w"]), ("c", PLACE["c"])):
        omega[leaf][..., :1] = part
    start = from_place(algorithm, {"theta": PLACE, "omega": {**omega, "b": PLACE["b"]}})
    schedule = updates.constant_then_harmonic(first, steps // 2)
    return refdgm.fit(start, Y, steps, schedule=schedule, update=updates.adam(), seed=seed).parameters["theta"]


@pytest.mark.parametrize("name", NAMES)
def test_f_ebm_reaches_the_least_divergence(name):
    """On eight seeds at most 0.010 above the least.

    Pearson's and Neyman's fields weigh a state by r^2 and by 1 / r^2: they need smaller steps, and more of them.
    """
    settings = {"steps": 1500, "first": 0.03} if name in ("pearson", "neyman") else {}
    assert divergence(name, play(name, **settings)) - least(name) < CLOSE


def test_f_ebm_with_chains():
    """On eight seeds 0.002 to 0.005 above the least."""
    theta = play("jensen-shannon", first=0.05, chains=1000, k=3)
    assert divergence("jensen-shannon", theta) - least("jensen-shannon") < CLOSE


def test_with_the_model_s_own_form_the_critic_makes_every_f_maximise_the_likelihood():
    ends = [R.exact(Y)({"theta": play(name, 300, J=1)})["log_p"] for name in ("kl", "neyman", "reverse kl")]
    assert max(ends) - min(ends) < 1e-3
    assert divergence("neyman", play("neyman", J=1)) - least("neyman") > 3 * CLOSE


def test_without_the_score_or_with_the_wrong_sign_f_ebm_goes_elsewhere():
    def only(part):
        def change(algorithm):
            def field(parameters, z, x):
                F = algorithm.field(parameters, z, x)
                return {"theta": part(parameters, F, x, z), "omega": F["omega"]}
            return algorithm._replace(field=field)
        return change

    def no_score(parameters, F, x, z):
        theta, both = parameters["theta"], onp.concatenate([x, z.x])
        _, without = R.weights("kl", rbm.free_energy(theta, both), R.critic(parameters["omega"], both), z.weights)
        return rbm.mean_statistics(theta, without, both)

    def reversed_sign(parameters, F, x, z):
        return {name: -leaf for name, leaf in F["theta"].items()}
    for part in (no_score, reversed_sign):
        assert divergence("kl", play("kl", 300, change=only(part))) - least("kl") > 3 * CLOSE


@pytest.mark.parametrize("name", ["kl", "pearson", "jensen-shannon"])
def test_the_weights_are_those_of_theorem_3(name):
    rng = onp.random.default_rng(3)
    theta, omega = rbm.random_theta(rng, 4, 2), {**rbm.random_theta(rng, 4, 3), "a": 0.3}
    x, y = Y[:9], all_binary(4)[rng.integers(0, 16, 7)]
    field = R.febm(name, 2, 3, chains=7).field({"theta": theta, "omega": omega}, R.States(y, onp.full(7, 1 / 7)), x)

    def samples(rows, gradient, sign):
        E, H = rbm.free_energy(theta, rows), R.critic(omega, rows)
        return febm_algorithm.Samples(E, H, sign * onp.reshape(gradient(rows)["w"], (len(rows), -1)))
    machine = {leaf: omega[leaf] for leaf in "wbc"}
    down = [samples(rows, lambda rows: rbm.grad_log_z(theta, rows), -1) for rows in (x, y)]
    up = [samples(rows, lambda rows: rbm.grad_log_z(machine, rows), 1) for rows in (x, y)]
    assert onp.allclose(field["theta"]["w"].ravel(), -febm_algorithm.estimate_grad_theta(*down, name), rtol=1e-10)
    assert onp.allclose(field["omega"]["w"].ravel(), febm_algorithm.estimate_grad_omega(*up, name), rtol=1e-10)


# ---- DBM ------------------------------------------------------------------------------

Z = noisy(120, 0.1)
DEEP = refdgm.fit(D.exact_ml(4, 2), Z, 100, schedule=updates.constant(1.0)).parameters


@pytest.mark.parametrize("algorithm", [D.exact_ml(4, 2), D.sml(4, 2, "gibbs", 3, 1000), D.sml(4, 2, chains=1000)],
                         ids=lambda a: a.name)
def test_a_dbm_reaches_the_maximum(algorithm):
    """4 and 2 hidden units can have any law of four pixels. On eight seeds all end at most 0.015 nats below it."""
    assert minus_entropy(Z) - CLOSE < log_p(from_place(algorithm, DEEP), Z, 800, 4.0, D.exact) < minus_entropy(Z)


def test_codes_are_draws_of_the_posterior_and_those_of_other_rows_are_not():
    """Right codes exceed six standard errors of 20 blocks' means once in 10^4 seeds; on six seeds wrong ones had 19."""
    algorithm, exact = D.learn(3, 2, "gibbs", rounds=3), D.exact_ml(3, 2)
    parameters = {"theta": dbm.random_theta(onp.random.default_rng(6), 4, 3, 2, 2.0)}
    _, memory = algorithm.start(Z, 0)
    right, other, index = [], [], onp.arange(len(Z))
    for t in range(1, 601):
        z, memory = algorithm.draw(parameters, memory, Z, index, 1, t)
        right.append(algorithm.field(parameters, z, Z)["theta"]["W2"])
        other.append(algorithm.field(parameters, z._replace(h2=onp.roll(z.h2, 1, axis=0)), Z)["theta"]["W2"])
    mean = exact.field(parameters, z._replace(h2=None), Z)["theta"]["W2"]
    scores = []
    for found in (right, other):
        blocks = onp.reshape(found, (20, 30, *mean.shape)).mean(axis=1)
        scores.append(onp.max(onp.abs(blocks.mean(axis=0) - mean) / (blocks.std(axis=0, ddof=1) / 20**0.5)))
    assert scores[0] < 6 and scores[1] > 12


def test_the_gap_of_the_bound_is_there_after_exact_learning_and_closed_by_mean_field():
    schedule, gap = updates.constant_then_harmonic(2.0, 150), {}
    for posterior in ("exact", "mean field"):
        algorithm = from_place(D.learn(4, 2, posterior), DEEP)
        look = D.exact(Z)(refdgm.fit(algorithm, Z, 600, schedule=schedule).parameters)
        gap[posterior] = look["log_p"] - look["bound"]
    assert gap["exact"] > 0.02 and 0 < gap["mean field"] < 0.001


@pytest.mark.parametrize("posterior, value", [
    ("exact", lambda theta: np.mean(dbm.log_marginal(theta, Z))),
    ("mean field", lambda theta: np.mean(dbm.bound(theta, Z, *dbm.mean_field(theta, Z, 200))))])
def test_dbm_fields_are_gradients(posterior, value):
    theta = dbm.random_theta(onp.random.default_rng(4), 4, 3, 2)
    found = D.learn(3, 2, posterior, rounds=200).field({"theta": theta}, D.Draws(None, None), Z)["theta"]
    right = grad(value)(theta)
    assert all(onp.allclose(found[name], right[name], atol=1e-9) for name in theta)


def test_a_dbm_is_an_rbm_and_its_bound_is_below():
    theta = dbm.random_theta(onp.random.default_rng(5), 4, 3, 2)
    assert abs(dbm.log_partition(theta) - rbm.log_partition(dbm.as_rbm(theta))) < 1e-12
    assert onp.all(dbm.bound(theta, Z, *dbm.mean_field(theta, Z, 50)) < dbm.log_marginal(theta, Z))


# ---- all ------------------------------------------------------------------------------

ALL = [R.exact_ml(3), R.cd(2, 3), R.pcd(2, 10, 3), R.febm("kl", 3, 2), R.febm("pearson", 3, chains=10),
       D.exact_ml(3, 2), D.sml(3, 2, "gibbs", 2, 10), D.sml(3, 2, "mean field", 5, 10)]


@pytest.mark.parametrize("algorithm", ALL, ids=lambda a: a.name)
def test_resume_is_the_run_that_was_not_interrupted(tmp_path, algorithm):
    settings = {"batch": 30, "update": updates.adam(), "every": 5, "seed": 3,
                "monitor": (D if algorithm.name.startswith("DBM") else R).exact(X, X[:5])}
    whole = refdgm.fit(algorithm, X, 20, **settings)
    refdgm.fit(algorithm, X, 10, checkpoint=tmp_path / "run.npz", **settings)
    rest = refdgm.fit(algorithm, X, 20, checkpoint=tmp_path / "run.npz", **settings)
    pairs = zip(trees.leaves((whole.parameters, whole.memory)), trees.leaves((rest.parameters, rest.memory)))
    assert all(onp.array_equal(a, b) for (_, a), (_, b) in pairs)
    assert all(onp.array_equal(whole.history[name], rest.history[name]) for name in whole.history)


@pytest.mark.parametrize("make, message", [
    (lambda: R.cd(0), "k must be"), (lambda: R.pcd(1, 0), "chains must be"), (lambda: R.exact_ml(0), "H must be"),
    (lambda: R.febm("total variation"), "f'' = 0"), (lambda: R.febm("k l"), "there is no f-divergence"),
    (lambda: R.febm(J=0), "J must be"), (lambda: D.learn(posterior="best"), "the posterior is"),
    (lambda: D.sml(chains=0), "chains must be"), (lambda: refdgm.fit(D.exact_ml(3, 0), X, 1), "G must be"),
    (lambda: refdgm.fit(R.febm(), datasets.digits().train, 1), "64 visible units"),
    (lambda: refdgm.fit(R.cd(), X / 2, 1), "takes bits")])
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
