r"""Training an energy-based model on Lemma 1's bound: path derivatives and the score (yu2020 Sec. 3.1.2).

    Eq. 12     min_theta max_omega V = E_p[T] - E_q[f*(T)]
    Eq. 13     x = G_theta(z):  -d/dtheta E_q[f*(T)] = -E_pi[d/dtheta f*(T(G_theta(z)))]
    Theorem 1  any q_theta:     -d/dtheta E_q[f*(T)] = E_q[dE f*(T)] - E_q[dE] E_q[f*(T)]

Theorem 1 is a covariance of the energy's gradient with a reward F = f*(T). From N >= 2 samples it is estimated without
bias by N/(N - 1) times the covariance of the samples; the product of their plain means is short by the factor 1 - 1/N.

How far the reward reaches decides the variance. In D independent dimensions KL's reward at the optimal T is p/q, whose
second moment is (1 + chi2)^D; reverse KL's is log p/q - 1, whose variance is a sum over the dimensions.

Shapes: theta (d,), s (S, d), p, q, T, F (S,), dE (S, d) as in refdgm.models.energy.

The mean of the plug-in estimate from N = 3 samples over the gradient: 1 - 1/N.

>>> from refdgm.adversarial.febm_dual import draws_case, estimate_score_gradient, mean_over_samples, plug_in
>>> means = [mean_over_samples(estimate)(**draws_case(0)) for estimate in (plug_in, estimate_score_gradient)]
>>> round(float(means[0][0] / means[1][0]), 3)
0.667
"""
import math

import autograd.numpy as np
from autograd import grad, jacobian

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import GRADIENT, Claim, equals, has_order, is_gradient_of
from refdgm.f_divergences import F_DIVERGENCES, named, SMOOTH
from refdgm.models.energy import grad_energy, law, random_case
from refdgm.numerics import all_tuples, gaussian_log_prob, trapezoid, weighted_sum


def value(p, q, T, name):
    """V = E_p[T] - E_q[f*(T)] (yu2020 Eq. 12).  -> ()"""
    return np.sum(p * T) - np.sum(q * named(name).conjugate(T))


def score_gradient(q, dE, F):
    """-d/dtheta E_q[F] = E_q[F dE] - E_q[dE] E_q[F] for a fixed F = f*(T) (yu2020 Theorem 1).  -> (d,)"""
    return np.dot(q * F, dE) - np.dot(q, dE) * np.dot(q, F)


def estimate_score_gradient(dE, F):
    """Theorem 1 from N samples, without bias: N/(N - 1) times their covariance.  (..., N, d), (..., N) -> (..., d)"""
    N = np.shape(F)[-1]
    valid.count("the number of samples N", N, least=2)
    return N / (N - 1) * plug_in(dE, F)


def plug_in(dE, F):
    """Theorem 1 with every expectation a mean over the same N samples: its mean is 1 - 1/N times the gradient."""
    return np.mean(F[..., None] * dE, axis=-2) - np.mean(dE, axis=-2) * np.mean(F, axis=-1)[..., None]


# ---- claims ---------------------------------------------------------------------------

def named_case(seed):
    return {**random_case(seed), "name": SMOOTH[seed % len(SMOOTH)]}


def divergence(theta, s, p, name):
    q = law(theta, s)
    return np.sum(q * F_DIVERGENCES[name].f(p / q))


def gradient_at_optimum(T=lambda d, p, q: d.derivative(p / q), of=lambda p, q: q):
    """dV/dtheta at an optimal T: autograd of the objective in theta, T held fixed."""
    def gradient(theta, s, p, name):
        best = T(F_DIVERGENCES[name], p, law(theta, s))
        return grad(lambda theta: value(p, of(p, law(theta, s)), best, name))(theta)
    return gradient


