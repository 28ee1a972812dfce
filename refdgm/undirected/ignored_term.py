r"""The term that contrastive divergence ignores, for any number of steps (bachman2015 Eqs. 44-45; Hinton 2002).

With q_k = D T^k the law of x_k, pi = p(x) the RBM's marginal and the prior q_k of Eq. 32, summing tau away leaves

    objective   KL(q(tau)||p(tau)) = KL(D||pi) - KL(q_k||pi)
    Eq. 44      CD_k    = E_D[grad log Z_x] - E_{q_k}[grad log Z_x]
    Eq. 45      ignored = -sum_x grad q_k(x) log q_k(x)/pi(x)
    Eq. 35      grad KL = -CD_k + ignored
    ratio       log q(tau_x|x)/p(tau_x|x) = log (q_2k/pi)(x_0) - log (q_k/pi)(x_k)

so nothing below enumerates trajectories, and k may be large. data (2**D,) is the law of x_0; gradients are as theta.

>>> from refdgm.undirected.ignored_term import gibbs, ignored_term, mean_update
>>> [round(float(part(**gibbs.random_case(0))["b"][0]), 3) for part in (mean_update, ignored_term)]
[-0.269, 0.002]
"""
import autograd.numpy as np
from autograd import grad
from autograd.misc import flatten

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, is_at_least, tends_to
from refdgm.models import rbm
from refdgm.numerics import all_binary, kl, weighted_sum
from refdgm.samplers import block_gibbs as gibbs
from refdgm.samplers.block_gibbs import visible_table as pi_of


def mean_update(theta, data, k):
    """The mean of CD-k's update, E_D[grad log Z_x] - E_{q_k}[grad log Z_x] (bachman2015 Eq. 44)."""
    return rbm.mean_statistics(theta, data - gibbs.marginal(theta, data, k))


def likelihood_gradient(theta, data):
    """E_D[grad log p(x)], what CD-k approximates (bachman2015 Eq. 44, left-hand side)."""
    return weighted_sum(data, rbm.score(theta, all_binary(theta["w"].shape[0])))


def ignored_term(theta, data, k):
    """-sum_x grad q_k(x) log q_k(x)/pi(x), with tau summed away (bachman2015 Eq. 45)."""
    log_ratio = onp.log(gibbs.marginal(theta, data, k)) - rbm.log_marginal_table(theta)
    return weighted_sum(-log_ratio, gibbs.marginal_gradient(theta, data, k))


def divergence(theta, data, k):
    """KL(D||pi) - KL(q_k||pi), Hinton's contrastive divergence (bachman2015 Eq. 24 with the prior of Eq. 32).  -> ()"""
    pi = onp.exp(rbm.log_marginal_table(theta))
    return kl(data, pi) - kl(gibbs.marginal(theta, data, k), pi)


def divergence_gradient(theta, data, k):
    """-CD_k + Eq. 45, the whole gradient of the divergence (bachman2015 Eq. 35)."""
    update, ignored = mean_update(theta, data, k), ignored_term(theta, data, k)
    return {name: ignored[name] - update[name] for name in theta}


def conditional_log_ratio(theta, data, k):
    """log q(tau_x|x_0)/p(tau_x|x_0): it depends on x_0 and x_k only (bachman2015 Eq. 45).  -> (2**D, 2**D)"""
    log_pi = rbm.log_marginal_table(theta)
    return (onp.log(gibbs.marginal(theta, data, 2 * k)) - log_pi)[:, None] \
        - (onp.log(gibbs.marginal(theta, data, k)) - log_pi)


# ---- oracles: whole trajectories, from Boltzmann weights alone ------------------------

def laws_by_table(theta, data, k, prior=gibbs.marginal_table):
    """q(tau) and p(tau), one axis for each state."""
    return gibbs.forward_table(theta, data, k), gibbs.backward_table(theta, prior(theta, data, k), k)


def divergence_by_table(theta, data, k, prior=gibbs.marginal_table):
    q, p = laws_by_table(theta, data, k, prior)
    return np.sum(q * np.log(q / p))


def divergence_by_table_from_rbm(theta, data, k):
    """The same with the RBM's marginal as the prior of x_k."""
    return divergence_by_table(theta, data, k, lambda theta, data, k: pi_of(theta))


def ratio_by_table(theta, data, k):
    """log q(tau_x|x)/p(tau_x|x) on every trajectory."""
    q, p = laws_by_table(theta, data, k)
    at_x = (slice(None),) + (None,) * (q.ndim - 1)
    return onp.log(q / data[at_x]) - onp.log(p / p.sum(axis=tuple(range(1, p.ndim)))[at_x])


