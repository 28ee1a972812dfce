r"""An energy-based model on a few states, and its maximum likelihood (yu2020 Secs. 2.2-2.3).

    Eq. 4    q_theta(x) = exp(-E_theta(x)) / Z_theta,   Z_theta = sum_x exp(-E_theta(x))
    here     E_theta(x) = -sum_j log(1 + exp(theta_j + s_j(x)))      d binary hidden units, summed out
    Eq. 6    -E_p[log q_theta] = KL(p||q_theta) + H[p]
    Eq. 7    dlog q_theta(x)/dtheta = -dE/dtheta + E_q[dE/dtheta]
    Eq. 8    d/dtheta -E_p[log q_theta] = E_p[dE/dtheta] - E_q[dE/dtheta]

Shapes: theta (d,); s (S, d) is what each of the S states feeds into the units; E, p, q (S,); dE (S, d). The energy is
not linear in theta, its gradient has no mean of zero, and no law is uniform. A tabular energy is E itself with dE = I.

State 0 is too probable under the model: descending this gradient of L_MLE in E(x) raises its energy.

>>> import numpy as np
>>> from refdgm.models.energy import contrast, law_of
>>> q = law_of(np.array([0.0, 1.0, 2.0]))
>>> round(float(contrast(np.eye(3), np.array([0.5, 0.25, 0.25]), q)[0]), 3)
-0.165
"""
import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, is_at_most, is_gradient_of, provided
from refdgm.numerics import entropy, kl, log_softmax, log_sum_exp, sigmoid, softplus


def energy(theta, s):
    """E_theta(x) for every state.  (d,), (..., d) -> (...)"""
    return -np.sum(softplus(theta + s), axis=-1)


def grad_energy(theta, s):
    """dE_theta(x)/dtheta for every state.  (d,), (..., d) -> (..., d)"""
    return -sigmoid(theta + s)


def log_partition(E):
    """log Z = log sum_x exp(-E(x)) (yu2020 Eq. 4).  (S,) -> ()"""
    return log_sum_exp(-E)


def law_of(E):
    """q(x) = exp(-E(x)) / Z (yu2020 Eq. 4).  (S,) -> (S,)"""
    return np.exp(log_softmax(-E))


def log_law(theta, s):
    """log q_theta(x) for every state (yu2020 Eq. 4).  (d,), (S, d) -> (S,)"""
    validate(theta, s)
    return log_softmax(-energy(theta, s))


def law(theta, s):
    """q_theta(x) for every state (yu2020 Eq. 4).  (d,), (S, d) -> (S,)"""
    return np.exp(log_law(theta, s))


def score(theta, s):
    """dlog q_theta(x)/dtheta = -dE + E_q[dE] (yu2020 Eq. 7).  (d,), (S, d) -> (S, d)"""
    dE = grad_energy(theta, s)
    return -dE + np.dot(law(theta, s), dE)


def negative_log_likelihood(theta, s, p):
    """L_MLE = -E_p[log q_theta] (yu2020 Eq. 6).  -> ()"""
    return -np.sum(p * log_law(theta, s))


def contrast(dE, positive, negative):
    """E_positive[dE] - E_negative[dE]: with p and q_theta the gradient of L_MLE (yu2020 Eq. 8).  -> (d,)"""
    return np.dot(positive, dE) - np.dot(negative, dE)


def random_case(seed, S=6, d=3):
    """A random theta, s and data law p, none of them symmetric."""
    rng = onp.random.default_rng([seed, 41])
    return {"theta": rng.normal(size=d), "s": 1.5 * rng.normal(size=(S, d)), "p": rng.dirichlet(onp.full(S, 2.0))}


def validate(theta, s):
    """Raise ValueError, saying which, if theta or s has a wrong shape or is not finite."""
    valid.shape("theta", theta, (None,))
    valid.finite("theta", theta)
    valid.vector("s", s, np.shape(theta)[0])


# ---- claims ---------------------------------------------------------------------------

def model_case(seed):
    return {name: random_case(seed)[name] for name in ("theta", "s")}


def mass_odds_and_shift(q, log_z=lambda E: log_partition(E)):
    """What Eq. 4 says of q: it sums to one, its log odds are differences of energies, E + 1 divides Z by e."""
    def measured(theta, s):
        E = energy(theta, s)
        return {"mass": np.sum(q(E)), "odds": np.log(q(E)[1:] / q(E)[0]), "shifted": q(E + 1.0),
                "log Z": log_z(E + 1.0) - log_z(E)}
    return measured


