"""Contracts of resampling and of annealed importance sampling (ou2018 Sec. 3.2.1; bachman2015 Sec. 5.4; Neal 2001)."""

from refdgm.backend import xp as np
from refdgm.contract import INTEGER, NUMBER, Argument, Case, Contract, Other
from refdgm.numerics import log_mean_exp, softmax, softplus
from refdgm.samplers import ais, importance
from refdgm.values import values

LOG_W = Argument("log_w", "(C, K)", "log-weights of K draws, a row for each chain")
V = Argument("v", "(N, D)", "visible units of N chains, 0 or 1", "bits")
W = Argument("W", "(D, H)", "couplings")
B = Argument("b", "(D,)", "visible biases")
C = Argument("c", "(H,)", "hidden biases")
BASE = Argument("base", "(D,)", "visible biases of the independent machine that the path begins at")
OVERFLOW = "softplus(a) = max(a, 0) + log1p(exp(-|a|))"


# ---- resampling -------------------------------------------------------------------------

def resampling_cases(place, with_n=False):
    """Weights of some size, and uniform numbers whose picks, at place(u, n), do not hang on the last digits."""
    def of(seed):
        rng = np.random.default_rng(seed)

        def given(log_w, u, n):
            return {"log_w": log_w, "n": n, "u": u[:, :1]} if with_n else {"log_w": log_w, "u": u}
        for rows, K, n in ((1, 3, 4), (4, 2, 3), (3, 5, 2), (2, 4, 6)):
            log_w, u = rng.normal(size=(rows, K)), np.full((rows, n), np.nan)
            edges = np.cumsum(softmax(log_w), axis=1)[:, None]
            while not np.min(np.abs(place(u, n)[..., None] - edges)) > 0.012:
                u = rng.uniform(0.02, 0.98, size=(rows, n))
            yield Case(f"{rows} rows, K = {K}, n = {n}", given(log_w, u, n))
        yield Case("log-weights of +-1e4", given(np.array([[-1e4, -1e4 + 1.0], [1e4, 1e4 - 1.0]]), np.full((2, 3), 0.6),
                                                 3), hard=True)
        yield Case("a weight of zero", given(np.array([[-np.inf, 0.0, 0.5]]), np.full((1, 2), 0.25), 2), hard=True)
    return of


def spaced(u, n):
    return (np.arange(n) + u[:, :1]) / n


def systematic(log_w, n, u):
    return importance.picked(log_w, (np.arange(n) + u) / n)


def picked_by(place):
    """Systematic resampling with other points."""
    return lambda log_w, n, u: importance.picked(log_w, np.minimum(place(np.arange(n), n, log_w.shape[1], u), 1 - 1e-9))


def with_weights(weights):
    return lambda log_w, u: importance.picked(np.log(weights(log_w)), u)


def naive_weights(log_w):
    return np.exp(log_w) / np.sum(np.exp(log_w), axis=1, keepdims=True)


def searched(log_w, u):
    """The weights summed up without dividing by their sum."""
    up_to = np.cumsum(np.exp(log_w), axis=1)
    return np.stack([np.minimum(np.searchsorted(row, at), len(row) - 1) for row, at in zip(up_to, u)])


# ---- annealed importance sampling ---------------------------------------------------------

def machine(rng, N, D, H):
    return {"v": rng.integers(0, 2, (N, D)).astype(float), "W": rng.normal(size=(D, H)), "b": rng.normal(size=D),
            "c": rng.normal(size=H)}


def path_cases(seed):
    rng = np.random.default_rng(seed)
    for (N, D, H), beta in zip(((1, 3, 2), (3, 2, 4), (2, 4, 3), (5, 3, 1)), (0.0, 0.4, 0.25, 0.8)):
        yield Case(f"{N} chains, {D} visible and {H} hidden units, beta = {beta}",
                   {**machine(rng, N, D, H), "base": rng.normal(size=D), "beta": beta, "beta_new": beta + 0.2})
    given = machine(rng, 2, 3, 2)
    yield Case("couplings of 1e4", {**given, "W": 1e4 * given["W"], "base": rng.normal(size=3), "beta": 0.5,
                                    "beta_new": 1.0}, hard=True)


def increment(v, W, b, c, base, beta, beta_new):
    logits = v @ W + c
    return ais.log_ratio(np.zeros(len(v)), v, (beta_new - beta) * (b - base), beta * logits, beta_new * logits)


def increment_by(linear=lambda b, base: b - base, hidden=lambda a, old, new: softplus(new * a) - softplus(old * a)):
    def log_w(v, W, b, c, base, beta, beta_new):
        return (beta_new - beta) * (v @ linear(b, base)) + np.sum(hidden(v @ W + c, beta, beta_new), axis=1)
    return log_w


def end_cases(seed):
    rng = np.random.default_rng(seed)
    for K, D, H in ((1, 3, 2), (4, 2, 5), (6, 4, 1)):
        yield Case(f"{K} weights, {D} visible and {H} hidden units",
                   {"log_w": rng.normal(size=K), "base": rng.normal(size=D), "H": H})
    for far in (1e4, -1e4):
        yield Case(f"log-weights near {far:g}", {"log_w": far + rng.normal(size=3), "base": rng.normal(size=2), "H": 3},
                   hard=True)


