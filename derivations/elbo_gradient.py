r"""The gradients of the variational bound (Eq. 10), and the sign in footnote 6.

The draws $h \sim q_\phi(h|x)$ depend on $\phi$ and not on $\theta$. So $\nabla_\theta$ goes straight through the
expectation; $\nabla_\phi$ meets $\phi$ twice, in the law of $h$ and in $-\log q_\phi(h|x)$. The first gives the
REINFORCE term, the second a score term that Fisher's equality removes. The footnote prints that term with a plus:
because it is zero no number shows the slip, until one asks the same of a $q$ that does not sum to one.
Every mean is a sum over the cells of a random table.
"""
import autograd.numpy as np
import numpy as onp
from autograd import grad, jacobian

from refdgm.derivation import derivation, equals, mistake, start
from refdgm.directed import score_function
from refdgm.models import tables

MEAN = r"E_{\tilde p(x)q_\phi(h|x)}"
RATIO = r"\log\frac{p_\theta(x,h)}{q_\phi(h|x)}"
SCORE = r"\nabla_\phi\log q_\phi(h|x)"


def average_bound(theta, phi, p_data):
    """E[log p(x, h) / q(h|x)] under p_tilde(x) q(h|x)."""
    log_q = tables.log_q(phi)
    return np.sum(p_data[:, None] * np.exp(log_q) * (tables.log_joint(theta) - log_q))


def mean(law, score):
    """sum_xh law(x, h) score(x, h), scores (X, H, *leaf)."""
    return onp.tensordot(law, score, axes=2)


@derivation(tables.random_case)
def theta_gradient(theta, phi, p_data):
    """The theta-gradient of the bound is the mean score of the joint."""
    law = score_function.cell_probabilities(phi, p_data)
    joint = theta["joint"]

    yield start(r"\nabla_\theta E_{\tilde p(x)}[\mathcal L(x;\theta,\phi)]",
                grad(average_bound)(theta, phi, p_data)["joint"])

    yield equals(r"\nabla_\theta E_{\tilde p(x)q_\phi(h|x)}[\log p_\theta(x,h)]",
                 grad(lambda t: np.sum(law * tables.log_joint({"joint": t})))(joint),
                 because="neither the law of the draws nor log q depends on theta")

    yield equals(r"E_{\tilde p(x)q_\phi(h|x)}[\nabla_\theta\log p_\theta(x,h)]",
                 mean(law, tables.score_theta(theta)["joint"]),
                 because="a finite sum is differentiated term by term", claim="ou2018.eq10.theta")

    yield mistake(r"E_{\tilde p(x)p_\theta(h|x)}[\nabla_\theta\log p_\theta(x,h)]",
                  mean(p_data[:, None] * np.exp(tables.log_posterior(theta)), tables.score_theta(theta)["joint"]),
                  because="under the posterior it is the gradient of log p(x) (Fisher's identity), not of the bound")

    yield mistake(r"E_{\tilde p(x)q_\phi(h|x)}[\nabla_\theta\log p_\theta(h|x)]",
                  mean(law, jacobian(lambda t: tables.log_posterior({"joint": t}))(joint)),
                  because="the score of the posterior: log p(x) has been lost")


