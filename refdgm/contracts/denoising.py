r"""Contracts of denoising autoencoders and generative stochastic networks (bachman2015 Sec. 2).

    code       zbar: x~, the data with bits flipped, or a draw of q(zbar|x), bits of log-odds Ax + a
    decoder    p(x|zbar), independent bits of log-odds V tanh(W zbar + b) + c
    chain      T(x, x') = sum_zbar q(zbar|x) p(x'|zbar)
"""
import autograd.numpy as np

from refdgm.autoencoders import gsn_chain
from refdgm.backend import xp as onp
from refdgm.contract import Argument, Case, Contract, Other
from refdgm.learning import dae_learning
from refdgm.numerics import bernoulli_log_prob, log_sigmoid, sigmoid
from refdgm.values import values

# ---- the autoencoder --------------------------------------------------------------------

PIXELS = (Argument("x", "(B, D)", "the clean data, zeros and ones", "bits"),
          Argument("noisy", "(B, D)", "the corrupted data, zeros and ones", "bits"))
DECODER = (Argument("W", "(J, M)", "weights of the J hidden units"), Argument("b", "(J,)", "their biases"),
           Argument("V", "(D, J)", "weights out of them"), Argument("c", "(D,)", "biases of the log-odds"))
CLEAN = "the input is the corrupted x~, the target the clean x"


def random_decoder(rng, M, J, D, scale=1.0):
    return {"W": scale * rng.normal(size=(J, M)), "b": rng.normal(size=J), "V": scale * rng.normal(size=(D, J)),
            "c": rng.normal(size=D)}


def pixel_cases(seed):
    rng = onp.random.default_rng(seed)
    for B, D, J, scale in ((1, 3, 2, 1.0), (2, 4, 3, 1.0), (4, 3, 5, 1.0), (2, 3, 2, 1e3)):
        x = 1.0 * (rng.random((B, D)) < 0.6)
        flipped = onp.where(rng.random((B, D)) < 0.3, 1 - x, x)
        flipped[:, 0] = 1 - x[:, 0]
        yield Case(f"B = {B}, D = {D}, J = {J}" if scale == 1 else "log-odds near 1e3",
                   {"x": x, "noisy": flipped, **random_decoder(rng, D, J, D, scale)}, hard=scale > 1)


def decoded(code, W, b, V, c):
    """The log-odds of each bit given the code."""
    return dae_learning.unit_logits({"W": W, "b": b, "V": V, "c": c}, code, None)


def dae_loss(x, noisy, *decoder, reduce=np.mean):
    return -reduce(bernoulli_log_prob(x, decoded(noisy, *decoder)))


def naive_dae(x, noisy, *decoder):
    p = 1 / (1 + np.exp(-decoded(noisy, *decoder)))
    return -np.mean(np.sum(x * np.log(p) + (1 - x) * np.log(1 - p), axis=-1))


# ---- the chain --------------------------------------------------------------------------

STEP = (Argument("x", "(N, D)", "where N chains are, zeros and ones", "bits"),
        Argument("u_code", "(N, M)", "uniform numbers for the code"), Argument("u_x", "(N, D)", "and for the next x"),
        Argument("A", "(M, D)", "the encoder's weights"), Argument("a", "(M,)", "the encoder's biases"), *DECODER)


def clear_of(rng, p):
    """Uniform numbers that stay 0.08 off p, so that no rounding turns a bit, nor that of 1 - u."""
    u = onp.full(p.shape, onp.nan)
    while onp.any(bad := ~((onp.abs(u - p) > 0.08) & (onp.abs(1 - u - p) > 0.08))):
        u[bad] = rng.random(bad.sum())
    return u


def step_cases(seed):
    rng = onp.random.default_rng(seed)
    for N, D, M, J in ((1, 3, 2, 2), (3, 2, 4, 3), (15, 4, 3, 4)):
        x, A, a = 1.0 * (rng.random((N, D)) < 0.5), rng.normal(size=(M, D)), rng.normal(size=M)
        decoder = random_decoder(rng, M, J, D)
        u_code = clear_of(rng, sigmoid(x @ A.T + a))
        code = 1.0 * (u_code < sigmoid(x @ A.T + a))
        u_x = clear_of(rng, sigmoid(decoded(code, *decoder.values())))
        yield Case(f"N = {N}, D = {D}, M = {M}, J = {J}",
                   {"x": x, "u_code": u_code, "u_x": u_x, "A": A, "a": a, **decoder})


def drawn(u, p):
    return 1.0 * (u < p)


def gsn_step(x, u_code, u_x, A, a, *decoder, code=drawn, image=drawn):
    logits = dae_learning.code_logits({"V": A, "c": a}, x, None)
    return image(u_x, sigmoid(decoded(code(u_code, sigmoid(logits)), *decoder)))


def step_with(**changed):
    return lambda *args: gsn_step(*args, **changed)


