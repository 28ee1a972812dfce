r"""Deep latent Gaussian model with two stochastic layers (ou2018 Eq. 3) and a Gaussian output (ou2018 Eq. 4).

    h2 = xi_2                         xi_2 ~ N(0, I)
    h1 = T(h2) + G xi_1               xi_1 ~ N(0, I),   so   h1 | h2 ~ N(T(h2), G G')
    x  = mu(h1) + sigma(h1) eps       eps  ~ N(0, I),   so   x  | h1 ~ N(mu(h1), diag sigma^2(h1))

The two ways to put a Gaussian into a network side by side: a full covariance G G', the same for every h2, and a
diagonal one that a network computes from h1. T, mu and log sigma^2 are networks of one tanh layer:
theta = {"T": net, "G": (H1, H1), "mu": net, "log_variance": net} with net = {"W": (J, in), "b": (J,), "M": (out, J),
"m": (out,)}. x, eps : (..., D), h1, xi1 : (..., H1), h2, xi2 : (..., H2); leading axes broadcast.

The layer's covariance is G G', whatever h2 is; here its correlation:

>>> import numpy as np
>>> from refdgm.models.dlgm import layer_moments, random_case
>>> case = random_case(0)
>>> _, cov = layer_moments(case["theta"], case["h2"])
>>> round(float(cov[0, 1] / np.sqrt(cov[0, 0] * cov[1, 1])), 2)
0.35
"""
import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.numerics import all_tuples, full_gaussian_log_prob, gauss_hermite, gaussian_log_prob, log_sum_exp, trapezoid


def mlp(net, inputs):
    """One tanh layer and a linear output.  (..., in) -> (..., out)"""
    return np.dot(np.tanh(np.dot(inputs, net["W"].T) + net["b"]), net["M"].T) + net["m"]


def generate(theta, xi2, xi1, eps):
    """h2, h1 and x as functions of the noise: ancestral sampling (ou2018 Eq. 3)."""
    h2 = xi2
    h1 = mlp(theta["T"], h2) + np.dot(xi1, theta["G"].T)
    return h2, h1, mlp(theta["mu"], h1) + np.exp(mlp(theta["log_variance"], h1) / 2) * eps


def layer_moments(theta, h2):
    """The mean T(h2) and the covariance G G' of h1 given h2 (ou2018 Eq. 3).  (H2,) -> (H1,), (H1, H1)"""
    return mlp(theta["T"], h2), np.dot(theta["G"], theta["G"].T)


def output_moments(theta, h1):
    """The mean mu(h1) and the covariance diag sigma^2(h1) of x given h1 (ou2018 Eq. 4).  (H1,) -> (D,), (D, D)"""
    return mlp(theta["mu"], h1), np.diag(np.exp(mlp(theta["log_variance"], h1)))


def log_layer(theta, h1, h2):
    """log p(h1|h2) = log N(h1; T(h2), G G') (ou2018 Eq. 3).  (..., H1), (..., H2) -> (...)"""
    return full_gaussian_log_prob(h1, mlp(theta["T"], h2), np.dot(theta["G"], theta["G"].T))


def log_joint(theta, x, h1, h2):
    """log p(x, h1, h2) = log p(h2) + log p(h1|h2) + log p(x|h1) (ou2018 Sec. 3.1.1).  -> (...)"""
    log_output = gaussian_log_prob(x, mlp(theta["mu"], h1), np.exp(mlp(theta["log_variance"], h1)))
    return gaussian_log_prob(h2, 0.0, 1.0) + log_layer(theta, h1, h2) + log_output


def log_marginal(theta, x, n=201, reach=10.0):
    """log p(x) by quadrature over the noise (xi_1, xi_2), for H1 = H2 = 1.  (D,) -> ()"""
    validate(theta, x)
    valid.shape("theta['G']", theta["G"], (1, 1))
    grid, w = trapezoid(-reach, reach, n)
    xi = grid[all_tuples(n, 2)]
    h1 = mlp(theta["T"], xi[:, :1]) + np.dot(xi[:, 1:], theta["G"].T)
    log_output = gaussian_log_prob(x, mlp(theta["mu"], h1), np.exp(mlp(theta["log_variance"], h1)))
    log_w = onp.sum(onp.log(w)[all_tuples(n, 2)], axis=-1)
    return log_sum_exp(log_w + gaussian_log_prob(xi, 0.0, 1.0) + log_output)


def random_case(seed, D=2, H1=3, H2=2, J=3):
    """A random theta and one h2; G is neither symmetric nor triangular, and far from singular."""
    rng = onp.random.default_rng(seed)

    def net(inputs, outputs, size=1.0):
        return {"W": rng.normal(size=(J, inputs)), "b": rng.normal(size=J), "M": size * rng.normal(size=(outputs, J)),
                "m": size * rng.normal(size=outputs)}
    U, V = onp.linalg.qr(rng.normal(size=(2, H1, H1)))[0]
    G = U @ onp.diag(rng.uniform(0.5, 1.5, H1)) @ V
    theta = {"T": net(H2, H1), "G": G, "mu": net(H1, D), "log_variance": net(H1, D, 0.3)}
    return {"theta": theta, "h2": rng.normal(size=H2)}


