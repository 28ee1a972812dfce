r"""Stochastic approximation: solve f(lam) = E_{z ~ p(.;lam)}[F(z; lam)] = 0 from noisy F (ou2018 Sec. 2).

    Eq. 1            f(lam) = sum_z p(z; lam) F(z; lam),      lam and F in R^d
    Algorithm 1      z_t ~ K_{lam_{t-1}}(. | z_{t-1}),        lam_t = lam_{t-1} + gamma_t F(z_t; lam_{t-1})
    multiple moves   z_{t,0} = z_{t-1,K},   lam_t = lam_{t-1} + gamma_t (1/K) sum_k F(z_{t,k}; lam_{t-1})

The workbench is maximum likelihood in an exponential family: F(z) = s_data - s(z), so f is the gradient of the
log-likelihood and its root the maximum likelihood estimate. The kernel is Metropolis-Hastings with proposal R.

Shapes: lam (..., d) for a batch of independent runs, z (...,), s (m, d), r (m,), s_data (d,), R (m, m).

A coin with log-odds lam, F = 0.8 - z: 200 runs end around the root, log 4 = 1.386.

    >>> import numpy as np
    >>> from refdgm.directed.stochastic_approximation import run
    >>> rng, start = np.random.default_rng(0), np.zeros(200)
    >>> def toss(lam, z, t, k): return rng.random(200) < 1 / (1 + np.exp(-lam))
    >>> path = run(lambda z, lam: 0.8 - z, toss, lam=start, z=start, steps=1000, gamma=lambda t: 10 / (40 + t))
    >>> round(float(path[-1].mean()), 2)
    1.37
"""
import autograd.numpy as anp
from autograd import grad

from refdgm.backend import here
from refdgm.backend import xp as np
from refdgm.checking import Claim, converges_to, equals
from refdgm.models.exponential_family import fisher_information, log_p, mean_statistics, random_case
from refdgm.numerics import all_tuples, log_sum_exp
from refdgm.samplers.metropolis_hastings import step, transition_matrix


def mean_field(lam, s, r, s_data):
    """f(lam) = E[s_data - s(z)] (ou2018 Eq. 1).  -> (d,)"""
    return s_data - mean_statistics(lam, s, r)


def root(s, r, s_data):
    """The lam with f(lam) = 0, by Newton's method on the concave log-likelihood, steps of at most 1.  -> (d,)"""
    lam = np.zeros(s.shape[1])
    for _ in range(30):
        step = np.linalg.solve(fisher_information(lam, s, r), mean_field(lam, s, r, s_data))
        lam = lam + step / max(1.0, np.linalg.norm(step))
    return lam


def robbins_monro(t, first=3.0, offset=40.0):
    """gamma_t = first / (offset + t): divergent sum, convergent sum of squares (ou2018 Sec. 2)."""
    return first / (offset + t)


def run(F, kernel, lam, z, steps, gamma=robbins_monro, moves=1):
    """Algorithm 1, with `moves` moves an iteration (ou2018 Algorithm 1; SA with multiple moves).

    F(z, lam) -> (..., d);  kernel(lam, z, t, k) -> z.  -> the trajectory of lam, (steps + 1, ..., d)
    """
    path = [lam]
    for t in range(1, steps + 1):
        total = 0.0
        for k in range(moves):
            z = kernel(lam, z, t, k)            # starts where the last move ended, with lam_{t-1} throughout
            total = total + F(z, lam)
        lam = lam + gamma(t) * total / moves
        path.append(lam)
    return np.array(path)


# ---- claims ---------------------------------------------------------------------------

RUNS, STEPS = 300, 400      # bias O(gamma_T) times the mixing time, up to 0.03; standard error up to 0.007
FORGETS = 0.6               # second eigenvalue of the kernel at the root: a slower chain has a larger bias


def family_case(seed, m=5, d=2):
    """A family with Fisher information I at the root, which is away from lam = 0, and an unsymmetric proposal R.

    The kernel at the root forgets where it was: its second eigenvalue is at most FORGETS.
    """
    case, rng = random_case(seed, m, d), np.random.default_rng([seed, 2])
    at_root = rng.choice([-0.5, 0.5], d)
    white = np.linalg.inv(np.linalg.cholesky(fisher_information(np.zeros(d), case["s"], case["r"] / 2)))
    s = case["s"] @ white.T
    r = case["r"] / 2 - s @ at_root
    while True:
        R = rng.uniform(0.0, 1.0, (m, m)) + rng.permutation(np.arange(2.0, m + 2))  # some states proposed more often
        R = R / R.sum(axis=1, keepdims=True)
        if sorted(abs(np.linalg.eigvals(transition_matrix(log_p(at_root, s, r), R))))[-2] <= FORGETS:
            return {"lam": case["lam"], "s": s, "r": r, "s_data": mean_statistics(at_root, s, r), "R": R, "seed": seed}


def step_without_correction(log_p, R, z, u_propose, u_accept):
    """A Metropolis step that accepts with p(z')/p(z), as if the proposal were symmetric."""
    z_new = step(log_p, R, z, u_propose, 0 * u_accept)
    chain = np.arange(len(z))
    return np.where(np.log(u_accept) < log_p[chain, z_new] - log_p[chain, z], z_new, z)


