r"""Variational EM with local parameters: coordinate ascent on the bound (kingma2019 App. A.2.2, Eqs. A.6-A.10).

    L(x; theta, phi) = E_{q_phi(z|x)}[log p_theta(x, z) - log q_phi(z|x)]
                     = log p_theta(x) - KL[q_phi(z|x) || p_theta(z|x)]

    E-step, Eq. A.6    for all i: phi_i <- argmax_phi L(x_i; theta, phi)
    M-step, Eq. A.7    theta <- argmax_theta sum_i L(x_i; theta, phi_i)          (printed with phi for phi_i)

Why it works, Eqs. A.8-A.10: log p_theta(x) does not depend on phi, so the E-step minimises the divergence from the
posterior. If q is free, as for the mixture of `refdgm.models.bernoulli_mixture`, that divergence becomes zero.
theta = {"a": (H,), "B": (H, D)}, phi (N, H), X (N, D).

The bound at the start, and after three rounds:

    >>> from refdgm.directed.variational_em import ascend, uneven_case
    >>> [round(float(L), 4) for L in ascend(**uneven_case(0))[[0, -1]]]
    [-26.5045, -18.0095]
"""
import autograd.numpy as np

from refdgm import validation as valid
from refdgm.checking import GRADIENT, Claim, equals, is_at_most, is_gradient_of, is_ordered, minimises
from refdgm.models import bernoulli_mixture as mixture
from refdgm.numerics import entropy, kl, log_softmax, softmax


def bound(theta, phi, X):
    """L(x_i; theta, phi_i) for every datum (kingma2019 App. A.2.2).  -> (N,)"""
    log_q = log_softmax(phi)
    return np.sum(np.exp(log_q) * (mixture.log_joint(theta, X) - log_q), axis=-1)


def gap(theta, phi, X):
    """KL[q(z|x_i) || p(z|x_i)] for every datum (kingma2019 App. A.2.2).  -> (N,)"""
    return kl(softmax(phi), np.exp(mixture.log_posterior(theta, X)))


def e_step(theta, X):
    """phi_i <- argmax_phi L(x_i; theta, phi): the logits of the posterior (kingma2019 Eq. A.6).  -> (N, H)"""
    return mixture.log_posterior(theta, X)


def m_step(phi, X):
    """theta <- argmax_theta sum_i L(x_i; theta, phi_i): weighted shares (kingma2019 Eq. A.7, corrected).  -> theta"""
    q = softmax(phi)
    means = np.dot(q.T, X) / np.sum(q, axis=0)[:, None]
    return {"a": np.log(np.mean(q, axis=0)), "B": np.log(means) - np.log1p(-means)}


def grad_phi(theta, phi, X):
    """- dKL[q || p(z|x_i)]/dphi by hand, which is dL/dphi, too (kingma2019 Eqs. A.8-A.10).  -> (N, H)

    For a softmax it is q_z times how far the log ratio log p(z|x) - log q(z) is above its mean.
    """
    q, log_ratio = softmax(phi), mixture.log_posterior(theta, X) - log_softmax(phi)
    return q * (log_ratio - np.sum(q * log_ratio, axis=-1, keepdims=True))


def ascend(theta, phi, X, rounds=3, e_step=e_step, m_step=m_step):
    """sum_i L(x_i; theta, phi_i) at the start and after each half-step (kingma2019 App. A.2.2).  -> (2 rounds + 1,)"""
    mixture.validate(theta, X, phi)
    trace = [np.sum(bound(theta, phi, X))]
    for _ in range(rounds):
        phi = e_step(theta, X)
        trace.append(np.sum(bound(theta, phi, X)))
        theta = m_step(phi, X)
        trace.append(np.sum(bound(theta, phi, X)))
    return np.array(trace)


# ---- claims ---------------------------------------------------------------------------

def total_bound(theta, phi, X):
    return np.sum(bound(theta, phi, X))


def ascend_with(**steps):
    """EM with one of its steps replaced."""
    return lambda theta, phi, X: ascend(theta, phi, X, **steps)


def both_at_once(theta, phi, X, rounds=3):
    """E- and M-step computed from the same old values and then exchanged."""
    trace = [total_bound(theta, phi, X)]
    for _ in range(2 * rounds):
        theta, phi = m_step(phi, X), e_step(theta, X)
        trace.append(total_bound(theta, phi, X))
    return np.array(trace)


def likelihood_only(theta, X):
    """An E-step from p(x|z), the prior p(z) forgotten."""
    return log_softmax(mixture.log_joint(theta, X) - log_softmax(theta["a"]))


def shared(phi):
    """One row of logits for all data: the average law."""
    valid.count("the number of rows of phi", len(phi))
    return np.log(np.ones_like(phi) * np.mean(softmax(phi), axis=0))


def unnormalised_m_step(phi, X):
    """The joint shares of "component z and unit on", not divided by the share of the component."""
    means = np.dot(softmax(phi).T, X) / len(X)
    return {**m_step(phi, X), "B": np.log(means) - np.log1p(-means)}


def e_case(seed):
    case = mixture.random_case(seed)
    return {"theta": case["theta"], "X": case["X"]}


def m_case(seed):
    case = mixture.random_case(seed)
    return {"phi": case["phi"], "X": case["X"]}


