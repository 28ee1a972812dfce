r"""Contracts of inference models beyond a factorised q (ou2018 Sec. 3.2.1; kingma2019 Sec. 2.4).

    auxiliary variables    L_aux = E_q(a,h|x) log p(x, h) r(a|x, h) / q(a, h|x)
    AVB                    a discriminator's V(x, h) in place of log q(h|x) - log p(h)
    semi-amortised         J steps of ascent from the network's proposal, differentiated from end to end
    path derivative        dL/d(mean, log sigma) from dlog p(x, h)/dh

Signs: a bound is maximised, a loss is minimised.
"""
import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.contract import Argument, Case, Contract, Other
from refdgm.directed import auxiliary, semi_amortised
from refdgm.numerics import log_sigmoid, log_softmax, sigmoid
from refdgm.values import values

OF_POSTERIOR = Argument("v_q", "(M,)", "V(x, h), a logit, at h ~ q(h|x), x from the data")
OF_PRIOR = Argument("v_p", "(N,)", "V(x, h) at h ~ p(h), x from the data")


# ---- auxiliary variables ----------------------------------------------------------------

def table_cases(seed):
    rng = onp.random.default_rng(seed)
    for X, H, A in ((1, 2, 3), (3, 4, 2), (2, 3, 4)):
        log_joint = log_softmax(rng.normal(size=X * H)).reshape(X, H)
        yield Case(f"X = {X}, H = {H}, A = {A}", {"log_joint": log_joint, "q": rng.normal(size=(X, H, A)),
                                                  "r": rng.normal(size=(X, H, A))})
    yield Case("q nearly certain", {"log_joint": log_softmax(rng.normal(size=6)).reshape(2, 3),
                                         "q": 20 * rng.normal(size=(2, 3, 2)), "r": rng.normal(size=(2, 3, 2))},
               hard=True)


def auxiliary_bound(log_joint, q, r):
    return auxiliary.auxiliary_bound({"joint": log_joint}, {"q": q, "r": r})


def auxiliary_parts(log_joint, q, r):
    psi = {"q": q, "r": r}
    log_q_ah = auxiliary.log_q_joint(psi)
    return np.exp(log_q_ah), log_q_ah, auxiliary.log_q(psi), auxiliary.log_r(psi)


def auxiliary_with(integrand):
    """E_q(a,h|x) of something else: integrand(log p(x, h), log q(a, h|x), log q(h|x), log r)."""
    def bound(log_joint, q, r):
        law, log_q_ah, log_q_h, log_r = auxiliary_parts(log_joint, q, r)
        return np.sum(law * integrand(log_joint[..., None], log_q_ah, log_q_h[..., None], log_r), axis=(1, 2))
    return bound


# ---- adversarial variational Bayes ------------------------------------------------------

def logit_cases(seed):
    rng = onp.random.default_rng(seed)
    for M, N in ((2, 3), (4, 2), (3, 3)):
        yield Case(f"{M} and {N} draws", {"v_q": 2 * rng.normal(size=M) + 1, "v_p": 2 * rng.normal(size=N)})
    yield Case("logits of +-1e4", {"v_q": onp.array([1e4, -1e4]), "v_p": onp.array([1e4, -1e4, 0.0])}, hard=True)


def discriminator_loss(v_q, v_p):
    return -np.mean(log_sigmoid(v_q)) - np.mean(log_sigmoid(-v_p))


def naive_discriminator_loss(v_q, v_p):
    return -np.mean(np.log(1 / (1 + np.exp(-v_q)))) - np.mean(np.log(1 - 1 / (1 + np.exp(-v_p))))


def objective_cases(seed):
    rng = onp.random.default_rng(seed)
    for M in (1, 3, 5):
        yield Case(f"{M} draws", {"v_q": 2 * rng.normal(size=M), "log_likelihood": rng.normal(size=M) - 3})


def avb_objective(v_q, log_likelihood):
    return np.mean(-v_q + log_likelihood)


# ---- semi-amortised inference -----------------------------------------------------------

def refinement_cases(seed):
    rng = onp.random.default_rng(seed)
    for H, J in ((2, 1), (2, 3), (3, 2)):
        A = rng.normal(size=(H, H + 1)) / 2
        yield Case(f"H = {H}, J = {J}", {"mu": rng.normal(size=H), "precision": A @ A.T + onp.eye(H),
                                         "mean": rng.normal(size=H), "log_sd": rng.normal(size=H) / 2 - 1,
                                         "alpha": 0.2, "J": J})
    yield Case("no step: J = 0", {"mu": rng.normal(size=2), "precision": onp.diag([2.0, 3.0]), "alpha": 0.2, "J": 0,
                                  "mean": rng.normal(size=2), "log_sd": rng.normal(size=2) - 1}, hard=True)


