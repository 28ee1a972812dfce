r"""Wake-sleep learning: its two objectives and their gradients (ou2018 Sec. 3.2.2, Eqs. 16-18; Hinton et al. 1995).

A model p(x, h) in theta and a recognition model q(h|x) in phi; p~(x) is the distribution of the data.

    Eq. 16   variational   max_theta L  <=> min_theta KL[p~(x) q(h|x) || p(x, h)]
                           max_phi L    <=> min_phi E_p~(x) KL[q(h|x) || p(h|x)]
    Eq. 17   wake          the first line of Eq. 16
             sleep         min_phi E_p(x) KL[p(h|x) || q(h|x)] <=> min_phi KL[p(x, h) || p(x) q(h|x)]
    Eq. 18   E_p~(x)q(h|x) dlog p(x, h)/dtheta = 0,   E_p(x,h) dlog q(h|x)/dphi = 0

L is the average of the variational lower bound over the data. Both models are tables (models/tables.py), so nothing
depends on their form: theta["joint"], phi["q"] and every log-density below are (X, H), p_data is (X,).

The variance of one draw of the phi-gradient, in the sleep phase and with a learning signal:

    >>> from refdgm.directed.wake_sleep import random_case, variances
    >>> [round(float(variance), 3) for variance in variances(**random_case(0))]
    [0.72, 1.035]
"""
import autograd.numpy as np
from autograd import grad

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, is_gradient_of, is_ordered, minimises, provided
from refdgm.models.tables import log_joint, log_marginal, log_posterior, log_q, random_case, score_phi, score_theta
from refdgm.numerics import entropy, kl, weighted_sum


def wake_law(phi, p_data):
    """p~(x) q(h|x) for every cell: what the wake phase draws from.  -> (X, H)"""
    return p_data[:, None] * np.exp(log_q(phi))


def average_elbo(theta, phi, p_data):
    """L = E_p~(x)q(h|x) log p(x, h)/q(h|x), the variational lower bound per example (ou2018 Eq. 9).  -> ()"""
    return np.sum(wake_law(phi, p_data) * (log_joint(theta) - log_q(phi)))


def wake_kl(theta, phi, p_data):
    """KL[p~(x) q(h|x) || p(x, h)] (ou2018 Eq. 16 line 1, Eq. 17 line 1).  -> ()"""
    return kl(wake_law(phi, p_data), np.exp(log_joint(theta)), axis=None)


def average_kl(p_x, log_a, log_b):
    """E_p(x) KL[a(h|x) || b(h|x)], the KL of each row and then their mean.  (X,), (X, H), (X, H) -> ()"""
    return np.sum(p_x * np.sum(np.exp(log_a) * (log_a - log_b), axis=1))


def exclusive_kl(theta, phi, p_data):
    """E_p~(x) KL[q(h|x) || p(h|x)] (ou2018 Eq. 16 line 2).  -> ()"""
    return average_kl(p_data, log_q(phi), log_posterior(theta))


def sleep_kl(theta, phi):
    """E_p(x) KL[p(h|x) || q(h|x)] (ou2018 Eq. 17 line 2, left).  -> ()"""
    return average_kl(np.exp(log_marginal(theta)), log_posterior(theta), log_q(phi))


def joint_sleep_kl(theta, phi):
    """KL[p(x, h) || p(x) q(h|x)] (ou2018 Eq. 17 line 2, right).  -> ()"""
    return kl(np.exp(log_joint(theta)), np.exp(log_marginal(theta)[:, None] + log_q(phi)), axis=None)


def wake_gradient(theta, phi, p_data):
    """E_p~(x)q(h|x) dlog p(x, h)/dtheta, the ascent direction of the wake phase (ou2018 Eq. 18 line 1)."""
    return weighted_sum(wake_law(phi, p_data), score_theta(theta))


def sleep_gradient(theta, phi):
    """E_p(x,h) dlog q(h|x)/dphi, the ascent direction of the sleep phase (ou2018 Eq. 18 line 2)."""
    return weighted_sum(np.exp(log_joint(theta)), score_phi(phi))


def total_variance(law, draws):
    """E|g|^2 - |E g|^2 of a gradient estimate g, all its components together.  (X, H), dict of (X, H, *leaf) -> ()"""
    def squares(tree): return sum(np.sum(leaf**2, axis=tuple(range(law.ndim, leaf.ndim))) for leaf in tree.values())
    mean = weighted_sum(law, draws)
    return np.sum(law * squares(draws)) - sum(np.sum(leaf**2) for leaf in mean.values())


def sleep_variance(theta, phi):
    """The variance of one draw of the sleep gradient: dlog q(h|x)/dphi with (x, h) ~ p.  -> ()"""
    return total_variance(np.exp(log_joint(theta)), score_phi(phi))


