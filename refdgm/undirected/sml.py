r"""Stochastic maximum likelihood for a random field p(x) = exp(u(x)) / Z (ou2018 Sec. 4.2.1, Eq. 34, Algorithm 6).

    Eq. 34   E_p~[dlog p/dtheta] = E_p~[du/dtheta] - E_p[du/dtheta] = 0
    Alg. 6   x ~ K(x_old, .)  from a chain that is never reset;   theta += gamma (mean_E du/dtheta - mean_M du/dtheta)

On a few states the chain's law mu is a vector, and with infinitely many parallel chains Algorithm 6 is the exact
recursion  mu <- mu K(theta),  theta <- theta + gamma sum_x (p~(x) - mu(x)) du(x)/dtheta: no noise, the same root.
For an RBM, u(v) = -F(v), this is persistent contrastive divergence.

Shapes: S = 2**D states, p_data and mu (S,), K (S, S). The field of Algorithm 6 is log-linear, u = f theta with
features f (S, d), so that its maximum likelihood estimate is unique.

The gradient vanishes where the data follow the field itself, and not for other data:

>>> from refdgm.undirected.sml import field_case, gradient, law
>>> theta, p_data = field_case(0).values()
>>> [round(abs(float(gradient(theta, p)["c"][0])), 3) for p in (law(theta), p_data)]
[0.0, 0.029]
"""
import autograd.numpy as np
from autograd import grad

from refdgm.backend import xp as onp
from refdgm.checking import Claim, converges_to, equals, is_gradient_of
from refdgm.models import rbm
from refdgm.models.random_field import grad_potential, law, log_prob, random_case, states
from refdgm.numerics import all_binary, sigmoid, softmax, weighted_sum
from refdgm.samplers import gibbs


def mean_log_likelihood(theta, p_data):
    """E_p~ log p(x).  -> ()"""
    return np.sum(p_data * log_prob(theta, states(theta)))


def gradient(theta, p_data):
    """E_p~[du/dtheta] - E_p[du/dtheta] (ou2018 Eq. 34).  -> dict"""
    return update(theta, p_data, law(theta))


def update(theta, p_data, mu):
    """mean_E du/dtheta - mean_M du/dtheta, data from p_data and model samples from mu (ou2018 Alg. 6).  -> dict"""
    return weighted_sum(p_data - mu, grad_potential(theta, states(theta)))


def learn(theta, mu, p_data, kernel, update, rates):
    """Algorithm 6 with infinitely many chains (ou2018 Alg. 6).  -> [theta before the first step, and after each]"""
    path = [theta]
    for gamma in rates:
        mu = mu @ kernel(theta)                                         # the chain goes on from where it was
        step = update(theta, p_data, mu)
        theta = {name: theta[name] + gamma * step[name] for name in theta}
        path.append(theta)
    return path


def persistent_contrastive_divergence(theta, mu, p_data, rates):
    """PCD for an RBM as its users write it: <x h> of the data minus <x h> of a Gibbs chain that goes on (Sec. 4.2).

    -> [theta before the first step, and after each]
    """
    D, H = theta["w"].shape
    x, z, path = all_binary(D), all_binary(H), [theta]
    for gamma in rates:
        p_z = onp.exp(rbm.log_z_given_x(theta, x[:, None], z))          # (S, 2**H)
        p_x = onp.exp(rbm.log_x_given_z(theta, x[:, None], z))
        mu = p_x @ (mu @ p_z)                                           # hidden units given visible, and back
        hidden = sigmoid(x @ theta["w"] + theta["c"])
        theta = {"w": theta["w"] + gamma * (x.T @ ((p_data - mu)[:, None] * hidden)),
                 "b": theta["b"] + gamma * ((p_data - mu) @ x), "c": theta["c"] + gamma * ((p_data - mu) @ hidden)}
        path.append(theta)
    return path


# ---- claims ---------------------------------------------------------------------------

def field_case(seed):
    return {"theta": random_case(seed)["theta"], "p_data": data_law(seed, 8)}


def data_law(seed, S):
    return onp.random.default_rng([seed, 11]).dirichlet(onp.full(S, 2.0))


def linear_case(seed, D=3, d=2):
    """A log-linear field u = f theta that the data do not fit, its features orthogonal and of mean zero; a start."""
    rng = onp.random.default_rng([seed, 12])
    features = onp.linalg.qr(onp.column_stack([onp.ones(2**D), rng.normal(size=(2**D, d))]))[0][:, 1:]
    return {"features": 3 * features, "theta": {"lam": rng.normal(size=d)}, "p_data": data_law(seed, 2**D)}


