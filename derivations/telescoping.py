r"""Forwards over backwards, a Gibbs trajectory forgets everything but its two ends.

Run a Gibbs chain x_0, z_0, x_1, ..., x_k forwards, and ask how much likelier its steps are in this direction than in
the other. Each conditional is a Boltzmann factor over a partition function. Both directions cross the same
edges, so the energies cancel; every inner state is left once in each direction, so its partition function
cancels; the ends are left once only. This is why contrastive divergence needs nothing but x_0 and x_k. The end note
of the paper overlooks that the ratio of the whole laws also holds the laws of the two ends.
Each line is evaluated on every trajectory of a small machine; the two layers are of different sizes.
"""
import numpy as np

from refdgm.derivation import derivation, equals, mistake, start
from refdgm.models import rbm
from refdgm.samplers import block_gibbs as gibbs
from refdgm.undirected.contrastive_divergence import free_energy_difference, telescoped
from refdgm.undirected.trajectory import GIBBS, terms


@derivation(gibbs.random_case)
def ratio_of_steps(theta, data, k):
    """The steps forwards over the steps backwards telescope to the partition functions of the two ends."""
    tau = gibbs.all_trajectories(*theta["w"].shape, k)
    x, z = tau
    log_zx, log_zz = -rbm.free_energy(theta, x), -rbm.hidden_free_energy(theta, z)      # every state on the way
    edge_up, edge_down = rbm.energy(theta, x[:, :-1], z), rbm.energy(theta, x[:, 1:], z)

    yield start(r"\log\frac{q(z_0, x_1, \dots, x_k|x_0)}{p(x_0, z_0, \dots, z_{k-1}|x_k)}",
                gibbs.log_forward(theta, tau) - gibbs.log_backward(theta, tau), claim="bachman2015.eq37")

    yield equals(r"\sum_i\left[-E(x_i,z_i) - \log Z_{x_i} - E(x_{i+1},z_i) - \log Z_{z_i}\right]"
                 r" - \sum_i\left[-E(x_{i+1},z_i) - \log Z_{x_{i+1}} - E(x_i,z_i) - \log Z_{z_i}\right]",
                 np.sum(-edge_up - log_zx[:, :-1] - edge_down - log_zz, axis=1)
                 - np.sum(-edge_down - log_zx[:, 1:] - edge_up - log_zz, axis=1),
                 because="each conditional is a Boltzmann factor over the partition function of the state it leaves")

    yield equals(r"\sum_{i=0}^{k-1} \left(\log Z_{x_{i+1}} - \log Z_{x_i}\right)",
                 np.sum(np.diff(log_zx, axis=1), axis=1),
                 because="both directions cross the same edges and leave each z once")

    yield equals(r"\log Z_{x_k} - \log Z_{x_0}", telescoped(theta, tau), because="the sum telescopes",
                 claim="bachman2015.eq37")

    yield equals(r"F(x_0) - F(x_k)", free_energy_difference(theta, x[:, 0], x[:, -1]), because="F = -log Z",
                 claim="bachman2015.eq40")

    yield mistake(r"\log Z_{x_0} - \log Z_{x_k}", telescoped(theta, tau._replace(x=x[:, ::-1])),
                  because="the ends exchanged: a chain is likelier forwards when it ends where Z is large")

    yield mistake(r"\log Z_{x_k} - \log Z_{x_0} + \sum_i \log Z_{z_i}", log_zx[:, -1] - log_zx[:, 0] + log_zz.sum(1),
                  because="each z is left once forwards and once backwards")


@derivation(gibbs.random_case)
def ratio_of_laws(theta, data, k):
    """The ratio of the whole laws keeps the laws of the two ends, which the end note drops."""
    tau = gibbs.all_trajectories(*theta["w"].shape, k)
    first, last = gibbs.state_index(tau.x[:, 0]), gibbs.state_index(tau.x[:, -1])
    q = gibbs.forward_table(theta, data, k)
    p = gibbs.backward_table(theta, gibbs.marginal_table(theta, data, k), k)
    t = terms(theta, data, GIBBS, k)

    yield start(r"\log\frac{q(\tau)}{p(\tau)}", np.log(q / p).ravel(), claim="bachman2015.eq24")

    yield equals(r"\log\frac{\mathcal D(x_0)}{q(x_k)} + \log\frac{q(z_0, \dots, x_k|x_0)}{p(x_0, \dots, z_{k-1}|x_k)}",
                 t.ends + t.steps, because="the chain rule at x_0 forwards, at x_k backwards, with the prior q(x_k)",
                 claim="bachman2015.eq33")

    yield equals(r"\log\frac{\mathcal D(x_0)}{q(x_k)} + \log Z_{x_k} - \log Z_{x_0}",
                 np.log(data[first] / gibbs.marginal(theta, data, k)[last]) + telescoped(theta, tau),
                 because="the steps telescope", claim="bachman2015.endnote")

    log_pi = rbm.log_marginal_table(theta)
    yield equals(r"\log\frac{\mathcal D(x_0)}{\pi(x_0)} - \log\frac{q(x_k)}{\pi(x_k)}",
                 (np.log(data) - log_pi)[first] - (np.log(gibbs.marginal(theta, data, k)) - log_pi)[last],
                 because="Z_x = Z pi(x), and Z cancels", claim="bachman2015.x_cdk")

    yield mistake(r"\log Z_{x_k} - \log Z_{x_0}", telescoped(theta, tau),
                  because="the end note: true of the steps only", claim="bachman2015.endnote")

    yield mistake(r"\log\frac{\mathcal D(x_0)}{\pi(x_k)} + \log Z_{x_k} - \log Z_{x_0}",
                  np.log(data)[first] - log_pi[last] + telescoped(theta, tau),
                  because="the prior is q(x_k), which has not reached the RBM's marginal")
