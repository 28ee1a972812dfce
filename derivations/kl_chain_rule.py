r"""The divergence of two joint laws bounds the negative log-likelihood of any one of their variables.

Bachman and Precup start from joint laws rather than from the free energy. A variable that nobody asked about can only
add to a divergence: that is the chain rule and one inequality. Give q the data as one of its marginals, and the bound
is the objective of a variational autoencoder. Two slips are easy: to average the conditional divergence under the wrong
law, and to forget that the entropy of the data stands between the divergence and the likelihood.
"""
import numpy as np

from refdgm.derivation import at_least, derivation, equals, mistake, start
from refdgm.directed import kl_chain
from refdgm.models import tables
from refdgm.models.joint_tables import kl, marginal, random_joints


@derivation(random_joints)
def chain_rule(q, p):
    """A divergence of joint laws is that of a marginal plus the mean of that of the rest."""
    q_0, p_0 = [np.ravel(marginal(t, 0)) for t in (q, p)]
    q_rest, p_rest = [t.reshape(len(t), -1) / t.reshape(len(t), -1).sum(1, keepdims=True) for t in (q, p)]
    inner = np.sum(q_rest * np.log(q_rest / p_rest), axis=1)

    yield start(r"\mathrm{KL}(q(x_0,\dots,x_n)\|p(x_0,\dots,x_n))", kl(q, p), claim="bachman2015.eq2")

    yield equals(r"\mathbb E_{q(x_0)}\left[\mathbb E_{q(x_{1:n}|x_0)}\left[\log\frac{q(x_0)\,q(x_{1:n}|x_0)}"
                 r"{p(x_0)\,p(x_{1:n}|x_0)}\right]\right]",
                 sum(q_0[i] * np.sum(q_rest[i] * np.log(q_0[i] * q_rest[i] / (p_0[i] * p_rest[i])))
                     for i in range(len(q_0))),
                 because="both laws factorise through the first variable", claim="bachman2015.eq2")

    yield equals(r"\mathbb E_{q(x_0)}\left[\log\frac{q(x_0)}{p(x_0)}+\mathbb E_{q(x_{1:n}|x_0)}"
                 r"\left[\log\frac{q(x_{1:n}|x_0)}{p(x_{1:n}|x_0)}\right]\right]",
                 np.sum(q_0 * (np.log(q_0) - np.log(p_0) + inner)),
                 because="the first ratio does not depend on the rest", claim="bachman2015.eq2")

    yield equals(r"\mathrm{KL}(q(x_0)\|p(x_0))+\mathbb E_{q(x_0)}[\mathrm{KL}(q(x_{1:n}|x_0)\|p(x_{1:n}|x_0))]",
                 kl_chain.chain_rule(q, p), because="definition of the two divergences", claim="bachman2015.eq2")

    yield mistake(r"\mathrm{KL}(q(x_0)\|p(x_0))+\mathbb E_{p(x_0)}[\mathrm{KL}(q(x_{1:n}|x_0)\|p(x_{1:n}|x_0))]",
                  kl(marginal(q, 0), marginal(p, 0)) + p_0 @ inner,
                  because="the outer mean is under q, whose draws the divergence is about")

    yield mistake(r"\sum_i\mathrm{KL}(q(x_i)\|p(x_i))", np.sum(kl_chain.marginal_divergences(q, p)),
                  because="the variables depend on each other", claim="bachman2015.eq4")

    yield at_least(r"\mathrm{KL}(q(x_0)\|p(x_0))", np.sum(q_0 * np.log(q_0 / p_0)),
                   because="no divergence is negative", claim="bachman2015.eq3")


@derivation(tables.random_case)
def likelihood_bound(theta, phi, p_data):
    """With the data as a marginal of q, the divergence bounds the expected negative log-likelihood."""
    q_z, joint = np.exp(tables.log_q(phi)), np.exp(tables.log_joint(theta))
    p_x = joint.sum(1)

    yield start(r"\mathrm{KL}(\mathcal D(x)\,q(z|x)\,\|\,p(x,z))", kl_chain.divergence(theta, phi, p_data),
                claim="bachman2015.eq5_identity")

    yield equals(r"\mathrm{KL}(\mathcal D(x)\|p(x))+\mathbb E_{\mathcal D(x)}[\mathrm{KL}(q(z|x)\|p(z|x))]",
                 np.sum(p_data * np.log(p_data / p_x))
                 + np.sum(p_data[:, None] * q_z * np.log(q_z / (joint / p_x[:, None]))),
                 because="the chain rule, and q(x) = D(x)", claim="bachman2015.eq5_identity")

    yield equals(r"\mathbb E_{\mathcal D(x)}[\log\mathcal D(x)]"
                 r"+\mathbb E_{\mathcal D(x)}\,\mathbb E_{q(z|x)}[\log q(z|x)-\log p(x,z)]",
                 np.sum(p_data * np.log(p_data)) + kl_chain.free_energy(theta, phi, p_data),
                 because="log p(x) leaves one term and enters the other", claim="bachman2015.intro_free_energy")

    yield mistake(r"\mathbb E_{\mathcal D(x)}\,\mathbb E_{q(z|x)}[\log q(z|x)-\log p(x,z)]",
                  kl_chain.free_energy(theta, phi, p_data),
                  because="the free energy is larger, by the entropy of the data", claim="bachman2015.intro_bound")

    yield at_least(r"\mathbb E_{\mathcal D(x)}[\log\mathcal D(x)]+\mathbb E_{\mathcal D(x)}[-\log p(x)]",
                   np.sum(p_data * np.log(p_data)) + kl_chain.negative_log_likelihood(theta, p_data),
                   because="the posterior gap is not negative", claim="bachman2015.eq5_bound")

    yield mistake(r"\mathbb E_{\mathcal D(x)}[-\log p(x)]", -np.sum(p_data * np.log(p_x)),
                  because="the entropy of the data is not part of the likelihood", claim="bachman2015.intro_bound")
