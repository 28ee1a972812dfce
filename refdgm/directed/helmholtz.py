r"""The wake and the sleep phase of the Helmholtz machine: which objective each follows (lecture12 Sec. 2.2).

    F  = -log p(x) + KL[q(z|x) || p(z|x)] = -L              the free energy, what the wake phase descends in theta
    F' = -log p(x) + KL[p(z|x) || q(z|x)]                   another objective, for phi
    wake      dF/dtheta = -E_q dlog p(x, z)/dtheta
    sleep     E_p(x) dF'/dphi = -E_p(x,z) dlog q(z|x)/dphi  only for x dreamt by the model itself

The model and q are tables (models/tables.py). The recognition net may be blind to differences between x: `groups` (X,)
says which row of phi["q"] (G, Z) each x reads. With a row for every x it contains the posterior, and each phase then
does what the notes say; with rows shared it does not. theta["joint"] (X, Z); p_data (X,) is the law of the data.

What F misses of -log p(x) after a sleep phase, for a net that sees every x and for one that is blind:

    >>> from refdgm.directed.helmholtz import blind_case, free_energy, mean_log_likelihood, seeing_case, slept
    >>> def missed(theta, phi, groups, p_data):
    ...     F = free_energy(theta, slept(theta, phi, groups), p_data)
    ...     return abs(float(F + mean_log_likelihood(theta, phi, groups, p_data)))
    >>> round(missed(**seeing_case(0)), 3), round(missed(**blind_case(0)), 3)
    (0.0, 0.109)
"""
import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, is_gradient_of, minimises, vanishes
from refdgm.models import tables
from refdgm.numerics import kl, log_softmax, softmax, weighted_sum


def log_q(phi, groups):
    """log q(z|x), the row of phi that x reads.  -> (X, Z)"""
    return tables.log_q(phi)[groups]


def free_energy(theta, log_q, p_x):
    """E_p(x) F = E_p(x)[-log p(x) + KL[q(z|x) || p(z|x)]] (lecture12 Sec. 2.2.1).  -> ()"""
    gap = kl(np.exp(log_q), np.exp(tables.log_posterior(theta)))
    return np.sum(p_x * (gap - tables.log_marginal(theta)))


def reversed_free_energy(theta, log_q, p_x):
    """E_p(x) F' = E_p(x)[-log p(x) + KL[p(z|x) || q(z|x)]] (lecture12 Sec. 2.2.2).  -> ()"""
    gap = kl(np.exp(tables.log_posterior(theta)), np.exp(log_q))
    return np.sum(p_x * (gap - tables.log_marginal(theta)))


def bound(theta, log_q, p_x):
    """E_p(x) L = E_p(x)q(z|x)[log p(x, z) - log q(z|x)], what the wake phase ascends (lecture12 Sec. 2.2.1).  -> ()"""
    return np.sum(p_x[:, None] * np.exp(log_q) * (tables.log_joint(theta) - log_q))


def wake_step(theta, log_q, p_x):
    """E_p(x)q(z|x) dlog p(x, z)/dtheta: the wake phase's direction (lecture12 Sec. 2.2.1).  -> a dict like theta"""
    return weighted_sum(p_x[:, None] * np.exp(log_q), tables.score_theta(theta))


def sleep_step(theta, phi):
    """E_p(x,z) dlog q(z|x)/dphi: the sleep phase's direction, on dreamt pairs (lecture12 Sec. 2.2.2).  -> like phi"""
    return weighted_sum(np.exp(tables.log_joint(theta)), tables.score_phi(phi))


def sleep_optimum(theta, groups):
    """The phi that the sleep phase ends at: q(z|x) is p(z| the group of x) (lecture12 Sec. 2.2.2).  -> {"q": (G, Z)}"""
    rows = int(onp.max(groups)) + 1
    valid.require(onp.array_equal(onp.unique(groups), onp.arange(rows)),
                  "groups must name every row 0, 1, .. of phi at least once.")
    belongs = onp.arange(rows)[:, None] == groups
    return {"q": np.log(np.dot(belongs, np.exp(tables.log_joint(theta))))}


# ---- claims ---------------------------------------------------------------------------

def seeing_case(seed):
    """Every x has a row of phi to itself, in a random order: q can be the posterior."""
    case = tables.random_case(seed)
    return case | {"groups": onp.random.default_rng([seed, 1]).permutation(4)}