def code_cases(seed):
    rng = onp.random.default_rng(seed)
    for S, Z in ((2, 3), (4, 2), (3, 5)):
        yield Case(f"{S} states, {Z} codes", {"law": rng.dirichlet(onp.full(S, 2.0)),
                                              "encoder": rng.dirichlet(onp.full(Z, 0.7), size=S)})
    yield Case("islands: no code is shared", {"law": onp.array([0.2, 0.8]), "encoder": onp.array(
        [[0.4, 0.6, 0.0], [0.0, 0.0, 1.0]])}, hard=True)


def optimal_transition(law, encoder, decoder=gsn_chain.optimal_decoder):
    """gsn_chain.chain, with tables of the axes (x, z0, z1, zbar)."""
    q = law[:, None, None, None] * encoder[:, None, None, :]
    return gsn_chain.chain(q, decoder(q))


GRADIENTS = ("W", "b", "V", "c")
CONTRACTS = [
    Contract("dae_loss", "a denoising autoencoder's loss: the mean over the batch of -log p(x|x~), log-odds "
             "V tanh(W x~ + b) + c", "bachman2015 Sec. 2", (*PIXELS, *DECODER), "(): a number whose gradient trains",
             dae_loss, values(pixel_cases, gradients=GRADIENTS),
             {"reads the clean input": Other(lambda x, noisy, *d: dae_loss(x, x, *d), CLEAN),
              "the corrupted target": Other(lambda x, noisy, *d: dae_loss(noisy, noisy, *d), CLEAN),
              "clean input, corrupted target": Other(lambda x, noisy, *d: dae_loss(noisy, x, *d), CLEAN),
              "the log-likelihood": Other(lambda *a: -dae_loss(*a), "a loss is minus it"),
              "squared error": Other(lambda x, noisy, *d: np.sum((x - sigmoid(decoded(noisy, *d)))**2) / len(x),
                                     "bits have a cross-entropy"),
              "the sigmoid taken twice": Other(
                  lambda x, noisy, *d: -np.mean(bernoulli_log_prob(x, sigmoid(decoded(noisy, *d)))),
                  "give the logits to a cross-entropy that takes logits"),
              "ones alone": Other(lambda x, noisy, *d: -np.sum(x * log_sigmoid(decoded(noisy, *d))) / len(x),
                                  "add (1 - x) log(1 - p)"),
              "overflows": Other(naive_dae, "use the logits: x log sigmoid(a) + (1 - x) log sigmoid(-a)")},
             {"averaged over everything": Other(lambda x, *a: dae_loss(x, *a) / x.shape[-1], "the loss of each pixel"),
              "summed over the batch": Other(lambda *a: dae_loss(*a, reduce=np.sum), "B times the loss")}),
    Contract("gsn_step", "a step of a generative stochastic network, its uniform numbers given: code = 1 where "
             "u_code < sigmoid(Ax + a), then x' = 1 where u_x < sigmoid(V tanh(W code + b) + c)", "bachman2015 Sec. 2",
             STEP, "(N, D): the next states, zeros and ones", gsn_step, values(step_cases),
             {"the code's mean": Other(step_with(code=lambda u, p: p), "draw the code: its noise is what mixes"),
              "the next state's mean": Other(step_with(image=lambda u, p: p), "draw x': a mean is no sample"),
              "the code by a threshold": Other(step_with(code=lambda u, p: drawn(0.5, p)), "compare with u_code"),
              "the next state by a threshold": Other(step_with(image=lambda u, p: drawn(0.5, p)), "compare with u_x"),
              "u above p": Other(step_with(code=lambda u, p: 1 - drawn(u, p), image=lambda u, p: 1 - drawn(u, p)),
                                 "a bit is 1 where u < p"),
              "the code's biases forgotten": Other(lambda x, u, v, A, a, *d: gsn_step(x, u, v, A, 0 * a, *d), "add a")},
             {"1 - u for u": Other(step_with(code=lambda u, p: drawn(1 - u, p), image=lambda u, p: drawn(1 - u, p)),
                                   "the same law")}),
    Contract("gsn_optimal_transition", "T(x, x') = sum_z q(z|x) q(x'|z), q(x|z) ~ law(x) q(z|x): the chain of the "
             "optimal decoder, which leaves the law as it is", "bachman2015 Sec. 2",
             (Argument("law", "(S,)", "the data's probabilities", "table"),
              Argument("encoder", "(S, Z)", "q(z|x), rows sum to one", "table")), "(S, S): rows sum to one",
             optimal_transition, values(code_cases),
             {"columns for rows": Other(lambda *a: optimal_transition(*a).T, "T(x, x'): from row to column"),
              "the law forgotten in the decoder": Other(
                  lambda law, q: optimal_transition(0 * law + 1 / len(law), q), "q(x|z) ~ law(x) q(z|x)"),
              "q(x, z) for q(x|z)": Other(lambda *a: optimal_transition(*a, decoder=lambda q: q), "divide by q(z)"),
              "every row the law": Other(lambda law, q: law + 0 * optimal_transition(law, q),
                                         "that is the limit of many steps")}),
]
