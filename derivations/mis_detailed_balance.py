r"""Metropolis independence sampling, and what must be read into JSA's version of it.

With proposals from a fixed law $q$ that do not depend on the current state, the acceptance rule compares two importance
weights $w = p/q$. The flow of probability between two states is then a minimum of two numbers, and a minimum
is symmetric: that is detailed balance, and the whole proof.

JSA updates one of $n$ latent codes at a time, and the state carries the index $k$ of the last one. The printed rule
takes the old weight at the old $k$, and a rejection keeps the old state, $k$ included. Neither leaves $p(z)$ invariant:
the weight to beat is that of the code which would be replaced, and $k$ moves in any case.
"""
import numpy as np

from refdgm.derivation import derivation, equals, mistake, start
from refdgm.directed import jsa_chain
from refdgm.models.finite_chain import stationary_law
from refdgm.numerics import log_softmax, softmax
from refdgm.samplers import independence


@derivation(independence.random_case)
def detailed_balance(log_p, log_q):
    """The flow between two states is symmetric."""
    p, q = softmax(log_p), np.exp(log_q)
    w = p / q
    others = 1 - np.eye(len(p))

    def flow(acceptance):
        """p(h) q(h') alpha(h, h') for every pair of different states."""
        return others * p[:, None] * q * acceptance

    yield start(r"p(h)\, P(h, h'), \quad h' \ne h",
                others * p[:, None] * independence.transition_matrix(log_p - log_q, log_q), claim="ou2018.mis.fixed_k")

    yield equals(r"p(h)\, q(h') \min\{1, w(h') / w(h)\}", flow(np.minimum(1, w / w[:, None])),
                 because="move only by an accepted proposal")

    yield equals(r"q(h)\, q(h') \min\{w(h), w(h')\}", others * np.outer(q, q) * np.minimum(w, w[:, None]),
                 because="p(h) = q(h) w(h), taken into the minimum")

    yield equals(r"p(h')\, P(h', h)",
                 (others * p[:, None] * independence.transition_matrix(log_p - log_q, log_q)).T,
                 because="the line above is symmetric in h and h'", claim="ou2018.mis.fixed_k")

    yield mistake(r"p(h')\, q(h) \min\{1, w(h') / w(h)\}", flow(np.minimum(1, w[:, None] / w)).T,
                  because="the ratio inverted: the way back would be accepted as often as the way there")

    yield mistake(r"p(h')\, q(h) \min\{1, p(h) / p(h')\}", flow(np.minimum(1, p / p[:, None])).T,
                  because="the proposal is left out of the ratio, as if it were symmetric")

    yield mistake(r"p(h')\, q(h) \min\{1, w(h) / w(h_0)\}", flow(np.minimum(1, w / w[0])[None, :]).T,
                  because="a cached weight that never moves with the state")


@derivation(independence.random_case)
def forgetting(log_p, log_q):
    """The chain forgets at the rate 1 - 1 / max w."""
    p, q = softmax(log_p), np.exp(log_q)
    P = independence.transition_matrix(log_p - log_q, log_q)

    yield start(r"\lambda_2(P)", np.sort(np.linalg.eigvals(P).real)[-2], because="the second largest eigenvalue")

    yield equals(r"1 - 1 / \max_h w(h)", independence.contraction(p, q),
                 because="the most underestimated state is left with the least probability (Liu 1996)")

    yield equals(r"1 - \sum_{h'} q(h') \min\{1, w(h') / w(h^*)\}, \quad h^* = \arg\max w",
                 1 - np.sum(q * np.minimum(1, (p / q) / np.max(p / q))),
                 because="from there every proposal is accepted with w(h') / max w, and q w = p sums to one")

    yield mistake(r"1 - \min_h w(h)", 1 - np.min(p / q),
                  because="an overestimated state costs proposals, not memory")

    yield mistake(r"1 - \sum_{h, h'} p(h)\, q(h') \min\{1, w(h') / w(h)\}",
                  1 - np.sum(p[:, None] * q * np.minimum(1, (p / q) / (p / q)[:, None])),
                  because="the mean rejection rate is not the worst one")


@derivation(jsa_chain.random_case)
def one_code_at_a_time(log_joint, log_q):
    """The chain on z = (k, h_1, ..., h_n) samples p(z) in one reading only."""
    yield start(r"p(z) = \tfrac1n \prod_j p(h_j|x_j)", jsa_chain.target(log_joint), claim="ou2018.prop2")

    yield equals(r"p(z)\, K, \quad \text{accept with } \min\{1, w(h'_{k'}|x_{k'}) / w(h_{k'}|x_{k'})\},"
                 r" \text{ move to } k' \text{ in any case}",
                 jsa_chain.target(log_joint) @ jsa_chain.transition_matrix(log_softmax(log_joint) - log_q, log_q),
                 because="given k' it is MIS for one code, and k' is uniform whatever happens", claim="ou2018.mis")

    yield equals(r"p(z)\, K, \quad w = p_\theta(x, h) / q_\phi(h|x)",
                 jsa_chain.target(log_joint) @ jsa_chain.transition_matrix(log_joint - log_q, log_q),
                 because="both weights are at the same k', so p(x_k') cancels", claim="ou2018.fn11.cancel")

    yield mistake(r"p(z)\, K, \quad \text{accept with } \min\{1, w(h'_{k'}|x_{k'}) / w(h_k|x_k)\}",
                  jsa_chain.target(log_joint) @ jsa_chain.literal_chain(log_joint, log_q),
                  because="the old weight at its own k, as printed: it says nothing about the code that is replaced",
                  claim="ou2018.mis")

    yield mistake(r"p(z)\, K, \quad \text{a rejection keeps } k",
                  jsa_chain.target(log_joint) @ jsa_chain.jsa_chain(log_joint, log_q, a_rejection="keeps k"),
                  because="an index whose proposals are accepted more often is seen more often")

    yield mistake(r"p(z)\, K, \quad w = p_\theta(x, h) / q_\phi(h|x) \text{ at different } k",
                  jsa_chain.target(log_joint) @ jsa_chain.computable_literal_chain(log_joint, log_q),
                  because="p(x_k) / p(x_k') does not cancel", claim="ou2018.fn11.joint")


@derivation(jsa_chain.random_case)
def the_index_that_stays(log_joint, log_q):
    """Keeping k on a rejection weighs each index with its acceptance rate."""
    kept = jsa_chain.jsa_chain(log_joint, log_q, a_rejection="keeps k")

    yield start(r"\mu = \mu K_{\text{keep}}", stationary_law(kept), because="the stationary law, from the matrix",
                claim="ou2018.x_mis_keep")

    yield equals(r"\prod_j p(h_j|x_j)\, \frac{A_k(h_k)}{\sum_j A_j(h_j)}, \quad"
                 r" A_k(h) = \sum_{h'} q(h'|x_k) \min\{1, w(h'|x_k) / w(h|x_k)\}",
                 jsa_chain.law_of_kept_index(log_joint, log_q),
                 because="codes move as before; z is entered with rate A_k / n and left with the mean of all A_j")

    yield mistake(r"\tfrac1n \prod_j p(h_j|x_j)", jsa_chain.target(log_joint),
                  because="k is uniform only where every code has the same acceptance rate")
