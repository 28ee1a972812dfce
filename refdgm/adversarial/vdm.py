r"""Variational divergence minimisation as stochastic approximation (ou2018 Sec. 3.2.4, Eq. 29, Algorithm 5).

    Eq. 29    min_theta max_psi  F(theta, psi) = E_{p0}[T(x)] - E_eps[f*(T(G(eps)))]
    Alg. 5    psi up     (1/|M|) sum_M grad_psi T(x) - (1/|E|) sum_E grad_psi f*(T(G(eps)))
              theta down -(1/|E|) sum_E grad_theta f*(T(G(eps)))

The setting is one-dimensional: G(eps) = theta_0 + exp(theta_1) eps, V(x) = psi . (1, x, x^2), T = f'(exp V). Data and
noise are laws on a few numbers, so the mean over all minibatches is a finite sum.

A root is found only if it attracts: the matrix of the field (ascent in psi, descent in theta) must have eigenvalues
with negative real parts. At p = p0 it is so if data and noise are spread out. If both are single points, T has nothing
to hold on to at the root, the eigenvalues are imaginary, and the players circle (Mescheder et al. 2018).

x (..., M) with law p0, eps (..., E) with law noise; psi (3,), theta (2,); name is a row of divergences.F_DIVERGENCES.

How fast the players come to rest at p = p0, by the eigenvalue nearest the axis; at a single point they circle.

>>> import numpy as np
>>> from refdgm.adversarial.vdm import field_matrix, realisable_case
>>> spectra = [np.linalg.eigvals(field_matrix(**realisable_case(0, spread))) for spread in (1, 0)]
>>> [round(abs(float(eigenvalues.real.max())), 3) for eigenvalues in spectra]
[0.183, 0.0]
"""
import autograd.numpy as np
from autograd import grad, jacobian

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, is_gradient_of, is_stable
from refdgm.f_divergences import F_DIVERGENCES, named
from refdgm.models.finite_game import supremum
from refdgm.numerics import all_tuples, weighted_sum

STRICTLY_CONVEX = tuple(name for name in F_DIVERGENCES if name != "total variation")


def generate(theta, eps):
    """G(eps) = theta_0 + exp(theta_1) eps.  (2,), (...) -> (...)"""
    return theta[0] + np.exp(theta[1]) * eps


def features(x):
    """(1, x, x^2).  (...) -> (..., 3)"""
    return np.stack([1 + 0 * x, x, x**2], axis=-1)


def variational_function(name, psi, x):
    """T(x) = f'(exp V(x)), V = psi . (1, x, x^2): in dom f* for every psi.  -> (...)"""
    valid.vector("psi", psi, 3)
    return named(name).at_log(np.dot(features(x), psi))


def objective(name, theta, psi, x, p0, eps, noise):
    """F(theta, psi) = E_{p0}[T] - E_eps[f*(T(G(eps)))] (ou2018 Eq. 29).  -> ()"""
    of_fake = variational_function(name, psi, generate(theta, eps))
    return np.sum(p0 * variational_function(name, psi, x)) - np.sum(noise * named(name).conjugate(of_fake))


# ---- Algorithm 5 ----------------------------------------------------------------------

def slopes(name, psi, x):
    """dT/dV = f''(e^V) e^V, and df*(T)/dV = e^V dT/dV, since the slope of f* at f'(u) is u.  -> two (...)"""
    u = np.exp(np.dot(features(x), psi))
    of_T = named(name).second(u) * u
    return of_T, u * of_T


def estimate_grad_psi(name, theta, psi, x, eps):
    """(1/|M|) sum grad_psi T - (1/|E|) sum grad_psi f*(T(G)) (ou2018 Alg. 5).  (..., M), (..., E) -> (..., 3)"""
    fake = generate(theta, eps)
    of_data, of_fake = slopes(name, psi, x)[0], slopes(name, psi, fake)[1]
    return np.mean(of_data[..., None] * features(x), axis=-2) - np.mean(of_fake[..., None] * features(fake), axis=-2)


def estimate_grad_theta(name, theta, psi, eps):
    """-(1/|E|) sum grad_theta f*(T(G(eps))), through the sample (ou2018 Alg. 5).  (..., E) -> (..., 2)"""
    fake = generate(theta, eps)
    through_x = slopes(name, psi, fake)[1] * (psi[1] + 2 * psi[2] * fake)
    return -np.mean(through_x[..., None] * np.stack([1 + 0 * eps, np.exp(theta[1]) * eps], axis=-1), axis=-2)


