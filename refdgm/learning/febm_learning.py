r"""f-EBM: an energy learned by any f-divergence, its partition function unused (yu2020 Algorithm 1, Sec. 6.1).

With x_1..x_N from the data, y_1..y_M from q = exp(-E_theta) / Z and r = exp(H + E_theta), a guess of p/q, each step
moves both players at once (Eq. 19), omega up and theta down the gradient of

    L = sum_i p_i f'(r(x_i)) - sum_j w_j f*(f'(r(y_j)))                                                     (Eq. 14)
    dL/domega = sum_i p_i r f''(r) dH(x_i) - sum_j w_j r^2 f''(r) dH(y_j)                                   (Sec. 3.3)
    dL/dtheta = sum_i p_i r f''(r) dE(x_i) + sum_j w_j (c (B_j - sum_k w_k B_k) - r^2 f''(r)) dE(y_j)       (Eq. 18)

with B = f*(f'(r)), p_i = 1/N, w_j = 1/M and c = M/(M - 1), which makes the covariance unbiased (Theorem 3). y is from

    exact       the inverse distribution function at uniform numbers, for x on the line
    langevin    chains that live on, a few unadjusted Langevin steps at each step of theta (Eq. 5): biased
    sums        no samples: a grid with w_j proportional to exp(-E) and c = 1; `weigh` does the same for p

H = h_omega - E_theta0, so that learning begins with h = 0 at a ratio of one. With `base`, H = h_omega + base(x): where
the start does not cover the data, p/q is far from one, and H can only follow from a base near log p.
parameters = {"theta": .., "omega": .., "base": theta0}; f is a row of divergences.F_DIVERGENCES. Total variation is
left out: its f'' is zero wherever it is defined, so that neither player would move.

The standard deviation of a Gaussian energy, trained with KL from 1.5 on the law N(0, 1):

>>> import numpy as np
>>> import refdgm
>>> from refdgm.learning.febm_learning import febm, quadratic, sums
>>> x, w = refdgm.numerics.normal_trapezoid(41, 5.0)
>>> critic = refdgm.models.critic.linear_critic(np.linspace(-3, 3, 50)[:, None], units=10)
>>> algorithm = febm("kl", quadratic(0.0, 1.5), critic, sums(-8.0, 8.0, n=81), weigh=lambda rows: w / w.sum())
>>> fit = refdgm.fit(algorithm, x[:, None], 100, schedule=refdgm.updates.constant(0.2))
>>> round(float(np.exp(fit.parameters["theta"]["gaussian"][1])), 2)
1.0
"""
from collections.abc import Callable
from typing import NamedTuple

from autograd import make_vjp

from refdgm import validation as valid
from refdgm.adversarial.febm_algorithm import B, slope_of_A, slope_of_B
from refdgm.backend import xp as np
from refdgm.divergences import named
from refdgm.fitting import Algorithm
from refdgm.models import gaussian_fit
from refdgm.numerics import softmax, trapezoid
from refdgm.samplers import ula
from refdgm.streams import Stream, uniforms
from refdgm.trees import tree_map


class Energy(NamedTuple):
    """start(data, seed) -> theta;  value(theta, x (N, D)) -> (N,), in autograd.numpy."""
    start: Callable
    value: Callable


class Model(NamedTuple):
    """What a step has of the model's law."""
    y: np.ndarray               # (M, D)
    w: np.ndarray               # (M,), their weights, which sum to one
    factor: float               # c of the covariance: M/(M - 1) for samples, 1 for sums


class Sampler(NamedTuple):
    """start(data, seed) -> memory;  draw(E, memory, count, seed, t) -> Model, memory, where E(x) is today's energy."""
    start: Callable
    draw: Callable


def quadratic(mu=0.2, sigma=2.25):
    """E = (x - mu)^2 / (2 sigma^2) from this start (yu2020 Eq. 20); theta = {"gaussian": (mu, log sigma)}, x (N, 1)."""
    return Energy(gaussian_fit.start(mu, sigma), lambda theta, x: gaussian_fit.energy(theta["gaussian"], x[:, 0]))


# ---- the model's law ------------------------------------------------------------------

def sums(low, high, n=161):
    """Every expectation under the model is a sum over a grid of the line."""
    grid, weights = _grid(low, high, n)
    return Sampler(lambda data, seed: (), lambda E, memory, count, seed, t: (
        Model(grid[:, None], softmax(np.log(weights) - E(grid[:, None])), 1.0), memory))