def algorithm_6(features, theta, p_data, sign=1, model_sign=-1, reset=False):
    """The parameters along a run; the chains start at the data, once."""
    def kernel(theta):
        K = gibbs.sequential_scan(features @ theta["lam"])
        return onp.outer(onp.ones(len(K)), p_data) @ K if reset else K
    def update(theta, p_data, mu): return {"lam": sign * (p_data + model_sign * mu) @ features}
    return [theta["lam"] for theta in learn(theta, p_data, p_data, kernel, update, onp.full(200, 0.5))]


def maximum_likelihood(features, theta, p_data):
    """The oracle: Newton's method on the concave log-likelihood, halving a step that does not climb."""
    lam = onp.zeros(features.shape[1])
    def value(lam): return p_data @ (features @ lam) - onp.log(onp.sum(onp.exp(features @ lam)))
    for _ in range(50):
        p = softmax(features @ lam)
        centred = features - p @ features
        step = onp.linalg.solve(centred.T @ (p[:, None] * centred), (p_data - p) @ features)
        while value(lam + step) < value(lam) - 1e-15:
            step = step / 2
        lam = lam + step
    return lam


def rbm_case(seed, D=3, H=2):
    rng = onp.random.default_rng([seed, 13])
    theta = {"w": rng.normal(size=(D, H)), "b": rng.normal(size=D), "c": rng.normal(size=H)}
    return {"theta": theta, "mu": data_law(seed + 500, 2**D), "p_data": data_law(seed, 2**D)}


def sml_of_rbm(theta, mu, p_data):
    """Algorithm 6 with u(x) = log sum_z exp(-E(x, z)): its gradient by autograd, its kernel from the joint table."""
    x, z = all_binary(3), all_binary(2)
    def u(theta): return np.log(np.sum(np.exp(-rbm.energy(theta, x[:, None], z)), axis=1))
    def update(theta, p_data, mu): return grad(lambda theta: np.sum((p_data - mu) * u(theta)))(theta)
    def kernel(theta):
        joint = onp.exp(-rbm.energy(theta, x[:, None], z))
        return (joint / joint.sum(1, keepdims=True)) @ (joint / joint.sum(0)).T
    return learn(theta, mu, p_data, kernel, update, RATES)


RATES = onp.array([0.5, 0.3, 0.2, 0.1])


def pcd(theta, mu, p_data):
    return persistent_contrastive_divergence(theta, mu, p_data, RATES)


def cd_1(theta, mu, p_data):
    """The chain is reset to the data before each step."""
    path = [theta]
    for gamma in RATES:
        path.append(persistent_contrastive_divergence(path[-1], p_data, p_data, [gamma])[1])
    return path


def energy_with_a_plus(theta, mu, p_data):
    """E = +x'wz + b'x + c'z in the sampler and in the statistics."""
    path = persistent_contrastive_divergence({name: -leaf for name, leaf in theta.items()}, mu, p_data, RATES)
    return [{name: -leaf for name, leaf in theta.items()} for theta in path]


def swapped(theta, p_data):
    """Model minus data: the gradient of minus the log-likelihood."""
    return update(theta, law(theta), p_data)


CLAIMS = [
    Claim("ou2018.eq34", gradient, is_gradient_of(mean_log_likelihood, "theta", field_case),
          {"model minus data, ascended": swapped,
           "data plus model": lambda theta, p_data: update(theta, p_data, -law(theta)),
           "all states alike for the model": lambda theta, p_data: update(theta, p_data, onp.full(8, 1 / 8)),
           "one Gibbs sweep from the data": lambda theta, p_data: update(
              theta, p_data, p_data @ gibbs.sequential_scan(onp.log(law(theta))))}),
    Claim("ou2018.alg6", algorithm_6, converges_to(maximum_likelihood, linear_case, rtol=1e-6, method="matrix"),
          {"chains reset to the data at each step": lambda **case: algorithm_6(**case, reset=True),
           "+ sign on the second term": lambda **case: algorithm_6(**case, model_sign=1),
           "descends": lambda **case: algorithm_6(**case, sign=-1)}),
    Claim("ou2018.sml.pcd", pcd, equals(sml_of_rbm, rbm_case),
          {"CD-1: the chain is reset": cd_1,
           "energy with a plus": energy_with_a_plus,
           "the chain starts at the data": lambda theta, mu, p_data: pcd(theta, p_data, p_data)}),
]
