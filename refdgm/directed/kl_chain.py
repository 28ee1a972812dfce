r"""KL(q || p) of two joint laws as a bound on the negative log-likelihood (bachman2015 Sec. 1, Eqs. 1-5).

    Eq. 1   E_D[-log E_{p(etc)} p(x|etc)] = E_D[-log p(x)]
    Eq. 2   KL(q(x_0..x_n) || p(x_0..x_n)) = KL(q(x_0) || p(x_0)) + E_{q(x_0)} KL(q(x_1..x_n|x_0) || p(x_1..x_n|x_0))
    Eq. 3   ... >= KL(q(x_0) || p(x_0))
    Eq. 4   ... >= max_i KL(q(x_i) || p(x_i))
    Eq. 5   KL(D(x) q(z|x) || p(x, z)) >= E_D[log D(x)] + E_D[-log p(x)]

Eqs. 2-4 take two tables q and p over x_0..x_3, one axis a variable. Eqs. 1 and 5 take the model of
`refdgm.models.tables`: theta["joint"] (X, H) gives p(x, z), phi["q"] (X, H) gives q(z|x), and p_data (X,) is the
paper's D(x).

Two bits that agree too often: neither marginal shows it, the joint divergence does.

    >>> import numpy as np
    >>> from refdgm.directed.kl_chain import chain_rule, marginal_divergences
    >>> q, p = np.array([[0.4, 0.1], [0.1, 0.4]]), np.full((2, 2), 0.25)
    >>> round(float(abs(marginal_divergences(q, p)).max()), 3), round(float(chain_rule(q, p)), 3)
    (0.0, 0.193)
"""
import autograd.numpy as np
from autograd import grad

from refdgm import numerics
from refdgm.backend import xp as onp
from refdgm.checking import GRADIENT, Claim, equals, is_at_least, is_at_most
from refdgm.models import joint_tables, tables
from refdgm.models.joint_tables import kl, marginal
from refdgm.numerics import log_sum_exp, weighted_sum


def conditional_divergences(q, p):
    """KL(q(x_1..x_n|x_0) || p(x_1..x_n|x_0)) for each x_0 (bachman2015 Eq. 2).  -> (X_0,)"""
    rows_q, rows_p = [np.reshape(joint_tables.conditional(t, 0), (len(t), -1)) for t in (q, p)]
    return numerics.kl(rows_q, rows_p)


def chain_rule(q, p):
    """KL(q(x_0) || p(x_0)) + E_{q(x_0)} KL(q(x_1..x_n|x_0) || p(x_1..x_n|x_0)) (bachman2015 Eq. 2).  -> ()"""
    return kl(marginal(q, 0), marginal(p, 0)) + np.sum(np.ravel(marginal(q, 0)) * conditional_divergences(q, p))


def marginal_divergences(q, p):
    """KL(q(x_i) || p(x_i)) for each i (bachman2015 Eqs. 3-4).  -> (n + 1,)"""
    return np.array([kl(marginal(q, i), marginal(p, i)) for i in range(q.ndim)])


def negative_log_likelihood(theta, p_data):
    """E_D[-log E_{etc ~ p(etc)} p(x|etc)] (bachman2015 Eq. 1).  -> ()"""
    log_p_x = log_sum_exp(tables.log_prior(theta) + tables.log_likelihood(theta))
    return -np.sum(p_data * log_p_x)


def divergence(theta, phi, p_data):
    """KL(D(x) q(z|x) || p(x, z)) (bachman2015 Eq. 5).  -> ()"""
    return kl(p_data[:, None] * np.exp(tables.log_q(phi)), np.exp(tables.log_joint(theta)))


def posterior_gap(theta, phi, p_data):
    """E_D[KL(q(z|x) || p(z|x))], what Eq. 5 drops (bachman2015 Eq. 5).  -> ()"""
    return np.sum(p_data * numerics.kl(np.exp(tables.log_q(phi)), np.exp(tables.log_posterior(theta))))


def free_energy(theta, phi, p_data):
    """E_D E_{q(z|x)}[log q(z|x) - log p(x, z)], which never looks at log D (bachman2015 Sec. 1.2).  -> ()"""
    log_q = tables.log_q(phi)
    return np.sum(p_data[:, None] * np.exp(log_q) * (log_q - tables.log_joint(theta)))


