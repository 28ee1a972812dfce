r"""Wake-sleep learning is stochastic approximation, and what that does and does not promise.

Stochastic approximation seeks a root of $f(\lambda) = \mathbb E\, F(z; \lambda)$ by steps along $F$. Proposition 1
reads wake-sleep in this way: one z holds a wake pair (x, h) and an independent sleep pair (x', h'). That is an
identity, summed here over all values of z and over all minibatches. It says nothing of convergence: which root is
found is decided by the Jacobian of f there. The same data give wake-sleep a root that attracts and one that repels.
"""
import numpy as np

from refdgm.checking import DIFFERENCE
from refdgm.derivation import at_least, at_most, derivation, equals, mistake, start
from refdgm.directed.wake_sleep_sa import (field_under, gradients_of_objectives, independent_root, jacobian, mean_field,
                                           mean_update, model_law, pairs, perfect_root, small_case, sums_for_means,
                                           update, variational_field)
from refdgm.models.sbn import score_phi, score_theta


@derivation(small_case)
def proposition_1(**case):
    """The mean step of Algorithm 3 is the left side of Eq. 18."""
    yield start(r"\left(-\nabla_\theta \mathrm{KL}[\tilde p(x)\, q_\phi(h|x) \| p_\theta(x, h)],\ "
                r"-\nabla_\phi \mathrm{KL}[p_\theta(x, h) \| p_\theta(x)\, q_\phi(h|x)]\right)",
                gradients_of_objectives(**case), claim="ou2018.eq17.phi")

    yield equals(r"\left(\mathbb E_{\tilde p(x) q_\phi(h|x)} \nabla_\theta \log p_\theta(x, h),\ "
                 r"\mathbb E_{p_\theta(x', h')} \nabla_\phi \log q_\phi(h'|x')\right)",
                 field_under("awake", "asleep")(**case), because="neither law is differentiated",
                 claim="ou2018.eq18.theta")

    yield equals(r"\mathbb E_{p(z; \lambda)} F(z; \lambda),\quad "
                 r"p(z; \lambda) = \tilde p(x)\, q_\phi(h|x)\, p_\theta(x', h')", mean_field(**case),
                 because="the half of z that a component of F does not see sums to one", claim="ou2018.prop1")

    yield equals(r"\mathbb E\left(\frac{1}{|M|} \sum_{(x, h) \in M} \nabla_\theta \log p_\theta(x, h),\ "
                 r"\frac{1}{|M'|} \sum_{(x', h') \in M'} \nabla_\phi \log q_\phi(h'|x')\right)",
                 mean_update(update)(**case), because="the mean of an average of equal laws", claim="ou2018.alg3")

    yield mistake(r"\mathbb E\left(\sum_M \nabla_\theta \log p_\theta(x, h),\ "
                  r"\sum_{M'} \nabla_\phi \log q_\phi(h'|x')\right)",
                  mean_update(sums_for_means)(**case), because="the two steps grow with the sizes of the minibatches")

    yield mistake(r"\mathbb E\left(\frac{1}{|M|} \sum_M \nabla_\theta \log p_\theta(x, h),\ "
                  r"\frac{1}{|M|} \sum_M \nabla_\phi \log q_\phi(h|x)\right)",
                  mean_update(lambda t, f, wake, sleep: update(t, f, wake, wake))(**case),
                  because="on wake pairs the step of phi is noise: its mean is zero", claim="ou2018.alg3.index")

    yield mistake(r"\left(\nabla_\theta \mathcal L,\ \nabla_\phi \mathcal L\right)", variational_field(**case),
                  because="Eq. 10 is variational learning: another root in phi", claim="ou2018.xref.eq10_to_eq18")


