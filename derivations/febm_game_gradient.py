r"""The gradient of the f-EBM game: every place where theta stands.

In $\mathcal L = \mathbb E_p[f'(r)] - \mathbb E_{q_\theta}[F]$, with $r = e^{H_\omega + E_\theta}$ and $F =
f^*(f'(r))$, the parameters of the energy stand in three places: inside of the first expectation, inside of the
second, and in the law of the second. Theorem 3 is the product rule over these three. To forget the law of the second
is to differentiate through the energies of the samples as if the samples were given; to forget what stands inside is
Theorem 1's method, which never sees the data's energies.

Then the envelope: at the best $H$ the gradient is that of the divergence itself, although $H$ depends on $\theta$ and
is held fixed. For KL it is the gradient of maximum likelihood. Autograd gives every first line; each instance takes
another $f$, and every expectation is a sum over six states.
"""
import autograd.numpy as np
import numpy as onp
from autograd import elementwise_grad, grad, jacobian

from refdgm.adversarial.febm_game import game_case, grad_theta, objective, reward, slope_on_data, slope_on_model
from refdgm.derivation import derivation, equals, mistake, start
from refdgm.f_divergences import F_DIVERGENCES
from refdgm.models.energy import contrast, energy, grad_energy, law, law_of, random_case, score


@derivation(game_case)
def theorem_3(theta, s, omega, t, p, name):
    """The gradient of the game in theta has a term for each place where theta stands."""
    d, H = F_DIVERGENCES[name], 1.0 - energy(omega, t)
    E, dE, q = energy(theta, s), grad_energy(theta, s), law(theta, s)
    F = reward(E, H, name)

    yield start(r"\nabla_\theta \mathcal L(\theta, \omega)",
                grad(lambda theta: objective(theta=theta, s=s, omega=omega, t=t, p=p, name=name))(theta),
                claim="yu2020.eq14")

    def inside(theta): return d.conjugate(d.at_log(H + energy(theta, s)))
    d_first = jacobian(lambda theta: d.at_log(H + energy(theta, s)))(theta)
    yield equals(r"\mathbb E_p[\nabla_\theta f'(r)] - \mathbb E_{q_\theta}[\nabla_\theta F]"
                 r" - \sum_x F \, \nabla_\theta q_\theta",
                 p @ d_first - q @ jacobian(inside)(theta) - inside(theta) @ jacobian(law)(theta, s),
                 because="the product rule: inside of each expectation, and in the law of the second")

    yield mistake(r"\mathbb E_p[\nabla_\theta f'(r)] - \mathbb E_{q_\theta}[\nabla_\theta F]",
                  p @ d_first - q @ jacobian(inside)(theta),
                  because="the law of the samples depends on theta: autodiff through the samples' energies misses that")

    yield equals(r"\mathbb E_p[\nabla_\theta f'(r)] - \mathbb E_{q_\theta}[\nabla_\theta F]"
                 r" + \mathbb E_{q_\theta}[F \nabla_\theta E_\theta]"
                 r" - \mathbb E_{q_\theta}[\nabla_\theta E_\theta] \, \mathbb E_{q_\theta}[F]",
                 grad_theta(E, H, dE, p, name), because="Theorem 1, with F for the reward", claim="yu2020.thm3")

    yield mistake(r"\mathbb E_{q_\theta}[F \nabla_\theta E_\theta]"
                  r" - \mathbb E_{q_\theta}[\nabla_\theta E_\theta] \, \mathbb E_{q_\theta}[F]",
                  (q * F) @ dE - (q @ dE) * (q @ F),
                  because="Theorem 1's method: the energy is never evaluated on data", claim="yu2020.sec3.2.both")

    r = onp.exp(H + E)
    second = elementwise_grad(d.derivative)(r)
    yield equals(r"\sum_x \left[(p - q_\theta r)\, r f''(r) + q_\theta (F - \mathbb E_{q_\theta}[F])\right]"
                 r" \nabla_\theta E_\theta",
                 ((p - q * r) * r * second + q * (F - q @ F)) @ dE,
                 because="df'(r) = r f''(r) dE, and dF = r df'(r)")


