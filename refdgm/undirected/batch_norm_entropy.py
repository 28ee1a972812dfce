r"""The entropy of a generator by batch normalisation, and what it is worth (ou2018 Sec. 4.2.2; Kim & Bengio 2016).

    one activation   H[N(mu, sigma^2)] = log(2 e pi sigma^2) / 2
    the surrogate    H[q] ~ sum over all activations a_i of H[N(mu_i, sigma_i^2)]
    the entropy      H[q] = H[eps] + E log |det dG/deps|            (G invertible, as many noises as outputs)

Batch normalisation gives each activation a mean mu_i and a deviation sigma_i, so that the surrogate is a sum over what
is at hand. It is the entropy of q where q is one layer of independent normal activations. With more layers it counts
each of them, and with correlated outputs it leaves out the correlation: its error has no bound, even where every
activation is exactly normal, as in the linear generators below, x = B_L .. B_1 eps + shift.

Shapes: mu, sigma (n,), one entry for each activation; a generator is a list of layers (D, D).

A second layer that does nothing doubles the surrogate and leaves the entropy as it is:

>>> import numpy as np
>>> from refdgm.undirected.batch_norm_entropy import deviations, entropy_by_change_of_variables, surrogate
>>> layers = [np.eye(2), np.eye(2)]
>>> round(float(sum(map(surrogate, deviations(layers)))), 3), round(float(entropy_by_change_of_variables(layers)), 3)
(5.676, 2.838)
"""

from refdgm.backend import xp as np
from refdgm.checking import Claim, equals
from refdgm.numerics import full_gaussian_log_prob, trapezoid


def normal_entropy(variance):
    """H[N(mu, sigma^2)] = log(2 e pi sigma^2) / 2, for each variance (ou2018 Sec. 4.2.2).  (...) -> (...)"""
    return np.log(2 * np.e * np.pi * variance) / 2


def surrogate(sigma):
    """The sum over activations of H[N(mu_i, sigma_i^2)] (ou2018 Sec. 4.2.2).  (n,) -> ()"""
    return np.sum(normal_entropy(sigma**2))


def entropy_by_change_of_variables(layers):
    """H[eps] + log |det B_L .. B_1|, the layers' own determinants added (ou2018 Sec. 4.2.2).  -> ()"""
    return len(layers[0]) * normal_entropy(1.0) + sum(np.linalg.slogdet(B)[1] for B in layers)


def deviations(layers):
    """sigma_i of every activation, layer by layer, when eps ~ N(0, I).  -> list of (D,)"""
    found, through = [], np.eye(len(layers[0]))
    for B in layers:
        through = B @ through
        found.append(np.sqrt(np.sum(through**2, axis=1)))
    return found


def same_generator(layers, scale):
    """Three networks for one q: as it is, hidden layer times `scale`, one more layer that changes nothing."""
    first, last = layers
    return [[first, last], [scale * first, last / scale], [first, np.eye(len(first)), last]]


# ---- claims ---------------------------------------------------------------------------

def normals_case(seed):
    rng = np.random.default_rng([seed, 40])
    return {"mu": rng.normal(size=5), "sigma": rng.uniform(0.3, 2.5, 5)}


def by_quadrature(mu, sigma):
    """-int p log p for each normal, on a grid of its own."""
    t, dt = trapezoid(-12.0, 12.0, 401)
    x = mu[:, None] + sigma[:, None] * t
    p = np.exp(-(x - mu[:, None])**2 / (2 * sigma[:, None]**2)) / (sigma[:, None] * np.sqrt(2 * np.pi))
    return np.sum(-p * np.log(p) * sigma[:, None] * dt, axis=1)


def one_layer_case(seed):
    rng = np.random.default_rng([seed, 41])
    return {"mu": rng.normal(size=2), "sigma": rng.uniform(0.4, 2.5, 2)}


def entropy_on_plane(mean, covariance):
    """-int q log q for a normal in the plane, on a grid along its principal axes."""
    t, dt = trapezoid(-10.0, 10.0, 81)
    lengths, axes = np.linalg.eigh(covariance)
    grid = np.stack(np.meshgrid(t, t), axis=-1).reshape(-1, 2) * np.sqrt(lengths)
    log_q = full_gaussian_log_prob(mean + grid @ axes.T, mean, covariance)
    return -np.sum(np.outer(dt, dt).ravel() * np.sqrt(np.prod(lengths)) * np.exp(log_q) * log_q)


def generator_case(seed):
    """Two dense layers in the plane, neither close to singular, and a factor for the hidden one."""
    rng = np.random.default_rng([seed, 42])

    def rotation(angle):
        return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    layers = [rotation(rng.uniform(0, 6)) @ np.diag(rng.uniform(0.6, 1.8, 2)) @ rotation(rng.uniform(0, 6))
              for _ in range(2)]
    return {"layers": layers, "scale": rng.uniform(2.0, 5.0)}


def of_each_network(entropy):
    """entropy(network) for the three networks, which all make the same q."""
    return lambda layers, scale: np.array([entropy(network) for network in same_generator(layers, scale)])


def true_entropy(layers, scale):
    product = layers[1] @ layers[0]
    return np.full(3, entropy_on_plane(np.zeros(2), product @ product.T))


def sum_over_layers(layers):
    return sum(surrogate(sigma) for sigma in deviations(layers))


CLAIMS = [
    Claim("ou2018.normal_entropy", lambda mu, sigma: normal_entropy(sigma**2),
          equals(by_quadrature, normals_case, method="quadrature"),
          {"without e": lambda mu, sigma: np.log(2 * np.pi * sigma**2) / 2,
           "without 1/2": lambda mu, sigma: np.log(2 * np.e * np.pi * sigma**2),
           "sigma for its square": lambda mu, sigma: normal_entropy(sigma),
           "depends on mu": lambda mu, sigma: normal_entropy(sigma**2 + mu**2)}),
    Claim("ou2018.bn.sigma", lambda mu, sigma: surrogate(sigma),
          equals(lambda mu, sigma: entropy_on_plane(mu, np.diag(sigma**2)), one_layer_case, method="quadrature"),
          {"the product over activations": lambda mu, sigma: np.prod(normal_entropy(sigma**2)),
           "the mean over activations": lambda mu, sigma: surrogate(sigma) / len(sigma),
           "precisions for variances": lambda mu, sigma: surrogate(1 / sigma)},
          printed=lambda mu, sigma: np.sum(normal_entropy(sigma))),
    Claim("ou2018.bn.approx", of_each_network(entropy_by_change_of_variables),
          equals(true_entropy, generator_case, method="quadrature"),
          {"the last layer only: its correlations are ignored": of_each_network(
              lambda layers: surrogate(deviations(layers)[-1])),
           "determinants subtracted": of_each_network(lambda layers: 4 * normal_entropy(1.0)
                                                      - entropy_by_change_of_variables(layers)),
           "the mean over layers": of_each_network(lambda layers: sum_over_layers(layers) / len(layers))},
          printed=of_each_network(sum_over_layers)),
]