def refined(mu, precision, mean, log_sd, alpha, J, back=semi_amortised.backpropagate, ends=lambda path: path):
    """The gradient at the end of the ascent, taken back to where it began."""
    posterior = mu, precision
    path = ends(semi_amortised.refine(posterior, {"m": mean, "r": log_sd}, alpha, J))
    slope = back(posterior, path, semi_amortised.grad_bound(posterior, path[-1]), alpha)
    return slope["m"], slope["r"]


def semi_amortised_with(**changed):
    return lambda *arguments: refined(*arguments, **changed)


# ---- the path derivative ----------------------------------------------------------------

def path_cases(seed):
    rng = onp.random.default_rng(seed)
    for shape in ((2,), (3, 2), (2, 3, 4)):
        yield Case(f"shape {shape}", {name: rng.normal(size=shape) for name in ("slope", "log_sd", "eps")})
    yield Case("narrow", {"slope": 1e4 * rng.normal(size=2), "log_sd": onp.full(2, -12.0), "eps": rng.normal(size=2)},
               hard=True)


def path_gradient(slope, log_sd, eps):
    return slope, slope * np.exp(log_sd) * eps + 1.0


CONTRACTS = [
    Contract("auxiliary_bound", "the bound with an auxiliary variable a, E_q(a,h|x) log p(x, h) r(a|x, h) / q(a, h|x), "
             "summed over all h and a", "ou2018 Sec. 3.2.1",
             (Argument("log_joint", "(X, H)", "log p(x, h), a table with sum one"),
              Argument("q", "(X, H, A)", "logits of q(a, h|x), a softmax over h and a"),
              Argument("r", "(X, H, A)", "logits of r(a|x, h), a softmax over a")), "(X,): one bound for each x",
             auxiliary_bound, values(table_cases, gradients=("q", "r")),
             {"no r(a|x, h)": Other(auxiliary_with(lambda p, q, q_h, r: p - q + 0 * r), "add log r(a|x, h)"),
              "q(h|x) under the logarithm": Other(auxiliary_with(lambda p, q, q_h, r: p + r - q_h),
                                                  "divide by q(a, h|x): a has an entropy, too"),
              "the bound of the marginal q(h|x)": Other(auxiliary_with(lambda p, q, q_h, r: p - q_h + 0 * r),
                                                        "q(h|x) need not be known: use r(a|x, h) / q(a, h|x)"),
              "r normalised over h": Other(
                  lambda p, q, r: auxiliary_bound(p, q, r) + np.sum(
                      auxiliary_parts(p, q, r)[0] * (log_softmax(r, axis=1) - log_softmax(r)), axis=(1, 2)),
                  "r is a law of a for each x and h"),
              "r divided by": Other(auxiliary_with(lambda p, q, q_h, r: p - r - q), "multiply by r(a|x, h)"),
              "summed over x": Other(lambda *tables: np.sum(auxiliary_bound(*tables)), "one bound for each x")},
             {"the loss: minus the bound": Other(lambda *tables: -auxiliary_bound(*tables), "you return the loss")}),
    Contract("avb_discriminator_loss", "AVB's discriminator: - mean log sigmoid(V) at h ~ q(h|x) - mean "
             "log(1 - sigmoid(V)) at h ~ p(h)", "ou2018 Eq. 12", (OF_POSTERIOR, OF_PRIOR), "(): to be minimised",
             discriminator_loss, values(logit_cases, gradients=("v_q", "v_p")),
             {"labels exchanged": Other(lambda q, p: discriminator_loss(-q, -p),
                                        "draws from q are the ones, those from the prior the zeros"),
              "to be maximised": Other(lambda q, p: -discriminator_loss(q, p), "a loss is minus the objective"),
              "log sigmoid(V) for log(1 - sigmoid(V)) at the prior": Other(
                  lambda q, p: -np.mean(log_sigmoid(q)) - np.mean(log_sigmoid(p)), "log sigmoid(-V) at h ~ p(h)"),
              "the sigmoid taken twice": Other(lambda q, p: discriminator_loss(sigmoid(q), sigmoid(p)),
                                               "give the logits to a cross-entropy that takes logits"),
              "summed over the draws": Other(lambda q, p: -np.sum(log_sigmoid(q)) - np.sum(log_sigmoid(-p)),
                                             "average over the draws of each kind"),
              "log(1 - sigmoid(V)) of a sigmoid that is 1": Other(naive_discriminator_loss, "use log-sigmoid(-V)")},
             {"half of it: a mean over both kinds": Other(lambda q, p: 0.5 * discriminator_loss(q, p),
                                                          "you average the two kinds: the same minimum")}),
    Contract("avb_objective", "AVB's bound, E_q[-V(x, h) + log p(x|h)], the mean over draws", "ou2018 Eq. 13",
             (OF_POSTERIOR, Argument("log_likelihood", "(M,)", "log p(x|h) at the same draws")),
             "(): the bound, to be maximised", avb_objective,
             values(objective_cases, gradients=("v_q", "log_likelihood")),
             {"+ V": Other(lambda v, ll: avb_objective(-v, ll), "V stands for log q - log p(h): subtract it"),
              "the probability, not its logit": Other(lambda v, ll: avb_objective(sigmoid(v), ll), "V is the logit"),
              "log sigmoid(V) for V": Other(lambda v, ll: avb_objective(log_sigmoid(v), ll),
                                            "V is the log-ratio itself, without a sigmoid"),
              "no log p(x|h)": Other(lambda v, ll: avb_objective(v, 0 * ll), "add the reconstruction"),
              "no V": Other(lambda v, ll: avb_objective(0 * v, ll), "subtract V"),
              "summed over the draws": Other(lambda v, ll: np.sum(ll - v), "average")},
             {"the loss: minus the bound": Other(lambda v, ll: -avb_objective(v, ll), "you return the loss")}),
    Contract("semi_amortised_gradient", "the gradient of the bound after J steps of ascent in (mean, log sigma) of q, "
             "in where they began; posterior N(mu, precision^-1), dL/dmean = precision (mu - mean), "
             "dL/dlog_sd_i = 1 - precision_ii exp(2 log_sd_i)", "ou2018 Sec. 3.2.1, semi-amortised",
             (Argument("mu", "(H,)", "the posterior's mean"),
              Argument("precision", "(H, H)", "the posterior's precision, symmetric"),
              Argument("mean", "(H,)", "the network's proposal"), Argument("log_sd", "(H,)", "the network's proposal"),
              Argument("alpha", "", "the step size", "number"), Argument("J", "", "the number of steps", "integer")),
             "(H,), (H,): in mean, in log_sd", refined, values(refinement_cases),
             {"the gradient where the ascent begins": Other(semi_amortised_with(ends=lambda path: path[:1]),
                                                            "take the gradient at the end, and carry it back"),
              "the steps held constant": Other(semi_amortised_with(back=lambda posterior, path, slope, alpha: slope),
                                               "each step back multiplies by I + alpha H: do not detach"),
              "all curvatures those of the end": Other(
                  semi_amortised_with(ends=lambda path: [path[-1]] * len(path)),
                  "the Hessian of each step is where that step began"),
              "descent: I - alpha H": Other(
                  semi_amortised_with(back=lambda posterior, path, slope, alpha: semi_amortised.backpropagate(
                      posterior, path, slope, -alpha)), "the steps ascend: I + alpha H, H negative"),
              "one step short": Other(lambda *a: refined(*a[:-1], max(a[-1] - 1, 0)), "J steps"),
              "one step too many": Other(lambda *a: refined(*a[:-1], a[-1] + 1), "J steps")},
             {"the gradient of the loss": Other(lambda *a: tuple(-part for part in refined(*a)), "to be descended")}),
    Contract("reparameterised_gradient", "dL/dmean and dL/dlog sigma of the bound at one draw h = mean + sigma eps, "
             "from dlog p(x, h)/dh: the entropy of q adds one to the second", "ou2018 Sec. 3.2.1, reparameterisation",
             (Argument("slope", "(..., n)", "dlog p(x, h)/dh at the draw"), Argument("log_sd", "(..., n)", "log sigma"),
              Argument("eps", "(..., n)", "the noise that made the draw")), "(..., n), (..., n): in mean, in log sigma",
             path_gradient, values(path_cases),
             {"no + 1: the entropy of q forgotten": Other(
                 lambda g, r, e: (g, g * np.exp(r) * e), "dH[q]/dlog sigma = 1"),
              "the derivative in sigma": Other(lambda g, r, e: (g, g * e + 1.0), "dh/dlog sigma = sigma eps"),
              "the derivative in sigma, entropy as well": Other(lambda g, r, e: (g, g * e + np.exp(-r)),
                                                                "multiply by sigma: dh/dlog sigma = sigma eps"),
              "the derivative in log sigma^2": Other(lambda g, r, e: (g, (g * np.exp(r) * e + 1.0) / 2),
                                                     "twice: in log sigma"),
              "dlog p/dh without dh/dlog sigma": Other(lambda g, r, e: (g, g + 1.0), "multiply by sigma eps"),
              "sigma^2 for sigma": Other(lambda g, r, e: (g, g * np.exp(2 * r) * e + 1.0), "dh/dlog sigma = sigma eps"),
              "- 1": Other(lambda g, r, e: (g, g * np.exp(r) * e - 1.0), "the entropy grows with log sigma")},
             {"the gradient of the loss": Other(lambda *a: tuple(-part for part in path_gradient(*a)),
                                                "to be descended")}),
]
