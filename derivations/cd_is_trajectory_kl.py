r"""Contrastive divergence descends a divergence between two Gibbs chains, but for one term that it ignores.

Let q run the RBM's Gibbs chain for k steps from the data, and let p run it back from the law q(x_k) in which q
arrives. Minimising KL(q||p) over whole trajectories asks the chain to look the same in both directions, as it does
when the data are the model's own. Its gradient has two terms: the one is the CD-k update, the other scores each
trajectory by how much too often it is visited. Contrastive divergence drops the second, which is neither zero nor
always small. All gradients are exact, in all parameters at once; lines by the chain's states use transition
matrices, lines by trajectories enumerate every one of them.
"""
import numpy as np
from autograd.misc import flatten

from refdgm.derivation import derivation, equals, mistake, start
from refdgm.models import rbm
from refdgm.numerics import all_binary, kl, weighted_sum
from refdgm.samplers import block_gibbs as gibbs
from refdgm.undirected import contrastive_divergence as cd
from refdgm.undirected import ignored_term as matrices
from refdgm.undirected import trajectory as traj


@derivation(gibbs.random_case)
def gradient(theta, data, k):
    """The gradient of the trajectory divergence is minus the CD-k update, plus a policy gradient that CD ignores."""
    t = traj.terms(theta, data, traj.GIBBS, k)
    def vector(tree): return flatten(tree)[0]
    size = np.max(t.q @ np.abs(t.s))        # the mean size of a score: gradients are sums of such terms

    yield start(r"\nabla_w \mathrm{KL}(q\|p)", traj.gradient_by_tables(theta, data, traj.GIBBS, k),
                claim="bachman2015.eq24")

    yield equals(r"\mathbb E_q\left[\nabla\log q(\tau)\,\log\frac{q(\tau)}{p(\tau)}"
                 r" + \nabla\log\frac{q(\tau)}{p(\tau)}\right]",
                 traj.gradient(t), because="the product rule, and grad q = q grad log q", claim="bachman2015.eq26_29",
                 scale=size)

    yield equals(r"\mathbb E_q\left[\nabla\log q(\tau_x|x)\,\log\frac{q(\tau_x|x)}{p(\tau_x|x)}\right]"
                 r" + \mathbb E_q\left[\nabla\log\frac{q(\tau)}{p(\tau)}\right]", traj.gradient_without_baseline(t),
                 because="log D(x)/p(x) is a baseline: the score has mean zero given x", claim="bachman2015.eq31",
                 scale=size)

    yield equals(r"\mathbb E_q\left[\nabla\log q(\tau_x|x)\,\log\frac{q(\tau_x|x)}{p(\tau_x|x)}\right]"
                 r" + \mathbb E_q\left[\nabla\log\frac{q(\tau_x|x_0)}{p(\tau_{:k}|x_k)}\right]",
                 traj.gradient_in_two_terms(t), because="E_q[-grad log q(x_k)] = 0, as x_k is drawn from q(x_k)",
                 claim="bachman2015.eq35", scale=size)

    by_ends = vector(cd.mean_over_trajectories(cd.at_ends(cd.gradient))(theta, data, k))
    yield equals(r"\text{Eq. 45} + \mathbb E_q\left[x_k\sigma(\tilde z_k)^\top - x_0\sigma(\tilde z_0)^\top\right]",
                 traj.ignored_term(t) + by_ends,
                 because="the steps telescope to log Z at the two ends", claim="bachman2015.eq43", scale=size)

    yield equals(r"-\sum_x \nabla q_k(x) \log\frac{q_k(x)}{\pi(x)}"
                 r" - \left(\langle v_0 h_0^\top\rangle_0 - \langle v_k h_k^\top\rangle_k\right)",
                 vector(matrices.ignored_term(theta, data, k)) - vector(matrices.mean_update(theta, data, k)),
                 because="summed over what lies between x_0 and x_k", claim="bachman2015.x_cdk", scale=size)

    yield mistake(r"-\left(\langle v_0 h_0^\top\rangle_0 - \langle v_k h_k^\top\rangle_k\right)", by_ends,
                  because="contrastive divergence ignores the first term", claim="bachman2015.eq45_size", scale=size)

    yield mistake(r"-\nabla_w \mathbb E_{\mathcal D}\log\pi(x)", -vector(matrices.likelihood_gradient(theta, data)),
                  because="maximum likelihood is the limit of many steps", claim="bachman2015.sec5.4_descent",
                  scale=size)


