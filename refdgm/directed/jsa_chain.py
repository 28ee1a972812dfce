r"""The Markov chain of JSA: one latent code at a time (ou2018 Sec. 3.2.3, MIS steps 1-2 and footnote 11).

    state   z = (k, h_1, ..., h_n): a code for each of n observations, and the index k of the one that was updated
    target  p(z) = (1/n) prod_j p(h_j|x_j)
    step    propose k' uniformly and h' ~ q(.|x_k') for the code k' alone; accept with min{1, w' / w}

The paper writes w(z) = p(h_k|x_k) / q(h_k|x_k) for both weights, so that w(z^(t-1)) is read at the old index k. Two
things must be read otherwise, or p(z) is not invariant:

  * the weight to beat is that of the old code at the *proposed* index, p(h_k'|x_k') / q(h_k'|x_k'). Then, and only
    then, the intractable p(x_k') cancels;
  * a rejection keeps the codes and still moves to k'. Where it keeps k, an index whose proposals are accepted more
    often is seen more often: the chain's law is prod_j p(h_j|x_j) A_k / sum_j A_j, A_k the acceptance rate at k.

Shapes: n observations with m latent states each; log_joint[k, h] = log p(x_k, h) and log_q[k, h] = log q(h|x_k) are
(n, m). The matrix of the chain is (n m^n, n m^n), the index k slowest.

How far a step moves p(z), for the two readings of the weight to beat:

    >>> from refdgm.directed.jsa_chain import jsa_chain, random_case, target
    >>> case, p = random_case(0), target(**random_case(0))
    >>> [round(float(abs(p @ jsa_chain(**case, weight_at=k) - p).sum()), 3) for k in ("the proposed k", "the old k")]
    [0.0, 0.1]
"""

from refdgm.backend import xp as np
from refdgm.checking import Claim, equals, leaves_invariant
from refdgm.models.finite_chain import stationary_law
from refdgm.numerics import all_tuples, log_softmax
from refdgm.samplers import independence


def target(log_joint, log_q=None):
    """p(z) = (1/n) prod_j p(h_j|x_j) (ou2018 Prop. 2).  (n, m) -> (n m^n,)"""
    n, m = log_joint.shape
    codes = np.exp(np.sum(log_softmax(log_joint)[np.arange(n), all_tuples(m, n)], axis=-1))
    return np.tile(codes, n) / n


def transition_matrix(log_w, log_q, weight_at="the proposed k", a_rejection="moves to the proposed k"):
    """The chain on z, for each reading of its step (ou2018 Sec. 3.2.3, MIS steps 1-2).  (n, m), (n, m) -> square"""
    n, m = log_w.shape
    codes = all_tuples(m, n)
    here = np.arange(len(codes))
    own_log_w = log_w[np.arange(n), codes].T                                # of the old code at the old k: (n, m^n)
    P = np.zeros((n, len(codes), n, len(codes)))
    for k in range(n):                                                      # the proposed index ...
        to_beat = own_log_w if weight_at == "the old k" else np.broadcast_to(own_log_w[k], own_log_w.shape)
        for h in range(m):                                                  # ... and the proposed code
            there = here + (h - codes[:, k]) * m ** (n - 1 - k)
            proposed = np.exp(log_q[k, h]) / n
            accepted = proposed * independence.acceptance(log_w[k, h], to_beat)
            P[:, here, k, there] += accepted
            if a_rejection == "keeps k":
                P[np.arange(n)[:, None], here, np.arange(n)[:, None], here] += proposed - accepted
            else:
                P[:, here, k, here] += proposed - accepted
    return P.reshape(n * len(codes), -1)


def log_weight_ratio(log_joint, log_q, new, old):
    """log w(z) / w(z^(t-1)) from the computable p(x, h) / q(h|x) (ou2018 footnote 11).  new, old: index and code"""
    return (log_joint[new] - log_q[new]) - (log_joint[old] - log_q[old])


def joint_chain(log_joint, log_q, p_data):
    """The chain on (x, h) with proposal p~(x) q(h|x) and weight p(x, h) / q(h|x) (ou2018 footnote 11).  -> square"""
    proposal = np.log(p_data)[:, None] + log_q
    return independence.transition_matrix((log_joint - log_q).ravel(), proposal.ravel())


def law_of_kept_index(log_joint, log_q):
    """prod_j p(h_j|x_j) A_k(h_k) / sum_j A_j(h_j), where a rejection keeps k; A_k(h) is the chance of leaving h at k.

    The right weight at the proposed index, but k kept on a rejection: the codes move as they should, and z is entered
    at the rate A_k / n.  (n, m), (n, m) -> (n m^n,)
    """
    n, m = log_q.shape
    codes, log_w = all_tuples(m, n), log_softmax(log_joint) - log_q
    rate = np.sum(np.exp(log_q)[:, None, :] * independence.acceptance(log_w[:, None, :], log_w[:, :, None]), axis=-1)
    A = rate[np.arange(n), codes].T                                         # at each z: (n, m^n)
    return (np.exp(np.sum(log_softmax(log_joint)[np.arange(n), codes], axis=-1)) * A / np.sum(A, axis=0)).ravel()


