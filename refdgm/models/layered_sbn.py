r"""A sigmoid belief net of any depth and its recognition net, without biases (lecture12 Secs. 1, 1.1.1, 1.1.2).

    generation    X_0 uniform,  X_n ~ p(X_n|X_{n-1}),   p(X_{n,k} = 1|X_{n-1}) = sigmoid(theta_{n,k}' X_{n-1})
    joint         p(X_0..X_N) = p(X_0) prod_n prod_k p(X_{n,k}|X_{n-1})
    data          p(X_N) = sum over X_0..X_{N-1} of p(X_0..X_N)
    recognition   X_{n-1} ~ q(X_{n-1}|X_n),   q(X_{n-1,j} = 1|X_n) = sigmoid(phi_{n,j}' X_n)

X_0 has no parents and no bias, hence means sigmoid(0) = 1/2. theta and phi are lists of matrices, theta[n-1]
(K_n, K_{n-1}) with rows theta_{n,k} and phi[n-1] (K_{n-1}, K_n). A law of layer n is a vector over its 2**K_n states,
and a pass from one layer to the next is a transition matrix: every sum is exact.

Explaining away: given that their common child is on, two units that were independent have a negative covariance.

>>> import numpy as np
>>> from refdgm.models.layered_sbn import all_binary, posterior
>>> theta = [np.zeros((2, 1)), np.array([[3.0, 3.0]])]
>>> p, h = posterior(theta)[1], all_binary(2)
>>> round(float(p[3] - p @ h[:, 0] * (p @ h[:, 1])), 3)
-0.035
"""
import math

import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.numerics import all_binary, bernoulli_log_prob, sigmoid, softmax


def activity(W, parents):
    """p(X_{n,k} = 1|X_{n-1}) = sigmoid(theta_{n,k}' X_{n-1}) (lecture12 Sec. 1.1.1).  (..., K_{n-1}) -> (..., K_n)"""
    return sigmoid(np.dot(parents, W.T))


def transition(W):
    """p(X_n|X_{n-1}), the product over the units k, for all states of both layers.  -> (2**K_{n-1}, 2**K_n)"""
    children, parents = map(all_binary, np.shape(W))
    return np.exp(bernoulli_log_prob(children, np.dot(parents, W.T)[:, None, :]))


def top_law(theta):
    """p(X_0): every state alike.  -> (2**K_0,)"""
    validate(theta)
    states = 2**np.shape(theta[0])[1]
    return onp.full(states, 1.0 / states)


def joint(theta):
    """p(X_0..X_N) = p(X_0) prod_n p(X_n|X_{n-1}) (lecture12 Sec. 1.1.1).  -> (2**K_0, .., 2**K_N)"""
    law = top_law(theta)
    for W in theta:
        law = law[..., None] * transition(W)
    return law


def generate(theta, law=None):
    """p(X_N), from X_0 ~ law down to the data one layer at a time (lecture12 Secs. 1, 1.1.2).  -> (2**K_N,)"""
    law = top_law(theta) if law is None else law
    for W in theta:
        law = law @ transition(W)
    return law


def recognise(phi, law):
    """The law of X_0 after X_N ~ law and X_{n-1} ~ q(X_{n-1}|X_n) (lecture12 Sec. 1.1.2).  (2**K_N,) -> (2**K_0,)"""
    for V in phi[::-1]:
        law = law @ transition(V)
    return law


def posterior(theta):
    """p(X_{N-1}|X_N) by Bayes' rule, for every state of X_N (lecture12 Sec. 1.1.1).  -> (2**K_N, 2**K_{N-1})"""
    both = generate(theta[:-1], top_law(theta))[:, None] * transition(theta[-1])
    return (both / np.sum(both, axis=0)).T


def validate(theta):
    """Raise ValueError unless theta is a list of finite matrices of which each fits the one before."""
    valid.require(len(theta) > 0, "theta must hold at least one weight matrix, but is empty.")
    for n, W in enumerate(theta):
        valid.shape(f"theta[{n}]", W, (None, None if n == 0 else np.shape(theta[n - 1])[0]))
        valid.finite(f"theta[{n}]", W)
        valid.enumerable(2**sum(np.shape(W)), f"the pair of layers of theta[{n}]", sum(np.shape(W)))


def random_case(seed, widths=(2, 3, 2)):
    """Random theta, phi and law of the data, for layers of the given widths K_0..K_N."""
    rng = onp.random.default_rng([seed, *widths])
    pairs = list(zip(widths, widths[1:]))
    return {"theta": [1.5 * rng.normal(size=(below, above)) for above, below in pairs],
            "phi": [1.5 * rng.normal(size=(above, below)) for above, below in pairs],
            "p_data": rng.dirichlet(onp.ones(2**widths[-1]))}


# ---- claims ---------------------------------------------------------------------------

def theta_case(seed):
    return {"theta": random_case(seed)["theta"]}


def units(weights, parents):
    """p(X_{n,k} = 1|X_{n-1}) of every unit k, in plain Python."""
    return [1 / (1 + math.exp(-sum(w * parent for w, parent in zip(row, parents)))) for row in weights]


def by_units(matrices, root):
    """The oracle of `joint`: root(X_0) times one Bernoulli for each unit of the layers below, state by state."""
    layers = [all_binary(matrices[0].shape[1])] + [all_binary(len(W)) for W in matrices]
    law = onp.zeros([len(states) for states in layers])
    for index in onp.ndindex(law.shape):
        probability = root[index[0]]
        for n, W in enumerate(matrices):
            child = layers[n + 1][index[n + 1]]
            for bit, mean in zip(child, units(W, layers[n][index[n]])):
                probability *= mean if bit else 1 - mean
        law[index] = probability
    return law


