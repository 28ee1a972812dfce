r"""Learning discrete latents as if they were continuous: what each shortcut through the draw costs (ou2018 Sec. 3.2.1).

A sigmoid belief net (models/sbn) with p = sigmoid(V x + c), l(h) = log p(x, h) - log q(h|x), and its slope l' = dl/dh
between the bits as well. Every algorithm here moves phi along gain dlogit/dphi, averaged over K draws and the rows:

                      gain, one component a latent
    MuProp            (l(h) - b(h)) (h - p) + l'(p) p(1 - p),  b(h) = l(p) + l'(p)(h - p)          no bias
    straight-through  l'(h) p(1 - p)                       h a bit; its bias: directed/straight_through
    Gumbel-softmax    f'(h_t) h_t (1 - h_t) / tau - logit p(1 - p)
                      h_t = sigmoid((logit + noise) / tau),  noise logistic;  its bias: directed/concrete
    .. with hard bits f'(h) h_t (1 - h_t) / tau - logit p(1 - p),  h = 1[h_t > 1/2]

with f = log p(x, h); what remains is the slope of the entropy of q, which needs no relaxation. theta follows
dlog p/dtheta at h, for the Gumbel-softmax at h_t.

The vector-quantised autoencoder has a code book e (M, H) in place of q: z = e_k next to the code V x + c of x, logits
W z + b, and climbs log p(x|z) - |sg(V x + c) - z|^2 - beta |V x + c - sg(z)|^2, straight through the choice of k
(van den Oord et al. 2017, Eq. 3; sg: held constant). With codes that are equally probable, log p(x) is a sum over M.

x (B, D), h and noise (B, K, H).

Vector quantisation replaces the code (1, 0) by the nearest vector of the book, here the one with this number:

>>> import numpy as np
>>> from refdgm.learning.relaxed_learning import nearest
>>> phi = {"V": np.eye(2), "c": np.zeros(2)}
>>> int(nearest(phi, np.array([[0.0, 0.6], [0.9, 0.3]]), np.array([[1.0, 0.0]]))[1][0])
1
"""

from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.directed import muprop as formulas
from refdgm.directed.sbn_steps import PROPOSE, draw_q, row_stream, start, uniform_weights, weighted_score_theta
from refdgm.fitting import Algorithm
from refdgm.models import sbn
from refdgm.numerics import bernoulli_log_prob, log_mean_exp, sigmoid
from refdgm.streams import normals, stream, uniforms


def _algorithm(name, H, draw, codes_and_gain):
    """An algorithm whose step is a draw z and, from it, the codes for theta and the gain for phi."""
    begin = start(H)

    def field(parameters, z, x):
        h, gain = codes_and_gain(parameters["theta"], parameters["phi"], x, z)
        at_logits = gain.mean(axis=1)
        weights = uniform_weights(h[..., 0])
        return {"theta": weighted_score_theta(parameters["theta"], x, h, weights),
                "phi": {"V": at_logits.T @ x / len(x), "c": at_logits.mean(axis=0)}}
    return Algorithm(name, lambda x, seed: (begin(x, seed), ()), draw, field)


def _codes(K):
    """h_k ~ q(.|x), bits."""
    valid.count("K", K)
    return lambda parameters, memory, x, index, seed, t: (
        draw_q(parameters["phi"], x, K, row_stream(index, seed, t)), memory)


def muprop(K=1, H=8):
    """A Taylor expansion about the mean field as the baseline (ou2018 Table 1; Gu et al. 2016)."""
    def codes_and_gain(theta, phi, x, h):
        rows = x[:, None, :]
        p = formulas.mean_field(phi, rows)
        remainder = sbn.log_weights(theta, phi, rows, h) - formulas.taylor(theta, phi, rows, h)
        return h, remainder[..., None] * (h - p) + formulas.slope(theta, phi, rows, p) * p * (1 - p)
    return _algorithm("MuProp", H, _codes(K), codes_and_gain)


