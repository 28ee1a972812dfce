r"""f-EBM: the gradients of the game (yu2020 Sec. 3.3, Theorem 3).

With r = exp(H_omega + E_theta) and F = f*(f'(r)) = r f'(r) - f(r):

    Eq. 14    L = E_p[f'(r)] - E_q[F]
    Eq. 18    dL/dtheta = E_p[df'(r)] + E_q[F dE] - E_q[dF] - E_q[dE] E_q[F]
              with df'(r) = r f''(r) dE and dF = r^2 f''(r) dE

The second and the last term are the score of q (Theorem 1), the others what stands inside of the expectations. At the
best H the sum is the gradient of D_f(p||q_theta), although H stays where it is while theta moves; there the first and
the third term cancel, for p r f'' = q r^2 f''.

Shapes: E, H, p (S,) tables over the states; dE (S, d) the gradient of E_theta at every state.

With the best H and KL the gradient is that of contrastive divergence with exact samples, here p - q = 0.2 - 0.5:

>>> import numpy as np
>>> from refdgm.adversarial.febm_game import grad_theta, log_partition
>>> E, p = np.zeros(2), np.array([0.2, 0.8])
>>> round(float(grad_theta(E, np.log(p) + log_partition(E), np.eye(2), p, "kl")[0]), 6)
-0.3
"""
import autograd.numpy as np
from autograd import jacobian

from refdgm.backend import xp as onp
from refdgm.checking import GRADIENT, Claim, equals, is_gradient_of
from refdgm.f_divergences import F_DIVERGENCES, named, SMOOTH
from refdgm.models.energy import contrast, energy, grad_energy, law_of, log_partition, random_case


def slope_on_data(E, H, name):
    """df'(r)/dE = r f''(r) at every state (yu2020 Eq. 18, first term).  (S,), (S,) -> (S,)"""
    r = np.exp(H + E)
    return r * named(name).second(r)


def reward(E, H, name):
    """F = f*(f'(r)) at every state (yu2020 after Eq. 18).  (S,), (S,) -> (S,)"""
    return named(name).conjugate(named(name).at_log(H + E))


def slope_on_model(E, H, name):
    """dF/dE = r^2 f''(r) at every state (yu2020 Eq. 18, third term).  (S,), (S,) -> (S,)"""
    return np.exp(H + E) * slope_on_data(E, H, name)


def grad_theta(E, H, dE, p, name):
    """E_p[df'(r)] + E_q[F dE] - E_q[dF] - E_q[dE] E_q[F] (yu2020 Eq. 18).  -> (d,)"""
    q, F = law_of(E), reward(E, H, name)
    return (np.dot(p * slope_on_data(E, H, name), dE) + np.dot(q * F, dE)
            - np.dot(q * slope_on_model(E, H, name), dE) - np.dot(q, dE) * np.dot(q, F))


# ---- claims ---------------------------------------------------------------------------

def game_case(seed, S=6):
    """A model E_theta, another net H_omega with a unit fewer, a data law; one generator for each instance."""
    c, other = random_case(seed, S), random_case(seed + 1000, S, d=2)
    return {"theta": c["theta"], "s": c["s"], "omega": other["theta"], "t": other["s"], "p": c["p"],
            "name": SMOOTH[seed % len(SMOOTH)]}


def on_game(gradient):
    """gradient(E, H, dE, p, name) on a game_case; H_omega = 1 + sum_j log(1 + exp(omega_j + t_j(x)))."""
    return lambda theta, s, omega, t, p, name: gradient(
        energy(theta, s), 1.0 - energy(omega, t), grad_energy(theta, s), p, name)


def terms_of_objective(theta, s, omega, t, p, name):
    """The oracle: E_p[f'(r)] and -E_q[F] of Eq. 14, with exp(-E), exp(H) and F = r f'(r) - f(r) spelled out."""
    d = F_DIVERGENCES[name]
    weights = np.prod(1 + np.exp(theta + s), axis=1)
    r = np.exp(1.0) * np.prod(1 + np.exp(omega + t), axis=1) / weights
    return np.sum(p * d.derivative(r)), -np.sum(weights * (r * d.derivative(r) - d.f(r))) / np.sum(weights)


def objective(**case):
    return sum(terms_of_objective(**case))


def gradients_of_both_terms(theta, **case):
    return jacobian(lambda theta: np.array(terms_of_objective(theta=theta, **case)))(theta)


