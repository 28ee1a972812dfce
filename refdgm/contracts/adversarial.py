r"""Contracts of the losses of adversarial learning (ou2018 Sec. 3.2.4; lecture12 Sec. 3).

    D = sigmoid(V), V the discriminator's logit, large for data
    GAN          discriminator down on - mean log D(x) - mean log(1 - D(G)); generator on mean log(1 - D(G)), or on
                 - mean log D(G), which does not saturate
    BiGAN, ALI   the same of pairs: (x, E(x)) from the encoder, (G(z), z) from the decoder
    WGAN         critic down on mean C(G) - mean C(x); generator on - mean C(G)

A loss is minimised.
"""
import autograd.numpy as np
import numpy as onp

from refdgm.adversarial import gan
from refdgm.contract import Argument, Case, Contract, Other
from refdgm.numerics import log_sigmoid, sigmoid
from refdgm.values import values

REAL = Argument("v_real", "(M,)", "logits V(x) at data")
FAKE = Argument("v_fake", "(N,)", "logits V(x) at generated x")
OF_ENCODER = Argument("v_encoder", "(M,)", "logits V(x, E(x)), x from the data")
OF_DECODER = Argument("v_decoder", "(N,)", "logits V(G(z), z), z from the prior")
C_REAL = Argument("c_real", "(M,)", "the critic's values at data")
C_FAKE = Argument("c_fake", "(N,)", "the critic's values at generated x")
NAIVE = "use log sigmoid of the logit (logsigmoid, or a cross-entropy with logits); do not form D"


def logit_cases(*names):
    """Outputs at data and at generated x, or at some of these; then logits at which a sigmoid is 0 or 1."""
    def cases(seed):
        rng = onp.random.default_rng(seed)
        for sizes in ((1, 2), (4, 2), (3, 5)):
            drawn = [2 * rng.normal(size=size) + shift for size, shift in zip(sizes, (0.7, -0.4))]
            yield Case(f"{' and '.join(map(str, sizes[-len(names):]))} outputs", dict(zip(names, drawn[-len(names):])))
        far = [onp.array([1e4, -1e4]), onp.array([-1e4, 1e4, 0.0])]
        yield Case("outputs of +-1e4", dict(zip(names, far[-len(names):])), hard=True)
        yield Case("outputs all the same", dict(zip(names, [onp.full(3, 0.5), onp.full(2, 0.5)][-len(names):])))
    return cases


# ---- GAN --------------------------------------------------------------------------------

def value(v_real, v_fake):
    """Eq. 24 under the laws of the samples: gan.objective with every sample a point of its own."""
    M, N = len(v_real), len(v_fake)
    return gan.objective(onp.repeat([1 / max(M, 1), 0.0], [M, N]), onp.full(N, 1 / N), onp.arange(M, M + N),
                         np.concatenate([v_real, v_fake]))


def discriminator_loss(v_real, v_fake):
    return -value(v_real, v_fake)


def naive_discriminator_loss(v_real, v_fake):
    return -np.mean(np.log(naive_sigmoid(v_real))) - np.mean(np.log(1 - naive_sigmoid(v_fake)))


def naive_sigmoid(v):
    return 1 / (1 + np.exp(-v))


def minimax_loss(v_fake):
    return value(np.zeros(0), v_fake)


def non_saturating_loss(v_fake):
    return -minimax_loss(-v_fake)


def critic_loss(c_real, c_fake):
    return np.mean(c_fake) - np.mean(c_real)


