r"""Contracts of noise-contrastive estimation, with a dynamic noise too (ou2018 Sec. 4.2.4, Eqs. 40-44, Alg. 8).

    P(C=0|x) = p_hat(x) / (p_hat(x) + nu p_n(x)),    log p_hat(x) = u(x) - c        class 0 is data, class 1 is noise
    J = E_data[log P(C=0|x)] + nu E_noise[log P(C=1|x)],    nu = n / m for n draws of the noise and m data

Of the noise all contracts take log p_n(x), at data as at noise.
"""
import autograd.numpy as np
from autograd.tracer import getval

from refdgm.backend import xp as onp
from refdgm.contract import Argument, Case, Contract, Other
from refdgm.models import noise_contrast
from refdgm.numerics import log_sigmoid, sigmoid
from refdgm.values import values

SAMPLES = (Argument("u_data", "(m,)", "the potential u at m data"), Argument("u_noise", "(n,)", "u at n noise draws"),
           Argument("log_pn_data", "(m,)", "log p_n at the data"),
           Argument("log_pn_noise", "(n,)", "log p_n at the noise"), Argument("c", "()", "what log Z is taken for"))
NU = "nu = n / m is the odds of a noise draw before x is seen"
OVERFLOW = "from logits: sigmoid or log-sigmoid of u - c - log(nu p_n)"


def log_odds(log_p_hat, log_pn, nu):
    """log of p_hat / (nu p_n), at densities of any size."""
    return noise_contrast.log_odds(log_p_hat - log_pn, 1.0, nu)


# ---- one point --------------------------------------------------------------------------

def point_cases(seed):
    rng = onp.random.default_rng(seed)
    for n, nu in ((1, 3.0), (4, 0.4), (5, 2.0)):
        yield Case(f"{n} points, nu = {nu:g}", {"log_p_hat": 2 * rng.normal(size=n) - 2,
                                                "log_pn": rng.normal(size=n) - 2, "nu": nu})
    yield Case("log-densities near -1e4", {"log_p_hat": rng.normal(size=3) - 1e4, "log_pn": rng.normal(size=3) - 1e4,
                                           "nu": 2.0}, hard=True)
    yield Case("densities 1e4 nats apart", {"log_p_hat": 1e4 * rng.normal(size=3), "log_pn": rng.normal(size=3),
                                            "nu": 2.0}, hard=True)
    yield Case("no point at all", {"log_p_hat": onp.zeros(0), "log_pn": onp.zeros(0), "nu": 2.0}, hard=True)


def posterior(log_p_hat, log_pn, nu):
    return noise_contrast.posterior(log_p_hat - log_pn, 1.0, nu)[0]


# ---- data and noise ---------------------------------------------------------------------

def sample_cases(seed):
    rng = onp.random.default_rng(seed)

    def case(label, m, n, spread=1.0, hard=False):
        return Case(label, {"u_data": spread * rng.normal(size=m), "u_noise": spread * rng.normal(size=n),
                            "log_pn_data": rng.normal(size=m) - 2, "log_pn_noise": rng.normal(size=n) - 2,
                            "c": onp.array(rng.uniform(0.5, 1.5))}, hard)
    for m, n in ((1, 3), (2, 5), (4, 3), (3, 1)):
        yield case(f"m = {m}, n = {n}", m, n)
    yield case("potentials near +-1e4", 3, 5, 1e4, hard=True)


def contrast_with(nu_in=lambda nu: nu, of_data=np.mean, of_noise=np.mean, noise=lambda nu: nu, sign=-1.0,
                  c=lambda c: c, log_pn=lambda log_pn: log_pn):
    """J with something else in one of its places."""
    def J(u_data, u_noise, log_pn_data, log_pn_noise, constant):
        nu = len(u_noise) / len(u_data)
        data = log_odds(u_data - c(constant), log_pn(log_pn_data), nu_in(nu))
        other = log_odds(u_noise - c(constant), log_pn(log_pn_noise), nu_in(nu))
        return of_data(log_sigmoid(data)) + noise(nu) * of_noise(log_sigmoid(sign * other))
    return J


J = contrast_with()


def nce_loss(*samples):
    return -J(*samples)


def loss_with(**changed):
    return lambda *samples: -contrast_with(**changed)(*samples)


def naive_loss(u_data, u_noise, log_pn_data, log_pn_noise, c):
    nu = len(u_noise) / len(u_data)
    data, noise = np.exp(u_data - c), np.exp(u_noise - c)
    p_data, p_noise = nu * np.exp(log_pn_data), nu * np.exp(log_pn_noise)
    return -np.mean(np.log(data / (data + p_data))) - nu * np.mean(np.log(p_noise / (noise + p_noise)))


def over_all(*samples):
    return -J(*samples) / (1 + len(samples[1]) / len(samples[0]))