def variational_variance(theta, phi, p_data):
    """The same for Eq. 10 line 2: log(p(x, h)/q(h|x)) dlog q(h|x)/dphi with (x, h) ~ p~ q.  -> ()"""
    signal = log_joint(theta) - log_q(phi)
    return total_variance(wake_law(phi, p_data), {"q": signal[:, :, None, None] * score_phi(phi)["q"]})


# ---- oracles and cases ----------------------------------------------------------------

def brute_elbo(theta, phi, p_data):
    """L, cell by cell."""
    log_p, log_r = log_joint(theta), log_q(phi)
    return sum(p_data[x] * np.exp(log_r[x, h]) * (log_p[x, h] - log_r[x, h])
               for x in range(log_p.shape[0]) for h in range(log_p.shape[1]))


def brute_objectives(theta, phi, p_data):
    """[L, the sleep phase's KL], with Bayes' rule and every expectation written out, cell by cell."""
    p, q = onp.exp(log_joint(theta)), onp.exp(log_q(phi))
    inclusive = [sum(p[x, h] / p[x].sum() * onp.log(p[x, h] / p[x].sum() / q[x, h]) for h in range(p.shape[1]))
                 for x in range(p.shape[0])]
    return onp.array([brute_elbo(theta, phi, p_data), sum(p[x].sum() * inclusive[x] for x in range(p.shape[0]))])


def large_signal(theta, phi, p_data):
    """The mean square of l = log p(x, h)/q(h|x), weighted by the score of q, exceeds a ratio of mean square scores:

    (1 - max p~) E_p~q[l^2 |s|^2] > E_p[|s|^2]. As each x has parameters of its own, the left side is at most the
    variance of the variational gradient, and the right side is at least that of the sleep phase's.
    """
    size = np.sum(score_phi(phi)["q"]**2, axis=(2, 3))
    signal = log_joint(theta) - log_q(phi)
    return (1 - np.max(p_data)) * np.sum(wake_law(phi, p_data) * signal**2 * size) > np.sum(
        np.exp(log_joint(theta)) * size)


def faint_case(seed):
    """Two values of x and log-odds below one in size: here |log p(x, h)/q(h|x)| is below one on average."""
    theta, phi, p_data = random_case(seed, X=2).values()
    return {"theta": {"joint": 0.3 * theta["joint"]}, "phi": {"q": 0.3 * phi["q"]}, "p_data": p_data}


# ---- claims ---------------------------------------------------------------------------

def objectives(theta, phi, p_data):
    return np.array([average_elbo(theta, phi, p_data), sleep_kl(theta, phi)])


def saturated_fit(theta, phi, p_data):
    """The theta with p(x, h) = p~(x) q(h|x): the wake phase's optimum in a model with a parameter for every cell."""
    return {"joint": np.log(wake_law(phi, p_data))}


def sleep_objective(theta, phi, p_data):
    return joint_sleep_kl(theta, phi)


def inclusive_on_data(theta, phi, p_data):
    return average_kl(p_data, log_posterior(theta), log_q(phi))


def exclusive_on_samples(theta, phi, p_data):
    return average_kl(np.exp(log_marginal(theta)), log_q(phi), log_posterior(theta))


def parameters_interchanged(theta, phi, p_data):
    """q_theta(h|x) and p_phi(h|x): the table of theta read as a recognition model, and the reverse."""
    return exclusive_kl({"joint": phi["q"]}, {"q": theta["joint"]}, p_data)


def in_phi(objective, sign=+1):
    return lambda theta, phi, p_data: {"q": sign * grad(lambda f: objective(theta, f, p_data))(phi)["q"]}


def wake_gradient_under(law):
    return lambda theta, phi, p_data: weighted_sum(law(theta, phi, p_data), score_theta(theta))


def sleep_gradient_under(law):
    return lambda theta, phi, p_data: weighted_sum(law(theta, phi, p_data), score_phi(phi))


def model_law(theta, phi, p_data): return np.exp(log_joint(theta))
def data_posterior_law(theta, phi, p_data): return p_data[:, None] * np.exp(log_posterior(theta))
def data_recognition_law(theta, phi, p_data): return wake_law(phi, p_data)
def dreamt_recognition_law(theta, phi, p_data): return np.exp(log_marginal(theta)[:, None] + log_q(phi))


def variances(theta, phi, p_data):
    return np.array([sleep_variance(theta, phi), variational_variance(theta, phi, p_data)])