def partition(log_w, base, H):
    return ais.log_partition({"w": np.zeros((len(base), H))}, ais.State(None, log_w, None), base)


CONTRACTS = [
    Contract("multinomial_resampling", "n indices a row: the first k whose cumulative normalised weight exceeds u",
             "ou2018 Sec. 3.2.1; Rubin 1988", (LOG_W, Argument("u", "(C, n)", "uniform numbers")),
             "(C, n): indices 0..K-1", importance.picked, values(resampling_cases(lambda u, n: u)),
             {"one index too many": Other(lambda log_w, u: importance.picked(log_w, u) + 1, "indices begin at 0"),
              "all draws alike": Other(with_weights(np.ones_like), "use the weights"),
              "inverted: softmax(-log w)": Other(with_weights(lambda log_w: softmax(-log_w)), "exp(+log w)"),
              "log-weights taken for weights": Other(with_weights(np.abs), "exponentiate"),
              "weights not normalised": Other(searched, "divide by their sum"),
              "the order turned around": Other(lambda log_w, u: importance.picked(log_w, 1 - u),
                                               "the first k whose cumulative weight exceeds u"),
              "overflows": Other(with_weights(naive_weights), "subtract the largest log-weight before exp")}),
    Contract("systematic_resampling", "n indices of each row, picked at the points (i + u) / n, i = 0..n-1",
             "ou2018 Sec. 3.2.1", (LOG_W, Argument("n", "", "how many indices", INTEGER),
                                   Argument("u", "(C, 1)", "one uniform number a row")),
             "(C, n): indices 0..K-1, in order", systematic, values(resampling_cases(spaced, with_n=True)),
             {"the point i/n + u": Other(picked_by(lambda i, n, K, u: i / n + u), "u is divided by n, too"),
              "no u": Other(picked_by(lambda i, n, K, u: (i + 0 * u) / n), "add u to i"),
              "points (i + u) / K": Other(picked_by(lambda i, n, K, u: (i + u) / K), "divide by n"),
              "the same point n times": Other(picked_by(lambda i, n, K, u: 0 * i + u), "the points are (i + u) / n"),
              "weights inverted": Other(lambda log_w, n, u: systematic(-log_w, n, u), "exp(+log w)")}),
    Contract("ais_log_weight", "what a step of AIS adds to log w, log f_new(v) - log f_old(v), "
             "log f = ((1 - beta) base + beta b)'v + sum_j softplus(beta (v'W + c)_j)",
             "bachman2015 Sec. 5.4; Neal 2001",
             (V, W, B, C, BASE, Argument("beta", "", "of this machine", NUMBER),
              Argument("beta_new", "", "of the next one", NUMBER)), "(N,)", increment, values(path_cases),
             {"old over new": Other(lambda *given: -increment(*given), "new minus old"),
              "the base forgotten": Other(increment_by(linear=lambda b, base: b), "its share is 1 - beta"),
              "the base with a plus": Other(increment_by(linear=lambda b, base: b + base), "its share is 1 - beta"),
              "beta outside of softplus": Other(increment_by(hidden=lambda a, old, new: (new - old) * softplus(a)),
                                                "softplus(beta (v'W + c))"),
              "the hidden units forgotten": Other(increment_by(hidden=lambda a, old, new: 0 * a), "add their softplus"),
              "the old hidden part forgotten": Other(increment_by(hidden=lambda a, old, new: softplus(new * a)),
                                                     "subtract log f at the old beta"),
              "overflows": Other(increment_by(hidden=lambda a, old, new: np.log1p(np.exp(new * a))
                                              - np.log1p(np.exp(old * a))), OVERFLOW)}),
    Contract("ais_log_partition", "log Z of an RBM from annealed log-weights: log Z_0 + log of the mean weight, "
             "Z_0 = 2^H prod_i (1 + exp(base_i))", "bachman2015 Sec. 5.4; Neal 2001",
             (LOG_W._replace(shape="(K,)", says="log-weights of K chains at the end of the path"), BASE,
              Argument("H", "", "how many hidden units", INTEGER)), "a number", partition, values(end_cases),
             {"the mean of the log-weights": Other(lambda log_w, base, H: partition(log_w, base, H) + np.mean(log_w)
                                                   - log_mean_exp(log_w), "average the weights: log-mean-exp"),
              "log K forgotten": Other(lambda log_w, base, H: partition(log_w, base, H) + np.log(len(log_w)),
                                       "subtract log K"),
              "log Z_0 forgotten": Other(lambda log_w, base, H: log_mean_exp(log_w), "add log Z_0"),
              "the hidden units' 2^H forgotten": Other(lambda log_w, base, H: partition(log_w, base, 0 * H),
                                                       "add H log 2"),
              "the base taken for zero": Other(lambda log_w, base, H: partition(log_w, 0 * base, H),
                                               "the visible units give sum_i softplus(base_i)"),
              "overflows": Other(lambda log_w, base, H: partition(log_w, base, H) - log_mean_exp(log_w)
                                 + np.log(np.mean(np.exp(log_w))), "subtract the largest log-weight before exp")}),
]
