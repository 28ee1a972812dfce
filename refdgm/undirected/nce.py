r"""Noise-contrastive estimation of a neural random field (ou2018 Sec. 4.2.4, Eq. 44, Algorithm 8).

    Eq. 44   dlog P(C=0|x) = P(C=1|x) du_hat(x)        dlog P(C=1|x) = -P(C=0|x) du_hat(x)     (printed without minus)
    Alg. 8   E ~ p_0, N ~ p_n with |N| = nu |E|;  ascend
             1/|E| sum_{x in E} P(C=1|x) du_hat(x) - nu/|N| sum_{x in N} P(C=0|x) du_hat(x)

du_hat is the gradient in theta_hat = {"theta": of the field, "c": log normaliser}: du_hat/dc = -1. Of the data as of
the noise, each sample pulls by the probability with which it is taken for the other class.

Shapes: S = 2**D states, p_0 and p_n (S,); minibatches E (..., m) and N (..., n) hold indices of states, so that the
exact mean of Algorithm 8 is a sum over all S**(m + n) minibatches.

With as much noise as data, p_hat = p_n / 3 at some x: a datum there pulls u_hat up with P(C=1|x) = 3/4.

>>> import numpy as np
>>> from refdgm.undirected.nce import grad_log_data, potential
>>> theta = {"W": np.zeros((1, 1)), "b": np.zeros(1), "v": np.zeros(1), "c": np.zeros(1)}
>>> theta_hat, x = {"theta": theta, "c": np.log(6.0)}, np.ones(1)
>>> round(float(grad_log_data(theta_hat, 0.5, 1.0, x)["theta"]["c"][0]), 6)
0.75
"""
import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, is_gradient_of
from refdgm.models import noise_contrast, random_field
from refdgm.models.random_field import potential, states
from refdgm.numerics import all_tuples, weighted_sum


def u_hat(theta_hat, x):
    """log p_hat(x) = u(x) - c (ou2018 Eq. 40).  (..., D) -> (...)"""
    return potential(theta_hat["theta"], x) - theta_hat["c"]


def grad_u_hat(theta_hat, x):
    """du_hat(x)/dtheta_hat: that of the potential, and -1 for c.  (..., D) -> dict of (..., *leaf)"""
    return {"theta": random_field.grad_potential(theta_hat["theta"], x), "c": -onp.ones(onp.shape(x)[:-1])}


def grad_log_data(theta_hat, p_n_x, nu, x):
    """dlog P(C=0|x) = P(C=1|x) du_hat(x) (ou2018 Eq. 44, line 1).  (..., D), p_n_x (...) -> dict of (..., *leaf)"""
    _, noise = noise_contrast.posterior(u_hat(theta_hat, x), p_n_x, nu)
    return scaled(noise, grad_u_hat(theta_hat, x))


def grad_log_noise(theta_hat, p_n_x, nu, x):
    """dlog P(C=1|x) = -P(C=0|x) du_hat(x) (ou2018 Eq. 44, line 2, with its sign).  -> dict of (..., *leaf)"""
    data, _ = noise_contrast.posterior(u_hat(theta_hat, x), p_n_x, nu)
    return scaled(-data, grad_u_hat(theta_hat, x))


def scaled(factor, tree):
    """factor (...) times each leaf (..., *leaf)."""
    if isinstance(tree, dict):
        return {name: scaled(factor, leaf) for name, leaf in tree.items()}
    return onp.reshape(onp.asarray(factor), onp.shape(factor) + (1,) * (onp.ndim(tree) - onp.ndim(factor))) * tree


def update(theta_hat, p_n, E, N, grad_u_hat=grad_u_hat):
    """What Algorithm 8 ascends, for minibatches of indices E (..., m) and N (..., n) (ou2018 Alg. 8).  -> dict"""
    nu = onp.shape(N)[-1] / onp.shape(E)[-1]
    data, noise = noise_contrast.posterior(u_hat(theta_hat, states(theta_hat["theta"])), p_n, nu)
    return moved_by(noise, nu * data, theta_hat, E, N, grad_u_hat)


def moved_by(pull, push, theta_hat, E, N, grad_u_hat=grad_u_hat):
    """The mean of pull(x) du_hat(x) over x in E, minus that of push(x) du_hat(x) over N; pull and push are (S,)."""
    x = states(theta_hat["theta"])
    up = weighted_sum(pull[E] / E.shape[-1], grad_u_hat(theta_hat, x[E]), axis=-1)
    down = weighted_sum(push[N] / N.shape[-1], grad_u_hat(theta_hat, x[N]), axis=-1)
    return plus(up, scaled(-1.0, down))


def plus(a, b):
    """The sum of two trees."""
    return {name: plus(a[name], b[name]) for name in a} if isinstance(a, dict) else a + b


def mean_over_minibatches(update, m, n):
    """The exact mean of update(theta_hat, p_n, E, N) over all minibatches of m data and n noise samples.

    -> mean(theta_hat, p_0, p_n), as the update is.
    """
    def mean(theta_hat, p_0, p_n):
        draws = all_tuples(len(p_0), m + n)
        E, N = draws[:, :m], draws[:, m:]
        probability = onp.prod(p_0[E], axis=-1) * onp.prod(p_n[N], axis=-1)
        return weighted_sum(probability, update(theta_hat, p_n, E, N))
    return mean


def random_case(seed, D=2, J=3):
    """A random field with a random c, data and noise over its states."""
    case = noise_contrast.random_case(seed, S=2**D)
    theta = random_field.random_case(seed, D, J)["theta"]
    return {"theta_hat": {"theta": theta, "c": onp.array(case["c"])}, "p_0": case["p_0"], "p_n": case["p_n"]}


