r"""log Z and all pairwise marginals, exactly, by visiting every state: what samplers and estimators are held against.

A Boltzmann machine's units are cut in three, x = (y, z, h), so that the weights of all states are entries of products
of tables, and the sums over states are products of matrices (* is elementwise):

    e^(x'Jx/2 + b'x) = A[h,y] T[y,z] B[h,z]:      p(h,y) ~ A * (B T'),     p(h,z) ~ B * (A T),     p(y,z) ~ T * (A'B)

An RBM's larger layer is summed out unit by unit, and the 2^n states of the smaller one remain, s = (low, high):

    Z = sum_s e^(c's) prod_i (1 + e^(b_i + w_i's)),                  Pr(v_i = 1 | s) = sigmoid(b_i + w_i's)
    1 + e^(b_i + w_i's) = e^(b_i + w_i'high) (u_i + e_i),            e_i = e^(w_i'low),   u_i = e^(-b_i - w_i'high)

With tables of e and u an addition and a product are left for a state and a unit. All sums are relative to maxima, so
that log Z may be of any size. Where a product of table entries could still overflow (couplings of one unit that sum to
hundreds), and for an RBM on a GPU, the states are visited in the log domain.
"""
from typing import NamedTuple

from refdgm import backend
from refdgm.backend import xp as np
from refdgm.every_state import exp_and_peak, log_domain, states, visit
from refdgm.models import boltzmann, rbm
from refdgm.numerics import all_binary, sigmoid

SECONDS = 600                   # what an enumeration may take unless the caller says otherwise
RBM_RATE, RBM_MOMENTS_RATE = 5e9, 8e8               # states x units a second and core: estimates for the message
BOLTZMANN_RATE, LOG_DOMAIN_RATE = 5e9, 2e7          # states a second; states x units a second
REACH = 600.0                   # e^REACH and e^-REACH, times a few ordinary numbers, are normal numbers
ROW, LOW, PART, PARTS = 5, 8, 4, 4                  # bits of an RBM's states: the rows of a block, what is side by side
#                                                     in a row, the blocks of a part, and the parts of a call
THIRD, AT_ONCE = 11, 10         # bits: of y, and of z, at most; of the h of a call


class Moments(NamedTuple):
    """log Z and its gradient."""
    log_z: float
    mean: dict                  # the mean of what multiplies each parameter in -E, named like the parameter


def rbm_log_partition(theta, *, threads=None, seconds=SECONDS, progress=False):
    """log Z of an RBM, theta as in refdgm.models.rbm. The number of threads does not change the result.

    progress=True shows how far it is; Ctrl-C ends it and says what log Z is at least. Raises ValueError if theta is not
    a finite RBM, or if it would take more than about `seconds`.
    """
    return _rbm(theta, False, threads, seconds, progress)[0]


def rbm_moments(theta, *, threads=None, seconds=SECONDS, progress=False):
    """log Z and {"w": E[v h'], "b": E[v], "c": E[h]} of an RBM; else as rbm_log_partition.  -> Moments"""
    log_z, on = _rbm(theta, True, threads, seconds, progress)
    return Moments(log_z, {"w": on[:-1, :-1], "b": on[:-1, -1], "c": on[-1, :-1]})


