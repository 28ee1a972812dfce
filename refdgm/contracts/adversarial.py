r"""Contracts of the losses of adversarial learning (ou2018 Sec. 3.2.4; lecture12 Sec. 3).

    D = sigmoid(V), V the discriminator's logit, large for data
    GAN          discriminator down on - mean log D(x) - mean log(1 - D(G)); generator on mean log(1 - D(G)), or on
                 - mean log D(G), which does not saturate
    BiGAN, ALI   the same of pairs: (x, E(x)) from the encoder, (G(z), z) from the decoder
    WGAN         critic down on mean C(G) - mean C(x); generator on - mean C(G)
    lecture12    x has a label, y = 1 for data and 0 for generated x: E log q(y|x), and the generator E log q(1 - y|x)

A loss is minimised, an objective maximised.
"""
import autograd.numpy as np
from autograd.tracer import getval

from refdgm.adversarial import adversarial_inference, gan, gan_sleep_phase
from refdgm.backend import xp as onp
from refdgm.contract import Argument, Case, Contract, Other
from refdgm.models import labels
from refdgm.numerics import log_sigmoid, sigmoid
from refdgm.values import values

REAL = Argument("v_real", "(M,)", "logits V(x) at data")
FAKE = Argument("v_fake", "(N,)", "logits V(x) at generated x")
OF_ENCODER = Argument("v_encoder", "(M,)", "logits V(x, E(x)), x from the data")
OF_DECODER = Argument("v_decoder", "(N,)", "logits V(G(z), z), z from the prior")
C_REAL = Argument("c_real", "(M,)", "the critic's values at data")
C_FAKE = Argument("c_fake", "(N,)", "the critic's values at generated x")
LABELLED = (Argument("V", "(X,)", "the discriminator's logit at every x"),
            Argument("g", "(X,)", "logits of the generator's law: p_g = softmax(g)"),
            Argument("p_data", "(X,)", "the law of the data: probabilities, with sum one", "table"),
            Argument("p_y", "(2,)", "the law of the label: generated, data", "table"))
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
    return gan.objective(onp.repeat(onp.array([1 / max(M, 1), 0.0]), [M, N]), onp.full(N, 1 / N), onp.arange(M, M + N),
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


# ---- labels -----------------------------------------------------------------------------

def label_cases(seed):
    rng = onp.random.default_rng(seed)
    for X in (2, 3, 5):
        yield Case(f"{X} values of x", {"V": 2 * rng.normal(size=X), "g": rng.normal(size=X) + 0.5,
                                        "p_data": rng.dirichlet(onp.full(X, 2.0)),
                                        "p_y": onp.array([0.3, 0.7]) if X > 2 else onp.array([0.6, 0.4])})
    yield Case("logits of +-1e4", {"V": onp.array([1e4, -1e4]), "g": onp.array([0.0, 1e4]),
                                   "p_data": onp.array([0.5, 0.5]), "p_y": onp.array([0.5, 0.5])}, hard=True)


def labelled(objective, law=lambda p_y: p_y):
    """An objective of refdgm.adversarial of tables, the laws normalised in float64."""
    def of_tables(V, g, p_data, p_y):
        p_data, p_y = (onp.asarray(p, float) / onp.sum(p, dtype=float) for p in (p_data, p_y))
        return objective({"x": g}, {"D": V}, p_data, law(p_y))
    return of_tables


discriminates = labelled(adversarial_inference.discriminator_objective)
deceives = labelled(gan_sleep_phase.generator_objective)
EXCHANGED = "p_y[0] belongs to generated x, p_y[1] to the data"


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
    Contract("label_discriminator_objective", "E log q(y|x) over labelled x: p_y[1] E_data log D + p_y[0] E_g "
             "log(1 - D), D = sigmoid(V)", "lecture12 Sec. 3.1", LABELLED, "(): the discriminator maximises it",
             discriminates, values(label_cases, gradients=("V",)),
             {"the labels reversed": Other(deceives, "this is the generator's objective"),
              "the law of the labels left out": Other(
                  labelled(adversarial_inference.discriminator_objective, lambda p: onp.ones(2) / 2),
                  "weigh the two kinds with p(y)"),
              "p_y exchanged": Other(labelled(adversarial_inference.discriminator_objective, lambda p: p[::-1]),
                                     EXCHANGED),
              "every x alike": Other(lambda V, g, p_data, p_y: np.mean(p_y[1] * log_sigmoid(V)
                                                                       + p_y[0] * log_sigmoid(-V)),
                                     "x comes from p_data or from the generator: weigh with these laws")},
             {"the loss: minus it": Other(lambda *a: -discriminates(*a), "you return the cross-entropy, a loss")}),
    Contract("label_generator_objective", "E log q(1 - y|x) over labelled x: p_y[0] E_g log D + p_y[1] E_data "
             "log(1 - D), D = sigmoid(V)", "lecture12 Secs. 3.1, 3.4", LABELLED, "(): the generator maximises it",
             deceives, values(label_cases, gradients=("g",)),
             {"the labels not reversed": Other(discriminates, "this is the discriminator's objective"),
              "minus the discriminator's": Other(lambda *a: -discriminates(*a), "reverse the labels, not the sign; "
                                                                                "minus it is the minimax game"),
              "p_y exchanged": Other(labelled(gan_sleep_phase.generator_objective, lambda p: p[::-1]), EXCHANGED),
              "the generator's law held constant": Other(
                  lambda V, g, p_data, p_y: deceives(V, getval(g), p_data, p_y) + 0 * np.sum(g),
                  "what moves is the law of x: by the score, or through the samples")},
             {"generated x alone": Other(lambda V, g, p_data, p_y: deceives(V, g, p_data, p_y) - labelled(
                 lambda theta, phi, p_data, p_y: p_y[1] * np.sum(p_data * labels.log_q(phi)[0]))(V, g, p_data, p_y),
                                         "the data's term does not depend on the generator"),
              "the loss: minus it": Other(lambda *a: -deceives(*a), "you return the loss")}),
]
