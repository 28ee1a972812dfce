r"""Differentiating a sample: through the steps of Langevin dynamics, and with a replay buffer (yu2020 Sec. 3.1.2).

    Eq. 13      d/dtheta E_q[f*(T(x))] = E_pi[d/dtheta f*(T(G_theta(z)))]     with noise z of a law pi without theta
    Langevin    G_theta is T steps of Eq. 5; its derivative ds_t = dx_t/dtheta obeys
                ds_t = (I - (eps/2) d2E/dxdx) ds_{t-1} - (eps/2) d2E/dxdtheta
    Footnote 1  a chain that starts in a buffer of old samples, of a law pi_theta, has in addition the term
                E[f*(T(x_T)) dlog pi_theta(x_0)/dtheta], which no derivative of a path contains

The energy is E_theta(x) = |x|^2/2 - sum_j log(1 + exp(theta_j + w_j.x)): Gaussian visible units, binary hidden units
summed out. It is confining and not quadratic.

Shapes: x, z (..., D), theta (d,), W (d, D).

The path's part of the gradient of E[f*(T(x_1))], and with the buffer's, which Eq. 13 leaves out:

>>> from refdgm.adversarial.langevin_gradient import buffer_case, pathwise_and_buffer
>>> [round(float(pathwise_and_buffer(1, buffer)(**buffer_case(0))[0]), 3) for buffer in (0, 1)]
[-0.011, 0.069]
"""
import autograd.numpy as np
from autograd import elementwise_grad, jacobian

from refdgm import validation as valid
from refdgm.backend import here
from refdgm.backend import xp as onp
from refdgm.checking import GRADIENT, Claim, equals
from refdgm.numerics import gaussian_log_prob, sigmoid, softplus, trapezoid
from refdgm.samplers.langevin import run, step


def energy(theta, W, x):
    """E_theta(x).  (d,), (d, D), (..., D) -> (...)"""
    return np.sum(x**2, axis=-1) / 2 - np.sum(softplus(theta + np.dot(x, W.T)), axis=-1)


def grad_x(theta, W, x):
    """dE/dx.  -> (..., D)"""
    return x - np.dot(sigmoid(theta + np.dot(x, W.T)), W)


def sensitivity(theta, W, x, eps, z):
    """dx_T/dtheta along a run from a fixed x: a product with the Hessian in each step (yu2020 Sec. 3.1.2).  (D, d)"""
    ds = onp.zeros((len(x), len(theta)))
    for z_t in z:
        c = sigmoid(theta + W @ x)
        weighted = W.T * (c * (1 - c))                      # -d2E/dxdtheta (D, d)
        hessian = onp.eye(len(x)) - weighted @ W            # d2E/dxdx (D, D)
        ds = ds - eps / 2 * (hessian @ ds - weighted)
        x = step(x, lambda x: grad_x(theta, W, x), eps, z_t)
    return ds


# ---- claims ---------------------------------------------------------------------------

def chain_case(seed, T=8):
    rng = onp.random.default_rng([seed, 53])
    return {"theta": rng.normal(size=3), "W": rng.normal(size=(3, 2)), "x": rng.normal(size=2), "eps": 0.3,
            "z": rng.normal(size=(T, 2))}


def unrolled(theta, W, x, eps, z):
    """The oracle: autograd through every step, and through the gradient that the step takes of the energy."""
    valid.shape("z", z, (None, len(x)))
    valid.count("the number of steps, the rows of z,", len(z))
    return jacobian(lambda theta: run(x, lambda x: elementwise_grad(energy, 2)(theta, W, x), eps, z))(theta)


def sensitivity_with(hessian_factor=1.0, hessian_of=lambda H: H, mixed=1.0):
    def derivative(theta, W, x, eps, z):
        ds = onp.zeros((2, 3))
        for z_t in z:
            c = sigmoid(theta + W @ x)
            weighted = W.T * (c * (1 - c))
            H = hessian_of(onp.eye(2) - weighted @ W)
            ds = ds - hessian_factor * eps / 2 * (H @ ds) + mixed * eps / 2 * weighted
            x = step(x, lambda x: grad_x(theta, W, x), eps, z_t)
        return ds
    return derivative