def boltzmann_moments(theta, *, seconds=SECONDS, progress=False):
    """log Z and {"J": E[x x'], "b": E[x]} of a Boltzmann machine, theta as in refdgm.models.boltzmann.  -> Moments

    The diagonal of E[x x'] is E[x]. Else as rbm_log_partition.
    """
    boltzmann.validate(theta)
    J, b = (np.asarray(theta[name], np.float64) for name in "Jb")
    n, third = len(b), min(len(b) // 3, THIRD)
    if np.sum(np.abs(J[:third, third:2 * third])) > REACH:
        more, at_once = log_domain(n, lambda x: x @ b + np.sum(x @ J * x, axis=1) / 2, lambda x: x)
        rate = LOG_DOMAIN_RATE / n
    else:
        more, at_once = _products(J, b, third)
        rate = BOLTZMANN_RATE
    log_z, on = visit(more, n, at_once, rate, seconds, progress)
    return Moments(log_z, {"J": on[:-1, :-1], "b": on[-1, :-1]})


# ---- a Boltzmann machine: states as entries of matrices -------------------------------

def _products(J, b, third):
    """more(first) for the h, in numerical order, with all y and z."""
    n, h_bits = len(b), len(b) - 2 * third
    at_once = min(AT_ONCE, h_bits)
    Y, Z, H = np.split(np.arange(n), [third, 2 * third])
    y = z = all_binary(third)
    h_and_one = np.append(H, n)

    def energy(x, X):
        return np.sum(x @ J[np.ix_(X, X)] * x, axis=1) / 2 + x @ b[X]

    T, T_peak = exp_and_peak(y @ J[np.ix_(Y, Z)] @ z.T, None)

    def more(first):
        h1 = states(np.arange(first >> 2 * third, (first >> 2 * third) + 2**at_once), h_bits)
        h = h1[:, :-1]
        A, A_peak = exp_and_peak(h @ J[np.ix_(H, Y)] @ y.T + energy(y, Y), 1)
        B, B_peak = exp_and_peak(h @ J[np.ix_(H, Z)] @ z.T + energy(z, Z), 1)
        scale, peak = exp_and_peak(energy(h, H) + A_peak + B_peak, None)
        A *= scale[:, None]
        p_hy, p_yz = A * (B @ T.T), T * (A.T @ B)
        p_hz = B * (A @ T)
        on = np.empty((n + 1, n + 1))
        for X1, X2, value in ((h_and_one, h_and_one, h1.T @ (np.sum(p_hy, axis=1)[:, None] * h1)),
                              (Y, Y, y.T @ (np.sum(p_hy, axis=0)[:, None] * y)),
                              (Z, Z, z.T @ (np.sum(p_hz, axis=0)[:, None] * z)),
                              (h_and_one, Y, h1.T @ p_hy @ y), (h_and_one, Z, h1.T @ p_hz @ z), (Y, Z, y.T @ p_yz @ z)):
            on[np.ix_(X1, X2)], on[np.ix_(X2, X1)] = value, value.T
        return peak + T_peak, on

    return more, at_once + 2 * third


# ---- an RBM: one layer's units summed out ---------------------------------------------

def _rbm(theta, moments, threads, seconds, progress):
    """log Z, and the means of on, (D + 1, H + 1), where moments are asked for, or of its last row."""
    rbm.validate(theta)
    w = np.asarray(theta["w"], np.float64)
    b, c = (np.asarray(theta.get(name, np.zeros(size)), np.float64) for name, size in zip("bc", w.shape))
    swap = len(b) < len(c)
    w, b, c = (w.T, c, b) if swap else (w, b, c)                    # w (units, bits): the bits' states are visited
    units, bits = w.shape
    reach = np.max(np.sum(np.abs(w), axis=1)) / 2 + np.log(2)       # the most that |log(u + e)| can be once centred
    if 4 * reach > REACH or backend.on_device(w):                   # the kernel is the host's
        more, at_once = log_domain(bits, lambda s: -rbm.hidden_free_energy({"w": w, "b": b, "c": c}, s),
                                    lambda s: sigmoid(s @ w.T + b))
        rate = LOG_DOMAIN_RATE / units
    else:
        from refdgm import jit
        more, at_once = _summed_out(w, b, c, moments, 4 * int(REACH / (4 * reach)), threads)
        rate = (RBM_MOMENTS_RATE if moments else RBM_RATE) * min(threads or jit.cores(), 2**PARTS) / (units + 10)
    log_z, on = visit(more, bits, at_once, rate, seconds, progress)
    return log_z, on.T if swap else on


def _over_states(w):
    """w's for all states s, the first bit fastest; by doubling, since the threads of a BLAS would stay in the kernel's
    way for a while.  (..., n) -> (..., 2**n)"""
    total = np.zeros((*w.shape[:-1], 1))
    for k in range(w.shape[-1]):
        total = np.concatenate([total, total + w[..., k:k + 1]], axis=-1)
    return total


def _with_bit_on(p):
    """The sums over the states where each bit is on.  (M, 2**n) -> (M, n)"""
    on = np.empty((len(p), p.shape[1].bit_length() - 1))
    for k in range(on.shape[1]):
        on[:, k] = np.sum(p.reshape(len(p), -1, 2, 2**k)[:, :, 1], axis=(1, 2))
    return on


def _summed_out(w, b, c, moments, stretch, threads):
    """more(first) by the compiled kernel; a product of `stretch` units does not overflow."""
    from refdgm.jit import in_threads
    from refdgm.kernels.enumeration import sum_states
    units, n = w.shape
    n_row = min(n, ROW)
    n_low = min(n - n_row, LOW)
    n_block = n - n_row - n_low
    n_part = min(n_block, PART)
    n_parts = min(n_block - n_part, PARTS)
    w_low, w_row, w_block = np.split(w, [n_low, n_low + n_row], axis=1)

    def extremes(weights):
        return np.sum(np.minimum(weights, 0), axis=1), np.sum(np.maximum(weights, 0), axis=1)

    # e and u both times e^-shift: log(u + e) lies between the two terms of the shift, and log 2 above
    (e_least, e_most), (u_least, u_most) = extremes(w_low), extremes(-w[:, n_low:])
    shift = (np.maximum(e_most, u_most - b) + np.maximum(e_least, u_least - b)) / 2
    on_rows = ((0, 4 - units % 4), (0, 0))                          # units that are always on: e = 1, u = 0
    e = np.pad(np.exp(_over_states(w_low) - shift[:, None]), on_rows, constant_values=1.0)
    t = np.pad(np.exp(-_over_states(w_row)), on_rows)
    w_block, bias = np.pad(w_block, on_rows), np.pad(b + shift, on_rows[0])
    slopes = c + np.where(np.arange(n) < n_low, 0.0, np.sum(w, axis=0))
    c_low, c_row, c_block = np.split(slopes, [n_low, n_low + n_row])
    energies = _over_states(c_row)[:, None] + _over_states(c_low) + np.sum(bias)
    parts, M = 2**n_parts, len(e) if moments else 2

    def more(first):
        by_low, by_row, by_block = (np.zeros((parts, M, k)) for k in (2**n_low, 2**n_row, n_block))
        start = (first >> n_low + n_row) + np.arange(parts)[:, None] * 2**n_part
        peaks = np.full((parts, 1), -np.inf)
        in_threads(sum_states, (by_low, by_row, by_block, peaks, start),
                   (e, t, w_block, bias, energies, c_block, 2**n_part, stretch), threads)
        scale, peak = exp_and_peak(peaks[:, 0], None)
        low, row, block = (np.einsum("p,pmk->mk", scale, a) for a in (by_low, by_row, by_block))
        on = np.concatenate([_with_bit_on(low), _with_bit_on(row), block, np.sum(row, axis=1, keepdims=True)], axis=1)
        return peak, on[np.append(np.arange(units), -1)] if moments else on

    return more, n_low + n_row + n_part + n_parts
