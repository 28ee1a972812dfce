"""Contracts of estimators that draw inside, for a sigmoid belief net or an RBM: what is held is their mean.

    p(h) = Bern(sigmoid(a)),  p(x|h) = Bern(sigmoid(W h + b)),  q(h|x) = Bern(sigmoid(V x + c))

An estimator is asked for n independent estimates. Their variance is compared with that of the reference's, exactly.
"""

from refdgm.backend import xp as np
from refdgm.contract import INTEGER, Argument, Case, Contract, Other
from refdgm.directed import vimco
from refdgm.draws import mean
from refdgm.models import rbm, sbn
from refdgm.numerics import all_binary, log_mean_exp, sigmoid, softmax
from refdgm.samplers import block_gibbs

COUNT = Argument("n", "", "how many estimates", "count")
SEED = Argument("seed", "", "a whole number; the same seed gives the same draws", "seed")
X = Argument("x", "(D,)", "one example, 0 or 1", "bits")
MODEL = (Argument("a", "(H,)", "prior logits"), Argument("W", "(D, H)", "weights: x has the logits W h + b"),
         Argument("b", "(D,)", "biases"))
ENCODER = (Argument("V", "(H, D)", "h has the logits V x + c under q"), Argument("c", "(H,)", "biases of q"))
K = Argument("K", "", "draws of h for one estimate", INTEGER)
NET = (COUNT, X, *MODEL, *ENCODER)
IN_V = "(n, H, D): estimates of the gradient in V"
WBAR = "the weights are normalised: w_k / sum_j w_j"


def cases(*Ks):
    def of(seed):
        rng = np.random.default_rng(seed)
        for turn, (D, H) in enumerate(((2, 1), (3, 2))):
            x = np.resize([1.0, 0.0, 1.0], D)
            yield Case(f"{D} observed and {H} latent units" + (f", K = {Ks[turn]}" if Ks else ""),
                       {"x": x, "a": rng.normal(size=H), "W": rng.normal(size=(D, H)), "b": rng.normal(size=D),
                        "V": rng.normal(size=(H, D)), "c": rng.normal(size=H), **({"K": Ks[turn]} if Ks else {})})
    return of


def moment(of, power=1):
    """The exact mean, or second moment, of an estimate of(theta, phi, x, h), h (..., K, H), over all draws from q."""
    def function(x, a, W, b, V, c, K=1):
        theta, phi = {"a": a, "W": W, "b": b}, {"V": V, "c": c}
        return sbn.mean_over_draws(lambda *given: np.asarray(of(*given))**power, K)(theta, phi, x)
    return function


def variance(of):
    return lambda *given: moment(of, 2)(*given) - moment(of)(*given)**2


def weighted(coefficients, score=sbn.score_phi, name="V", reduce=np.sum):
    """The sum over k of coefficients(log w)_k times the score, for mistakes."""
    def of(theta, phi, x, h):
        s = score(phi if score is sbn.score_phi else theta, x, h)[name]
        f = np.asarray(coefficients(sbn.log_weights(theta, phi, x, h)))
        return reduce(f.reshape(f.shape + (1,) * (s.ndim - f.ndim)) * s, axis=f.ndim - 1)
    return of


def likelihood_signal(theta, phi, x, h):
    """log p(x|h) times the score: the prior and q left out."""
    return np.sum(sbn.log_likelihood(theta, x, h)[..., None, None] * sbn.score_phi(phi, x, h)["V"], axis=-3)


def from_prior(x, a, W, b, V, c):
    """The mean of the score at h ~ p(h), x as given."""
    h = all_binary(len(a))
    return np.tensordot(np.exp(sbn.log_prior({"a": a}, h)), sbn.score_phi({"V": V, "c": c}, x, h)["V"], 1)


def dreamt(a, W, b, V, c, score=lambda theta, phi, x, h: sbn.score_phi(phi, x, h)["V"], law=sbn.log_joint, power=1):
    """The mean of the score over (x, h) ~ p."""
    theta, h, x = {"a": a, "W": W, "b": b}, all_binary(len(a)), all_binary(len(b))[:, None]
    p = np.exp(law(theta, x, h))
    return np.tensordot(p / np.sum(p), score(theta, {"V": V, "c": c}, x, h)**power, 2)


def dreams(seed):
    for case in cases()(seed):
        yield Case(case.label, {name: value for name, value in case.arguments.items() if name != "x"})


# ---- contrastive divergence -----------------------------------------------------------------

def machines(seed):
    rng = np.random.default_rng(seed)
    for D, H in ((2, 1), (3, 2)):
        yield Case(f"{D} visible and {H} hidden units",
                   {"x": np.resize([1.0, 0.0, 1.0], D), "W": 2.5 * rng.normal(size=(D, H)), "b": rng.normal(size=D),
                    "c": rng.normal(size=H)})


