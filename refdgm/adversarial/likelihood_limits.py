r"""Two methods that become maximum likelihood: NCE with much noise, and f-EBM with KL (yu2020 Secs. 5, 6.2).

    NCE          max over theta and c of E_p[log P(data|x)] + nu E_n[log P(noise|x)]:  theta -> theta_ML
                 as nu -> infinity, at the rate 1/nu, if c, the logarithm of the normaliser, is free
    KL f-EBM     dL/dtheta = E_p[dE] - E_q[r] E_q[dE],   r = exp(H + E):  for E_q[r] = 1 that of contrastive divergence

H need not be optimal for the second: its additive constant alone matters. Like that of a CD with exact samples of q,
the gradient is then that of -E_p[log q].

The models are those of models/noise_contrast.py, features (S, d), p_0 and p_n (S,), and of models/energy_game.py,
theta (d,), omega (e,).

Ten times as much noise brings theta ten times as near to maximum likelihood:

>>> import numpy as np
>>> from refdgm.adversarial.likelihood_limits import maximum_likelihood, misfit, nce
>>> case = misfit(0)
>>> errors = [np.abs(nce(**case, nu=nu) - maximum_likelihood(**case)).max() for nu in (1e3, 1e4)]
>>> round(float(errors[0] / errors[1]), 1)
10.0
"""
import autograd.numpy as np
from autograd import grad

from refdgm.backend import xp as onp
from refdgm.checking import GRADIENT, Claim, equals, has_order
from refdgm.f_divergences import F_DIVERGENCES
from refdgm.models import noise_contrast
from refdgm.models.energy_game import energy, gradients, random_game, variational
from refdgm.models.noise_contrast import posterior
from refdgm.numerics import log_softmax, softmax


def nce(features, p_0, p_n, nu, free_c=True):
    """theta of the best (theta, c) by Newton's method, with exact means over both laws (yu2020 Sec. 5).  -> (d,)"""
    noise_contrast.validate(p_0, p_n, nu)
    g = onp.column_stack([features, -onp.ones(len(p_0))])

    def slope(at):
        data, noise = posterior(g @ at, p_n, nu)
        return (p_0 * noise - nu * p_n * data) @ g

    def hessian(at):
        data, noise = posterior(g @ at, p_n, nu)
        return -g.T @ (((p_0 + nu * p_n) * data * noise)[:, None] * g)
    return newton(slope, hessian, onp.append(onp.zeros(features.shape[1]), onp.log(len(p_0))), free_c)[:-1]


def maximum_likelihood(features, p_0, p_n=None):
    """theta of the field closest to the data, by Newton's method.  -> (d,)"""
    def slope(at): return (p_0 - softmax(features @ at)) @ features

    def hessian(at):
        q = softmax(features @ at)
        return onp.outer(q @ features, q @ features) - features.T @ (q[:, None] * features)
    return newton(slope, hessian, onp.zeros(features.shape[1]))


def newton(slope, hessian, at, last_is_free=True):
    """The root of the slope of a concave function; a step that does not shorten the slope is halved.

    The last component can be held where it is.
    """
    free = slice(None) if last_is_free else slice(-1)
    for _ in range(60):
        step = onp.zeros(len(at))
        step[free] = onp.linalg.solve(hessian(at)[free, free], -slope(at)[free])
        while onp.linalg.norm(slope(at + step)[free]) > onp.linalg.norm(slope(at)[free]) and onp.max(abs(step)) > 1e-12:
            step = step / 2
        at = at + step
        if onp.max(abs(step)) < 1e-10:
            return at
    raise ValueError(f"Newton's method did not find the maximum in 60 steps; it stands at {at}.")


def kl_gradient(theta, omega, game):
    """dL/dtheta = E_p[dE] - E_q[r] E_q[dE] for f = u log u (yu2020 Eq. 18).  -> (d,)"""
    E, dE = energy(theta, game), np.tanh(theta + game["s"])
    q, r = np.exp(log_softmax(-E)), np.exp(variational(omega, game) + E)
    return np.dot(game["p"], dE) - np.dot(q, r) * np.dot(q, dE)


# ---- claims ---------------------------------------------------------------------------

def misfit(seed):
    """Data that the field does not fit, and noise that is not uniform."""
    case = noise_contrast.random_case(seed, S=8)
    return {name: case[name] for name in ("features", "p_0", "p_n")}


def unnormalised_h(seed):
    """A game away from its equilibrium, with any constant in H."""
    rng, case = onp.random.default_rng([seed, 64]), random_game(seed)
    game = {**case["game"], "base": case["game"]["base"] + rng.normal(size=7) + 1.0}
    return {"theta": case["theta"] + rng.normal(size=2) / 2, "omega": case["omega"] + rng.normal(size=3) / 2,
            "game": game}


def normalised_h(seed):
    """The same, with the constant of H chosen so that E_q[exp(H + E)] = 1."""
    case = unnormalised_h(seed)
    E = energy(case["theta"], case["game"])
    mean_ratio = softmax(-E) @ onp.exp(variational(case["omega"], case["game"]) + E)
    return {**case, "game": {**case["game"], "base": case["game"]["base"] - onp.log(mean_ratio)}}


def likelihood_gradient(theta, omega, game):
    """d/dtheta of -E_p[log q_theta] by autograd."""
    return grad(lambda theta: -np.sum(game["p"] * log_softmax(-energy(theta, game))))(theta)


def by_game(name, sign=1):
    """The gradient of the f-EBM game with another f."""
    return lambda theta, omega, game: sign * gradients(theta, omega, game, F_DIVERGENCES[name])[0]


CLAIMS = [
    Claim("yu2020.sec5.nce", nce,
          has_order(maximum_likelihood, misfit, "nu", (1e3, 1e4), order=1, within=0.02, method="optimisation"),
          {"c held at that of a uniform law": lambda features, p_0, p_n, nu: nce(features, p_0, p_n, nu, free_c=False),
           "as much noise as data": lambda features, p_0, p_n, nu: nce(features, p_0, p_n, 1.0),
           "little noise: 1/nu for nu": lambda features, p_0, p_n, nu: nce(features, p_0, p_n, 1 / nu)}),
    Claim("yu2020.sec6.2.klcd", kl_gradient,
          equals(likelihood_gradient, normalised_h, rtol=GRADIENT, method="autodiff"),
          {"the sign": lambda **case: -kl_gradient(**case),
           "reverse KL": by_game("reverse kl"),
           "Jensen-Shannon": by_game("jensen-shannon"),
           "the samples are not contrasted": lambda theta, omega, game: game["p"] @ np.tanh(theta + game["s"])},
          without=equals(likelihood_gradient, unnormalised_h, rtol=GRADIENT, method="autodiff")),
]