def two_class(loss):
    """What goes wrong with a discriminator's loss of two kinds of logits, the ones first."""
    return {
        "labels exchanged": Other(lambda one, zero: loss(-one, -zero), "data are the ones, generated x the zeros"),
        "to be maximised": Other(lambda one, zero: -loss(one, zero), "a loss is minus the objective"),
        "generated x labelled as data": Other(lambda one, zero: -np.mean(log_sigmoid(one)) - np.mean(log_sigmoid(zero)),
                                              "log(1 - D) at generated x"),
        "data alone": Other(lambda one, zero: -np.mean(log_sigmoid(one)) + 0 * np.sum(zero), "add - log(1 - D) at "
                                                                                             "generated x"),
        "the sigmoid taken twice": Other(lambda one, zero: loss(sigmoid(one), sigmoid(zero)),
                                         "give the logits, not D, to a cross-entropy that takes logits"),
        "no logarithm": Other(lambda one, zero: -np.mean(sigmoid(one)) - np.mean(sigmoid(-zero)),
                              "log D and log(1 - D)"),
        "summed over the draws": Other(lambda one, zero: -np.sum(log_sigmoid(one)) - np.sum(log_sigmoid(-zero)),
                                       "average over the draws of each kind"),
        "log 0 where D rounds to 0 or 1": Other(naive_discriminator_loss, NAIVE),
    }


def one_class(loss, sign, swapped):
    """What goes wrong with a generator's loss, made of log sigmoid(sign V); swapped: the other loss's name, function"""
    naive = (lambda v: -np.mean(np.log(naive_sigmoid(v)))) if sign > 0 else \
        (lambda v: np.mean(np.log(1 - naive_sigmoid(v))))
    return {
        "the sign": Other(lambda v: -loss(v), "the generator raises V at what it makes"),
        "V with the wrong sign": Other(lambda v: loss(-v), "the generator raises V at what it makes"),
        "the sigmoid taken twice": Other(lambda v: loss(sigmoid(v)), "V is the logit"),
        "no logarithm": Other(lambda v: -np.mean(sigmoid(v)), "take the logarithm"),
        "WGAN's": Other(lambda v: -np.mean(v), "the logarithm of a sigmoid, not the logit"),
        "summed over the draws": Other(lambda v: loss(v) * len(v), "average over the draws"),
        "log 0 where D rounds to 0 or 1": Other(naive, NAIVE),
        swapped[0]: Other(*swapped[1:]),
    }


