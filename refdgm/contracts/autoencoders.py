r"""Contracts of variational autoencoders: losses, bounds of reparameterised draws, gradients (ou2018 Sec. 3.2.1).

log_variance = log sigma^2 of q. Where a decoder is needed it is p(h) = N(0, I), p(x|h) = Bernoulli(sigmoid(W h + b)).
"""
import autograd.numpy as np
from autograd.tracer import getval

from refdgm.backend import xp as onp
from refdgm.contract import Argument, Case, Contract, Other
from refdgm.models import gaussian_posterior
from refdgm.numerics import bernoulli_log_prob, gaussian_log_prob, log_mean_exp, log_sum_exp, sigmoid, softmax
from refdgm.values import apart, values

PIXELS = Argument("x", "(B, D)", "the data, zeros and ones", "bits")
LOGITS = Argument("logits", "(B, D)", "the decoder's log-odds of a one")
MEAN = Argument("mean", "(B, H)", "the encoder's mean")
LOG_VARIANCE = Argument("log_variance", "(B, H)", "the encoder's log sigma^2")
DRAWS = (Argument("x", "(D,)", "one datum, zeros and ones", "bits"), Argument("mean", "(H,)", "the encoder's mean"),
         Argument("log_variance", "(H,)", "the encoder's log sigma^2"), Argument("eps", "(K, H)", "draws from N(0, 1)"),
         Argument("W", "(D, H)", "the decoder's weights"), Argument("b", "(D,)", "the decoder's biases"))
PLACE = "log_variance is log sigma^2: sigma is exp(log_variance / 2)"


def loss_cases(seed):
    rng = onp.random.default_rng(seed)
    for B, D, H in ((1, 3, 2), (2, 5, 3), (4, 3, 1)):
        yield Case(f"B = {B}, D = {D}, H = {H}", {
            "x": rng.integers(0, 2, (B, D)), "logits": 1.5 * rng.normal(size=(B, D)), "mean": rng.normal(size=(B, H)),
            "log_variance": rng.normal(size=(B, H))})
    yield Case("logits of +-1e4, right and wrong", {
        "x": onp.array([[1, 0, 1]]), "logits": onp.array([[1e4, -1e4, -1e4]]), "mean": rng.normal(size=(1, 2)),
        "log_variance": rng.normal(size=(1, 2))}, hard=True)
    yield Case("q is the prior", {"x": rng.integers(0, 2, (2, 3)), "logits": rng.normal(size=(2, 3)),
                                  "mean": onp.zeros((2, 2)), "log_variance": onp.zeros((2, 2))}, hard=True)


def draw_cases(seed):
    rng = onp.random.default_rng(seed)
    for K, D, H in ((1, 3, 2), (2, 3, 2), (5, 4, 3)):
        yield Case(f"K = {K}, D = {D}, H = {H}", {
            "x": rng.integers(0, 2, D), "mean": rng.normal(size=H), "log_variance": rng.normal(size=H) - 0.5,
            "eps": rng.normal(size=(K, H)), "W": rng.normal(size=(D, H)), "b": rng.normal(size=D)})
    yield Case("a log-weight near -1e4", {
        "x": onp.array([1, 0, 1]), "mean": rng.normal(size=2), "log_variance": onp.zeros(2),
        "eps": rng.normal(size=(1, 2)), "W": rng.normal(size=(3, 2)), "b": onp.array([-1e4, 10.0, 3.0])}, hard=True)


def kl(mean, log_variance):
    return gaussian_posterior.kl_to_prior(mean, log_variance / 2)


def vae_loss(x, logits, mean, log_variance):
    return -np.mean(bernoulli_log_prob(x, logits) - kl(mean, log_variance))


def loss_with(of_x=np.mean, of_kl=np.mean, weight=1.0):
    return lambda x, logits, mean, log_variance: (
        -of_x(bernoulli_log_prob(x, logits)) + weight * of_kl(kl(mean, log_variance)))