# A replay buffer: the chain starts at N(a tanh theta, 1), a law that has followed theta; then comes one step.

def buffer_case(seed):
    rng = onp.random.default_rng([seed, 54])
    return {"theta": rng.normal(size=1), "W": rng.normal(size=(1, 1)), "a": 1 + rng.random(), "eps": 0.4 + rng.random()}


def log_buffer(theta, a, x):
    return gaussian_log_prob(x, a * np.tanh(theta), 1.0)


LINE, LINE_WEIGHT = trapezoid(-9.0, 9.0, 55)
DX, Z = (nodes.reshape(-1, 1) for nodes in onp.meshgrid(LINE, LINE))        # x_0 minus the buffer's mean, and the noise
WEIGHT = onp.outer(LINE_WEIGHT, LINE_WEIGHT).reshape(-1) * onp.exp(gaussian_log_prob(Z, 0.0, 1.0))


def reward(x):
    """f*(T(x)) with T = tanh x, for KL."""
    return np.exp(np.tanh(x[..., 0]) - 1)


def after_one_step(theta, W, x, eps, z):
    return step(x, lambda x: grad_x(theta, W, x), eps, z)


def buffer_gradient(theta, W, a, eps):
    """The oracle: autograd of E[f*(T(x_1))], in which both the buffer and the step depend on theta."""
    x = DX + a * onp.tanh(theta)
    def mean(theta):
        return np.sum(WEIGHT * np.exp(log_buffer(theta, a, x)) * reward(after_one_step(theta, W, x, eps, Z)))
    return jacobian(mean)(theta)


def pathwise_and_buffer(pathwise=1.0, buffer=1.0):
    """E[d f*(T(x_1))/dtheta at fixed x_0 and z] and what Eq. 13 leaves out: E[f*(T(x_1)) dlog pi_theta(x_0)/dtheta]."""
    def gradient(theta, W, a, eps):
        dx, z, weight = here((DX, Z, WEIGHT))
        x = dx + a * onp.tanh(theta)
        weight = weight * onp.exp(log_buffer(theta, a, x))
        end = after_one_step(theta, W, x, eps, z)[:, 0]
        c = sigmoid(theta + x @ W.T)[:, 0]
        along_path = onp.exp(onp.tanh(end) - 1) / onp.cosh(end)**2 * (eps / 2) * c * (1 - c) * W[0, 0]
        of_buffer = reward(end[:, None]) * (x[:, 0] - a * onp.tanh(theta)) * a / onp.cosh(theta)**2
        return onp.array([onp.sum(weight * (pathwise * along_path + buffer * of_buffer))])
    return gradient


CLAIMS = [
    Claim("yu2020.sec3.1.2.hess", sensitivity, equals(unrolled, chain_case, rtol=GRADIENT, method="autodiff"),
          {"first derivatives only, no Hessian": sensitivity_with(hessian_of=lambda H: 0 * H),
           "I - eps Hessian, without the 1/2": sensitivity_with(hessian_factor=2.0),
           "the Hessian's diagonal": sensitivity_with(hessian_of=lambda H: onp.diag(onp.diag(H))),
           "sign of the mixed derivative": sensitivity_with(mixed=-1.0)}),
    Claim("yu2020.fn1", pathwise_and_buffer(), equals(buffer_gradient, buffer_case, rtol=GRADIENT, method="quadrature"),
          {"the pathwise term alone: the buffer is harmless": pathwise_and_buffer(buffer=0.0),
           "the buffer's term alone": pathwise_and_buffer(pathwise=0.0),
           "the buffer's term with the other sign": pathwise_and_buffer(buffer=-1.0)}),
]
