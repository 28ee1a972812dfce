r"""A generator with a density: plain scores, and a proposal for the field (ou2018 Sec. 4.2.3, Eq. 39; Wang & Ou 2017).

    Eq. 39   E_p~[du/dtheta] - E_p[du/dtheta] = 0        E_p(x)[dlog q(x)/dphi] = 0
    MIS      propose x' ~ q, accept it with probability min{1, w(x') / w(x)},  w(x) = exp(u(x)) / q(x)

The generator is autoregressive (models.autoregressive, phi = {"W", "b"}): log q(x) is a sum of D terms, with no latent
variable to average over. That is what MIS needs, too; Z drops out of the ratio of weights.

Shapes: x (..., D) bits; laws (2**D,), the transition matrix (2**D, 2**D).

How fast MIS forgets with the generator as proposal, by its second eigenvalue 1 - 1 / max w:

>>> import numpy as np
>>> from refdgm.undirected.autoregressive_generator import field_and_generator, transition_matrix
>>> round(float(np.sort(np.linalg.eigvals(transition_matrix(**field_and_generator(0))).real)[-2]), 3)
0.918
"""
import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, is_gradient_of, leaves_invariant
from refdgm.models import autoregressive, random_field
from refdgm.numerics import all_binary, kl, weighted_sum
from refdgm.samplers import independence


def fields(theta, phi, p_data):
    """The left-hand sides of Eq. 39 (ou2018 Eq. 39).  -> {"theta": dict, "phi": dict}"""
    valid.distribution("p_data", p_data)
    x, p = random_field.states(theta), random_field.law(theta)
    return {"theta": weighted_sum(p_data - p, random_field.grad_potential(theta, x)),
            "phi": weighted_sum(p, autoregressive.score_theta(phi, x))}


def log_weights(theta, phi, x):
    """log w(x) = u(x) - log q(x), free of Z (ou2018 Sec. 4.2.3).  (..., D) -> (...)"""
    return random_field.potential(theta, x) - autoregressive.log_prob(phi, x)


def transition_matrix(theta, phi):
    """One step of MIS for the field, with the generator as proposal (ou2018 Sec. 4.2.3).  -> (2**D, 2**D)"""
    x = random_field.states(theta)
    return independence.transition_matrix(log_weights(theta, phi, x), autoregressive.log_prob(phi, x))


# ---- claims ---------------------------------------------------------------------------

def field_and_generator(seed, D=3):
    """A field and a generator that do not agree; W below the diagonal only, the rest of it counts for nothing."""
    rng = onp.random.default_rng([seed, 39])
    return {"theta": random_field.random_case(seed, D)["theta"],
            "phi": {"W": rng.normal(size=(D, D)), "b": rng.normal(size=D)}}


def gradient_case(seed):
    """Both parameters as one lambda, and theta once more, held fixed for the second line of Eq. 37."""
    lam = field_and_generator(seed)
    return {"lam": lam, "fixed": lam["theta"], "p_data": onp.random.default_rng([seed, 40]).dirichlet(onp.full(8, 2.0))}


def q_of(phi):
    return np.exp(autoregressive.log_prob(phi, all_binary(3)))


def minus_both(lam, fixed, p_data):
    """Minus the two divergences of Eq. 37, each in its own parameter."""
    return -kl(p_data, random_field.law(lam["theta"])) - kl(random_field.law(fixed), q_of(lam["phi"]))


def scores_under(law):
    """Eq. 39 with another law of x in its second row."""
    return lambda lam, fixed, p_data: {
        "theta": fields(**lam, p_data=p_data)["theta"],
        "phi": weighted_sum(law(lam, p_data), autoregressive.score_theta(lam["phi"], all_binary(3)))}


def in_another_order(lam, fixed, p_data):
    """The score of a net whose units read the units after them."""
    x = random_field.states(fixed)
    turned = autoregressive.score_theta({"W": lam["phi"]["W"].T, "b": lam["phi"]["b"]}, x)
    return {"theta": fields(**lam, p_data=p_data)["theta"],
            "phi": weighted_sum(random_field.law(fixed), {"W": np.swapaxes(turned["W"], -1, -2), "b": turned["b"]})}


def field_by_hand(theta, phi):
    """The oracle of MIS: exp(u) / Z, state by state."""
    weights = onp.array([onp.exp(random_field.potential(theta, x)) for x in random_field.states(theta)])
    return weights / onp.sum(weights)


def mis_with(log_w):
    """MIS whose acceptance compares other weights log_w(u, log q)."""
    def chain(theta, phi):
        x = random_field.states(theta)
        u, log_q = random_field.potential(theta, x), autoregressive.log_prob(phi, x)
        return independence.transition_matrix(log_w(u, log_q), log_q)
    return chain


CLAIMS = [
    Claim("ou2018.eq39", lambda lam, fixed, p_data: fields(**lam, p_data=p_data),
          is_gradient_of(minus_both, "lam", gradient_case),
          {"x from the generator: zero for every phi": scores_under(lambda lam, p_data: q_of(lam["phi"])),
           "x from the data: maximum likelihood of q": scores_under(lambda lam, p_data: p_data),
           "all x alike": scores_under(lambda lam, p_data: onp.full(8, 1 / 8)),
           "conditionals that read the units to come": in_another_order}),
    Claim("ou2018.rf.mis", transition_matrix, leaves_invariant(field_by_hand, field_and_generator, reversible=True),
          {"exp(u(x') - u(x)): the proposal is not corrected for": mis_with(lambda u, log_q: u),
           "the ratio q/p": mis_with(lambda u, log_q: log_q - u),
           "every proposal accepted": mis_with(lambda u, log_q: 0 * u),
           "exp(-u): the potential taken for an energy": mis_with(lambda u, log_q: -u - log_q),
           "weights times q, not divided by it": mis_with(lambda u, log_q: u + log_q)}),
]
