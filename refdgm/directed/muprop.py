r"""MuProp: a Taylor expansion about the mean field as the baseline (ou2018 Sec. 3.2.1, Table 1; Gu et al. 2016).

With l(h) = log p(x, h) - log q(h|x), the mean field mu = E_q h = sigmoid(V x + c), and l' = dl/dh at mu,

    (l(h) - b(h)) dlog q(h|x)/dphi + l' dmu/dphi        b(h) = l(mu) + l' (h - mu)

is an estimate of the phi-gradient of L(x) from one draw h ~ q(.|x). The baseline looks at the draw, so it does change
the mean of the first term, but by a known amount: E_q[b dlog q/dphi] = d E_q[b]/dphi (with the coefficients of b held
fixed) = l' dmu/dphi, which the second term puts back. It is unbiased for any coefficients; those of the mean field make
the remainder l - b, and so the variance, small. NVIL has a baseline C(x) in place of b, and nothing to put back.

x (..., D), h and mu (..., H); leading axes are batches. l is extended to mu in [0, 1]^H as log p and log q are written.

The variance of a draw with no baseline, and MuProp's:

    >>> from refdgm.directed.muprop import plain_spread, random_data_case, spreads
    >>> case = random_data_case(0)
    >>> round(float(plain_spread(**case)[0]), 3), round(float(spreads()(**case)[1]), 3)
    (3.15, 0.014)
"""
import autograd.numpy as np
from autograd import grad

from refdgm.backend import xp as onp
from refdgm.checking import GRADIENT, Claim, equals, is_at_most, provided
from refdgm.models import sbn
from refdgm.models.sbn import latent_states, log_joint_table, log_q_table, log_weights, random_data_case, score_phi
from refdgm.numerics import sigmoid, softmax, weighted_sum


def mean_field(phi, x):
    """mu = E_q h.  (..., D) -> (..., H)"""
    return sigmoid(onp.dot(x, phi["V"].T) + phi["c"])


def slope(theta, phi, x, h):
    """dl/dh = a + W'(x - sigmoid(W h + b)) - (V x + c) (Gu et al. 2016, Sec. 3).  (..., D), (..., H) -> (..., H)"""
    error = x - sigmoid(onp.dot(h, theta["W"].T) + theta["b"])
    return theta["a"] + onp.dot(error, theta["W"]) - onp.dot(x, phi["V"].T) - phi["c"]


def taylor(theta, phi, x, h):
    """b(h) = l(mu) + l'(mu) (h - mu).  (..., D), (..., H) -> (...)"""
    mu = mean_field(phi, x)
    return log_weights(theta, phi, x, mu) + onp.sum(slope(theta, phi, x, mu) * (h - mu), axis=-1)


def through_the_mean(gain, phi, x):
    """gain dmu/dphi, the gradient that a mean-field network would have.  gain (..., H) -> dict of (..., *leaf)"""
    mu = mean_field(phi, x)
    at_c = gain * mu * (1 - mu)
    return {"V": at_c[..., :, None] * x[..., None, :], "c": at_c}


def estimate_grad_phi(theta, phi, x, h):
    """One draw of the gradient of L(x) in phi (ou2018 Table 1; Gu et al. 2016).  -> dict of (..., *leaf)"""
    remainder = log_weights(theta, phi, x, h) - taylor(theta, phi, x, h)
    back = through_the_mean(slope(theta, phi, x, mean_field(phi, x)), phi, x)
    return {name: remainder[(...,) + (None,) * (back[name].ndim - x.ndim + 1)] * leaf + back[name]
            for name, leaf in score_phi(phi, x, h).items()}


# ---- claims ---------------------------------------------------------------------------

def elbo(theta, phi, X):
    """E_p~ L, p~ the rows of X: the sum over every row and every h."""
    log_q = log_q_table(phi, X)
    return np.mean(np.sum(np.exp(log_q) * (log_joint_table(theta, X) - log_q), axis=-1))


def truth(theta, phi, X):
    """The gradients of E_p~ L, and the tangent of l at the mean field for every h, all by autograd."""
    mu, h = mean_field(phi, X), latent_states(theta)
    tangent = grad(lambda at: np.sum(log_weights(theta, phi, X, at)))(mu)
    at_mu = log_weights(theta, phi, X, mu) - np.sum(tangent * mu, axis=-1)
    return {"theta": grad(elbo)(theta, phi, X), "phi": grad(elbo, 1)(theta, phi, X),
            "baseline": at_mu[:, None] + tangent @ h.T}


def over_draws(theta, phi, X, estimate, law=lambda theta, phi, X: np.exp(log_q_table(phi, X))):
    """The exact mean of estimate(x, h) over the rows x of X and h of the given law, q(.|x) by default."""
    x, h = X[:, None, :], latent_states(theta)
    return weighted_sum(law(theta, phi, X) / len(X), estimate(x, h))


def updates(phi_estimate=estimate_grad_phi, law=lambda theta, phi, X: np.exp(log_q_table(phi, X))):
    """MuProp's mean update of theta and phi, and its baseline; mistakes take another estimate, or a law in theta."""
    def mean(theta, phi, X):
        return {"theta": over_draws(theta, phi, X, lambda x, h: sbn.score_theta(theta, x, h), law),
                "phi": over_draws(theta, phi, X, lambda x, h: phi_estimate(theta, phi, x, h)),
                "baseline": taylor(theta, phi, X[:, None, :], latent_states(theta))}
    return mean


