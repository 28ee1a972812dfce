r"""The log-likelihood gradient of a restricted Boltzmann machine: data statistics minus model statistics.

An RBM defines a joint law of visible and hidden bits by an energy. Its hidden units can be summed away in closed
form, because given x they are independent: what is left is the free energy, a sum of softplus terms. The
normaliser Z cannot, and its gradient is an expectation under the model. Contrastive divergence exists because
that second expectation is expensive. Here it is not: with three visible and two hidden units all 32 states are summed.
"""
import numpy as np
from autograd import grad

from refdgm.derivation import derivation, equals, mistake, start
from refdgm.models import rbm
from refdgm.numerics import all_binary, sigmoid
from refdgm.samplers.block_gibbs import state_index


def rbm_case(seed):
    """An RBM with biases, D = 3 and H = 2, and one x."""
    rng = np.random.default_rng(seed)
    return {"theta": rbm.random_theta(rng, D=3, H=2), "x": rng.integers(0, 2, 3).astype(float)}


def all_pairs(theta):
    """p(x, z) for every pair, with the states x (2**D, 1, D) and z (2**H, H)."""
    weights = rbm.boltzmann(theta)
    return weights / weights.sum(), all_binary(theta["w"].shape[0])[:, None, :], all_binary(theta["w"].shape[1])


@derivation(rbm_case)
def free_energy(theta, x):
    """The hidden units of an RBM are summed away one by one, which leaves the free energy."""
    z = all_binary(theta["w"].shape[1])
    logits = rbm.hidden_logits(theta, x)

    yield start(r"\log Z_x = \log\sum_z \exp(-E(x, z))", np.log(np.sum(np.exp(-rbm.energy(theta, x, z)))),
                claim="bachman2015.eq38")

    yield equals(r"b^\top x + \log\sum_z \prod_j \exp(z_j \tilde z_j), \quad \tilde z = w^\top x + c",
                 theta["b"] @ x + np.log(np.sum(np.prod(np.exp(z * logits), axis=1))),
                 because="the energy is linear in z, unit by unit", claim="bachman2015.eq42")

    yield equals(r"b^\top x + \log\prod_j \sum_{z_j \in \{0,1\}} \exp(z_j \tilde z_j)",
                 theta["b"] @ x + np.log(np.prod(1 + np.exp(logits))),
                 because="a sum over all z of a product over units is a product of sums")

    yield equals(r"b^\top x + \sum_j \log(1 + e^{\tilde z_j}) = -F(x)", -rbm.free_energy(theta, x),
                 because="the logarithm of a product", claim="bachman2015.eq41")

    yield mistake(r"b^\top x + \sum_j \log(e^{-\tilde z_j} + e^{\tilde z_j})",
                  theta["b"] @ x + np.sum(np.log(2 * np.cosh(logits))),
                  because="units of -1 and 1 in place of 0 and 1")

    yield mistake(r"-b^\top x - \sum_j \log(1 + e^{\tilde z_j})", rbm.free_energy(theta, x),
                  because="F is minus the logarithm: a low free energy is a high probability")


@derivation(rbm_case)
def log_likelihood_gradient(theta, x):
    """The weight gradient of log p(x) is what the data show together minus what the model shows together."""
    p, xs, z = all_pairs(theta)
    of_x = rbm.boltzmann(theta)[state_index(x)]
    given_x = of_x / of_x.sum()

    yield start(r"\nabla_w \log p(x) = \nabla_w \log\frac{\sum_z e^{-E(x,z)}}{\sum_{x,z} e^{-E(x,z)}}",
                grad(lambda w: rbm.log_marginal({**theta, "w": w}, x))(theta["w"]), claim="bachman2015.eq44")

    yield equals(r"\mathbb E_{p(z|x)}[-\nabla_w E(x, z)] - \mathbb E_{p(x', z)}[-\nabla_w E(x', z)]",
                 np.einsum("h,i,hj->ij", given_x, x, z) - np.einsum("sh,shi,hj->ij", p, xs + 0 * z[:, :1], z),
                 because="the gradient of a log-sum-exp is the mean gradient of its terms")

    yield equals(r"x\,\sigma(\tilde z)^\top - \mathbb E_{p(x')}[x'\,\sigma(\tilde z')^\top]",
                 np.outer(x, sigmoid(rbm.hidden_logits(theta, x)))
                 - np.einsum("s,si,sj->ij", p.sum(1), xs[:, 0], sigmoid(rbm.hidden_logits(theta, xs[:, 0]))),
                 because="each hidden unit enters by its mean given x", claim="bachman2015.eq43")

    yield equals(r"x\,\sigma(\tilde z)^\top - \mathbb E_{p(z)}[\sigma(wz + b)\, z^\top]", rbm.score(theta, x)["w"],
                 because="the model term may as well be averaged over the smaller layer, given the other")

    yield mistake(r"x\,\sigma(\tilde z)^\top - \mathbb E_{p(x')}[x']\,\mathbb E_{p(z)}[z]^\top",
                  np.outer(x, sigmoid(rbm.hidden_logits(theta, x)))
                  - np.outer(p.sum(1) @ xs[:, 0], p.sum(0) @ z),
                  because="x and z are dependent under the model; the product of means forgets that")

    yield mistake(r"x\,\sigma(\tilde z)^\top", rbm.grad_log_z(theta, x)["w"],
                  because="the positive phase alone: the normaliser moves with w, too")

    yield mistake(r"\mathbb E_{p(x')}[x'\,\sigma(\tilde z')^\top] - x\,\sigma(\tilde z)^\top",
                  -rbm.score(theta, x)["w"],
                  because="the energy printed with a plus: every sign turns")
