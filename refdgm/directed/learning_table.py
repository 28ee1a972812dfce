r"""Which objectives each algorithm follows, cell by cell (ou2018 Table 1).

    columns  max_theta E_p~ log p(x)      max_theta E_p~ L      max_theta E_p~ I_K          min_theta F
    rows     max_phi E_p~ L               max_phi E_p~ I_K      min_phi E_p~ KL[p(h|x) || q(h|x)]  by IS, or by MIS
             min_phi E_p(x) KL[p(h|x) || q(h|x)]                max_psi F

On tables the mean update of every algorithm is a sum of scores over the cells (x, h),

    sum_{x,h} A(x, h) dlog p(x, h)/dtheta        sum_{x,h} B(x, h) dlog q(h|x)/dphi

so an algorithm is two tables of weights, A and B: p~ q (variational), p~ r_K (importance sampling), p~ p(h|x) (MIS),
p(x, h) (sleep), where r_K is the law of one of K draws h_k ~ q, chosen with probability w_k / sum_j w_j.

theta["joint"], phi["q"], A and B (X, H); p_data and a baseline (X,); the discriminator is psi["V"] (X,). A function
takes what it needs of such a case, by name.

RWS follows the column IW-LB, and not ML:

    >>> from refdgm.directed.learning_table import ALGORITHMS, COLUMNS, distance, random_case, slope, update
    >>> case, columns = random_case(0), (COLUMNS["IW-LB"], COLUMNS["ML"])
    >>> rws = update(ALGORITHMS["RWS"], case)["theta"]
    >>> [round(float(distance(rws, slope(column, "theta", case))), 3) for column in columns]
    [0.0, 0.765]
"""
from collections.abc import Callable
from typing import NamedTuple

import autograd.numpy as np
from autograd import grad

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import GRADIENT, IDENTITY, Claim, equals
from refdgm.distances import distance
from refdgm.models import finite_chain, tables
from refdgm.models.tables import log_joint, log_marginal, log_posterior, log_q, score_phi, score_theta
from refdgm.numerics import all_tuples, log_mean_exp, log_sigmoid, sigmoid, softmax, weighted_sum
from refdgm.samplers import independence


# ---- the objectives, all to be maximised ----------------------------------------------

def log_likelihood(theta, p_data, **_):
    """E_p~ log p(x) (ou2018 Table 1, column ML).  -> ()"""
    return np.sum(p_data * log_marginal(theta))


def elbo(theta, phi, p_data, **_):
    """E_p~ L(x) (ou2018 Table 1, V-LB).  -> ()"""
    return np.sum(p_data[:, None] * np.exp(log_q(phi)) * (log_joint(theta) - log_q(phi)))


def iw_bound(theta, phi, p_data, K, **_):
    """E_p~ I_K(x), the sum over all H**K draws (ou2018 Table 1, IW-LB).  -> ()"""
    log_r, h = log_q(phi), all_tuples(phi["q"].shape[1], K)
    probability = np.exp(np.sum(log_r[:, h], axis=-1))
    return np.sum(p_data[:, None] * probability * log_mean_exp((log_joint(theta) - log_r)[:, h]))


def minus_inclusive_kl(p_x, log_p, phi):
    """-E_p(x) KL[p(h|x) || q(h|x)], where phi moves q only (ou2018 Table 1).  (X,), (X, H), phi -> ()"""
    return -np.sum(p_x[:, None] * np.exp(log_p) * (log_p - log_q(phi)))


def game(theta, psi, p_data, **_):
    """F = E_p~ log D(x) + E_p log(1 - D(x)) with D = sigmoid(V) (ou2018 Table 1, f-divergence-LB; Eq. 24).  -> ()"""
    return np.sum(p_data * log_sigmoid(psi["V"])) + np.sum(np.exp(log_marginal(theta)) * log_sigmoid(-psi["V"]))


