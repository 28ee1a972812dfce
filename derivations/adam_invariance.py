r"""What Adam does not see.

Adam divides a running mean of gradients by the root of a running mean of their squares. A constant factor in front of
the objective is in both, and cancels; so does a factor of each component. This is why a loss may be a sum or a mean
over data without a new learning rate, and why the estimate of an objective need only be unbiased up to a constant. It
is exact only without the $\epsilon$ that every implementation adds, and only for factors that stay the same from step
to step.

The gradients are those of a noisy quadratic with the same noise in every line.
"""
import numpy as np

from refdgm.derivation import derivation, equals, mistake, start
from refdgm.directed.adam import B1, B2, adam, fixed_scores, optimiser_case, one_factor


def case_of(constants):
    """A noisy quadratic, with constants(rng, T, n) (T, n) in front of its gradients."""
    def case(seed):
        c = optimiser_case(lambda rng, T, n: (constants(rng, T, n), 0.0))(seed)
        return {name: c[name] for name in ("theta", "A", "noise", "rate", "c")}
    return case


def gradients_along(theta, A, noise, rate):
    """The gradients (T, n) that Adam meets at c = 1, and the parameters (T + 1, n) where it meets them."""
    path = adam(fixed_scores(np.ones_like(noise), noise, A), theta, rate, len(noise))
    return (noise - path[:-1]) @ A, path


def last_step(g, rate, c=1.0, epsilon=0.0):
    """alpha m / (sqrt(v) + epsilon) from the gradients c g (T, n)."""
    return rate * weighted_mean(c * g, B1) / (np.sqrt(weighted_mean((c * g)**2, B2)) + epsilon)


def weighted_mean(values, decay):
    """The mean of values (T, n) with weights decay**age, the last one youngest."""
    weights = decay**np.arange(len(values))[::-1]
    return weights @ values / np.sum(weights)


@derivation(case_of(lambda rng, T, n: one_factor(rng, T, n)[0]))
def objective(theta, A, noise, rate, c):
    """The objective may be multiplied by any positive constant."""
    g, path = gradients_along(theta, A, noise, rate)
    scaled = adam(fixed_scores(c, noise, A), theta, rate, len(c))
    constant = c[0, 0]
    m, v = weighted_mean(g, B1), weighted_mean(g**2, B2)

    yield start(r"\theta_{t+1}-\theta_t\ \text{for the objective }cL", np.diff(scaled, axis=0)[-1],
                claim="kingma2019.A.3.adam")

    yield equals(r"\alpha\frac{\sum_sw_{t-s}\,c g_s}{\sqrt{\sum_su_{t-s}\,c^2g_s^2}},\ "
                 r"w_k\propto\beta_1^k,\ u_k\propto\beta_2^k", last_step(g, rate, constant),
                 because="with the correction for their start both running means are weighted means")

    yield mistake(r"\alpha\frac{\sum_sw_{t-s}\,c g_s}{\sqrt{\sum_su_{t-s}\,c^2g_s^2}+\epsilon},\ \epsilon=0.01",
                  last_step(g, rate, constant, epsilon=0.01),
                  because="an epsilon does not scale with the gradients", claim="kingma2019.A.3.adam")

    yield mistake(r"\alpha\frac{\sum_sw_{t-s}\,c g_s}{\sum_su_{t-s}\,c^2g_s^2}",
                  rate * constant * m / (constant**2 * v),
                  because="without the square root the divisor scales by the square of c, and 1/c is left")

    yield equals(r"\alpha\frac{c}{|c|}\frac{\hat m_t}{\sqrt{\hat v_t}}", rate * np.sign(constant) * m / np.sqrt(v),
                 because="a constant comes out of both sums")

    yield equals(r"\theta_{t+1}-\theta_t\ \text{for the objective }L", np.diff(path, axis=0)[-1],
                 because="c is positive", claim="kingma2019.A.3.adam")

    yield mistake(r"\alpha\,c\,g_t", rate * constant * g[-1],
                  because="plain gradient ascent takes steps in proportion to c", claim="kingma2019.A.3.prop")


@derivation(case_of(lambda rng, T, n: np.ones((T, 1)) * 10.0**rng.uniform(-3, 3, n)))
def components(theta, A, noise, rate, c):
    """Each component of the gradient may be multiplied by a positive constant of its own."""
    g, path = gradients_along(theta, A, noise, rate)

    yield start(r"\theta_{t+1}-\theta_t\ \text{for the gradients }Dg_s,\ D=\mathrm{diag}(c_1,\ldots,c_n)",
                np.diff(adam(fixed_scores(c, noise, A), theta, rate, len(c)), axis=0)[-1],
                claim="kingma2019.A.3.adam.ind")

    yield equals(r"\alpha\frac{c_i\sum_sw_{t-s}\,g_{s,i}}{c_i\sqrt{\sum_su_{t-s}\,g_{s,i}^2}}\ \text{for each }i",
                 last_step(g, rate, c), because="every component has a divisor of its own")

    yield mistake(r"\alpha\frac{c_i\sum_sw_{t-s}\,g_{s,i}}{\sqrt{\sum_j c_j^2\sum_su_{t-s}\,g_{s,j}^2}}",
                  rate * weighted_mean(c * g, B1) / np.sqrt(np.sum(weighted_mean((c * g)**2, B2))),
                  because="one norm for all components cancels only a factor of them all")

    yield equals(r"\theta_{t+1}-\theta_t\ \text{for the gradients }g_s", np.diff(path, axis=0)[-1],
                 because="each c_i cancels", claim="kingma2019.A.3.adam.ind")

    rescaled_by_step = g * 10.0**np.linspace(-1, 1, len(g))[:, None]
    yield mistake(r"\theta_{t+1}-\theta_t\ \text{for the gradients }c_sg_s", last_step(rescaled_by_step, rate),
                  because="a factor of each step, or of each datum, stays inside the sums",
                  claim="kingma2019.A.3.adam.ind")


@derivation(case_of(lambda rng, T, n: one_factor(rng, T, n)[0]))
def first_step(theta, A, noise, rate, c):
    """Adam's first step has the size of the learning rate, whatever the gradient."""
    g = c[0] * (A @ (noise[0] - theta))

    yield start(r"\theta_1-\theta_0", np.diff(adam(fixed_scores(c, noise, A), theta, rate, 1), axis=0)[0])

    yield equals(r"\alpha\frac{(1-\beta_1)g_0/(1-\beta_1)}{\sqrt{(1-\beta_2)g_0^2/(1-\beta_2)}}",
                 rate * ((1 - B1) * g / (1 - B1)) / np.sqrt((1 - B2) * g**2 / (1 - B2)),
                 because="both running means start at zero, and are corrected for it")

    yield mistake(r"\alpha\frac{(1-\beta_1)g_0}{\sqrt{(1-\beta_2)g_0^2}}",
                  rate * (1 - B1) * g / np.sqrt((1 - B2) * g**2),
                  because="without the corrections the two starts at zero do not cancel")

    yield equals(r"\alpha\,\mathrm{sign}(g_0)", rate * np.sign(g), because="one gradient over its own size")

    yield mistake(r"\alpha\,g_0", rate * g, because="that is a step of gradient ascent, which sees the size of g")
