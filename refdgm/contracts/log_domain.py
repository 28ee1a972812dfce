r"""Contracts of the stable pieces of which log-likelihoods are made (ou2018 Notations, Eq. 2; kingma2019 Eq. 1.18).

The hard cases are logits and log-weights of +-1e4, where a formula that forms exp or a probability first is inf or 0.
"""
import autograd.numpy as np

from refdgm import numerics
from refdgm.backend import xp as onp
from refdgm.contract import Argument, Case, Contract, Other
from refdgm.numerics import bernoulli_log_prob, categorical_log_prob, log_sigmoid, log_softmax, sigmoid, softplus
from refdgm.values import apart, values

A = Argument("a", "(...)", "any real numbers")
TERMS = Argument("a", "(..., K)", "the logarithms of the terms; -inf is a term of zero")
LOGITS = Argument("logits", "(..., n)", "log-odds of a one")
BITS = Argument("bits", "(..., n)", "zeros and ones", "bits")
CLASS = Argument("index", "(...)", "the class, 0..n-1", "index")
SCORES = Argument("logits", "(..., n)", "log-probabilities of the classes, up to a constant")
SHIFT = "subtract the largest term before exp, and add it again after log"


def elementwise_cases(seed):
    rng = onp.random.default_rng(seed)
    for shape in ((1,), (3,), (2, 5)):
        yield Case(f"shape {shape}", {"a": 3 * rng.normal(size=shape)})
    yield Case("moderately large", {"a": onp.array([-12.0, 7.0, 10.0]) + rng.normal(size=3)})
    yield Case("+-800 and +-1e4", {"a": onp.array([-1e4, -800.0, 800.0, 1e4]) + rng.normal(size=4)}, hard=True)
    yield Case("zeros", {"a": onp.zeros((2, 1))}, hard=True)
    yield Case("an empty batch", {"a": onp.zeros((0, 3))}, hard=True)


def term_cases(seed):
    rng = onp.random.default_rng(seed)
    for shape in ((1,), (3,), (2, 5), (5, 2, 4)):
        yield Case(f"shape {shape}", {"a": 2 * rng.normal(size=shape) - 1})
    yield Case("all terms the same", {"a": onp.full((2, 4), rng.normal())})
    yield Case("terms near -1e4", {"a": rng.normal(size=(2, 3)) - 1e4}, hard=True)
    yield Case("terms near +1e4", {"a": rng.normal(size=(2, 3)) + 1e4}, hard=True)
    yield Case("terms 1e4 apart", {"a": 1e4 * rng.normal(size=(2, 3))}, hard=True)
    yield Case("a term of zero (-inf)", {"a": onp.array([[0.3, -onp.inf, rng.normal()]])}, hard=True)


def zero_sum_cases(seed):
    yield from term_cases(seed)
    yield Case("every term zero (-inf)", {"a": onp.full((2, 3), -onp.inf)}, hard=True)


def bit_cases(seed):
    rng = onp.random.default_rng(seed)
    for shape in ((2,), (3, 4), (2, 3, 5)):
        yield Case(f"shape {shape}", {"bits": rng.integers(0, 2, shape), "logits": 2 * rng.normal(size=shape)})
    yield Case("certain and right (logits +-1e4)", {"bits": onp.array([[1, 0]]), "logits": onp.array([[1e4, -1e4]])},
               hard=True)
    yield Case("certain and wrong (logits +-1e4)", {"bits": onp.array([[0, 1], [1, 1]]),
                                                    "logits": onp.array([[1e4, -1e4], [-300.0, 50.0]])}, hard=True)
    yield Case("an empty batch", {"bits": onp.zeros((0, 3)), "logits": onp.zeros((0, 3))}, hard=True)


def class_cases(seed):
    rng = onp.random.default_rng(seed)
    for shape in ((3,), (2, 5), (4, 2, 3)):
        yield Case(f"shape {shape}", {"index": rng.integers(0, shape[-1], shape[:-1]),
                                      "logits": 2 * rng.normal(size=shape)})
    yield Case("one class", {"index": onp.zeros(2, int), "logits": rng.normal(size=(2, 1))})
    yield Case("logits 1e4 apart", {"index": onp.array([0, 1, 2]),
                                    "logits": onp.array([[1e4, 0.0, -1e4]] * 3)}, hard=True)
    yield Case("logits near +1e4", {"index": onp.array([2, 0]), "logits": rng.normal(size=(2, 3)) + 1e4}, hard=True)