@derivation(perfect_root)
def perfect_model(theta, phi, p_data):
    """Where the model is perfect, the Jacobian is minus a second moment: the root attracts.

    At a perfect root the data, the model and q agree on the law of every pair, p~(x) q(h|x) = p(x, h).
    """
    x, h = pairs(theta)
    law = model_law(theta)
    of_theta, of_phi = flat(score_theta(theta, x, h)), flat(score_phi(phi, x, h))
    s = np.concatenate([of_theta, -of_phi], axis=1)
    yield start(r"-\mathbb E[s s^\top],\quad s = (\nabla_\theta \log p_\theta(x, h),\ -\nabla_\phi \log q_\phi(h|x))",
                -s.T @ (law[:, None] * s), claim="ou2018.prop.solvable")

    yield equals(r"\frac{\partial f}{\partial \lambda}(\lambda^*)", jacobian(mean_field, theta, phi, p_data),
                 because="minus the mean Hessian of a log-density is the second moment of its score; the law's own "
                         "derivative in the other parameters gives the blocks off the diagonal", allowed=DIFFERENCE)

    same_sign = np.concatenate([of_theta, of_phi], axis=1)
    yield mistake(r"-\mathbb E[s s^\top],\quad s = (\nabla_\theta \log p_\theta(x, h),\ \nabla_\phi \log q_\phi(h|x))",
                  -same_sign.T @ (law[:, None] * same_sign), allowed=DIFFERENCE,
                  because="moving q moves the wake phase's law with it, so theta follows phi")

    of_which = np.repeat([0, 1], [of_theta.shape[1], of_phi.shape[1]])
    same_block = of_which[:, None] == of_which
    yield mistake(r"-\mathrm{diag}\left(\mathbb E[\nabla_\theta \log p\, \nabla_\theta \log p^\top],\ "
                  r"\mathbb E[\nabla_\phi \log q\, \nabla_\phi \log q^\top]\right)",
                  np.where(same_block, -s.T @ (law[:, None] * s), 0.0), allowed=DIFFERENCE,
                  because="the laws of both phases depend on the parameters of the other")


@derivation(perfect_root)
def attracting(**root):
    """The largest eigenvalue at the perfect root is negative, as long as theta can be identified from x."""
    yield start(r"\max \mathrm{Re}\, \mathrm{spec}\, \frac{\partial f}{\partial \lambda}(\lambda^*)",
                largest_eigenvalue(**root), claim="ou2018.prop.solvable")

    yield mistake(r"\max \mathrm{Re}\, \mathrm{spec}\, \left(-\frac{\partial f}{\partial \lambda}(\lambda^*)\right)",
                  largest_eigenvalue(**root, sign=-1),
                  because="steps along -F have the same root, and leave it")

    yield at_most(r"0", 0.0, because="minus a second moment; strict, for no direction of theta leaves p(x) as it is")


@derivation(independent_root)
def repelling(**root):
    """At a root where h is independent of x the largest eigenvalue is positive: solvable, and not found.

    The data are those of the perfect root, so both are roots of one system of equations.
    """
    yield start(r"\max \mathrm{Re}\, \mathrm{spec}\, \frac{\partial f}{\partial \lambda}(\lambda^*)",
                largest_eigenvalue(**root), claim="ou2018.prop.solvable")

    yield mistake(r"\max \mathrm{Re}\, \mathrm{spec}\, \left(-\frac{\partial f}{\partial \lambda}(\lambda^*)\right)",
                  largest_eigenvalue(**root, sign=-1),
                  because="turning the step round does not help: some directions attract, others then repel")

    yield at_least(r"0", 0.0,
                   because="where components of x are correlated, a little dependence of h on x reinforces itself")


@derivation(independent_root)
def independent_is_a_root(theta, phi, p_data):
    """A latent variable that is independent of x solves Eq. 18, for any data."""
    f = mean_field(theta, phi, p_data)
    yield start(r"f(\lambda),\quad W = 0,\ V = 0,\ c = a,\ \sigma(b) = \mathbb E_{\tilde p}[x]", f,
                claim="ou2018.eq18.theta")

    yield equals(r"0", {part: {k: 0 * v for k, v in f[part].items()} for part in f}, scale=1.0,
                 because="q has the mean of the prior, x is predicted by its mean, and h tells nothing of x")

    tilted = {**theta, "b": theta["b"] + 0.5}
    yield mistake(r"f(\lambda),\quad \sigma(b) \ne \mathbb E_{\tilde p}[x]", mean_field(tilted, phi, p_data), scale=1.0,
                  because="independence alone does not do: the mean of x must be right")

    biased = {**phi, "c": phi["c"] + 0.5}
    yield mistake(r"f(\lambda),\quad c \ne a", mean_field(theta, biased, p_data), scale=1.0,
                  because="nor with a q that has another mean than the prior")


def flat(scores):
    """A dict of (N, *leaf) as (N, P), in the order of the dict."""
    return np.concatenate([leaf.reshape(len(leaf), -1) for leaf in scores.values()], axis=1)


def largest_eigenvalue(theta, phi, p_data, sign=+1):
    return np.max(np.linalg.eigvals(sign * jacobian(mean_field, theta, phi, p_data)).real)
