r"""Wake-sleep learning as stochastic approximation (ou2018 Sec. 3.2.2, Proposition 1 and Algorithm 3).

A root of f(lambda) = E_p(z;lambda) F(z; lambda) is sought by lambda <- lambda + gamma F(z; lambda) (ou2018 Eq. 1). Here

    lambda = (theta, phi)    z = (x, h, x', h')    p(z; lambda) = p~(x) q(h|x) p(x', h')
    F(z; lambda) = (dlog p(x, h)/dtheta, dlog q(h'|x')/dphi)

f = 0 is ou2018 Eq. 18, and Algorithm 3 averages F over a wake minibatch of (x, h) and a sleep minibatch of (x', h').
That a root exists does not let the algorithm find it: the Jacobian of f there must be Hurwitz. The same equations have
two kinds of root. Where the model is perfect, p~(x) q(h|x) = p(x, h), the Jacobian is -E[s s'] with
s = (dlog p/dtheta, -dlog q/dphi), and the root attracts. Where h is independent of x, in p and in q, the root repels.

The model is a sigmoid belief net (models/sbn.py), its pairs (x, h) are enumerated: N = 2**(D + H) of them.
p_data : (2**D,), a distribution over all x. Draws x (..., D), h (..., H); a minibatch is the last batch axis.

The largest real part of an eigenvalue at the root that attracts, and at the one that repels:

    >>> import numpy as np
    >>> from refdgm.directed.wake_sleep_sa import independent_root, jacobian, mean_field, perfect_root
    >>> slopes = [jacobian(mean_field, **root(0)) for root in (perfect_root, independent_root)]
    >>> [round(float(np.linalg.eigvals(J).real.max()), 5) for J in slopes]
    [-0.00025, 0.00482]
"""
import autograd.numpy as np
from autograd import grad

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, is_stable
from refdgm.models import sbn
from refdgm.models.sbn import log_joint, log_joint_table, log_marginal, log_q, log_q_table, score_phi, score_theta
from refdgm.numerics import all_binary, all_tuples, kl, softplus, weighted_sum


def pairs(theta):
    """Every (x, h), x slowest.  -> (N, D), (N, H)"""
    D, H = theta["W"].shape
    return onp.repeat(all_binary(D), 2**H, axis=0), onp.tile(all_binary(H), (2**D, 1))


def wake_law(phi, p_data):
    """p~(x) q(h|x) of every pair.  -> (N,)"""
    x = all_binary(phi["V"].shape[1])
    return onp.ravel(p_data[:, None] * onp.exp(log_q_table(phi, x)))


def model_law(theta):
    """p(x, h) of every pair.  -> (N,)"""
    return onp.exp(log_joint(theta, *pairs(theta)))


def noisy_field(theta, phi, x, h, x_dreamt, h_dreamt):
    """F(z; lambda), one draw of the ascent direction (ou2018 Proposition 1).  (..., D), (..., H), ... -> dicts"""
    return {"theta": score_theta(theta, x, h), "phi": score_phi(phi, x_dreamt, h_dreamt)}


def mean_field(theta, phi, p_data):
    """f(lambda) = E F(z; lambda), over all N**2 values of z (ou2018 Eq. 1, Proposition 1)."""
    (x, h), N = pairs(theta), 2 ** sum(theta["W"].shape)
    awake, asleep = all_tuples(N, 2).T
    law = wake_law(phi, p_data)[awake] * model_law(theta)[asleep]
    return weighted_sum(law, noisy_field(theta, phi, x[awake], h[awake], x[asleep], h[asleep]))


def update(theta, phi, wake, sleep):
    """The ascent direction of one step (ou2018 Algorithm 3): the averages of F over the two minibatches.

    wake = (x (..., M, D), h (..., M, H)) drawn from p~(x) q(h|x), sleep = (x', h') (..., M', .) drawn from p(x', h').
    """
    return {"theta": minibatch_mean(score_theta(theta, *wake), wake),
            "phi": minibatch_mean(score_phi(phi, *sleep), sleep)}


def minibatch_mean(scores, pairs):
    """(1/M) sum over the pairs of each minibatch.  Raises ValueError for M = 0."""
    x, _ = pairs
    valid.count("the size of a minibatch", x.shape[-2])
    return weighted_sum(onp.full(x.shape[:-1], 1 / x.shape[-2]), scores, axis=-1)


