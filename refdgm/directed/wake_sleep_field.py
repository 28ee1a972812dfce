r"""Wake-sleep follows no single objective (kingma2019 Sec. 1.1).

    wake-sleep    F_theta = E_{p~ q}[grad_theta log p(x, h)],    F_phi = E_p[grad_phi log q(h|x)]
    VAE           F = grad L(theta, phi) of the one bound L = E_{p~ q}[log p(x, h) - log q(h|x)]

A field is a gradient only if its Jacobian J is symmetric. That of L is; of the wake-sleep field

    (J - J')_{theta, phi} = E_{p~ q}[s_theta s_phi'] - E_p[s_theta s_phi'],    s the scores of p(x, h) and of q(h|x),

and the other blocks of J - J' are zero: the two phases average the same product under different laws, the data's and
the model's. It vanishes where they agree, p~(x) q(h|x) = p(x, h). The model is `tables`, p~ is p_data (X,).

The largest entry of J - J', for any q and where the two laws agree:

    >>> import numpy as np
    >>> from refdgm.directed.wake_sleep_field import random_case, rotation, tables
    >>> theta, phi, p_data = random_case(0).values()
    >>> agreed = theta, {"q": theta["joint"]}, np.exp(tables.log_marginal(theta))
    >>> [round(float(abs(rotation(*case)).max()), 3) for case in ((theta, phi, p_data), agreed)]
    [0.085, 0.0]
"""
import autograd.numpy as np
from autograd import grad, jacobian

from refdgm.backend import xp as onp
from refdgm.checking import GRADIENT, Claim, equals
from refdgm.models import tables


def cross_moment(theta, phi, law):
    """sum over (x, h) of law(x, h) s_theta s_phi' (kingma2019 Sec. 1.1).  law (X, H) -> (n_theta, n_phi)"""
    cells = law.size
    by_theta = tables.score_theta(theta)["joint"].reshape(cells, -1)
    by_phi = tables.score_phi(phi)["q"].reshape(cells, -1)
    return (law.reshape(cells, 1) * by_theta).T @ by_phi


def wake_law(phi, p_data):
    """p~(x) q(h|x), under which the wake phase averages.  -> (X, H)"""
    return p_data[:, None] * np.exp(tables.log_q(phi))


def rotation(theta, phi, p_data):
    """The theta-phi block of J - J' of the wake-sleep field (kingma2019 Sec. 1.1).  -> (n_theta, n_phi)"""
    return (cross_moment(theta, phi, wake_law(phi, p_data))
            - cross_moment(theta, phi, onp.exp(tables.log_joint(theta))))


# ---- claims ---------------------------------------------------------------------------

def random_case(seed):
    return tables.random_case(seed, X=3, H=2)


def fields(p_data, X=3, H=2):
    """The wake-sleep field and that of the VAE, as functions of all parameters in one vector."""
    def split(v):
        return {"joint": np.reshape(v[:X * H], (X, H))}, {"q": np.reshape(v[X * H:], (X, H))}

    def surrogate(v, wake, sleep):
        theta, phi = split(v)
        return np.sum(wake * tables.log_joint(theta)) + np.sum(sleep * tables.log_q(phi))

    def wake_sleep(v):          # the averages' laws are arguments: their dependence on v is seen by J, not by F
        theta, phi = split(v)
        return grad(surrogate)(v, wake_law(phi, p_data), np.exp(tables.log_joint(theta)))

    def bound(v):
        theta, phi = split(v)
        return np.sum(wake_law(phi, p_data) * (tables.log_joint(theta) - tables.log_q(phi)))
    return wake_sleep, grad(bound)


def asymmetry(theta, phi, p_data):
    """J - J' of both fields, by autograd."""
    v = onp.concatenate([theta["joint"].reshape(-1), phi["q"].reshape(-1)])
    jacobians = [jacobian(field)(v) for field in fields(p_data)]
    return {name: J - J.T for name, J in zip(("wake-sleep", "vae"), jacobians)}


def predicted(wake_sleep=rotation, vae=lambda theta, phi, p_data: 0 * rotation(theta, phi, p_data)):
    """J - J' of both fields from their theta-phi blocks."""
    def both(theta, phi, p_data):
        found = {}
        for name, block in (("wake-sleep", wake_sleep), ("vae", vae)):
            C = block(theta, phi, p_data)
            found[name] = onp.vstack([onp.hstack([onp.zeros((len(C),) * 2), C]),
                                      onp.hstack([-C.T, onp.zeros((C.shape[1],) * 2)])])
        return found
    return both


CLAIMS = [
    Claim("kingma2019.sec1.1.wakesleep", predicted(), equals(asymmetry, random_case, rtol=GRADIENT, method="autodiff"),
          {"wake-sleep is a gradient field": predicted(wake_sleep=lambda *c: 0 * rotation(*c)),
           "the VAE's field is none": predicted(vae=rotation),
           "the wake phase alone": predicted(wake_sleep=lambda theta, phi, p_data: cross_moment(
               theta, phi, wake_law(phi, p_data))),
           "the phases exchanged": predicted(wake_sleep=lambda *c: -rotation(*c))}),
]