def random_case(seed, n=3, m=3):
    """log p(x_k, h) and log q(h|x_k) for n observations with m latent states each."""
    rng = np.random.default_rng(seed)
    return {"log_joint": rng.normal(size=(n, m)) - 3 + rng.normal(size=(n, 1)),
            "log_q": log_softmax(rng.normal(size=(n, m)))}


# ---- claims ---------------------------------------------------------------------------

def jsa_chain(log_joint, log_q, **reading):
    return transition_matrix(log_softmax(log_joint) - log_q, log_q, **reading)


def literal_chain(log_joint, log_q):
    """As printed: w(z^(t-1)) has its own k, and a rejection keeps z^(t-1), its k included."""
    return jsa_chain(log_joint, log_q, weight_at="the old k", a_rejection="keeps k")


def computable_literal_chain(log_joint, log_q):
    """As printed, with p(x, h) for the intractable p(h|x)."""
    return transition_matrix(log_joint - log_q, log_q, weight_at="the old k")


def exact_ratio(log_joint, log_q, new, old):
    """The same ratio from p(h|x), as the brute-force oracle has it."""
    w = np.exp(log_joint) / np.sum(np.exp(log_joint), axis=1, keepdims=True) / np.exp(log_q)
    return np.log(w[new] / w[old])


def ratio_case(seed, same_k=True):
    rng = np.random.default_rng([seed, 7])
    k, k_old = rng.permutation(3)[:2]
    h, h_old = rng.permutation(3)[:2]
    return {**random_case(seed), "new": (k, h), "old": (k if same_k else k_old, h_old)}


def joint_case(seed):
    return {**random_case(seed, n=4), "p_data": np.random.default_rng([seed, 8]).dirichlet(np.full(4, 3.0))}


def joint_chain_law(log_joint, log_q, p_data):
    """What the computable joint chain samples."""
    return stationary_law(joint_chain(log_joint, log_q, p_data))


def tempered_by_p_x(log_joint, log_q, p_data):
    """p~(x) p(x, h) / sum: each x weighed once more, by the p(x) that did not cancel."""
    law = p_data[:, None] * np.exp(log_joint)
    return (law / np.sum(law)).ravel()


def mean_rates(log_joint, log_q):
    """How often each k is seen where a rejection keeps k, codes averaged over.  -> (n,), sums to one"""
    return law_of_kept_index(log_joint, log_q).reshape(len(log_q), -1).sum(axis=1)


CLAIMS = [
    Claim("ou2018.mis", jsa_chain, leaves_invariant(target, random_case),
          {"a rejection keeps the old k": lambda **c: jsa_chain(**c, a_rejection="keeps k"),
           "the weight to beat is that of the old k": lambda **c: jsa_chain(**c, weight_at="the old k"),
           "p(x, h)/q at different k: p(x) stays": computable_literal_chain,
           "no accept/reject": lambda log_joint, log_q: transition_matrix(0 * log_q, log_q),
           "weights q/p": lambda log_joint, log_q: transition_matrix(log_q - log_joint, log_q)},
          printed=literal_chain),
    Claim("ou2018.x_mis_keep", law_of_kept_index,
          equals(lambda **c: stationary_law(jsa_chain(**c, a_rejection="keeps k")), random_case, method="matrix"),
          {"the target: k uniform": target,
           "k at its mean rate, whatever the codes": lambda log_joint, log_q: target(log_joint) * np.repeat(
               len(log_q) * mean_rates(log_joint, log_q), log_q.shape[1] ** len(log_q)),
           "proposals taken for uniform ones": lambda log_joint, log_q: law_of_kept_index(log_joint, 0 * log_q - np.log(
               log_q.shape[1]))}),
    Claim("ou2018.fn11.cancel", log_weight_ratio, equals(exact_ratio, ratio_case),
          {"p(x) cancels in w(z) itself": lambda log_joint, log_q, new, old: log_joint[new] - log_q[new],
           "inverted": lambda log_joint, log_q, new, old: log_weight_ratio(log_joint, log_q, old, new),
           "q cancels, too": lambda log_joint, log_q, new, old: log_joint[new] - log_joint[old]},
          without=equals(exact_ratio, lambda seed: ratio_case(seed, same_k=False))),
    Claim("ou2018.fn11.joint", joint_chain_law, equals(tempered_by_p_x, joint_case, method="matrix"),
          {"p(x) cancels: p~(x) p(h|x)": lambda log_joint, log_q, p_data:
              (p_data[:, None] * np.exp(log_softmax(log_joint))).ravel(),
           "the model's joint p(x, h)": lambda log_joint, log_q, p_data: np.exp(log_softmax(log_joint.ravel())),
           "with the intractable weight p(h|x)/q(h|x)": lambda log_joint, log_q, p_data:
              joint_chain_law(log_softmax(log_joint), log_q, p_data)}),
]
