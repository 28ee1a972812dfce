r"""The encoder's gradient of KL(q || p) under an aggregate prior, with discrete codes (bachman2015 Eqs. 17, 20).

Where samples cannot move, a gradient in phi acts on densities at fixed states, as in the sums of the supplement:

    Eq. 17   grad log q(zbar) = E_{q(x,z|zbar)}[grad log q(zbar|x,z) + grad log q(x,z)]
    Eq. 20   its terms grad log q(z|x) - grad log p(x,z|zbar) then have mean zero: it says grad KL = 0. What holds is
             grad KL = E_q[(log q(z|x) - log p(x,z|zbar)) grad log q(z,zbar|x)] + grad I_q(zbar; (x,z)),
             the gradient of E_q[log q(z|x) - log p(x,z|zbar)] and, again, that of the information

Tables have the axes (x, z0, z1, zbar) of `refdgm.models.joint_tables`; z = (z_0, z_1) is the supplement's y. Signals
may have a batch in front. With samples that move, see `encoder_gradient`.

At fixed states Eq. 20, as printed, has mean zero; the gradient has not:

    >>> from refdgm.autoencoders.encoder_score import grad_phi, grad_phi_printed, random_case
    >>> [round(float(abs(g(**random_case(0))["z1"]).max()), 3) for g in (grad_phi_printed, grad_phi)]
    [0.0, 0.095]
"""
import autograd.numpy as np
from autograd import jacobian

from refdgm.checking import GRADIENT, Claim, equals, is_gradient_of
from refdgm.models.joint_tables import (ZBAR, X, Z, decoder, encoder, encoder_conditionals, kl, marginal, random_case)


def mean_score(phi, D, signal, of=("z0", "z1", "zbar")):
    """E_q[signal grad log q(z, zbar|x)] by hand, or of the factors `of` only.  (..., table) -> dict of (..., *leaf)

    The score of a softmax is one-hot minus its probabilities: each leaf gets the signal's mean at (state, outcome),
    less the outcome's probability times its mean at the state.
    """
    z0, z1, zbar = encoder_conditionals(phi)
    mass = encoder(phi, D) * signal
    at_z0, at_z1 = np.sum(mass, axis=(-2, -1)), np.sum(mass, axis=-1)
    def centred(mean, q): return mean - q * np.sum(mean, axis=-1, keepdims=True)
    leaves = {"z0": centred(at_z0, z0[:, :, 0, 0]), "z1": centred(at_z1, z1[:, :, :, 0]), "zbar": centred(mass, zbar)}
    return {name: leaf if name in of else 0 * leaf for name, leaf in leaves.items()}


def aggregate_score(phi, D, of=("z0", "z1", "zbar"), posterior=True):
    """grad log q(zbar) = E_{q(x,z|zbar)}[grad log q(z, zbar|x)] for each zbar (bachman2015 Eq. 17).  -> (Zbar, *leaf)

    E_{q(x,z|zbar)} is the mean over q with the signal 1[this zbar] / q(zbar); D has no parameters.
    """
    here = np.eye(phi["zbar"].shape[ZBAR])[:, None, None, None, :]
    return mean_score(phi, D, here / marginal(encoder(phi, D), ZBAR) if posterior else here, of)


def log_ratios(theta, phi, D):
    """log q(z|x) - log p(x, z|zbar), and log q(zbar|x, z) - log q(zbar), as tables (bachman2015 Eq. 9)."""
    z0, z1, zbar = encoder_conditionals(phi)
    return (np.log(z0 * z1) - np.log(decoder(theta)), np.log(zbar) - np.log(marginal(encoder(phi, D), ZBAR)))


def grad_phi(theta, phi, D, information=1.0, of=("z0", "z1", "zbar")):
    """The encoder's gradient with both parts of the signal (bachman2015 Eq. 20, corrected).  -> dict"""
    reconstruction, about_zbar = log_ratios(theta, phi, D)
    return mean_score(phi, D, reconstruction + information * about_zbar, of)


def grad_phi_printed(theta, phi, D):
    """E_q[grad log q(z|x) - grad log p(x, z|zbar)] at fixed states: log p has no phi (bachman2015 Eq. 20).  -> dict"""
    return mean_score(phi, D, 1.0, of=("z0", "z1"))


# ---- claims ---------------------------------------------------------------------------

def divergence(theta, phi, D):
    """KL(q || p) with the aggregate prior, by its definition."""
    q = encoder(phi, D)
    return kl(q, decoder(theta) * marginal(q, ZBAR))


def log_q_zbar_jacobian(phi, D):
    return {name: jacobian(lambda leaf: np.log(np.ravel(marginal(encoder({**phi, name: leaf}, D), ZBAR))))(phi[name])
            for name in phi}


def encoder_case(seed):
    case = random_case(seed)
    return {"phi": case["phi"], "D": case["D"]}


def unposterior(phi, D):
    """The mean of the scores under q(x, z) at each zbar."""
    q = marginal(encoder(phi, D), X, *Z)
    here = np.eye(phi["zbar"].shape[ZBAR])[:, None, None, None, :]
    return mean_score(phi, D, here * q / encoder(phi, D))


CLAIMS = [
    Claim("bachman2015.eq17", aggregate_score, equals(log_q_zbar_jacobian, encoder_case, rtol=GRADIENT),
          {"the score of q(x, z) omitted": lambda **case: aggregate_score(**case, of=("zbar",)),
           "the mean under q(x, z), not q(x, z|zbar)": unposterior,
           "grad q(zbar), not of its log": lambda **case: aggregate_score(**case, posterior=False)}),
    Claim("bachman2015.eq20", grad_phi, is_gradient_of(divergence, "phi", random_case),
          {"the gradient of the information missing": lambda **case: grad_phi(**case, information=0.0),
           "the information subtracted": lambda **case: grad_phi(**case, information=-1.0),
           "the score of q(zbar|x, z) missing": lambda **case: grad_phi(**case, of=("z0", "z1"))},
          printed=grad_phi_printed),
]
