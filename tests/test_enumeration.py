"""log Z and pairwise marginals of more states than a table holds, against tables, symmetries and other splits."""
import numpy as np
import pytest

from refdgm import enumeration
from refdgm.enumeration import boltzmann_moments, rbm_log_partition, rbm_moments
from refdgm.models import boltzmann, rbm
from refdgm.numerics import all_binary


def machine(D, H, scale=0.5, shift=0.0, seed=0):
    theta = rbm.random_theta(np.random.default_rng(seed), D, H, scale=scale)
    return {**theta, "b": theta["b"] + shift}


def close(a, b):
    return all(np.allclose(a.mean[name], b[name], rtol=0, atol=1e-10) for name in b)


@pytest.mark.parametrize("D, H", [(1, 1), (4, 2), (2, 5), (7, 7), (6, 12), (13, 12)])
@pytest.mark.parametrize("scale, shift", [(0.5, 0.0), (30.0, 0.0), (1.0, -900.0), (1.0, 2000.0), (200.0, 0.0)])
def test_an_rbm_against_brute_force(D, H, scale, shift):
    theta = machine(D, H, scale, shift)
    exact = rbm.log_partition(theta)
    moments = rbm_moments(theta)
    assert abs(moments.log_z - exact) < 1e-10 * max(1, abs(exact)) and close(moments, rbm.model_mean(theta))
    assert rbm_log_partition(theta) == pytest.approx(moments.log_z, rel=1e-14)


@pytest.mark.parametrize("bits", [dict(ROW=2, LOW=3, PART=1, PARTS=2), dict(ROW=1, LOW=9), dict(ROW=3, LOW=2, PART=0)])
@pytest.mark.parametrize("scale", [0.5, 15.0])
def test_blocks_and_parts_of_any_size(bits, scale, monkeypatch):
    """The states cut in other ways: many blocks, parts and calls for a small model."""
    for name, value in bits.items():
        monkeypatch.setattr(enumeration, name, value)
    theta = machine(200, 10, scale)
    moments = rbm_moments(theta)
    assert abs(moments.log_z - rbm.log_partition(theta)) < 1e-10 and close(moments, rbm.model_mean(theta))


def test_a_million_states():
    """784 units summed out of two machines that do not meet: 10 hidden units each, and 20 together."""
    halves = [machine(392, 10, 0.2, seed=seed) for seed in (1, 2)]
    theta = {"w": np.zeros((784, 20)), **{name: np.concatenate([half[name] for half in halves]) for name in "bc"}}
    theta["w"][:392, ::2], theta["w"][392:, 1::2] = (half["w"] for half in halves)
    theta["c"] = np.stack([half["c"] for half in halves], axis=1).ravel()
    assert abs(rbm_log_partition(theta) - sum(rbm.log_partition(half) for half in halves)) < 1e-10


def test_threads_do_not_change_the_last_bit():
    theta = machine(20, 18, 0.3)
    one, two = (rbm_moments(theta, threads=threads) for threads in (1, 2))
    assert one.log_z == two.log_z and all(np.array_equal(one.mean[name], two.mean[name]) for name in "wbc")


def test_absent_biases_are_zero():
    theta = {"w": machine(5, 3)["w"]}
    assert close(rbm_moments(theta), rbm.model_mean({**theta, "b": np.zeros(5), "c": np.zeros(3)}))


@pytest.mark.parametrize("n", [1, 2, 3, 4, 8, 13])
@pytest.mark.parametrize("scale, shift", [(1.0, 0.0), (20.0, 0.0), (0.3, 900.0), (400.0, 0.0)])
def test_a_boltzmann_machine_against_brute_force(n, scale, shift):
    theta = boltzmann.random_theta(np.random.default_rng(n), n, scale)
    theta["b"] = theta["b"] + shift
    x, exact, moments = all_binary(n), boltzmann.log_partition(theta), boltzmann_moments(theta)
    p = np.exp(boltzmann.log_prob_table(theta))
    assert abs(moments.log_z - exact) < 1e-10 * max(1, abs(exact))
    assert close(moments, {"b": p @ x, "J": x.T @ (p[:, None] * x)})


def test_a_boltzmann_machine_of_two_that_do_not_meet():
    """24 units, 2^24 states, several calls: log Z adds up, and units of different halves are independent."""
    halves = [boltzmann.random_theta(np.random.default_rng(seed), 12, 0.7) for seed in (1, 2)]
    order = np.random.default_rng(3).permutation(24)
    J, b = np.zeros((24, 24)), np.concatenate([half["b"] for half in halves])
    J[:12, :12], J[12:, 12:] = halves[0]["J"], halves[1]["J"]
    whole = boltzmann_moments({"J": J[np.ix_(order, order)], "b": b[order]})
    one, two = (boltzmann_moments(half) for half in halves)
    mean = np.concatenate([one.mean["b"], two.mean["b"]])
    pairs = np.outer(mean, mean)
    pairs[:12, :12], pairs[12:, 12:] = one.mean["J"], two.mean["J"]
    assert abs(whole.log_z - one.log_z - two.log_z) < 1e-10
    assert close(whole, {"b": mean[order], "J": pairs[np.ix_(order, order)]})


def test_too_many_states():
    with pytest.raises(ValueError, match=r"2\*\*40 states take about .* minutes here, more than the 600 s"):
        rbm_log_partition(machine(50, 40))
    with pytest.raises(ValueError, match="years"):
        boltzmann_moments(boltzmann.random_theta(np.random.default_rng(0), 80))
    with pytest.raises(ValueError, match="more than the 0.001 s"):
        rbm_moments(machine(100, 20), seconds=0.001)
    with pytest.raises(ValueError, match="must be finite"):
        rbm_log_partition({"w": np.full((2, 2), np.nan)})


def test_an_interrupt_says_what_is_known(monkeypatch, capsys):
    """Ctrl-C in the 20th of 128 calls: a lower bound."""
    theta, calls = machine(40, 12, 0.2), []

    def until_the_20th(*arguments, made=enumeration._summed_out):
        more, at_once = made(*arguments)

        def counted(first):
            calls.append(first)
            if len(calls) == 20:
                raise KeyboardInterrupt
            return more(first)
        return counted, at_once

    for name, value in dict(ROW=1, LOW=4, PART=0, PARTS=0).items():
        monkeypatch.setattr(enumeration, name, value)
    exact = rbm_log_partition(theta)
    monkeypatch.setattr(enumeration, "_summed_out", until_the_20th)
    with pytest.raises(KeyboardInterrupt, match="of 4,096 states were visited; log Z is at least") as caught:
        rbm_log_partition(theta)
    assert exact - 10 < float(str(caught.value).split()[-1].rstrip(".")) < exact
    assert "interrupted" in capsys.readouterr().err
