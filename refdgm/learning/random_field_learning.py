r"""Learning a neural random field by maximum likelihood: exactly, and by Algorithm 6 (ou2018 Sec. 4.2.1, Eq. 34).

    F_theta = mean of du(x~)/dtheta over the data - mean of du(x)/dtheta over x ~ p

    exact ML    the second mean is a sum over all states, or an integral                            (Eq. 34)
    SML         it is a mean over persistent chains, each moved a few times a step by a kernel that leaves today's p
                invariant: Gibbs sweeps where x is bits, MALA where x is real                       (Algorithm 6)

The field is undirected.neural_field; sigma is None for bits, else the reference is N(0, sigma^2 I). The parameters are
{"theta": ...}; the chains are in the memory. exact() says what is reached.
x (B, D), the chains (C, D).

The mean log p(x) of two bits that always agree, at the start and after 100 steps; at most it is -log 2.

>>> import numpy as np
>>> import refdgm
>>> from refdgm.learning.random_field_learning import exact, exact_ml
>>> x, steps = np.array([[0.0, 0.0], [1.0, 1.0]]), refdgm.updates.constant(0.5)
>>> fit = refdgm.fit(exact_ml(J=4), x, 100, schedule=steps, monitor=exact(x))
>>> [round(float(log_p), 2) for log_p in fit.history["log_p"]]
[-1.38, -0.74]
"""

from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.fitting import Algorithm
from refdgm.streams import Stream
from refdgm.undirected import neural_field

CHAINS = 2**30                  # the number of the first chain


def exact_ml(J=16, sigma=None):
    """E_p[du/dtheta] by enumeration or quadrature (ou2018 Eq. 34)."""
    begin = neural_field.start(J, sigma)

    def field(parameters, z, x):
        positive = neural_field.summed_gradient(parameters["theta"], x, np.full(len(x), 1 / len(x)))
        negative = neural_field.mean_gradient(parameters["theta"], sigma)
        return {"theta": {name: positive[name] - negative[name] for name in positive}}
    return Algorithm("exact ML", lambda x, seed: ({"theta": begin(x, seed)}, ()),
                     lambda parameters, memory, x, index, seed, t: ((), memory), field)


def sml(J=16, chains=100, number=1, sigma=None, eps=0.1, tested=True):
    """E_p[du/dtheta] from persistent chains, begun at the data and moved `number` times a step (ou2018 Alg. 6).

    eps is the variance of a Langevin step; untested steps leave another law invariant, off by a term in eps.
    """
    valid.count("chains", chains)
    valid.count("number", number)
    valid.positive("eps", eps)
    valid.require(isinstance(tested, bool), f"tested must be True or False, but is {tested!r}.")
    begin = neural_field.start(J, sigma)

    def first(x, seed):
        return {"theta": begin(x, seed)}, {"x": x[np.arange(chains) % len(x)]}

    def draw(parameters, memory, x, index, seed, t):
        s = Stream(seed, CHAINS + np.arange(chains, dtype=np.uint32), t)
        z = neural_field.moves(parameters["theta"], memory["x"], sigma, eps, number, s, tested)
        return z, {"x": z}
    return Algorithm("SML", first, draw,
                     lambda parameters, z, x: {"theta": neural_field.direction(parameters["theta"], x, z)})


def exact(data, test=None, sigma=None):
    """A monitor: the mean log p(x), with Z a sum over all states or an integral."""
    valid.data_and_test(data, test)

    def look(parameters):
        numbers = {"log_p": np.mean(neural_field.log_prob(parameters["theta"], data, sigma))}
        if test is not None and len(test):
            numbers["test_log_p"] = np.mean(neural_field.log_prob(parameters["theta"], test, sigma))
        return numbers
    return look