def uneven_case(seed, N=10):
    """Components of unequal weight, so that it shows where a prior is counted twice.

    There are some more data than in other cases, lest a light component be left with one value of a unit.
    """
    case = mixture.random_case(seed, N)
    a = case["theta"]["a"]
    return case | {"theta": case["theta"] | {"a": a + 0.75 * np.sign(a - np.mean(a))}}


def log_p(theta, phi, X):
    return mixture.log_marginal(theta, X)


def posterior_of(theta, X):
    return np.exp(mixture.log_posterior(theta, X))


def bound_at_posterior(theta, X):
    """The oracle: sum_z p(z|x) log(p(x, z) / p(z|x)), with the joint as plain products."""
    p_z = np.exp(theta["a"]) / np.sum(np.exp(theta["a"]))
    on = 1 / (1 + np.exp(-theta["B"]))
    joint = np.array([[p_z[z] * np.prod(np.where(x == 1, on[z], 1 - on[z])) for z in range(len(p_z))] for x in X])
    posterior = joint / np.sum(joint, axis=1, keepdims=True)
    return np.sum(posterior * np.log(joint / posterior), axis=1)


def plus(divergence):
    """log p(x) - L as another divergence, divergence(q, posterior, prior)."""
    return lambda theta, phi, X: divergence(softmax(phi), posterior_of(theta, X), softmax(theta["a"]) + 0 * phi)


CLAIMS = [
    Claim("kingma2019.A.2.2.coord", ascend, is_ordered(uneven_case),
          {"both steps at once, each from old values": both_at_once,
           "one phi for all data": ascend_with(e_step=lambda theta, X: shared(e_step(theta, X))),
           "the prior counted twice in the E-step": ascend_with(e_step=lambda theta, X: log_softmax(
               e_step(theta, X) + log_softmax(theta["a"]))),
           "each datum weighed by the q of the one before": ascend_with(
               m_step=lambda phi, X: m_step(np.roll(phi, 1, axis=0), X))}),
    Claim("kingma2019.eqA.6", e_step, minimises(lambda **c: -total_bound(**c), "phi", e_case),
          {"one phi for all data": lambda theta, X: shared(e_step(theta, X)),
           "the prior forgotten": likelihood_only,
           "the prior only": lambda theta, X: np.ones((len(X), 1)) * theta["a"],
           "minimised": lambda theta, X: -e_step(theta, X),
           "the entropy of q counted twice": lambda theta, X: e_step(theta, X) / 2}),
    Claim("kingma2019.eqA.7", m_step, minimises(lambda **c: -total_bound(**c), "theta", m_case),
          {"shares not divided by the component's": unnormalised_m_step,
           "the components counted, not the data": lambda phi, X: {**m_step(phi, X), "a": np.zeros(phi.shape[1])},
           "nearly the most probable z only": lambda phi, X: m_step(4 * phi, X),
           "logits averaged, not probabilities": lambda phi, X: {**m_step(phi, X), "a": np.mean(phi, axis=0)}},
          printed=lambda phi, X: m_step(shared(phi), X)),
    Claim("kingma2019.eqA.8", grad_phi, is_gradient_of(total_bound, "phi", mixture.random_case, rtol=GRADIENT),
          {"KL[p(z|x) || q], the other direction": lambda theta, phi, X: posterior_of(theta, X) - softmax(phi),
           "+ KL: minimised where it is to be maximised": lambda theta, phi, X: -grad_phi(theta, phi, X),
           "the mean log ratio not subtracted": lambda theta, phi, X: softmax(phi) * (
               mixture.log_posterior(theta, X) - log_softmax(phi)),
           "the joint's gradient: no entropy": lambda theta, phi, X: grad_phi(theta, phi, X) - softmax(phi) * (
               -log_softmax(phi) - entropy(softmax(phi))[:, None])}),
    Claim("kingma2019.A.2.2.equal", lambda theta, X: mixture.log_marginal(theta, X), equals(bound_at_posterior, e_case),
          {"for any q, here the prior": lambda theta, X: bound(theta, theta["a"] + np.zeros((len(X), 1)), X),
           "the bound without the entropy of q": lambda theta, X: mixture.log_marginal(theta, X)
           - entropy(posterior_of(theta, X)),
           "the log of the largest term: the best z": lambda theta, X: np.max(mixture.log_joint(theta, X), axis=-1)},
          printed=lambda theta, X: np.exp(mixture.log_marginal(theta, X))),
    Claim("kingma2019.A.2.2.bound", bound, is_at_most(log_p, mixture.random_case),
          {"+ KL: an upper bound": lambda **c: log_p(**c) + gap(**c),
           "the entropy of q counted twice": lambda theta, phi, X: bound(theta, phi, X) + entropy(softmax(phi)),
           "averaged under the posterior": lambda theta, phi, X: np.sum(posterior_of(theta, X) * (
               mixture.log_joint(theta, X) - log_softmax(phi)), axis=-1),
           "always tight": log_p}),
    Claim("kingma2019.A.2.2.tight", gap, equals(lambda **c: log_p(**c) - bound(**c), mixture.random_case),
          {"KL[p(z|x) || q]": plus(lambda q, posterior, prior: kl(posterior, q)),
           "KL[q || p(z)]": plus(lambda q, posterior, prior: kl(q, prior)),
           "the entropy of q": plus(lambda q, posterior, prior: entropy(q)),
           "the difference of the entropies": plus(lambda q, posterior, prior: entropy(posterior) - entropy(q))}),
]