def rewards_case(seed):
    """A model and a fixed reward f*(T) for each generator, T = f'(r) at random."""
    c = random_case(seed)
    r = onp.exp(onp.random.default_rng([seed, 81]).normal(size=(len(SMOOTH), len(c["p"]))))
    F = [F_DIVERGENCES[name].conjugate(F_DIVERGENCES[name].derivative(row)) for name, row in zip(SMOOTH, r)]
    return {"theta": c["theta"], "s": c["s"], "F": onp.array(F)}


def each_reward(gradient):
    """gradient(q, dE, F) for every reward, with q and dE of the model."""
    return lambda theta, s, F: onp.array([gradient(law(theta, s), grad_energy(theta, s), row) for row in F])


def minus_gradients_of_means(theta, s, F):
    """The oracle: autograd of -E_q[F], for every reward."""
    return jacobian(lambda theta: -np.dot(F, law(theta, s)))(theta)


def draws_case(seed):
    c = random_case(seed, S=5)
    return {"theta": c["theta"], "s": c["s"], "F": onp.random.default_rng([seed, 82]).normal(size=5) + 1}


def mean_over_samples(estimate, N=3, law_of_draws=law):
    """The exact mean of an estimate from N i.i.d. samples: a sum over all S^N of them."""
    def mean(theta, s, F):
        index = all_tuples(len(F), N)
        probability = onp.prod(law_of_draws(theta, s)[index], axis=-1)
        return weighted_sum(probability, estimate(grad_energy(theta, s)[index], F[index]))
    return mean


def minus_gradient_of_mean(theta, s, F):
    return grad(lambda theta: -np.dot(F, law(theta, s)))(theta)


def gaussian_case(seed):
    """A Gaussian q with theta = (mean, log standard deviation), and a test function T = a tanh(b x + c), for KL."""
    rng = onp.random.default_rng([seed, 83])
    return {"theta": rng.normal(size=2) / 2, "abc": rng.normal(size=3)}


def reward(abc, x):
    """f*(T(x)) for KL."""
    return np.exp(abc[0] * np.tanh(abc[1] * x + abc[2]) - 1)


def minus_mean_reward(theta, abc):
    """The oracle: -int q_theta(x) f*(T(x)) dx, in which theta is in the density alone."""
    x, w = trapezoid(-40.0, 40.0, 3001)
    return -np.sum(w * np.exp(gaussian_log_prob(x[:, None], theta[0], np.exp(2 * theta[1]))) * reward(abc, x))


def pathwise(sign=-1, through=lambda z, scale: (1.0 + 0 * z, scale * z)):
    """-E_pi[f*(T)' dG/dtheta] with G = mean + e^(log scale) z, by hand."""
    def gradient(theta, abc):
        z, w = trapezoid(-12.0, 12.0, 601)
        a, b, c = abc
        scale = onp.exp(theta[1])
        T = onp.tanh(b * (theta[0] + scale * z) + c)
        slope = onp.exp(a * T - 1) * a * b * (1 - T**2) * w * onp.exp(gaussian_log_prob(z[:, None], 0.0, 1.0))
        return onp.array([sign * onp.sum(slope * dx) for dx in through(z, scale)])
    return gradient


def dimensions_case(name):
    """One coordinate in {0, 1}: q(1) and p(1), not too far apart; E = -theta_1 x_1 - ... - theta_D x_D."""
    def case(seed):
        rng = onp.random.default_rng([seed, 84])
        q = rng.uniform(0.3, 0.7)
        return {"q": q, "p": q + rng.choice([-1, 1]) * rng.uniform(0.15, 0.25), "name": name}
    return case


def one_plus_chi2(q, p, name):
    return 1 + (p - q)**2 / (q * (1 - q))


