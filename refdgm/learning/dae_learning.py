r"""Denoising autoencoders, generative stochastic networks, and the chain that samples from them (bachman2015 Sec. 2).

    code       zbar ~ q(zbar|x)      DAE: x with each bit flipped with probability rho, nothing to learn
                                     GSN: Bern(sigmoid(V x + c)), a stochastic code of H bits, learned
    decoder    p(x|zbar)             learned on F_theta = E_D(x)q(zbar|x) dlog p(x|zbar)/dtheta
    encoder    F_phi = -dKL/dphi = E_q[(log p(x|zbar) + log q(zbar) - log q(zbar|x)) dlog q(zbar|x)/dphi]
               with the aggregate q(zbar) = E_D q(zbar|x), here of the rows of the step      (Eqs. 6, 7; 20 corrected)
    chain      T(x, x') = sum_zbar q(zbar|x) p(x'|zbar)

With p(x|zbar) = q(x|zbar) the chain leaves D invariant. That conditional has several modes, so a decoder of independent
units cannot be it, and its chain has another law; an autoregressive decoder can: it is the last D conditionals of a
masked network over (zbar, x). exact() has the chain's law pi from T, all 2**D states of it.
x (B, D) bits, zbar (B, K, M): K codes of M bits for each row, M = D for the DAE.

How far the chain's law is from that of two bits that always agree, at the start and after 30 steps:

>>> import numpy as np
>>> import refdgm
>>> from refdgm.learning.dae_learning import dae, exact
>>> x = np.array([[0.0, 0.0], [1.0, 1.0]])
>>> fit = refdgm.fit(dae(J=4), x, 30, update=refdgm.updates.adam(), monitor=exact(x))
>>> [round(float(distance), 2) for distance in fit.history["total_variation"]]
[0.5, 0.12]
"""
import autograd.numpy as np
from autograd import grad

from refdgm import validation as valid
from refdgm.autoencoders import gsn_chain
from refdgm.backend import xp as onp
from refdgm.fitting import Algorithm
from refdgm.models import masked_network
from refdgm.models.finite_chain import stationary_law
from refdgm.numerics import all_binary, bernoulli_log_prob, log_sum_exp, mean_log_odds, sigmoid
from refdgm.streams import Stream, fires, normals, stream, uniforms, words

CODE, DECODE = 0, 1             # the draws of a step


# ---- codes ----------------------------------------------------------------------------

def flip_logits(x, rho):
    """The log-odds of each corrupted bit: x_i with probability 1 - rho.  (..., D) -> (..., D)"""
    return (2 * x - 1) * onp.log((1 - rho) / rho)


def code_logits(phi, x, rho):
    """The log-odds of each bit of the code: corruption where there is no phi.  (..., D) -> (..., M)"""
    return np.dot(x, phi["V"].T) + phi["c"] if phi else flip_logits(x, rho)


# ---- decoders -------------------------------------------------------------------------

def chain_logits(theta, code, x):
    """The log-odds of x_j given the code and x_<j.  (..., M), (..., D) -> (..., D)"""
    return masked_network.logits(theta, np.concatenate([code, x], axis=-1))[..., code.shape[-1]:]


def unit_logits(theta, code, x):
    """The log-odds of x_j given the code alone: independent units.  (..., M), (..., D) -> (..., D)"""
    return np.dot(np.tanh(np.dot(code, theta["W"].T) + theta["b"]), theta["V"].T) + theta["c"]


def logits_of(decoder):
    """The function that gives the log-odds, by its name."""
    valid.require(decoder in ("chain", "units"), f"the decoder is chain or units, not {decoder!r}.")
    return chain_logits if decoder == "chain" else unit_logits


def start_decoder(decoder, M, x, J, seed):
    """Small random weights, and the pixels' mean log-odds as c.  -> theta"""
    log_odds, D = mean_log_odds(x), x.shape[1]
    into, out = (M + D, M + D) if decoder == "chain" else (M, D)
    noise = 0.1 * normals(stream(seed, 1, first=2**31), J * (into + out))[0]
    c = onp.concatenate([onp.zeros(M), log_odds]) if decoder == "chain" else log_odds
    return {"W": noise[:J * into].reshape(J, into), "b": onp.zeros(J), "V": noise[J * into:].reshape(out, J), "c": c}


# ---- the algorithms -------------------------------------------------------------------

def dae(rho=0.2, J=48, decoder="chain", K=4):
    """A denoising autoencoder with J hidden units, K corruptions of each row a step."""
    _validate(rho)
    return _algorithm("denoising autoencoder", None, rho, J, decoder, K)


def gsn(H=4, J=48, decoder="chain", K=4):
    """A generative stochastic network with a learned code of H bits, K codes for each row a step."""
    valid.count("H", H)
    return _algorithm("GSN", H, None, J, decoder, K)


def _validate(rho):
    valid.require(0 < rho < 1, f"the probability rho of a flip must lie in (0, 1), but is {rho}.")


