"""Layers as single nodes: the numbers of autograd's own functions, in both precisions, at the extremes, and twice."""
import inspect

import autograd.numpy as np
import numpy as onp
import pytest
from autograd import grad, jacobian, make_jvp
from autograd.extend import defvjp, primitive

from refdgm import fused, numerics
from refdgm.directed import iwae_network
from refdgm.gradients import vjp
from refdgm.kernels import bernoulli
from refdgm.models import bernoulli_dlvm, vae
from refdgm.numerics import log_mean_exp

EXACT, SINGLE = 1e-12, 2e-5         # of the largest number: rounding of some hundred sums in float64, in float32


def close(a, b, rtol=EXACT):
    a, b = onp.asarray(a), onp.asarray(b)
    return a.shape == b.shape and onp.max(onp.abs(a - b), initial=0) <= rtol * max(1, onp.max(onp.abs(b), initial=0))


def case(seed, B=3, K=4, J=5, D=70, grey=False, scale=1.0):
    rng = onp.random.default_rng(seed)
    x = rng.random((B, D))
    return (x if grey else (x < 0.4).astype(float), rng.normal(size=(B * K, J)), scale * rng.normal(size=(D, J)),
            rng.normal(size=D), rng.normal(size=B * K))


def plain_layer(x, h, W, b):
    return numerics.bernoulli_log_prob(onp.repeat(x, h.shape[0] // len(x), axis=0),
                                       np.dot(h, W.T) + b)


def slopes(layer, x, h, W, b, g):
    return [grad(lambda *a, i=i: np.sum(g * layer(x, *a)), i)(h, W, b) for i in range(3)]


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("D", [1, 63, 64, 70, 784, 7000])         # around LANES, and beyond LANES * FACTORS
def test_bernoulli_layer_is_autograds(D, grey):
    x, h, W, b, g = case(D, D=D, grey=grey)
    assert close(fused.bernoulli_layer(x, h, W, b), plain_layer(x, h, W, b))
    assert all(map(close, slopes(fused.bernoulli_layer, x, h, W, b, g), slopes(plain_layer, x, h, W, b, g)))


@pytest.mark.parametrize("shapes", [((5, 7), (5, 7)), ((2, 1, 7), (2, 3, 7)), ((7,), (4, 7)), ((3, 1, 7), (2, 7)),
                                    ((4, 7), (7,)), ((7,), (7,)), ((0, 7), (0, 7))])
def test_bernoulli_log_prob_is_autograds(shapes):
    rng = onp.random.default_rng(0)
    x, logits = rng.random(shapes[0]), 3 * rng.normal(size=shapes[1])
    g = rng.normal(size=onp.broadcast_shapes(*shapes)[:-1])
    for of in (0, 1):
        values = [np.sum(g * f(x, logits)) for f in (fused.bernoulli_log_prob, numerics.bernoulli_log_prob)]
        ours, plain = (grad(lambda x, a, f=f: np.sum(g * f(x, a)), of)(x, logits)
                       for f in (fused.bernoulli_log_prob, numerics.bernoulli_log_prob))
        assert close(*values) and close(ours, plain)


def test_extremes():
    """Nothing overflows, what is tiny keeps its digits, and what is no number stays none."""
    logits = onp.array([1e4, -1e4, 800.0, -800.0, 36.0, -36.0, 0.0, -0.0])
    for x in (0.0, 1.0, 0.25):
        each = onp.full((8, 1), x)
        ours, plain = (f(each, logits[:, None]) for f in (fused.bernoulli_log_prob, numerics.bernoulli_log_prob))
        assert onp.all(onp.abs(ours - plain) <= 4e-16 * (1 + onp.abs(logits)))
        ours, plain = (grad(lambda a, f=f, x=each: np.sum(f(x, a)))(logits[:, None])
                       for f in (fused.bernoulli_log_prob, numerics.bernoulli_log_prob))
        assert onp.allclose(ours, plain, rtol=4e-16 * 4, atol=1e-307)           # exp is not below 3e-308 here
    with pytest.raises(ValueError, match="logits must be a number"):
        fused.bernoulli_log_prob(onp.ones((1, 2)), onp.array([[onp.nan, 0.0]]))
    within = inspect.unwrap(fused.bernoulli_log_prob)                           # as refdgm itself calls it
    assert onp.isnan(within(onp.ones((1, 2)), onp.array([[onp.nan, 0.0]])))


def test_float32_stays_float32_on_the_way_there_and_back():
    seen = []

    @primitive
    def spy(a):
        return a
    defvjp(spy, lambda ans, a: lambda g: seen.append(g.dtype) or g)
    x, h, W, b, _ = case(1, D=100)
    singles = [a.astype(onp.float32) for a in (x, h, W, b)]

    def bound(x, h, W, b):
        units = spy(fused.tanh_layer(h, onp.eye(5, dtype=h.dtype), onp.ones(5, h.dtype)))
        return np.sum(log_mean_exp(np.reshape(fused.bernoulli_layer(x, units, W, b), (3, 4))))
    assert bound(*singles).dtype == onp.float32
    for i in (1, 2, 3):
        slope = grad(bound, i)(*singles)
        assert slope.dtype == onp.float32 and close(slope, grad(bound, i)(x, h, W, b), SINGLE)
    assert set(seen) == {onp.dtype(onp.float32), onp.dtype(float)} and seen[0] == onp.float32


def test_the_derivative_of_the_derivative():
    x, h, W, b, g = case(2, D=6, J=3)

    def mixed(layer):                   # d/dW of d/dh: W is a variable of the outer derivative, h of the inner one
        inner = lambda W: grad(lambda h: np.sum(g * layer(x, h, W, b)))(h)
        return jacobian(inner)(W)
    assert close(mixed(fused.bernoulli_layer), mixed(plain_layer))
    curved = [jacobian(grad(lambda b, f=f: np.sum(g * f(x, h, W, b))))(b) for f in (fused.bernoulli_layer, plain_layer)]
    assert close(*curved) and onp.max(onp.abs(curved[1])) > 0.1
    bent = [jacobian(grad(lambda W, f=f: np.sum(f(x, W, onp.ones(4))**2)))(onp.ones((4, 6)) / 7)
            for f in (fused.tanh_layer, lambda x, W, b: np.tanh(np.dot(x, W.T) + b))]
    assert close(*bent)
    along = [make_jvp(lambda h, f=f: f(x, h, W, b))(h)(onp.ones_like(h))[1]
             for f in (fused.bernoulli_layer, plain_layer)]
    assert close(*along)


def test_two_calls_before_the_way_back_keep_their_own_residuals():
    first, second = case(3, D=9), case(4, D=9)

    def both(layer):
        return grad(lambda b: np.sum(layer(*first[:3], b) * layer(*second[:3], b)))(first[3])
    assert close(both(fused.bernoulli_layer), both(plain_layer))


@pytest.mark.parametrize("wrong", ["sign", "no bias", "x of the next row"])
def test_mistakes_are_seen(wrong, monkeypatch):
    right = bernoulli.log_prob

    def mistaken(x, logits, bias, value, repeat):
        right(onp.roll(x, 1, axis=0) if wrong == "x of the next row" else x, logits,
              0 * bias if wrong == "no bias" else bias, value, repeat)
        if wrong == "sign":
            logits *= -1
    x, h, W, b, g = case(5)
    monkeypatch.setattr(bernoulli, "log_prob", mistaken)
    assert not all(map(close, slopes(fused.bernoulli_layer, x, h, W, b, g), slopes(plain_layer, x, h, W, b, g)))


def test_bad_input():
    x, h, W, b, _ = case(6)
    for arguments, message in (((x, h[:5], W, b), "a multiple of the 3 rows"),
                               ((x[:, :9], h, W, b), "x must have shape"),
                               ((x[:0], h, W, b), "a multiple of the 0 rows")):
        with pytest.raises(ValueError, match=message):
            fused.bernoulli_layer(*arguments)
    with pytest.raises(ValueError, match="the same last axis"):
        fused.bernoulli_log_prob(x, h)


# ---- a whole model --------------------------------------------------------------------

def model(seed, real=float):
    rng = onp.random.default_rng(seed)
    return (iwae_network.random_params(seed, 30, 6, 3, real, scale=0.5),
            (rng.random((4, 30)) < 0.5).astype(real), rng.normal(size=(4, 5, 3)).astype(real))


def by_the_formulas(params, x, eps):
    """The same bound in the words of models/ and of autograd."""
    rows = x[:, None, :]
    h = vae.reparameterise(params["phi"], rows, eps)
    log_w = bernoulli_dlvm.log_joint(params["theta"], rows, h) - vae.log_q(params["phi"], rows, h)
    return np.mean(log_mean_exp(log_w))


@pytest.mark.parametrize("seed", range(5))
def test_the_iwae_gradient_is_that_of_the_bound(seed):
    params, x, eps = model(seed)
    value, F = iwae_network.gradient(params, x, eps)
    truth = grad(by_the_formulas)(params, x, eps)
    assert close(value, by_the_formulas(params, x, eps))
    assert all(close(F[part][name], truth[part][name]) for part in truth for name in truth[part])
    single = iwae_network.gradient(*model(seed, onp.float32))[1]
    assert all(leaf.dtype == onp.float32 and close(leaf, truth[part][name], SINGLE)
               for part in single for name, leaf in single[part].items())


def test_uniform_weights_are_not_the_iwae_gradient(monkeypatch):
    params, x, eps = model(0)
    truth = grad(by_the_formulas)(params, x, eps)
    monkeypatch.setattr(iwae_network, "softmax", lambda log_w: onp.full(log_w.shape, 1 / log_w.shape[1]))
    F = iwae_network.gradient(params, x, eps)[1]
    assert not close(F["theta"]["M"], truth["theta"]["M"], 1e-2)


def test_bad_noise():
    params, x, eps = model(0)
    with pytest.raises(ValueError, match=r"eps must have shape \(4, any, 3\)"):
        iwae_network.gradient(params, x, eps[:, :, :2])


def test_a_tree_of_variables():
    _, back = vjp(lambda p: p["a"]["u"] * p["b"][0] + p["a"]["u"]**2, {"a": {"u": onp.arange(3.0)}, "b": (2.0, 1.0)})
    for _ in range(2):                              # the way back may be gone more than once
        slope = back(onp.ones(3))
        assert slope["a"]["u"].tolist() == [2, 4, 6] and slope["b"][0] == 3 and slope["b"][1] == 0
    assert vjp(lambda p: onp.ones(2), {"a": onp.ones(3)})[1](onp.ones(2))["a"].tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="g must have shape"):
        back(onp.ones(2))
