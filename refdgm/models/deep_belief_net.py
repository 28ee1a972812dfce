r"""A deep belief net is not an undirected model: its layers are directed, but for the top two (ou2018 Sec. 4.1).

    DBN   p(v, h1, h2) = p(v|h1) p(h1, h2),  the pair (h1, h2) an RBM, v drawn from it in a single pass down
    DBM   p(v, h1, h2) = exp(v'W h1 + b'v + h1'U h2 + a'h1 + d'h2) / Z,  undirected in every layer

They share all parameters and differ in one factor: p(v|h1) is normalised for each h1, exp(v'W h1 + b'v) is not. So the
visible biases of a DBN cannot change p(h1), and those of a DBM do.

theta = {"W": (D, H), "b": (D,), "U": (H, G), "a": (H,), "d": (G,)}. Tables over all states are (2**D, 2**H, 2**G).

How far the same parameters are from saying the same, in total variation:

>>> import numpy as np
>>> from refdgm.models.deep_belief_net import deep_belief_net, deep_boltzmann_machine, random_case
>>> theta = random_case(0)["theta"]
>>> round(float(np.abs(deep_belief_net(theta) - deep_boltzmann_machine(theta)).sum() / 2), 3)
0.084
"""

from refdgm.backend import xp as np
from refdgm.checking import Claim, equals
from refdgm.numerics import all_binary, bernoulli_log_prob, softmax


def top_potential(theta):
    """h1'U h2 + a'h1 + d'h2 of the RBM on top.  -> (2**H, 2**G)"""
    H, G = theta["U"].shape
    h1, h2 = all_binary(H), all_binary(G)
    return h1 @ theta["U"] @ h2.T + (h1 @ theta["a"])[:, None] + h2 @ theta["d"]


def log_visible(theta):
    """log p(v|h1), a layer of a sigmoid belief net.  -> (2**D, 2**H)"""
    D, H = theta["W"].shape
    return bernoulli_log_prob(all_binary(D)[:, None, :], all_binary(H) @ theta["W"].T + theta["b"])


def deep_belief_net(theta):
    """p(v|h1) p(h1, h2).  -> (2**D, 2**H, 2**G)"""
    top = top_potential(theta)
    return np.exp(log_visible(theta))[:, :, None] * softmax(top.ravel()).reshape(top.shape)


def deep_boltzmann_machine(theta):
    """exp(v'W h1 + b'v + h1'U h2 + a'h1 + d'h2) / Z.  -> (2**D, 2**H, 2**G)"""
    D, H = theta["W"].shape
    v = all_binary(D)
    u = (v @ theta["W"] @ all_binary(H).T + (v @ theta["b"])[:, None])[:, :, None] + top_potential(theta)
    return softmax(u.ravel()).reshape(u.shape)


def random_case(seed, D=3, H=2, G=3):
    rng = np.random.default_rng(seed)
    shapes = {"W": (D, H), "b": D, "U": (H, G), "a": H, "d": G}
    return {"theta": {name: rng.normal(size=shape) for name, shape in shapes.items()}}


# ---- claims ---------------------------------------------------------------------------

def generated(theta):
    """How a DBN generates, one bit at a time: Gibbs sampling of (h1, h2) for long, then one pass down to v."""
    H, G = theta["U"].shape
    def sigma(a): return 1 / (1 + np.exp(-a))
    def p(bits, means): return np.prod(np.where(bits == 1, means, 1 - means), axis=-1)
    h1, h2 = all_binary(H), all_binary(G)
    up = np.array([p(h2, sigma(theta["U"].T @ h + theta["d"])) for h in h1])
    down = np.array([p(h1, sigma(theta["U"] @ h + theta["a"])) for h in h2])
    visible = np.array([p(all_binary(len(theta["b"])), sigma(theta["W"] @ h + theta["b"])) for h in h1])
    h1_after_long = np.linalg.matrix_power(up @ down, 2**14)[0]             # from any state: its row
    return visible.T[:, :, None] * (h1_after_long[:, None] * up)


def sigmoid_belief_net(theta):
    """Directed all the way: h2 from its biases, then h1, then v."""
    H, G = theta["U"].shape
    h1, h2 = all_binary(H), all_binary(G)
    p_h2 = np.exp(bernoulli_log_prob(h2, theta["d"]))
    p_h1 = np.exp(bernoulli_log_prob(h1[:, None, :], h2 @ theta["U"].T + theta["a"]))
    return np.exp(log_visible(theta))[:, :, None] * (p_h1 * p_h2)


def upside_down(theta):
    """The visible layer undirected, the top directed: p(v, h1) an RBM, h2 from h1."""
    H, G = theta["U"].shape
    v, h1 = all_binary(len(theta["b"])), all_binary(H)
    u = v @ theta["W"] @ h1.T + (v @ theta["b"])[:, None] + h1 @ theta["a"]
    p_h2 = np.exp(bernoulli_log_prob(all_binary(G), (h1 @ theta["U"] + theta["d"])[:, None, :]))
    return softmax(u.ravel()).reshape(u.shape)[:, :, None] * p_h2


CLAIMS = [
    Claim("ou2018.rf.dbn", deep_belief_net, equals(generated, random_case),
          {"directed in the top two layers, too": sigmoid_belief_net,
           "the RBM at the bottom": upside_down},
          printed=deep_boltzmann_machine),
]