def nce_weights(u_data, u_noise, log_pn_data, log_pn_noise, c, pull=lambda data, noise: noise,
                push=lambda data, noise, nu: nu * data, nu_in=lambda nu: nu):
    """What multiplies du_hat/dtheta at each of the data and of the noise, as Algorithm 8 ascends."""
    m, n = len(u_data), len(u_noise)
    at_data = noise_contrast.posterior(u_data - c - log_pn_data, 1.0, nu_in(n / m))
    at_noise = noise_contrast.posterior(u_noise - c - log_pn_noise, 1.0, nu_in(n / m))
    return pull(*at_data) / m, -push(*at_noise, n / m) / n


def weights_with(**changed):
    return lambda *samples: nce_weights(*samples, **changed)


# ---- a noise that learns ----------------------------------------------------------------

MIXED = (Argument("u_data", "(m,)", "u - c at m data"), Argument("u_as_data", "(a,)", "u - c at a noise draws that are "
         "taken for data"), Argument("u_noise", "(n,)", "u - c at n noise draws"),
         Argument("log_pn_data", "(m,)", "log p_n at the data"),
         Argument("log_pn_as_data", "(a,)", "log p_n at those taken for data"),
         Argument("log_pn_noise", "(n,)", "log p_n at the noise"))


def mixed_cases(seed):
    rng = onp.random.default_rng(seed)
    for m, a, n in ((1, 2, 4), (3, 1, 2), (2, 3, 9), (3, 3, 2)):
        sizes = dict(zip((argument.name for argument in MIXED), (m, a, n, m, a, n)))
        far = (m, a, n) == (3, 3, 2)
        yield Case("potentials near +-1e4" if far else f"m = {m}, a = {a}, n = {n}", {
            name: (1e4 if far and name[0] == "u" else 1.0) * rng.normal(size=size) - 2 * (name != "u_data")
            for name, size in sizes.items()}, hard=far)


def dnce_loss(u_data, u_as_data, u_noise, log_pn_data, log_pn_as_data, log_pn_noise, held=getval, own=1.0, J=J):
    """-J with the noise taken for data among the data, p_n held constant, and the noise's own -mean log p_n(data)."""
    mixed = held(np.concatenate([log_pn_data, log_pn_as_data]))
    return (-J(np.concatenate([u_data, u_as_data]), u_noise, mixed, held(log_pn_noise), 0.0)
            - own * np.mean(log_pn_data))


def dnce_with(**changed):
    return lambda *a: dnce_loss(*a, **changed)


def averaged_apart(u_data, u_as_data, u_noise, log_pn_data, log_pn_as_data, log_pn_noise):
    """The data's mean and that of the noise taken for data, each with the weight of one half."""
    nu = len(u_noise) / (len(u_data) + len(u_as_data))
    pull = (np.mean(log_sigmoid(log_odds(u_data, getval(log_pn_data), nu)))
            + np.mean(log_sigmoid(log_odds(u_as_data, getval(log_pn_as_data), nu)))) / 2
    push = nu * np.mean(log_sigmoid(-log_odds(u_noise, getval(log_pn_noise), nu)))
    return -pull - push - np.mean(log_pn_data)


def classified_as_noise(u_data, u_as_data, u_noise, log_pn_data, log_pn_as_data, log_pn_noise):
    noise = [np.concatenate(pair) for pair in ((u_as_data, u_noise), (log_pn_as_data, log_pn_noise))]
    return -J(u_data, noise[0], getval(log_pn_data), getval(noise[1]), 0.0) - np.mean(log_pn_data)


