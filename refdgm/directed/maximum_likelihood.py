r"""Maximum likelihood (ou2018 Sec. 3.2, Eq. 6): what it maximises, and which divergence that minimises.

    p~(x) = (1/n) sum_k delta(x - x_k)               the empirical distribution
    Eq. 6    max over theta of sum_k log p(x_k)
    after    = min over theta of KL[p~ || p],        since KL[p~ || p] = -H[p~] - (1/n) sum_k log p(x_k)  for discrete x

Data X (n, D) are rows of bits, and a state is the index of its row among all 2**D; distributions over the states are
vectors (2**D,). The model is the sigmoid belief net of models/sbn.py, its marginal summed exactly.

KL[p~ || p] of one 0 and three 1s from a fair coin:

    >>> import numpy as np
    >>> from refdgm.directed.maximum_likelihood import kl_from_data
    >>> X = np.array([[0], [1], [1], [1]])
    >>> round(float(kl_from_data(X, lambda X: np.full(len(X), np.log(0.5)))), 3)
    0.131
"""
from functools import partial

import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, minimises
from refdgm.f_divergences import F_DIVERGENCES
from refdgm.models.sbn import log_joint_table, log_marginal, random_data_case
from refdgm.numerics import (all_binary, all_tuples, gauss_legendre, gaussian_log_prob, kl, log_softmax, log_sum_exp,
                             softmax, trapezoid)


def empirical(states, m):
    """p~ = (1/n) sum_k delta(x - x_k), for data given as states 0..m-1 (ou2018 Sec. 3.2).  (n,) -> (m,)"""
    valid.require(len(states) > 0, "the empirical distribution of no data is not defined: give an observation.")
    valid.require(min(states) >= 0 and max(states) < m,
                  f"the data must be states 0..{m - 1}, but run from {min(states)} to {max(states)}.")
    return onp.bincount(states, minlength=m) / len(states)


def states_of(X):
    """The index of each row of bits among all_binary(D).  (n, D) -> integers (n,)"""
    return (X @ 2**onp.arange(X.shape[1])).astype(int)


def log_likelihood(theta, X):
    """sum_k log p(x_k), the objective of maximum likelihood (ou2018 Eq. 6).  (n, D) -> ()"""
    return np.sum(log_marginal(theta, X))


def kl_from_data(X, log_p):
    """KL[p~ || p] = -H[p~] - (1/n) sum_k log p(x_k), for discrete x (ou2018 Sec. 3.2).  (n, D) -> ()

    Only the second term depends on the model, so minimising the KL is maximising the likelihood.
    """
    valid.count("the number of rows of X", len(X))
    return negative_entropy(X) - np.mean(log_p(X))


def negative_entropy(X):
    """-H[p~] = sum over the different x of p~(x) log p~(x): the term without theta.  (n, D) -> ()"""
    _, counts = onp.unique(X, axis=0, return_counts=True)
    return onp.sum(counts / len(X) * onp.log(counts / len(X)))


# ---- claims ---------------------------------------------------------------------------

def random_states(seed):
    """More observations than states, so that some state is seen twice; the last one is not the only one."""
    rng = onp.random.default_rng(seed)
    return {"states": rng.permutation([0, 2, *rng.integers(0, 4, 5)]), "m": 4}


def fraction_of_each(states, m):
    return onp.array([sum(k == x for k in states) / len(states) for x in range(m)])


def random_field_data(seed):
    """Data for a random field over 3 bits, and the statistics of its potential: all x_i and x_i x_j."""
    rng = onp.random.default_rng([seed, 42])
    return {"X": onp.vstack([onp.eye(3), rng.integers(0, 2, (5, 3))])[rng.permutation(8)]}


def field_statistics(x):
    return onp.concatenate([x, x * onp.roll(x, 1, axis=-1)], axis=-1)


def statistics_under(distribution):
    """E f(x~) of the field's statistics f, summed over all states with the weights distribution(states, m)."""
    return lambda X: distribution(states_of(X), 2**X.shape[1]) @ field_statistics(all_binary(X.shape[1]))


def last_atom_only(states, m):
    """(1/n) sum_k delta(x - x_n): n times the same atom, as printed."""
    return empirical(states[-1:], m)


def distinct(states, m):
    """Every state that occurs counts once."""
    return empirical(onp.unique(states), m)


def unnormalised(states, m):
    return len(states) * empirical(states, m)


def theta_and_data(seed):
    case = random_data_case(seed, n=4)
    return {"theta": case["theta"], "X": case["X"]}


def log_probability_of_data_set(theta, X):
    """log p(x_1..x_n), the latent states of all observations summed at once: 2**(H n) of them."""
    table = log_joint_table(theta, X)
    index = all_tuples(table.shape[1], len(X))
    return log_sum_exp(onp.sum(table[onp.arange(len(X)), index], axis=-1))


def discrete_case(seed):
    """Binary data and a sigmoid belief net."""
    case = random_data_case(seed, n=6)
    return {"X": case["X"], "log_p": partial(log_marginal, case["theta"])}


def kl_over_states(X, log_p):
    states = all_binary(X.shape[1])
    return kl(empirical(states_of(X), len(states)), onp.exp(log_p(states)))


