r"""Variational EM with a factorised q: the bound rises, the likelihood need not (kingma2019 App. A.2.2).

    p(x, z1, z2) = p(z1, z2) p_theta(x|z1, z2)      q(z1, z2|x) = q(z1|x) q(z2|x)

The prior p(z1, z2) is given, theta is the table of p(x|z1, z2). Every half-step still raises L, but the M-step trades
log-likelihood for a posterior that is closer to the family. That shows at its plainest where the model starts at the
maximum of the likelihood, p_theta(x) = p_data(x): the bound has a way up from there, the likelihood only a way down.

prior (A, B), likelihood (X, A, B) with sum one over x, p_data (X,), q (X, A, B).

What one M-step gains on the bound, and what it loses on the log-likelihood:

    >>> from refdgm.directed.mean_field_em import gains, random_case
    >>> [round(float(change), 3) for change in gains()(**random_case(0))]
    [0.18, 0.03]
"""
import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.checking import Claim, is_at_least
from refdgm.numerics import softmax


def bound(prior, likelihood, q, p_data):
    """E_p_data L(x; theta, phi) (kingma2019 App. A.2.2).  -> ()"""
    return np.sum(p_data[:, None, None] * q * (np.log(prior * likelihood) - np.log(q)))


def log_likelihood(prior, likelihood, p_data):
    """E_p_data log p_theta(x) (kingma2019 App. A.2.2).  -> ()"""
    return np.sum(p_data * np.log(np.sum(prior * likelihood, axis=(1, 2))))


def mean_field(prior, likelihood, sweeps=30):
    """The E-step: the best q(z1|x) q(z2|x), one factor after the other (kingma2019 Eq. A.6).  -> (X, A, B)"""
    log_joint = np.log(prior * likelihood)
    q2 = np.ones(likelihood.shape[::2]) / likelihood.shape[2]
    for _ in range(sweeps):
        q1 = softmax(np.sum(q2[:, None, :] * log_joint, axis=2))
        q2 = softmax(np.sum(q1[:, :, None] * log_joint, axis=1))
    return q1[:, :, None] * q2[:, None, :]


def m_step(q, p_data):
    """The best p(x|z1, z2): the share of x in each pair of states (kingma2019 Eq. A.7).  -> (X, A, B)"""
    weighted = p_data[:, None, None] * q
    return weighted / np.sum(weighted, axis=0)


def round_from_maximum_likelihood(prior, likelihood, e_step=mean_field, m_step=m_step):
    """By how much one M-step raises the bound, and lowers the log-likelihood, if p_data is p_theta(x).  -> (2,)"""
    p_data = np.sum(prior * likelihood, axis=(1, 2))
    q = e_step(prior, likelihood)
    new = m_step(q, p_data)
    return np.array([bound(prior, new, q, p_data) - bound(prior, likelihood, q, p_data),
                     log_likelihood(prior, likelihood, p_data) - log_likelihood(prior, new, p_data)])


def random_case(seed, X=3, A=2, B=3):
    """Logits of a prior and of a likelihood by which x makes the two causes dependent; less x than pairs of causes."""
    rng = onp.random.default_rng(seed)
    return {"prior": onp.log(rng.dirichlet(onp.ones(A * B) * 3).reshape(A, B)),
            "likelihood": onp.log(rng.dirichlet(onp.ones(X), A * B).T.reshape(X, A, B))}


# ---- claims ---------------------------------------------------------------------------

def exact_posterior(prior, likelihood):
    """The E-step of exact EM, which is not bound to factorise."""
    joint = prior * likelihood
    return joint / np.sum(joint, axis=(1, 2), keepdims=True)


def laws(prior, likelihood):
    """The laws whose logits these are."""
    return softmax(np.ravel(prior)).reshape(prior.shape), softmax(likelihood, axis=0)


def gains(**steps):
    """One round for the laws of a case, perhaps with other steps."""
    return lambda prior, likelihood: round_from_maximum_likelihood(*laws(prior, likelihood), **steps)


def with_independent_causes(prior, likelihood):
    """x speaks of z1 alone, and z1 and z2 are independent: a q that factorises is the posterior."""
    return gains()(prior[:, :1] + prior[:1], likelihood[:, :, :1] + 0 * likelihood)


def zeros(prior, likelihood):
    return np.zeros(2)


CLAIMS = [
    Claim("kingma2019.A.2.2.vem", gains(), is_at_least(zeros, random_case),
          {"the likelihood rises with the bound": lambda **c: gains()(**c) * np.array([1, -1]),
           "q may be the posterior: nothing moves": gains(e_step=exact_posterior),
           "the posterior factorises: nothing moves": with_independent_causes,
           "an M-step normalised over z, not over x": gains(m_step=lambda q, p_data: q)}),
]