# ---- the algorithms: weights of the scores, each (X, H) -------------------------------

def variational(phi, p_data, **_):
    """p~(x) q(h|x): one draw of h for each x (ou2018 Eq. 10 line 1, Eq. 18 line 1)."""
    return p_data[:, None] * np.exp(log_q(phi))


def learning_signal(theta, phi, p_data, baseline, **_):
    """p~(x) q(h|x) (log w - C(x)), for NVIL (ou2018 Eq. 10 line 2, Sec. 3.2.1)."""
    return variational(phi, p_data) * (log_joint(theta) - log_q(phi) - baseline[:, None])


def resampled(theta, phi, p_data, K, signal=softmax, **_):
    """p~(x) r_K(h|x), from K draws and their normalised weights (ou2018 Eqs. 19-21).

    In general p~(x) E[sum_k signal_k 1{h_k = h}], with a signal(log_w) (..., K).
    """
    valid.count("the number of samples K", K)
    log_r, h = log_q(phi), all_tuples(phi["q"].shape[1], K)
    weight = np.exp(np.sum(log_r[:, h], axis=-1))[..., None] * signal((log_joint(theta) - log_r)[:, h])
    hits = h[..., None] == onp.arange(phi["q"].shape[1])
    return p_data[:, None] * np.tensordot(weight, hits, axes=2)


def iwae_signal(log_w):
    """log p_hat - wbar_k, what weighs dlog q(h_k|x) in the gradient of I_K for discrete h.  (..., K) -> (..., K)"""
    return log_mean_exp(log_w)[..., None] - softmax(log_w)


def tighter(**case):
    """The weights of dlog q in the gradient of I_K for discrete h (ou2018 footnote 9)."""
    return resampled(**case, signal=iwae_signal)


def accepted(theta, phi, p_data, chain=independence.transition_matrix, **_):
    """p~(x) times the law that MIS with proposal q(h|x) settles in (ou2018 Sec. 3.2.3)."""
    return p_data[:, None] * finite_chain.stationary_law(chain(log_joint(theta) - log_q(phi), log_q(phi)))


def dreamt(theta, **_):
    """p(x, h): the model's own samples (ou2018 Eq. 18 line 2)."""
    return np.exp(log_joint(theta))


class Algorithm(NamedTuple):
    """The weights A of dlog p(x, h)/dtheta and B of dlog q(h|x)/dphi."""
    theta: Callable
    phi: Callable


ALGORITHMS = {                                                          # (ou2018 Table 1)
    "NVIL": Algorithm(variational, learning_signal), "IWAE": Algorithm(resampled, tighter),
    "RWS": Algorithm(resampled, resampled), "JSA": Algorithm(accepted, accepted),
    "WS": Algorithm(variational, dreamt), "RWS, sleep": Algorithm(resampled, dreamt)}


def update(algorithm, case):
    """The mean update of an Algorithm, an ascent direction (ou2018 Table 1).  -> {"theta": .., "phi": ..}"""
    return {"theta": weighted_sum(algorithm.theta(**case), score_theta(case["theta"])),
            "phi": weighted_sum(algorithm.phi(**case), score_phi(case["phi"]))}


def adversarial_update(theta, psi, p_data, **_):
    """Down in theta, up in psi: -dF/dtheta and dF/dpsi (ou2018 Table 1, last row; Eq. 24).  -> dict of dicts"""
    D = sigmoid(psi["V"])
    return {"theta": weighted_sum(-np.exp(log_joint(theta)) * np.log(1 - D)[:, None], score_theta(theta)),
            "phi": {"V": p_data * (1 - D) - np.exp(log_marginal(theta)) * D}}


# ---- claims ---------------------------------------------------------------------------

