r"""The error of noise-contrastive estimation against the ratio nu of noise to data (ou2018 Sec. 4.2.4).

    loss    n trace Cov(theta_hat) / trace F^-1 for n data and nu n noise samples: 1 is maximum likelihood, which
            every noise reaches as nu grows, as 1 + price/nu
    log Z   n Var(c), c the learned log normaliser

for a log-linear field on 8 states and three laws of the noise. The curves are the asymptotic covariances, in closed
form; the points are what Newton's method makes of n data and nu n noise samples, drawn again and again.
"""
import numpy as np

from refdgm.drawing import curve, decades, plain, points, reference
from refdgm.models import exponential_family, noise_contrast
from refdgm.numerics import softmax
from refdgm.streams import Stream, uniforms
from refdgm.undirected import nce_estimator as nce

NAME, TITLE = "nce_error", "the error of noise-contrastive estimation against nu"
S, D, DATA, NOISE = 8, 2, 0, 1
SHARPER = 2.5               # so that the data are far from uniform


def make(quick=False, seed=0):
    """A row for each law of the noise and each nu; those of uniform noise have a simulation beside them."""
    case = noise_contrast.random_case(seed, S=S, d=D)
    theta, features = SHARPER * case["theta"], case["features"]
    p_0 = softmax(features @ theta)
    laws = {"uniform": np.full(S, 1 / S), "the data's": p_0, "where data are rare": softmax(-1.5 * features @ theta)}
    rows = []
    for name, p_n in laws.items():
        for nu in 2.0**np.arange(-2, 9, 4 if quick else 1):
            row = {"noise": name, "nu": nu, **asymptotic(theta, features, p_0, p_n, nu)}
            if name == "uniform" and nu >= 1 and np.log2(nu) % 2 == 0:
                row |= simulated(theta, features, p_0, p_n, int(nu), 1000, 10 if quick else 200, seed)
            rows.append(row)
    return plain(rows)


def fisher_inverse(theta, features):
    """n times the covariance of maximum likelihood.  -> (D, D)"""
    return np.linalg.inv(exponential_family.fisher_information(theta, features, np.zeros(len(features))))


def asymptotic(theta, features, p_0, p_n, nu):
    """The loss, its first order in 1/nu, and n Var(c)."""
    truth = np.append(theta, noise_contrast.log_partition(theta, features))
    C, best = nce.covariance(truth, features, p_0, p_n, nu), fisher_inverse(theta, features)
    price = nce.price_of_noise(theta, features, p_n)
    return {"loss": np.trace(C[:D, :D]) / np.trace(best), "first_order": 1 + np.trace(price) / np.trace(best) / nu,
            "log_z_variance": C[D, D]}


def simulated(theta, features, p_0, p_n, nu, n, repeats, seed):
    """The same from `repeats` estimates of n data and nu n noise samples, with standard errors."""
    truth = np.append(theta, noise_contrast.log_partition(theta, features))
    squares = []
    for r in range(repeats):
        data, noise = (frequencies(p, size, Stream(seed, np.array([r], np.uint32), part))
                       for p, size, part in ((p_0, n, DATA), (p_n, nu * n, NOISE)))
        squares.append((nce.estimate(features, data, p_n, float(nu), noise) - truth)**2)
    scale = np.append(np.full(D, n / np.trace(fisher_inverse(theta, features))), n)
    loss, log_z = (np.array(squares) * scale)[:, :D].sum(axis=1), (np.array(squares) * scale)[:, D]
    return {"n": n, "repeats": repeats, **{key: value for name, values in (("loss", loss), ("log_z_variance", log_z))
                                           for key, value in ((f"{name}_simulated", values.mean()),
                                                              (f"{name}_error", values.std(ddof=1) / repeats**0.5))}}


def frequencies(p, size, s):
    """The frequencies of the states among `size` draws.  -> (S,)"""
    drawn = np.searchsorted(np.cumsum(p)[:-1], uniforms(s, size)[0])
    return np.bincount(drawn, minlength=len(p)) / size


def draw(figure, rows):
    """theta on the left, the log normaliser on the right."""
    left, right = figure.subplots(1, 2)
    for number, name in enumerate(dict.fromkeys(row["noise"] for row in rows)):
        chosen = [{**row, "excess": row["loss"] - 1, "line": row["first_order"] - 1}
                  for row in rows if row["noise"] == name]
        curve(left, chosen, "nu", "excess", f"noise: {name}", number)
        reference(left, chosen, "nu", "line", r"price$\,/\,\nu$" if number == 2 else None)
        curve(right, chosen, "nu", "log_z_variance", f"noise: {name}", number, marker="")
        seen = [row for row in chosen if "n" in row]
        if seen:
            points(right, seen, "nu", "log_z_variance_simulated", "log_z_variance_error",
                   f"{seen[0]['repeats']} estimates of {seen[0]['n']} data", number)
    left.set(xlabel=r"noise samples for each datum, $\nu$", ylabel="variance beyond maximum likelihood",
             title=r"the parameters $\theta$")
    right.set(xlabel=r"noise samples for each datum, $\nu$", ylabel=r"$n\,$Var$(c)$", title=r"the learned $\log Z$")
    decades(left, right, x=True)
    decades(left, y=True)
    left.legend(), right.legend()
