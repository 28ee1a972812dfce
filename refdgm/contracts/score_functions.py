r"""Contracts of gradients in phi for discrete latents that weigh scores by a learning signal (ou2018 Sec. 3.2.1).

    l_k = log p(x, h_k) - log q(h_k|x)        dL/dphi ~ (1/K) sum_k (l_k - baseline) dlog q(h_k|x)/dphi

The expectations of these estimators are held elsewhere; here the draws are given, and each has one value.
"""

from refdgm.backend import xp as np
from refdgm.contract import Argument, Case, Contract, Other
from refdgm.directed import muprop, nvil
from refdgm.models import sbn
from refdgm.numerics import softmax, weighted_sum
from refdgm.values import apart, values

LOG_P = Argument("log_p", "(K,)", "log p(x, h_k) of each draw")
LOG_Q = Argument("log_q", "(K,)", "log q(h_k|x) of each draw")
BASELINE = Argument("baseline", "(K,)", "for each draw a number that does not depend on it")
SCORE = Argument("score", "(K, P)", "dlog q(h_k|x)/dphi, a row for each draw")
SIGNAL = Argument("log_w", "(M,)", "the learning signals log p(x, h) - log q(h|x) of a minibatch")
NET = (Argument("x", "(N, D)", "observed units, zeros and ones", "bits"),
       Argument("h", "(N, H)", "a draw of the latent units for each row", "bits"),
       Argument("a", "(H,)", "biases of the latent units"), Argument("W", "(D, H)", "the model's weights"),
       Argument("b", "(D,)", "biases of the observed units"), Argument("V", "(H, D)", "the recognition net's weights"),
       Argument("c", "(H,)", "its biases"))
OF_LOSS = "you return the gradient of the loss, to be descended"


# ---- REINFORCE ------------------------------------------------------------------------

def draw_cases(seed):
    rng = np.random.default_rng(seed)
    for K, P in ((1, 2), (2, 3), (5, 3)):
        yield Case(f"K = {K}, P = {P}", {"log_p": rng.normal(size=K) - 4, "log_q": rng.normal(size=K) - 1,
                                         "baseline": rng.normal(size=K) - 2, "score": rng.normal(size=(K, P))})
    yield Case("signals of 1e4", {"log_p": 1e4 * rng.normal(size=3), "log_q": rng.normal(size=3),
                                  "baseline": 1e4 * rng.normal(size=3), "score": rng.normal(size=(3, 2))}, hard=True)
    yield Case("a baseline that hits the signal", {
        "log_p": np.array([-3.0, -2.0]), "log_q": np.array([-1.0, -1.0]), "baseline": np.array([-2.0, -1.0]),
        "score": rng.normal(size=(2, 2))}, hard=True)


def reinforce(log_p, log_q, baseline, score):
    return weighted_sum((log_p - log_q - baseline) / len(log_p), score)


def subsample_cases(seed):
    rng = np.random.default_rng(seed)
    for M, N in ((2, 6), (3, 3), (4, 100)):
        yield Case(f"M = {M} of N = {N}", {"log_p": rng.normal(size=M) - 4, "log_q": rng.normal(size=M) - 1, "N": N})


def subsampled(log_p, log_q, N):
    return N / len(log_p) * (log_p - log_q)


# ---- NVIL -----------------------------------------------------------------------------

def signal_cases(seed):
    rng = np.random.default_rng(seed)
    for M, spread in ((2, 2.5), (3, 0.4), (5, 1.7)):
        yield Case(f"M = {M}, spread {spread}", {"log_w": 2 * rng.normal(size=M) - 5, "baseline": rng.normal(size=M),
                                                 "mean": -4.3, "spread": spread})
    yield Case("M = 1", {"log_w": rng.normal(size=1) - 5, "baseline": rng.normal(size=1), "mean": -4.3, "spread": 0.6})
    yield Case("signals near -1e4", {"log_w": rng.normal(size=3) - 1e4, "baseline": rng.normal(size=3),
                                     "mean": -1e4, "spread": 300.0}, hard=True)


def nvil_signal(log_w, baseline, mean, spread):
    return nvil.normalise({"signal": log_w - mean - baseline}, spread)["signal"]


def spread_cases(seed):
    rng = np.random.default_rng(seed)
    for M, decay in ((2, 0.8), (3, 0.9), (6, 0.7)):
        yield Case(f"M = {M}, decay {decay}", {"log_w": 2 * rng.normal(size=M) - 3, "past": rng.uniform(0.5, 2.0),
                                               "decay": decay})
    yield Case("one draw", {"log_w": rng.normal(size=1), "past": 1.5, "decay": 0.8}, hard=True)


def running_spread(log_w, past, decay):
    return nvil.running_spread(past, log_w, decay)


# ---- MuProp ---------------------------------------------------------------------------

