r"""How well have chains mixed, and how far off is their mean? (Vehtari, Gelman, Simpson, Carpenter and Buerkner 2021)

draws (T, C, ...): T draws of C chains, as chains.Run.kept has them; further axes are quantities, each looked at alone.
Every chain is split into halves, so that a drift within a chain counts as a difference between chains. For M = 2C
halves of N draws, W the mean of their variances, B / N the variance of their means, V = W (N - 1) / N + B / N:

    R-hat = sqrt(V / W)                                  near 1 if the halves agree; sup over location and spread
    rho_t = 1 - (W - mean_m autocovariance_m(t) / N') / V,   tau = -1 + 2 sum_k (rho_2k + rho_2k+1)
    ESS   = M N / tau                                    how many independent draws would give a mean as precise
    MCSE  = sd / sqrt(ESS)                               the standard error of the mean of all draws

The sum stops before the first pair that is not positive, and no pair may exceed the one before (Geyer's initial
monotone sequence: both hold for the exact pairs of a reversible chain). The rank-normalised forms replace draws by
normal scores of their ranks: they need no moments and do not depend on the scale. A quantity that never changed has
no autocorrelation, and its results are nan.
"""
from refdgm import validation as valid
from refdgm.backend import on_device
from refdgm.backend import xp as np


def effective_sample_size(draws, rank=True):
    """Bulk ESS, from normal scores of the ranks; with rank=False the ESS of the mean.  (T, C, ...) -> (...)

    >>> independent = np.random.default_rng(0).normal(size=(1000, 4))
    >>> int(effective_sample_size(independent))
    3763
    """
    halves = split(draws)
    return _ess(normal_scores(halves) if rank else halves)


def split_r_hat(draws, rank=True):
    """Split R-hat of ranks, the larger of location's and spread's; with rank=False of the draws.  (T, C, ...) -> (...)

    >>> still_apart = np.random.default_rng(0).normal(size=(1000, 4)) + np.arange(4)
    >>> round(float(split_r_hat(still_apart)), 2)
    1.55
    """
    halves = split(draws)
    if not rank:
        return _r_hat(halves)
    spread = np.abs(halves - np.median(halves, axis=(0, 1)))
    return np.maximum(_r_hat(normal_scores(halves)), _r_hat(normal_scores(spread)))


def standard_error(draws):
    """The Monte Carlo standard error of the mean of all draws.  (T, C, ...) -> (...)"""
    root = np.sqrt(effective_sample_size(draws, rank=False))
    return np.std(draws, axis=(0, 1), ddof=1) / root


# ---- the steps ------------------------------------------------------------------------

def split(draws):
    """Each chain's first and last half as chains of their own; of an odd T the middle is left out.

    (T, C, ...) -> (T // 2, 2C, ...) of float64.  Raises ValueError for fewer than 4 draws, no chain, or nan.
    """
    valid.require(not on_device(draws), "draws must be on the host: give backend.to_host(draws).")
    draws = np.asarray(draws, dtype=np.float64)
    valid.require(draws.ndim >= 2, f"draws must have the shape (draws, chains, ...), but have shape {draws.shape}.")
    T, C = draws.shape[:2]
    valid.require(T >= 4 and C >= 1, f"diagnostics need 4 draws of a chain, but draws have shape {draws.shape}.")
    valid.finite("draws", draws)
    return np.concatenate([draws[:T // 2], draws[-(T // 2):]], axis=1)


def normal_scores(x):
    """Phi^-1((rank - 3/8) / (S + 1/4)) among all S draws, equal draws sharing their mean rank.  (N, M, ...) alike"""
    from scipy.special import ndtri
    columns = x.reshape(x.shape[0] * x.shape[1], -1)
    ranks = np.empty_like(columns)
    for column, rank in zip(columns.T, ranks.T):
        _, which, count = np.unique(column, return_inverse=True, return_counts=True)
        rank[:] = (np.cumsum(count) - (count - 1) / 2)[which]
    return ndtri((ranks - 3 / 8) / (len(columns) + 1 / 4)).reshape(x.shape)


def _variances(x):
    """W and V, the variance within and the variance of all, for halves (N, M, ...)."""
    N = len(x)
    W = np.mean(np.var(x, axis=0, ddof=1), axis=0)
    return W, W * (N - 1) / N + np.var(np.mean(x, axis=0), axis=0, ddof=1)


def _r_hat(x):
    W, V = _variances(x)
    return np.sqrt(_divide(V, W))


def _ess(x):
    N, M = x.shape[:2]
    W, V = _variances(x)
    pairs = max(1, (N - 1) // 2)
    rho = 1 - _divide(W - np.mean(autocovariance(x), axis=1)[:2 * pairs], V)
    rho[0] = np.where(V > 0, 1.0, np.nan)
    even, both = rho[::2], rho[::2] + rho[1::2]
    stop = np.where(np.any(both <= 0, axis=0), np.argmax(both <= 0, axis=0), pairs - 1)
    before = np.arange(pairs).reshape((-1,) + (1,) * stop.ndim) < stop
    last = np.take_along_axis(even, stop[None], axis=0)[0]
    tau = -1 + 2 * np.sum(np.where(before, np.minimum.accumulate(both), 0.0), axis=0) + np.maximum(last, 0.0)
    return M * N / np.maximum(tau, 1 / np.log10(M * N))         # the cap for chains that alternate, as in Stan


def autocovariance(x):
    """sum_t (x_t - mean) (x_t+lag - mean) / N for every lag, by a Fourier transform.  (N, ...) -> (N, ...)"""
    N = len(x)
    valid.count("the length of x", N)
    size = 1 << (2 * N - 1).bit_length()                        # room for every lag: nothing wraps around
    spectrum = np.fft.rfft(x - np.mean(x, axis=0), size, axis=0)
    return np.fft.irfft(np.abs(spectrum)**2, size, axis=0)[:N] / N


def _divide(a, b):
    with np.errstate(divide="ignore", invalid="ignore"):
        return a / b


# ---- the bridge -----------------------------------------------------------------------

def to_arviz(run, name="x"):
    """What a run kept as ArviZ's data, for its plots and its other diagnostics; `name` is for a single array.

    Raises ImportError where ArviZ is not installed, and ValueError if the run kept nothing.
    """
    valid.require(run.kept is not None, "the run kept no draws: give run(..., keep=lambda state: ...).")
    try:
        import arviz
    except ImportError:
        raise ImportError("to_arviz needs ArviZ: pip install arviz") from None
    kept = run.kept._asdict() if hasattr(run.kept, "_asdict") else run.kept
    kept = kept if isinstance(kept, dict) else {name: kept}
    posterior = {key: np.swapaxes(draws, 0, 1) for key, draws in kept.items()}         # ArviZ: (chain, draw, ...)
    old = int(arviz.__version__.split(".")[0]) < 1
    return arviz.from_dict(posterior=posterior) if old else arviz.from_dict({"posterior": posterior})
