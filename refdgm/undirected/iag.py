r"""Random fields learned with an inclusive auxiliary generator (ou2018 Sec. 4.2.3, Eqs. 37-38, Prop. 4, Algorithm 7).

    Eq. 37   min_theta KL[p~(x) || p(x)]        min_phi KL[p(x) || q(x)]           (theta held fixed)
    Eq. 38   E_p~[du/dtheta] - E_p[du/dtheta] = 0
             E_p(x)[dlog q(x)/dphi] = E_{p(x) q(h|x)}[dlog q(x, h)/dphi] = 0
    Prop. 4  Eq. 38 is f(lambda) = E_{p(z;lambda)} F(z;lambda) = 0, with z = (x~, x, h), p(z) = p~(x~) p(x) q(h|x) and
             F(z) = (du(x~)/dtheta - du(x)/dtheta, dlog q(x, h)/dphi)
    Alg. 7   draw a minibatch of z, add gamma times the mean of F over it to (theta, phi)

The field is models.random_field on bits; the generator q(x, h) = q(h) q(x|h) is a sigmoid belief net, phi = {"a", "W",
"b"}. KL[p || q] asks for samples of p and scores of q, and for no entropy of q.

Shapes: x (..., D), h (..., H); a batch of z is (x~, x, h), three arrays with the same leading axes; F is a dict of
dicts of (..., *leaf). X = 2**D and M = 2**H states are summed.

KL[p~ || p] and KL[p || q]: the generator is inclusive, so it stands on the right.

>>> from refdgm.undirected.iag import case, objectives
>>> [round(float(divergence), 2) for divergence in objectives(**case(0))]
[0.39, 0.16]
"""
import autograd.numpy as np
from autograd import grad

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import GRADIENT, Claim, equals, is_gradient_of
from refdgm.models import random_field, sbn
from refdgm.numerics import all_binary, all_tuples, entropy, kl, weighted_sum


def objectives(theta, phi, p_data):
    """KL[p~ || p] and KL[p || q] as cross entropies minus entropies (ou2018 Eq. 37).  -> (2,)"""
    x, p = random_field.states(theta), random_field.law(theta)
    return np.array([-np.sum(p_data * random_field.log_prob(theta, x)) - entropy(p_data),
                     -np.sum(p * sbn.log_marginal(phi, x)) - entropy(p)])


def F(theta, phi, x_data, x, h):
    """(du(x~) - du(x), dlog q(x, h)): the noisy measurement at z (ou2018 Prop. 4).  -> {"theta": .., "phi": ..}"""
    data, model = random_field.grad_potential(theta, x_data), random_field.grad_potential(theta, x)
    return {"theta": {name: data[name] - model[name] for name in data}, "phi": sbn.score_theta(phi, x, h)}


def law_of_z(theta, phi, p_data):
    """p(z) = p~(x~) p(x) q(h|x) for every z (ou2018 Prop. 4).  -> (X, X, M)"""
    valid.distribution("p_data", p_data)
    x_and_h = random_field.law(theta)[:, None] * sbn.posterior(phi, random_field.states(theta))
    return p_data[:, None, None] * x_and_h


def every_z(theta, phi):
    """Every z = (x~, x, h): arrays (X, X, M, D), (X, X, M, D), (X, X, M, H)."""
    x, h = random_field.states(theta), sbn.latent_states(phi)
    shape = (len(x), len(x), len(h), -1)
    return (onp.broadcast_to(x[:, None, None], (*shape[:3], x.shape[1])),
            onp.broadcast_to(x[None, :, None], (*shape[:3], x.shape[1])),
            onp.broadcast_to(h, (*shape[:3], h.shape[1])))


def mean_F(theta, phi, p_data):
    """f(lambda) = E_{p(z)} F(z), a sum over all z (ou2018 Prop. 4).  -> {"theta": .., "phi": ..}"""
    return weighted_sum(law_of_z(theta, phi, p_data), F(theta, phi, *every_z(theta, phi)))


def fields(theta, phi, p_data):
    """The left-hand sides of Eq. 38, the generator's score averaged over its own posterior (ou2018 Eq. 38)."""
    x, h, p = random_field.states(theta), sbn.latent_states(phi), random_field.law(theta)
    score = sbn.score_theta(phi, x[:, None], h)
    return {"theta": weighted_sum(p_data - p, random_field.grad_potential(theta, x)),
            "phi": weighted_sum(p[:, None] * sbn.posterior(phi, x), score)}