def jacobian(field, theta, phi, p_data, step=1e-4):
    """df/dlambda by central differences, for the spectrum of f at a root (ou2018 Theorem 1).  -> (P, P)"""
    at = {"theta": theta, "phi": phi}
    leaves = [(part, name) for part in at for name in at[part]]
    def f(part, name, change):
        f_there = field(**{**at, part: {**at[part], name: at[part][name] + change}}, p_data=p_data)
        return onp.concatenate([onp.ravel(f_there[p][n]) for p, n in leaves])
    return onp.stack([(f(p, n, change) - f(p, n, -change)) / (2 * step) for p, n in leaves
                      for change in step * onp.eye(at[p][n].size).reshape(-1, *at[p][n].shape)], axis=1)


# ---- oracles and cases ----------------------------------------------------------------

def gradients_of_objectives(theta, phi, p_data):
    """-dKL[p~ q || p]/dtheta and -dKL[p || p(x) q]/dphi by autograd: the left sides of ou2018 Eq. 18."""
    x = all_binary(theta["W"].shape[0])
    awake, dreamt = p_data[:, None] * onp.exp(log_q_table(phi, x)), onp.exp(log_joint_table(theta, x))
    p_x = dreamt.sum(axis=1, keepdims=True)
    return {"theta": grad(lambda t: -kl(awake, np.exp(log_joint_table(t, x)), axis=None))(theta),
            "phi": grad(lambda f: -kl(dreamt, p_x * np.exp(log_q_table(f, x)), axis=None))(phi)}


def over_minibatches(rule, M, M_dreamt):
    """Every pair of minibatches, its probability, and what rule(theta, phi, wake, sleep) makes of it."""
    def every(theta, phi, p_data):
        x, h = pairs(theta)
        awake, asleep = all_tuples(len(x), M)[:, None], all_tuples(len(x), M_dreamt)[None]
        probability = onp.prod(wake_law(phi, p_data)[awake], axis=-1) * onp.prod(model_law(theta)[asleep], axis=-1)
        return probability, rule(theta, phi, (x[awake], h[awake]), (x[asleep], h[asleep]))
    return every


def case(seed, D=3, H=2):
    """As sbn.random_case, with a distribution over all x in place of one x."""
    drawn = sbn.random_case(seed, D, H)
    p_data = onp.random.default_rng([seed, 1]).dirichlet(onp.ones(2**D))
    return {"theta": drawn["theta"], "phi": drawn["phi"], "p_data": p_data}


def small_case(seed):
    """8 pairs: minibatches of two and three of them can all be listed."""
    return case(seed, D=2, H=1)


def perfect_root(seed):
    """H = 1, data from the model itself, q the exact posterior (its log-odds are linear in x): a root of Eq. 18."""
    a, W, b = case(seed, D=3, H=1)["theta"].values()
    W = onp.sign(W) + W                         # every x_d depends on h, so theta can be identified,
    b = b / 4 - W[:, 0] / 2                     # and from few data: no p(x_d|h) is near 0 or 1
    theta = {"a": a / 2, "W": W, "b": b}
    phi = {"V": W.T, "c": a / 2 + onp.sum(softplus(b) - softplus(W[:, 0] + b))}
    return {"theta": theta, "phi": phi, "p_data": onp.exp(log_marginal(theta, all_binary(3)))}


def independent_root(seed):
    """The same data; h is independent of x, and each x_d has its mean: also a root of Eq. 18."""
    theta, _, p_data = perfect_root(seed).values()
    mean_x = p_data @ all_binary(3)
    return {"theta": {"a": theta["a"], "W": onp.zeros((3, 1)), "b": onp.log(mean_x / (1 - mean_x))},
            "phi": {"V": onp.zeros((1, 3)), "c": theta["a"]}, "p_data": p_data}


# ---- claims ---------------------------------------------------------------------------

def with_signs(**sign):
    return lambda **case: {part: {name: sign[part] * leaf for name, leaf in leaves.items()}
                           for part, leaves in mean_field(**case).items()}


def field_under(theta_law, phi_law):
    """E F where theta sees pairs (x, h) of one law and phi sees pairs of another."""
    def field(theta, phi, p_data):
        x, h = pairs(theta)
        laws = {"awake": wake_law(phi, p_data), "asleep": model_law(theta)}
        return {"theta": weighted_sum(laws[theta_law], score_theta(theta, x, h)),
                "phi": weighted_sum(laws[phi_law], score_phi(phi, x, h))}
    return field