def _algorithm(name, H, rho, J, decoder, K):
    valid.count("J", J)
    valid.count("K", K)
    decode = logits_of(decoder)
    decoder_gradient = grad(lambda theta, code, x: np.mean(bernoulli_log_prob(x, decode(theta, code, x))))

    def first(x, seed):
        valid.require(valid.are_bits(x), "a denoising autoencoder with Bernoulli units takes bits, 0 or 1.")
        D = x.shape[1]
        theta = start_decoder(decoder, D if H is None else H, x, J, seed)
        if H is None:
            return {"theta": theta}, ()
        V = normals(stream(seed, 1, first=2**31 + 1), H * D)[0].reshape(H, D)
        return {"theta": theta, "phi": {"V": V, "c": -V @ x.mean(axis=0)}}, ()

    def draw(parameters, memory, x, index, seed, t):
        logits = code_logits(parameters.get("phi"), x, rho)
        w = words(Stream(seed, onp.asarray(index, onp.uint32), t), K * logits.shape[1], CODE)
        return fires(w.reshape(len(x), K, -1), logits[:, None, :]).astype(float), memory

    def field(parameters, code, x):
        clean = onp.broadcast_to(x[:, None, :], (len(x), K, x.shape[1]))
        F = {"theta": decoder_gradient(parameters["theta"], code, clean)}
        if H is not None:
            F["phi"] = encoder_direction(parameters, code, x, decode)
        return F
    return Algorithm(f"{name} ({decoder})", first, draw, field)


def encoder_direction(parameters, code, x, logits):
    """-dKL(q || p)/dphi from codes (B, K, H), less a baseline from the row's other codes.  -> dict"""
    phi, K = parameters["phi"], code.shape[1]
    q = x @ phi["V"].T + phi["c"]
    every = bernoulli_log_prob(code[:, :, None, :], q)                          # (B, K, B): each code under each row
    clean = onp.broadcast_to(x[:, None, :], (len(x), K, x.shape[1]))
    signal = (bernoulli_log_prob(clean, logits(parameters["theta"], code, clean)) + log_sum_exp(every)
              - onp.log(len(x)) - bernoulli_log_prob(code, q[:, None, :]))
    if K > 1:
        signal = (signal - signal.mean(axis=1, keepdims=True)) * K / (K - 1)
    weighted = onp.mean(signal[..., None] * (code - sigmoid(q)[:, None, :]), axis=1)
    return {"V": weighted.T @ x / len(x), "c": weighted.mean(axis=0)}


# ---- the chain ------------------------------------------------------------------------

def run_chain(parameters, x, steps, seed, rho=0.2, decoder="chain"):
    """`steps` rounds of coding and decoding of every row, by ancestral sampling.  (C, D) -> (C, D)"""
    for t in range(1, steps + 1):
        s = Stream(seed, onp.arange(len(x), dtype=onp.uint32), t)
        logits = code_logits(parameters.get("phi"), x, rho)
        code = fires(words(s, logits.shape[1], CODE), logits).astype(float)
        u, x = uniforms(s, x.shape[1], DECODE), onp.zeros(x.shape)
        for j in range(x.shape[1]):
            x[:, j] = u[:, j] < sigmoid(logits_of(decoder)(parameters["theta"], code, x)[:, j])
    return x


def transition_matrix(parameters, D, rho=0.2, decoder="chain"):
    """T(x, x') = sum_zbar q(zbar|x) p(x'|zbar) of the chain.  -> (2**D, 2**D)"""
    x = all_binary(D)
    logits = code_logits(parameters.get("phi"), x, rho)
    codes = all_binary(logits.shape[1])
    valid.enumerable(len(codes) * len(x), "the pair of code and image", D)
    q = onp.exp(bernoulli_log_prob(codes, logits[:, None, :]))
    pair = onp.broadcast_to(codes[:, None, :], (len(codes), len(x), codes.shape[1]))
    image = onp.broadcast_to(x, (len(codes), *x.shape))
    p = onp.exp(bernoulli_log_prob(image, logits_of(decoder)(parameters["theta"], pair, image)))
    return gsn_chain.chain(q[:, None, None, :] / len(x), p.T[:, None, None, :])


def exact(data, rho=0.2, decoder="chain"):
    """A monitor: the mean log pi(x) of the chain's stationary law, and its total variation from the data's."""
    valid.data_and_test(data)
    _validate(rho)
    logits_of(decoder)
    D = data.shape[1]
    rows = (data @ 2**onp.arange(D)).astype(int)
    law = onp.bincount(rows, minlength=2**D) / len(rows)

    def look(parameters):
        pi = stationary_law(transition_matrix(parameters, D, rho, decoder))
        return {"log_p": onp.mean(onp.log(pi[rows])), "total_variation": onp.sum(onp.abs(pi - law)) / 2}
    return look