def update(theta, phi, x_data, x, h):
    """The mean of F over a minibatch of |U| draws z, to be ascended (ou2018 Alg. 7).  z (..., |U|, .) -> dicts"""
    size = x.shape[-2]
    return weighted_sum(onp.full(x.shape[:-1], 1 / size), F(theta, phi, x_data, x, h), axis=-1)


# ---- claims ---------------------------------------------------------------------------

def case(seed, D=3, H=2):
    """A field and a generator that do not agree, and data that neither fits."""
    return {"theta": random_field.random_case(seed, D)["theta"], "phi": sbn.random_case([seed, 38], D, H)["theta"],
            "p_data": onp.random.default_rng([seed, 39]).dirichlet(onp.full(2**D, 2.0))}


def gradient_case(seed):
    """Both parameters as one lambda, and theta once more, held fixed for the second line of Eq. 37."""
    c = case(seed)
    return {"lam": {"theta": c["theta"], "phi": c["phi"]}, "fixed": c["theta"], "p_data": c["p_data"]}


def q_of(phi, D=3):
    """q(x) for every x, a sum over h."""
    return np.sum(np.exp(sbn.log_joint_table(phi, all_binary(D))), axis=-1)


def divergences(theta, phi, p_data):
    """The oracle of Eq. 37: two divergences between normalised tables."""
    u = np.array([random_field.potential(theta, x) for x in random_field.states(theta)])
    p = np.exp(u) / np.sum(np.exp(u))
    return np.array([kl(p_data, p), kl(p, q_of(phi, len(theta["c"])))])


def minus_both(lam, fixed, p_data):
    """What Eq. 38 is the gradient of: minus the two divergences, each in its own parameter."""
    return -kl(p_data, random_field.law(lam["theta"])) - kl(random_field.law(fixed), q_of(lam["phi"]))


def field_with(law_of_x_and_h=None, score_at_data=False, sign=1.0):
    """E F under another law of (x, h), with the generator's score at x~, or with the field's row turned around."""
    def mean(lam, fixed, p_data):
        theta, phi = lam["theta"], lam["phi"]
        law = law_of_z(theta, phi, p_data) if law_of_x_and_h is None else \
            p_data[:, None, None] * law_of_x_and_h(theta, phi, p_data)
        x_data, x, h = every_z(theta, phi)
        found = weighted_sum(law, F(theta, phi, x_data, x, h))
        if score_at_data:
            found["phi"] = weighted_sum(law, sbn.score_theta(phi, x_data, h))
        return {"theta": {name: sign * leaf for name, leaf in found["theta"].items()}, "phi": found["phi"]}
    return mean


def generator_row(weight):
    """Eq. 38 with another law weight(p, phi, p_data) (X, M) of (x, h) in its second row."""
    def rows(lam, fixed, p_data):
        theta, phi = lam["theta"], lam["phi"]
        score = sbn.score_theta(phi, random_field.states(theta)[:, None], sbn.latent_states(phi))
        return {"theta": fields(theta, phi, p_data)["theta"],
                "phi": weighted_sum(weight(random_field.law(theta), phi, p_data), score)}
    return rows


def prior(phi): return np.exp(sbn.log_prior(phi, sbn.latent_states(phi)))
def posterior(phi): return sbn.posterior(phi, all_binary(3))
def generated(phi): return np.exp(sbn.log_joint_table(phi, all_binary(3)))


def no_entropy_case(seed):
    c = case(seed)
    return {"phi": c["phi"], "p": random_field.law(c["theta"])}


def value_and_gradient(objective):
    """A function of (phi, p), and its gradient in phi."""
    return lambda phi, p: {"value": objective(phi, p), "gradient": grad(objective)(phi, p)}


def cross_entropy(phi, p):
    """-E_p log q: all that phi has to do with."""
    return -np.sum(p * sbn.log_marginal(phi, all_binary(3)))


def cross_entropy_and_scores(phi, p):
    """The value of KL[p || q], and its gradient from scores alone: no gradient of an entropy is taken."""
    score = sbn.score_theta(phi, all_binary(3)[:, None], sbn.latent_states(phi))
    return {"value": cross_entropy(phi, p) - entropy(p), "gradient": weighted_sum(-p[:, None] * posterior(phi), score)}


def minibatch_case(seed):
    """Two bits of x and one of h: 32 states of z, 1024 minibatches of two."""
    c = case(seed, D=2, H=1)
    return {"lam": {"theta": c["theta"], "phi": c["phi"]}, "fixed": c["theta"], "p_data": c["p_data"]}


