r"""f-EBM: what is estimated from samples, and Algorithm 1 (yu2020 Sec. 3.3, App. E.1).

With A = f'(r) and B = f*(f'(r)), r = exp(H_omega + E_theta), at samples of p and of q:

    omega     mean A over p - mean B over q is unbiased for L, and so is its gradient in omega: no law depends on omega
    theta     Eq. 18; its score term E_q[B dE] - E_q[dE] E_q[B] is a covariance, and the covariance of N samples is
              unbiased with the factor N/(N - 1)
    App. E.1  a scalar whose autodiff gradient is Eq. 18 with every expectation a mean, the plug-in estimate: the factor
              is missing
    Alg. 1    omega <- omega + eta dL/domega,   theta <- theta - eta dL/dtheta

Shapes: E, H (..., N) at the samples; dE (..., N, d), dH (..., N, e) the gradients of E_theta and H_omega there.

How far the model's law is from the data's, at the start of Algorithm 1 and after 100 steps:

>>> import numpy as np
>>> from refdgm.adversarial.febm_algorithm import algorithm_1, law_of, start_case
>>> case = start_case(0)
>>> run = algorithm_1(**case, steps=101)
>>> [round(float(np.abs(law_of(E) - case["p"]).sum()), 3) for E, _ in (run[0], run[-1])]
[0.453, 0.0]
"""
from typing import NamedTuple

import autograd.numpy as np
from autograd import grad
from autograd.tracer import getval

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import GRADIENT, Claim, converges_to, equals
from refdgm.f_divergences import F_DIVERGENCES, named, SMOOTH
from refdgm.models.energy import energy, grad_energy, law, law_of, random_case
from refdgm.numerics import all_tuples, weighted_sum


class Samples(NamedTuple):
    """The two functions at samples of one law, and the gradient of one of them: of E for theta, of H for omega."""
    E: np.ndarray           # (..., N)
    H: np.ndarray           # (..., N)
    gradient: np.ndarray    # (..., N, d)


def A(E, H, name):
    """f'(r), what the data contribute to L (yu2020 Eq. 14).  (...), (...) -> (...)"""
    return named(name).at_log(H + E)


def B(E, H, name):
    """f*(f'(r)), what the model's samples contribute to -L (yu2020 Eq. 14).  (...), (...) -> (...)"""
    return named(name).conjugate(A(E, H, name))


def slope_of_A(E, H, name):
    """dA/dE = dA/dH = r f''(r).  (...), (...) -> (...)"""
    r = np.exp(H + E)
    return r * named(name).second(r)


def slope_of_B(E, H, name):
    """dB/dE = dB/dH = r^2 f''(r).  (...), (...) -> (...)"""
    return np.exp(H + E) * slope_of_A(E, H, name)


def estimate_grad_omega(data, model, name):
    """mean dA/domega - mean dB/domega, from Samples of p and of q (yu2020 Sec. 3.3).  -> (..., e)"""
    return (mean_of(slope_of_A(data.E, data.H, name), data.gradient)
            - mean_of(slope_of_B(model.E, model.H, name), model.gradient))


def estimate_grad_theta(data, model, name, plug_in=False):
    """Eq. 18 from Samples of p and of q, unbiased; `plug_in` leaves out N/(N - 1) (yu2020 Theorem 3).  -> (..., d)"""
    N = onp.shape(model.E)[-1]
    valid.count("the number of the model's samples N", N, least=1 if plug_in else 2)
    b, dE = B(model.E, model.H, name), model.gradient
    covariance = mean_of(b, dE) - np.mean(b, axis=-1)[..., None] * np.mean(dE, axis=-2)
    return (mean_of(slope_of_A(data.E, data.H, name), data.gradient) - mean_of(slope_of_B(model.E, model.H, name), dE)
            + (1.0 if plug_in else N / (N - 1)) * covariance)


def mean_of(factor, gradient):
    """(1/N) sum_i factor_i gradient_i.  (..., N), (..., N, d) -> (..., d)"""
    return np.mean(factor[..., None] * gradient, axis=-2)


