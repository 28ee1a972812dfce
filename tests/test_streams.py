"""The counter-based stream against its published vectors, and the elementary functions against longer arithmetic."""
import numpy as np
import pytest

from refdgm import elementary, streams

LONG = np.longdouble
PI = LONG("3.14159265358979323846264338327950288")


# The known answers that Salmon et al. publish with Random123 (kat_vectors: philox4x32, 10 rounds).
@pytest.mark.parametrize("counter, key, answer", [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1")])
def test_philox_gives_the_published_words(counter, key, answer):
    numbers = [np.array([int(word, 16)], np.uint32) for word in (counter + " " + key).split()]
    assert " ".join(f"{word[0]:08x}" for word in streams.philox(*numbers)) == answer


def test_a_word_depends_on_its_address_only():
    many = streams.stream(seed=9, chains=10)._replace(step=4)
    few = streams.stream(seed=9, chains=3, first=5)._replace(step=4)
    assert np.array_equal(streams.words(many, 11)[5:8], streams.words(few, 11))
    assert np.array_equal(streams.words(many, 11)[:, :6], streams.words(many, 6))
    for other in (many._replace(seed=9 + 2**32), many._replace(step=5)):
        assert not np.any(streams.words(other, 11) == streams.words(many, 11))
    assert not np.any(streams.words(many, 11, draw=1) == streams.words(many, 11))


@pytest.mark.parametrize("real, exp_error, log_error, sine_error", [
    (np.float64, 3e-16, 3e-16, 3e-16), (np.float32, 3e-7, 1e-7, 2e-7)])
def test_elementary_functions(real, exp_error, log_error, sine_error):
    rng = np.random.default_rng(0)
    x = rng.uniform(-700 if real is np.float64 else -80, 700 if real is np.float64 else 80, 100_000).astype(real)
    assert np.max(np.abs(elementary.exp(x) / np.exp(x.astype(LONG)) - 1)) < exp_error
    u = np.exp(rng.uniform(-80, 80, 100_000)).astype(real)
    truth = np.log(u.astype(LONG))
    assert np.max(np.abs((elementary.log(u) - truth) / truth)) < log_error
    v = rng.random(100_000).astype(real)
    for got, truth in zip(elementary.sincos(v), (np.sin(2 * PI * v), np.cos(2 * PI * v))):
        assert np.max(np.abs(got - truth)) < sine_error
    a = (rng.normal(size=100_000) * np.exp(rng.uniform(-9, 4, 100_000))).astype(real)
    assert np.max(np.abs(elementary.tanh(a) - np.tanh(a.astype(LONG)))) < 1.8 * np.finfo(real).eps


def test_extremes():
    for real in (np.float64, np.float32):
        zero, one = real(0), real(1)
        assert elementary.exp(np.array([zero]))[0] == 1 and elementary.log(np.array([one]))[0] == 0
        assert np.all(np.isfinite(elementary.exp(np.array([-np.inf, np.inf], real))))
        assert elementary.tanh(np.array([-np.inf, zero, np.inf], real)).tolist() == [-1, 0, 1]
        with np.errstate(invalid="ignore"):
            assert np.isnan(elementary.FOR[real].exp(np.array([np.nan], real)))[0]      # as within a chain: unguarded
            assert np.isnan(elementary.FOR[real].tanh(np.array([np.nan], real)))[0]
        every = np.array([0, 1, 2**31, 2**32 - 1], np.uint32)
        u = streams.uniform(every, one)
        assert u.dtype == real and np.all((0 < u) & (u < 1))
        for z in streams.two_normals(every, every, every, every, one):
            assert z.dtype == real and np.all(np.isfinite(z)) and np.max(np.abs(z)) < 8.7


# 4e5 numbers an assertion, five standard errors: for a new seed a false alarm of 6e-7 each.
def test_moments():
    s = streams.stream(seed=2, chains=100_000)
    u, z = streams.uniforms(s, 4).ravel(), streams.normals(s, 4).ravel()
    assert abs(u.mean() - 0.5) < 5 * np.sqrt(1 / 12 / u.size)
    assert abs((u**2).mean() - 1 / 3) < 5 * np.sqrt(4 / 45 / u.size)
    for power, mean, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((z**power).mean() - mean) < 5 * np.sqrt(variance / z.size)
    pairs = streams.normals(s, 4)
    correlations = np.corrcoef(pairs.T)[np.triu_indices(4, 1)]
    assert np.max(np.abs(correlations)) < 5 / np.sqrt(len(pairs))


@pytest.mark.parametrize("arguments, message", [
    ({"seed": -1, "chains": 1}, "seed must be an integer of at least 0"),
    ({"seed": 2**64, "chains": 1}, "below 2\\*\\*64"),
    ({"seed": 0, "chains": 0}, "number of chains"),
    ({"seed": 0, "chains": 2, "first": 2**32 - 1}, "numbered below 2\\*\\*32")])
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        streams.stream(**arguments)
