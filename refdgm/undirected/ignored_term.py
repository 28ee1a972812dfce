r"""The term that contrastive divergence ignores, for any number of steps (bachman2015 Eqs. 44-45; Hinton 2002).

With q_k = D T^k the law of x_k, pi = p(x) the RBM's marginal and the prior q_k of Eq. 32, summing tau away leaves

    objective   KL(q(tau)||p(tau)) = KL(D||pi) - KL(q_k||pi)
    Eq. 44      CD_k    = E_D[grad log Z_x] - E_{q_k}[grad log Z_x]
    Eq. 45      ignored = -sum_x grad q_k(x) log q_k(x)/pi(x)
    Eq. 35      grad KL = -CD_k + ignored
    ratio       log q(tau_x|x)/p(tau_x|x) = log (q_2k/pi)(x_0) - log (q_k/pi)(x_k)

so nothing below enumerates trajectories, and k may be large. With lambda_2 < 1 the second eigenvalue of T, CD_k and
Eq. 45 both miss their limits by O(lambda_2^k), but together they miss the likelihood gradient by O(k lambda_2^2k).
data (2**D,) is the law of x_0; gradients are dicts shaped as theta.
"""
import autograd.numpy as np
import numpy as onp
from autograd import grad
from autograd.misc import flatten

from refdgm.checking import Claim, equals, is_at_least, tends_to
from refdgm.models import rbm
from refdgm.numerics import all_binary, kl, weighted_sum
from refdgm.samplers import block_gibbs as gibbs


def mean_update(theta, data, k):
    """The mean of CD-k's update, E_D[grad log Z_x] - E_{q_k}[grad log Z_x] (bachman2015 Eq. 44)."""
    return weighted_sum(data - gibbs.marginal(theta, data, k), rbm.grad_log_z(theta, _visible(theta)))


def likelihood_gradient(theta, data):
    """E_D[grad log p(x)], what CD-k approximates (bachman2015 Eq. 44, left-hand side)."""
    return weighted_sum(data, rbm.score(theta, _visible(theta)))


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


def _visible(theta):
    return all_binary(theta["w"].shape[0])


# ---- oracles: whole trajectories, from Boltzmann weights alone ------------------------

def laws_by_table(theta, data, k, prior=gibbs.marginal_table):
    """q(tau) and p(tau), one axis for each state."""
    return gibbs.forward_table(theta, data, k), gibbs.backward_table(theta, prior(theta, data, k), k)


def divergence_by_table(theta, data, k, prior=gibbs.marginal_table):
    q, p = laws_by_table(theta, data, k, prior)
    return np.sum(q * np.log(q / p))


def ratio_by_table(theta, data, k):
    """log q(tau_x|x)/p(tau_x|x) on every trajectory."""
    q, p = laws_by_table(theta, data, k)
    at_x = (slice(None),) + (None,) * (q.ndim - 1)
    return onp.log(q / data[at_x]) - onp.log(p / p.sum(axis=tuple(range(1, p.ndim)))[at_x])


def policy_gradient(theta, data, k):
    """The gradient of E_q[R] with the reward R = log q(tau_x|x)/p(tau_x|x) frozen: Eq. 45 by autograd."""
    reward = ratio_by_table(theta, data, k)
    return grad(lambda t: np.sum(gibbs.forward_table(t, data, k) * reward))(theta)


def likelihood_gradient_by_table(theta, data):
    return grad(lambda t: np.sum(data * np.log(gibbs.visible_table(t))))(theta)


# ---- small random cases ---------------------------------------------------------------

def strong_case(seed):
    """Weights as large as learning makes them: chains that mix slowly (and no biases, as in the paper)."""
    rng = onp.random.default_rng(seed)
    D, H, k = ((3, 2, 1), (2, 3, 2))[seed % 2]
    return {"theta": rbm.random_theta(rng, D, H, biases=False, scale=4.0), "data": rng.dirichlet(onp.full(2**D, 2.0)),
            "k": k}


def twelve_machines(seed):
    """A sample, so that its median is a steady number."""
    return {"machines": [strong_case(12 * seed + i) for i in range(12)]}