@derivation(tables.random_case)
def phi_gradient(theta, phi, p_data):
    """The phi-gradient of the bound is a REINFORCE term alone."""
    q, score = phi["q"], tables.score_phi(phi)["q"]
    law, log_joint, log_q = score_function.cell_probabilities(phi, p_data), tables.log_joint(theta), tables.log_q(phi)
    derivative_of_q = jacobian(lambda v: np.exp(tables.log_q({"q": v})))(q)         # (X, H, X, H)
    bound = np.sum(np.exp(log_q) * (log_joint - log_q), axis=-1, keepdims=True)

    yield start(r"\nabla_\phi E_{\tilde p(x)}[\mathcal L(x;\theta,\phi)]",
                grad(average_bound, 1)(theta, phi, p_data)["q"])

    yield equals(r"E_{\tilde p(x)}\sum_h\left(\nabla_\phi q_\phi(h|x)\," + RATIO
                 + r"-q_\phi(h|x)\," + SCORE + r"\right)",
                 mean(p_data[:, None] * (log_joint - log_q), derivative_of_q)
                 - mean(law, jacobian(lambda v: tables.log_q({"q": v}))(q)),
                 because="the product rule: phi is in the law and in -log q")

    yield equals(MEAN + r"\left[" + RATIO + r"\," + SCORE + r"\right]-" + MEAN + "[" + SCORE + "]",
                 score_function.product_rule(log_joint, log_q, score, p_data),
                 because="REINFORCE: dq = q dlog q", claim="ou2018.fn6.reinforce")

    yield mistake(MEAN + r"\left[" + RATIO + r"\,\nabla_\phi q_\phi(h|x)\right]",
                  mean(law * (log_joint - log_q), derivative_of_q),
                  because="the draws already carry q: its score is meant")

    yield equals(MEAN + r"\left[" + RATIO + r"\," + SCORE + r"\right]",
                 score_function.grad_phi(theta, phi, p_data)["q"],
                 because="Fisher's equality: the mean score of q under q is zero", claim="ou2018.eq10.phi")

    yield equals(MEAN + r"\left[\left(" + RATIO + r"-\mathcal L(x)\right)" + SCORE + r"\right]",
                 mean(law * (log_joint - log_q - bound), score),
                 because="Fisher's equality once more: a baseline in x changes no mean", claim="ou2018.nvil.center")

    yield mistake(MEAN + r"[\log p_\theta(x,h)\," + SCORE + "]", mean(law * log_joint, score),
                  because="Fisher's equality removes the score, not -log q times the score: the entropy is lost")


def unnormalised_case(seed):
    """A random joint and a positive q, exp of random logits, that does not sum to one."""
    case = tables.random_case(seed)
    return {"log_joint": tables.log_joint(case["theta"]), "log_q": case["phi"]["q"], "p_data": case["p_data"]}


@derivation(unnormalised_case)
def footnote_sign(log_joint, log_q, p_data):
    """The score term has a minus sign, as a q that is not normalised shows.

    Up to here only calculus was used, which holds for any positive $q$; with $\\phi$ the logits themselves the score is
    an indicator, and its mean is not zero.
    """
    weights = p_data[:, None] * np.exp(log_q)
    score = onp.eye(log_q.size).reshape(log_q.shape * 2)
    reinforce = mean(weights * (log_joint - log_q), score)

    yield start(r"\nabla_\phi\,E_{\tilde p(x)}\sum_hq_\phi(h|x)\log\frac{p_\theta(x,h)}{q_\phi(h|x)}",
                grad(lambda v: np.sum(p_data[:, None] * np.exp(v) * (log_joint - v)))(log_q))

    yield equals("-" + MEAN + "[" + SCORE + "]+" + MEAN + r"\left[" + RATIO + r"\," + SCORE + r"\right]",
                 score_function.product_rule(log_joint, log_q, score, p_data),
                 because="the product rule, for any positive q", claim="ou2018.fn6.sign")

    yield mistake("+" + MEAN + "[" + SCORE + "]+" + MEAN + r"\left[" + RATIO + r"\," + SCORE + r"\right]",
                  mean(weights, score) + reinforce, because="as printed: the derivative of -log q has a minus sign",
                  claim="ou2018.fn6.sign")

    yield mistake(MEAN + r"\left[" + RATIO + r"\," + SCORE + r"\right]", reinforce,
                  because="Fisher's equality needs a q that sums to one", claim="ou2018.fn6.fisher")

    yield equals(r"\tilde p(x)\,q_\phi(h|x)\left(" + RATIO + r"-1\right)\ \text{for each cell}",
                 weights * (log_joint - log_q - 1.0),
                 because="with the logits for phi the score is an indicator: one cell, one derivative")