def second_moment(of=lambda a, F: (a, F)):
    """E[g^2] of Theorem 1's estimate from two samples, for theta_1, at T = f'(p/q): an exact sum.

    g = (dE - dE')(F - F')/2, with dE = -x_1 and F = f*(f'(p/q)), which knows the other D - 1 coordinates by the
    number k of ones among them.
    """
    def moment(q, p, name, D):
        k = onp.arange(D)
        count = onp.array([float(math.comb(D - 1, n)) for n in range(D)]) * q**k * (1 - q)**(D - 1 - k)
        weight = onp.concatenate([(1 - q) * count, q * count])
        x1, ones = onp.repeat(onp.array([0, 1]), D), onp.concatenate([k, k + 1])
        r = (p / q)**ones * ((1 - p) / (1 - q))**(D - ones)
        d = F_DIVERGENCES[name]
        a, F = of(-x1, r * d.derivative(r) - d.f(r))
        def E(m, n): return onp.sum(weight * a**m * F**n)
        return (E(2, 2) + E(2, 0) * E(0, 2) - 2 * E(2, 1) * E(0, 1) - 2 * E(1, 2) * E(1, 0) + 2 * E(1, 1)**2) / 2
    return moment


def growth(case):
    return has_order(lambda **case: 0.0, case, "D", (60, 90), order=one_plus_chi2, geometric=True, within=5e-3,
                     scale=lambda **case: 1.0)


CLAIMS = [
    Claim("yu2020.eq12", gradient_at_optimum(), is_gradient_of(divergence, "theta", named_case),
          {"T = f'(q/p)": gradient_at_optimum(lambda d, p, q: d.derivative(q / p)),
           "T = f'(1), not maximised": gradient_at_optimum(lambda d, p, q: d.derivative(1 + 0 * q)),
           "f* under p": gradient_at_optimum(of=lambda p, q: p + 0 * q),
           "sign": lambda **c: -gradient_at_optimum()(**c)}),
    Claim("yu2020.eq13", pathwise(), is_gradient_of(minus_mean_reward, "theta", gaussian_case, method="quadrature"),
          {"the minus sign is lost": pathwise(sign=1),
           "dG/dlog scale = scale, z forgotten": pathwise(through=lambda z, scale: (1.0 + 0 * z, scale + 0 * z)),
           "dG/dscale for dG/dlog scale": pathwise(through=lambda z, scale: (1.0 + 0 * z, z)),
           "path and score, both": lambda theta, abc: 2 * pathwise()(theta, abc)}),
    Claim("yu2020.thm1", each_reward(score_gradient),
          equals(minus_gradients_of_means, rewards_case, rtol=GRADIENT, method="autodiff"),
          {"opposite sign": each_reward(lambda q, dE, F: -score_gradient(q, dE, F)),
           "no product of means": each_reward(lambda q, dE, F: (q * F) @ dE),
           "plus the product of means": each_reward(lambda q, dE, F: (q * F) @ dE + (q @ dE) * (q @ F)),
           "all states alike": each_reward(lambda q, dE, F: score_gradient(np.full(len(q), 1 / len(q)), dE, F))}),
    Claim("yu2020.thm1.unbiased", mean_over_samples(estimate_score_gradient),
          equals(minus_gradient_of_mean, draws_case, rtol=GRADIENT),
          {"the means' product from the same samples: 1 - 1/N": mean_over_samples(plug_in),
           "N + 1 for N": mean_over_samples(lambda dE, F: 4 / 3 * estimate_score_gradient(dE, F)),
           "no product of means": mean_over_samples(lambda dE, F: np.mean(F[..., None] * dE, axis=-2)),
           "samples that have not reached the model": mean_over_samples(
               estimate_score_gradient, law_of_draws=lambda theta, s: law(0.8 * theta, s))}),
    Claim("yu2020.thm1.variance", second_moment(), growth(dimensions_case("kl")),
          {"a reward that knows its own coordinate only": second_moment(lambda a, F: (a, (a + 1.3)**2)),
           "the reward's square root": second_moment(lambda a, F: (a, np.sqrt(F))),
           "the reward squared": second_moment(lambda a, F: (a, F**2))},
          without=growth(dimensions_case("reverse kl"))),
]
