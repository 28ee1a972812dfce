r"""A variational autoencoder whose examples carry a label y, in tables (lecture12 Sec. 3.3).

    y = 0   p(z|0) p_theta(x|z, 0), the decoder            q_eta(z|x, 0), the encoder
    y = 1   p(z|1) p(x|z, 1) with p(x|z, 1) = p_data(x)    q(z|x, 1); neither has a parameter
    p(y) = 1/2,   p_theta(x) = (p_theta(x|0) + p_data(x)) / 2,   p_theta(x|0) = sum_z p(z|0) p_theta(x|z, 0)

So y = 0 is the autoencoder, seen as a generator, and y = 1 stands for the data themselves.
theta = {"x": (X, Z)}, a softmax over x for each z; eta = {"z": (X, Z)}, a softmax over z for each x; p_data (X,);
fixed = {"p_z": (2, Z), "q_1": (X, Z)}, the priors p(z|y) and q(z|x, 1). A table over x, y and z is (X, 2, Z).

The reversed label of a real x, c = 1, is y = 0: so it is the autoencoder that explains the data.

>>> import numpy as np
>>> from refdgm.models.labelled_vae import perfect_reversed, random_case
>>> theta, _, p_data, fixed = random_case(0).values()
>>> float(perfect_reversed(1, theta, p_data, fixed)[0, 0])
1.0
"""
import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import here
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.numerics import kl, log_softmax

GENERATED, REAL = 0, 1      # the labels: of an example, c; of the part of the model that explains it, y
P_Y = onp.array([0.5, 0.5])


def log_decoder(theta):
    """log p_theta(x|z, 0) for every x and z.  -> (X, Z)"""
    return log_softmax(theta["x"], axis=0)


def log_encoder(eta):
    """log q_eta(z|x, 0) for every x and z.  -> (X, Z)"""
    return log_softmax(eta["z"])


def generated_law(theta, fixed):
    """p_theta(x|0) = sum_z p(z|0) p_theta(x|z, 0).  -> (X,)"""
    return np.dot(np.exp(log_decoder(theta)), fixed["p_z"][0])


def class_laws(theta, p_data, fixed):
    """p_theta(x|y) for y = 0, 1.  -> (2, X)"""
    return np.stack([generated_law(theta, fixed), p_data])


def log_likelihood(theta, p_data):
    """log p_theta(x|z, y) for every cell.  -> (X, 2, Z)"""
    decoder = log_decoder(theta)
    return np.stack([decoder, np.log(p_data)[:, None] + 0 * decoder], axis=1)


def encoders(eta, fixed):
    """q(z|x, y) for every cell.  -> (X, 2, Z)"""
    return np.stack([np.exp(log_encoder(eta)), fixed["q_1"]], axis=1)


def prior(fixed, p_y=P_Y):
    """p(z|y) p(y).  -> (2, Z)"""
    return here(p_y)[:, None] * fixed["p_z"]


def joint(theta, p_data, fixed):
    """p_theta(x, y, z) = p_theta(x|z, y) p(z|y) p(y).  -> (X, 2, Z), which sums to one"""
    validate(theta, p_data=p_data, fixed=fixed)
    return np.exp(log_likelihood(theta, p_data)) * prior(fixed)


def posterior(theta, p_data, fixed):
    """p_theta(z, y|x) (lecture12 Lemma 2).  -> (X, 2, Z), which sums to one for every x"""
    p = joint(theta, p_data, fixed)
    return p / np.sum(p, axis=(1, 2), keepdims=True)


def vae_objective(theta, eta, p_data, fixed):
    """E_p_data[E_q(z|x) log p_theta(x|z) - KL(q(z|x) || p(z))], with the parts of y = 0 (lecture12 Sec. 3.3).  -> ()"""
    validate(theta, eta, p_data, fixed)
    q = np.exp(log_encoder(eta))
    p_z = fixed["p_z"][0] + onp.zeros(onp.shape(q))
    return np.dot(p_data, np.sum(q * log_decoder(theta), axis=1) - kl(q, p_z))


# ---- labelled examples ----------------------------------------------------------------

def perfect_reversed(c, theta0, p_data, fixed):
    """q^r*(y) = 1[y = 1 - c] for an example with label c, the same for every x (lecture12 Sec. 3.3).  -> (X, 2)"""
    return onp.tile(onp.array([float(c == REAL), float(c == GENERATED)]), (len(p_data), 1))


def optimal_reversed(c, theta0, p_data, fixed):
    """q^r(y|x) = q*(1 - y|x) of the optimal discriminator, which sees x and not its label.  -> (X, 2)"""
    generated, real = class_laws(theta0, p_data, fixed)
    return np.stack([real, generated], axis=1) / (generated + real)[:, None]


def inference_law(c, eta, theta0, p_data, fixed, reversed_law=perfect_reversed):
    """q(z, y|x) = q_eta(z|x, y) q^r*(y|x) for examples with label c (lecture12 Lemma 2).  -> (X, 2, Z)"""
    return reversed_law(c, theta0, p_data, fixed)[:, :, None] * encoders(eta, fixed)


def over_labelled(theta0, p_data, fixed, term):
    """2 E_p_theta0(x) of term(c), (X,), where each example x comes with its label c (lecture12 Lemma 2).  -> ()"""
    laws = class_laws(theta0, p_data, fixed)
    return 2 * sum(P_Y[c] * np.dot(laws[c], term(c)) for c in (GENERATED, REAL))