def blind_case(seed):
    """Two pairs of x share a row of phi: q cannot be the posterior."""
    case = seeing_case(seed)
    return case | {"groups": case["groups"] // 2, "phi": {"q": case["phi"]["q"][:2]}}


def case_of_x(dreamt):
    """A table, and x from the model's own marginal or from the data."""
    def case(seed):
        theta, phi, p_data = tables.random_case(seed).values()
        return {"theta": theta, "phi": phi, "p_x": onp.exp(tables.log_marginal(theta)) if dreamt else p_data}
    return case


def two_thetas(seed):
    case = tables.random_case(seed)
    return case | {"theta2": {"joint": onp.random.default_rng([seed, 2]).normal(size=(4, 3))}}


def mean_log_likelihood(theta, phi, groups, p_data):
    return np.sum(p_data * tables.log_marginal(theta))


def wake_after(q):
    """The wake phase's direction when the sleep phase has left q(theta, phi, groups)."""
    return lambda theta, phi, groups, p_data: wake_step(theta, q(theta, phi, groups), p_data)


def slept(theta, phi, groups):
    return log_q(sleep_optimum(theta, groups), groups)


def between_thetas(objective):
    """By how much an objective grows from theta to theta2, with q fixed."""
    return lambda theta, theta2, phi, p_data: (objective(theta2, tables.log_q(phi), p_data)
                                               - objective(theta, tables.log_q(phi), p_data))


def reconstruction_loss(theta, log_q, p_x):
    """-E_q log p(x|z): the prior of z is not trained."""
    return -np.sum(p_x[:, None] * np.exp(log_q) * tables.log_likelihood(theta))


def brute_gain(theta, theta2, phi, p_data):
    """L(theta, q) - L(theta2, q), cell by cell."""
    q, p, p2 = (onp.exp(f) for f in (tables.log_q(phi), tables.log_joint(theta), tables.log_joint(theta2)))
    return sum(p_data[x] * q[x, z] * onp.log(p[x, z] / p2[x, z]) for x in range(4) for z in range(3))


def mean_reversed(theta, phi, p_x):
    return reversed_free_energy(theta, tables.log_q(phi), p_x)


def in_phi(law, sign=-1.0):
    """sign times the mean score of q under a law (X, Z) of pairs."""
    return lambda theta, phi, p_x: {"q": sign * weighted_sum(law(theta, phi, p_x), tables.score_phi(phi)["q"])}


def posterior_pairs(theta, phi, p_x): return p_x[:, None] * np.exp(tables.log_posterior(theta))
def recognised_pairs(theta, phi, p_x): return p_x[:, None] * np.exp(tables.log_q(phi))


def signalled(signal):
    """E_p(x)q signal(theta, phi) dlog q/dphi: how an expectation under q itself is differentiated."""
    return in_phi(lambda theta, phi, p_x: recognised_pairs(theta, phi, p_x) * signal(theta, phi), sign=+1.0)


def at_posterior(direction):
    """A phi-direction where q is the exact posterior: there the sleep phase must rest."""
    def of(theta):
        return direction(theta, {"q": tables.log_posterior(theta)}, np.exp(tables.log_marginal(theta)))
    return of


def size_of_scores(theta):
    """The mean size of a score under the model's own pairs, the summands that cancel."""
    score = tables.score_phi({"q": tables.log_posterior(theta)})["q"]
    return float(np.max(weighted_sum(np.exp(tables.log_joint(theta)), np.abs(score))))


def theta_case(seed):
    return {"theta": tables.random_case(seed)["theta"]}


def e_step_objective(theta, phi, groups, p_data):
    return -bound(theta, log_q(phi, groups), p_data)


CLAIMS = [
    Claim("lecture12.sec2.2_ws", wake_after(slept), is_gradient_of(mean_log_likelihood, "theta", seeing_case),
          {"before the sleep phase: any q": wake_after(lambda theta, phi, groups: log_q(phi, groups)),
           "z from the prior": wake_after(lambda theta, phi, groups: tables.log_prior(theta) + np.zeros((4, 1))),
           "x and z from the model: the score has mean zero": lambda theta, phi, groups, p_data: wake_step(
               theta, tables.log_posterior(theta), np.exp(tables.log_marginal(theta)))},
          without=is_gradient_of(mean_log_likelihood, "theta", blind_case)),
    Claim("lecture12.sec2.2.1_wakeF", between_thetas(free_energy), equals(brute_gain, two_thetas),
          {"the sleep phase's F'": between_thetas(reversed_free_energy),
           "-log p alone, the KL forgotten": between_thetas(
               lambda theta, log_q, p_x: -np.sum(p_x * tables.log_marginal(theta))),
           "the reconstruction alone": between_thetas(reconstruction_loss),
           "the bound, not its negative": between_thetas(bound)}),
    Claim("lecture12.sec2.2.2_Fprime", lambda theta, phi, p_x: {"q": -sleep_step(theta, phi)["q"]},
          is_gradient_of(mean_reversed, "phi", case_of_x(dreamt=True)),
          {"F in place of F'": signalled(lambda theta, phi: tables.log_q(phi) - tables.log_joint(theta)),
           "z from q: the score has mean zero": in_phi(recognised_pairs),
           "ascent of F'": lambda theta, phi, p_x: sleep_step(theta, phi),
           "every x alike": in_phi(lambda theta, phi, p_x: posterior_pairs(theta, phi, np.full(4, 0.25)))},
          without=is_gradient_of(mean_reversed, "phi", case_of_x(dreamt=False))),
    Claim("lecture12.sec2.2.2_sleep", at_posterior(lambda theta, phi, p_x: sleep_step(theta, phi)),
          vanishes(size_of_scores, theta_case),
          {"pairs from the product of the marginals": at_posterior(in_phi(
              lambda theta, phi, p_x: np.exp(tables.log_marginal(theta)[:, None] + tables.log_prior(theta)))),
           "z from p(x|z), normalised over z": at_posterior(in_phi(
               lambda theta, phi, p_x: p_x[:, None] * softmax(tables.log_likelihood(theta)))),
           "the entropy of q alone": at_posterior(signalled(lambda theta, phi: -tables.log_q(phi)))},
          printed=at_posterior(signalled(lambda theta, phi: tables.log_joint(theta)))),
    Claim("lecture12.sec2.2.2_estep", lambda theta, phi, groups, p_data: sleep_optimum(theta, groups),
          minimises(e_step_objective, "phi", seeing_case),
          {"q the prior": lambda theta, phi, groups, p_data: {"q": tables.log_prior(theta) + np.zeros((4, 1))},
           "q proportional to p(x|z)": lambda theta, phi, groups, p_data: {
               "q": sleep_optimum(theta, groups)["q"] - tables.log_prior(theta)},
           "a sharpened posterior: what max E_q log p leads to": lambda theta, phi, groups, p_data: {
               "q": 2 * log_softmax(sleep_optimum(theta, groups)["q"])}},
          without=minimises(e_step_objective, "phi", blind_case)),
]
