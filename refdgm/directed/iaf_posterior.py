r"""Posteriors from inverse autoregressive flows (kingma2019 Secs. 3.1, 3.3 and 3.4).

    Sec. 3.1   a sample and its density take one pass over all components at once; a model autoregressive in its own
               output needs n passes for a sample
    Sec. 3.3   eps = (y - mu(y)) / sigma(y), mu_i and sigma_i from y_<i:  deps/dy is triangular,
               log |det deps/dy| = -sum_i log sigma_i(y)
    Sec. 3.4   z_t = mu_t + sigma_t z_{t-1},  t = 1..T,  mu_t and sigma_t autoregressive functions of z_{t-1}
               log q(z_T) = -sum_i (eps_i^2 / 2 + log(2 pi) / 2 + sum_t log sigma_{t,i}),   z_0 = eps
               gated: z_t = sigma_t z_{t-1} + (1 - sigma_t) m_t with sigma_t = sigmoid(s_t), the same formula
               the order of the components is reversed between steps

net = {"M": (n, n), "m": (n,), "S": (n, n), "s": (n,)}, of which only the strict lower triangles count; nets is a list
of T of them; y, z, eps (..., n).

How far four components are from right after one pass and after four:

    >>> from refdgm.directed.iaf_posterior import noise_case, sample_from_noise, to_noise
    >>> net, eps = noise_case(0).values()
    >>> [round(float(abs(to_noise(net, sample_from_noise(net, eps, k))[0] - eps).max()), 4) for k in (1, 4)]
    [0.4724, 0.0]
"""
import autograd.numpy as np
from autograd import jacobian

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.numerics import LOG_2PI, gaussian_log_prob, log_sigmoid, sigmoid


def autoregressive(net, y):
    """mu(y) and s(y), each component from those of y before it (kingma2019 Sec. 3.3).  (..., n) -> 2 times (..., n)"""
    seen = np.tanh(y)
    return np.dot(seen, np.tril(net["M"], -1).T) + net["m"], np.dot(seen, np.tril(net["S"], -1).T) + net["s"]


def to_noise(net, y):
    """eps = (y - mu(y)) / sigma(y), and log |det deps/dy| (kingma2019 Sec. 3.3).  (..., n) -> (..., n), (...)"""
    mu, log_sigma = autoregressive(net, y)
    return (y - mu) * np.exp(-log_sigma), -np.sum(log_sigma, axis=-1)


def affine_step(net, z):
    """z' = mu(z) + sigma(z) z, and log sigma (kingma2019 Sec. 3.4).  (..., n) -> (..., n), (..., n)"""
    mu, log_sigma = autoregressive(net, z)
    return mu + np.exp(log_sigma) * z, log_sigma


def gated_step(net, z):
    """z' = sigma z + (1 - sigma) m, sigma = sigmoid(s), and log sigma (kingma2019 Sec. 3.4).  -> (..., n), (..., n)"""
    m, s = autoregressive(net, z)
    return sigmoid(s) * z + sigmoid(-s) * m, log_sigmoid(s)


def flow(nets, eps, step=affine_step):
    """z_T and log q(z_T) from z_0 = eps, in one pass (kingma2019 Sec. 3.4).  (..., n) -> (..., n), (...)"""
    z, total = eps, 0.0
    for net in nets:
        z, log_sigma = step(net, z)
        z, total = z[..., ::-1], total + np.sum(log_sigma, axis=-1)
    return z, -np.sum(eps**2 / 2 + LOG_2PI / 2, axis=-1) - total


def sample_from_noise(net, eps, passes):
    """y with eps = (y - mu(y)) / sigma(y), by `passes` passes, each over all components (kingma2019 Sec. 3.1).

    After k of them the first k components are right.
    """
    y = 0 * eps
    for _ in range(passes):
        mu, log_sigma = autoregressive(net, y)
        y = mu + np.exp(log_sigma) * eps
    return y


# ---- claims ---------------------------------------------------------------------------

def random_net(rng, n):
    return {"M": rng.normal(size=(n, n)), "m": rng.normal(size=n), "S": rng.normal(size=(n, n)) / 2,
            "s": rng.normal(size=n) / 2}


def net_case(seed, n=4):
    rng = onp.random.default_rng(seed)
    return {"net": random_net(rng, n), "y": rng.normal(size=n)}


def noise_case(seed, n=4):
    rng = onp.random.default_rng(seed)
    return {"net": random_net(rng, n), "eps": rng.normal(size=n)}


def flow_case(seed, n=3, T=2):
    rng = onp.random.default_rng(seed)
    return {"nets": [random_net(rng, n) for _ in range(T)], "eps": rng.normal(size=n)}


def log_det_and_shape(log_det):
    """The claim of Sec. 3.3: the log-determinant, and zeros above the diagonal of deps/dy."""
    return lambda net, y: {"log det": log_det(net, y), "above the diagonal": onp.zeros((len(y), len(y)))}


def jacobian_of(of):
    """The oracle: the whole Jacobian of of(net, y) by autodiff."""
    def found(net, y):
        J = jacobian(lambda y: of(net, y))(y)
        return {"log det": np.linalg.slogdet(J)[1], "above the diagonal": onp.triu(J, 1)}
    return found