# ---- oracles and cases ----------------------------------------------------------------

def plain_tables(theta, eta):
    """p_theta(x|z, 0) and q_eta(z|x, 0) by plain ratios."""
    p, q = np.exp(theta["x"]), np.exp(eta["z"])
    return p / np.sum(p, axis=0), q / np.sum(q, axis=1, keepdims=True)


def evidence_less_gap(theta, eta, p_data, fixed):
    """E_p_data[log p(x) - KL(q(z|x) || p(z|x))] of the autoencoder alone: L_vae in another way.  -> ()"""
    p, q = plain_tables(theta, eta)
    p_xz = p * fixed["p_z"][0]
    p_x = np.sum(p_xz, axis=1)
    return np.sum(p_data * (np.log(p_x) - np.sum(q * (np.log(q) - np.log(p_xz / p_x[:, None])), axis=1)))


def posterior_cell_by_cell(theta, p_data, p_z, p_y):
    """p(z, y|x): every cell of the joint over the sum for its x."""
    p = onp.exp(theta["x"]) / onp.exp(theta["x"]).sum(axis=0)
    X, Z = p.shape
    cells = onp.array([[[p_y[y] * p_z[y, z] * (p[x, z] if y == GENERATED else p_data[x]) for z in range(Z)]
                        for y in (GENERATED, REAL)] for x in range(X)])
    return onp.array([table / table.sum() for table in cells])


def random_case(seed, X=4, Z=3):
    """A random decoder, encoder, data law, priors and q(z|x, 1), none of them uniform."""
    rng = onp.random.default_rng(seed)
    return {"theta": {"x": rng.normal(size=(X, Z))}, "eta": {"z": rng.normal(size=(X, Z))},
            "p_data": rng.dirichlet(2 * onp.ones(X)),
            "fixed": {"p_z": rng.dirichlet(2 * onp.ones(Z), size=2), "q_1": rng.dirichlet(2 * onp.ones(Z), size=X)}}


def labelled_case(seed):
    """A decoder and priors, with labels that are not equally probable."""
    case = random_case(seed)
    return {"theta": case["theta"], "p_data": case["p_data"], "p_z": case["fixed"]["p_z"], "p_y": onp.array([0.3, 0.7])}


def validate(theta=None, eta=None, p_data=None, fixed=None):
    """Raise ValueError, saying which, if a parameter has a wrong shape, or a fixed law is no distribution."""
    X, Z = valid.matrix("theta", theta, "x") if theta is not None else valid.matrix("eta", eta, "z")
    if theta is not None:
        valid.parameters("theta", theta, {"x": (X, Z)})
    if eta is not None:
        valid.parameters("eta", eta, {"z": (X, Z)})
    if p_data is not None:
        valid.shape("p_data", p_data, (X,))
        valid.distribution("p_data", p_data)
    if fixed is not None:
        valid.parameters("fixed", fixed, {"p_z": (2, Z), "q_1": (X, Z)})
        valid.distribution("fixed['p_z']", fixed["p_z"])
        valid.distribution("fixed['q_1']", fixed["q_1"])


# ---- claims ---------------------------------------------------------------------------

def normalised(factors, axes=(1, 2)):
    """The product of the tables factors(likelihood, p_z, p_y), normalised over `axes` (1: y, 2: z)."""
    def law(theta, p_data, p_z, p_y):
        p = factors(np.exp(log_likelihood(theta, p_data)), p_z, p_y[:, None])
        return p / np.sum(p, axis=axes, keepdims=True)
    return law


def objective(cost, sign=-1):
    """E_p_data of the reconstruction and of sign * cost(q, p(z), p(x|z)), a table (X, Z) that is summed over z."""
    def value(theta, eta, p_data, fixed):
        q, p_z, p = np.exp(log_encoder(eta)), fixed["p_z"][0], np.exp(log_decoder(theta))
        return np.sum(p_data[:, None] * (q * np.log(p) + sign * cost(q, p_z, p)))
    return value


CLAIMS = [
    Claim("lecture12.sec3.3_vae", vae_objective, equals(evidence_less_gap, random_case),
          {"log p(x, z) in place of log p(x|z)": objective(lambda q, p_z, p: q * np.log(q / p_z) - q * np.log(p_z)),
           "plus KL": objective(lambda q, p_z, p: q * np.log(q / p_z), sign=+1),
           "KL(p(z) || q), the other direction": objective(lambda q, p_z, p: p_z * np.log(p_z / q)),
           "KL to the posterior": objective(lambda q, p_z, p: q * np.log(q * (p @ p_z)[:, None] / (p * p_z)))}),
    Claim("lecture12.sec3.3_posterior", normalised(lambda p, p_z, p_y: p * p_z * p_y),
          equals(posterior_cell_by_cell, labelled_case),
          {"p(y) forgotten": normalised(lambda p, p_z, p_y: p * p_z),
           "p(z|y) forgotten": normalised(lambda p, p_z, p_y: p * p_y),
           "the prior for the posterior": normalised(lambda p, p_z, p_y: 0 * p + p_z * p_y),
           "normalised over x, a likelihood": normalised(lambda p, p_z, p_y: p * p_z * p_y, axes=0)},
          printed=normalised(lambda p, p_z, p_y: p * p_z * p_y, axes=2)),
]
