r"""A perfect denoising autoencoder leaves the data law invariant, and on islands it leaves everything where it is.

Encode a data point, decode the code, and again: a Markov chain over x. With zero divergence the decoder is the
encoder's posterior, the chain is Gibbs sampling in q(x, zbar), and D is invariant. That is not yet sampling from D: a
chain that starts at one data point must be able to reach the others. An encoder that gives each x codes of its own
makes the divergence zero as well, and then the chain stays at its start for ever.
"""
import numpy as np

from refdgm.autoencoders import gsn_chain
from refdgm.derivation import approaches, derivation, equals, mistake, start
from refdgm.models.joint_tables import ZBAR, X, decoder, encoder, islands_case, kl, marginal, random_case


@derivation(random_case)
def invariance(theta, phi, D):
    """With zero divergence the alternating chain leaves the data law invariant; if codes are shared it gets there."""
    q = encoder(phi, D)
    pair = marginal(q, X, ZBAR)[:, 0, 0, :]
    p_zbar = pair.sum(0)
    T = gsn_chain.chain(q, gsn_chain.optimal_decoder(q))

    yield start(r"\mathcal D(x')", D, claim="bachman2015.sec2_marginal")

    yield equals(r"\sum_{\bar z}q(\bar z)\,q(x'|\bar z)", (pair / p_zbar) @ p_zbar,
                 because="D is the marginal of the encoder", claim="bachman2015.sec2_marginal")

    yield equals(r"\sum_{\bar z}\left(\sum_x\mathcal D(x)\,q(\bar z|x)\right)p(x'|\bar z)",
                 np.einsum("x,xz,yz->y", D, pair / pair.sum(1, keepdims=True), pair / p_zbar),
                 because="zero divergence: p(x|zbar) = q(x|zbar)", claim="bachman2015.sec2_klzero")

    yield equals(r"\sum_x\mathcal D(x)\,T(x,x')", D @ T, because="the definition of the chain",
                 claim="bachman2015.sec2_chain")

    yield mistake(r"\sum_x\mathcal D(x)\,T_\theta(x,x')\ \text{with any decoder}",
                  D @ gsn_chain.chain(q, decoder(theta)), because="the decoder must be the posterior of this encoder")

    yield mistake(r"\sum_x T(x',x)\,\mathcal D(x)", T @ D,
                  because="rows are where the chain comes from, columns where it goes")

    yield approaches(r"T^t(x_0,x')\quad(t\to\infty)", [np.linalg.matrix_power(T, t)[0] for t in (1, 4, 16, 64, 1024)],
                     because="every x can be reached through a shared code, and T has no negative eigenvalue",
                     claim="bachman2015.sec2_chain")

    flow = np.einsum("xz,yz->xy", pair, pair / p_zbar)
    yield equals(r"\sum_{x}\mathcal D(x')\,T(x',x)", flow.T.sum(0),
                 because="detailed balance: D(x) T(x, x') = D(x') T(x', x)", claim="bachman2015.sec2_chain")


@derivation(islands_case)
def islands(phi, D):
    """Codes that no two data points share make the divergence zero, and stop the chain from mixing."""
    q = encoder(phi, D)
    decode = gsn_chain.optimal_decoder(q)
    pair = marginal(q, X, ZBAR)[:, 0, 0, :]
    T = gsn_chain.chain(q, decode)

    yield start(r"\mathrm{KL}(q\|p)+\mathbb E_{\mathcal D}[-\log\mathcal D(x)]",
                kl(q, decode * marginal(q, ZBAR)) - D @ np.log(D), claim="bachman2015.fn3")

    yield equals(r"I_q(\bar z;x)", kl(pair, pair.sum(0) * pair.sum(1, keepdims=True)),
                 because="the divergence is zero, and the code tells x without error", claim="bachman2015.fn3")

    inside = pair > 0
    yield mistake(r"\mathbb E_q[-\log p(x|\bar z)]", -np.sum(pair[inside] * np.log((pair / pair.sum(0))[inside])),
                  because="the reconstruction error is zero, and does not charge for the copy of x in the code",
                  claim="bachman2015.sec2_twostep")

    yield mistake(r"H(\bar z)", -np.sum(pair.sum(0) * np.log(pair.sum(0))),
                  because="the codes of one island are interchangeable")

    yield equals(r"\mathbb E_{\mathcal D(x_0)}\left[\mathrm{KL}(T^t(x_0,\cdot)\,\|\,\mathcal D)\right],\quad t=1000",
                 sum(D[i] * kl(np.linalg.matrix_power(T, 1000)[i], D) for i in range(len(D))),
                 because="the chain is where it began: its law is a point, not D", claim="bachman2015.sec2_chain")

    yield mistake(r"\mathbb E_{\mathcal D(x_0)}\left[\mathrm{KL}(\mathcal D\,\|\,\mathcal D)\right]", kl(D, D),
                  because="an invariant law need not be reached", claim="bachman2015.sec2_chain")