def policy_gradient(theta, data, k):
    """The gradient of E_q[R] with the reward R = log q(tau_x|x)/p(tau_x|x) frozen: Eq. 45 by autograd."""
    valid.count("k", k)
    reward = ratio_by_table(theta, data, k)
    return grad(lambda t: np.sum(gibbs.forward_table(t, data, k) * reward))(theta)


def likelihood_gradient_by_table(theta, data):
    return grad(lambda t: np.sum(data * np.log(pi_of(t))))(theta)


# ---- small random cases ---------------------------------------------------------------

def strong_case(seed):
    """Weights as large as learning makes them: most chains mix slowly (and no biases, as in the paper)."""
    rng, (D, H, k) = onp.random.default_rng(seed), ((3, 2, 1), (2, 3, 2))[seed % 2]
    return {"theta": rbm.random_theta(rng, D, H, biases=False, scale=4.0), "data": rng.dirichlet(onp.full(2**D, 2.0)),
            "k": k}


def slow_machines(seed, n=16):
    """A sample of chains that do mix slowly, second eigenvalue above 0.3: 1 in 25 is below the bound on the median."""
    machines, i = [], 1000 * seed
    while len(machines) < n:
        case, i = strong_case(i), i + 1
        if gibbs.spectrum(case["theta"])[0][1] > 0.3:
            machines.append(case)
    return {"machines": machines}


def reversed_case(seed):
    """Around an RBM on which the CD-1 update points away from both gradients that it stands for."""
    w = onp.array([[2.0], [-6.5]]) + 2e-3 * onp.random.default_rng(seed).normal(size=(2, 1))
    return {"theta": {"w": w}, "data": onp.array([0.10, 0.65, 0.15, 0.10]), "k": 1}


# ---- claims ---------------------------------------------------------------------------

def _vector(tree): return flatten(tree)[0]


def zeros(**case):
    return {name: 0 * leaf for name, leaf in case["theta"].items()}


def negative(tree): return {name: -leaf for name, leaf in tree.items()}


def with_prior(log_prior):
    """Eq. 45 for another prior r: the log ratio becomes log r/pi."""
    return lambda theta, data, k: weighted_sum(
        rbm.log_marginal_table(theta) - log_prior(theta, data), gibbs.marginal_gradient(theta, data, k))


def relative_size(ignored):
    """The median of |Eq. 45| / |CD_k| over machines, for k = 1 and k = 3."""
    def ratio(theta, data, k):
        return onp.linalg.norm(_vector(ignored(theta, data, k))) / onp.linalg.norm(_vector(mean_update(theta, data, k)))
    return lambda machines: onp.median(onp.array([[ratio(**m | {"k": k}) for m in machines] for k in (1, 3)]), axis=1)


def alignment(update):
    """The cosines of an update, and of the likelihood gradient, with the direction of steepest descent on KL(q||p)."""
    def cosines(theta, data, k):
        down = -_vector(divergence_gradient(theta, data, k))
        return onp.array([v @ down / onp.linalg.norm(v) / onp.linalg.norm(down)
                          for v in (_vector(update(theta, data, k)), _vector(likelihood_gradient(theta, data)))])
    return cosines


def slope(size=lambda g: -g @ g):
    """d/d eta of E[frozen ratio] when theta moves by -eta g, g = Eq. 45."""
    return lambda **case: size(_vector(ignored_term(**case)))


def along_ignored(gradient):
    """The same, for what has this gradient."""
    return lambda **case: -_vector(gradient(**case)) @ _vector(ignored_term(**case))


def finite_and_limit(ratio):
    """The log ratio on every trajectory of k steps, and for every (x_0, x_64)."""
    def both(theta, data, k):
        table, between = ratio(theta, data, k), (1,) * (2 * k - 1)
        shape = (data.size,) + (2**theta["w"].shape[1], data.size) * k
        return {"k steps": table.reshape((data.size, *between, data.size)) + onp.zeros(shape),
                "64 steps": ratio(theta, data, 64)}
    return both


def log_q_k(theta, data, k):
    return onp.log(gibbs.marginal(theta, data, k))


def ratio_with_prior(log_arrival, log_prior):
    """log p(x_0)/pi(x_0) - log p(x_k)/pi(x_k) for another prior, and where it arrives."""
    def table(theta, data, k):
        log_pi = rbm.log_marginal_table(theta)
        return (log_arrival(theta, data, k) - log_pi)[:, None] - (log_prior(theta, data, k) - log_pi)
    return table


def both(value, gradient):
    """A value of the divergence, and beside it a gradient or one of its terms."""
    return lambda theta, data, k: {"KL": value(theta, data, k), "gradient": gradient(theta, data, k)}