def log_weights(x, mean, log_variance, eps, W, b, path=lambda a: a, density=lambda a: a, log_sd=lambda lv: lv / 2):
    """log w_k = log p(x, h_k) - log q(h_k|x) at h_k = mean + sigma eps_k; `path`, `density`: what the gradient sees."""
    h = gaussian_posterior.sample(path(mean), log_sd(path(log_variance)), eps)
    log_p = gaussian_log_prob(h, 0.0, 1.0) + bernoulli_log_prob(x, np.dot(h, W.T) + b)
    return log_p - gaussian_log_prob(h, density(mean), np.exp(2 * log_sd(density(log_variance))))


def elbo(*draws):
    return np.mean(log_weights(*draws))


def iwae(*draws):
    return log_mean_exp(log_weights(*draws))


def of_weights(reduce, **changed):
    return lambda *draws: reduce(log_weights(*draws, **changed))


def permuted(call, case):
    return apart(call(**{**case, "eps": case["eps"][::-1]}), call(**case))


def one_draw(call, case):
    case = {**case, "eps": case["eps"][:1]}
    return apart(call(**case), [elbo(*case.values())])


def with_closed_kl(x, mean, log_variance, eps, W, b):
    h = gaussian_posterior.sample(mean, log_variance / 2, eps)
    return np.mean(bernoulli_log_prob(x, np.dot(h, W.T) + b)) - kl(mean, log_variance)


def left_out(part):
    """The bound without log p(h) or log q(h|x), a term that must not be forgotten."""
    def bound(x, mean, log_variance, eps, W, b):
        h = gaussian_posterior.sample(mean, log_variance / 2, eps)
        log_q = gaussian_log_prob(h, mean, np.exp(log_variance))
        return np.mean(log_weights(x, mean, log_variance, eps, W, b)
                       + (log_q if part == "q" else -gaussian_log_prob(h, 0.0, 1.0)))
    return bound


def with_noise_density(x, mean, log_variance, eps, W, b):
    return elbo(x, mean, log_variance, eps, W, b) - 0.5 * np.sum(log_variance)


GRADIENTS = ("mean", "log_variance", "W")
def in_draws(reduce):
    """The mistakes that both bounds of draws know."""
    return {"sigma = exp(log_variance)": Other(of_weights(reduce, log_sd=lambda lv: lv), PLACE),
            "path not differentiated": Other(of_weights(reduce, path=getval),
                                             "the gradient goes through h = mean + sigma eps: do not detach the draw")}