def cd(steps=1, end=None):
    """The exact mean of v p(h|v)' at the data x, less that after `steps` Gibbs steps; end(theta) is another law."""
    def gradient(x, W, b, c):
        theta, start = {"w": W, "b": b, "c": c}, np.all(all_binary(len(x)) == x, axis=1) * 1.0
        law = end(theta, start) if end else block_gibbs.marginal(theta, start, steps)
        return rbm.mean_statistics(theta, start)["w"] - rbm.mean_statistics(theta, law)["w"]
    return gradient


def mean_field(x, W, b, c):
    """The statistics of a reconstruction by means alone."""
    h = sigmoid(x @ W + c)
    v = sigmoid(h @ W.T + b)
    return np.outer(x, h) - np.outer(v, sigmoid(v @ W + c))


def cd_variance(x, W, b, c):
    theta, v = {"w": W, "b": b, "c": c}, all_binary(len(x))
    law = block_gibbs.marginal(theta, np.all(v == x, axis=1) * 1.0, 1)
    s = rbm.grad_log_z(theta, v)["w"]
    return np.tensordot(law, s**2, 1) - np.tensordot(law, s, 1)**2


def estimate_of_p(theta, phi, x, h):
    return np.exp(log_mean_exp(sbn.log_weights(theta, phi, x, h)))


def bound(theta, phi, x, h):
    return log_mean_exp(sbn.log_weights(theta, phi, x, h))


def of_weights(function):
    return lambda theta, phi, x, h: function(sbn.log_weights(theta, phi, x, h))


def scaled(factor, function):
    return lambda *given: factor(*given) * function(*given)


def minus(function):
    return scaled(lambda *given: -1.0, function)


def model_score(coefficients):
    return weighted(coefficients, sbn.score_theta, "W")


def independent(theta, x, h):
    """The law of x and h drawn from their marginals."""
    p = np.exp(sbn.log_joint(theta, x, h))
    return np.log(p.sum(axis=1, keepdims=True)) + np.log(p.sum(axis=0, keepdims=True))


def score_at_means(theta, phi, x, h):
    return sbn.score_phi(phi, sigmoid(h @ theta["W"].T + theta["b"]) + 0 * x, h)["V"]


def forgotten(theta, phi, x, h):
    return vimco_signal(theta, phi, x, h) + wake(theta, phi, x, h)


elbo_signal, inclusive = weighted(lambda log_w: log_w), weighted(np.exp)
vimco_signal, wake, wake_theta = weighted(vimco.coefficients), weighted(softmax), model_score(softmax)


def with_loss(reference):
    return {"a loss's sign": Other(minus(reference), "the estimate is of minus the objective")}


