r"""GAN, f-GAN and WGAN: a generator learned against a discriminator, one step of both at once (ou2018 Algorithm 5).

    x_1..x_N data,  eps_1..eps_M noise,  V_psi(x) any number, T = g_f(V)
    F = sum_i p_i T(x_i) - sum_j w_j f*(T(G_theta(eps_j)))           p_i = 1/N, w_j = 1/M                     (Eq. 29)
    psi    up      sum_i p_i T'(V) dV(x_i) - sum_j w_j u_j T'(V) dV(G(eps_j)),   u = (f*)'(T)
    theta  down    - sum_j w_j u_j T'(V) d V(G_theta(eps_j))         minimax
           up      sum_j w_j T'(V) d V(G_theta(eps_j))               trick: E_p T, a GAN's log D (Sec. 3.2.4)

    activation     rule    g_f(v) = f'(e^v), so that V* = log p0/p and u = e^V                (after Eq. 31)
                   table   what the f-GAN paper gives (refdgm.divergences, `activation`)
    gan            f of the row "gan": F is Eq. 24
    wgan           T = f*(T) = V, psi in [-c, c] by weight_clipping(rule, c)     (Arjovsky et al. 2017)

If psi is best, minimax descends D_f(p0||p) and the trick D_h(p0||p) with h'' = f''/u: reverse KL for KL, and
KL(p||p0) - 2 JS for a GAN. `tricked` is that h. So a Gaussian generator has a known end, by quadrature.
parameters = {"theta": .., "psi": ..};  x (N, D), eps (M, d), V (N,).

The Wasserstein distance from data at -1 and 1, at the start and after 60 steps of a WGAN on the line:

>>> import numpy as np
>>> import refdgm
>>> from refdgm.learning import gan_learning as L
>>> x, G, V = np.array([[-1.0], [1.0]]), L.location_scale(mu=2.0, sigma=1.0), L.tanh_discriminator(1, (8,))
>>> rule, monitor = L.weight_clipping(refdgm.updates.sgd(), 0.5), L.exact_wasserstein(G, x)
>>> fit = refdgm.fit(L.wgan(G, V, sums=21), x, 60, update=rule, monitor=monitor)
>>> [round(float(-w), 1) for w in fit.history["minus_W"]]
[2.0, 1.0]
"""
from collections.abc import Callable
from typing import NamedTuple

import autograd.numpy as np
from autograd import elementwise_grad, make_vjp

from refdgm import validation as valid
from refdgm.adversarial.wgan import wasserstein
from refdgm.backend import xp as onp
from refdgm.divergences import named
from refdgm.fitting import Algorithm
from refdgm.models import critic as networks
from refdgm.models import gaussian_fit
from refdgm.numerics import normal_trapezoid
from refdgm.streams import Stream, normals
from refdgm.trees import tree_map
from refdgm.updates import Update

GENERATOR, DISCRIMINATOR = 0, 1         # which network of a seed


class Generator(NamedTuple):
    """start(data, seed) -> theta;  value(theta, eps (M, d)) -> x (M, D), in autograd.numpy."""
    start: Callable
    value: Callable
    d: int


class Noise(NamedTuple):
    """What a step has of the noise's law."""
    eps: np.ndarray             # (M, d)
    w: np.ndarray               # (M,), their weights, which sum to one


# ---- players --------------------------------------------------------------------------

def location_scale(mu=0.2, sigma=2.25):
    """x = mu + sigma eps on the line, from this start; theta = {"gaussian": (mu, log sigma)}."""
    return Generator(gaussian_fit.start(mu, sigma),
                     lambda theta, eps: theta["gaussian"][0] + np.exp(theta["gaussian"][1]) * eps, 1)


def tanh_generator(D, d=2, hidden=(32, 32), scale=1.0):
    """A tanh network from d numbers of noise to x (N, D)."""
    valid.count("the number of noises d", d)
    networks.validate(D, hidden, scale)

    def start(data, seed):
        valid.require(data.shape[1] == D, f"D must be the number of the data's columns, {data.shape[1]}, but is {D}.")
        return networks.start_network((d, *hidden, D), seed, scale, GENERATOR)
    return Generator(start, networks.network, d)


def tanh_discriminator(D, hidden=(32, 32), scale=1.0):
    """A tanh network from x (N, D) to V (N,)."""
    return networks.tanh_critic(D, hidden, scale, DISCRIMINATOR)


# ---- the algorithms -------------------------------------------------------------------

def gan(generator, discriminator, trick=True, **options):
    """A GAN (ou2018 Eq. 24), its generator on log D unless trick=False."""
    algorithm = fgan("gan", generator, discriminator, trick=trick, **options)
    return algorithm._replace(name="GAN" if trick else "minimax GAN")


def fgan(name, generator, discriminator, activation="rule", trick=False, speed=1.0, sums=0, weigh=None):
    """An f-GAN (ou2018 Algorithm 5) for a row of divergences.F_DIVERGENCES; psi moves `speed` times as fast as theta.

    sums > 0 takes that many points of a grid for the noise, which is then a number, with their probabilities: the
    expectation, not its estimate; weigh(x) -> p_i does the same for data whose rows are not equally probable.
    """
    d = named(name)
    valid.require(activation in ("rule", "table"), f"the activation is 'rule' or 'table', not {activation!r}.")
    valid.require(activation == "table" or onp.all(d.second(onp.array([0.5, 2.0])) > 0),
                  f"f'' is zero for {name!r}, and with it every gradient under the rule; take the table's activation.")
    slope = elementwise_grad(d.activation)

    def slopes(V):
        if activation == "rule":
            u = onp.exp(V)
            return u * d.second(u), u
        return slope(V), d.inverse_derivative(d.activation(V))
    return _game(f"f-GAN ({name}, {activation}{', trick' if trick else ''})", generator, discriminator, slopes, trick,
                 speed, sums, weigh)