def exact(low, high, n=1601):
    """Independent samples on the line, as many as a batch has data."""
    grid, _ = _grid(low, high, n)

    def draw(E, memory, count, seed, t):
        valid.count("the number of samples of the model, that of the batch,", count, 2)
        u = uniforms(Stream(seed, np.arange(count, dtype=np.uint32), t), 1)[:, 0]
        return _equal(invert(-E(grid[:, None]), grid, u)[:, None]), memory
    return Sampler(lambda data, seed: (), draw)


def _grid(low, high, n):
    valid.moderate("low", low)
    valid.moderate("high", high)
    return trapezoid(low, high, n)


def invert(log_density, grid, u):
    """Where the distribution function, linear between the points of a grid, is u.  (n,), (n,), (M,) -> (M,)"""
    p = np.exp(log_density - np.max(log_density))
    F = np.append(0.0, np.cumsum((p[1:] + p[:-1]) / 2 * np.diff(grid)))
    return np.interp(u * F[-1], F, grid)


def langevin(chains=1000, eps=0.1, steps=5):
    """Unadjusted Langevin chains that begin at data and never anew; eps is the variance of their noise."""
    valid.count("chains", chains, 2)
    valid.count("steps", steps)
    valid.positive("eps", eps)

    def draw(E, memory, count, seed, t):
        state = ula.State(memory["chains"], Stream(seed, np.arange(chains, dtype=np.uint32), (t - 1) * steps))
        for _ in range(steps):
            state = ula.step(lambda x: -E(x), state, eps)
        return _equal(state.x), {"chains": state.x}
    return Sampler(lambda data, seed: {"chains": data[np.arange(chains) % len(data)]}, draw)


def _equal(y):
    return Model(y, np.full(len(y), 1 / len(y)), len(y) / (len(y) - 1))


# ---- the algorithm --------------------------------------------------------------------

def febm(name, energy, critic, sampler, speed=1.0, weigh=None, base=None):
    """f-EBM by simultaneous steps, omega's `speed` times as long as theta's (yu2020 Algorithm 1).

    critic is a refdgm.models.critic.Critic, h_omega; weigh(x) -> p_i, (N,), where rows are not equally probable.
    """
    valid.require(np.all(named(name).second(np.array([0.5, 2.0])) > 0),
                  f"f'' is zero for {name!r}, and with it every gradient of f-EBM.")
    valid.positive("speed", speed)

    def start(data, seed):
        theta = energy.start(data, seed)
        parameters = {"theta": theta, "omega": critic.start(seed)}
        return parameters if base else {**parameters, "base": theta}, sampler.start(data, seed)

    def draw(parameters, memory, x, index, seed, t):
        return sampler.draw(lambda x: energy.value(parameters["theta"], x), memory, len(x), seed, t)

    def field(parameters, z, x):
        N, points = len(x), np.concatenate([x, z.y])
        p = weigh(x) if weigh else np.full(N, 1 / N)
        back_E, E = make_vjp(lambda theta: energy.value(theta, points))(parameters["theta"])
        back_h, h = make_vjp(lambda omega: critic.value(omega, points))(parameters["omega"])
        H = h + (base(points) if base else -energy.value(parameters["base"], points))
        of_data, of_model = (E[:N], H[:N], name), (E[N:], H[N:], name)
        reward = B(*of_model)
        pull = np.concatenate([p * slope_of_A(*of_data), -z.w * slope_of_B(*of_model)])
        score = np.concatenate([np.zeros(N), z.factor * z.w * (reward - z.w @ reward)])
        return {**tree_map(np.zeros_like, parameters),
                "theta": tree_map(np.negative, back_E(pull + score)),
                "omega": tree_map(lambda g: speed * g, back_h(pull))}
    return Algorithm(f"f-EBM ({name})", start, draw, field)


# ---- what is reached, exactly ---------------------------------------------------------

def exact_divergence(name, target):
    """A monitor of the quadratic energy: -D_f(p||q) by quadrature, p a mixture of models/gaussian_fit; mu and sigma."""
    return gaussian_fit.monitor(target, named(name))


def ratio(parameters, energy, critic, x, base=None):
    """exp(H + E), the learned p/q up to what H cannot express (yu2020 Eq. 16).  (N, D) -> (N,)"""
    first = base(x) if base else -energy.value(parameters["base"], x)
    return np.exp(critic.value(parameters["omega"], x) + first + energy.value(parameters["theta"], x))