def step(theta, phi, x, z, moving=True):
    """The descent direction of a draw (x, z) ~ D(x) q(z|x) (bachman2015 Sec. 1.2).  (...), (...) -> dicts (..., *leaf)

    `moving` lets the draw depend on phi, through its score times log q(z|x) - log p(x, z); otherwise phi gets the
    derivative of log q(z|x) at the draw as it stands. The direction in theta is that of log p(x, z) either way.
    """
    signal = (tables.log_q(phi) - tables.log_joint(theta))[x, z]
    score = tables.score_phi(phi)["q"][x, z]
    return {"theta": {"joint": tables.score_theta(theta)["joint"][x, z]},
            "phi": {"q": -(signal[..., None, None] if moving else 1.0) * score}}


# ---- claims ---------------------------------------------------------------------------

def entropy(p_data):
    return -np.sum(p_data * np.log(p_data))


def data_and_model(seed):
    case = tables.random_case(seed)
    return {"theta": case["theta"], "p_data": case["p_data"]}


def near_posterior(seed):
    """q(z|x) close to the posterior: a gap too small to make up for an entropy of D that was left out."""
    case = tables.random_case(seed)
    return {**case, "phi": {"q": np.array(tables.log_posterior(case["theta"])) + case["phi"]["q"] / 2}}


def averaged(log_p_x_given_etc):
    """Eq. 1 with another way to average over the auxiliary variables."""
    return lambda theta, p_data: -np.sum(p_data * log_p_x_given_etc(theta))


def split(theta, phi, p_data, gap=posterior_gap):
    """The two terms of Eq. 5, first line."""
    return numerics.kl(p_data, np.exp(tables.log_marginal(theta))) + gap(theta, phi, p_data)


def reversed_gap(theta, phi, p_data):
    return np.sum(p_data * numerics.kl(np.exp(tables.log_posterior(theta)), np.exp(tables.log_q(phi))))


def reversed_data_term(theta, phi, p_data):
    return numerics.kl(np.exp(tables.log_marginal(theta)), p_data) + posterior_gap(theta, phi, p_data)


def gap_under_p(theta, phi, p_data):
    return split(theta, phi, p_data, gap=lambda t, f, _: posterior_gap(t, f, np.exp(tables.log_marginal(t))))


def no_gap(theta, phi, p_data):
    return negative_log_likelihood(theta, p_data)


def bound_and_descent(theta, phi, p_data):
    """KL(q || p) + H(D), and minus its gradient by autograd."""
    return {"bound": divergence(theta, phi, p_data) + entropy(p_data), **descent(theta, phi, p_data)}


def descent(theta, phi, p_data, moving=True):
    """Minus the gradient of KL(q || p) in both parameters, by autograd: what `mean_step` is held against."""
    return {"theta": grad(lambda t: -divergence(t, phi, p_data))(theta),
            "phi": grad(lambda f: -divergence(theta, f, p_data))(phi)}


def mean_step(theta, phi, p_data, moving=True, one=step, law=tables.log_q):
    """The exact mean of `step`: a sum over every draw (x, z)."""
    x, z = onp.indices(phi["q"].shape)
    probability = p_data[:, None] * np.exp(law(phi))
    return {name: weighted_sum(probability, tree) for name, tree in one(theta, phi, x, z, moving).items()}


def from_draws(**mistake):
    """The bound and its descent direction as means over draws of quantities that never look at log D."""
    def means(theta, phi, p_data):
        return {"bound": free_energy(theta, phi, p_data), **mean_step(theta, phi, p_data, **mistake)}
    return means


def reconstruction_only(theta, phi, x, z, moving):
    """`step` with log p(x|z) in place of log p(x, z)."""
    right = step(theta, phi, x, z, moving)
    return {**right, "phi": {"q": right["phi"]["q"] - tables.log_prior(theta)[z][..., None, None]
                             * tables.score_phi(phi)["q"][x, z]}}


def ascent(theta, phi, x, z, moving):
    right = step(theta, phi, x, z, moving)
    return {**right, "phi": {"q": -right["phi"]["q"]}}


def chain_rule_under_p(q, p):
    return kl(marginal(q, 0), marginal(p, 0)) + np.sum(np.ravel(marginal(p, 0)) * conditional_divergences(q, p))


def worst_conditional(q, p):
    return kl(marginal(q, 0), marginal(p, 0)) + np.max(conditional_divergences(q, p))


def cross_entropies(q, p):
    return np.array([-np.sum(marginal(q, i) * np.log(marginal(p, i))) for i in range(q.ndim)])


