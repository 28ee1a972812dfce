r"""A Bayesian network whose conditionals are neural networks (kingma2019 Eqs. 1.7-1.8).

    eta = NeuralNet(Pa(x)),   p(x | Pa(x)) = p(x | eta)

Here every node is Categorical, eta_j = softmax(U_j tanh(V_j onehot(Pa(x_j)) + c_j) + u_j): any weights give a
distribution, so learning is unconstrained. theta : for each node a dict {"V": (J, inputs), "c": (J,),
"U": (cardinality, J), "u": (cardinality,)}; parents, cards : for each node its parents and its number of values.

Any weights give a law; an eta that reads its own node does not:

    >>> from refdgm.directed.neural_bayes_net import joint, random_case, read_itself, with_parameters
    >>> [round(float(p(**random_case(0)).sum()), 3) for p in (joint, with_parameters(read_itself))]
    [1.0, 0.547]
"""
import itertools
import math

import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.models import bayes_net
from refdgm.numerics import softmax


def distributional_parameters(net, inputs):
    """eta = softmax(U tanh(V inputs + c) + u) (kingma2019 Eq. 1.7).  (..., inputs) -> (..., cardinality)"""
    hidden = np.tanh(np.dot(inputs, net["V"].T) + net["c"])
    return softmax(np.dot(hidden, net["U"].T) + net["u"])


def tables(parents, theta, cards, parameters=distributional_parameters):
    """p(x_j | Pa(x_j)) = Categorical(x_j; eta_j) for every state of the parents (kingma2019 Eq. 1.8).  -> M arrays"""
    of_states = [[cards[i] for i in own] for own in parents]
    return [np.reshape(parameters(net, one_hot_states(states)), [*states, card])
            for net, states, card in zip(theta, of_states, cards)]


def joint(parents, theta, cards):
    """p(x_1..x_M), with one axis a node (kingma2019 Eqs. 1.6-1.8)."""
    for j, own in enumerate(parents):
        inputs, (J, _) = sum(cards[i] for i in own), valid.matrix(f"theta[{j}]", theta[j], "V")
        valid.parameters(f"theta[{j}]", theta[j], {"V": (J, inputs), "c": (J,), "U": (cards[j], J), "u": (cards[j],)})
    return bayes_net.joint(parents, tables(parents, theta, cards))


def one_hot_states(cards):
    """Every state of variables with these cardinalities, each coded one-hot; one empty row if there is no variable."""
    return onp.array([onp.concatenate([onp.zeros(0), *(onp.eye(c)[k] for c, k in zip(cards, state))])
                      for state in itertools.product(*map(range, cards))])


# ---- claims ---------------------------------------------------------------------------

def random_case(seed, J=2):
    """Weights for a graph with two roots, a collider, and a node that reads it and a root."""
    rng = onp.random.default_rng(seed)
    parents, cards = ((), (), (0, 1), (2, 1)), tuple(rng.permutation([2, 3, 2, 3]).tolist())
    theta = [{"V": rng.normal(size=(J, sum(cards[i] for i in own))), "c": rng.normal(size=J),
              "U": 2 * rng.normal(size=(card, J)), "u": rng.normal(size=card)} for own, card in zip(parents, cards)]
    return {"parents": parents, "theta": theta, "cards": cards}


def joint_by_hand(parents, theta, cards):
    """The oracle: each network evaluated unit by unit at each state, and the product of what it says of that state."""
    def probability(j, x):
        net, active = theta[j], [sum(cards[i] for i in parents[j][:k]) + x[i] for k, i in enumerate(parents[j])]
        hidden = [math.tanh(c + sum(V[a] for a in active)) for V, c in zip(net["V"], net["c"])]
        odds = [math.exp(u + sum(a * b for a, b in zip(U, hidden))) for U, u in zip(net["U"], net["u"])]
        return odds[x[j]] / sum(odds)
    states = itertools.product(*map(range, cards))
    return onp.array([math.prod(probability(j, x) for j in range(len(cards))) for x in states]).reshape(cards)


def with_parameters(parameters):
    """The joint if the networks' outputs are read in another way."""
    return lambda parents, theta, cards: bayes_net.product_of_factors(
        parents, tables(parents, theta, cards, parameters))


def read_itself(net, inputs):
    """eta_k depends on the state k of the node itself: what is left is not normalised."""
    eta = distributional_parameters(net, inputs)
    return eta ** (1 + 0.5 * onp.arange(eta.shape[-1]))


def sigmoids(net, inputs):
    hidden = np.tanh(np.dot(inputs, net["V"].T) + net["c"])
    return 1 / (1 + np.exp(-np.dot(hidden, net["U"].T) - net["u"]))


CLAIMS = [
    Claim("kingma2019.eq1.7", joint, equals(joint_by_hand, random_case),
          {"eta depends on the node itself: not normalised": with_parameters(read_itself),
           "a sigmoid for each value: not normalised": with_parameters(sigmoids),
           "the parents are not read": with_parameters(lambda net, inputs: distributional_parameters(net, 0 * inputs)),
           "log-probabilities for probabilities": with_parameters(
              lambda net, inputs: np.log(distributional_parameters(net, inputs)))}),
]
