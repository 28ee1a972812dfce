r"""What a GAN does not do: infer its latents, and send a gradient through discrete samples (ou2018 Sec. 3.2.4).

    no inference   E_p0[log D(x)] + E_h[log(1 - D(G(h)))] depends on G through the law of x alone. Exchange the latents
                   among themselves, G(h) -> G(pi(h)) with h uniform: nothing changes for any D, but p(h|x) does. A
                   discriminator of (x, h) would see it: ALI, BiGAN.
    discrete x     x = 1[eps < theta] is locally constant: D(G_theta(eps)) has slope 0 in theta for almost every eps,
                   while E_eps D(G_theta(eps)) = sum_x p_theta(x) D(x) has not.

Shapes: M latents h, uniform; G (M,) the state x in {0..S-1} that each h becomes; p_0 (S,), the encoder q(h|x) (S, M).
For discrete x: theta (n,) the logits of n bits, eps (m, n), D a table over the 2**n states.

Along samples of bits D has no slope; its mean has one.

>>> import numpy as np
>>> from refdgm.adversarial.gan_limits import bits_case, slope_of_mean, slopes_along_samples
>>> [round(float(np.abs(slope(**bits_case(0))).max()), 3) for slope in (slopes_along_samples, slope_of_mean)]
[0.0, 0.26]
"""
import autograd.numpy as np
from autograd import grad

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, vanishes
from refdgm.numerics import all_binary, bernoulli_log_prob, log_sigmoid, sigmoid


def objective(p_0, G, V):
    """F of ou2018 Eq. 24, D = sigmoid(V), with a uniform law of the latents.  (S,), (M,), (S,) -> ()"""
    return np.sum(p_0 * log_sigmoid(V)) + np.mean(log_sigmoid(-V[G]))


def sample(theta, eps):
    """n bits with P(x_i = 1) = sigmoid(theta_i) from logistic noise eps (ou2018 Eq. 5).  (n,), (..., n) -> (..., n)"""
    return 1.0 * (eps < theta)


def discriminate(D, x):
    """D(x) for a table D over the bits, and for x between 0 and 1 its multilinear continuation.  (..., n) -> (...)"""
    x = x[..., None, :]
    states = all_binary(x.shape[-1])
    return np.sum(np.prod(states * x + (1 - states) * (1 - x), axis=-1) * D, axis=-1)


# ---- claims ---------------------------------------------------------------------------

def exchanged_case(seed, S=4, M=9):
    """A generator, some discriminators V, an encoder, and another order of the latents, in which none stays."""
    rng = onp.random.default_rng([seed, 91])
    order = rng.permutation(M)
    pi = onp.empty(M, int)
    pi[order] = onp.roll(order, 1)
    G = rng.permutation(onp.append(onp.arange(S), rng.integers(0, S, M - S)))
    return {"p_0": rng.dirichlet(onp.ones(S)), "G": G, "pi": pi, "V": rng.normal(size=(3, S)),
            "V_joint": rng.normal(size=(S, M)), "q": rng.dirichlet(onp.ones(M), size=S)}


def objectives(p_0, G, pi, V, **_):
    """F for each of the discriminators, with the latents exchanged."""
    return onp.array([objective(p_0, G[pi], v) for v in V])


def by_law_of_x(p_0, G, V, **_):
    """The oracle: F from the law of x alone."""
    p = onp.bincount(G, minlength=len(p_0)) / len(G)
    D = 1 / (1 + onp.exp(-V))
    return onp.log(D) @ p_0 + onp.log(1 - D) @ p


def joint_discriminator(p_0, G, pi, V, V_joint, q):
    """F, and by how much the exchange changes the objective of a discriminator of (x, h), as in ALI and BiGAN."""
    def F(G):
        fake = log_sigmoid(-V_joint[G, onp.arange(len(G))])
        return onp.sum(p_0[:, None] * q * log_sigmoid(V_joint)) + onp.mean(fake)
    return objectives(p_0, G, pi, V) + F(G[pi]) - F(G)


def with_reconstruction(p_0, G, pi, V, q, **_):
    """F, and by how much the exchange changes the cost of a WAE: how far G of the inferred h is from x."""
    def cost(G): return onp.sum(p_0[:, None] * q * (onp.arange(len(p_0))[:, None] - G)**2)
    return objectives(p_0, G, pi, V) + cost(G[pi]) - cost(G)


def bits_case(seed, n=2, m=25):
    """Logits, a discriminator of bits, and the quantiles of logistic noise, kept away from the logits."""
    rng = onp.random.default_rng([seed, 92])
    theta, u = rng.normal(size=n), (onp.arange(m) + 0.5) / m
    eps = onp.log(u / (1 - u))
    eps = eps + 1e-3 * onp.sign(eps - theta[:, None])
    return {"theta": theta, "D": rng.normal(size=2**n), "eps": onp.stack(onp.meshgrid(*eps), -1).reshape(-1, n)}


def slopes_along_samples(theta, D, eps, make=sample):
    """The slope of D(make(theta, eps)) in each theta_i at every eps, by central differences.  -> (n, m)"""
    steps = 1e-4 * onp.eye(len(theta))
    return onp.array([(discriminate(D, make(theta + d, eps)) - discriminate(D, make(theta - d, eps))) / 2e-4
                      for d in steps])


def slope_of_mean(theta, D, eps):
    """The slope of E D(x) = sum_x p_theta(x) D(x), which the generator would have to follow.  -> (n,)"""
    return grad(lambda theta: np.sum(np.exp(bernoulli_log_prob(all_binary(len(theta)), theta)) * D))(theta)


def relaxed(theta, eps):
    """A Concrete sample at temperature 1/2."""
    return sigmoid((theta - eps) / 0.5)


def score_function(theta, D, eps):
    """REINFORCE: D(x) dlog p(x)/dtheta."""
    x = sample(theta, eps)
    return (discriminate(D, x)[:, None] * (x - sigmoid(theta))).T


def straight_through(theta, D, eps):
    """dx/dtheta is taken for one."""
    x = sample(theta, eps)
    return onp.array([discriminate(D, onp.where(unit, 1.0, x)) - discriminate(D, onp.where(unit, 0.0, x))
                      for unit in onp.eye(len(theta), dtype=bool)])


CLAIMS = [
    Claim("ou2018.gan.no_inference", objectives, equals(by_law_of_x, exchanged_case),
          {"a discriminator of x and h: ALI, BiGAN": joint_discriminator,
           "with a reconstruction term: WAE": with_reconstruction,
           "the latents are not uniform": lambda p_0, G, pi, V, **_: onp.array([
               p_0 @ log_sigmoid(v) + onp.arange(9.0) @ log_sigmoid(-v[G[pi]]) / 36 for v in V])}),
    Claim("ou2018.gan.discrete_obs", slopes_along_samples,
          vanishes(lambda **case: onp.max(onp.abs(slope_of_mean(**case))), bits_case),
          {"the samples are relaxed (Concrete)": lambda **case: slopes_along_samples(**case, make=relaxed),
           "the score function estimator": score_function,
           "the straight-through estimator": straight_through}),
]
