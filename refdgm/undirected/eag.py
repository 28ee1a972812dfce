r"""Random fields learned with an exclusive auxiliary generator (ou2018 Sec. 4.2.2, Eqs. 35-36; Kim & Bengio 2016).

    Eq. 35   min_theta KL[p~(x) || p(x)]          min_phi KL[q(x) || p(x)]          (theta held fixed)
    Eq. 36   E_p~[du/dtheta] - E_p[du/dtheta] = 0      d/dphi {-E_q[log p(x)] - H[q]} = 0
    no Z     x = G(eps):  dlog p(x)/dphi = (dG/dphi) du/dx, since log Z does not depend on phi
    H[q]     = H[eps] + E log |dG/deps|, tractable here only because G is invertible
    approx.  E_p[du/dtheta] - E_q[du/dtheta] = dKL[q || p]/dtheta: what E_q in place of E_p costs the theta-row

On bits (Eq. 35 and the last line) the field is models.random_field and the generator a sigmoid belief net, phi = {"a",
"W", "b"}. On the real line (Eq. 36) u(x) = v' tanh(W x + b) + c x - x^2/2 and x = A sinh(arcsinh(eps) + s) + m, phi =
{"A", "s", "m"}, eps ~ N(0, 1); every mean is an integral on a fine grid.

Shapes: x, eps (n, 1);  a generator's gradient is a dict of (n, *leaf).

KL[p~ || p] and KL[q || p], the two divergences that are minimised, each by its own player:

>>> from refdgm.undirected.eag import bits_case, objectives
>>> [round(float(divergence), 2) for divergence in objectives(**bits_case(0))]
[0.94, 0.41]
"""
import autograd.numpy as np
from autograd import grad

from refdgm import validation as valid
from refdgm.backend import here
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, is_gradient_of
from refdgm.models import implicit, random_field, sbn
from refdgm.numerics import entropy, kl, log_sum_exp, normal_trapezoid, trapezoid, weighted_sum

X, DX = trapezoid(-16.0, 16.0, 401)         # the real line
X = X[:, None]
EPS, DENSITY = normal_trapezoid(241, reach=9.0)     # the noise: nodes, and weights that contain its density
EPS = EPS[:, None]


# ---- on bits, by enumeration ----------------------------------------------------------

def objectives(theta, phi, p_data):
    """KL[p~ || p] and KL[q || p] as cross entropies minus entropies (ou2018 Eq. 35).  -> (2,)"""
    x = random_field.states(theta)
    log_p, q = random_field.log_prob(theta, x), np.exp(sbn.log_marginal(phi, x))
    return np.array([-np.sum(p_data * log_p) - entropy(p_data), -np.sum(q * log_p) - entropy(q)])


def error_of_negative_phase(theta, phi):
    """E_p[du/dtheta] - E_q[du/dtheta]: the generator stands in for the field (ou2018 Sec. 4.2.2).  -> dict"""
    x = random_field.states(theta)
    difference = random_field.law(theta) - np.exp(sbn.log_marginal(phi, x))
    return weighted_sum(difference, random_field.grad_potential(theta, x))


# ---- on the real line, by quadrature --------------------------------------------------

def potential(theta, x):
    """u(x), with a quadratic that makes exp(u) integrable.  (n, 1) -> (n,)"""
    return random_field.potential(theta, x) - x[..., 0]**2 / 2


def force(theta, x):
    """du/dx by hand.  (n, 1) -> (n,)"""
    slope = theta["v"] * (1 - onp.tanh(x @ theta["W"].T + theta["b"])**2)
    return slope @ theta["W"][:, 0] + theta["c"][0] - x[..., 0]


def log_partition(theta):
    """log Z = log int exp(u(x)) dx.  -> ()"""
    return log_sum_exp(potential(theta, here(X)) + np.log(here(DX)))


def generator_gradient(phi, eps):
    """dG(eps)/dphi by hand.  (n, 1) -> dict of (n, *leaf)"""
    t = onp.arcsinh(eps) + phi["s"]
    return {"A": onp.sinh(t)[..., None], "s": phi["A"][0] * onp.cosh(t), "m": onp.ones_like(eps)}