CONTRACTS = [
    Contract("vae_loss", "minus the variational bound, averaged over the batch: Bernoulli pixels, Gaussian q, "
             "KL in closed form", "ou2018 Eq. 8; kingma2019 Sec. 2.5", (PIXELS, LOGITS, MEAN, LOG_VARIANCE),
             "(): a number to be minimised, in nats for each datum", vae_loss,
             values(loss_cases, gradients=("logits", "mean", "log_variance")),
             {"the bound itself, to be maximised": Other(lambda *a: -vae_loss(*a), "a loss is minus the bound"),
              "KL subtracted": Other(loss_with(weight=-1.0), "the loss is the cross-entropy plus KL"),
              "no KL": Other(loss_with(weight=0.0), "add KL[q || N(0, I)]"),
              "the cross-entropy averaged over the pixels": Other(
                  lambda x, a, m, lv: np.mean(kl(m, lv)) - np.mean(bernoulli_log_prob(x, a)) / x.shape[-1],
                  "sum over the pixels: their mean makes KL weigh D times as much"),
              "KL averaged over the latents": Other(
                  lambda x, a, m, lv: np.mean(kl(m, lv)) / m.shape[-1] - np.mean(bernoulli_log_prob(x, a)),
                  "sum over the latents"),
              "both averaged over their components": Other(
                  lambda x, a, m, lv: np.mean(kl(m, lv)) / m.shape[-1]
                  - np.mean(bernoulli_log_prob(x, a)) / x.shape[-1], "sum over the pixels and over the latents"),
              "KL summed over the batch, the cross-entropy averaged": Other(
                  loss_with(of_kl=np.sum), "reduce both in the same way"),
              "the cross-entropy summed over the batch, KL averaged": Other(
                  loss_with(of_x=np.sum), "reduce both in the same way"),
              "KL without its 1/2": Other(loss_with(weight=2.0), "KL is half of the sum"),
              "log sigma taken for log sigma^2": Other(lambda x, a, m, lv: vae_loss(x, a, m, 2 * lv), PLACE),
              "the sigmoid taken twice": Other(lambda x, a, m, lv: vae_loss(x, sigmoid(a), m, lv),
                                               "give the logits to a cross-entropy that takes logits")},
             {"summed over the batch": Other(loss_with(np.sum, np.sum),
                                             "you return B times the loss: the step size must know"),
              "KL of the whole batch per pixel: the mean over everything": Other(
                  lambda x, a, m, lv: vae_loss(x, a, m, lv) / x.shape[-1],
                  "you return the loss for each pixel: the step size must know")}),
    Contract("reparameterised_elbo", "the variational bound at K draws h_k = mean + sigma eps_k, (1/K) sum_k log w_k",
             "ou2018 Sec. 3.2.1; kingma2019 Sec. 2.4", DRAWS, "(): the bound, in nats; its gradient trains", elbo,
             values(draw_cases, gradients=GRADIENTS),
             {**in_draws(np.mean),
              "summed over the draws": Other(of_weights(np.sum), "divide by K"),
              "the importance weighted bound": Other(iwae, "average log-weights, not weights"),
              "no log q: no entropy": Other(left_out("q"), "subtract log q(h|x)"),
              "no log p(h)": Other(left_out("prior"), "add log p(h)"),
              "the density of eps in place of q": Other(
                  with_noise_density, "log q(h|x) = log N(eps) - sum log sigma: the Jacobian is missing")},
             {"the loss: minus the bound": Other(lambda *draws: -elbo(*draws), "you return the loss"),
              "KL in closed form": Other(with_closed_kl, "another estimate of the same bound, with less noise"),
              "the score of q dropped: sticking the landing": Other(
                  of_weights(np.mean, density=getval), "its mean is zero: as unbiased, with another variance")}),
    Contract("reparameterised_iwae_bound", "the importance weighted bound at K draws h_k = mean + sigma eps_k, "
             "log (1/K) sum_k w_k", "ou2018 Sec. 3.2.1, IWAE", DRAWS, "(): the bound, in nats; its gradient trains",
             iwae, values(draw_cases, gradients=GRADIENTS),
             {**in_draws(log_mean_exp),
              "the ELBO": Other(elbo, "average the weights, not their logarithms"),
              "log K forgotten": Other(of_weights(log_sum_exp), "subtract log K"),
              "the score of q dropped": Other(
                  of_weights(log_mean_exp, density=getval),
                  "for K > 1 its mean is not zero: keep it, or use the doubly reparameterised gradient"),
              "weights not constant": Other(
                  lambda *draws: np.sum(softmax(log_weights(*draws)) * log_weights(*draws)),
                  "hold the weights constant, or differentiate log-mean-exp itself"),
              "weights of the loss: softmax(-log w)": Other(
                  lambda *draws: np.sum(softmax(-log_weights(*draws)) * log_weights(*draws)),
                  "the weights are softmax(log w)"),
              "overflows": Other(of_weights(lambda log_w: np.log(np.mean(np.exp(log_w)))),
                                 "subtract the largest log-weight before exp, and add it again after log")},
             {"the loss: minus the bound": Other(lambda *draws: -iwae(*draws), "you return the loss")},
             {"any order of the draws": permuted, "with one draw it is the ELBO": one_draw}),
]
