r"""What a gradient costs (kingma2019 App. A.3): reverse mode takes a small multiple of the time of the value.

    value      h_k = tanh(W_k h_{k-1}),  k = 1..K              one product with each W_k
    gradient   delta_k = W_{k+1}' delta_{k+1} (1 - h_k^2)      one more product with each W_k but the first
               dL/dW_k = delta_k h_{k-1}'                      one outer product for each W_k

for L = sum(h_K), so three times the multiplications of the value, less those of the first layer, however deep and wide
the network: the same order of time. Forward mode and differences take a pass for each of the P parameters.

Ws = [(n_1, n_0), ..., (n_K, n_{K-1})], x (n_0,). A Counter multiplies matrices, and counts.

Multiplications for each one of the value's, by backpropagation and by differences:

    >>> from refdgm.directed.backpropagation import cost_ratio, differences, gradient, random_case
    >>> [round(cost_ratio(method)(**random_case(0)), 2) for method in (gradient, differences)]
    [2.63, 98.0]
"""

from refdgm.backend import xp as np
from refdgm.checking import Claim, equals


class Counter:
    """Matrix products that add up how many scalar multiplications they took."""
    def __init__(self):
        self.multiplications = 0

    def dot(self, A, B):
        self.multiplications += A.size * (B.size // B.shape[0])
        return A @ B


def value(Ws, x, counter):
    """The layers h_0, ..., h_K, and their objective sum(h_K) (kingma2019 App. A.3)."""
    layers = [x]
    for W in Ws:
        layers.append(np.tanh(counter.dot(W, layers[-1])))
    return layers, np.sum(layers[-1])


def gradient(Ws, x, counter):
    """dL/dW_k for every layer, by backpropagation (kingma2019 App. A.3).  -> [(n_1, n_0), ...]"""
    layers, _ = value(Ws, x, counter)
    by_h, gradients = np.ones_like(layers[-1]), []
    for k in range(len(Ws), 0, -1):
        delta = by_h * (1 - layers[k]**2)
        gradients.insert(0, counter.dot(delta[:, None], layers[k - 1][None, :]))
        if k > 1:
            by_h = counter.dot(Ws[k - 1].T, delta)
    return gradients


# ---- claims ---------------------------------------------------------------------------

def random_case(seed):
    """A network of two to five layers of different widths."""
    rng = np.random.default_rng(seed)
    widths = rng.integers(3, 9, rng.integers(3, 7))
    return {"Ws": [rng.normal(size=shape) / np.sqrt(shape[1]) for shape in zip(widths[1:], widths)],
            "x": rng.normal(size=widths[0])}


def cost_ratio(method):
    """The multiplications that method(Ws, x, counter) takes, for each of the value's."""
    def ratio(Ws, x):
        alone, counter = Counter(), Counter()
        value(Ws, x, alone)
        method(Ws, x, counter)
        return counter.multiplications / alone.multiplications
    return ratio


def three_times_but_once(Ws, x):
    """The oracle, from the shapes: three products with each W_k, but two with the first; below three."""
    return (3 * sum(W.size for W in Ws) - Ws[0].size) / sum(W.size for W in Ws)


def differences(Ws, x, counter, h=1e-6):
    """A second value for each parameter."""
    Ws = [W.copy() for W in Ws]
    base = value(Ws, x, counter)[1]
    gradients = [np.zeros_like(W) for W in Ws]
    for W, g in zip(Ws, gradients):
        for index in np.ndindex(W.shape):
            W[index] += h
            g[index] = (value(Ws, x, counter)[1] - base) / h
            W[index] -= h
    return gradients


def forward_mode(Ws, x, counter):
    """A tangent for each parameter, carried along with the value: sum over the layers after it."""
    layers, _ = value(Ws, x, counter)
    gradients = []
    for k, W in enumerate(Ws, 1):
        tangents = np.kron(np.eye(len(W)), layers[k - 1]) * (1 - layers[k]**2)[:, None]     # (n_k, n_k n_{k-1})
        for m in range(k + 1, len(Ws) + 1):
            tangents = counter.dot(Ws[m - 1], tangents) * (1 - layers[m]**2)[:, None]
        gradients.append(np.sum(tangents, axis=0).reshape(W.shape))
    return gradients


def recomputed(Ws, x, counter):
    """Backpropagation that forgets the layers, and computes them again for each W_k."""
    for _ in Ws[1:]:
        value(Ws, x, counter)
    return gradient(Ws, x, counter)


CLAIMS = [
    Claim("kingma2019.A.3.cheap", cost_ratio(gradient), equals(three_times_but_once, random_case),
          {"forward mode, a tangent for each parameter": cost_ratio(forward_mode),
           "differences, a value for each parameter": cost_ratio(differences),
           "the layers computed again for each weight matrix": cost_ratio(recomputed)}),
]