def likelihood_gradient(theta, data):
    """E_p~[du/dtheta] - E_p[du/dtheta] (ou2018 Eq. 36, first row).  data (n, 1) -> dict"""
    valid.shape("data", data, (None, 1))
    valid.count("the number of observations", len(data))
    x, dx = here((X, DX))
    p = onp.exp(potential(theta, x) - log_partition(theta)) * dx
    negative = weighted_sum(p, random_field.grad_potential(theta, x))
    positive = weighted_sum(onp.full(len(data), 1 / len(data)), random_field.grad_potential(theta, data))
    return {name: positive[name] - negative[name] for name in theta}


def reconstruction_gradient(theta, phi, eps):
    """dlog p(G(eps))/dphi = (dG/dphi) du/dx, without Z, for every eps (ou2018 Sec. 4.2.2).  -> dict of (n, *leaf)"""
    along = force(theta, implicit.generate(phi, eps))
    return {name: leaf * along.reshape(-1, *[1] * (leaf.ndim - 1)) for name, leaf in
            generator_gradient(phi, eps).items()}


def entropy_gradient(phi, eps):
    """d/dphi log |dG/deps|, whose mean is dH[q]/dphi, for every eps (ou2018 Sec. 4.2.2).  -> dict of (n, *leaf)"""
    t = onp.arcsinh(eps) + phi["s"]
    return {"A": onp.ones((len(eps), 1, 1)) / phi["A"], "s": onp.tanh(t), "m": onp.zeros_like(eps)}


def fields(theta, phi, data, entropy_factor=1.0, likelihood_gradient=likelihood_gradient):
    """Both rows as printed: theta ascends the first, phi descends the second (ou2018 Eq. 36).  -> {"theta", "phi"}"""
    eps, density = here((EPS, DENSITY))
    toward_modes = weighted_sum(density, reconstruction_gradient(theta, phi, eps))
    spread = weighted_sum(density, entropy_gradient(phi, eps))
    return {"theta": likelihood_gradient(theta, data),
            "phi": {name: -toward_modes[name] - entropy_factor * spread[name] for name in phi}}


# ---- claims ---------------------------------------------------------------------------

def bits_case(seed):
    """A field and a generator on three bits, which do not agree, and data that neither fits."""
    return {"theta": random_field.random_case(seed)["theta"], "phi": sbn.random_case([seed, 36])["theta"],
            "p_data": onp.random.default_rng([seed, 37]).dirichlet(onp.full(8, 2.0))}


def bits_case_without_data(seed):
    return {name: part for name, part in bits_case(seed).items() if name != "p_data"}


def laws(theta, phi):
    """p and q over all bits, each on its own from a plain loop."""
    weight = onp.array([onp.exp(random_field.potential(theta, x)) for x in random_field.states(theta)])
    q = onp.array([onp.sum(onp.exp(sbn.log_joint_table(phi, x))) for x in random_field.states(theta)])
    return weight / onp.sum(weight), q


def negative_phase(theta, phi):
    """KL[q || p] in its theta: the oracle's objective."""
    x = random_field.states(theta)
    return kl(np.exp(sbn.log_marginal(phi, x)), random_field.law(theta))


def line_case(seed):
    """A field and a generator on the real line, and three observations."""
    rng = onp.random.default_rng([seed, 35])
    phi = {"A": rng.uniform(0.5, 1.1, (1, 1)), "s": rng.uniform(-0.3, 0.3, 1), "m": rng.uniform(-0.5, 0.5, 1)}
    theta = random_field.random_case(seed, D=1)["theta"]
    return {"lam": {"theta": theta, "phi": phi}, "fixed": theta, "data": rng.normal(size=(3, 1))}


def exclusive_kl(theta, phi):
    """KL[q || p] from the two densities, on a grid of x: no generator, no noise."""
    log_q = implicit.log_density(phi, X)
    return np.sum(DX * np.exp(log_q) * (log_q - potential(theta, X) + log_partition(theta)))


def eq36_objective(lam, fixed, data):
    """What the rows of Eq. 36 are the gradients of."""
    return (np.mean(potential(lam["theta"], data)) - log_partition(lam["theta"])
            + exclusive_kl(fixed, lam["phi"]))


def rows(**options):
    return lambda lam, fixed, data: fields(lam["theta"], lam["phi"], data, **options)


