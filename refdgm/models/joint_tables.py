r"""Joint distributions over several discrete variables, as arrays: one axis a variable, one entry a cell.

The encoder and decoder of a generalised denoising autoencoder over (x, z0, z1, zbar) (bachman2015 Sec. 2):

    q(x, z0, z1, zbar) = D(x) q(z0|x) q(z1|x, z0) q(zbar|x, z0, z1)     p(x, z0, z1|zbar)

phi = {"z0": (X, Z0), "z1": (X, Z0, Z1), "zbar": (X, Z0, Z1, Zbar)}: logits, a softmax over the last axis;
theta = {"decoder": (X, Z0, Z1, Zbar)}: logits, a softmax over all but the last axis;  D : (X,).

A summed-out axis stays, with length one, so that factors multiply by broadcasting: q / marginal(q, X) is q(.|x).

A random encoder: how much the code zbar knows of x, in nats.

>>> from refdgm.models.joint_tables import X, ZBAR, encoder, mutual_information, random_case
>>> case = random_case(0)
>>> round(float(mutual_information(encoder(case["phi"], case["D"]), (X,), (ZBAR,))), 4)
0.0254
"""
import autograd.numpy as np

from refdgm import numerics
from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.numerics import log_sum_exp, softmax

X, Z0, Z1, ZBAR = range(4)      # the axes of a table
Z = (Z0, Z1)


def marginal(p, *keep):
    """The law of the variables `keep`: all other axes are summed and stay with length one."""
    return np.sum(p, axis=tuple(i for i in range(np.ndim(p)) if i not in keep), keepdims=True)


def conditional(p, *given):
    """The law of all other variables given the variables `given`, in the shape of p."""
    return p / marginal(p, *given)


def kl(q, p):
    """KL(q || p) of two tables, with 0 log 0 = 0. Raises ValueError unless both are distributions and p covers q."""
    valid.require(np.shape(q) == np.shape(p), f"q and p must have the same cells, not {np.shape(q)} and {np.shape(p)}.")
    return numerics.kl(np.reshape(q, -1), np.reshape(p, -1))


def mutual_information(q, a, b):
    """I_q(a; b) = KL(q(a, b) || q(a) q(b)) for two tuples of axes."""
    return kl(marginal(q, *a, *b), marginal(q, *a) * marginal(q, *b))


# ---- encoder and decoder --------------------------------------------------------------

def encoder_conditionals(phi):
    """q(z0|x), q(z1|x, z0), q(zbar|x, z0, z1), each with four axes."""
    z0, z1, zbar = softmax(phi["z0"]), softmax(phi["z1"]), softmax(phi["zbar"])
    return z0[:, :, None, None], z1[:, :, :, None], zbar


def encoder(phi, D):
    """q(x, z0, z1, zbar) = D(x) q(z0|x) q(z1|x, z0) q(zbar|x, z0, z1) (bachman2015 Sec. 2)."""
    z0, z1, zbar = encoder_conditionals(phi)
    return np.reshape(D, (-1, 1, 1, 1)) * z0 * z1 * zbar


def decoder(theta):
    """p(x, z0, z1|zbar), which sums to one for each zbar."""
    logits = theta["decoder"]
    flat = np.reshape(logits, (-1, logits.shape[ZBAR]))
    return np.exp(logits - log_sum_exp(flat, axis=0))


# ---- small random cases ---------------------------------------------------------------

def random_joints(seed, shape=(3, 2, 3, 2)):
    """Two dependent laws q and p over four variables, with nothing in common but their cells."""
    rng = onp.random.default_rng(seed)
    return {"q": rng.dirichlet(onp.ones(onp.prod(shape))).reshape(shape),
            "p": rng.dirichlet(3 * onp.ones(onp.prod(shape))).reshape(shape)}


def noisy_copies(seed, shape=(2, 3, 4, 3), states=3):
    """Two laws q and p of four noisy copies of one hidden cause, whose law alone differs; the later, the less noisy.

    Dependent variables share their divergence: the joint one is far below the sum of the marginal ones.
    """
    rng = onp.random.default_rng(seed)
    cause_q = rng.dirichlet(3 * onp.ones(states))
    cause_p = onp.asarray(softmax(onp.log(cause_q) + rng.normal(size=states)))
    copies = [(1 - noise) * onp.eye(n)[onp.arange(states) % n] + noise * rng.dirichlet(onp.ones(n), states)
              for noise, n in zip((0.6, 0.3, 0.2, 0.05), shape)]
    return {name: onp.einsum("c,ca,cb,cd,ce->abde", cause, *copies) for name, cause in (("q", cause_q), ("p", cause_p))}


def random_case(seed, shape=(3, 2, 3, 4)):
    """A random encoder, decoder and data distribution, none of them uniform."""
    rng = onp.random.default_rng(seed)
    phi = {"z0": rng.normal(size=shape[:2]), "z1": rng.normal(size=shape[:3]), "zbar": rng.normal(size=shape)}
    return {"theta": {"decoder": rng.normal(size=shape)}, "phi": phi, "D": rng.dirichlet(2 * onp.ones(shape[0]))}


def near_optimal_case(seed, shape=(3, 2, 3, 4), distance=0.3):
    """As random_case, with a decoder close to the optimal one, q(x, z0, z1|zbar)."""
    case = random_case(seed, shape)
    theta = optimal_theta(case["phi"], case["D"])
    return {**case, "theta": {"decoder": theta["decoder"] + distance * case["theta"]["decoder"]}}


def optimal_theta(phi, D):
    """The decoder p(x, z|zbar) = q(x, z|zbar), at which KL(q || p) = 0 under the aggregate prior."""
    return {"decoder": np.log(conditional(encoder(phi, D), ZBAR))}


def islands_case(seed, X=3, shape=(2, 3)):
    """An encoder that gives every x codes zbar of its own, two or more: the supports of q(zbar|x) are disjoint."""
    rng = onp.random.default_rng(seed)
    owner = rng.permutation(onp.repeat(onp.arange(X), rng.integers(2, 4, X)))
    mine = owner == onp.arange(X)[:, None, None, None]
    logits = rng.normal(size=(X, *shape, len(owner)))
    phi = {"z0": rng.normal(size=(X, shape[0])), "z1": rng.normal(size=(X, *shape)),
           "zbar": onp.where(mine, logits, -onp.inf)}
    return {"phi": phi, "D": rng.dirichlet(2 * onp.ones(X))}


def validate(theta, phi, D):
    """Raise ValueError, saying which, if a parameter has a wrong shape or is not finite, or D is no distribution."""
    shape = np.shape(phi["zbar"])
    valid.shape("phi['zbar']", phi["zbar"], (None,) * 4)
    valid.shape("phi['z0']", phi["z0"], shape[:2])
    valid.shape("phi['z1']", phi["z1"], shape[:3])
    valid.shape("theta['decoder']", theta["decoder"], shape)
    valid.shape("D", D, shape[:1])
    valid.finite("phi", phi)
    valid.finite("theta", theta)
    valid.distribution("D", D)
