r"""Learning a restricted Boltzmann machine (bachman2015 Sec. 5.4; ou2018 Sec. 4.2.1; yu2020 Sec. 3.3).

    F = E_data[grad log Z_x] - E_model[grad log Z_x],      grad log Z_x = (x z', x, z) with z = E[z|x]  (ou2018 Eq. 34)

              the model's states                                                  where it goes
    exact     all of them                                                         the maximum of the likelihood
    CD-k      the ends of k Gibbs steps from the rows (bachman2015 Eqs. 43-44)    near it, the nearer the larger k is
    PCD       the ends of chains that go on from step to step (ou2018 Alg. 6)     to it, if the steps decrease
    f-EBM     all of them, or such chains (yu2020 Alg. 1)                         the minimum of D_f[data||model]

f-EBM climbs E_data[A] - E_model[B] in omega and descends it in theta (yu2020 Eq. 18), with

    A = f'(r),  B = f*(f'(r)),  r = exp(H + E),      E = -log Z_x of theta,   H = a + log Z_x of the RBM omega

so that r = p/q at the best H, if omega has the units that it takes. With as many as theta and the same start, r = 1
stays, omega goes where theta goes, and every f learns as the likelihood does. Both move at once, where Algorithm 1
moves omega first.

Chains make a block Gibbs step v -> h -> v' as samplers/rbm_gibbs.py has it, compiled; chain n makes at step t of the
learning its steps (t - 1) k, ..., tk - 1. CD's chains are numbered like the rows, PCD's from CHAIN on.

parameters = {"theta": {"w": (D, H), "b": (D,), "c": (H,)}} as in refdgm.models.rbm, and for f-EBM {"omega": an RBM
of J hidden units with "a": ()}; x (B, D) are bits.

Against all four states, two bits that always agree do not pull at w = 0, a saddle, but at small weights they do:

>>> import numpy as np
>>> from refdgm.learning.rbm_learning import all_binary, contrast
>>> x, biases = np.array([[0.0, 0.0], [1.0, 1.0]]), {"b": np.zeros(2), "c": np.zeros(1)}
>>> pulls = [contrast({"w": np.full((2, 1), w), **biases}, x, all_binary(2))["w"][0, 0] for w in (0.0, 0.5)]
>>> [round(abs(float(pull)), 3) for pull in pulls]
[0.0, 0.027]
"""
from typing import NamedTuple

from refdgm import enumeration
from refdgm import validation as valid
from refdgm.adversarial import febm_algorithm
from refdgm.backend import xp as np
from refdgm.divergences import named
from refdgm.fitting import Algorithm
from refdgm.models import rbm
from refdgm.numerics import all_binary, softmax
from refdgm.samplers import rbm_gibbs
from refdgm.streams import Stream

CHAIN = 2**30                   # the first of the persistent chains' streams, apart from the rows'


def begin(H):
    """-> a function of (data, seed) that makes the parameters"""
    valid.count("H", H)
    return lambda x, seed: {"theta": rbm.start(x, H, seed)}


def gibbs(theta, x, chain, seed, t, k):
    """Where k Gibbs steps lead from x at step t of the learning; chain (C,) are numbers.  (C, D) -> (C, D)"""
    s = Stream(seed, np.asarray(chain, np.uint32), (t - 1) * k)
    state = rbm_gibbs.State(x, np.empty((len(x), len(theta["c"]))), s)
    return rbm_gibbs.run(theta, state, k, threads=1).state.v


def contrast(theta, data, model):
    """The mean of grad log Z_x over the rows of `data` minus that over those of `model`.  (B, D), (C, D) -> dict"""
    weights = np.repeat(np.array([1 / len(data), -1 / len(model)]), [len(data), len(model)])
    return rbm.mean_statistics(theta, weights, np.concatenate([data, model]))


# ---- the algorithms -------------------------------------------------------------------

def exact_ml(H=8):
    """The gradient of the mean log-likelihood, the model's part a sum over the states of the smaller layer."""
    make = begin(H)

    def field(parameters, z, x):
        theta = parameters["theta"]
        data = rbm.mean_statistics(theta, np.full(len(x), 1 / len(x)), x)
        model = enumeration.rbm_moments(theta, threads=1).mean
        return {"theta": {name: data[name] - model[name] for name in theta}}
    return Algorithm("exact ML", lambda x, seed: (make(x, seed), ()), lambda parameters, memory, *_: ((), memory),
                     field)


def cd(k=1, H=8):
    """Contrastive divergence: the chains start at the rows in each step (bachman2015 Eq. 44)."""
    valid.count("k", k)
    make = begin(H)

    def draw(parameters, memory, x, index, seed, t):
        return gibbs(parameters["theta"], x, index, seed, t, k), memory
    return Algorithm(f"CD-{k}", lambda x, seed: (make(x, seed), ()), draw, field_of_contrast)


