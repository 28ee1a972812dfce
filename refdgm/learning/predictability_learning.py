r"""Predictability minimisation: a code whose units cannot be guessed from each other (lecture12 Sec. 1.1.3).

    code        y_i(x) = sigmoid(W x + c)_i, i = 1..n
    predictor   P_i = sigmoid(b_i' tanh(A_i y_{-i} + a_i) + d_i), J hidden units each, blind to y_i
    the game    max over phi  min over psi  of  V = sum_i mean_x (P_i(y_{-i}(x)) - y_i(x))^2

The best predictors leave sum_i E Var(y_i|y_{-i}), and a variance is at most 1/4; so V is at most n/4, which takes bits
that are fair and independent: of 2**n equally frequent x, the code is then a bijection. The outputs are real numbers
and not draws, for units that were noise, Bern(1/2) whatever x is, could not be predicted either.

exact() rounds the units to bits and has, by counting, what the best predictors leave of them and what they tell of x.
parameters = {"phi": {"W": (n, D), "c": (n,)}, "psi": {"A": (n, J, n-1), "a": (n, J), "b": (n, J), "d": (n,)}}.

Two units that copy each other leave nothing unpredicted; two fair ones that know nothing of each other leave n/4.

>>> import numpy as np
>>> from refdgm.learning.predictability_learning import unpredicted
>>> float(unpredicted(np.array([[0.5, 0.0], [0.0, 0.5]]))), float(unpredicted(np.full((2, 2), 0.25)))
(0.0, 0.5)
"""
import autograd.numpy as np
from autograd import grad

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.fitting import Algorithm
from refdgm.numerics import sigmoid
from refdgm.streams import normals, stream

PHI, PSI = 2**31, 2**31 + 1             # the chains whose normal numbers make the weights at the start


def code(phi, x):
    """y(x).  (B, D) -> (B, n)"""
    return sigmoid(np.dot(x, phi["W"].T) + phi["c"])


def others(y):
    """y_{-i} for every unit i.  (B, n) -> (n, B, n - 1)"""
    n = y.shape[1]
    rest = onp.array([[j for j in range(n) if j != i] for i in range(n)])
    return np.transpose(y[:, rest], (1, 0, 2))


def predict(psi, y):
    """P_i(y_{-i}) for every unit.  (B, n) -> (B, n)"""
    hidden = np.tanh(np.matmul(others(y), np.transpose(psi["A"], (0, 2, 1))) + psi["a"][:, None, :])
    return sigmoid(np.sum(hidden * psi["b"][:, None, :], axis=-1).T + psi["d"])


def objective(parameters, x):
    """V = sum_i mean_x (P_i - y_i)^2 (lecture12 Sec. 1.1.3).  -> ()"""
    valid.count("the number of rows of x", len(x))
    y = code(parameters["phi"], x)
    return np.mean(np.sum((predict(parameters["psi"], y) - y)**2, axis=1))


def predictability_minimisation(n=3, J=8, speed=10.0):
    """A code of n units with a linear encoder; the predictors move `speed` times as fast."""
    valid.count("the number of units n", n, 2)
    valid.count("J", J)
    valid.positive("speed", speed)
    gradient = grad(objective)

    def start(x, seed):
        D, rest = x.shape[1], n - 1
        W = normals(stream(seed, 1, first=PHI), n * D)[0].reshape(n, D)
        A, b = onp.split(normals(stream(seed, 1, first=PSI), n * J * n)[0], [n * J * rest])
        return {"phi": {"W": W, "c": -W @ x.mean(axis=0)},
                "psi": {"A": 2 * A.reshape(n, J, rest), "a": onp.zeros((n, J)), "b": b.reshape(n, J) / J**0.5,
                        "d": onp.zeros(n)}}, ()

    def field(parameters, z, x):
        F = gradient(parameters, x)
        return {"phi": F["phi"], "psi": {leaf: -speed * g for leaf, g in F["psi"].items()}}
    return Algorithm("predictability minimisation", start, lambda parameters, memory, x, index, seed, t: ((), memory),
                     field)


# ---- what is reached, exactly ---------------------------------------------------------

def law_of_bits(phi, data):
    """How frequent each code is once its units are rounded.  -> (2, .., 2), one axis a unit"""
    bits = (code(phi, data) > 0.5).astype(int)
    p = onp.zeros((2,) * bits.shape[1])
    onp.add.at(p, tuple(bits.T), 1 / len(data))
    return p


def unpredicted(p):
    """sum_i E Var(y_i|y_{-i}), what the best predictors leave; states that do not occur count nothing.  -> ()"""
    left = 0.0
    for i in range(p.ndim):
        off, on = onp.take(p, 0, axis=i), onp.take(p, 1, axis=i)
        total = off + on
        left += onp.sum((off * on)[total > 0] / total[total > 0])
    return left


def exact(data):
    """A monitor: what is left unpredicted of the bits (at most n/4), their information I(y; x) in nats, and V."""
    valid.data_and_test(data)

    def look(parameters):
        p = law_of_bits(parameters["phi"], data)
        frequent = p[p > 0]
        return {"unpredicted": unpredicted(p), "information": -onp.sum(frequent * onp.log(frequent)),
                "V": objective(parameters, data)}
    return look