CONTRACTS = [
    Contract("gan_discriminator_loss", "- mean log D(x) at data - mean log(1 - D(x)) at generated x, D = sigmoid(V)",
             "ou2018 Eq. 24; lecture12 Sec. 3", (REAL, FAKE), "(): to be minimised", discriminator_loss,
             values(logit_cases("v_real", "v_fake"), gradients=("v_real", "v_fake")), two_class(discriminator_loss),
             {"half of it": Other(lambda *v: 0.5 * discriminator_loss(*v), "you average the two kinds: the same "
                                                                           "minimum, half the gradient"),
              "one-sided label smoothing, 0.9": Other(
                  lambda real, fake: -np.mean(0.9 * log_sigmoid(real) + 0.1 * log_sigmoid(-real))
                  - np.mean(log_sigmoid(-fake)), "the best D is then 0.9 p/(p + q) (Salimans et al. 2016)")}),
    Contract("gan_minimax_generator_loss", "mean log(1 - D(x)) at generated x, D = sigmoid(V): it saturates where D is "
             "sure", "ou2018 Eq. 24; lecture12 Sec. 3", (FAKE,), "(): to be minimised", minimax_loss,
             values(logit_cases("v_fake"), gradients=("v_fake",)),
             one_class(minimax_loss, -1, ("the non-saturating loss", non_saturating_loss,
                                          "this is the log D trick, - mean log D: name it so"))),
    Contract("gan_non_saturating_generator_loss", "- mean log D(x) at generated x, D = sigmoid(V): the log D trick",
             "ou2018 Sec. 3.2.4; lecture12 Sec. 3", (FAKE,), "(): to be minimised", non_saturating_loss,
             values(logit_cases("v_fake"), gradients=("v_fake",)),
             one_class(non_saturating_loss, 1, ("the minimax loss", minimax_loss,
                                                "mean log(1 - D) saturates where D is sure; - mean log D is due"))),
    Contract("bigan_discriminator_loss", "- mean log D(x, E(x)) - mean log(1 - D(G(z), z)): the encoder's pairs are "
             "the ones", "ou2018 Sec. 3.2.4", (OF_ENCODER, OF_DECODER), "(): to be minimised", discriminator_loss,
             values(logit_cases("v_encoder", "v_decoder"), gradients=("v_encoder", "v_decoder")),
             two_class(discriminator_loss),
             {"half of it": Other(lambda *v: 0.5 * discriminator_loss(*v), "you average the two kinds")}),
    Contract("bigan_encoder_decoder_loss", "mean log D(x, E(x)) + mean log(1 - D(G(z), z)), which encoder and decoder "
             "both lower", "ou2018 Sec. 3.2.4", (OF_ENCODER, OF_DECODER), "(): to be minimised", value,
             values(logit_cases("v_encoder", "v_decoder"), gradients=("v_encoder", "v_decoder")),
             {"the discriminator's": Other(discriminator_loss, "encoder and decoder lower what D raises"),
              "the decoder alone": Other(lambda e, d: minimax_loss(d) + 0 * np.sum(e), "the encoder learns, too: its "
                                                                                       "pairs stand in log D"),
              "the decoder alone, non-saturating": Other(lambda e, d: non_saturating_loss(d) + 0 * np.sum(e),
                                                         "the encoder learns, too: its pairs stand in log D"),
              "the encoder raises D": Other(lambda e, d: value(e, d) - 2 * np.mean(log_sigmoid(e)),
                                            "the encoder lowers log D at its pairs"),
              "summed over the draws": Other(lambda e, d: np.sum(log_sigmoid(e)) + np.sum(log_sigmoid(-d)), "average"),
              "log 0 where D rounds to 0 or 1": Other(lambda *v: -naive_discriminator_loss(*v), NAIVE)},
             {"with exchanged labels: it does not saturate": Other(
                 lambda e, d: discriminator_loss(-e, -d), "as BiGAN trains, - mean log(1 - D) - mean log D")}),
    Contract("wgan_critic_loss", "mean C(x) at generated x - mean C(x) at data, C a Lipschitz critic", "ou2018 Sec. "
             "3.2.4", (C_REAL, C_FAKE), "(): to be minimised", critic_loss,
             values(logit_cases("c_real", "c_fake"), gradients=("c_real", "c_fake")),
             {"to be maximised": Other(lambda *c: -critic_loss(*c), "a loss is minus the objective"),
              "with log sigmoid": Other(discriminator_loss, "no sigmoid and no logarithm: means of C itself"),
              "with a sigmoid": Other(lambda *c: critic_loss(*(sigmoid(part) for part in c)), "C is not bounded"),
              "the absolute difference": Other(lambda *c: -np.abs(critic_loss(*c)), "C must tell which is which"),
              "summed over the draws": Other(lambda real, fake: np.sum(fake) - np.sum(real), "average"),
              "added": Other(lambda real, fake: np.mean(real) + np.mean(fake), "subtract"),
              "data alone": Other(lambda real, fake: -np.mean(real) + 0 * np.sum(fake), "add mean C(G(z))")}),
    Contract("wgan_generator_loss", "- mean C(x) at generated x", "ou2018 Sec. 3.2.4", (C_FAKE,),
             "(): to be minimised", lambda c_fake: -np.mean(c_fake),
             values(logit_cases("c_fake"), gradients=("c_fake",)),
             {"the sign": Other(np.mean, "the generator raises C at what it makes"),
              "with log sigmoid": Other(non_saturating_loss, "no sigmoid and no logarithm: minus the mean of C"),
              "with a sigmoid": Other(lambda c: -np.mean(sigmoid(c)), "C is not bounded"),
              "summed over the draws": Other(lambda c: -np.sum(c), "average over the draws")}),
]