def reversed_case(seed):
    """Around an RBM on which the CD-1 update points away from both gradients that it stands for."""
    w = onp.array([[2.0], [-6.5]]) + 2e-3 * onp.random.default_rng(seed).normal(size=(2, 1))
    return {"theta": {"w": w}, "data": onp.array([0.10, 0.65, 0.15, 0.10]), "k": 1}


def two_eigenvalue_case(seed):
    """A layer of one unit, so that T has the eigenvalues 1, lambda_2 near 1/2 and zeros; no state is very rare."""
    rng = onp.random.default_rng(seed)
    D, H = ((2, 1), (1, 3))[seed % 2]
    while True:
        theta = rbm.random_theta(rng, D, H, scale=4.0)
        theta["b"] = theta["b"] / 2 - theta["w"].sum(1) / 2             # on average as often on as off
        theta["c"] = theta["c"] / 2 - theta["w"].sum(0) / 2
        pi = onp.exp(rbm.log_marginal_table(theta))
        if abs(second_eigenvalue(theta) - 0.5) < 0.05 and onp.min(pi) > 0.05:
            f = gibbs.spectrum(theta)[1][:, 1]
            near = pi * (1 + rng.uniform(0.4, 0.8) * f / onp.max(onp.abs(f)))   # a share of f that is not small
            return {"theta": theta, "data": 0.8 * near + 0.2 * rng.dirichlet(10 * pi + 1), "k": 12}


def second_eigenvalue(theta):
    """trace T - 1, from Boltzmann weights, where T has two eigenvalues other than zero."""
    weights = rbm.boltzmann(theta)
    return np.sum(weights**2 / np.sum(weights, axis=1, keepdims=True) / np.sum(weights, axis=0)) - 1


# ---- claims ---------------------------------------------------------------------------

def vector(tree):
    return flatten(tree)[0]


def zeros(**case):
    return {name: 0 * leaf for name, leaf in case["theta"].items()}


def negative(tree):
    return {name: -leaf for name, leaf in tree.items()}


def with_prior(log_prior):
    """Eq. 45 for another prior r: the log ratio becomes log r/pi."""
    return lambda theta, data, k: weighted_sum(
        rbm.log_marginal_table(theta) - log_prior(theta, data), gibbs.marginal_gradient(theta, data, k))


def relative_size(ignored):
    """The median of |Eq. 45| / |CD_k| over machines, for k = 1 and k = 3."""
    def ratio(theta, data, k):
        return onp.linalg.norm(vector(ignored(theta, data, k))) / onp.linalg.norm(vector(mean_update(theta, data, k)))
    return lambda machines: onp.array([onp.median([ratio(m["theta"], m["data"], k) for m in machines]) for k in (1, 3)])


def alignment(update):
    """The cosines of an update, and of the likelihood gradient, with the direction of steepest descent on KL(q||p)."""
    def cosines(theta, data, k):
        down = -vector(divergence_gradient(theta, data, k))
        return onp.array([v @ down / onp.linalg.norm(v) / onp.linalg.norm(down)
                          for v in (vector(update(theta, data, k)), vector(likelihood_gradient(theta, data)))])
    return cosines


def slope(size=lambda g: -g @ g):
    """d/d eta of E[frozen ratio] when theta moves by -eta g, g = Eq. 45."""
    return lambda theta, data, k: size(vector(ignored_term(theta, data, k)))


def slope_by_table(theta, data, k):
    return -vector(policy_gradient(theta, data, k)) @ vector(ignored_term(theta, data, k))


def finite_and_limit(ratio):
    """The log ratio on every trajectory of k steps, and for every (x_0, x_64)."""
    def both(theta, data, k):
        table, between = ratio(theta, data, k), (1,) * (2 * k - 1)
        shape = (data.size,) + (2**theta["w"].shape[1], data.size) * k
        return {"k steps": table.reshape((data.size, *between, data.size)) + onp.zeros(shape),
                "64 steps": ratio(theta, data, 64)}
    return both


def ratio_with_prior(log_arrival, log_prior):
    """log p(x_0)/pi(x_0) - log p(x_k)/pi(x_k) for another prior, and where it arrives."""
    def table(theta, data, k):
        log_pi = rbm.log_marginal_table(theta)
        return (log_arrival(theta, data, k) - log_pi)[:, None] - (log_prior(theta, data, k) - log_pi)
    return table