@derivation(game_case)
def envelope(theta, s, omega, t, p, name):
    """At the best H the gradient of the game is the gradient of the divergence."""
    d = F_DIVERGENCES[name]
    E, dE, q = energy(theta, s), grad_energy(theta, s), law(theta, s)
    best = onp.log(p * onp.sum(onp.exp(-E)))

    def divergence(theta):
        q = law_of(energy(theta, s))
        return np.sum(q * d.f(p / q))
    yield start(r"\nabla_\theta D_f(p \| q_\theta)", grad(divergence)(theta), claim="yu2020.eq9")

    u = p / q
    yield equals(r"\mathbb E_{q_\theta}[(f(u) - u f'(u)) \nabla_\theta \log q_\theta],\quad u = \tfrac p{q_\theta}",
                 (q * (d.f(u) - u * d.derivative(u))) @ score(theta, s),
                 because="q f(p/q) has the derivative f(u) - u f'(u) in q", claim="yu2020.sec3.1.1.klonly")

    yield equals(r"\mathbb E_{q_\theta}[F \nabla_\theta E_\theta]"
                 r" - \mathbb E_{q_\theta}[\nabla_\theta E_\theta] \, \mathbb E_{q_\theta}[F],\quad F = f^*(f'(u))",
                 (q * d.conjugate(d.derivative(u))) @ dE - (q @ dE) * (q @ d.conjugate(d.derivative(u))),
                 because="u f'(u) - f(u) = f*(f'(u)), and Eq. 7 for the score", claim="yu2020.lem2")

    yield equals(r"\nabla_\theta \mathcal L(\theta, \omega)|_{H_\omega = \log(p Z_\theta)}",
                 p @ jacobian(lambda theta: d.at_log(best + energy(theta, s)))(theta)
                 - grad(lambda theta: np.sum(law(theta, s) * reward(energy(theta, s), best, name)))(theta),
                 because="at r = u the other two terms cancel, for p = q u", claim="yu2020.thm3.envelope")

    yield mistake(r"\nabla_\theta \mathcal L(\theta, \omega)|_{H_\omega = \log p}",
                  grad_theta(E, onp.log(p), dE, p, name), because="H is not at its best: the ratio is off by Z")

    yield mistake(r"\mathbb E_p[\nabla_\theta f'(u)] - \mathbb E_{q_\theta}[\nabla_\theta F]",
                  (p * slope_on_data(E, best, name)) @ dE - (q * slope_on_model(E, best, name)) @ dE,
                  because="these two cancel: what is left is the score")


@derivation(lambda seed: {k: random_case(seed)[k] for k in ("theta", "s", "p")})
def kl_is_maximum_likelihood(theta, s, p):
    """For KL the game's gradient at the best H is the gradient of maximum likelihood."""
    E, dE, q = energy(theta, s), grad_energy(theta, s), law(theta, s)
    best = onp.log(p * onp.sum(onp.exp(-E)))

    yield start(r"\nabla_\theta \mathcal L(\theta, \omega)|_{H_\omega = \log(p Z_\theta)}",
                grad_theta(E, best, dE, p, "kl"), claim="yu2020.thm3.envelope")

    r = onp.exp(best + E)
    yield equals(r"\mathbb E_p[\nabla_\theta E_\theta]"
                 r" - \mathbb E_{q_\theta}[r]\,\mathbb E_{q_\theta}[\nabla_\theta E_\theta]",
                 p @ dE - (q @ r) * (q @ dE),
                 because="f'(r) = 1 + log r, F = r and dF = r dE: two terms of Eq. 18 cancel, sample by sample")

    yield equals(r"\mathbb E_p[\nabla_\theta E_\theta] - \mathbb E_{q_\theta}[\nabla_\theta E_\theta]",
                 contrast(dE, p, q), because="the mean of p/q under q is one", claim="yu2020.eq8")

    yield equals(r"-\nabla_\theta \mathbb E_p[\log q_\theta]",
                 grad(lambda theta: -np.sum(p * np.log(law(theta, s))))(theta), because="Lemma 2", claim="yu2020.lem2")

    yield mistake(r"\mathbb E_p[\nabla_\theta E_\theta]", p @ dE, because="q depends on theta through Z")

    yield mistake(r"\mathbb E_{q_\theta}[\nabla_\theta E_\theta] - \mathbb E_p[\nabla_\theta E_\theta]",
                  contrast(dE, q, p), because="that is the ascent direction")