def mean_update(update=update, law=law_of_z, size=2):
    """The exact mean of Algorithm 7's update, a sum over all minibatches of two."""
    def mean(lam, fixed, p_data):
        theta, phi = lam["theta"], lam["phi"]
        probability = law(theta, phi, p_data).ravel()
        index = all_tuples(len(probability), size)
        z = [part.reshape(len(probability), -1)[index] for part in every_z(theta, phi)]
        return weighted_sum(onp.prod(probability[index], axis=1), update(theta, phi, *z))
    return mean


def likelihoods(lam, fixed, p_data):
    """What Algorithm 7 ascends: E_p~ log p + E_p log q, p fixed in the second."""
    x = random_field.states(fixed)
    return (np.sum(p_data * random_field.log_prob(lam["theta"], x))
            + np.sum(random_field.law(fixed) * np.log(q_of(lam["phi"], 2))))


def turned(part, factor):
    """Algorithm 7's update with one row, or both, times a factor."""
    return lambda *args: {name: {key: (factor if name in part else 1.0) * leaf for key, leaf in row.items()}
                          for name, row in update(*args).items()}


CLAIMS = [
    Claim("ou2018.eq37", objectives, equals(divergences, case),
          {"the exclusive KL[q || p]": lambda theta, phi, p_data: np.array([
              divergences(theta, phi, p_data)[0], kl(q_of(phi), random_field.law(theta))]),
           "the generator fitted to the data: KL[p~ || q]": lambda theta, phi, p_data: np.array([
              divergences(theta, phi, p_data)[0], kl(p_data, q_of(phi))]),
           "the entropy of q for that of p": lambda theta, phi, p_data: objectives(theta, phi, p_data) + np.array(
              [0.0, entropy(random_field.law(theta)) - entropy(q_of(phi))])}),
    Claim("ou2018.eq38", lambda lam, fixed, p_data: fields(**lam, p_data=p_data),
          is_gradient_of(minus_both, "lam", gradient_case),
          {"h from the prior q(h)": generator_row(lambda p, phi, p_data: p[:, None] * prior(phi)),
           "(x, h) from the generator: zero for every phi": generator_row(lambda p, phi, p_data: generated(phi)),
           "x from the data": generator_row(lambda p, phi, p_data: p_data[:, None] * posterior(phi)),
           "q(x, h) for q(h|x)": generator_row(lambda p, phi, p_data: p[:, None] * generated(phi))}),
    Claim("ou2018.iag.no_entropy", cross_entropy_and_scores,
          equals(value_and_gradient(lambda phi, p: kl(p, q_of(phi))), no_entropy_case, rtol=GRADIENT,
                 method="autodiff"),
          {"H[q] in place of H[p]": value_and_gradient(lambda phi, p: cross_entropy(phi, p) - entropy(q_of(phi))),
           "no entropy at all: the gradient only is right": value_and_gradient(cross_entropy),
           "the exclusive KL[q || p]": value_and_gradient(lambda phi, p: kl(q_of(phi), p)),
           "x from q": value_and_gradient(lambda phi, p: cross_entropy(phi, q_of(phi)) - entropy(p))}),
    Claim("ou2018.prop4", lambda lam, fixed, p_data: mean_F(**lam, p_data=p_data),
          is_gradient_of(minus_both, "lam", gradient_case),
          {"p(z) = p~(x~) p(x) q(h)": field_with(lambda theta, phi, p_data: random_field.law(theta)[:, None]
                                                 * prior(phi)),
           "(x, h) from the generator": field_with(lambda theta, phi, p_data: generated(phi)),
           "the score of q at the observation": field_with(score_at_data=True),
           "du(x) - du(x~)": field_with(sign=-1.0)}),
    Claim("ou2018.alg7.update", mean_update(), is_gradient_of(likelihoods, "lam", minibatch_case),
          {"theta descends": mean_update(turned(("theta",), -1.0)),
           "phi descends": mean_update(turned(("phi",), -1.0)),
           "no 1/|U|": mean_update(turned(("theta", "phi"), 2.0)),
           "x from the generator: no MCMC for p": mean_update(law=lambda theta, phi, p_data:
              p_data[:, None, None] * np.exp(sbn.log_joint_table(phi, random_field.states(theta)))),
           "one x for the minibatch's first draw only": mean_update(
              lambda theta, phi, x_data, x, h: update(theta, phi, x_data, np.stack([x[:, 0], x_data[:, 1]], 1), h))}),
]