def step(name, theta, psi, x, eps, rate):
    """One pass of the loop of Algorithm 5, both gradients at (theta, psi) as in Algorithm 1 -> theta, psi"""
    return (theta - rate * estimate_grad_theta(name, theta, psi, eps),
            psi + rate * estimate_grad_psi(name, theta, psi, x, eps))


def mean_field(name, lam, x, p0, eps, noise):
    """The mean motion of lam = (psi, theta): up the gradient in psi, down that in theta.  (5,) -> (5,)"""
    psi, theta = lam[:3], lam[3:]
    of_psi = np.einsum("i,j,ijk->k", p0, noise, estimate_grad_psi(name, theta, psi, x[:, None, None],
                                                                  eps[None, :, None]))
    return np.concatenate([of_psi, -np.dot(noise, estimate_grad_theta(name, theta, psi, eps[:, None]))])


def field_matrix(name, lam, x, p0, eps, noise):
    """The Jacobian of the mean field: at a root that attracts, its spectrum lies left of the axis.  -> (5, 5)"""
    return jacobian(lambda at: mean_field(name, at, x, p0, eps, noise))(lam)


# ---- small random cases ---------------------------------------------------------------

def random_case(seed):
    """A divergence by turns, players of moderate size, five data points and three values of the noise."""
    rng = onp.random.default_rng(seed)
    return {"name": STRICTLY_CONVEX[seed % len(STRICTLY_CONVEX)], "theta": 0.5 * rng.normal(size=2),
            "psi": 0.3 * rng.normal(size=3), "x": rng.normal(size=5), "p0": rng.dirichlet(onp.full(5, 2.0)),
            "eps": rng.normal(size=3), "noise": rng.dirichlet(onp.full(3, 2.0))}


def players_case(seed):
    """The same, with both players in one dict."""
    case = random_case(seed)
    players = {"psi": case.pop("psi"), "theta": case.pop("theta")}
    return {**case, "players": players}


def realisable_case(seed, spread=1.0):
    """The root p = p0, V = 0; with spread 0, data and samples are one and the same point x = 0."""
    rng = onp.random.default_rng(seed)
    eps = spread * (onp.array([-1.5, -0.4, 0.6, 1.2]) + 0.2 * rng.normal(size=4))
    theta = onp.array([spread * rng.normal(), 0.3 * rng.normal()])
    noise = rng.dirichlet(onp.full(4, 4.0))
    return {"name": STRICTLY_CONVEX[seed % len(STRICTLY_CONVEX)], "lam": onp.concatenate([onp.zeros(3), theta]),
            "x": generate(theta, eps), "p0": noise, "eps": eps, "noise": noise}


def step_case(seed):
    case = random_case(seed)
    rng = onp.random.default_rng([seed, 1])
    return {"name": case["name"], "theta": case["theta"], "psi": case["psi"], "x": rng.normal(size=4),
            "eps": rng.normal(size=3), "rate": 0.1}


# ---- claims ---------------------------------------------------------------------------

def sum_over_pairs(name, theta, psi, x, p0, eps, noise):
    """The mean of T(x) - f*(T(G(eps))) over pairs, with f* as the supremum that it is."""
    f = F_DIVERGENCES[name].f
    T = variational_function(name, psi, x), variational_function(name, psi, generate(theta, eps))
    conjugate = supremum(lambda log_u: onp.exp(log_u) * T[1][:, None] - f(onp.exp(log_u)), -40.0, onp.full(3, 40.0))
    return sum(a * b * (t - c) for a, t in zip(p0, T[0]) for b, c in zip(noise, conjugate))


def other_objective(of_data=lambda d, T: T, of_fake=lambda d, T: -d.conjugate(T)):
    def total(name, theta, psi, x, p0, eps, noise):
        d, fake = named(name), variational_function(name, psi, generate(theta, eps))
        return np.sum(p0 * of_data(d, variational_function(name, psi, x))) + np.sum(noise * of_fake(d, fake))
    return total


def of_players(players, **case):
    return objective(**players, **case)