def wgan(generator, discriminator, speed=1.0, sums=0, weigh=None):
    """A WGAN: fit it with weight_clipping(rule, c), or psi grows without end."""
    return _game("WGAN", generator, discriminator, lambda V: (onp.ones_like(V), onp.ones_like(V)), False, speed, sums,
                 weigh)


def weight_clipping(rule, c=0.1, part="psi"):
    """The update rule, and every number of psi back to [-c, c] after it."""
    valid.positive("c", c)

    def init(parameters):
        valid.require(isinstance(part, str) and part in parameters,
                      f"part must be one of {', '.join(parameters)}, but is {part}.")
        return rule.init(parameters)

    def step(parameters, memory, F, gamma, t):
        parameters, memory = rule.step(parameters, memory, F, gamma, t)
        return {**parameters, part: tree_map(lambda a: onp.clip(a, -c, c), parameters[part])}, memory
    return Update(f"{rule.name}, clipped", init, step)


def _game(name, generator, discriminator, slopes, trick, speed, sums, weigh):
    valid.positive("speed", speed)
    valid.count("sums", sums, 0)
    valid.require(sums == 0 or generator.d == 1, "a grid takes the place of the noise if that is one number only.")
    if sums:
        grid, mass = normal_trapezoid(sums, 6.0)
        whole = Noise(grid[:, None], mass / onp.sum(mass))

    def start(data, seed):
        return {"theta": generator.start(data, seed), "psi": discriminator.start(seed)}, ()

    def draw(parameters, memory, x, index, seed, t):
        if sums:
            return whole, memory
        eps = normals(Stream(seed, onp.arange(len(x), dtype=onp.uint32), t), generator.d)
        return Noise(eps, onp.full(len(x), 1 / len(x))), memory

    def field(parameters, z, x):
        N, psi = len(x), parameters["psi"]
        p = weigh(x) if weigh else onp.full(N, 1 / N)
        back_x, fake = make_vjp(lambda theta: generator.value(theta, z.eps))(parameters["theta"])
        back, V = make_vjp(lambda both: discriminator.value(both["psi"], np.concatenate([x, both["fake"]])))(
            {"psi": psi, "fake": fake})
        of_T, u = slopes(V)
        F = back(onp.concatenate([p * of_T[:N], -z.w * u[N:] * of_T[N:]]))
        up = back(onp.concatenate([onp.zeros(N), z.w * of_T[N:]]))["fake"] if trick else -F["fake"]
        return {"theta": back_x(up), "psi": tree_map(lambda g: speed * g, F["psi"])}
    return Algorithm(name, start, draw, field)


def tricked(d):
    """The h that the generator descends by the trick: h'' = f''/u, h - u h' = -f' (ou2018 Sec. 3.2.4, log D).

    Where f and u f' stand only together, as in the slope of D_h, h = 0 with h' = f'(u)/u is the same; h itself is not.
    """
    return d._replace(f=lambda u: 0 * u, derivative=lambda u: d.derivative(u) / u, second=lambda u: d.second(u) / u)


# ---- what is reached, exactly ---------------------------------------------------------

def sample(generator, parameters, n, seed=0):
    """n points of the generator, by address.  -> (n, D)"""
    eps = normals(Stream(seed, onp.arange(n, dtype=onp.uint32), 0), generator.d)
    return generator.value(parameters["theta"], eps)


def modes_covered(x, centres, sigma, least=0.2):
    """How many centres have within 3 sigma at least `least` of their equal share of the points, and the share within.

    -> number of modes, fraction of all x within 3 sigma of some centre
    """
    valid.shape("centres", centres, (None, x.shape[1]))
    for name, points in (("x", x), ("centres", centres)):
        valid.count(f"the number of {name}", len(points))
    near = onp.sum((x[:, None, :] - centres)**2, axis=-1) < (3 * sigma)**2
    return int(onp.sum(near.mean(axis=0) >= least / len(centres))), float(onp.mean(near.any(axis=1)))


def ring_monitor(generator, centres, sigma, n=2000):
    """A monitor: modes covered, and the share of points near one of them."""
    valid.positive("sigma", sigma)
    valid.count("n", n)

    def look(parameters):
        covered, near = modes_covered(sample(generator, parameters, n), centres, sigma)
        return {"modes": covered, "near": near}
    return look


def exact_divergence(name, target):
    """A monitor of the Gaussian generator: -D_f(p0||p) by quadrature, p0 as in models/gaussian_fit; mu and sigma."""
    return gaussian_fit.monitor(target, named(name))


def exact_wasserstein(generator, data, n=1001):
    """A monitor on the line: minus W between the data (N, 1) and the generator's law, from a grid of n noises."""
    valid.data_and_test(data)
    eps, mass = normal_trapezoid(n, 6.0)
    p = onp.append(onp.full(len(data), 1 / len(data)), onp.zeros(n))
    q = onp.append(onp.zeros(len(data)), mass / onp.sum(mass))

    def look(parameters):
        atoms = onp.append(data, generator.value(parameters["theta"], eps[:, None]))
        x, place = onp.unique(atoms, return_inverse=True)
        return {"minus_W": -wasserstein(x, onp.bincount(place, p), onp.bincount(place, q))}
    return look