def surrogate_loss(E_data, H_data, E_model, H_model, name, stop=getval):
    """mean A + mean E sg(B) - mean E sg(mean B) - mean B: for autodiff, not for its value (yu2020 App. E.1).  -> ()"""
    b = B(E_model, H_model, name)
    return (np.mean(A(E_data, H_data, name)) + np.mean(E_model * stop(b)) - np.mean(E_model) * stop(np.mean(b))
            - np.mean(b))


def algorithm_1(E, H, p, name, eta, steps, ascend=1, descend=1):
    """Single-step f-EBM on tables E, H (S,), with exact expectations (yu2020 Alg. 1).  -> [(E, H) before each step]"""
    path = []
    for _ in range(steps):
        path.append((E, H))
        H = H + ascend * eta * (p * slope_of_A(E, H, name) - law_of(E) * slope_of_B(E, H, name))
        q, b = law_of(E), B(E, H, name)
        E = E - descend * eta * (p * slope_of_A(E, H, name) - q * slope_of_B(E, H, name) + q * b - q * np.sum(q * b))
    return path


# ---- claims ---------------------------------------------------------------------------

def draws_case(seed, S=4):
    """A model E_theta, another net H_omega with a unit fewer, a data law; one generator for each instance."""
    c, other = random_case(seed, S), random_case(seed + 1000, S, d=2)
    return {"theta": c["theta"], "s": c["s"], "omega": other["theta"], "t": other["s"], "p": c["p"],
            "name": SMOOTH[seed % len(SMOOTH)]}


def H_of(omega, t):
    return 1.0 - energy(omega, t)


def mean_of_estimate(estimate, of, law_of_model=law):
    """The exact mean over two samples of p and two of q: a sum over S^4 draws."""
    def mean(theta, s, omega, t, p, name):
        E, H = energy(theta, s), H_of(omega, t)
        gradient = grad_energy(theta, s) if of == "theta" else -grad_energy(omega, t)
        index = all_tuples(len(p), 4)
        data, model = (Samples(E[i], H[i], gradient[i]) for i in (index[:, :2], index[:, 2:]))
        probability = onp.prod(p[index[:, :2]], axis=1) * onp.prod(law_of_model(theta, s)[index[:, 2:]], axis=1)
        return weighted_sum(probability, estimate(data, model, name))
    return mean


def exact_gradient(of):
    """The oracle: autograd of Eq. 14 with exact expectations, F = r f'(r) - f(r), in theta or omega."""
    def gradient(theta, s, omega, t, p, name):
        d = F_DIVERGENCES[name]
        def objective(theta, omega):
            q, r = law(theta, s), np.exp(H_of(omega, t) + energy(theta, s))
            return np.sum(p * d.derivative(r)) - np.sum(q * (r * d.derivative(r) - d.f(r)))
        return grad(objective, ("theta", "omega").index(of))(theta, omega)
    return gradient


def with_score(data, model, name):
    """The omega-gradient with a term as if q were the law of H."""
    b = B(model.E, model.H, name)
    return estimate_grad_omega(data, model, name) + mean_of(b - np.mean(b, axis=-1)[..., None], model.gradient)


def data_slope(data, model, name):
    return mean_of(slope_of_A(data.E, data.H, name), data.gradient)


def on_the_way(theta, s):
    """The law of samples that have not reached the model, as after a few steps of a chain."""
    return 0.9 * law(theta, s) + 0.1 / len(s)


def plug_in(data, model, name):
    return estimate_grad_theta(data, model, name, plug_in=True)


def batch_case(seed):
    """Indices of samples of p and of q, nine and seven of them."""
    rng = onp.random.default_rng([seed, 101])
    c = draws_case(seed, S=6)
    return {**c, "data": rng.choice(6, size=9, p=c["p"]), "model": rng.choice(6, size=7, p=law(c["theta"], c["s"]))}


def by_autodiff(stop=getval, sign=1):
    """Autograd of the surrogate loss in theta."""
    def gradient(theta, s, omega, t, p, name, data, model):
        H = H_of(omega, t)
        def loss(theta):
            E = energy(theta, s)
            b = B(E[model], H[model], name)
            flipped = (sign - 1) * (np.mean(E[model] * getval(b)) - np.mean(E[model]) * getval(np.mean(b)))
            return surrogate_loss(E[data], H[data], E[model], H[model], name, stop) + flipped
        return grad(loss)(theta)
    return gradient


