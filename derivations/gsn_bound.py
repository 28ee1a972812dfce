r"""A denoising autoencoder minimises a divergence, once its prior is the encoder's own aggregate.

An autoencoder has no prior over its code zbar. Bachman and Precup give it one: the law that the encoder makes of the
data. The two laws of zbar then cancel in KL(q || p), which still bounds the likelihood of the model that has this
prior. Written out, the bound is not the usual reconstruction error: it also charges for the information that the code
has about its input, and the objective that leaves this out is not a bound.
"""
import numpy as np

from refdgm.autoencoders import gsn
from refdgm.derivation import at_least, derivation, equals, mistake, start
from refdgm.models.joint_tables import (ZBAR, X, Z, conditional, decoder, encoder, encoder_conditionals, marginal,
                                        near_optimal_case)


@derivation(near_optimal_case)
def bound(theta, phi, D):
    """The divergence with the aggregate prior is a reconstruction error plus the information in the code."""
    q, p_given_zbar = encoder(phi, D), decoder(theta)
    z0, z1, zbar = encoder_conditionals(phi)
    data = D[:, None, None, None]
    prior = np.einsum("x,xa,xab,xabz->z", D, z0[:, :, 0, 0], z1[..., 0], zbar)

    yield start(r"\mathrm{KL}(q(x,z,\bar z)\,\|\,p(x,z|\bar z)\,q(\bar z))", gsn.divergence(theta, phi, D),
                claim="bachman2015.eq7")

    yield equals(r"\mathbb E_q\left[\log\frac{q(x,z|\bar z)\,q(\bar z)}{p(x,z|\bar z)\,q(\bar z)}\right]",
                 np.sum(q * np.log(conditional(q, ZBAR) / p_given_zbar)),
                 because="the laws of zbar are the same and cancel", claim="bachman2015.eq7_line1")

    yield mistake(r"\mathbb E_q\left[\log\frac{\mathcal D(x)\,q(z|\bar z)\,q(\bar z)}{p(x,z|\bar z)\,q(\bar z)}\right]",
                  np.sum(q * np.log(data * conditional(marginal(q, *Z, ZBAR), ZBAR) / p_given_zbar)),
                  because="as printed: smaller by I(x; (z, zbar)), since the code depends on x",
                  claim="bachman2015.eq7_line2")

    yield equals(r"\mathbb E_q\left[\log\frac{\mathcal D(x)\,q(z,\bar z|x)}{p(x,z|\bar z)}"
                 r"-\log\mathbb E_{q(\hat x,\hat z)}[q(\bar z|\hat x,\hat z)]\right]",
                 np.sum(q * (np.log(data * z0 * z1 * zbar / p_given_zbar) - np.log(prior))),
                 because="Bayes, and the aggregate prior", claim="bachman2015.eq7")

    yield mistake(r"\mathbb E_q\left[\log\frac{\mathcal D(x)\,q(z,\bar z|x)}{p(x,z|\bar z)}"
                  r"-\mathbb E_{q(\hat x,\hat z)}[\log q(\bar z|\hat x,\hat z)]\right]",
                  np.sum(q * np.log(data * z0 * z1 * zbar / p_given_zbar))
                  - np.sum(prior * np.sum(marginal(q, X, *Z) * np.log(zbar), axis=(X, *Z))),
                  because="the mean belongs inside the logarithm")

    yield equals(r"\mathbb E_{\mathcal D}[\log\mathcal D(x)]+\mathbb E_q[\log q(z|x)-\log p(x,z|\bar z)]"
                 r"+I_q(\bar z;(x,z))",
                 D @ np.log(D) + gsn.reconstruction_objective(theta, phi, D) + gsn.information(phi, D),
                 because="log q(zbar|x,z) - log q(zbar) averages to an information", claim="bachman2015.sec2_twostep")

    yield mistake(r"\mathbb E_{\mathcal D}[\log\mathcal D(x)]+\mathbb E_q[\log q(z|x)-\log p(x,z|\bar z)]",
                  np.sum(q * np.log(data * z0 * z1 / p_given_zbar)),
                  because="the density over zbar does not disappear from the value",
                  claim="bachman2015.sec2_assumptions")

    yield at_least(r"\mathbb E_{\mathcal D}[\log\mathcal D(x)]+\mathbb E_{\mathcal D}[-\log p(x)],\quad"
                   r" p(x)=\sum_{\bar z}q(\bar z)\,p(x|\bar z)",
                   D @ np.log(D) - D @ np.log(np.sum(p_given_zbar, axis=Z) @ prior),
                   because="the divergence of a marginal is no larger", claim="bachman2015.eq8")