def continuous_case(seed):
    """Real data and a Gaussian: the condition is violated."""
    rng = onp.random.default_rng(seed)
    mean, variance = rng.normal(), rng.uniform(0.5, 2.0)
    return {"X": rng.normal(size=(5, 1)) * 1.5, "log_p": lambda X: gaussian_log_prob(X, mean, variance)}


def kl_of_narrow_atoms(X, log_p, width=0.01):
    """KL[p~ * N(0, width^2) || p] by quadrature: it grows like log 1/width, so that of the atoms is infinite."""
    x, w = trapezoid(-8.0, 8.0, 8001)
    log_p_tilde = log_sum_exp(gaussian_log_prob(x[:, None, None], X, width**2)) - onp.log(len(X))
    return onp.sum(w * onp.exp(log_p_tilde) * (log_p_tilde - log_p(x[:, None])))


CRITERIA = {name: divergence.f for name, divergence in F_DIVERGENCES.items()
            if name != "total variation"}       # which has no gradient where p = p0


def total_divergence(p0, logits):
    """sum over criteria f of D_f[p0 || softmax(logits_f)], every criterion with a model of its own."""
    p = softmax(logits)
    return sum(np.sum(p[i] * f(p0 / p[i])) for i, f in enumerate(CRITERIA.values()))


def learned(**powers):
    """The logits each criterion ends at: those of p0, or of p0 to a power for the criteria named."""
    return lambda p0: np.array([powers.get(name, 1.0) * np.log(p0) for name in CRITERIA])


def pair_case(seed):
    rng = onp.random.default_rng(seed)
    return {"p": rng.dirichlet(onp.ones(5)), "q": rng.dirichlet(onp.ones(5))}


def skewness_along_the_path(p, q):
    """int_0^1 t (1 - t) kappa_3(t) dt, kappa_3 the third cumulant of s = log q/p under p^{1-t} q^t / Z(t).

    A(t) = log Z(t) has A(0) = A(1) = 0, A'(0) = -KL[p||q], A'(1) = KL[q||p] and A''' = kappa_3; the integral is the
    error of the trapezoid rule for int A' = 0, that is A'(0) + A'(1).
    """
    t, w = gauss_legendre(0.0, 1.0, 60)
    s = onp.log(q / p)
    path = onp.exp(log_softmax(onp.log(p) + t[:, None] * s))
    centred = s - (path @ s)[:, None]
    return onp.sum(w * t * (1 - t) * onp.sum(path * centred**3, axis=-1))


CLAIMS = [
    Claim("ou2018.sec32.phat", empirical, equals(fraction_of_each, random_states),
          {"no 1/n": unnormalised,
           "repeated observations counted once": distinct,
           "uniform over all states": lambda states, m: onp.full(m, 1 / m)},
          printed=last_atom_only),
    Claim("ou2018.sec42.phat", statistics_under(empirical),
          equals(lambda X: onp.mean(field_statistics(X), axis=0), random_field_data),
          {"no 1/n": statistics_under(unnormalised),
           "repeated observations counted once": statistics_under(distinct)},
          printed=statistics_under(last_atom_only)),
    Claim("ou2018.eq6", log_likelihood, equals(log_probability_of_data_set, theta_and_data),
          {"the product of the log-likelihoods": lambda theta, X: np.prod(log_marginal(theta, X)),
           "the log of the summed likelihoods": lambda theta, X: log_sum_exp(log_marginal(theta, X)),
           "one latent state shared by all data": lambda theta, X: log_sum_exp(np.sum(log_joint_table(theta, X), 0)),
           "the best latent state, not the sum": lambda theta, X: np.sum(np.max(log_joint_table(theta, X), -1))}),
    Claim("ou2018.eq6.kl", kl_from_data, equals(kl_over_states, discrete_case),
          {"without the entropy": lambda X, log_p: -np.mean(log_p(X)),
           "+H[p~]": lambda X, log_p: -negative_entropy(X) - np.mean(log_p(X)),
           "the sum, not the mean": lambda X, log_p: negative_entropy(X) - np.sum(log_p(X)),
           "each state of the data counted once": lambda X, log_p: kl_from_data(onp.unique(X, axis=0), log_p)},
          without=equals(kl_of_narrow_atoms, continuous_case, method="quadrature")),
    Claim("ou2018.sec32.consistency", learned(),
          minimises(lambda logits, p0: total_divergence(p0, logits), "logits",
                    lambda seed: {"p0": onp.random.default_rng(seed).dirichlet(onp.ones(4) * 3)}),
          {"the reverse KL ends on the modes": learned(**{"reverse kl": 1.5}),
           "the KL ends flatter than p0, covering it": learned(kl=0.7),
           "the GAN's criterion ends on the modes": learned(gan=1.5)}),
    Claim("ou2018.sec32.kl_asym", lambda p, q: kl(q, p) - kl(p, q),
          equals(skewness_along_the_path, pair_case, scale=lambda p, q: kl(p, q) + kl(q, p), method="quadrature"),
          {"KL is symmetric": lambda p, q: 0.0,
           "the directions exchanged": lambda p, q: kl(p, q) - kl(q, p),
           "the difference of the entropies": lambda p, q: onp.sum(p * onp.log(p)) - onp.sum(q * onp.log(q))}),
]