def by_hand(theta, s):
    weight = onp.array([onp.prod([1 + onp.exp(a + b) for a, b in zip(theta, row)]) for row in s])
    return {"mass": 1.0, "odds": onp.log(weight[1:] / weight[0]), "shifted": weight / onp.sum(weight), "log Z": -1.0}


def nll_minus_entropy(theta, s, p):
    return negative_log_likelihood(theta, s, p) - entropy(p)


def nll_gradient(positive=lambda p, q: p, negative=lambda p, q: q, sign=1):
    def gradient(theta, s, p):
        q = law(theta, s)
        return sign * contrast(grad_energy(theta, s), positive(p, q), negative(p, q))
    return gradient


def separated_case(seed):
    """A tabular energy whose law overlaps little with the data: sum pq is below sum p^2 and below sum q^2."""
    rng = onp.random.default_rng([seed, 42])
    while True:
        p, q = rng.dirichlet(onp.full(5, 1.5), size=2)
        if onp.sum(p * q) < 0.9 * min(onp.sum(p * p), onp.sum(q * q)):
            return {"E": -onp.log(q) + rng.normal(), "p": p}


def overlap_little(E, p):
    """sum pq is below sum p^2 and below sum q^2."""
    q = law_of(E)
    return onp.sum(p * q) < min(onp.sum(p * p), onp.sum(q * q))


def overlapping_case(seed):
    """The model is concentrated on the mode of the data: sum pq > sum p^2, and the mean energy of the data rises."""
    p = onp.sort(onp.random.default_rng([seed, 43]).dirichlet(onp.full(5, 3.0)))
    return {"E": -onp.log(p**4 / onp.sum(p**4)), "p": p}


def energy_changes(step=lambda p, q: -(p - q)):
    """The mean change of the energy on the data, and minus that on the model's samples, along a step dE = -(p - q)."""
    def changes(E, p):
        q = law_of(E)
        dE = step(p, q)
        return np.array([np.sum(p * dE), -np.sum(q * dE)])
    return changes


CLAIMS = [
    Claim("yu2020.eq4", mass_odds_and_shift(law_of), equals(by_hand, model_case),
          {"exp(+E)/Z": mass_odds_and_shift(lambda E: np.exp(E) / np.sum(np.exp(E))),
           "log q = -E + log Z": mass_odds_and_shift(lambda E: np.exp(-E + log_partition(E))),
           "not normalised": mass_odds_and_shift(lambda E: np.exp(-E)),
           "Z = sum exp(+E)": mass_odds_and_shift(law_of, lambda E: log_sum_exp(E))}),
    Claim("yu2020.eq6", nll_minus_entropy, equals(lambda theta, s, p: kl(p, law(theta, s)), random_case),
          {"the entropy added": lambda theta, s, p: negative_log_likelihood(theta, s, p) + entropy(p),
           "E_q[log q], not E_p": lambda theta, s, p: nll_minus_entropy(theta, s, law(theta, s)),
           "reverse KL": lambda theta, s, p: kl(law(theta, s), p),
           "energies, log Z forgotten": lambda theta, s, p: np.sum(p * energy(theta, s)) - entropy(p)}),
    Claim("yu2020.eq8", nll_gradient(), is_gradient_of(negative_log_likelihood, "theta", random_case),
          {"model minus data": nll_gradient(sign=-1),
           "the model's term is missing": nll_gradient(negative=lambda p, q: 0 * q),
           "a fixed noise in place of the model": nll_gradient(negative=lambda p, q: np.full(len(q), 1 / len(q))),
           "E_p[score], the ascent direction's sign lost": lambda theta, s, p: p @ score(theta, s)}),
    Claim("yu2020.sec2.3.intuition", energy_changes(),
          provided(overlap_little, is_at_most(lambda E, p: np.zeros(2), separated_case)),
          {"ascends Eq. 8": energy_changes(lambda p, q: p - q),
           "the data term alone: the samples' energies fall, too": energy_changes(lambda p, q: -p),
           "the model term alone: the data's energies rise, too": energy_changes(lambda p, q: q)},
          without=is_at_most(lambda E, p: np.zeros(2), overlapping_case)),
]