def with_signal(signal, gain=None):
    """An estimate signal(..) dlog q/dphi + gain(..) dmu/dphi."""
    def estimate(theta, phi, x, h):
        s, score = signal(theta, phi, x, h), score_phi(phi, x, h)
        back = through_the_mean(gain(theta, phi, x, h), phi, x) if gain else {"V": 0.0, "c": 0.0}
        return {"V": s[..., None, None] * score["V"] + back["V"], "c": s[..., None] * score["c"] + back["c"]}
    return estimate


def remainder(theta, phi, x, h): return log_weights(theta, phi, x, h) - taylor(theta, phi, x, h)


def slope_at_the_mean(theta, phi, x, h): return slope(theta, phi, x, mean_field(phi, x)) + 0 * h


def resampled_law(theta, phi, X):
    """The law of h in the theta-gradient of I_2: one of two draws, by its normalised weight."""
    q = np.exp(log_q_table(phi, X))
    w = np.exp(log_joint_table(theta, X)) / q
    return 2 * q * np.sum(q[:, None, :] * w[:, :, None] / (w[:, :, None] + w[:, None, :]), axis=-1)


def posterior_law(theta, phi, X): return softmax(log_joint_table(theta, X))


def weighted_by_score(theta, phi, X):
    """q(h|x) |dlog q(h|x)/dphi|^2 for every row x and every h.  -> (n, 2**H)"""
    scores = score_phi(phi, X[:, None, :], latent_states(theta))
    return np.exp(log_q_table(phi, X)) * sum(np.sum(leaf**2, axis=tuple(range(2, leaf.ndim)))
                                             for leaf in scores.values())


def optimal_baseline(theta, phi, X):
    """The constant for each x that a score times it spreads least: E[l |s|^2] / E[|s|^2].  -> (n, 1)"""
    x, h = X[:, None, :], latent_states(theta)
    law = weighted_by_score(theta, phi, X)
    return np.sum(law * log_weights(theta, phi, x, h), axis=1, keepdims=True) / np.sum(law, axis=1, keepdims=True)


def spread(theta, phi, X, estimate):
    """The variance of one draw h ~ q(.|x), all components together, averaged over the rows of X.  -> ()"""
    def second(g): return {name: leaf**2 for name, leaf in g.items()}
    each = estimate(X[:, None, :], latent_states(theta))
    q = np.exp(log_q_table(phi, X))
    mean = weighted_sum(q, each, axis=-1)
    return sum(np.sum(leaf) for leaf in weighted_sum(q, second(each)).values()) / len(X) \
        - sum(np.sum(leaf**2) for leaf in mean.values()) / len(X)


def spreads(nvil=optimal_baseline, muprop=estimate_grad_phi):
    """The variance of NVIL's estimate with a baseline, and of MuProp's."""
    def both(theta, phi, X):
        C = nvil(theta, phi, X)
        centred = with_signal(lambda t, p, x, h: log_weights(t, p, x, h) - C)
        return np.array([spread(theta, phi, X, lambda x, h: e(theta, phi, x, h)) for e in (centred, muprop)])
    return both


def plain_spread(theta, phi, X):
    """The variance of l dlog q/dphi with no baseline, draw by draw; once for each of the two."""
    total = 0.0
    for x in X:
        draws = [(onp.exp(sbn.log_q(phi, x, h)), log_weights(theta, phi, x, h), score_phi(phi, x, h))
                 for h in latent_states(theta)]
        for name in phi:
            mean = sum(q * signal * s[name] for q, signal, s in draws)
            total += sum(q * onp.sum((signal * s[name] - mean)**2) for q, signal, s in draws) / len(X)
    return onp.array([total, total])


def small_remainder(theta, phi, X):
    """What Taylor leaves of l, squared and weighted by the score, is below the variance without a baseline.

    It bounds MuProp's variance. The best baseline of each x needs no condition.
    """
    left = remainder(theta, phi, X[:, None, :], latent_states(theta))
    return np.sum(weighted_by_score(theta, phi, X) * left**2) / len(X) <= plain_spread(theta, phi, X)[0]


CLAIMS = [
    Claim("ou2018.table1.muprop", updates(), equals(truth, random_data_case, rtol=GRADIENT, method="autodiff"),
          {"the baseline's mean not put back": updates(with_signal(remainder)),
           "put back without being taken off": updates(with_signal(log_weights, slope_at_the_mean)),
           "the mean-field gradient alone": updates(with_signal(lambda t, p, x, h: 0 * h[..., 0], slope_at_the_mean)),
           "the slope at the draw, not at the mean field": updates(with_signal(remainder, slope)),
           "no -log q in the slope": updates(with_signal(remainder, lambda t, p, x, h: slope_at_the_mean(t, p, x, h)
                                                         + onp.dot(x, p["V"].T) + p["c"])),
           "theta by the likelihood": updates(law=posterior_law),
           "theta by the IW-LB": updates(law=resampled_law)}),
    Claim("ou2018.table1.marks", spreads(), provided(small_remainder, is_at_most(plain_spread, random_data_case)),
          {"no baseline": spreads(nvil=lambda theta, phi, X: 0.0, muprop=with_signal(log_weights)),
           "the baseline added": spreads(nvil=lambda theta, phi, X: -optimal_baseline(theta, phi, X)),
           "MuProp's baseline added": spreads(muprop=with_signal(
               lambda t, p, x, h: log_weights(t, p, x, h) + taylor(t, p, x, h), slope_at_the_mean))}),
]