def joint_by_units(theta):
    return by_units(theta, [0.5 ** theta[0].shape[1]] * 2 ** theta[0].shape[1])


def pair(law, n):
    """The law of (X_n, X_{n+1}), summed out of the joint."""
    return law.sum(tuple(axis for axis in range(law.ndim) if axis not in (n, n + 1)))


def means_of_each_layer(theta):
    """P(X_{n,k} = 1|X_{n-1}) for every n, by conditioning the joint."""
    law = joint_by_units(theta)
    pairs = [pair(law, n) for n in range(len(theta))]
    return [p / p.sum(1, keepdims=True) @ all_binary(len(W)) for p, W in zip(pairs, theta)]


def activities(unit=activity):
    return lambda theta: [unit(W, all_binary(W.shape[1])) for W in theta]


def misread(W):
    """The weights of a layer stored the other way round: (K_{n-1}, K_n)."""
    return onp.reshape(W, W.shape[::-1]).T


def mass_and_posterior(posterior=posterior, joint=joint):
    return lambda theta: {"mass": np.sum(joint(theta)), "posterior": posterior(theta)}


def mass_and_posterior_by_units(theta):
    law = joint_by_units(theta)
    last = pair(law, len(theta) - 1)
    return {"mass": 1.0, "posterior": (last / last.sum(0)).T}


def factorised(theta):
    """The product of the units' own posteriors: no explaining away."""
    bits = all_binary(theta[-1].shape[1])
    means = posterior(theta) @ bits
    return np.prod(np.where(bits == 1, means[:, None], 1 - means[:, None]), axis=-1)


def without_prior(theta):
    """p(X_N|X_{N-1}), normalised over X_{N-1}."""
    likelihood = transition(theta[-1])
    return (likelihood / likelihood.sum(0)).T


def unnormalised(theta):
    """p(X_0) prod_n exp(X_n' theta_n X_{n-1}): local potentials in place of local conditionals."""
    law = top_law(theta)
    for W in theta:
        law = law[..., None] * np.exp(all_binary(W.shape[1]) @ W.T @ all_binary(len(W)).T)
    return law


def mean_passed_on(theta, law=None):
    """A wrong pass: each layer hands down its means in place of a sample."""
    states, law = all_binary(theta[0].shape[1]), top_law(theta)
    for W in theta[:-1]:
        states = activity(W, states)
    return law @ np.exp(bernoulli_log_prob(all_binary(len(theta[-1])), (states @ theta[-1].T)[:, None, :]))


def thresholded(theta):
    """A wrong pass: weights so large that a unit is on exactly if its mean exceeds 1/2."""
    return generate([1e3 * W for W in theta])


def two_passes(generation=generate, recognition=lambda theta, phi, law: recognise(phi, law)):
    return lambda theta, phi, p_data: {"data": generation(theta), "causes": recognition(theta, phi, p_data)}


def two_passes_by_units(theta, phi, p_data):
    return {"data": onp.einsum("abc->c", joint_by_units(theta)),
            "causes": onp.einsum("cba->a", by_units(phi[::-1], p_data))}


def bayes_inverse(theta, phi, law):
    """The true posterior of X_0: what recognition only imitates."""
    both = onp.einsum("abc->ac", joint(theta))
    return both / both.sum(0) @ law


CLAIMS = [
    Claim("lecture12.sec1_def", generate, equals(lambda theta: onp.einsum("abc->c", joint_by_units(theta)), theta_case),
          {"hidden layers at their means, not summed": mean_passed_on,
           "only the lowest hidden layer is summed, from a uniform law": lambda theta: generate(theta[-1:]),
           "the best hidden states, not the sum": lambda theta: np.max(joint(theta), axis=(0, 1))}),
    Claim("lecture12.sec1.1.1_sbn", activities(), equals(means_of_each_layer, theta_case),
          {"weights stored (K_{n-1}, K_n)": activities(lambda W, parents: activity(misread(W), parents)),
           "the probability of a zero": activities(lambda W, parents: 1 - activity(W, parents)),
           "tanh for the logistic": activities(lambda W, parents: np.tanh(parents @ W.T)),
           "softmax: one unit of a layer is on": activities(lambda W, parents: softmax(parents @ W.T))}),
    Claim("lecture12.sec1.1.1_bayes", mass_and_posterior(), equals(mass_and_posterior_by_units, theta_case),
          {"the posterior factorises, too": mass_and_posterior(factorised),
           "the prior forgotten": mass_and_posterior(without_prior),
           "the transposed weights invert a layer": mass_and_posterior(lambda theta: transition(theta[-1].T)),
           "local potentials, which need a partition function": mass_and_posterior(joint=unnormalised)}),
    Claim("lecture12.sec1.1.2_helmholtz", two_passes(), equals(two_passes_by_units, random_case),
          {"means are passed on": two_passes(mean_passed_on),
           "equalities without noise: units thresholded": two_passes(thresholded),
           "F inverts G by Bayes' rule": two_passes(recognition=bayes_inverse),
           "one set of parameters: F transposes G's weights": two_passes(
               recognition=lambda theta, phi, law: recognise([W.T for W in theta], law)),
           "dreams are recognised in place of data": two_passes(
               recognition=lambda theta, phi, law: recognise(phi, generate(theta)))}),
]
