r"""Two shortcuts through a discrete draw, and what each of them costs.

No derivative passes through a draw of bits. The straight-through estimator pretends that the draw is its mean, and the
Concrete relaxation replaces the draw by a smooth function of noise. Both are biased, and both biases are known: the
first is the error of integrating the slope of $f$ by its two ends, the second is what $f$ does between the bits, seen
through the slope of the noise density. The first stays for ever; the second vanishes with the temperature.
"""
import autograd.numpy as np
from autograd import grad

from refdgm.derivation import approaches, derivation, equals, mistake, start
from refdgm.directed import concrete
from refdgm.directed import straight_through as st
from refdgm.numerics import all_binary, bernoulli_log_prob, gauss_legendre, sigmoid, trapezoid


@derivation(st.random_case)
def straight_through(logits, net):
    """The straight-through gradient integrates the slope of f between two bits by a rule of two points."""
    h, p = all_binary(len(logits)), sigmoid(logits)
    probability = np.exp(bernoulli_log_prob(h, logits))
    t, w = gauss_legendre(0.0, 1.0, 40)

    def with_bit(i, value):
        """Every h with bit i set to `value`, and the slope of f in that bit, averaged over the other bits."""
        return probability @ st.slope(net, np.where(np.arange(len(p)) == i, value, h))[:, i]

    jacobian = p * (1 - p)

    yield start(r"p_i(1-p_i)\, E[\partial_i f(h)]", st.mean_over_draws(st.estimate_grad, logits, net),
                claim="ou2018.st")

    yield equals(r"p_i(1-p_i)\, E\left[p_i\, \partial_i f(h_i{=}1) + (1-p_i)\, \partial_i f(h_i{=}0)\right]",
                 jacobian * np.array([p[i] * with_bit(i, 1.0) + (1 - p[i]) * with_bit(i, 0.0) for i in range(len(p))]),
                 because="bit i is independent of the others")

    yield equals(r"p_i(1-p_i)\, E\left[\int_0^1 \partial_i f(h_i{=}t)\, dt"
                 r" + \int_0^1 (t - 1 + p_i)\, \partial_i^2 f(h_i{=}t)\, dt\right]",
                 jacobian * np.array([sum(w_t * with_bit(i, t_t) for t_t, w_t in zip(t, w)) for i in range(len(p))])
                 + st.bias(logits, net),
                 because="integrating by parts: the remainder of a rule with weights p and 1-p")

    yield equals(r"\nabla_i E[f(h)] + p_i(1-p_i)\, E\left[\int_0^1 (t - 1 + p_i)\, \partial_i^2 f(h_i{=}t)\, dt\right]",
                 grad(lambda a: np.exp(bernoulli_log_prob(h, a)) @ st.f(net, h))(logits) + st.bias(logits, net),
                 because="the slope of f, integrated, is f(h_i=1) - f(h_i=0)")

    yield mistake(r"\nabla_i E[f(h)]", st.exact_grad(logits, net), because="exact only if f is linear in each bit")

    yield mistake(r"\nabla_i f(p)", grad(lambda a: st.f(net, sigmoid(a)))(logits),
                  because="no draw at all: the mean of f is not f of the mean")


@derivation(lambda seed: {**concrete.random_case(seed), "tau": 0.5})
def relaxed(f, logit, tau):
    """The bias of the Concrete gradient is an integral over the region where a relaxed bit is neither 0 nor 1."""
    v, w = trapezoid(-45.0, 45.0, 3001)
    y = sigmoid(v - logit)
    slope_of_density = y * (1 - y) * (1 - 2 * y)
    p = sigmoid(logit)

    yield start(r"E[f'(h_\tau)\, h_\tau (1-h_\tau) / \tau]",
                concrete.mean_over_noise(concrete.estimate_grad, f, logit, tau), claim="ou2018.concrete")

    yield equals(r"\nabla \int f(\sigma(v/\tau))\, \rho(v - a)\, dv", grad(lambda a: np.sum(
                     w * concrete.polynomial(f, sigmoid(v / tau)) * sigmoid(v - a) * sigmoid(a - v)))(logit),
                 because="the same expectation over v = a + noise: now the density moves, not the sample")

    yield equals(r"-\int f(\sigma(v/\tau))\, \rho'(v - a)\, dv",
                 -np.sum(w * concrete.polynomial(f, sigmoid(v / tau)) * slope_of_density),
                 because="differentiate under the integral")

    yield equals(r"p(1-p)\,(f(1) - f(0)) - \tau \int [f(\sigma(s)) - f(1(s>0))]\, \rho'(\tau s - a)\, ds",
                 concrete.discrete_grad(f, logit) + concrete.bias(f, logit, tau),
                 because="split off the hard threshold, whose integral is the discrete gradient; v = tau s")

    yield mistake(r"p(1-p)\,(f(1) - f(0))", p * (1 - p) * np.sum(f[1:]),
                  because="unbiased for the relaxed objective, not for the discrete one", claim="ou2018.concrete")

    yield mistake(r"p(1-p)\,(f(1) - f(0)) + \tau p(1-p)(1-2p) \int [f(\sigma(s)) - f(1(s>0))]\, ds",
                  concrete.discrete_grad(f, logit) + concrete.first_order_bias(f, logit, tau),
                  because="true for a small temperature only, and 1/2 is not small")


@derivation(concrete.random_case)
def cold(f, logit):
    """For a small temperature the bias is proportional to it."""
    p = sigmoid(logit)
    u, w = gauss_legendre(0.0, 1.0, 20)
    chord = concrete.polynomial(f, u) - np.where(u > 0.5, concrete.polynomial(f, 1.0), concrete.polynomial(f, 0.0))

    yield start(r"p(1-p)(1-2p) \int [f(\sigma(s)) - f(1(s>0))]\, ds", concrete.first_order_bias(f, logit, 1.0))

    yield equals(r"p(1-p)(1-2p) \left(-f_2 - \tfrac32 f_3\right)", p * (1 - p) * (1 - 2 * p) * (-f[2] - 1.5 * f[3]),
                 because="each power of h in f gives an elementary integral; a linear f gives none")

    yield approaches(r"\mathrm{bias}(\tau) / \tau", [concrete.bias(f, logit, tau) / tau for tau in 0.1**np.arange(13)],
                     because="the density of the noise is flat on the scale of tau", claim="ou2018.concrete")

    yield mistake(r"0", 0 * p, because="the bias is of first order, not of second")

    yield mistake(r"\int_0^1 [f(u) - f(1(u>\tfrac12))]\, du", np.sum(w * chord),
                  because="s runs over the line: du = u (1-u) ds, and the ends count most")
