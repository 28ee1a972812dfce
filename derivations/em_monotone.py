r"""Why EM never lowers the likelihood: two steps uphill on one function.

The likelihood of a model with hidden variables is a sum inside a logarithm, which has no closed maximum. The bound
$\mathcal L(\theta, q) = -F$ has one in each of its arguments: the E-step raises it in $q$, until it touches
$\log p_\theta(x)$, and the M-step raises it in $\theta$. What the likelihood gains in a round is therefore the gain of
the M-step and a KL divergence on top. An inexact E-step breaks the argument at one place, which is marked.

The model is a latent class model with two classes; all expectations are sums over the cells of its tables.
"""
import autograd.numpy as np
import numpy as onp

from refdgm.derivation import at_least, at_most, derivation, equals, mistake, start
from refdgm.directed import em
from refdgm.numerics import kl, log_softmax, softmax

Q_STEP = r"\mathbb E_{\tilde p(x)q(z|x)}"
GAP = r"\mathbb E_{\tilde p(x)}\mathrm{KL}"


def random_case(seed):
    """A start theta, a law of the data, and some q that is not a posterior."""
    case = em.random_case(seed)
    logits = onp.random.default_rng([seed, 1]).normal(size=em.log_joint(case["theta"]).shape)
    return case | {"q": softmax(logits)}


def gap(theta, q, p_data):
    """E_p~(x) KL[q(z|x) || p(z|x)]."""
    return np.sum(p_data * kl(q, softmax(em.log_joint(theta))))


def mean_log(theta, q, p_data):
    """E_p~(x)q(z|x) log p(x, z)."""
    return np.sum(p_data[:, :, None] * q * em.log_joint(theta))


@derivation(random_case)
def uphill(theta, p_data, q):
    """One round of EM climbs the free energy's negative twice, and the likelihood with it.

    Seen from above: the bound before the round, after the E-step, after the M-step, and the likelihood then.
    """
    posterior = em.e_step(theta)
    new = em.m_step(posterior, p_data)

    yield start(r"\mathcal L(\theta, q)", em.bound(theta, q, p_data), claim="lecture12.sec2.1_free_energy")

    yield at_most(r"\mathcal L(\theta, p_\theta(z|x))", em.bound(theta, posterior, p_data),
                  because="the E-step: of all q the posterior has the largest bound", claim="lecture12.sec2.1_estep")

    yield equals(r"\mathbb E_{\tilde p(x)}[\log p_\theta(x)]", em.log_likelihood(theta, p_data),
                 because="there the bound is tight", claim="lecture12.sec2.1_bound")

    yield mistake(r"\mathbb E_{\tilde p(x)p_\theta(z|x)}[\log p_\theta(x, z)]", mean_log(theta, posterior, p_data),
                  because="what the M-step maximises lacks the entropy of q, and touches nothing")

    yield at_most(r"\mathcal L(\theta^\prime, p_\theta(z|x))", em.bound(new, posterior, p_data),
                  because="the M-step: of all theta the new one has the largest bound", claim="lecture12.sec2.1_mstep")

    yield mistake(r"\mathbb E_{\tilde p(x)}[\log p_{\theta^\prime}(x)]", em.log_likelihood(new, p_data),
                  because="q is still the posterior of the old theta, and the bound is no longer tight")

    yield at_most(r"\mathbb E_{\tilde p(x)}[\log p_{\theta^\prime}(x)]", em.log_likelihood(new, p_data),
                  because="it is a bound for every q", claim="lecture12.sec1.1.4_em")


@derivation(random_case)
def gain(theta, p_data, q):
    """What the likelihood gains in a round is two KL divergences."""
    posterior = em.e_step(theta)
    new = em.m_step(posterior, p_data)
    before, after = em.bound(theta, posterior, p_data), em.bound(new, posterior, p_data)

    yield start(r"\mathbb E_{\tilde p(x)}\left[\log\frac{p_{\theta^\prime}(x)}{p_\theta(x)}\right]",
                em.log_likelihood(new, p_data) - em.log_likelihood(theta, p_data), claim="lecture12.sec1.1.4_em")

    yield equals(r"\mathcal L(\theta^\prime, q) - \mathcal L(\theta, q) + " + GAP + r"[q \| p_{\theta^\prime}(z|x)] - "
                 + GAP + r"[q \| p_\theta(z|x)]\quad\text{for every }q",
                 em.bound(new, q, p_data) - em.bound(theta, q, p_data) + gap(new, q, p_data) - gap(theta, q, p_data),
                 because="the log evidence is the bound plus its gap, twice", claim="lecture12.sec2.1_identity")

    yield mistake(r"\mathcal L(\theta^\prime, q) - \mathcal L(\theta, q) + " + GAP + r"[q \| p_{\theta^\prime}(z|x)]"
                  r"\quad\text{for every }q",
                  em.bound(new, q, p_data) - em.bound(theta, q, p_data) + gap(new, q, p_data),
                  because="the old gap vanishes only if q is the posterior: here an inexact E-step breaks the argument")

    yield equals(r"\mathcal L(\theta^\prime, q) - \mathcal L(\theta, q) + " + GAP + r"[q \| p_{\theta^\prime}(z|x)]"
                 r",\quad q = p_\theta(z|x)", after - before + gap(new, posterior, p_data),
                 because="the E-step is exact", claim="lecture12.sec2.1_estep")

    yield equals(Q_STEP + r"\left[\log\frac{p_{\theta^\prime}(x, z)}{p_\theta(x, z)}\right] + "
                 + GAP + r"[q \| p_{\theta^\prime}(z|x)]",
                 mean_log(new, posterior, p_data) - mean_log(theta, posterior, p_data) + gap(new, posterior, p_data),
                 because="the entropy of q is the same before and after", claim="lecture12.sec2.2.1_wake")

    old, shares = {name: np.exp(log_softmax(leaf)) for name, leaf in theta.items()}, new["prior"]
    tables = {name: np.exp(leaf) for name, leaf in new.items()}
    moved = kl(tables["prior"], old["prior"]) + np.sum(np.exp(shares) * (kl(tables["first"], old["first"])
                                                                        + kl(tables["second"], old["second"])))
    yield equals(r"\mathrm{KL}[p_{\theta^\prime}(x, z) \| p_\theta(x, z)] + " + GAP
                 + r"[q \| p_{\theta^\prime}(z|x)]", moved + gap(new, posterior, p_data),
                 because="the new tables are the shares under q, so log p'/p has the same mean under q and under p'",
                 claim="lecture12.sec2.1_mstep")

    yield mistake(r"\mathrm{KL}[p_{\theta^\prime}(x, z) \| p_\theta(x, z)]", moved,
                  because="the bound's own gain: the likelihood gains more, for the new posterior is another one")

    yield at_least("0", np.zeros(()), because="neither KL divergence is negative", claim="lecture12.sec1.1.4_em")
