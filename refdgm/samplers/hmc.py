r"""Hamiltonian Monte Carlo (kingma2019 App. A.2.3; Neal 2011).

    H(z, r) = -log p(z) + |r|^2 / 2     the momentum r is drawn anew, r ~ N(0, I)
    leapfrog                            r += (eps/2) dlog p(z)/dz;  z += eps r;  r += (eps/2) dlog p(z)/dz,  L times
    proposal T(z, r)                    L leapfrog steps, then r -> -r
    accept with probability             min{1, exp(H(z, r) - H(T(z, r)))},  else stay at z

The gradient of log p(z|x) is that of the joint log p(x, z), so p need not be normalised. The chain is exact for every
eps because T undoes itself and preserves volume: the flow of probability from (z, r) to T(z, r) comes back.

z, r : (..., n); log_p and score take z; leading axes are chains.

Half of the step, twice as many of them: the error of H, which decides about acceptance, is a quarter.

>>> import numpy as np
>>> from refdgm.samplers.hmc import log_acceptance, proposal
>>> log_p, score = lambda z: -0.25 * (z**4).sum(axis=-1), lambda z: -z**3
>>> z, r = np.array([1.0]), np.array([1.0])
>>> errors = [float(log_acceptance(log_p, (z, r), proposal(score, z, r, eps, L))) for eps, L in ((0.1, 5), (0.05, 10))]
>>> round(errors[0] / errors[1], 1)
4.0
"""
import autograd.numpy as np
from autograd import elementwise_grad

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, vanishes


def leapfrog(score, z, r, eps, L):
    """L steps of the Stoermer-Verlet integrator (kingma2019 App. A.2.3).  (..., n), (..., n) -> (z, r)"""
    r = r + eps / 2 * score(z)
    for step in range(L):
        z = z + eps * r
        r = r + (eps if step < L - 1 else eps / 2) * score(z)
    return z, r


def proposal(score, z, r, eps, L):
    """T(z, r): a trajectory, and the momentum turned around.  (..., n), (..., n) -> (z, r)"""
    z, r = leapfrog(score, z, r, eps, L)
    return z, -r


def log_acceptance(log_p, old, new):
    """min{0, H(old) - H(new)} for old, new = (z, r) (kingma2019 App. A.2.3).  -> (...)"""
    return np.minimum(0.0, _energy(log_p, *old) - _energy(log_p, *new))


def _energy(log_p, z, r):
    return -log_p(z) + np.sum(r**2, axis=-1) / 2


def step(log_p, score, z, r, uniform, eps, L):
    """One move of every chain, given its momentum and a uniform number.  (..., n), (..., n), (...) -> (..., n)

    Raises ValueError unless eps > 0 and L >= 1.
    """
    valid.require(eps > 0, f"the step size eps must be positive, but is {eps}.")
    valid.count("the number of leapfrog steps L", L)
    new = proposal(score, z, r, eps, L)
    accepted = np.log(uniform) < log_acceptance(log_p, (z, r), new)
    return np.where(accepted[..., None], new[0], z)


# ---- claims ---------------------------------------------------------------------------

def log_target(z):
    """An unnormalised density in the plane, bent and with tails lighter than a Gaussian's."""
    return -z[..., 0]**2 / 2 - (z[..., 1] - z[..., 0]**2 / 2)**2 - z[..., 1]**4 / 20


def target_score(z):
    """Its gradient."""
    d = z[..., 1] - z[..., 0]**2 / 2
    return np.stack([-z[..., 0] + 2 * d * z[..., 0], -2 * d - z[..., 1]**3 / 5], axis=-1)


def random_case(seed):
    """Some states (z, r) where the target has its mass, and a step so large that many of the proposals are rejected.

    Far out the force is so steep that the trajectory flies away, and the way back multiplies every rounding error.
    """
    rng = onp.random.default_rng(seed)
    z, r = rng.uniform(-2.0, 2.0, size=(2, 4, 2))
    return {"z": z, "r": r, "eps": rng.uniform(0.45, 0.55), "L": 3}


def density(z, r):
    """pi(z, r): the target times N(r; 0, I), both up to a constant."""
    return np.exp(log_target(z)) * np.prod(np.exp(-r**2 / 2), axis=-1)


def imbalance(propose=proposal, log_accept=log_acceptance):
    """The flow from s = (z, r) to T(s), minus what comes back from there, for each s.

    pi(s) a(s -> T(s)) - pi(T(s)) a(T(s) -> T(T(s))) |det dT/ds|, and how far T(T(s)) is from s.
    """
    def of(z, r, eps, L):
        def T(s): return np.concatenate(propose(target_score, s[..., :2], s[..., 2:], eps, L), axis=-1)
        s = np.concatenate([z, r], axis=-1)
        dT = np.stack([elementwise_grad(lambda s: T(s)[:, i])(s) for i in range(s.shape[1])], axis=1)
        volume = np.abs(np.linalg.det(dT))
        there = T(s)
        back = T(there)
        here, there, back = [(state[:, :2], state[:, 2:]) for state in (s, there, back)]
        out = density(*here) * np.exp(log_accept(log_target, here, there))
        home = density(*there) * np.exp(log_accept(log_target, there, back)) * volume
        return np.concatenate([out - home, np.ravel(back[0] - z)])
    return of


def mean_flow(z, r, eps, L):
    """The scale: the mean density of the states."""
    return np.mean(density(z, r))


def euler(score, z, r, eps, L):
    """Both updates from old values: volume is not preserved."""
    for _ in range(L):
        z, r = z + eps * r, r + eps * score(z)
    return z, -r


def kick_drift(score, z, r, eps, L):
    """Whole steps of the momentum and then of the position: volume is preserved, time is not reversed."""
    for _ in range(L):
        r = r + eps * score(z)
        z = z + eps * r
    return z, -r


CLAIMS = [
    Claim("kingma2019.A.2.3.hmc", imbalance(), vanishes(mean_flow, random_case, method="autodiff"),
          {"leapfrog without the accept step": imbalance(log_accept=lambda log_p, old, new: np.zeros(len(old[0]))),
           "the ratio upside down": imbalance(log_accept=lambda log_p, old, new: log_acceptance(log_p, new, old)),
           "the momentum's energy left out": imbalance(log_accept=lambda log_p, old, new: np.minimum(
               0.0, log_p(new[0]) - log_p(old[0]))),
           "Euler steps": imbalance(euler),
           "no half steps at the ends": imbalance(kick_drift),
           "the momentum not turned around": imbalance(leapfrog)}),
]