def metropolis(s, r, R, seed, runs, steps, freeze=None, restart=False, move=step):
    """The Metropolis-Hastings kernel of every run, one move a step."""
    u = here(np.random.default_rng([seed, 3]).random((steps, 2, runs)))

    def kernel(lam, z, t, k):
        log_target = (lam if freeze is None else freeze) @ s.T + r          # unnormalised
        return move(np.broadcast_to(log_target, (runs, len(s))), R, 0 * z if restart else z, *u[t - 1])
    return kernel


def algorithm_1(sign=1.0, freeze=False, **kernel_options):
    """The mean over RUNS runs of lam_t, started at lam = 0 and z = 0.  -> (STEPS + 1, d)"""
    def trajectory(lam, s, r, s_data, R, seed):
        start = np.zeros((RUNS, s.shape[1]))
        kernel = metropolis(s, r, R, seed, RUNS, STEPS, freeze=start if freeze else None, **kernel_options)
        path = run(lambda z, lam: sign * (s_data - s[z]), kernel, start, np.zeros(RUNS, dtype=int), STEPS)
        return path.mean(axis=1)
    return trajectory


def of_average(lam, s, r, s_data, R, seed, K=4, divide=True, restart=False, independent=False):
    """Mean (d,) and covariance (d, d) of (1/K) sum_k F(z_k) along the stationary chain, from powers of its kernel."""
    p = np.exp(log_p(lam, s, r))
    P = np.outer(np.ones(len(p)), p) if independent else transition_matrix(np.log(p), R)
    F = s_data - s
    start = np.eye(len(p))[0] if restart else p
    laws = [start @ np.linalg.matrix_power(P, k) for k in range(1, K + 1)]

    def second_moment(i, j):
        if i > j:
            return second_moment(j, i).T
        return (F * laws[i][:, None]).T @ np.linalg.matrix_power(P, j - i) @ F

    mean = sum(law @ F for law in laws)
    second = sum(second_moment(i, j) for i in range(K) for j in range(K))
    count = K if divide else 1
    return {"mean": mean / count, "covariance": (second - np.outer(mean, mean)) / count**2}


def kernel_by_hand(p, R):
    """The oracle of the Metropolis-Hastings kernel, entry by entry."""
    P = np.array([[R_ij * min(1.0, p[j] * R[j, i] / (p[i] * R_ij)) for j, R_ij in enumerate(row)]
                  for i, row in enumerate(R)])
    for i, row in enumerate(P):
        P[i, i] = 1.0 - sum(row[j] for j in range(len(row)) if j != i)
    return P


def of_average_by_paths(lam, s, r, s_data, R, seed, K=4):
    """The oracle: the mean is f(lam), the covariance a sum over every path z_0, z_1, ..., z_K with its probability."""
    p = np.exp(log_p(lam, s, r))
    P = kernel_by_hand(p, R)
    paths = all_tuples(len(p), K + 1)
    probability = p[paths[:, 0]] * np.prod(P[paths[:, :-1], paths[:, 1:]], axis=1)
    average = np.mean((s_data - s)[paths[:, 1:]], axis=1)
    off = average - probability @ average
    return {"mean": likelihood_gradient(lam, s, r, s_data, R, seed), "covariance": (off * probability[:, None]).T @ off}


def likelihood_gradient(lam, s, r, s_data, R, seed):
    """Eq. 1's oracle: autograd of the mean log-likelihood s_data . lam - log Z(lam)."""
    return grad(lambda v: anp.dot(s_data, v) - log_sum_exp(anp.dot(s, v) + r))(lam)


def averaged_under(law):
    """sum_z law(z) F(z) with another law than p(.; lam)."""
    return lambda lam, s, r, s_data, R, seed: s_data - law(lam, s, r) @ s


CLAIMS = [
    Claim("ou2018.eq1", lambda lam, s, r, s_data, R, seed: mean_field(lam, s, r, s_data),
          equals(likelihood_gradient, family_case),
          {"z from p(.; 0), which does not move with lambda": averaged_under(
              lambda lam, s, r: np.exp(log_p(0 * lam, s, r))),
           "z uniform": averaged_under(lambda lam, s, r: np.full(len(r), 1 / len(r))),
           "p unnormalised": averaged_under(lambda lam, s, r: np.exp(s @ lam + r))}),
    Claim("ou2018.alg1", algorithm_1(), converges_to(lambda lam, s, r, s_data, R, seed: root(s, r, s_data), family_case,
                                                     rtol=0.08, scale=lambda **case: 1.0),
          {"lambda - gamma F": algorithm_1(sign=-1.0),
           "z restarted at each step": algorithm_1(restart=True),
           "the kernel of lambda_0 throughout": algorithm_1(freeze=True),
           "accepts with p(z)/p(z')": algorithm_1(move=lambda log_p, *args: step(-log_p, *args)),
           "no Hastings correction": algorithm_1(move=step_without_correction)}),
    Claim("ou2018.sa.multimoves", of_average, equals(of_average_by_paths, family_case),
          {"the sum, without 1/K": lambda **case: of_average(**case, divide=False),
           "variance Var_1/K, as for independent draws": lambda **case: of_average(**case, independent=True),
           "every iteration starts at z_0 again": lambda **case: of_average(**case, restart=True)}),
]
