r"""Gradient ascent on the likelihood: where it ends, and what a step costs (kingma2019 Sec. 1.6.2).

    batch gradient    sum over all N data of grad log p(y|x): its cost is N times that of one
    hill-climbing     ends where the gradient is zero: at a local maximum, unless it starts on a path into a saddle

Two models: logistic regression, p(y=1|x) = sigmoid(lam . x), for the cost; and a network of one linear hidden unit,
p(y=1|u) = sigmoid(a b u), for the end. It is the smallest network with a saddle, at a = b = 0.
lam (D,), x (N, D), y (N,), u (N,).

The size of a b after an ascent that starts beside the path into the saddle, and on it:

    >>> import numpy as np
    >>> from refdgm.directed.batch_gradient import product_net_ascent
    >>> u, y = np.array([-1.0, 1.0, 2.0]), np.array([0.2, 0.8, 0.9])
    >>> [round(float(abs(np.prod(product_net_ascent(start, u, y)))), 4) for start in ((0.2, -0.1), (0.2, -0.2))]
    [1.2454, 0.0]
"""
import autograd.numpy as np
from autograd import grad

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, minimises
from refdgm.numerics import sigmoid, softplus


def gradient(lam, x, y):
    """The gradient of sum log p(y|x) over all N data (kingma2019 Sec. 1.6.2).  (D,), (N, D), (N,) -> (D,)"""
    return onp.sum((y - 1 / (1 + onp.exp(-onp.sum(x * lam, axis=1))))[:, None] * x, axis=0)


def product_net_ascent(start, u, y, rate=0.5, steps=400):
    """Gradient ascent on the log-likelihood of sigmoid(a b u), from (a, b) = start (kingma2019 Sec. 1.6.2).  -> (2,)"""
    a, b = start
    for _ in range(steps):
        slope = onp.mean((y - 1 / (1 + onp.exp(-a * b * u))) * u)       # in the product a b
        a, b = a + rate * slope * b, b + rate * slope * a
    return onp.array([a, b])


# ---- claims ---------------------------------------------------------------------------

class Counting(onp.ndarray):
    """An array that counts the numbers computed from it."""
    computed = 0

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        plain = [onp.asarray(i) for i in inputs]
        Counting.computed += max(onp.size(i) for i in plain)
        return onp.asarray(getattr(ufunc, method)(*plain, **kwargs)).view(Counting)


SIZES = (10, 20, 40, 80)


def data_case(seed, D=3):
    rng = onp.random.default_rng(seed)
    x = rng.normal(size=(SIZES[-1], D))
    return {"lam": rng.normal(size=D), "x": x, "y": rng.integers(0, 2, SIZES[-1]).astype(float)}


def cost(batch, lam, x, y):
    """How many numbers `batch` computes."""
    Counting.computed = 0
    batch(lam, x.view(Counting), y)
    return Counting.computed


def gradient_and_costs(batch=gradient):
    """The gradient of all data, and how many numbers are computed for the first 10, 20, 40, 80 of them."""
    return lambda lam, x, y: {"gradient": batch(lam, x, y),
                              "costs": onp.array([cost(batch, lam, x[:N], y[:N]) for N in SIZES])}


def linear_costs(lam, x, y):
    """The oracle: autograd's gradient, and N times the cost of one datum."""
    def log_likelihood(lam):
        t = np.dot(x, lam)
        return np.sum(y * t - softplus(t))
    return {"gradient": grad(log_likelihood)(lam), "costs": onp.array(SIZES) * cost(gradient, lam, x[:1], y[:1])}


def pairwise(lam, x, y):
    """All pairs of data are compared."""
    return gradient(lam, x, y) + onp.sum(x[:, None] - x[None], axis=(0, 1))


def product_net_case(seed):
    """Labels y in [0, 1], as frequencies, and a start near the saddle but not on the line a = -b that leads into it."""
    rng = onp.random.default_rng(seed)
    u = rng.normal(size=12)
    y = sigmoid(rng.uniform(1.0, 2.5) * u + rng.normal(size=12) / 4)
    return {"start": rng.uniform(0.1, 0.3, 2), "u": u, "y": y}


def into_the_saddle(seed):
    """The condition violated: the start lies on the line a = -b."""
    case = product_net_case(seed)
    return {**case, "start": onp.array([1.0, -1.0]) * case["start"][0]}


def product_net_loss(start, u, y):
    """-(1/N) log p(D): log(1 + e^t) - y t with t = a b u."""
    a, b = start
    return np.mean(softplus(a * b * u) - y * a * b * u)


CLAIMS = [
    Claim("kingma2019.sec1.6.batch", gradient_and_costs(), equals(linear_costs, data_case, method="autodiff"),
          {"a minibatch of five": gradient_and_costs(lambda lam, x, y: gradient(lam, x[:5], y[:5])),
           "quadratic: all pairs": gradient_and_costs(pairwise),
           "the gradient of the loss": gradient_and_costs(lambda lam, x, y: -gradient(lam, x, y))},
          host_only="its costs are counted by a subclass of NumPy's array"),
    Claim("kingma2019.sec1.6.local", product_net_ascent, minimises(product_net_loss, "start", product_net_case),
          {"downhill": lambda start, u, y: product_net_ascent(start, u, y, rate=-0.3),
           "stopped early": lambda start, u, y: product_net_ascent(start, u, y, steps=20),
           "large steps": lambda start, u, y: product_net_ascent(start, u, y, rate=200.0)},
          without=minimises(product_net_loss, "start", into_the_saddle)),
]
