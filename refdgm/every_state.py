"""Sums over all states of binary units, call by call: how far it is can be shown, and an interrupt says what is known.

What is summed is more(first) -> (peak, on), of the 2**at_once states from the number `first`: on[i, j] is the weight,
relative to e^peak, of those where units i and j are on, the last being always on.
"""
from typing import NamedTuple

from refdgm import backend, chains
from refdgm import validation as valid
from refdgm.backend import xp as np

AT_ONCE, AT_ONCE_ON_DEVICE = 10, 18     # bits of the states of a call in the log domain; a device does more at once


class _Sums(NamedTuple):
    """Of the states before `states`: on[i, j], the weights where units i and j are on, the last being always on."""
    states: int
    peak: float                 # on is relative to e^peak
    on: np.ndarray

    def log_z(self):
        log_z = self.peak + np.log(self.on[-1, -1])
        return log_z if backend.on_device(log_z) else float(log_z)


def visit(more, bits, at_once, rate, seconds, progress):
    """Sum over all 2**bits states, of which `rate` a second are visited.  -> log Z, the mean of on

    Raises ValueError if that would take more than about `seconds`.
    """
    cost = 2.0**min(bits, 1000) / rate
    valid.require(cost <= seconds, f"2**{bits} states take about {_duration(cost)} here, more than the "
                                   f"{seconds} s that are allowed; use a smaller model, or give seconds=....")

    def advance(sums, calls):
        for _ in range(calls):
            peak, on = more(sums.states)
            top = max(peak, sums.peak)
            sums = _Sums(sums.states + 2**at_once, top, sums.on * np.exp(sums.peak - top) + on * np.exp(peak - top))
        return sums

    run = chains.drive(_Sums(0, -np.inf, np.zeros((1, 1))), advance, 2**(bits - at_once), progress=progress)
    sums = run.state
    if run.interrupted:
        known = f"; log Z is at least {sums.log_z():.6f}" if sums.states else ""
        raise KeyboardInterrupt(f"{sums.states:,} of {2**bits:,} states were visited{known}.")
    return sums.log_z(), sums.on / sums.on[-1, -1]


def _duration(seconds):
    for unit, size in (("years", 31557600), ("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def states(numbers, n):
    """States of n bits by their numbers, and a unit that is always on.  (m,) -> (m, n + 1)"""
    return np.concatenate([numbers[:, None] >> np.arange(n) & 1, np.ones((len(numbers), 1), int)], axis=1).astype(float)


def exp_and_peak(a, axis):
    """e^(a - peak) and the peak, the maximum along an axis, or of all."""
    peak = np.max(a, axis=axis, keepdims=True)
    return np.exp(a - peak), np.squeeze(peak, axis=axis)


def log_domain(n, log_weight, units):
    """more(first) for any weights: log_weight(s) and the means of the other units given s, a chunk at a time."""
    at_once = min(n, AT_ONCE if backend.name() == "numpy" else AT_ONCE_ON_DEVICE)

    def more(first):
        s = states(np.arange(first, first + 2**at_once), n)
        p, peak = exp_and_peak(log_weight(s[:, :-1]), None)
        on = np.concatenate([units(s[:, :-1]), s[:, -1:]], axis=1)
        return peak, on.T @ (p[:, None] * s)

    return more, at_once