CLAIMS = [
    Claim("bachman2015.intro_bound", lambda theta, phi, p_data: divergence(theta, phi, p_data) + entropy(p_data),
          is_at_least(no_gap, near_posterior),
          {"E_D log D added": lambda theta, phi, p_data: divergence(theta, phi, p_data) - entropy(p_data),
           "the divergence of the conditionals alone": posterior_gap},
          printed=divergence),
    Claim("bachman2015.eq1", negative_log_likelihood,
          equals(lambda theta, p_data: -np.sum(p_data * tables.log_marginal(theta)), data_and_model),
          {"log inside the expectation": averaged(
              lambda t: np.sum(np.exp(tables.log_prior(t)) * tables.log_likelihood(t), axis=1)),
           "a plain sum over etc": averaged(lambda t: log_sum_exp(tables.log_likelihood(t))),
           "etc drawn from the posterior": averaged(lambda t: log_sum_exp(tables.log_posterior(t)
                                                                          + tables.log_likelihood(t)))}),
    Claim("bachman2015.intro_requirements", from_draws(), equals(bound_and_descent, tables.random_case, rtol=GRADIENT),
          {"without the gradient of log q": from_draws(moving=False),
           "draws of etc that are not from q": from_draws(law=lambda phi: -np.log(3.0) + 0 * phi["q"]),
           "log p(x|etc) in place of log p(x, etc)": from_draws(one=reconstruction_only)}),
    Claim("bachman2015.intro_free_energy", lambda theta, phi, p_data: divergence(theta, phi, p_data) + entropy(p_data),
          equals(free_energy, tables.random_case),
          {"E_D log D not subtracted": divergence,
           "the negative free energy": lambda theta, phi, p_data: -divergence(theta, phi, p_data) - entropy(p_data)}),
    Claim("bachman2015.eq2", chain_rule, equals(kl, joint_tables.random_joints),
          {"the conditionals averaged under p(x_0)": chain_rule_under_p,
           "the worst conditional, not their mean": worst_conditional,
           "conditionals only": lambda q, p: np.sum(np.ravel(marginal(q, 0)) * conditional_divergences(q, p))}),
    Claim("bachman2015.eq3", lambda q, p: marginal_divergences(q, p)[0], is_at_most(kl, joint_tables.random_joints),
          {"the worst conditional added": worst_conditional,
           "cross-entropy, without the entropy of q": lambda q, p: cross_entropies(q, p)[0]}),
    Claim("bachman2015.eq4", lambda q, p: np.max(marginal_divergences(q, p)), is_at_most(kl, joint_tables.noisy_copies),
          {"the sum over i": lambda q, p: np.sum(marginal_divergences(q, p)),
           "cross-entropy, without the entropy of q": lambda q, p: np.max(cross_entropies(q, p))},
          printed=lambda q, p: np.argmax(marginal_divergences(q, p))),
    Claim("bachman2015.eq5_identity", split, equals(divergence, tables.random_case),
          {"the gap averaged under p(x)": gap_under_p,
           "KL(p(x) || D)": reversed_data_term,
           "KL(p(z|x) || q(z|x)) inside": lambda **c: split(**c, gap=reversed_gap)}),
    Claim("bachman2015.eq5_bound", lambda theta, phi, p_data: negative_log_likelihood(theta, p_data) - entropy(p_data),
          is_at_most(divergence, near_posterior),
          {"without E_D log D": no_gap,
           "minus E_D log D": lambda theta, phi, p_data: negative_log_likelihood(theta, p_data) + entropy(p_data)}),
    Claim("bachman2015.sec1.2_objective", free_energy,
          equals(lambda theta, phi, p_data: negative_log_likelihood(theta, p_data) + posterior_gap(theta, phi, p_data),
                 tables.random_case),
          {"the gap closes for any q": no_gap,
           "E_D log D added": lambda theta, phi, p_data: divergence(theta, phi, p_data) - entropy(p_data),
           "the gap is KL(p(z|x) || q(z|x))":
               lambda theta, phi, p_data: no_gap(theta, phi, p_data) + reversed_gap(theta, phi, p_data)}),
    Claim("bachman2015.sec1.2_twostep", mean_step, equals(descent, tables.random_case, rtol=GRADIENT),
          {"ascent for q": lambda **c: mean_step(**c, one=ascent),
           "log p(x|z) in place of log p(x, z)": lambda **c: mean_step(**c, one=reconstruction_only),
           "z drawn uniformly": lambda **c: mean_step(**c, law=lambda phi: -np.log(3.0) + 0 * phi["q"])},
          without=equals(descent, lambda seed: {**tables.random_case(seed), "moving": False}, rtol=GRADIENT)),
]