def mean_update(psi_update=estimate_grad_psi, theta_update=estimate_grad_theta):
    """The exact means over all minibatches of two data and two noises."""
    def mean(players, name, x, p0, eps, noise):
        theta, psi = players["theta"], players["psi"]
        M, E = all_tuples(len(x), 2), all_tuples(len(eps), 2)
        of_M, of_E = onp.prod(p0[M], -1), onp.prod(noise[E], -1)
        both = psi_update(name, theta, psi, x[M][:, None], eps[E])
        return {"psi": weighted_sum(of_M[:, None] * of_E, both),
                "theta": weighted_sum(of_E, theta_update(name, theta, psi, eps[E]))}
    return mean


def signs(psi, theta):
    """The field's matrix with the players' signs changed."""
    return lambda **case: onp.array([psi] * 3 + [theta] * 2)[:, None] * field_matrix(**case)


def without_chain(name, theta, psi, eps):
    """The slope of f*(T) in x, and not on through G to theta_1."""
    fake = generate(theta, eps)
    through_x = slopes(name, psi, fake)[1] * (psi[1] + 2 * psi[2] * fake)
    return -np.mean(through_x[..., None] * onp.ones(2), axis=-2)


def single_step(name, theta, psi, x, eps, rate):
    """Nowozin et al. 2016, Algorithm 1: both gradients from one pass of back-propagation at (theta, psi)."""
    def F(theta, psi):
        return objective(name, theta, psi, x, onp.full(x.shape, 1 / x.size), eps, onp.full(eps.shape, 1 / eps.size))
    return theta - rate * grad(F, 0)(theta, psi), psi + rate * grad(F, 1)(theta, psi)


def psi_first(name, theta, psi, x, eps, rate):
    """Line by line: the gradient in theta sees the new psi."""
    psi = psi + rate * estimate_grad_psi(name, theta, psi, x, eps)
    return theta - rate * estimate_grad_theta(name, theta, psi, eps), psi


def theta_first(name, theta, psi, x, eps, rate):
    theta = theta - rate * estimate_grad_theta(name, theta, psi, eps)
    return theta, psi + rate * estimate_grad_psi(name, theta, psi, x, eps)


def mirrored(name, theta, psi, x, eps, rate):
    """Both players climb."""
    return 2 * theta - step(name, theta, psi, x, eps, rate)[0], step(name, theta, psi, x, eps, rate)[1]


CLAIMS = [
    Claim("ou2018.eq29", objective, equals(sum_over_pairs, random_case),
          {"+E[f*(T)]": other_objective(of_fake=lambda d, T: d.conjugate(T)),
           "T for f*(T)": other_objective(of_fake=lambda d, T: -T),
           "f for f*": other_objective(of_fake=lambda d, T: -d.f(np.exp(T))),
           "max over theta, min over psi": lambda **case: -objective(**case)}),
    Claim("ou2018.alg5", mean_update(), is_gradient_of(of_players, "players", players_case),
          {"psi descends": mean_update(psi_update=lambda *args: -estimate_grad_psi(*args)),
           "theta by +grad f*": mean_update(theta_update=lambda *args: -estimate_grad_theta(*args)),
           "sums over the minibatch, not means": mean_update(lambda *args: 2 * estimate_grad_psi(*args)),
           "T for f*(T) of samples": mean_update(lambda name, theta, psi, x, eps: np.mean(
               slopes(name, psi, x)[0][..., None] * features(x), axis=-2) - np.mean(
               slopes(name, psi, generate(theta, eps))[0][..., None] * features(generate(theta, eps)), axis=-2)),
           "not through G": mean_update(theta_update=without_chain)}),
    Claim("ou2018.alg5.convergence", field_matrix, is_stable(realisable_case),
          {"theta ascends": signs(1, -1), "psi descends": signs(-1, 1), "theta never moves": signs(1, 0)},
          without=is_stable(lambda seed: realisable_case(seed, spread=0.0))),
    Claim("ou2018.alg5.single_step", step, equals(single_step, step_case, method="autodiff"),
          {"theta under the new psi": psi_first,
           "psi against the new theta": theta_first,
           "both ascend": mirrored,
           "two steps of psi": lambda **case: (step(**case)[0],
                                               step(**{**case, "psi": step(**case)[1]})[1])}),
]