def likelihood_descent(theta, data, k):
    return negative(likelihood_gradient(theta, data))


def kl_data_model(theta, data, k):
    return kl(data, pi_of(theta))


CLAIMS = [
    Claim("bachman2015.eq44", mean_update, tends_to(likelihood_gradient_by_table, gibbs.random_long_case, "k", (1, 64)),
          {"with the sign of Eq. 43": lambda **case: negative(mean_update(**case)),
           "one step, however large k": lambda theta, data, k: mean_update(theta, data, 1),
           "the chain started from a uniform x": lambda theta, data, k: mean_update(theta, 0 * data + 1 / data.size, k),
           "the positive phase alone": lambda theta, data, k: rbm.mean_statistics(theta, data)},
          without=equals(lambda theta, data, k: likelihood_gradient_by_table(theta, data), reversed_case)),
    Claim("bachman2015.eq31_limit", ignored_term,
          tends_to(zeros, gibbs.random_long_case, "k", (1, 64), scale=lambda **case: 1.0),
          {"with the data as the prior": with_prior(lambda theta, data: onp.log(data)),
           "with a uniform prior": with_prior(lambda theta, data: 0 * data),
           "one step, however large k": lambda theta, data, k: ignored_term(theta, data, 1)}),
    Claim("bachman2015.sec5.4_descent", alignment(mean_update),
          tends_to(lambda theta, data: onp.ones(2), gibbs.random_long_case, "k", (1, 64), rtol=1e-10),
          {"descent is ascent": alignment(lambda theta, data, k: negative(mean_update(theta, data, k))),
           "the ignored term itself": alignment(ignored_term),
           "one step, however large k": alignment(lambda theta, data, k: mean_update(theta, data, 1))},
          without=is_at_least(lambda **case: onp.zeros(2), reversed_case)),
    Claim("bachman2015.eq45_equal", finite_and_limit(conditional_log_ratio),
          equals(lambda theta, data, k: {"k steps": ratio_by_table(theta, data, k),
                                         "64 steps": onp.zeros((data.size, data.size))}, gibbs.random_case,
                 scale=lambda **case: 1.0),     # of the logarithms that are subtracted
          {"with the data as the prior": finite_and_limit(ratio_with_prior(
              log_q_k, lambda theta, data, k: onp.log(data))),
           "the backward chain stays at q(x_k)": finite_and_limit(ratio_with_prior(log_q_k, log_q_k)),
           "equal at every k": finite_and_limit(lambda theta, data, k: onp.zeros((data.size, data.size)))}),
    Claim("bachman2015.eq45_size", relative_size(ignored_term),
          is_at_least(lambda machines: onp.array([0.1, 0.01]), slow_machines),
          {"the RBM's marginal as the prior": relative_size(with_prior(lambda theta, data: onp.log(pi_of(theta)))),
           "a score without the ratio": relative_size(with_prior(lambda theta, data: onp.log(pi_of(theta)) - 1.0))}),
    Claim("bachman2015.eq45_policy", slope(), equals(along_ignored(policy_gradient), strong_case, method="autodiff"),
          {"it raises the ratio": slope(lambda g: g @ g), "|g|, not squared": slope(lambda g: -onp.linalg.norm(g)),
           "the ratio not frozen: the whole gradient": along_ignored(divergence_gradient)}),
    Claim("bachman2015.x_cdk", both(divergence, ignored_term),
          equals(both(divergence_by_table, policy_gradient), gibbs.random_case),
          {"KL(D||pi) alone": both(kl_data_model, ignored_term),
           "plus KL(q_k||pi)": both(lambda *case: 2 * kl_data_model(*case) - divergence(*case), ignored_term),
           "KL(D||q_k)": both(lambda theta, data, k: kl(data, gibbs.marginal(theta, data, k)), ignored_term),
           "+ sum grad q_k log q_k/pi": both(divergence, lambda *case: negative(ignored_term(*case))),
           "nothing ignored": both(divergence, lambda theta, data, k: zeros(theta=theta))}),
    Claim("bachman2015.x_ml", both(kl_data_model, likelihood_descent),
          equals(both(divergence_by_table_from_rbm, lambda *case: grad(divergence_by_table_from_rbm)(*case)),
                 gibbs.random_case),
          {"with the prior q(x_k)": both(divergence, divergence_gradient),
           "CD's gradient": both(kl_data_model, lambda *case: negative(mean_update(*case))),
           "KL(pi||D)": both(lambda theta, data, k: kl(pi_of(theta), data), likelihood_descent)}),
]