def sum_to_one(call, case):
    return apart([onp.sum(onp.exp(part), axis=-1) for part in call(**case)], [onp.ones(case["a"].shape[:-1])])


def shifted(call, case):
    return apart(call(a=case["a"] + 0.5), [part + 0.5 for part in call(**case)])


def naive_log_sum_exp(a):
    return np.log(np.sum(np.exp(a), axis=-1))


def naive_sigmoid(a):
    return 1 / (1 + np.exp(-a))


def through_probabilities(bits, logits):
    p = naive_sigmoid(logits)
    return np.sum(bits * np.log(p) + (1 - bits) * np.log(1 - p), axis=-1)


def cut_off(bits, logits, least=3.720075976020836e-44):
    """Through probabilities, and no logarithm below -100: `least` is e^-100."""
    p = sigmoid(logits)
    return np.sum(bits * np.log(np.clip(p, least, 1)) + (1 - bits) * np.log(np.clip(1 - p, least, 1)), axis=-1)


def each_class(logits, index):
    """One-hot rows: what picks the chosen class."""
    return onp.arange(logits.shape[-1]) == onp.asarray(index)[..., None]


def picked(table, index):
    return np.sum(np.where(each_class(table, index), table, 0.0), axis=-1)


CONTRACTS = [
    Contract("log_sigmoid", "log 1/(1 + exp(-a)), for a of any size", "ou2018 Eq. 2", (A,), "(...)", log_sigmoid,
             values(elementwise_cases, gradients=("a",)),
             {"the sign of a": Other(lambda a: log_sigmoid(-a), "this is log(1 - sigmoid(a))"),
              "softplus(a)": Other(softplus, "log sigmoid(a) = -softplus(-a)"),
              "the sigmoid, no logarithm": Other(sigmoid, "take the logarithm"),
              "log of tanh's sigmoid: 2 a for a": Other(lambda a: log_sigmoid(2 * a), "tanh(a) = 2 sigmoid(2 a) - 1"),
              "the logarithm of a sigmoid that has underflowed": Other(
                  lambda a: np.log(naive_sigmoid(a)), "use -logaddexp(0, -a), or your library's logsigmoid")}),
    Contract("softplus", "log(1 + exp(a)), for a of any size", "ou2018 Eq. 2", (A,), "(...)", softplus,
             values(elementwise_cases, gradients=("a",)),
             {"the sign of a": Other(lambda a: softplus(-a), "softplus(-a) = softplus(a) - a"),
              "log sigmoid(a)": Other(log_sigmoid, "softplus(a) = -log sigmoid(-a)"),
              "the rectifier": Other(lambda a: np.maximum(a, 0.0), "softplus is smooth: log 2 at zero"),
              "its derivative, the sigmoid": Other(sigmoid, "return the integral of the sigmoid"),
              "overflows": Other(lambda a: np.log(1 + np.exp(a)), "use logaddexp(0, a)")}),
    Contract("log_sum_exp", "log sum_k exp(a_k) along the last axis; -inf where every term is zero", "ou2018 Eq. 14",
             (TERMS,), "(...)", numerics.log_sum_exp, values(zero_sum_cases, gradients=("a",)),
             {"the mean for the sum": Other(numerics.log_mean_exp, "do not divide by K"),
              "the largest term": Other(lambda a: np.max(a, axis=-1), "the maximum is only the shift"),
              "over the first axis": Other(lambda a: numerics.log_sum_exp(a, axis=0), "the terms are along axis -1"),
              "one number for the batch": Other(lambda a: numerics.log_sum_exp(np.reshape(a, (-1,))),
                                                "reduce the last axis only"),
              "the shift not added back": Other(lambda a: numerics.log_sum_exp(
                  a - np.max(a, axis=-1, keepdims=True)), "add the largest term after the logarithm"),
              "the last axis kept": Other(lambda a: numerics.log_sum_exp(a, keepdims=True), "drop the last axis"),
              "overflows": Other(naive_log_sum_exp, SHIFT)},
             properties={"a shift of all terms shifts the result": shifted}),
    Contract("log_softmax", "logits to log-probabilities along the last axis", "kingma2019 Sec. 1.6.1", (TERMS,),
             "(..., K)", log_softmax, values(term_cases, gradients=("a",)),
             {"over the first axis": Other(lambda a: log_softmax(a, axis=0), "the classes are along axis -1"),
              "the probabilities, no logarithm": Other(numerics.softmax, "take the logarithm"),
              "the largest subtracted, not the log-sum-exp": Other(
                  lambda a: a - np.max(a, axis=-1, keepdims=True), "subtract log sum exp(a)"),
              "log-mean-exp subtracted": Other(lambda a: a - numerics.log_mean_exp(a)[..., None],
                                               "subtract the sum's logarithm: the probabilities must add up to one"),
              "overflows": Other(lambda a: a - naive_log_sum_exp(a)[..., None], SHIFT),
              "the logarithm of a softmax that has underflowed": Other(
                  lambda a: np.log(numerics.softmax(a)), "subtract log-sum-exp from the logits; do not form exp")},
             properties={"the probabilities have sum one": sum_to_one}),
    Contract("bernoulli_log_prob", "log-likelihood of bits, sum_i log Bernoulli(bits_i; sigmoid(logits_i))",
             "ou2018 Eq. 2; kingma2019 Eq. 1.18", (BITS, LOGITS), "(...): one number a row, in nats",
             bernoulli_log_prob, values(bit_cases, gradients=("logits",)),
             {"averaged over the units": Other(
                 lambda bits, logits: bernoulli_log_prob(bits, logits) / bits.shape[-1], "sum over the last axis"),
              "not summed over the units": Other(
                  lambda bits, logits: bits * log_sigmoid(logits) + (1 - bits) * log_sigmoid(-logits),
                  "sum over the last axis: one number a row"),
              "one number for the batch": Other(lambda bits, logits: np.sum(bernoulli_log_prob(bits, logits)),
                                                "sum over the last axis only"),
              "logits of a zero": Other(lambda bits, logits: bernoulli_log_prob(bits, -logits),
                                        "the logits are those of a one"),
              "only the units that are on": Other(lambda bits, logits: np.sum(bits * log_sigmoid(logits), axis=-1),
                                                  "add (1 - bits) log(1 - p)"),
              "the sigmoid taken twice": Other(lambda bits, logits: bernoulli_log_prob(bits, sigmoid(logits)),
                                               "give the logits, not probabilities, to a loss that takes logits"),
              "logits taken for probabilities": Other(lambda bits, logits: np.sum(
                  bits * np.log(logits) + (1 - bits) * np.log(1 - logits), axis=-1), "apply log sigmoid"),
              "infinite or NaN where p rounds to 0 or 1": Other(
                  through_probabilities, "use log sigmoid of the logits; do not form p"),
              "the logarithm cut off at -100": Other(
                  cut_off, "binary_cross_entropy of probabilities cuts off: use its form with logits")},
             {"the loss: minus the log-likelihood": Other(
                 lambda bits, logits: -bernoulli_log_prob(bits, logits),
                 "you return the cross-entropy, to be minimised; refdgm states the log-likelihood")}),
    Contract("categorical_log_prob", "log-probability of a class, log softmax(logits)[index]",
             "kingma2019 Sec. 1.6.1", (CLASS, SCORES), "(...): one number a row, in nats", categorical_log_prob,
             values(class_cases, gradients=("logits",)),
             {"the logit, not normalised": Other(lambda index, logits: picked(logits, index), "subtract log-sum-exp"),
              "the probability, no logarithm": Other(lambda index, logits: np.exp(categorical_log_prob(index, logits)),
                                                     "take the logarithm"),
              "the softmax taken twice": Other(lambda index, logits: categorical_log_prob(
                  index, numerics.softmax(logits)), "give the logits, not probabilities, to log-softmax"),
              "softmax over the first axis": Other(lambda index, logits: picked(log_softmax(logits, axis=0), index),
                                                   "the classes are along axis -1"),
              "classes counted from 1": Other(lambda index, logits: categorical_log_prob(
                  (index - 1) % logits.shape[-1], logits), "the first class is number 0"),
              "one number for the batch": Other(lambda index, logits: np.sum(categorical_log_prob(index, logits)),
                                                "one number a row"),
              "overflows": Other(lambda index, logits: picked(logits, index) - naive_log_sum_exp(logits), SHIFT)},
             {"the loss: minus the log-probability": Other(
                 lambda index, logits: -categorical_log_prob(index, logits),
                 "you return the cross-entropy, to be minimised; refdgm states the log-probability")}),
]