def net_cases(seed):
    rng = np.random.default_rng(seed)
    for N, D, H in ((1, 3, 2), (3, 4, 2), (4, 2, 3)):
        shapes = {"a": (H,), "W": (D, H), "b": (D,), "V": (H, D), "c": (H,)}
        yield Case(f"N = {N}, D = {D}, H = {H}", {
            "x": rng.integers(0, 2, (N, D)), "h": rng.integers(0, 2, (N, H)),
            **{name: rng.normal(size=shape) / 2 for name, shape in shapes.items()}})


def for_net(estimate):
    """An estimate of refdgm.directed.muprop for flat arguments."""
    def updates(x, h, a, W, b, V, c):
        found = estimate({"a": a, "W": W, "b": b}, {"V": V, "c": c}, x, h)
        return found["V"], found["c"]
    return updates


muprop_gradient = for_net(muprop.estimate_grad_phi)


def altered(signal=muprop.remainder, gain=muprop.slope_at_the_mean):
    """Another signal before the score, or another gain through the mean field."""
    return for_net(muprop.with_signal(signal, gain))


def without_log_q(theta, phi, x, h):
    return muprop.slope_at_the_mean(theta, phi, x, h) + np.dot(x, phi["V"].T) + phi["c"]


def without_sigmoid_slope(theta, phi, x, h):
    mu = muprop.mean_field(phi, x)
    return muprop.slope_at_the_mean(theta, phi, x, h) / (mu * (1 - mu))


def constant_baseline(theta, phi, x, h):
    return sbn.log_weights(theta, phi, x, h) - sbn.log_weights(theta, phi, x, muprop.mean_field(phi, x))