def by_hand(theta, s, omega, t, p, name, data, model):
    """The oracle: Eq. 18 with every expectation a mean, sample by sample, F = r f' - f."""
    d, E, H = F_DIVERGENCES[name], energy(theta, s), H_of(omega, t)
    dE, r = -1 / (1 + onp.exp(-theta - s)), onp.exp(H + E)
    F = r * d.derivative(r) - d.f(r)
    mean_F, mean_dE = sum(F[i] for i in model) / 7, sum(dE[i] for i in model) / 7
    return (sum(r[i] * d.second(r[i]) * dE[i] for i in data) / 9
            + sum((F[i] - r[i]**2 * d.second(r[i])) * dE[i] for i in model) / 7 - mean_F * mean_dE)


def unbiased_on_batch(theta, s, omega, t, p, name, data, model):
    E, H, dE = energy(theta, s), H_of(omega, t), grad_energy(theta, s)
    return estimate_grad_theta(*(Samples(E[i], H[i], dE[i]) for i in (data, model)), name)


def start_case(seed, S=4):
    """A start near the uniform law, H near its best; no state is rare, so that a few steps show the end.

    From ratios far from one, Neyman's divergence would need shorter steps.
    """
    rng = onp.random.default_rng([seed, 102])
    E, name = rng.uniform(-0.5, 0.5, size=S), SMOOTH[seed % len(SMOOTH)]
    p = (rng.dirichlet(onp.full(S, 3.0)) + 1 / S) / 2
    H = onp.log(p * onp.sum(onp.exp(-E))) + rng.uniform(-0.3, 0.3, size=S)
    return {"E": E, "H": H, "p": p, "name": name, "eta": float(1.5 / F_DIVERGENCES[name].second(1.0))}


def law_and_ratio(**signs):
    """The model's law and exp(H + E) along a run; at the game's optimum they are p and one."""
    def path(E, H, p, name, eta):
        run = algorithm_1(E, H, p, name, eta, steps=140, **signs)
        return [onp.concatenate([law_of(E), onp.exp(H + E)]) for E, H in (run[0], run[-1])]
    return path


CLAIMS = [
    Claim("yu2020.sec3.3.omega", mean_of_estimate(estimate_grad_omega, "omega"),
          equals(exact_gradient("omega"), draws_case, rtol=GRADIENT),
          {"a score term, too": mean_of_estimate(with_score, "omega"),
           "the data's term alone": mean_of_estimate(data_slope, "omega"),
           "samples on the way to the model": mean_of_estimate(estimate_grad_omega, "omega", on_the_way)}),
    Claim("yu2020.thm3.unbiased", mean_of_estimate(estimate_grad_theta, "theta"),
          equals(exact_gradient("theta"), draws_case, rtol=GRADIENT),
          {"the plug-in: 1 - 1/N of the covariance": mean_of_estimate(plug_in, "theta"),
           "no score, as for omega": mean_of_estimate(estimate_grad_omega, "theta"),
           "samples on the way to the model": mean_of_estimate(estimate_grad_theta, "theta", on_the_way)}),
    Claim("yu2020.alg1", law_and_ratio(),
          converges_to(lambda E, H, p, name, eta: onp.concatenate([p, onp.ones(4)]), start_case, rtol=1e-5),
          {"descends in omega": law_and_ratio(ascend=-1),
           "ascends in theta: line 9's minus sign applied twice": law_and_ratio(descend=-1),
           "H is never updated": law_and_ratio(ascend=0)}),
    Claim("yu2020.alg1.e1", by_autodiff(), equals(by_hand, batch_case, rtol=GRADIENT, method="autodiff"),
          {"without the stop-gradient": by_autodiff(stop=lambda b: b),
           "the covariance with the wrong sign": by_autodiff(sign=-1),
           "no covariance": by_autodiff(sign=0),
           "the unbiased factor N/(N - 1)": unbiased_on_batch}),
]
