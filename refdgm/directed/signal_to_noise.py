r"""Tighter bounds and the noise of their gradients (ou2018 Sec. 3.2.1, last paragraph; Rainforth et al. 2018).

The reparameterised gradient of the K-sample bound is a self-normalised mean over K noises eps_k,

    Delta_K = sum_k w_k g_k / sum_k w_k        g = dlog w/dtheta or dlog w/dphi along z = m + s eps

and its signal-to-noise ratio is SNR = |E Delta_K| / std Delta_K. For large K, with E w = p(x),

    SNR_phi   ~ K^-1/2 |E[w^2 g]| / (p sqrt(E[w^2 g^2]))             as E[w g] = dp/dphi = 0: the signal falls like 1/K
    SNR_theta ~ K^+1/2 p |dlog p| / sqrt(E[w^2 (g - dlog p)^2])      and a mean of M copies has sqrt(M) times both

Model: p(z) = N(mu, 1), p(x|z) = N(z, v), q(z|x) = N(m, s^2); theta = mu and phi = (m, log s). Nothing is simulated:
the mean and variance of Delta_K are integrals over one noise and one Laplace variable, whatever K is.
mu, m, log_s, x and v are numbers, eps (n,).

Four times the samples: half the ratio for m, twice that for mu.

    >>> from refdgm.directed.signal_to_noise import random_case, signal_to_noise
    >>> few, many = (signal_to_noise(K, **random_case(0)) for K in (1000, 4000))
    >>> round(float(many[0] / few[0]), 2), round(float(many[2] / few[2]), 2)
    (0.5, 2.0)
"""
import autograd.numpy as np
from autograd import elementwise_grad, grad

from refdgm.backend import xp as onp
from refdgm.checking import Claim, tends_to
from refdgm.models.iid_weights import self_normalised_moments
from refdgm.numerics import LOG_2PI, trapezoid


def log_weight(mu, m, log_s, x, v, eps):
    """log w = log p(z) p(x|z) / q(z|x) at z = m + s eps.  (n,) -> (n,)"""
    z = m + np.exp(log_s) * eps
    return -0.5 * ((z - mu)**2 + (x - z)**2 / v - eps**2 + np.log(v) + LOG_2PI) + log_s


def score(mu, m, log_s, x, v, eps):
    """dlog w by m, log s and mu, along the path z = m + s eps.  (n,) -> (3, n)"""
    z = m + onp.exp(log_s) * eps
    slope = (x - z) / v - (z - mu)                     # dlog p(x, z)/dz
    return onp.stack([slope, onp.exp(log_s) * eps * slope + 1, z - mu])


def noise_grid(n=241, reach=9.0):
    """Nodes eps (n,) and their probabilities under N(0, 1)."""
    eps, weight = trapezoid(-reach, reach, n)
    return eps, weight * onp.exp(-0.5 * (eps**2 + LOG_2PI))


def signal_to_noise(K, **model):
    """|E Delta_K| / std Delta_K for m, log s and mu (Rainforth et al. 2018).  -> (3,)"""
    eps, probability = noise_grid()
    w = onp.exp(log_weight(**model, eps=eps))
    mean, variance = self_normalised_moments(w, score(**model, eps=eps), probability, K)
    return onp.abs(mean) / onp.sqrt(variance)


# ---- claims ---------------------------------------------------------------------------

def random_case(seed):
    """A model whose q is wider than the posterior (so that all moments of w are finite) and off its mean."""
    rng = onp.random.default_rng(seed)
    mu, x, v = rng.normal(), rng.normal() * 2, rng.uniform(0.5, 2)
    posterior_mean, posterior_variance = (mu * v + x) / (1 + v), v / (1 + v)
    shift = rng.choice([-1, 1]) * rng.uniform(0.3, 0.8)
    return {"mu": mu, "m": posterior_mean + shift * onp.sqrt(posterior_variance),
            "log_s": 0.5 * onp.log(posterior_variance * rng.uniform(1.1, 1.6)), "x": x, "v": v}


def limits(mu, m, log_s, x, v):
    """The constants of SNR_phi / sqrt(K) and SNR_theta sqrt(K), from densities over z and autograd.  -> (3,)"""
    def second_moment(m, log_s):
        "E_q w^2 = int p(x, z)^2 / q(z) dz"
        z, weight = trapezoid(-15.0, 15.0, 1201)
        log_q = -0.5 * ((z - m)**2 * np.exp(-2 * log_s) + LOG_2PI) - log_s
        log_p = -0.5 * ((z - mu)**2 + (x - z)**2 / v + np.log(v) + 2 * LOG_2PI)
        return np.sum(weight * np.exp(2 * log_p - log_q))

    eps, probability = noise_grid()
    each = np.ones_like(eps)                                            # a copy of the parameter for every noise
    w = np.exp(log_weight(mu, m, log_s, x, v, eps))
    dw = [elementwise_grad(lambda a, i=i: np.exp(log_weight(*[a if i == j else b for j, b in enumerate((mu, m, log_s))],
                                                            x, v, eps)))(value * each)
          for i, value in enumerate((mu, m, log_s))]
    log_p_slope = (x - mu) / (1 + v)                                    # x ~ N(mu, 1 + v)
    p = np.exp(-0.5 * ((x - mu)**2 / (1 + v) + np.log(1 + v) + LOG_2PI))
    signal = [0.5 * grad(second_moment, i)(m, log_s) / p for i in (0, 1)] + [p * log_p_slope]
    noise = [probability @ dw[1]**2, probability @ dw[2]**2, probability @ (dw[0] - w * log_p_slope)**2]
    return np.abs(np.array(signal)) / np.sqrt(np.array(noise))


def scaled(phi_power=0.5, theta_power=-0.5, snr=signal_to_noise):
    """(SNR_phi K^phi_power, SNR_theta K^theta_power), which has a limit for the right powers only."""
    return lambda K, **model: snr(K, **model) * onp.array([K**phi_power, K**phi_power, K**theta_power])


def snr_of_the_elbo(K, **model):
    """The mistake of weighting the K gradients equally: the SNR of a plain average."""
    eps, probability = noise_grid()
    g = score(**model, eps=eps)
    mean = g @ probability
    return onp.abs(mean) / onp.sqrt((g - mean[:, None])**2 @ probability / K)


def snr_without_centring(K, **model):
    """The mistake of dividing by the root of E Delta^2."""
    snr = signal_to_noise(K, **model)
    return snr / onp.sqrt(1 + snr**2)


CLAIMS = [
    Claim("ou2018.rainforth", scaled(),
          tends_to(limits, random_case, "K", (10, 1_000, 100_000), rtol=1e-4, method="quadrature"),
          {"SNR_phi grows, too": scaled(phi_power=-0.5),
           "SNR_phi falls like 1/K": scaled(phi_power=1.0),
           "SNR_theta falls, too": scaled(theta_power=0.5),
           "uniform weights: the ELBO's gradient": scaled(snr=snr_of_the_elbo),
           "E Delta^2 for Var Delta": scaled(snr=snr_without_centring)}),
]
