r"""An adversarial net as a model of x and of its label y, in tables (lecture12 Secs. 3.1-3.2).

    y = 0, generated    p(x|0) = p_g(x) = softmax(theta["x"])           y = 1, real    p(x|1) = p_data(x)
    discriminator       q(1|x) = D(x) = sigmoid(phi["D"])               reversed       q^r(y|x) = q(1 - y|x)
    marginal            p(x) = sum_y p(y) p(x|y)
    target              q^r(x|y) = q^r(y|x) p_theta0(x) / sum_x q^r(y|x) p_theta0(x)

theta = {"x": (X,)}, phi = {"D": (X,)}; p_data (X,), p_y (2,). A table over y and x is (2, X), one row a label.
Each x has its own parameter in both nets: an identity between gradients here is one for every
parametrisation, by the chain rule.

What x tells of its label, in nats, at most log 2 = 0.693:

>>> from refdgm.models.labels import UNIFORM, random_case, weighted_js
>>> case = random_case(0)
>>> round(float(weighted_js(case["theta"], case["p_data"], UNIFORM)), 3)
0.083
"""
import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import here
from refdgm.backend import xp as onp
from refdgm.numerics import kl, log_sigmoid, log_softmax

UNIFORM = onp.array([0.5, 0.5])


def log_generator(theta):
    """log p_g(x) for every x.  -> (X,)"""
    return log_softmax(theta["x"])


def class_laws(theta, p_data):
    """p_theta(x|y): the generator's law for y = 0, the data's for y = 1 (lecture12 Sec. 3.1).  -> (2, X)"""
    validate(theta, p_data=p_data)
    return np.stack([np.exp(log_generator(theta)), p_data])


def log_q(phi):
    """log q(y|x), the discriminator: log(1 - D) and log D (lecture12 Sec. 3.1).  -> (2, X)"""
    validate(phi=phi)
    return np.stack([log_sigmoid(-phi["D"]), log_sigmoid(phi["D"])])


def log_q_reversed(phi):
    """log q^r(y|x) = log q(1 - y|x): the labels change places (lecture12 Sec. 3.1).  -> (2, X)"""
    return log_q(phi)[::-1]


def expectation(theta, p_data, p_y, f):
    """E_{p_theta(x|y) p(y)} f(y, x) for a table f (2, X).  -> ()"""
    return np.sum(_label_law(p_y)[:, None] * class_laws(theta, p_data) * f)


def marginal(theta, p_data, p_y):
    """p_theta(x) = E_p(y) p_theta(x|y) (lecture12 Sec. 3.2).  -> (X,)"""
    return np.dot(_label_law(p_y), class_laws(theta, p_data))


def target(theta0, phi, p_data, p_y):
    """q^r(x|y), Bayes' rule with prior p_theta0(x) and likelihood q^r(y|x) (lecture12 Sec. 3.2).  -> (2, X)"""
    validate(theta0, phi, p_data)
    unnormalised = np.exp(log_q_reversed(phi)) * marginal(theta0, p_data, p_y)
    return unnormalised / np.sum(unnormalised, axis=1, keepdims=True)


def average_kl(theta, q_x, p_data, p_y):
    """E_p(y) KL(p_theta(x|y) || q(x|y)) for given q(x|y), (2, X) (lecture12 Lemma 1).  -> ()"""
    return np.dot(here(p_y), kl(class_laws(theta, p_data), q_x))


def weighted_js(theta, p_data, p_y):
    """E_p(y) KL(p_theta(x|y) || p_theta(x)), the information of x about y; JSD(p_g || p_data) for uniform labels."""
    laws = class_laws(theta, p_data)
    return np.dot(here(p_y), kl(laws, np.stack(2 * [np.dot(here(p_y), laws)])))


def optimal_phi(theta, p_data, p_y):
    """The discriminator that is the posterior of the label, q(y|x) = p(y) p(x|y) / p(x)."""
    generated, real = class_laws(theta, p_data)
    return {"D": np.log(p_y[1] * real) - np.log(p_y[0] * generated)}


def score_theta(theta):
    """dlog p_g(x)/dtheta for every x: one-hot minus p_g.  -> {"x": (X, X)}, one row a value of x"""
    return {"x": onp.eye(len(theta["x"])) - onp.exp(log_generator(theta))}


# ---- small random cases ---------------------------------------------------------------

def random_case(seed, X=6):
    """A random generator, discriminator, data law and label prior, none of them uniform."""
    rng = onp.random.default_rng(seed)
    return {"theta": {"x": rng.normal(size=X)}, "phi": {"D": rng.normal(size=X)},
            "p_data": rng.dirichlet(2 * onp.ones(X)), "p_y": rng.permutation([0.3, 0.7])}


def uniform_case(seed, X=6):
    """As random_case, with both labels equally probable."""
    return {**random_case(seed, X), "p_y": UNIFORM}


def optimal_case(seed, X=6):
    """As uniform_case, with the discriminator that is optimal for this generator."""
    case = uniform_case(seed, X)
    return {**case, "phi": optimal_phi(case["theta"], case["p_data"], UNIFORM)}


def _label_law(p_y):
    """p(y), UNIFORM or given, where the other arrays are."""
    p_y = here(p_y)
    validate(p_y=p_y)
    return p_y


def validate(theta=None, phi=None, p_data=None, p_y=None):
    """Raise ValueError, saying which, if a parameter has a wrong shape, or p_data or p_y is no distribution."""
    if theta is not None:
        valid.parameters("theta", theta, {"x": (None if p_data is None else len(p_data),)})
    if phi is not None:
        valid.parameters("phi", phi, {"D": (None if theta is None else len(theta["x"]),)})
    if p_data is not None:
        valid.distribution("p_data", p_data)
    if p_y is not None:
        valid.shape("p_y", p_y, (2,))
        valid.distribution("p_y", p_y)