def variational_field(theta, phi, p_data):
    """The left sides of ou2018 Eq. 10, variational learning: both from wake pairs, phi with a learning signal."""
    x, h = pairs(theta)
    law, signal = wake_law(phi, p_data), log_joint(theta, x, h) - log_q(phi, x, h)
    return {"theta": weighted_sum(law, score_theta(theta, x, h)),
            "phi": weighted_sum(law * signal, score_phi(phi, x, h))}


def mean_update(rule):
    def mean(**case):
        probability, step = over_minibatches(rule, 2, 3)(**case)
        return weighted_sum(probability, step)
    return mean


def sleep_variance(rule, M_dreamt=3):
    """The variance of each component of the sleep-phase update over all minibatches."""
    def variance(**case):
        probability, step = over_minibatches(rule, 2, M_dreamt)(**case)
        mean = weighted_sum(probability, step["phi"])
        return {k: weighted_sum(probability, (g - mean[k])**2) for k, g in step["phi"].items()}
    return variance


def variance_of_one_pair_over_three(theta, phi, p_data):
    law, scores = model_law(theta), score_phi(phi, *pairs(theta))
    mean = weighted_sum(law, scores)
    return {k: weighted_sum(law, (s - mean[k])**2) / 3 for k, s in scores.items()}


def sums_for_means(theta, phi, wake, sleep):
    return {"theta": weighted_sum(onp.ones(wake[0].shape[:-1]), score_theta(theta, *wake), axis=-1),
            "phi": weighted_sum(onp.ones(sleep[0].shape[:-1]), score_phi(phi, *sleep), axis=-1)}


def assigned_not_added(theta, phi, wake, sleep):
    """The gradient of each pair overwrites the one before; the last is divided by the size of the minibatch."""
    last = update(theta, phi, *(tuple(a[..., -1:, :] for a in batch) for batch in (wake, sleep)))
    return {"theta": {k: v / 2 for k, v in last["theta"].items()}, "phi": {k: v / 3 for k, v in last["phi"].items()}}


def summand_without_the_index(theta, phi, wake, sleep):
    """As printed: the sum runs over (x, h), but (x', h') stays; here it is the last pair that was drawn."""
    x, h = sleep
    fixed = onp.repeat(x[..., -1:, :], x.shape[-2], axis=-2), onp.repeat(h[..., -1:, :], h.shape[-2], axis=-2)
    return update(theta, phi, wake, fixed)


CLAIMS = [
    Claim("ou2018.prop1", mean_field, equals(gradients_of_objectives, case, rtol=1e-9, method="autodiff"),
          {"(x, h) also for phi": field_under("awake", "awake"),
           "(x', h') also for theta": field_under("asleep", "asleep"),
           "(x, h) and (x', h') exchanged": field_under("asleep", "awake"),
           "phi descends": with_signs(theta=+1, phi=-1)}),
    Claim("ou2018.xref.eq10_to_eq18", mean_update(update),
          equals(mean_field, small_case),
          {"wake and sleep minibatches exchanged": mean_update(lambda t, f, wake, sleep: update(t, f, sleep, wake)),
           "phi on the wake minibatch": mean_update(lambda t, f, wake, sleep: update(t, f, wake, wake))},
          printed=variational_field),
    Claim("ou2018.alg3", mean_update(update), equals(gradients_of_objectives, small_case, rtol=1e-9, method="autodiff"),
          {"phi on the wake minibatch": mean_update(lambda t, f, wake, sleep: update(t, f, wake, wake)),
           "theta on the sleep minibatch": mean_update(lambda t, f, wake, sleep: update(t, f, sleep, sleep)),
           "sums for means": mean_update(sums_for_means),
           "gradients assigned instead of added": mean_update(assigned_not_added)}),
    Claim("ou2018.alg3.index", sleep_variance(update), equals(variance_of_one_pair_over_three, small_case),
          {"summed over the wake minibatch": sleep_variance(lambda t, f, wake, sleep: update(t, f, wake, wake)),
           "no 1/|M'|": sleep_variance(sums_for_means),
           "one pair fewer": sleep_variance(update, M_dreamt=2)},
          printed=sleep_variance(summand_without_the_index)),
    Claim("ou2018.prop.solvable", lambda **c: jacobian(mean_field, **c), is_stable(perfect_root),
          {"descending": lambda **c: jacobian(with_signs(theta=-1, phi=-1), **c),
           "phi descends": lambda **c: jacobian(with_signs(theta=+1, phi=-1), **c),
           "phi on the wake minibatch": lambda **c: jacobian(field_under("awake", "awake"), **c)},
          without=is_stable(independent_root)),
]