CONTRACTS = [
    Contract("reinforce_gradient", "REINFORCE with a baseline: (1/K) sum_k (log p(x, h_k) - log q(h_k|x) - baseline_k) "
             "dlog q(h_k|x)/dphi, to be ascended", "ou2018 Eq. 10, line 2; footnote 6",
             (LOG_P, LOG_Q, BASELINE, SCORE), "(P,)", reinforce, values(draw_cases),
             {"the baseline added": Other(lambda p, q, b, s: reinforce(p, q, -b, s), "subtract the baseline"),
              "no baseline": Other(lambda p, q, b, s: reinforce(p, q, 0 * b, s), "subtract the baseline"),
              "summed over the draws": Other(lambda p, q, b, s: len(p) * reinforce(p, q, b, s), "divide by K"),
              "log p alone, no - log q": Other(lambda p, q, b, s: reinforce(p, 0 * q, b, s),
                                               "the signal is log p(x, h) - log q(h|x): the entropy of q is missing"),
              "log q added": Other(lambda p, q, b, s: reinforce(p, -q, b, s), "subtract log q"),
              "the baseline subtracted from the gradient": Other(
                  lambda p, q, b, s: reinforce(p, q, 0 * b, s) - np.mean(b), "subtract it from the signal"),
              "the importance weights as signal": Other(
                  lambda p, q, b, s: weighted_sum(softmax(p - q), s), "these are reweighted wake-sleep's weights"),
              "the scores averaged first": Other(
                  lambda p, q, b, s: np.mean(p - q - b) * np.mean(s, axis=0), "each score has its own draw's signal")},
             {"the gradient of the loss": Other(lambda *draws: -reinforce(*draws), OF_LOSS),
              "the score of -log q kept: - 1 in the signal": Other(
                  lambda p, q, b, s: reinforce(p, q, b + 1, s),
                  "this term has mean zero: as unbiased, with another variance")},
             {"zero where the baseline is the signal": lambda call, case: apart(
                 call(**{**case, "baseline": case["log_p"] - case["log_q"]}), [0 * case["score"][0]])}),
    Contract("subsampled_signal", "what multiplies dlog q(h_i|x_i)/dphi in the gradient of the bound of N data, "
             "estimated by M of them: (N / M) (log p(x_i, h_i) - log q(h_i|x_i))",
             "kingma2019 Sec. 1.6.2; ou2018 Eq. 10",
             (Argument("log_p", "(M,)", "log p(x_i, h_i) of each datum"),
              Argument("log_q", "(M,)", "log q(h_i|x_i) of each datum"),
              Argument("N", "", "the number of all data", "integer")), "(M,)", subsampled, values(subsample_cases),
             {"the scale counted twice": Other(lambda p, q, N: (N / len(p))**2 * (p - q),
                                               "N / M once: scale either log q or the signal, not both"),
              "the scale on log p alone": Other(lambda p, q, N: N / len(p) * p - q, "scale both by N / M"),
              "the scale on log q alone": Other(lambda p, q, N: p - N / len(p) * q, "scale both by N / M"),
              "not scaled": Other(lambda p, q, N: p - q + 0 * N, "multiply by N / M, or call it a mean over the data"),
              "the scale upside down": Other(lambda p, q, N: len(p) / N * (p - q), "N / M, not M / N"),
              "N, no 1/M": Other(lambda p, q, N: N * (p - q), "divide by M")},
             {"the bound of one datum: 1/M": Other(lambda p, q, N: (p - q) / len(p) + 0 * N,
                                                   "you estimate the average over the data, not their sum"),
              "the gradient of the loss": Other(lambda p, q, N: -subsampled(p, q, N), OF_LOSS)}),
    Contract("nvil_signal", "NVIL's learning signal, centred and normalised: (log w - c - C(x)) / sigma",
             "ou2018 Sec. 3.2.1, NVIL",
             (SIGNAL, Argument("baseline", "(M,)", "C(x) of each example"),
              Argument("mean", "", "c, the running mean of earlier signals", "number"),
              Argument("spread", "", "sigma, the running standard deviation of earlier signals", "number")), "(M,)",
             nvil_signal, values(signal_cases),
             {"divided by the variance": Other(lambda w, b, m, s: nvil_signal(w, b, m, s**2), "divide by sigma"),
              "multiplied by sigma": Other(lambda w, b, m, s: nvil_signal(w, b, m, 1 / s), "divide by sigma"),
              "not normalised": Other(lambda w, b, m, s: w - m - b, "divide by sigma"),
              "the baseline added": Other(lambda w, b, m, s: nvil_signal(w, -b, m, s), "subtract C(x)"),
              "no running mean": Other(lambda w, b, m, s: nvil_signal(w, b, 0.0, s), "subtract c"),
              "centred after it is divided": Other(lambda w, b, m, s: w / s - m - b, "centre first"),
              "the mean signal of the same draws for c": Other(
                  lambda w, b, m, s: nvil_signal(w, b, np.mean(w), s),
                  "with the present draws in c the mean shrinks by 1 - 1/M: use earlier ones, or leave one out"),
              "the spread of the same draws for sigma": Other(
                  lambda w, b, m, s: nvil_signal(w, b, m, np.std(w)),
                  "with the present draws in sigma the mean is no multiple of the gradient: use earlier ones"),
              "every signal divided by its own size": Other(
                  lambda w, b, m, s: np.sign(w - m - b), "divide all by one sigma")},
             {"divided by max(1, sigma)": Other(lambda w, b, m, s: nvil_signal(w, b, m, max(1.0, s)),
                                                "Mnih & Gregor's choice: small signals are not enlarged"),
              "of the loss": Other(lambda w, b, m, s: -nvil_signal(w, b, m, s), OF_LOSS)}),
    Contract("nvil_running_spread", "the running standard deviation of NVIL's signals: the square root of "
             "decay past^2 + (1 - decay) Var(log w)", "ou2018 Sec. 3.2.1, NVIL",
             (SIGNAL, Argument("past", "", "what it was before", "number"),
              Argument("decay", "", "the share of the past, in (0, 1)", "number")), "()", running_spread,
             values(spread_cases),
             {"the decays exchanged": Other(lambda w, past, d: running_spread(w, past, 1 - d), "decay is the past's"),
              "the average of deviations, not of variances": Other(
                  lambda w, past, d: d * past + (1 - d) * np.std(w), "average the variances, then take the root"),
              "the variance, no root": Other(lambda w, past, d: running_spread(w, past, d)**2, "take the root"),
              "the past not squared": Other(lambda w, past, d: running_spread(w, past**0.5, d), "square the past"),
              "the past forgotten": Other(lambda w, past, d: np.std(w) + 0 * past, "keep a share `decay` of the past"),
              "the mean square, not centred": Other(
                  lambda w, past, d: np.sqrt(d * past**2 + (1 - d) * np.mean(w**2)), "subtract the mean signal")},
             {"the variance with 1/(M - 1)": Other(
                 lambda w, past, d: np.sqrt(d * past**2 + (1 - d) * (np.var(w, ddof=1) if len(w) > 1 else 0.0)),
                 "your library's variance divides by M - 1")}),
    Contract("muprop_gradient", "MuProp's estimate of dL/dphi of a sigmoid belief net for every row: the signal less "
             "its expansion about the mean field, and what that takes off put back",
             "ou2018 Sec. 3.2.1, Table 1; Gu et al. 2016", NET, "(N, H, D), (N, H): in V, c", muprop_gradient,
             values(net_cases),
             {"the expansion's mean not put back": Other(altered(gain=None), "add l'(mu) dmu/dphi"),
              "put back without being taken off": Other(altered(sbn.log_weights), "subtract the expansion"),
              "the mean-field gradient alone": Other(altered(lambda t, p, x, h: 0 * h[..., 0]),
                                                     "add the remainder times the score"),
              "the slope at the draw, not at the mean field": Other(altered(gain=muprop.slope), "expand at mu = E_q h"),
              "no - log q in the slope": Other(altered(gain=without_log_q), "the signal is log p - log q"),
              "the sigmoid's slope forgotten on the way back": Other(
                  altered(gain=without_sigmoid_slope), "dmu/dphi has the factor mu (1 - mu)"),
              "a constant baseline: log w at the mean field": Other(
                  altered(constant_baseline), "the expansion has a linear term, too")},
             {"the gradient of the loss": Other(lambda *net: tuple(-part for part in muprop_gradient(*net)), OF_LOSS)}),
]