@derivation(gibbs.random_case)
def objective(theta, data, k):
    """The divergence of the trajectories is Hinton's contrastive divergence, a difference of two divergences of x."""
    pi, q_k = np.exp(rbm.log_marginal_table(theta)), gibbs.marginal(theta, data, k)
    t = traj.terms(theta, data, traj.GIBBS, k)

    yield start(r"\mathrm{KL}(q(\tau)\|p(\tau))", traj.divergence_by_tables(theta, data, traj.GIBBS, k),
                claim="bachman2015.eq24")
    yield equals(r"\mathbb E_q\left[\log\frac{\mathcal D(x_0)}{q(x_k)} + \log Z_{x_k} - \log Z_{x_0}\right]",
                 t.q @ (t.ends + cd.telescoped(theta, gibbs.all_trajectories(*theta["w"].shape, k))),
                 because="the steps telescope", claim="bachman2015.endnote")
    yield equals(r"\sum_x \mathcal D(x)\log\frac{\mathcal D(x)}{\pi(x)} - \sum_x q_k(x)\log\frac{q_k(x)}{\pi(x)}",
                 data @ np.log(data / pi) - q_k @ np.log(q_k / pi),
                 because="x_0 has the law D and x_k the law q_k; Z_x = Z pi(x)")
    yield equals(r"\mathrm{KL}(\mathcal D\|\pi) - \mathrm{KL}(q_k\|\pi)", kl(data, pi) - kl(q_k, pi),
                 because="the contrastive divergence of Hinton (2002)", claim="bachman2015.x_cdk")
    yield mistake(r"\mathrm{KL}(\mathcal D\|\pi)", kl(data, pi), because="that is maximum likelihood")
    yield mistake(r"\mathrm{KL}(\mathcal D\|q_k)", kl(data, q_k),
                  because="divergences do not subtract like lengths")


@derivation(gibbs.random_long_case)
def bias(theta, data):
    """The bias of CD-k is a sum over the spectrum of the Gibbs chain: each part decays with its own eigenvalue."""
    k, x = 2, all_binary(theta["w"].shape[0])
    pi, (rates, f) = np.exp(rbm.log_marginal_table(theta)), gibbs.spectrum(theta)
    statistic = rbm.grad_log_z(theta, x)["w"]

    def spectral(steps, first=1):
        parts = (data @ f) * rates**steps * (f.T @ (pi[:, None] * statistic.reshape(len(pi), -1))).T
        return -np.sum(parts[:, first:], axis=1).reshape(theta["w"].shape)

    yield start(r"\mathrm{CD}_k - \nabla_w\mathbb E_{\mathcal D}\log\pi(x)", matrices.mean_update(theta, data, k)["w"]
                - matrices.likelihood_gradient(theta, data)["w"], claim="bachman2015.eq44")
    yield equals(r"\sum_x \left(\pi(x) - q_k(x)\right) x\,\sigma(\tilde z)^\top",
                 weighted_sum(pi - gibbs.marginal(theta, data, k), statistic),
                 because="the data term is the same in both", scale=1.0)
    yield equals(r"-\sum_{i\ge2} \lambda_i^k\, \mathbb E_{\mathcal D}[f_i]\,\mathbb E_\pi[f_i x\sigma(\tilde z)^\top]",
                 spectral(k), because="q_k = D T^k, and T is self-adjoint under pi", claim="bachman2015.x_rate",
                 scale=1.0)
    yield mistake(r"-\sum_{i\ge1} \lambda_i^k\, \mathbb E_{\mathcal D}[f_i]\,\mathbb E_\pi[f_i x\sigma(\tilde z)^\top]",
                  spectral(k, first=0), because="the constant f_1 does not decay: it is the model term", scale=1.0)
    yield mistake(r"-\sum_{i\ge2} \lambda_i^{2k}\mathbb E_{\mathcal D}[f_i]\mathbb E_\pi[f_i x\sigma(\tilde z)^\top]",
                  spectral(2 * k), scale=1.0,
                  because="the squared rate is that of the divergence, not of the update")
    yield mistake("0", np.zeros_like(theta["w"]), because="CD-k is biased at finite k", claim="bachman2015.eq44",
                  scale=1.0)