CONTRACTS = [
    Contract("elbo_gradient_estimator", "independent estimates of the ELBO's gradient in V: REINFORCE, NVIL, MuProp or "
             "any other without bias", "ou2018 Eq. 10", (*NET, SEED), IN_V, moment(elbo_signal),
             mean(cases(), variance(elbo_signal)),
             {"the signal log p(x|h)": Other(moment(likelihood_signal), "the signal is log p(x, h) - log q(h|x)"),
              "the score at draws from the prior": Other(from_prior, "draw h from q(h|x)"),
              "the signal w, not log w": Other(moment(inclusive), "multiply the score by log w"),
              "the signal inverted: log q - log p": Other(moment(weighted(lambda log_w: -2 * log_w)), "subtract log q"),
              "half of it": Other(lambda *given: moment(elbo_signal)(*given) / 2, "the signal counts once, whole")},
             with_loss(moment(elbo_signal))),
    Contract("vimco_estimator", "independent estimates of the gradient of the IWAE bound in V: VIMCO or any other "
             "without bias", "ou2018 Sec. 3.2.1, VIMCO", (*NET, K, SEED), IN_V, moment(vimco_signal),
             mean(cases(3, 2), variance(vimco_signal)),
             {"the weights' part forgotten": Other(moment(forgotten),
                                                   "subtract the normalised weights"),
              "the weights' part with a plus": Other(moment(weighted(lambda w: vimco.coefficients(w) + 2 * softmax(w))),
                                                     "subtract the normalised weights"),
              "the ELBO's gradient": Other(moment(weighted(lambda w: w / w.shape[-1])), "the signal: log p_hat - b_k"),
              "averaged over the draws": Other(moment(weighted(lambda w: vimco.coefficients(w) / w.shape[-1])),
                                               "sum over k: each draw has its own score"),
              "own draw in the baseline": Other(moment(weighted(lambda w: -softmax(w))), "leave draw k out of b_k")},
             with_loss(moment(vimco_signal))),
    Contract("iwae_gradient_estimator", "independent estimates of the gradient of the IWAE bound in W", "ou2018 Eq. 20",
             (*NET, K, SEED), "(n, D, H): estimates of the gradient in W", moment(wake_theta),
             mean(cases(3, 2), variance(wake_theta)),
             {"the ELBO's gradient": Other(moment(model_score(lambda w: 0 * w + 1 / w.shape[-1])), WBAR),
              "weights inverted": Other(moment(model_score(lambda w: softmax(-w))), "softmax(log w)"),
              "weights not normalised": Other(moment(model_score(lambda w: np.exp(w) / w.shape[-1])), WBAR),
              "averaged over the draws": Other(moment(model_score(lambda w: softmax(w) / w.shape[-1])),
                                               "the weights sum to one: sum over k")}, with_loss(moment(wake_theta))),
    Contract("wake_phase_estimator", "independent estimates of RWS's wake update in V: sum_k wbar_k dlog q(h_k|x)/dV",
             "ou2018 Eq. 21", (*NET, K, SEED), "(n, H, D)", moment(wake), mean(cases(3, 2), variance(wake)),
             {"uniform weights": Other(moment(weighted(lambda w: 0 * w + 1 / w.shape[-1])), WBAR),
              "weights not normalised": Other(moment(weighted(lambda w: np.exp(w) / w.shape[-1])), WBAR),
              "weights inverted": Other(moment(weighted(lambda w: softmax(-w))), "softmax(log w)"),
              "the gradient of the IWAE bound": Other(moment(vimco_signal), "the weights only multiply the scores"),
              "averaged over the draws": Other(moment(weighted(lambda w: softmax(w) / w.shape[-1])),
                                               "the weights sum to one: sum over k")}, with_loss(moment(wake))),
    Contract("sleep_phase_estimator", "independent estimates of the sleep update in V: dlog q(h|x)/dV at (x, h) ~ p",
             "ou2018 Sec. 3.2.2; lecture12", (COUNT, *MODEL, *ENCODER, SEED), "(n, H, D)", dreamt,
             mean(dreams, lambda *given: dreamt(*given, power=2) - dreamt(*given)**2),
             {"x and h of different dreams": Other(lambda *given: dreamt(*given, law=independent), "draw x given h"),
              "the mean of x in place of a draw": Other(lambda *given: dreamt(*given, score=score_at_means),
                                                        "draw x from p(x|h)"),
              "h from q(h|x)": Other(lambda *given: 0 * dreamt(*given), "x was drawn from another h"),
              "half of it": Other(lambda *given: dreamt(*given) / 2, "the score counts whole")}, with_loss(dreamt)),
    Contract("marginal_likelihood_estimator", "independent estimates of p(x), the mean weight of K draws from q",
             "ou2018 Eq. 14", (*NET, K, SEED), "(n,)", moment(estimate_of_p),
             mean(cases(3, 2), variance(estimate_of_p)),
             {"its logarithm": Other(moment(bound), "exponentiate; the mean of log p_hat is the IWAE bound"),
              "not divided by K": Other(scaled(lambda *given: given[-1], moment(estimate_of_p)), "average the weights"),
              "the harmonic mean": Other(moment(of_weights(lambda w: np.exp(-log_mean_exp(-w)))), "average weights"),
              "the geometric mean": Other(moment(of_weights(lambda w: np.exp(np.mean(w, axis=-1)))),
                                          "average the weights, not their logarithms")}),
    Contract("iwae_bound_estimator", "independent estimates of the IWAE bound, log of K draws' mean weight",
             "ou2018 Eq. 15", (*NET, K, SEED), "(n,)", moment(bound), mean(cases(3, 2), variance(bound)),
             {"the ELBO": Other(moment(of_weights(lambda w: np.mean(w, axis=-1))), "average weights, not log-weights"),
              "log K forgotten": Other(lambda *given: moment(bound)(*given) + np.log(given[-1]), "subtract log K"),
              "log p(x)": Other(lambda *given: np.log(moment(estimate_of_p)(*given)), "the bound is below log p(x)"),
              "the largest weight": Other(moment(of_weights(lambda w: np.max(w, axis=-1))), "average the weights")},
             with_loss(moment(bound))),
    Contract("cd_estimator", "independent estimates of CD-1's update of W: v h' at the data less it a Gibbs step on",
             "bachman2015 Eq. 44",
             (COUNT, X, Argument("W", "(D, H)", "couplings"), Argument("b", "(D,)", "visible biases"),
              Argument("c", "(H,)", "hidden biases"), SEED),
             "(n, D, H): h drawn or its probabilities", cd(), mean(machines, cd_variance),
             {"two steps": Other(cd(2), "CD-1 has one step"),
              "the model's mean: the likelihood's gradient": Other(
                  cd(end=lambda theta, start: np.exp(rbm.log_marginal_table(theta))), "CD-1 stops after one step"),
              "the statistics of means": Other(mean_field, "draw h and v'"),
              "the negative phase at independent units": Other(
                  cd(end=lambda theta, start: np.full(len(start), 1 / len(start))), "begin the chain at the data"),
              "no positive phase": Other(lambda x, W, b, c: cd()(x, W, b, c) - rbm.grad_log_z(
                  {"w": W, "b": b, "c": c}, x)["w"], "add v h' at the data")}, with_loss(cd())),
]
