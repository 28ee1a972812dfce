r"""The importance weighted bound of a Bernoulli-Gaussian VAE of any size, and its gradient from given noise.

    h_k = m(x) + s(x) eps_k,  eps_k ~ N(0, I)        log w_k = log p(h_k) + log p(x|h_k) - log q(h_k|x)
    F   = nabla log (1/K) sum_k w_k = sum_k wbar_k nabla log w_k,  wbar_k = w_k / sum_j w_j        (ou2018 Sec. 3.2.1)

averaged over the rows of x.
The formulas are those of directed/iwae_pathwise, the decoder that of models/bernoulli_dlvm, the encoder that of
models/vae; here they go through the layers of refdgm.fused, in the precision of the parameters.

params = {"theta": {"W": (J, H), "b": (J,), "M": (D, J), "m": (D,)},
          "phi": {"W": (J, D), "b": (J,), "M": (H, J), "m": (H,), "S": (H, J), "s": (H,)}}, S and s for the log variance
x (B, D), eps (B, K, H), log_w (B, K)

The bound from one draw of noise for each row of x, and from fifty:

    >>> import numpy as np
    >>> from refdgm.directed.iwae_network import gradient, random_params
    >>> params, x = random_params(0, D=4, J=3, H=2, scale=1.0), np.eye(4)
    >>> eps = np.random.default_rng(0).normal(size=(4, 50, 2))
    >>> [round(float(gradient(params, x, eps[:, :K])[0]), 3) for K in (1, 50)]
    [-14.373, -8.527]
"""
import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.fused import bernoulli_layer, tanh_layer
from refdgm.gradients import vjp
from refdgm.numerics import log_mean_exp, softmax


def log_weights(params, x, eps):
    """log w_k at h_k = m(x) + s(x) eps_k (ou2018 Sec. 3.2.1).  (B, D), (B, K, H) -> (B, K)"""
    theta, phi = params["theta"], params["phi"]
    hidden = tanh_layer(x, phi["W"], phi["b"])
    mean, log_variance = np.dot(hidden, phi["M"].T) + phi["m"], np.dot(hidden, phi["S"].T) + phi["s"]
    h = mean[:, None, :] + np.exp(0.5 * log_variance)[:, None, :] * eps
    units = tanh_layer(np.reshape(h, (-1, eps.shape[2])), theta["W"], theta["b"])
    log_likelihood = np.reshape(bernoulli_layer(x, units, theta["M"], theta["m"]), eps.shape[:2])
    log_prior_and_q = (onp.sum(eps**2, axis=2) - np.sum(h**2, axis=2)) / 2 + np.sum(log_variance, axis=1)[:, None] / 2
    return log_likelihood + log_prior_and_q


def gradient(params, x, eps):
    """The bound, averaged over the rows, and F = (1/B) sum_bk wbar_bk nabla log w_bk.  -> (), a tree as params"""
    B, D = onp.shape(x)
    valid.shape("eps", eps, (B, None, params["phi"]["M"].shape[0]))
    valid.shape("theta['M']", params["theta"]["M"], (D, None))
    log_w, back = vjp(lambda p: log_weights(p, x, eps), params)
    return onp.mean(log_mean_exp(log_w)), back(softmax(log_w) / B)


def random_params(seed, D, J, H, real=onp.float64, scale=0.05):
    """Normal weights of the size `scale`."""
    rng = onp.random.default_rng(seed)

    def layers(**shapes):
        return {name: (scale * rng.normal(size=shape)).astype(real) for name, shape in shapes.items()}
    return {"theta": layers(W=(J, H), b=(J,), M=(D, J), m=(D,)),
            "phi": layers(W=(J, D), b=(J,), M=(H, J), m=(H,), S=(H, J), s=(H,))}
