r"""Auxiliary variables: a richer q at the price of a divergence.

Give the inference model one more variable, $q_\phi(a, h|x)$, and its marginal $q_\phi(h|x) = \sum_a q_\phi(a, h|x)$
is a mixture, which can be much richer than $q_\phi(h|a,x)$. But the density of a mixture is a sum that one would rather
not do. Attach $a$ to the generative model as well, by any conditional $r(a|x,h)$: nothing changes for $x$ and $h$, and
the bound of the extended model needs no sum. Its price is $\mathrm{KL}[q(a|x,h) \| r(a|x,h)]$, and $r$ can be learned
to lower it.
"""
import autograd.numpy as np
import numpy as onp

from refdgm.derivation import at_most, derivation, equals, mistake, start
from refdgm.directed import auxiliary as aux
from refdgm.models import tables
from refdgm.numerics import all_binary, bernoulli_log_prob, kl, log_softmax, log_sum_exp


@derivation(aux.random_case)
def bound(theta, psi):
    """The auxiliary bound is below the bound of the marginal q by the divergence of r from the true q(a|x,h)."""
    log_q_ah, log_q_h, log_r = aux.log_q_joint(psi), aux.log_q(psi), aux.log_r(psi)
    log_joint = tables.log_joint(theta)
    q, q_h = np.exp(log_q_ah), np.exp(log_q_h)
    q_a = q / q_h[..., None]
    q_a_h = q.reshape(len(q), -1)
    extended = (log_joint[..., None] + log_r).reshape(len(q), -1)

    yield start(r"E_{q(a,h|x)} \log\frac{p(x,h)\, r(a|x,h)}{q(a,h|x)}", aux.auxiliary_bound(theta, psi),
                claim="ou2018.auxvar")

    yield equals(r"E_{q(h|x)} \log\frac{p(x,h)}{q(h|x)} + E_{q(a,h|x)} \log\frac{r(a|x,h)}{q(a|x,h)}",
                 np.sum(q_h * (log_joint - log_q_h), axis=1) + np.sum(q * (log_r - np.log(q_a)), axis=(1, 2)),
                 because="q(a,h|x) = q(h|x) q(a|x,h), and the first term is free of a")

    yield equals(r"\mathcal L(q(h|x)) - E_{q(h|x)} \mathrm{KL}[q(a|x,h) \| r(a|x,h)]",
                 aux.marginal_bound(theta, psi) - np.sum(q_h * kl(q_a, np.exp(log_r)), axis=1),
                 because="the definition of the divergence")

    yield equals(r"\log p(x) - \mathrm{KL}[q(a,h|x) \| p(h|x)\, r(a|x,h)]",
                 tables.log_marginal(theta) - kl(q_a_h, np.exp(log_softmax(extended))),
                 because="it is the ordinary bound of the extended model, whose evidence is still p(x)")

    yield mistake(r"\mathcal L(q(h|x)) - E_{q(h|x)} \mathrm{KL}[r(a|x,h) \| q(a|x,h)]",
                  aux.marginal_bound(theta, psi) - np.sum(q_h * kl(np.exp(log_r), q_a), axis=1),
                  because="a is drawn from q, not from r")

    yield mistake(r"E_{q(a,h|x)} \log\frac{p(x,h)}{q(a,h|x)}",
                  np.sum(q * (log_joint[..., None] - log_q_ah), axis=(1, 2)),
                  because="without r the entropy of a counts as if it explained x: it may exceed log p(x)")

    yield mistake(r"E_{q(a,h|x)} \log\frac{p(x,h)\, r(a|x,h)}{q(h|x)}",
                  np.sum(q * (log_joint[..., None] + log_r - log_q_h[..., None]), axis=(1, 2)),
                  because="a is in the numerator only: still a bound, and a needlessly loose one")

    yield at_most(r"\mathcal L(q(h|x))", np.sum(q_h * (log_joint - log_q_h), axis=1),
                  because="a divergence is not negative; equality if r(a|x,h) = q(a|x,h)")

    yield at_most(r"\log p(x)", log_sum_exp(log_joint), because="nor is the other one", claim="ou2018.eq7.bound")


def two_switches(seed):
    """A posterior over two bits, (4,), with most of its mass on 00 and 11."""
    rng = onp.random.default_rng(seed)
    corners = onp.insert(rng.dirichlet([4, 4]), 1, [0, 0])
    return {"posterior": 0.85 * corners + 0.15 * rng.dirichlet(onp.ones(4))}


@derivation(two_switches)
def mixture(posterior):
    """A mixture of factorised laws reaches a posterior that no factorised law does."""
    h = all_binary(2)
    p_h1 = np.array([posterior[0] + posterior[2], posterior[1] + posterior[3]])
    on = np.array([posterior[2], posterior[3]]) / p_h1          # p(h_2 = 1 | h_1)
    components = np.array([(h[:, 0] == a) * np.where(h[:, 1] == 1, on[a], 1 - on[a]) for a in (0, 1)])

    logits = np.linspace(-6, 6, 121)
    grid = np.stack(np.meshgrid(logits, logits), axis=-1).reshape(-1, 1, 2)
    factorised = np.exp(bernoulli_log_prob(h, grid))            # (121**2, 4)
    nearest = factorised[np.argmin(kl(factorised, posterior + 0 * factorised))]

    yield start(r"p(h|x)", posterior)

    yield equals(r"\sum_a q(a|x)\, q(h_1|a,x)\, q(h_2|a,x),\quad a \text{ a copy of } h_1", p_h1 @ components,
                 because="given a, the bits are independent: each component is factorised", claim="ou2018.expressive")

    yield mistake(r"p(h_1|x)\, p(h_2|x)", np.outer(posterior.reshape(2, 2).sum(1), p_h1).ravel(),
                  because="the product of the marginals forgets their dependence")

    yield mistake(r"\arg\min_{q(h_1|x) q(h_2|x)} \mathrm{KL}[q \| p(h|x)]", nearest,
                  because="one factorised law cannot put its mass on two opposite corners, and settles for one of them",
                  claim="ou2018.mismatch_gap")
