r"""BiGAN / ALI: a decoder and an encoder against a discriminator of pairs (Dumoulin et al., Donahue et al. 2016).

    encoder   x ~ data,  z = E_phi(x, eps)          its pairs have the law p0(x) q(z|x)
    decoder   z ~ N(0, I),  x = G_theta(z, eps')    its pairs have the law p(z) p(x|z)
    F = mean log D(x, E(x, eps)) + mean log(1 - D(G(z, eps'), z)),   D = sigmoid(V_psi)
    psi up; theta and phi down, both through their samples

With the best D, F is -log 4 + 2 JS of the two joint laws: at its minimum they are one, so that the decoder's marginal
is p0 and the encoder the decoder's posterior: the inference that a GAN lacks (ou2018 Sec. 3.2.4 names both papers).

Here x and z are numbers and both nets are linear with Gaussian noise,

    x = a z + b + e^l eps',   theta = {"decoder": (a, b, l)}       z = c x + d + e^k eps,   phi = {"encoder": (c, d, k)}

so that for a Gaussian p0 the log-ratio of the joint laws is quadratic, and V = psi . (1, x, z, x^2, x z, z^2) exact.
exact() has JS, and how far the encoder is from the posterior, by quadrature over (x, z).
x and z (B,), pairs (B, 2); the data are (N, 1).

JS of the joint laws for x = z + eps', with the posterior N(x/2, 1/2) as encoder, and with N(x/2, 1):

>>> import numpy as np
>>> from refdgm.learning.bigan_learning import exact, gaussian_log_prob
>>> look = exact(lambda x: gaussian_log_prob(x[:, None], 0.0, 2.0), -9.0, 9.0)
>>> nets = [{"theta": {"decoder": np.array([1.0, 0.0, 0.0])},
...          "phi": {"encoder": np.array([0.5, 0.0, np.log(variance) / 2])}} for variance in (0.5, 1.0)]
>>> [round(abs(float(look(net)["minus_js"])), 2) for net in nets]
[0.0, 0.03]
"""
from typing import NamedTuple

import autograd.numpy as np
from autograd import grad

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.fitting import Algorithm
from refdgm.models.critic import Critic
from refdgm.numerics import gaussian_log_prob, log_sigmoid, trapezoid
from refdgm.streams import Stream, normals


class Draws(NamedTuple):
    """What a step draws for its B rows, all standard normal."""
    of_encoder: np.ndarray      # (B,)
    z: np.ndarray               # (B,)
    of_decoder: np.ndarray      # (B,)


def linear(net, u, eps):
    """slope u + offset + e^log_std eps, the form of both nets.  (3,), (B,), (B,) -> (B,)"""
    return net[0] * u + net[1] + np.exp(net[2]) * eps


def log_linear(net, u, v):
    """log N(v; slope u + offset, e^(2 log_std)), elementwise."""
    return -0.5 * ((v - net[0] * u - net[1]) * np.exp(-net[2]))**2 - net[2] - 0.5 * onp.log(2 * onp.pi)


def pairs(parameters, x, z):
    """The encoder's pairs and the decoder's.  -> two (B, 2)"""
    code = linear(parameters["phi"]["encoder"], x[:, 0], z.of_encoder)
    image = linear(parameters["theta"]["decoder"], z.z, z.of_decoder)
    return np.stack([x[:, 0], code], axis=1), np.stack([image, z.z], axis=1)


def objective(parameters, x, z, critic):
    """F, with the draws as arguments.  -> ()"""
    real, fake = pairs(parameters, x, z)
    return np.mean(log_sigmoid(critic.value(parameters["psi"], real))) \
        + np.mean(log_sigmoid(-critic.value(parameters["psi"], fake)))


def quadratic_critic():
    """V = psi . (1, x, z, x^2, x z, z^2), which begins at 0."""
    def value(psi, pair):
        x, z = pair[:, 0], pair[:, 1]
        return np.dot(np.stack([1 + 0 * x, x, z, x**2, x * z, z**2], axis=-1), psi["omega"])
    return Critic(lambda seed: {"omega": onp.zeros(6)}, value)


def bigan(critic=None, decoder=(0.5, 0.0, 0.0), encoder=(0.5, 0.0, 0.0), speed=4.0):
    """BiGAN from these nets, psi moving `speed` times as fast; critic is quadratic_critic() unless given."""
    critic = critic or quadratic_critic()
    valid.vector("decoder", onp.asarray(decoder, float), 3)
    valid.vector("encoder", onp.asarray(encoder, float), 3)
    valid.positive("speed", speed)
    gradient = grad(objective)

    def start(data, seed):
        valid.shape("data", data, (None, 1))
        return {"theta": {"decoder": onp.array(decoder, float)}, "phi": {"encoder": onp.array(encoder, float)},
                "psi": critic.start(seed)}, ()

    def draw(parameters, memory, x, index, seed, t):
        return Draws(*normals(Stream(seed, onp.asarray(index, onp.uint32), t), 3).T), memory

    def field(parameters, z, x):
        F = gradient(parameters, x, z, critic)
        return {"theta": {"decoder": -F["theta"]["decoder"]}, "phi": {"encoder": -F["phi"]["encoder"]},
                "psi": {leaf: speed * g for leaf, g in F["psi"].items()}}
    return Algorithm("BiGAN", start, draw, field)


def exact(log_p0, low, high, n=161):
    """A monitor: minus JS of the joint laws, KL(p0 || p) of the marginals, E_p0 KL(q(z|x) || p(z|x)).

    log_p0(x) -> (n,), normalised; all mass of p0 must lie in [low, high].
    """
    (x, of_x), (z, of_z) = trapezoid(low, high, n), trapezoid(-7.0, 7.0, n)
    weights = of_x[:, None] * of_z
    log_data = log_p0(x)[:, None]

    def look(parameters):
        decoder, encoder = parameters["theta"]["decoder"], parameters["phi"]["encoder"]
        log_real = log_data + log_linear(encoder, x[:, None], z)
        log_fake = gaussian_log_prob(z[:, None], 0.0, 1.0) + log_linear(decoder, z, x[:, None])
        log_mean = onp.logaddexp(log_real, log_fake) - onp.log(2)
        js = onp.sum(weights * (onp.exp(log_real) * (log_real - log_mean)
                                + onp.exp(log_fake) * (log_fake - log_mean))) / 2
        log_marginal = log_linear(onp.array([0.0, decoder[1], onp.log(decoder[0]**2 + onp.exp(2 * decoder[2])) / 2]),
                                  0.0, x)
        joint = onp.sum(weights * onp.exp(log_real) * (log_real - log_fake))
        marginal = onp.sum(of_x * onp.exp(log_data[:, 0]) * (log_data[:, 0] - log_marginal))
        return {"minus_js": -js, "marginal_kl": marginal, "inference_kl": joint - marginal}
    return look