CLAIMS = [
    Claim("ou2018.ws.def", objectives, equals(brute_objectives, random_case),
          {"phi on the data": lambda **c: np.array([average_elbo(**c), inclusive_on_data(**c)]),
           "phi by the exclusive KL": lambda **c: np.array([average_elbo(**c), exclusive_on_samples(**c)]),
           "theta on the model's own samples": lambda theta, phi, p_data: objectives(
               theta, phi, np.exp(log_marginal(theta)))}),
    Claim("ou2018.eq16.theta", wake_kl, equals(lambda theta, phi, p_data: -brute_elbo(theta, phi, p_data)
                                               - entropy(p_data), random_case),
          {"KL[p || p~ q], the other direction": lambda theta, phi, p_data: kl(
              np.exp(log_joint(theta)), wake_law(phi, p_data), axis=None),
           "KL[p~ p(h|x) || p], EM's": lambda **c: kl(data_posterior_law(**c), model_law(**c), axis=None),
           "KL[p~ q || p~ p(h|x)]": lambda **c: kl(wake_law(c["phi"], c["p_data"]), data_posterior_law(**c),
                                                   axis=None)}),
    Claim("ou2018.eq16.phi", exclusive_kl,
          equals(lambda theta, phi, p_data: p_data @ log_marginal(theta) - brute_elbo(theta, phi, p_data), random_case),
          {"the inclusive KL": inclusive_on_data,
           "averaged over the model's samples": exclusive_on_samples,
           "summed over x without p~(x)": lambda theta, phi, p_data: exclusive_kl(theta, phi, np.ones_like(p_data))}),
    Claim("ou2018.eq16.prose", in_phi(exclusive_kl, -1), is_gradient_of(brute_elbo, "phi", random_case),
          {"the inclusive KL on the data": in_phi(inclusive_on_data, -1),
           "the sleep phase's KL": in_phi(sleep_objective, -1),
           "maximising the KL": in_phi(exclusive_kl)},
          printed=in_phi(parameters_interchanged, -1)),
    Claim("ou2018.ws.motivation", variances,
          provided(large_signal, is_ordered(lambda seed: random_case(seed, X=64))),
          {"the exclusive KL is easier": lambda **c: variances(**c)[::-1],
           "equally hard": lambda **c: variances(**c)[[0, 0]],
           "no learning signal in the variational gradient": lambda theta, phi, p_data: np.array(
               [sleep_variance(theta, phi), total_variance(wake_law(phi, p_data), score_phi(phi))])},
          without=is_ordered(faint_case)),
    Claim("ou2018.eq17.theta", saturated_fit,
          minimises(lambda theta, phi, p_data: exclusive_kl(theta, phi, p_data) - np.dot(p_data, log_marginal(theta)),
                    "theta", random_case),
          {"p(x, h) = p~(x) p(h|x)": lambda **c: {"joint": np.log(data_posterior_law(**c))},
           "p(x) = p~(x), h uniform": lambda theta, phi, p_data: {
               "joint": np.log(p_data)[:, None] + 0 * theta["joint"]},
           "p(x, h) = p(x) q(h|x)": lambda **c: {"joint": np.log(dreamt_recognition_law(**c))}}),
    Claim("ou2018.eq17.phi", sleep_objective, equals(lambda **c: brute_objectives(**c)[1], random_case),
          {"KL[p || p~ q]: the data in place of p(x)": lambda theta, phi, p_data: kl(
              np.exp(log_joint(theta)), wake_law(phi, p_data), axis=None),
           "KL[p(x) q || p], the other direction": lambda **c: kl(dreamt_recognition_law(**c), model_law(**c),
                                                                 axis=None),
           "averaged over the data": inclusive_on_data}),
    Claim("ou2018.ws.two_changes", in_phi(lambda theta, phi, p_data: sleep_kl(theta, phi)),
          is_gradient_of(sleep_objective, "phi", random_case),
          {"only the direction changes": in_phi(inclusive_on_data),
           "only the samples change": in_phi(exclusive_on_samples),
           "nothing changes": in_phi(exclusive_kl)}),
    Claim("ou2018.eq18.theta", wake_gradient,
          is_gradient_of(lambda theta, phi, p_data: -wake_kl(theta, phi, p_data), "theta", random_case),
          {"h from the posterior: EM": wake_gradient_under(data_posterior_law),
           "(x, h) from the model: identically zero": wake_gradient_under(model_law),
           "x dreamt, h from q": wake_gradient_under(dreamt_recognition_law)}),
    Claim("ou2018.eq18.phi", lambda theta, phi, p_data: sleep_gradient(theta, phi),
          is_gradient_of(lambda **c: -sleep_objective(**c), "phi", random_case),
          {"the wake phase's pairs: identically zero": sleep_gradient_under(data_recognition_law),
           "x dreamt, h from q: zero again": sleep_gradient_under(dreamt_recognition_law),
           "x from the data, h from the posterior: JSA": sleep_gradient_under(data_posterior_law)}),
]