def straight_through(K=1, H=8):
    """The derivative goes through the draw as if h were its mean (ou2018 Sec. 3.2.1; Bengio et al. 2013)."""
    def codes_and_gain(theta, phi, x, h):
        p = formulas.mean_field(phi, x[:, None, :])
        return h, formulas.slope(theta, phi, x[:, None, :], h) * p * (1 - p)
    return _algorithm("straight-through", H, _codes(K), codes_and_gain)


def gumbel_softmax(K=1, H=8, tau=0.5, hard=False):
    """The Concrete relaxation at temperature tau; `hard` takes the slope of f at the bit (Jang et al. 2016)."""
    valid.count("K", K)
    valid.positive("the temperature tau", tau)

    def draw(parameters, memory, x, index, seed, t):
        u = uniforms(row_stream(index, seed, t), K * H, PROPOSE).reshape(len(x), K, H)
        return np.log(u) - np.log1p(-u), memory

    def codes_and_gain(theta, phi, x, noise):
        logit = (x @ phi["V"].T + phi["c"])[:, None, :]
        relaxed, p = sigmoid((logit + noise) / tau), sigmoid(logit)
        h = (noise > -logit).astype(float) if hard else relaxed
        slope_of_f = formulas.slope(theta, phi, x[:, None, :], h) + logit
        return h, slope_of_f * relaxed * (1 - relaxed) / tau - logit * p * (1 - p)
    return _algorithm(f"Gumbel-softmax, tau = {tau:g}" + ", hard" * hard, H, draw, codes_and_gain)


# ---- a code book ----------------------------------------------------------------------

def nearest(phi, codes, x):
    """The code V x + c of x, and the number of the code-book vector next to it.  -> (B, H), (B,)"""
    code = x @ phi["V"].T + phi["c"]
    return code, np.argmin(np.sum((code[:, None, :] - codes)**2, axis=2), axis=1)


def vector_quantised(M=8, H=4, beta=0.25):
    """A code book of M vectors, straight through the choice of the nearest (van den Oord et al. 2017)."""
    valid.count("M", M)
    valid.moderate("beta", beta, 0)
    begin = start(H, scale=0.3)

    def first(x, seed):
        """The code book holds the codes of M rows of the data."""
        parameters = begin(x, seed)
        rows = np.argsort(uniforms(stream(seed, 1, first=2**31), len(x), 1)[0], kind="stable")[:M]
        valid.require(len(rows) == M, f"a code book of M = {M} vectors needs as many rows of data, not {len(x)}.")
        phi, noise = parameters["phi"], normals(stream(seed, 1, first=2**31), M * H, 2).reshape(M, H)
        return {"theta": {leaf: parameters["theta"][leaf] for leaf in ("W", "b")}, "phi": phi,
                "psi": {"e": x[rows] @ phi["V"].T + phi["c"] + 0.01 * noise}}, ()

    def field(parameters, z, x):
        theta, phi, e = parameters["theta"], parameters["phi"], parameters["psi"]["e"]
        code, k = nearest(phi, e, x)
        chosen = (k[:, None] == np.arange(M)).astype(float)
        error = x - sigmoid(e[k] @ theta["W"].T + theta["b"])
        at_code = error @ theta["W"] + 2 * beta * (e[k] - code)
        return {"theta": {"W": error.T @ e[k] / len(x), "b": error.mean(axis=0)},
                "phi": {"V": at_code.T @ x / len(x), "c": at_code.mean(axis=0)},
                "psi": {"e": 2 * chosen.T @ (code - e[k]) / len(x)}}
    return Algorithm("vector-quantised", first, lambda parameters, memory, x, index, seed, t: (None, memory), field)


def exact_quantised(data):
    """A monitor: mean log p(x) with equally probable codes, and the bound log p(x|z) - log M of the code chosen."""
    valid.data_and_test(data)

    def look(parameters):
        theta, e = parameters["theta"], parameters["psi"]["e"]
        each = bernoulli_log_prob(data[:, None, :], e @ theta["W"].T + theta["b"])
        chosen = each[np.arange(len(data)), nearest(parameters["phi"], e, data)[1]]
        return {"log_p": np.mean(log_mean_exp(each)), "bound": np.mean(chosen) - np.log(len(e)),
                "codes": len(np.unique(nearest(parameters["phi"], e, data)[1]))}
    return look