COLUMNS = {"ML": log_likelihood, "V-LB": elbo, "IW-LB": iw_bound, "F": lambda **c: -game(**c)}
ROWS = {"V-LB": elbo, "IW-LB": iw_bound,
        "IS": lambda **c: minus_inclusive_kl(c["p_data"], log_resampled(**c), c["phi"]),
        "MIS": lambda **c: minus_inclusive_kl(c["p_data"], log_posterior(c["theta"]), c["phi"]),
        "sleep": lambda **c: minus_inclusive_kl(np.exp(log_marginal(c["theta"])), log_posterior(c["theta"]), c["phi"]),
        "F": game}


def log_resampled(K, at, **_):
    """log r_K(h|x) at the parameters `at`: p(x, h) E[1 / p_hat], the mean over the other K - 1 draws."""
    joint, q = onp.exp(log_joint(at["theta"])), onp.exp(log_q(at["phi"]))
    w, others = joint / q, all_tuples(q.shape[1], K - 1)
    p_hat = (w[:, :, None] + w[:, others].sum(-1)[:, None]) / K         # h has joined the others
    return onp.log(joint * onp.sum(q[:, others].prod(-1)[:, None] / p_hat, axis=-1))


def random_case(seed, K=3):
    """Random tables, a baseline and a discriminator; `at` holds the parameters once more, for what is kept fixed."""
    rng, case = onp.random.default_rng([seed, 14]), tables.random_case(seed)
    return {**case, "K": K, "baseline": rng.normal(size=4) - 2.0, "psi": {"V": rng.normal(size=4)}, "at": dict(case)}


def slope(objective, of, case):
    """Autograd of an objective in one of the parameters: the oracle."""
    return grad(lambda value: objective(**{**case, of: value}))(case[of])


def slopes(column, row, case):
    """The gradients of a cell's two objectives."""
    return {"theta": slope(COLUMNS[column], "theta", case), "phi": slope(ROWS[row], "phi", case)}


def cell(column, row):
    """The check that an update follows the two objectives of one cell."""
    return equals(lambda **case: slopes(column, row, case), random_case, rtol=GRADIENT, method="autodiff")


def follow(theta, phi=None):
    """The mean update of an algorithm, or with the dlog q weights of another algorithm, or of a function."""
    B = phi if callable(phi) else ALGORITHMS[phi or theta].phi
    return lambda **case: update(Algorithm(ALGORITHMS[theta].theta, B), case)


def stale_weight(log_w, log_q):
    """MIS whose weight to beat stays that of the first state."""
    moves = np.exp(log_q) * independence.acceptance(log_w, log_w[..., :1])
    return independence.with_rejections(moves[..., None, :] * np.ones_like(log_q)[..., None])


PRINTED = {("ML", "MIS"), ("V-LB", "V-LB"), ("IW-LB", "IW-LB"), ("IW-LB", "IS"), ("V-LB", "sleep"), ("IW-LB", "sleep"),
           ("F", "F")}                                                  # the 7 cells of 24 that hold an algorithm


def occupied(cells):
    """The table as 6 rows by 4 columns: 1 where an algorithm stands."""
    return lambda **_: onp.array([[float((column, row) in cells) for column in COLUMNS] for row in ROWS])


def measured_cells(**case):
    """Every algorithm's update held against the gradients of every column and every row."""
    updates = [*(update(algorithm, case) for algorithm in ALGORITHMS.values()), adversarial_update(**case)]

    def follows(part, gradient): return {i for i, u in enumerate(updates) if distance(u[part], gradient) < IDENTITY}
    of_theta = [follows("theta", slope(objective, "theta", case)) for objective in COLUMNS.values()]
    of_phi = [follows("phi", slope(ROWS[row], "psi" if row == "F" else "phi", case)) for row in ROWS]
    return onp.array([[float(bool(t & f)) for t in of_theta] for f in of_phi])