def unmasked(net, y):
    """eps with mu and sigma from all other components."""
    seen, others = np.tanh(y), 1 - onp.eye(len(y))
    return (y - np.dot(net["M"] * others, seen) - net["m"]) * np.exp(-np.dot(net["S"] * others, seen) - net["s"])


def seeing_itself(net, y):
    """- sum log sigma_i, with y_i among what sigma_i sees."""
    return -np.sum(np.dot(np.tril(net["S"]), np.tanh(y)) + net["s"])


def log_densities(change=lambda log_q, nets, eps, step: log_q, gated=gated_step):
    """log q(z_T) of the affine and of the gated flow."""
    return lambda nets, eps: {name: change(flow(nets, eps, step)[1], nets, eps, step)
                              for name, step in (("affine", affine_step), ("gated", gated))}


def by_jacobian(nets, eps):
    """The oracle: log N(eps; 0, I) - log |det dz_T/deps| of the whole flow."""
    def density(step):
        J = jacobian(lambda eps: flow(nets, eps, step)[0])(eps)
        return gaussian_log_prob(eps, 0.0, 1.0) - np.linalg.slogdet(J)[1]
    return {"affine": density(affine_step), "gated": density(gated_step)}


def other_gate(net, z):
    """The gated step, with the log of the wrong gate."""
    _, s = autoregressive(net, z)
    return gated_step(net, z)[0], log_sigmoid(-s)


def sigma_of_the_new_state(log_q, nets, eps, step):
    """Every log sigma_t computed from z_t, not from z_{t-1}."""
    z, total = eps, 0.0
    for net in nets:
        z = step(net, z)[0]
        total, z = total + np.sum(step(net, z)[1]), z[::-1]
    return gaussian_log_prob(eps, 0.0, 1.0) - total


def both_samplers(inverse=lambda net, eps: flow([net], eps), passes=None):
    """An inverse autoregressive sample with its density in one pass; an autoregressive one in as many as components."""
    def samples(net, eps):
        z, log_q = inverse(net, eps)
        return {"inverse": z, "density": log_q,
                "autoregressive": sample_from_noise(net, eps, len(eps) if passes is None else passes)}
    return samples


def one_by_one(net, eps):
    """The oracle: one component after the other, each from those before it only."""
    def component(i, seen):
        seen = onp.tanh(seen[:i])
        return net["M"][i, :i] @ seen + net["m"][i], onp.exp(net["S"][i, :i] @ seen + net["s"][i])
    y, pairs = [], [component(i, eps) for i in range(len(eps))]
    for i in range(len(eps)):
        mu, sigma = component(i, onp.array(y))
        y.append(mu + sigma * eps[i])
    return {"inverse": onp.array([mu + sigma * e for (mu, sigma), e in zip(pairs, eps)])[::-1],
            "density": sum(-e**2 / 2 - LOG_2PI / 2 - onp.log(sigma) for (_, sigma), e in zip(pairs, eps)),
            "autoregressive": onp.array(y)}


CLAIMS = [
    Claim("kingma2019.toc.3.1", both_samplers(), equals(one_by_one, noise_case),
          {"one pass for the autoregressive sample, too": both_samplers(passes=1),
           "n - 1 passes": both_samplers(passes=3),
           "the density by a pass over the sample": both_samplers(
               lambda net, eps: (flow([net], eps)[0], flow([net], flow([net], eps)[0])[1])),
           "the autoregressive sample's density": both_samplers(lambda net, eps: (
               flow([net], eps)[0], flow([net], sample_from_noise(net, eps, 4))[1]))}),
    Claim("kingma2019.toc.3.3", log_det_and_shape(lambda net, y: to_noise(net, y)[1]),
          equals(jacobian_of(lambda net, y: to_noise(net, y)[0]), net_case, method="autodiff"),
          {"+ sum log sigma: the other direction": log_det_and_shape(lambda net, y: -to_noise(net, y)[1]),
           "sigma_i sees y_i": log_det_and_shape(seeing_itself),
           "sum sigma": log_det_and_shape(lambda net, y: -np.sum(np.exp(autoregressive(net, y)[1]))),
           "sigma taken for a variance": log_det_and_shape(lambda net, y: to_noise(net, y)[1] / 2)},
          without=equals(jacobian_of(unmasked), net_case, method="autodiff")),
    Claim("kingma2019.toc.3.4", log_densities(), equals(by_jacobian, flow_case, method="autodiff"),
          {"log sigma from z_t, not z_{t-1}": log_densities(sigma_of_the_new_state),
           "the gate's log det from 1 - sigma": log_densities(gated=other_gate),
           "the last step only": log_densities(lambda log_q, nets, eps, step: gaussian_log_prob(eps, 0.0, 1.0)
                                               - np.sum(step(nets[-1], flow(nets[:-1], eps, step)[0])[1])),
           "+ sum log sigma": log_densities(lambda log_q, nets, eps, step: 2 * gaussian_log_prob(eps, 0.0, 1.0)
                                            - log_q),
           "the base density at z_T": log_densities(lambda log_q, nets, eps, step: log_q
                                                    - gaussian_log_prob(eps, 0.0, 1.0)
                                                    + gaussian_log_prob(flow(nets, eps, step)[0], 0.0, 1.0))}),
]