def log_law(steps):
    return lambda theta, data, k: onp.log(gibbs.marginal(theta, data, steps(k)))


def objective_and_ignored(objective, ignored=ignored_term):
    return lambda theta, data, k: {"KL": objective(theta, data, k), "Eq. 45": ignored(theta, data, k)}


def pi_of(theta):
    return onp.exp(rbm.log_marginal_table(theta))


def value_and_gradient(value, gradient):
    return lambda theta, data, k: {"KL": value(theta, data, k), "gradient": gradient(theta, data, k)}


def by_rbm(theta, data, k):
    return gibbs.visible_table(theta)


def scaled_errors(kept=1.0, power=1, growth=1.0):
    """(CD_k - ML) / lambda^k, and how much (grad KL + ML) / lambda^2k grows from k to k + 1, over a^2.

    a is the share of the second eigenfunction in D: q_k/pi = 1 + a lambda^k f. `kept` is the part of Eq. 45 that is
    kept; `power` and `growth` are one. The mistakes change these.
    """
    def both(theta, data, k):
        ml, rate, pi = vector(likelihood_gradient(theta, data)), second_eigenvalue(theta), pi_of(theta)
        a_square = onp.sum((gibbs.marginal(theta, data, 1) - pi)**2 / pi) / rate**2

        def error(k):
            return kept * vector(ignored_term(theta, data, k)) - vector(mean_update(theta, data, k)) + ml
        return {"ignored": (vector(mean_update(theta, data, k)) - ml) / rate ** (power * k),
                "kept": growth * (error(k + 1) / rate ** (2 * k + 2) - error(k) / rate ** (2 * k)) / a_square}
    return both


def limits_by_perturbation(theta, data, k):
    """E[grad log Z_x] differs by a lambda^k times a constant, known from k = 1; and KL(q_k||pi) is
    a^2 lambda^2k / 2 + O(lambda^3k), whose gradient is k a^2 lambda^2k grad log lambda + O(lambda^2k)."""
    distance = gibbs.visible_table(theta) - gibbs.marginal_table(theta, data, 1)
    bias = grad(lambda t: np.sum(distance * np.log(np.sum(rbm.boltzmann(t), axis=1))))(theta)
    grad_log_rate = grad(lambda t: np.log(second_eigenvalue(t)))(theta)
    return {"ignored": vector(bias) / second_eigenvalue(theta), "kept": -vector(grad_log_rate)}


SLOPE = 1e-2        # the next term is of size k lambda^k, 3e-3 at k = 12; measured errors stay below 1e-3