# ---- claims ---------------------------------------------------------------------------

def one_sample(seed):
    """A field of three bits, one x, and the noise's density there."""
    case, rng = random_case(seed, D=3), onp.random.default_rng([seed, 31])
    return {"theta_hat": case["theta_hat"], "p_n_x": rng.choice(case["p_n"]),
            "nu": noise_contrast.random_ratio(rng), "x": rng.integers(0, 2, 3).astype(float)}


def log_class(label):
    """log P(C=label|x) as a fraction (ou2018 Eqs. 41-42)."""
    def log_probability(theta_hat, p_n_x, nu, x):
        p = np.exp(potential(theta_hat["theta"], x) - theta_hat["c"])
        return np.log(nu * p_n_x if label else p) - np.log(p + nu * p_n_x)
    return log_probability


def pulls_by(factor):
    """factor(P(C=0|x), P(C=1|x)) du_hat(x)."""
    return lambda theta_hat, p_n_x, nu, x: scaled(
        factor(*noise_contrast.posterior(u_hat(theta_hat, x), p_n_x, nu)), grad_u_hat(theta_hat, x))


def as_if_normalised(theta_hat, p_n_x, nu, x):
    """c is a function of theta: du_hat has the model's mean taken off, and c has no gradient of its own."""
    _, noise = noise_contrast.posterior(u_hat(theta_hat, x), p_n_x, nu)
    return {"theta": scaled(noise, random_field.grad_log_prob(theta_hat["theta"], x)), "c": 0.0}


def J(theta_hat, p_0, p_n, nu=1.5):
    """Eq. 43, whose gradient Algorithm 8 estimates."""
    return noise_contrast.objective(u_hat(theta_hat, states(theta_hat["theta"])), p_0, p_n, nu)


def mean_update(pull=lambda data, noise, nu: noise, push=lambda data, noise, nu: nu * data, ratio=lambda nu: nu):
    """The exact mean of Algorithm 8 with other factors on the samples of the two kinds, or another posterior."""
    def update(theta_hat, p_n, E, N):
        nu = N.shape[-1] / E.shape[-1]
        data, noise = noise_contrast.posterior(u_hat(theta_hat, states(theta_hat["theta"])), p_n, ratio(nu))
        return moved_by(pull(data, noise, nu), push(data, noise, nu), theta_hat, E, N)
    return mean_over_minibatches(update, 2, 3)


def c_held_fixed(theta_hat, p_n, E, N):
    """The normaliser is not learned."""
    step = update(theta_hat, p_n, E, N)
    return {**step, "c": 0 * step["c"]}


def cost(theta_hat, p_0, p_n, size, ratios):
    """For each nu, of one update with |E| = size: how many gradients it evaluates, and the numbers it holds."""
    def one(ratio):
        spent = onp.zeros(2)
        def counted(theta_hat, x):
            gradients = grad_u_hat(theta_hat, x)
            spent[:] += len(x), gradients["c"].size + sum(leaf.size for leaf in gradients["theta"].values())
            return gradients
        update(theta_hat, p_n, onp.zeros(size, int), onp.zeros(ratio * size, int), counted)
        return spent
    return onp.array([one(ratio) for ratio in ratios])


def cost_case(seed):
    rng = onp.random.default_rng([seed, 32])
    return {**random_case(seed), "size": int(rng.integers(2, 6)), "ratios": 1 + onp.sort(rng.choice(20, 4, False))}


def cost_in(samples):
    """The cost if an update evaluated samples(|E|, nu) gradients; the field has 3 x 2 + 3 + 3 + 2 parameters, and c."""
    return lambda theta_hat, p_0, p_n, size, ratios: onp.array([[1, 15]]) * samples(size, ratios)[:, None]


CLAIMS = [
    Claim("ou2018.eq44.data", grad_log_data, is_gradient_of(log_class(0), "theta_hat", one_sample),
          {"P(C=0) for P(C=1)": pulls_by(lambda data, noise: data),
           "the sign": pulls_by(lambda data, noise: -noise),
           "no posterior: as in maximum likelihood": pulls_by(lambda data, noise: 1.0),
           "c normalises, and is no parameter": as_if_normalised}),
    Claim("ou2018.eq44.noise", grad_log_noise, is_gradient_of(log_class(1), "theta_hat", one_sample),
          {"-P(C=1)": pulls_by(lambda data, noise: -noise),
           "the derivative of P, not of log P": pulls_by(lambda data, noise: -data * noise),
           "of the data class": grad_log_data},
          printed=pulls_by(lambda data, noise: data)),
    Claim("ou2018.alg8", mean_over_minibatches(update, 2, 3), is_gradient_of(J, "theta_hat", random_case),
          {"1/|N| for nu/|N|": mean_update(push=lambda data, noise, nu: data),
           "plus, as Eq. 44 is printed": mean_update(push=lambda data, noise, nu: -nu * data),
           "the classes exchanged": mean_update(lambda data, noise, nu: data, lambda data, noise, nu: nu * noise),
           "no nu in the posterior": mean_update(ratio=lambda nu: 1.0),
           "c is held fixed": mean_over_minibatches(c_held_fixed, 2, 3)}),
    Claim("ou2018.nce.cost", cost, equals(cost_in(lambda size, nu: (1 + nu) * size), cost_case),
          {"the same for every nu": cost_in(lambda size, nu: 2 * size + 0 * nu),
           "every pair of data and noise": cost_in(lambda size, nu: size * size * nu),
           "the noise samples only": cost_in(lambda size, nu: size * nu)}),
]
