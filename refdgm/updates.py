r"""How far a parameter moves along F: step sizes over time, and what is remembered of earlier steps.

    SGD         lam += gamma_t F                                     (ou2018 Algorithm 1)
    momentum    m = b m + F,                 lam += gamma_t m        (Polyak)
    Adam        m = b1 m + (1 - b1) F,       v = b2 v + (1 - b2) F^2
                lam += gamma_t (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon)       (kingma2019 App. A.3)
    Adamax      u = max(b2 u, |F|),          lam += gamma_t (m / (1 - b1^t)) / (u + epsilon)

F points where the parameter should go: every method ascends. A schedule is a function of t = 1, 2, ...; an Update
is two pure functions on trees of arrays.
"""
from typing import NamedTuple
from collections.abc import Callable

from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.trees import tree_map


class Update(NamedTuple):
    """A rule: init(parameters) -> memory;  step(parameters, memory, F, gamma, t) -> (parameters, memory), t >= 1."""
    name: str
    init: Callable
    step: Callable


# ---- step sizes -----------------------------------------------------------------------

def constant(gamma):
    """gamma_t = gamma."""
    valid.positive("the step size gamma", gamma)
    return lambda t: gamma


def harmonic(first, offset=0.0):
    """gamma_t = first / (offset + t): a divergent sum with convergent squares (ou2018 Sec. 2)."""
    valid.positive("the step size first", first)
    valid.number("offset", offset, 0)
    return lambda t: first / (offset + t)


def robbins_monro(first, power=0.75, offset=0.0):
    """gamma_t = first / (offset + t)^power, 1/2 < power <= 1: slower than 1/t and still square-summable."""
    valid.positive("the step size first", first)
    valid.require(0.5 < power <= 1, f"power must lie in (1/2, 1], but is {power}: else the sums do not behave.")
    valid.number("offset", offset, 0)
    return lambda t: first / (offset + t)**power


def constant_then_harmonic(gamma, until):
    """gamma_t = gamma up to t = until and gamma until / t from there on."""
    valid.positive("the step size gamma", gamma)
    valid.count("until", until)
    return lambda t: gamma * min(1.0, until / t)


# ---- rules ----------------------------------------------------------------------------

def sgd():
    """lam += gamma F, which remembers nothing (ou2018 Algorithm 1)."""
    return Update("SGD", lambda parameters: (),
                  lambda parameters, memory, F, gamma, t: (tree_map(lambda p, g: p + gamma * g, parameters, F), ()))


def momentum(b=0.9):
    """Polyak's momentum."""
    _decay("b", b)

    def step(parameters, m, F, gamma, t):
        m = tree_map(lambda m, g: b * m + g, m, F)
        return tree_map(lambda p, m: p + gamma * m, parameters, m), m
    return Update("momentum", _zeros, step)


def adam(b1=0.9, b2=0.999, epsilon=1e-8):
    """Adam (kingma2019 App. A.3; Kingma and Ba 2015 Algorithm 1)."""
    _decay("b1", b1), _decay("b2", b2)
    valid.number("epsilon", epsilon, 0)

    def step(parameters, memory, F, gamma, t):
        m = tree_map(lambda m, g: b1 * m + (1 - b1) * g, memory[0], F)
        v = tree_map(lambda v, g: b2 * v + (1 - b2) * g**2, memory[1], F)

        def move(p, m, v):
            return p + gamma * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + epsilon)
        return tree_map(move, parameters, m, v), (m, v)
    return Update("Adam", lambda parameters: (_zeros(parameters), _zeros(parameters)), step)


def adamax(b1=0.9, b2=0.999, epsilon=1e-300):
    """Adamax (kingma2019 App. A.3; Kingma and Ba 2015 Algorithm 2); epsilon only keeps 0/0 away."""
    _decay("b1", b1), _decay("b2", b2)
    valid.number("epsilon", epsilon, 0)

    def step(parameters, memory, F, gamma, t):
        m = tree_map(lambda m, g: b1 * m + (1 - b1) * g, memory[0], F)
        u = tree_map(lambda u, g: np.maximum(b2 * u, np.abs(g)), memory[1], F)
        return tree_map(lambda p, m, u: p + gamma * (m / (1 - b1**t)) / (u + epsilon), parameters, m, u), (m, u)
    return Update("Adamax", lambda parameters: (_zeros(parameters), _zeros(parameters)), step)


def _zeros(parameters):
    return tree_map(np.zeros_like, parameters)


def _decay(name, value):
    valid.require(0 <= value < 1, f"the decay {name} must lie in [0, 1), but is {value}.")
