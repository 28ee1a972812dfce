r"""Li & Turner, Rényi Divergence Variational Inference (2016): an example of a document that is not one of ours.

A package adds a document to refdgm by naming such a module under the entry point "refdgm". In its setup.py:

    entry_points={"refdgm": ["renyi2016 = renyi2016"]}
"""
import autograd.numpy as np
import numpy as onp

from refdgm.checking import Claim, is_at_most
from refdgm.checking import equals as is_equal_to
from refdgm.contract import Argument, Case, Contract, Other
from refdgm.derivation import derivation, equals, mistake, start
from refdgm.numerics import log_mean_exp, log_sum_exp
from refdgm.values import values


def random_case(seed):
    """log p(x, h) for every state h, a table q, and an order alpha in (0, 1)."""
    rng = onp.random.default_rng(seed)
    return {"log_joint": rng.normal(size=5) - 2, "log_q": onp.log(rng.dirichlet(onp.ones(5))),
            "alpha": rng.uniform(0.2, 0.8)}


def bound(log_joint, log_q, alpha):
    """log E_q[(p(x, h) / q(h))**(1 - alpha)] / (1 - alpha), Eq. 6."""
    return log_sum_exp(log_q + (1 - alpha) * (log_joint - log_q)) / (1 - alpha)


def divergence(log_p, log_q, alpha):
    """D_alpha(q || p) = log E_q[(q / p)**(alpha - 1)] / (alpha - 1), Eq. 1."""
    return log_sum_exp(alpha * log_q + (1 - alpha) * log_p) / (alpha - 1)


def evidence(log_joint, log_q, alpha):
    return log_sum_exp(log_joint)


@derivation(random_case)
def gap(log_joint, log_q, alpha):
    """The gap of the bound is a Rényi divergence from the posterior."""
    log_posterior = log_joint - log_sum_exp(log_joint)

    yield start(r"\log p(x) - D_\alpha(q \| p(h|x))", log_sum_exp(log_joint) - divergence(log_posterior, log_q, alpha))

    yield equals(r"\frac1{1-\alpha} \log \mathbb E_q[(p(x,h)/q(h))^{1-\alpha}]", bound(log_joint, log_q, alpha),
                 because="p(h|x) = p(x, h) / p(x), and p(x) comes out of the mean as p(x)^(1 - alpha)",
                 claim="renyi2016.eq6")

    yield mistake(r"\log \mathbb E_q[(p(x,h)/q(h))^{1-\alpha}]", (1 - alpha) * bound(log_joint, log_q, alpha),
                  because="1 / (1 - alpha) is forgotten")

    yield mistake(r"\frac1{1-\alpha} \log \mathbb E_q[(p(x,h)/q(h))^{\alpha}]",
                  bound(log_joint, log_q, 1 - alpha) * alpha / (1 - alpha), because="alpha for 1 - alpha")


CLAIMS = [
    Claim("renyi2016.eq6", bound, is_at_most(evidence, random_case),
          mistakes={"the divergence added": lambda log_joint, log_q, alpha: 2 * evidence(log_joint, log_q, alpha)
                    - bound(log_joint, log_q, alpha),
                    "alpha below zero": lambda log_joint, log_q, alpha: bound(log_joint, log_q, -alpha)},
          says="For 0 < alpha < 1 the bound lies below log p(x).", where="Eq. 6",
          latex=r"\frac1{1-\alpha} \log \mathbb E_q[(p(x,h)/q(h))^{1-\alpha}] \le \log p(x)"),
    Claim("renyi2016.zero", lambda log_joint, log_q, alpha: bound(log_joint, log_q, 0.0),
          is_equal_to(evidence, random_case),
          mistakes={"the ELBO": lambda log_joint, log_q, alpha: np.sum(np.exp(log_q) * (log_joint - log_q)),
                    "alpha = 1/2": lambda log_joint, log_q, alpha: bound(log_joint, log_q, 0.5)},
          says="At alpha = 0 it is log p(x).", where="after Eq. 6", latex=r"\mathcal L_0 = \log p(x)"),
]


def renyi_bound(log_w, alpha):
    """The bound of K draws, with log w_k = log p(x, h_k) - log q(h_k|x)."""
    return log_mean_exp((1 - alpha) * log_w) / (1 - alpha)


def cases(seed):
    rng = onp.random.default_rng(seed)
    for shape in ((1,), (3,), (2, 5)):
        yield Case(f"shape {shape}", {"log_w": rng.normal(size=shape), "alpha": rng.uniform(0.2, 0.8)})


CONTRACTS = [
    Contract("renyi_bound", "the Rényi bound of K draws", "renyi2016 Eq. 14",
             (Argument("log_w", "(..., K)", "log-weights"), Argument("alpha", "", "its order", "number")), "(...)",
             renyi_bound, values(cases, gradients=("log_w",)),
             {"1 / (1 - alpha) forgotten": Other(lambda log_w, alpha: log_mean_exp((1 - alpha) * log_w),
                                                 "divide by 1 - alpha"),
              "alpha for 1 - alpha": Other(lambda log_w, alpha: renyi_bound(log_w, 1 - alpha),
                                           "the ratio is raised to the power 1 - alpha")}),
]
