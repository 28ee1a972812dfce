r"""CD-1 is the gradient of the pseudolikelihood; CD-2 is the gradient of nothing.

Contrastive divergence replaces the model's samples by K steps of a chain from the data, and its authors write the
result as a gradient. For one step of a chain whose acceptance depends on the difference of two energies, that is
right, with a loss that one can write down. With the step that draws one bit anew, chosen at random, it is the
pseudolikelihood: the probability of each bit given the others, in which no partition function stands.

From the second step on the law of the chain depends on $\theta$ in a way that the update ignores, and the field has a
curl: the mixed derivatives differ. Then no loss exists, and no finite difference of one can test an implementation.
"""
import autograd.numpy as np
import numpy as onp
from autograd import grad, jacobian

from refdgm.derivation import derivation, equals, mistake, start
from refdgm.models.energy import contrast, energy, grad_energy, law, random_case
from refdgm.numerics import all_binary, kl, weighted_sum
from refdgm.samplers import gibbs
from refdgm.undirected.cd_surrogate import law_after, loss_of_one_step, surrogate

BITS = 3
FLIP = sum(onp.eye(8)[onp.arange(8) ^ (1 << bit)] for bit in range(BITS)) / BITS     # propose to flip one bit of three


def case(seed):
    c = random_case(seed, S=2**BITS)
    return {"theta": c["theta"], "s": c["s"], "p": c["p"]}


@derivation(case)
def one_step(theta, s, p):
    """CD-1 with one bit drawn anew is the gradient of the negative log-pseudolikelihood."""
    E, dE = energy(theta, s), grad_energy(theta, s)
    P = gibbs.random_scan(-E)

    yield start(r"\mathbb E_p[\nabla E] - \mathbb E_{p P}[\nabla E]", contrast(dE, p, p @ P), claim="yu2020.cdk")

    yield equals(r"\sum_{x, x'} p(x) P(x, x') \left(\nabla E(x) - \nabla E(x')\right)",
                 onp.einsum("i,ij,ijd->d", p, P, dE[:, None] - dE[None, :]), because="the rows of P sum to one")

    yield equals(r"\nabla_\theta \frac1D \sum_{x, i} p(x) \log\left(1 + e^{E(x) - E(x^{(i)})}\right)",
                 grad(loss_of_one_step)(theta, s, FLIP, p),
                 because="P(x, x') is the logistic function of E(x) - E(x'), the derivative of softplus")

    states = all_binary(BITS)

    def pseudolikelihood(theta):
        weights = np.exp(-energy(theta, s))
        others = [onp.delete(states, i, axis=1) for i in range(BITS)]
        same = [onp.all(other[:, None] == other, axis=2) for other in others]
        return -np.mean(np.array([np.sum(p * np.log(weights / np.dot(one, weights))) for one in same]))
    yield equals(r"-\nabla_\theta \frac1D \sum_i \mathbb E_p[\log q_\theta(x_i | x_{\ne i})]",
                 grad(pseudolikelihood)(theta),
                 because="given the other bits there are two states, x and x with bit i flipped")

    yield mistake(r"-\nabla_\theta \mathbb E_p[\log q_\theta(x)]", contrast(dE, p, law(theta, s)),
                  because="maximum likelihood is the limit of many steps", claim="yu2020.cdk.inf")

    def hinton(theta):
        q = law(theta, s)
        return kl(p, q) - kl(law_after(1, energy(theta, s), FLIP, p), q)
    yield mistake(r"\nabla_\theta \left(\mathrm{KL}[p \| q_\theta] - \mathrm{KL}[p P_\theta \| q_\theta]\right)",
                  grad(hinton)(theta),
                  because="that one has a third term, through the law of the chain, which CD leaves out")


def hessians(theta, s):
    """The second derivatives of the energy in theta, state by state.  -> (S, d, d)"""
    return jacobian(lambda theta: grad_energy(theta, s))(theta)


def jacobian_of_field(theta, s, p, K):
    return jacobian(lambda theta: surrogate(theta, s, FLIP, p, K))(theta)


@derivation(case)
def no_curl(theta, s, p):
    """The Jacobian of the CD-1 field is symmetric."""
    J = jacobian_of_field(theta, s, p, 1)

    yield start(r"J_1 = \partial_\theta \, \text{CD-}1", J, claim="yu2020.cdk.field")

    yield equals(r"\nabla^2_\theta \mathcal L_{\mathrm{CD-1}}", jacobian(grad(loss_of_one_step))(theta, s, FLIP, p),
                 because="CD-1 is the gradient of that loss")

    yield equals(r"J_1^\top", J.T, because="second derivatives commute")

    P = gibbs.random_scan(-energy(theta, s))
    yield mistake(r"\mathbb E_p[\nabla^2 E] - \mathbb E_{p P}[\nabla^2 E]", weighted_sum(p - p @ P, hessians(theta, s)),
                  because="the law of the chain depends on theta, too")


@derivation(case)
def curl(theta, s, p):
    """The Jacobian of the CD-2 field is not symmetric: no loss has this gradient."""
    J = jacobian_of_field(theta, s, p, 2)

    yield start(r"J_2 = \partial_\theta \, \text{CD-}2", J, claim="yu2020.cdk.field")

    P = gibbs.random_scan(-energy(theta, s))
    d_law = jacobian(lambda theta: law_after(2, energy(theta, s), FLIP, p))(theta)
    yield equals(r"\mathbb E_p[\nabla^2 E] - \mathbb E_{p P^2}[\nabla^2 E]"
                 r" - \sum_x \nabla E(x) \, \nabla^\top (p P^2)(x)",
                 weighted_sum(p - p @ P @ P, hessians(theta, s)) - grad_energy(theta, s).T @ d_law,
                 because="the product rule; the second derivatives are symmetric, the last term is not")

    yield mistake(r"\mathbb E_p[\nabla^2 E] - \mathbb E_{p P^2}[\nabla^2 E]",
                  weighted_sum(p - p @ P @ P, hessians(theta, s)),
                  because="this is what autodiff sees when the chain's samples are held fixed")

    yield mistake(r"J_2^\top", J.T, because="the field has a curl: it is the gradient of no function")