def validate(theta, x=None):
    """Raise ValueError, saying which, if a network, G or x has a wrong shape or is not finite, or G is singular."""
    H1, _ = valid.matrix("theta", theta, "G")
    valid.shape("theta['G']", theta["G"], (H1, H1))
    D, _ = valid.matrix("theta['mu']", theta["mu"], "M")
    for name, inputs, outputs in (("T", None, H1), ("mu", H1, D), ("log_variance", H1, D)):
        J, _ = valid.matrix(f"theta[{name!r}]", theta[name], "W")
        valid.parameters(f"theta[{name!r}]", theta[name],
                         {"W": (J, inputs), "b": (J,), "M": (outputs, J), "m": (outputs,)})
    valid.finite("theta", theta)
    if x is not None:
        valid.vector("x", x, D)
    valid.require(onp.linalg.matrix_rank(theta["G"]) == H1,
                  "theta['G'] must have full rank, or p(h1|h2) has no density.")


# ---- claims ---------------------------------------------------------------------------

def layer_law(theta, h2, covariance=None):
    """The law N(T, G G'), or N(T, covariance(G)), in numbers: mean, covariance, characteristic function."""
    mean, C = layer_moments(theta, h2)
    C = C if covariance is None else covariance(theta["G"])
    t = frequency(len(mean))
    size = onp.exp(-t @ C @ t / 2)
    return {"mean": mean, "covariance": C, "characteristic": size * onp.array([onp.cos(t @ mean), onp.sin(t @ mean)])}


def sampled_law(theta, h2):
    """The same numbers of h1 = T(h2) + G xi, integrated over the noise: the oracle of Eq. 3."""
    xi, w = gauss_hermite(16, len(theta["G"]))
    h1 = generate(theta, h2, xi, 0.0)[1]
    mean = w @ h1
    phase = h1 @ frequency(len(mean))
    return {"mean": mean, "covariance": (h1 - mean).T @ (w[:, None] * (h1 - mean)),
            "characteristic": onp.array([w @ onp.cos(phase), w @ onp.sin(phase)])}


def frequency(n):
    """Any vector will do; this one has no symmetry."""
    return onp.array([0.4, -0.7, 0.3])[:n]


def two_points(seed):
    """As random_case with two values of h2 and two of h1, to see what depends on them."""
    case = random_case(seed)
    h = onp.random.default_rng([seed, 2]).normal(size=(2, 5))
    return {"theta": case["theta"], "h1": h[:, :3], "h2": h[:, 3:]}


def covariances(dlgm, vae):
    """cov(h1|h2) and cov(x|h1) at two points each, as the functions dlgm(theta, h2) and vae(theta, h1) have them."""
    return lambda theta, h1, h2: {"Eq. 3": onp.stack([dlgm(theta, h) for h in h2]),
                                  "Eq. 4": onp.stack([vae(theta, h) for h in h1])}


def sampled_covariances(theta, h1, h2):
    """The same from the model's own noise, integrated: nothing is assumed about the shape of a covariance."""
    def covariance(w, draws):
        return (draws - w @ draws).T @ (w[:, None] * (draws - w @ draws))
    xi1, w1 = gauss_hermite(4, 3)
    eps, w = gauss_hermite(4, 2)
    sigma = np.exp(mlp(theta["log_variance"], h1) / 2)
    return {"Eq. 3": onp.stack([covariance(w1, generate(theta, h, xi1, 0.0)[1]) for h in h2]),
            "Eq. 4": onp.stack([covariance(w, s * eps) for s in sigma])}


def full(theta, h2):
    return layer_moments(theta, h2)[1]


def diagonal(theta, h1):
    return output_moments(theta, h1)[1]


def correlated(theta, h1):
    """sigma sigma': the network's deviations with every correlation equal to one."""
    sigma = np.sqrt(np.diag(diagonal(theta, h1)))
    return onp.outer(sigma, sigma)


CLAIMS = [
    Claim("ou2018.eq3", layer_law, equals(sampled_law, random_case, method="quadrature"),
          {"N(T, G' G)": lambda theta, h2: layer_law(theta, h2, lambda G: G.T @ G),
           "N(T, G)": lambda theta, h2: layer_law(theta, h2, lambda G: G),
           "N(T, diag G^2)": lambda theta, h2: layer_law(theta, h2, lambda G: onp.diag(onp.sum(G**2, axis=1)))}),
    Claim("ou2018.eq4.vs_eq3", covariances(full, diagonal),
          equals(sampled_covariances, two_points, method="quadrature"),
          {"both full": covariances(full, correlated),
           "both diagonal": covariances(lambda theta, h: onp.diag(onp.diag(full(theta, h))), diagonal),
           "the network's covariance is the same for every h": covariances(
               full, lambda theta, h: diagonal(theta, 0 * h))},
          printed=covariances(lambda theta, h: onp.diag(onp.diag(full(theta, h))), correlated)),
]
