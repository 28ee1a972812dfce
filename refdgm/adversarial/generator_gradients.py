r"""The two objectives of a GAN's generator, and the one that saturates (lecture12 Sec. 3).

    original     min_G E log(1 - D(G(z)))      gradient  E[-D(x) a'(x) dG(z)/dtheta]
    practical    max_G E log D(G(z))           gradient  E[(1 - D(x)) a'(x) dG(z)/dtheta]

D(x) = sigmoid(a(x)). Where D is sure that samples are not data, D ~ e^a -> 0: the first gradient vanishes at that rate
and the second tends to E[a'(x) dG(z)/dtheta]. Both pull x the same way, towards larger a.

x = G(z) = m + s z + c tanh z, z ~ N(0, 1), theta = {"m", "s", "c"}; a(x) = d_0 + d_1 x + d_2 x^2, d : (3,). Every mean
over z is a quadrature.

The discriminator is sure, log-odds near -10: one gradient has vanished, the other pulls with all its strength.

>>> import numpy as np
>>> from refdgm.adversarial.generator_gradients import generator_gradient, non_saturating, saturating
>>> theta, d = {"m": 0.0, "s": 1.0, "c": 0.0}, np.array([-10.0, 1.0, 0.0])
>>> [round(float(generator_gradient(theta, d, signal)["m"]), 4) for signal in (saturating, non_saturating)]
[-0.0001, 0.9999]
"""
import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.checking import Claim, has_order, is_gradient_of
from refdgm.numerics import log_sigmoid, normal_trapezoid, sigmoid


def generate(theta, z):
    """x = G(z) = m + s z + c tanh z (lecture12 Sec. 3).  (...) -> (...)"""
    return theta["m"] + theta["s"] * z + theta["c"] * np.tanh(z)


def log_odds(d, x):
    """a(x) = logit D(x) = d_0 + d_1 x + d_2 x^2 (lecture12 Sec. 3).  (...) -> (...)"""
    return d[0] + d[1] * x + d[2] * x**2


def generator_gradient(theta, d, signal):
    """E_z[signal(D) a'(x) dG(z)/dtheta]: signal = -D for L_G, 1 - D for E log D (lecture12 Sec. 3).  -> like theta"""
    z, density = noise()
    x = generate(theta, z)
    pull = density * signal(sigmoid(log_odds(d, x))) * (d[1] + 2 * d[2] * x)
    return {"m": np.sum(pull), "s": np.sum(pull * z), "c": np.sum(pull * np.tanh(z))}


def saturating(D): return -D
def non_saturating(D): return 1 - D


def noise(n=401, reach=10.0):
    """Nodes z (n,) and weights (n,) of E f(z), z ~ N(0, 1)."""
    return normal_trapezoid(n, reach)


# ---- claims ---------------------------------------------------------------------------

def game_case(seed):
    """A generator and a discriminator: log-odds between steep and flat, of either sign."""
    rng = onp.random.default_rng([seed, 3])
    return {"theta": {"m": rng.normal(), "s": rng.uniform(0.5, 1.5), "c": rng.normal()},
            "d": onp.array([rng.normal(), rng.choice([-1, 1]) * rng.uniform(0.5, 1.5), rng.uniform(-0.3, 0.3)])}


def L_G(theta, d):
    """E_z log(1 - D(G(z))), which autograd differentiates."""
    z, density = noise()
    return np.sum(density * log_sigmoid(-log_odds(d, generate(theta, z))))


def pulled_by(signal):
    return lambda theta, d: generator_gradient(theta, d, signal)


def strong_case(seed):
    """A discriminator that grows surer and surer that samples are not data: log-odds a(x) - strength."""
    case = game_case(seed)
    case["d"][2] = 0.0
    return case


def both_gradients(low, high):
    """The gradients of the original and of the practical objective against log-odds a(x) - strength."""
    def of(theta, d, strength):
        d = d - onp.array([strength, 0.0, 0.0])
        return [generator_gradient(theta, d, low), generator_gradient(theta, d, high)]
    return of


def limits(theta, d):
    """The oracle: nothing, and E[a'(x) dG/dtheta], with a'(x) = d1 and E[tanh z] = E[z] = 0."""
    return [{"m": 0.0, "s": 0.0, "c": 0.0}, {"m": d[1], "s": 0.0, "c": 0.0}]


CLAIMS = [
    Claim("lecture12.sec3_LG", pulled_by(saturating), is_gradient_of(L_G, "theta", game_case, method="quadrature"),
          {"the gradient of E log D": pulled_by(non_saturating),
           "max for min: the sign": pulled_by(lambda D: D),
           "the derivative of log(1 - D) in D, without the slope of the sigmoid": pulled_by(lambda D: -1 / (1 - D))},
          printed=pulled_by(lambda D: -D * (1 - D))),       # no brackets: log 1 - D = -D
    Claim("lecture12.sec3_nonsat", both_gradients(saturating, non_saturating),
          has_order(limits, strong_case, "strength", [24.0, 25.0], order=onp.exp(-1), geometric=True,
                    scale=lambda theta, d: abs(d[1]), within=0.01, method="quadrature"),
          {"the two exchanged": both_gradients(non_saturating, saturating),
           "both saturate: E D for E log D": both_gradients(saturating, lambda D: D * (1 - D)),
           "min E log D": both_gradients(saturating, lambda D: D - 1),
           "neither saturates": both_gradients(lambda D: D - 1, non_saturating)}),
]