CLAIMS = [
    Claim("bachman2015.eq44", mean_update,
          tends_to(likelihood_gradient_by_table, gibbs.random_long_case, "k", (1, 64)),
          {"with the sign of Eq. 43": lambda **case: negative(mean_update(**case)),
           "one step, however large k": lambda theta, data, k: mean_update(theta, data, 1),
           "the chain started from a uniform x": lambda theta, data, k: mean_update(theta, 0 * data + 1 / data.size, k),
           "the positive phase alone": lambda theta, data, k:
               weighted_sum(data, rbm.grad_log_z(theta, _visible(theta)))},
          without=equals(lambda theta, data, k: likelihood_gradient_by_table(theta, data), reversed_case)),
    Claim("bachman2015.eq31_limit", ignored_term,
          tends_to(zeros, gibbs.random_long_case, "k", (1, 64), scale=lambda **case: 1.0),
          {"with the data as the prior": with_prior(lambda theta, data: onp.log(data)),
           "with a uniform prior": with_prior(lambda theta, data: 0 * data),
           "one step, however large k": lambda theta, data, k: ignored_term(theta, data, 1)}),
    Claim("bachman2015.sec5.4_descent", alignment(mean_update),
          tends_to(lambda theta, data: onp.ones(2), gibbs.random_long_case, "k", (1, 64)),
          {"descent is ascent": alignment(lambda theta, data, k: negative(mean_update(theta, data, k))),
           "the ignored term itself": alignment(ignored_term),
           "one step, however large k": alignment(lambda theta, data, k: mean_update(theta, data, 1))},
          without=is_at_least(lambda **case: onp.zeros(2), reversed_case)),
    Claim("bachman2015.eq45_equal", finite_and_limit(conditional_log_ratio),
          equals(lambda theta, data, k: {"k steps": ratio_by_table(theta, data, k),
                                         "64 steps": onp.zeros((data.size, data.size))}, gibbs.random_case,
                 scale=lambda **case: 1.0),     # of the logarithms that are subtracted
          {"with the data as the prior": finite_and_limit(ratio_with_prior(
              log_law(lambda k: k), lambda theta, data, k: onp.log(data))),
           "the backward chain arrives at the data": finite_and_limit(ratio_with_prior(
               lambda theta, data, k: onp.log(data), log_law(lambda k: k))),
           "the backward chain stays at q(x_k)": finite_and_limit(ratio_with_prior(
               log_law(lambda k: k), log_law(lambda k: k))),
           "equal at every k": finite_and_limit(lambda theta, data, k: onp.zeros((data.size, data.size)))}),
    Claim("bachman2015.eq45_size", relative_size(ignored_term),
          is_at_least(lambda machines: onp.array([0.1, 0.01]), twelve_machines),
          {"the RBM's marginal as the prior":
               relative_size(with_prior(lambda theta, data: rbm.log_marginal_table(theta))),
           "a score without the ratio":
               relative_size(with_prior(lambda theta, data: rbm.log_marginal_table(theta) - 1.0)),
           "squared, as the rest of the error is": lambda machines: relative_size(ignored_term)(machines)**2}),
    Claim("bachman2015.eq45_policy", slope(), equals(slope_by_table, strong_case, method="autodiff"),
          {"it raises the ratio": slope(lambda g: g @ g),
           "|g|, not squared": slope(lambda g: -onp.linalg.norm(g)),
           "the ratio not frozen: the whole gradient": lambda theta, data, k:
               -vector(divergence_gradient(theta, data, k)) @ vector(ignored_term(theta, data, k))}),
    Claim("bachman2015.x_cdk", objective_and_ignored(divergence),
          equals(lambda theta, data, k: {"KL": divergence_by_table(theta, data, k),
                                         "Eq. 45": policy_gradient(theta, data, k)}, gibbs.random_case),
          {"KL(D||pi) alone": objective_and_ignored(lambda theta, data, k: kl(data, pi_of(theta))),
           "plus KL(q_k||pi)": objective_and_ignored(lambda theta, data, k: 2 * kl(data, pi_of(theta))
                                                     - divergence(theta, data, k)),
           "KL(D||q_k)": objective_and_ignored(lambda theta, data, k: kl(data, gibbs.marginal(theta, data, k))),
           "+ sum grad q_k log q_k/pi": objective_and_ignored(
               divergence, lambda theta, data, k: negative(ignored_term(theta, data, k))),
           "nothing ignored": objective_and_ignored(divergence, lambda theta, data, k: zeros(theta=theta))}),
    Claim("bachman2015.x_ml",
          value_and_gradient(lambda theta, data, k: kl(data, pi_of(theta)),
                             lambda theta, data, k: negative(likelihood_gradient(theta, data))),
          equals(lambda theta, data, k: {
              "KL": divergence_by_table(theta, data, k, by_rbm),
              "gradient": grad(divergence_by_table)(theta, data, k, by_rbm)}, gibbs.random_case),
          {"with the prior q(x_k)": value_and_gradient(divergence, divergence_gradient),
           "CD's gradient": value_and_gradient(lambda theta, data, k: kl(data, pi_of(theta)),
                                               lambda theta, data, k: negative(mean_update(theta, data, k))),
           "KL(pi||D)": value_and_gradient(lambda theta, data, k: kl(pi_of(theta), data),
                                           lambda theta, data, k: negative(likelihood_gradient(theta, data)))}),
    Claim("bachman2015.x_rate", scaled_errors(),
          equals(limits_by_perturbation, two_eigenvalue_case, rtol=SLOPE)._replace(kind="limit"),
          {"half of Eq. 45 kept": scaled_errors(kept=0.5), "Eq. 45 added twice": scaled_errors(kept=2.0),
           "CD-k at the squared rate, too": scaled_errors(power=2)},
          printed=scaled_errors(growth=0.0)),
]