CLAIMS = [
    Claim("ou2018.table1.nvil", follow("NVIL"), cell("V-LB", "V-LB"),
          {"theta by the likelihood": follow("JSA", "NVIL"), "theta by the IW-LB": follow("RWS", "NVIL"),
           "phi by the sleep phase": follow("WS"), "phi by the inclusive KL": follow("NVIL", "JSA"),
           "a baseline that multiplies": follow("NVIL", lambda **c: learning_signal(**c) * c["baseline"][:, None]),
           "no -log q in the signal": follow("NVIL", lambda **c: variational(**c) * log_joint(c["theta"]))}),
    Claim("ou2018.table1.rws_is", follow("RWS"), cell("IW-LB", "IS"),
          {"theta by the likelihood": follow("JSA", "RWS"), "theta by the V-LB": follow("NVIL", "RWS"),
           "phi by the V-LB": follow("RWS", "NVIL"), "phi by the IW-LB": follow("IWAE"),
           "unnormalised weights": follow("RWS", lambda **c: resampled(
               **c, signal=lambda log_w: np.exp(log_w) / c["K"]))},
          without=cell("IW-LB", "MIS")),
    Claim("ou2018.table1.jsa", follow("JSA"), cell("ML", "MIS"),
          {"the weight of the current state is never updated": lambda **case: update(Algorithm(
              *[lambda **c: accepted(**c, chain=stale_weight)] * 2), case),
           "self-normalised IS: wake-phase RWS": follow("RWS"), "theta by the V-LB": follow("NVIL", "JSA"),
           "phi by the V-LB": follow("JSA", "NVIL"), "phi by the sleep phase": follow("JSA", "WS"),
           "every proposal accepted": follow("NVIL", variational)}),
    Claim("ou2018.table1.ws", follow("WS"), cell("V-LB", "sleep"),
          {"theta by the likelihood": follow("JSA", "WS"), "theta by the IW-LB": follow("RWS, sleep"),
           "phi by the V-LB": follow("NVIL"), "phi by the inclusive KL on the data": follow("WS", "JSA"),
           "x dreamt, h from q": follow("WS", lambda **c: variational(c["phi"], np.exp(log_marginal(c["theta"]))))}),
    Claim("ou2018.table1.rws_sleep", follow("RWS, sleep"), cell("IW-LB", "sleep"),
          {"theta by the V-LB: plain wake-sleep": follow("WS"), "theta by the likelihood": follow("JSA", "WS"),
           "phi by the wake phase": follow("RWS"), "phi by the IW-LB": follow("IWAE"),
           "one draw fewer": lambda **c: follow("RWS, sleep")(**{**c, "K": 2})}),
    Claim("ou2018.table1.crosses", lambda **c: [follow("RWS", "NVIL")(**c), follow("NVIL", "IWAE")(**c)],
          equals(lambda **c: [slopes("IW-LB", "V-LB", c), slopes("V-LB", "IW-LB", c)], random_case, rtol=GRADIENT,
                 method="autodiff"),
          {"theta's bound for both": lambda **c: [follow("IWAE")(**c), follow("NVIL")(**c)],
           "the wake phase's phi in place of the IW-LB's": lambda **c: [follow("RWS", "NVIL")(**c),
                                                                         follow("NVIL", "RWS")(**c)]},
          printed=lambda **c: [follow("NVIL")(**c), follow("IWAE")(**c)]),      # only uncrossed pairs have updates
    Claim("ou2018.table1.crossed_cells", occupied(PRINTED), equals(measured_cells, lambda seed: random_case(seed, K=2)),
          {"RWS maximises the likelihood": occupied(PRINTED - {("IW-LB", "IS")} | {("ML", "IS")}),
           "JSA maximises the V-LB": occupied(PRINTED - {("ML", "MIS")} | {("V-LB", "MIS")}),
           "an algorithm in the blank cell": occupied(PRINTED | {("ML", "sleep")}),
           "WS by the inclusive KL on the data": occupied(PRINTED - {("V-LB", "sleep")} | {("V-LB", "MIS")})}),
]