def pcd(k=1, chains=100, H=8):
    """Persistent contrastive divergence: the chains start at rows, once, and are kept (ou2018 Algorithm 6)."""
    valid.count("k", k)
    valid.count("chains", chains)
    make = begin(H)

    def start(x, seed):
        return make(x, seed), {"v": x[np.arange(chains) % len(x)]}

    def draw(parameters, memory, x, index, seed, t):
        v = gibbs(parameters["theta"], memory["v"], np.arange(CHAIN, CHAIN + chains), seed, t, k)
        return v, {"v": v}
    return Algorithm(f"PCD-{k}", start, draw, field_of_contrast)


def field_of_contrast(parameters, z, x):
    """The rows against what the chains have reached, z (C, D)."""
    return {"theta": contrast(parameters["theta"], x, z)}


# ---- f-EBM ----------------------------------------------------------------------------

class States(NamedTuple):
    """What stands for the model's law."""
    x: np.ndarray               # (M, D)
    weights: np.ndarray         # (M,), summing to one


def febm(name="kl", H=8, J=None, chains=0, k=1):
    """Minimise the divergence `name` by the game of a model of H units with a critic of J, or as many (yu2020 Alg. 1).

    chains      persistent chains, k Gibbs steps a turn; 0 takes the mean over all 2**D states
    Raises ValueError for total variation, of which f'' = 0 says nothing of where to go. Data that lack a state are at
    an infinite distance where f(0) is infinite (reverse KL, Neyman, Jeffrey): no minimum is to be expected there.
    """
    make, J = begin(H), H if J is None else J
    valid.count("J", J)
    valid.count("chains", chains, 0)
    valid.count("k", k)
    valid.require(name != "total variation", "total variation has f'' = 0 and gives f-EBM no gradient.")
    named(name)

    def start(x, seed):
        if not chains:
            valid.enumerable(2**x.shape[1], f"an RBM of {x.shape[1]} visible units", x.shape[1])
        omega = {**rbm.start(x, J, seed), "a": np.array((H - J) * np.log(2.0))}             # r = 1, or nearly
        return {**make(x, seed), "omega": omega}, {"v": x[np.arange(chains) % len(x)]}

    def draw(parameters, memory, x, index, seed, t):
        theta = parameters["theta"]
        if not chains:
            states = all_binary(x.shape[1])
            return States(states, softmax(-rbm.free_energy(theta, states))), memory
        v = gibbs(theta, memory["v"], np.arange(CHAIN, CHAIN + chains), seed, t, k)
        return States(v, np.full(chains, 1 / chains)), {"v": v}

    def field(parameters, z, x):
        theta, omega = parameters["theta"], parameters["omega"]
        both = np.concatenate([x, z.x])
        for_theta, for_omega = weights(name, rbm.free_energy(theta, both), critic(omega, both), z.weights, chains)
        machine = {leaf: omega[leaf] for leaf in theta}
        return {"theta": rbm.mean_statistics(theta, for_theta, both),
                "omega": {**rbm.mean_statistics(machine, for_omega, both), "a": np.sum(for_omega)}}
    return Algorithm(f"f-EBM ({name})", start, draw, field)


def critic(omega, x):
    """H_omega(x) = a + log Z_x of the RBM omega.  (..., D) -> (...)"""
    return omega["a"] - rbm.free_energy(omega, x)


def weights(name, E, H, law, chains=0):
    """What multiplies grad log Z_x of theta, and that of omega, at each row of the data and each state of the model.

    E, H (B + M,) at the rows and at the states, whose law is (M,)  -> (B + M,), (B + M,)
    The score's covariance gets its N / (N - 1) where the states are N draws (yu2020 Theorem 3).
    """
    B = len(E) - len(law)
    on_data = febm_algorithm.slope_of_A(E[:B], H[:B], name) / B
    on_model = law * febm_algorithm.slope_of_B(E[B:], H[B:], name)
    reward = febm_algorithm.B(E[B:], H[B:], name)
    score = law * (reward - law @ reward) * (chains / (chains - 1) if chains > 1 else 1.0)
    return np.concatenate([on_data, score - on_model]), np.concatenate([on_data, -on_model])


# ---- what is reached, exactly ---------------------------------------------------------

def exact(data, test=None):
    """A monitor: mean log p(x) of the data, and of test data, log Z a sum over the states of the smaller layer."""
    valid.data_and_test(data, test)

    def look(parameters):
        theta = parameters["theta"]
        log_z = enumeration.rbm_log_partition(theta, threads=1)
        numbers = {"log_p": np.mean(-rbm.free_energy(theta, data)) - log_z}
        if test is not None and len(test):
            numbers["test_log_p"] = np.mean(-rbm.free_energy(theta, test)) - log_z
        return numbers
    return look