def gradient_of_first_term(theta, **case):
    return gradients_of_both_terms(theta, **case)[0]


def weighted_terms(*factors):
    """The terms of Eq. 18, each multiplied by its factor; (1, 1, 1, 1) is right.  -> (4, d)"""
    def terms(E, H, dE, p, name):
        q, F = law_of(E), reward(E, H, name)
        return onp.array([k * term for k, term in zip(factors, (
            (p * slope_on_data(E, H, name)) @ dE, (q * F) @ dE, (q * slope_on_model(E, H, name)) @ dE,
            (q @ dE) * (q @ F)))]) * onp.array([1, 1, -1, -1])[:, None]
    return terms


def eq_18(*factors):
    return lambda *arguments: weighted_terms(*factors)(*arguments).sum(0)


def both(*factors):
    """The gradients of the data's term and of the model's term of Eq. 14."""
    def split(*arguments):
        terms = weighted_terms(*factors)(*arguments)
        return onp.array([terms[0], terms[1:].sum(0)])
    return on_game(split)


def first_term(H_or_other):
    """E_p of df'(exp(G + E))/dtheta with some function G(E, H, name) in the place of H."""
    return on_game(lambda E, H, dE, p, name: (p * slope_on_data(E, H_or_other(E, H, name), name)) @ dE)


def at_best_H(gradient=grad_theta, H=lambda E, p: np.log(p) + log_partition(E)):
    """The gradient at H = log(p Z), for every generator, and for KL once more."""
    def gradients(theta, s, p):
        E, dE = energy(theta, s), grad_energy(theta, s)
        return onp.array([gradient(E, H(E, p), dE, p, name) for name in (*SMOOTH, "kl")])
    return gradients


def gradients_of_divergences(theta, s, p):
    """The oracle: autograd of every D_f(p||q_theta); and E_p[dE] - E_q[dE], Eq. 8."""
    def divergences(theta):
        q = law_of(energy(theta, s))
        return np.array([np.sum(q * F_DIVERGENCES[name].f(p / q)) for name in SMOOTH])
    eq_8 = contrast(grad_energy(theta, s), p, law_of(energy(theta, s)))
    return onp.concatenate([jacobian(divergences)(theta), eq_8[None]])


CLAIMS = [
    Claim("yu2020.sec3.2.both", both(1, 1, 1, 1),
          equals(gradients_of_both_terms, game_case, rtol=GRADIENT, method="autodiff"),
          {"the data's term is zero, as in Eq. 12": both(0, 1, 1, 1),
           "the model's term by its score alone": both(1, 1, 0, 1),
           "the model's term without its score": both(1, 0, 1, 0)}),
    Claim("yu2020.thm3", on_game(grad_theta), is_gradient_of(objective, "theta", game_case),
          {"-E_q[dF] three times, as in a damaged copy": on_game(eq_18(1, 1, 3, 0)),
           "no product of means": on_game(eq_18(1, 1, 1, 0)),
           "F's own dependence on theta forgotten: no dF": on_game(eq_18(1, 1, 0, 1)),
           "Theorem 1 alone: no data term": on_game(eq_18(0, 1, 0, 1)),
           "the score with the wrong sign": on_game(eq_18(1, -1, 1, -1))}),
    Claim("yu2020.thm3.fomega", first_term(lambda E, H, name: H),
          equals(gradient_of_first_term, game_case, rtol=GRADIENT, method="autodiff"),
          {"H + E in place of H": first_term(lambda E, H, name: H + E),
           "log(H)": first_term(lambda E, H, name: np.log(H)),
           "no function at all": first_term(lambda E, H, name: 0 * H)},
          printed=first_term(lambda E, H, name: F_DIVERGENCES[name].at_log(H + E))),
    Claim("yu2020.thm3.envelope", at_best_H(),
          equals(gradients_of_divergences, lambda seed: {k: random_case(seed)[k] for k in ("theta", "s", "p")},
                 rtol=GRADIENT, method="autodiff"),
          {"at H = log p": at_best_H(H=lambda E, p: np.log(p)),
           "at H = -E": at_best_H(H=lambda E, p: -E),
           "the score with the wrong sign": at_best_H(eq_18(1, -1, 1, -1)),
           "without the score": at_best_H(eq_18(1, 0, 1, 0))}),
]