def from_the_generator(phi):
    """Kim and Bengio's theta-row: x from q where Eq. 36 has x from p."""
    def gradient(theta, data):
        x = implicit.generate(phi, EPS)
        positive = weighted_sum(onp.full(len(data), 1 / len(data)), random_field.grad_potential(theta, data))
        negative = weighted_sum(DENSITY, random_field.grad_potential(theta, x))
        return {name: positive[name] - negative[name] for name in theta}
    return gradient


def draws_case(seed):
    """Four draws of the noise, with weights, so that no mean over eps can hide a wrong draw."""
    c, rng = line_case(seed), onp.random.default_rng([seed, 38])
    return {"theta": c["fixed"], "phi": c["lam"]["phi"], "eps": rng.normal(size=(4, 1)), "weights": rng.random(4)}


def log_p_of_draws(theta, phi, eps, weights):
    """sum_k weights_k log p(G(eps_k)), with log Z."""
    return np.sum(weights * (potential(theta, implicit.generate(phi, eps)) - log_partition(theta)))


def weighted(gradient):
    return lambda theta, phi, eps, weights: weighted_sum(weights, gradient(theta, phi, eps))


def scaled(factor):
    """The gradient, each draw times factor(theta, phi, eps)."""
    return lambda theta, phi, eps, weights: weighted_sum(weights * factor(theta, phi, eps),
                                                         reconstruction_gradient(theta, phi, eps))


CLAIMS = [
    Claim("ou2018.eq35", objectives,
          equals(lambda theta, phi, p_data: np.array([kl(p_data, laws(theta, phi)[0]), kl(*laws(theta, phi)[::-1])]),
                 bits_case),
          {"the inclusive KL[p || q]": lambda theta, phi, p_data: np.array([
              kl(p_data, laws(theta, phi)[0]), kl(*laws(theta, phi))]),
           "the generator fitted to the data: KL[q || p~]": lambda theta, phi, p_data: np.array([
              kl(p_data, laws(theta, phi)[0]), kl(laws(theta, phi)[1], p_data)]),
           "without log Z": lambda theta, phi, p_data: objectives(theta, phi, p_data)
              - random_field.log_partition(theta),
           "entropies added": lambda theta, phi, p_data: objectives(theta, phi, p_data)
              + 2 * np.array([entropy(p_data), entropy(laws(theta, phi)[1])])}),
    Claim("ou2018.eq36", rows(), is_gradient_of(eq36_objective, "lam", line_case, method="quadrature"),
          {"+ H[q]": rows(entropy_factor=-1.0),
           "no entropy: the generator seeks the mode": rows(entropy_factor=0.0),
           "the theta-row with x from the generator": lambda lam, fixed, data: fields(
               lam["theta"], lam["phi"], data, likelihood_gradient=from_the_generator(lam["phi"])),
           "both rows ascended": lambda lam, fixed, data: {
               "theta": rows()(lam, fixed, data)["theta"],
               "phi": {name: -leaf for name, leaf in rows()(lam, fixed, data)["phi"].items()}}}),
    Claim("ou2018.eag.noZ", weighted(reconstruction_gradient),
          is_gradient_of(log_p_of_draws, "phi", draws_case),
          {"divided by Z": scaled(lambda theta, phi, eps: onp.exp(-log_partition(theta))),
           "the gradient of exp(u)/Z, not of its log": scaled(lambda theta, phi, eps: onp.exp(
               potential(theta, implicit.generate(phi, eps)) - log_partition(theta))),
           "u taken for an energy": scaled(lambda theta, phi, eps: -1.0),
           "the force at the noise, not at x": lambda theta, phi, eps, weights: weighted_sum(
               weights * force(theta, eps), generator_gradient(phi, eps)),
           "plus the entropy's gradient": lambda theta, phi, eps, weights: weighted_sum(weights, {
               name: leaf + entropy_gradient(phi, eps)[name]
               for name, leaf in reconstruction_gradient(theta, phi, eps).items()})}),
    Claim("ou2018.eag.approx_negphase", error_of_negative_phase,
          is_gradient_of(negative_phase, "theta", bits_case_without_data),
          {"exact for every q": lambda theta, phi: {name: 0 * leaf for name, leaf in theta.items()},
           "the gradient of the inclusive KL": lambda theta, phi: grad(lambda t: kl(
               random_field.law(t), laws(theta, phi)[1]))(theta),
           "the bias with the opposite sign": lambda theta, phi: {
               name: -leaf for name, leaf in error_of_negative_phase(theta, phi).items()}}),
]