CONTRACTS = [
    Contract("nce_posterior", "P(C=0|x), the probability that x is a datum: p_hat / (p_hat + nu p_n)", "ou2018 Eq. 41",
             (Argument("log_p_hat", "(N,)", "log p_hat = u - c"), Argument("log_pn", "(N,)", "log p_n"),
              Argument("nu", "", "noise draws for each datum, not always whole", "number")), "(N,): probabilities",
             posterior, values(point_cases, gradients=("log_p_hat",)),
             {"nu is forgotten": Other(lambda p, q, nu: posterior(p, q, 1.0), NU),
              "nu on the data": Other(lambda p, q, nu: posterior(p, q, 1 / nu), NU),
              "P(C=1|x)": Other(lambda *a: 1 - posterior(*a), "the probability of data, not of noise"),
              "no p_n: sigmoid(u - c)": Other(lambda p, q, nu: sigmoid(p - np.log(nu)), "subtract log p_n"),
              "nu times log p_n": Other(lambda p, q, nu: sigmoid(p - nu * q), "log(nu p_n) = log nu + log p_n"),
              "log nu + log p_n added": Other(lambda p, q, nu: sigmoid(p + np.log(nu) + q), "subtract log(nu p_n)"),
              "overflows": Other(lambda p, q, nu: np.exp(p) / (np.exp(p) + nu * np.exp(q)), OVERFLOW)}),
    Contract("nce_loss", "-J = -mean_data log P(C=0|x) - nu mean_noise log P(C=1|x), nu = n / m", "ou2018 Eq. 43",
             SAMPLES, "(): a number whose gradient trains u and c", nce_loss,
             values(sample_cases, gradients=("u_data", "u_noise", "c")),
             {"J, to be maximised": Other(J, "a loss is minus J"),
              "no nu on the noise": Other(loss_with(noise=lambda nu: 1.0), "nu times the noise's mean"),
              "no nu in the posterior": Other(loss_with(nu_in=lambda nu: 1.0), NU),
              "nu nowhere": Other(loss_with(nu_in=lambda nu: 1.0, noise=lambda nu: 1.0),
                                  f"{NU}, and weighs the noise's mean"),
              "1/nu in the posterior": Other(loss_with(nu_in=lambda nu: 1 / nu), NU),
              "log P(C=0) of the noise": Other(loss_with(sign=1.0), "the noise has log sigmoid of minus its logit"),
              "no p_n: a plain discriminator": Other(loss_with(log_pn=lambda log_pn: 0 * log_pn),
                                                     "subtract log p_n: u is a log-density, no logit"),
              "+ c": Other(loss_with(c=lambda c: -c), "log p_hat = u - c"),
              "c left out": Other(loss_with(c=lambda c: 0 * c), "log p_hat = u - c: c learns log Z"),
              "overflows": Other(naive_loss, OVERFLOW)},
             {"averaged over data and noise together": Other(over_all, "you return -J / (1 + nu), of the same minimum"),
              "summed over data and noise": Other(lambda *a: -len(a[0]) * J(*a),
                                                  "you return -m J: the step size must know")}),
    Contract("nce_weights", "what multiplies du_hat/dtheta as NCE ascends: P(C=1|x) / m at the data, -P(C=0|x) nu / n "
             "at the noise", "ou2018 Eq. 44, Alg. 8", SAMPLES, "(m,), (n,): at the data, at the noise", nce_weights,
             values(sample_cases),
             {"+P(C=0|x) of the noise, as Eq. 44 is printed": Other(
                 weights_with(push=lambda data, noise, nu: -nu * data), "the noise's potential is pushed down"),
              "1/n for nu/n": Other(weights_with(push=lambda data, noise, nu: data), "J weighs the noise's mean by nu"),
              "the classes exchanged": Other(weights_with(pull=lambda data, noise: data,
                                                          push=lambda data, noise, nu: nu * noise),
                                             "each sample pulls by the chance with which it is taken for the other"),
              "the derivative of P, not of log P": Other(
                  weights_with(pull=lambda data, noise: data * noise, push=lambda data, noise, nu: nu * data * noise),
                  "log P has the derivative 1 - P"),
              "no posterior": Other(weights_with(pull=lambda data, noise: 0 * data + 1.0,
                                                 push=lambda data, noise, nu: 0 * data + nu),
                                    "that is maximum likelihood with noise for the model's samples"),
              "no nu in the posterior": Other(weights_with(nu_in=lambda nu: 1.0), NU)},
             {"of the loss": Other(lambda *a: tuple(-part for part in nce_weights(*a)), "to be descended"),
              "summed over data and noise": Other(lambda *a: tuple(len(a[0]) * part for part in nce_weights(*a)),
                                                  "m times: the step size must know")}),
    Contract("dnce_loss", "dynamic NCE: -J with a noise draws among the m data, nu = n / (m + a), p_n held constant, "
             "less mean log p_n of the m data, which trains p_n", "ou2018 Sec. 4.2.4, DNCE", MIXED,
             "(): a number whose gradient trains u and p_n", dnce_loss,
             values(mixed_cases, gradients=("u_data", "u_as_data", "u_noise", "log_pn_data")),
             {"p_n not held constant in the classification": Other(dnce_with(held=lambda a: a),
                                                                   "detach log p_n there: p_n learns by likelihood"),
              "the noise's own loss left out": Other(dnce_with(own=0.0), "p_n learns: subtract mean log p_n(data)"),
              "p_n learns from the noise taken for data, too": Other(
                  lambda *a: dnce_loss(*a, own=0.0) - np.mean(np.concatenate([a[3], a[4]])), "from the data alone"),
              "nu = n / m": Other(lambda *a: dnce_with(J=contrast_with(
                  nu_in=lambda nu: len(a[2]) / len(a[0]), noise=lambda nu: len(a[2]) / len(a[0])))(*a),
                  "the noise taken for data counts as data: nu = n / (m + a)"),
              "NCE: none taken for data": Other(lambda a, b, c, d, e, f: -J(a, c, getval(d), getval(f), 0.0)
                                                - np.mean(d), "the data are alpha p_0 + (1 - alpha) p_n"),
              "data and noise taken for data averaged apart": Other(averaged_apart, "one mean over all m + a"),
              "classified as noise": Other(classified_as_noise, "they are labelled as data")},
             {"the classification averaged over all samples": Other(
                 lambda *a: (dnce_loss(*a, own=0.0) / (1 + len(a[2]) / (len(a[0]) + len(a[1]))) - np.mean(a[3])),
                 "-J / (1 + nu): the same optimum")}),
]
