r"""Every update of Table 1 is a mean of scores; only the law of (x, h) changes.

The review's table pairs each algorithm with an objective for theta and one for phi. Written as expectations the
updates are much alike: a score, $\nabla_\theta \log p_\theta(x, h)$ or $\nabla_\phi \log q_\phi(h|x)$, averaged over
draws of $(x, h)$. The variational algorithms draw $h$ from $q$, reweighted wake-sleep picks one of K such draws by its
weight, JSA lets a Markov chain accept or reject them, and the sleep phase dreams $x$ and $h$ together. Each line below
is a sum over all cells of a random table, once as an expectation and once as the gradient of the named objective.

In theta three objectives are left, one for each law of $h$ given the data. In phi only the variational algorithms and
the IWAE do not fit the pattern: they improve the law that they draw from, so each score carries a learning signal.
"""
import autograd.numpy as np
from autograd import grad

from refdgm.derivation import derivation, equals, mistake, start
from refdgm.directed import learning_table as table
from refdgm.models.counts import multinomial
from refdgm.models.tables import log_joint, log_marginal, log_posterior, log_q, random_case, score_phi, score_theta
from refdgm.numerics import weighted_sum

K = 3


def mean_theta_score(p_x, law, theta):
    """E dlog p(x, h)/dtheta with x ~ p_x and h ~ law(.|x)."""
    return weighted_sum(p_x[:, None] * law, score_theta(theta))


def mean_phi_score(p_x, law, phi):
    """E dlog q(h|x)/dphi with x ~ p_x and h ~ law(.|x); the law may carry a signal."""
    return weighted_sum(p_x[:, None] * law, score_phi(phi))


def chosen(theta, phi, K=K):
    """r_K(h|x), the law of one of K draws chosen by its normalised weight, summed over counts of each state."""
    log_r = log_q(phi)
    counts, log_probability = multinomial(log_r, K)
    share = counts * np.exp(log_joint(theta) - log_r)[:, None, :]
    return weighted_sum(np.exp(log_probability), share / np.sum(share, axis=-1, keepdims=True), axis=-1)


@derivation(random_case)
def theta_from_q(theta, phi, p_data):
    """In theta, VAE, NVIL, MuProp and wake-sleep follow the variational lower bound."""
    yield start(r"\nabla_\theta E_{\tilde p} \mathcal L(x)", grad(table.elbo)(theta, phi, p_data),
                claim="ou2018.table1.vae")

    yield equals(r"E_{\tilde p(x) q_\phi(h|x)}[\nabla_\theta \log p_\theta(x, h)]",
                 mean_theta_score(p_data, np.exp(log_q(phi)), theta),
                 because="neither the law of h nor -log q depends on theta", claim="ou2018.table1.ws")

    yield mistake(r"E_{\tilde p(x) q_\phi(h|x)}[\nabla_\theta \log p_\theta(h|x)]",
                  {"joint": mean_phi_score(p_data, np.exp(log_q(phi)), {"q": theta["joint"]})["q"]},
                  because="the score of the posterior leaves out that of p(x)")

    yield mistake(r"E_{p_\theta(x) q_\phi(h|x)}[\nabla_\theta \log p_\theta(x, h)]",
                  mean_theta_score(np.exp(log_marginal(theta)), np.exp(log_q(phi)), theta),
                  because="x has to come from the data, not from the model")


@derivation(random_case)
def theta_from_weights(theta, phi, p_data):
    """In theta, the IWAE and reweighted wake-sleep follow the importance weighted bound."""
    yield start(r"\nabla_\theta E_{\tilde p} \mathcal I^K(x)", grad(table.iw_bound)(theta, phi, p_data, K),
                claim="ou2018.table1.iwae")

    yield equals(r"E_{\tilde p(x)} E_{h_1 \ldots h_K \sim q}\left[\sum_k \bar w_k \nabla_\theta \log p_\theta(x, h_k)"
                 r"\right]", weighted_sum(table.resampled(theta, phi, p_data, K), score_theta(theta)),
                 because="the gradient of a log-sum is a normalised sum; all K-tuples are summed",
                 claim="ou2018.table1.rws_is")

    yield equals(r"E_{\tilde p(x) r_K(h|x)}[\nabla_\theta \log p_\theta(x, h)]",
                 mean_theta_score(p_data, chosen(theta, phi), theta),
                 because="to weigh K draws is, in the mean, to choose one with probability wbar_k",
                 claim="ou2018.table1.rws_sleep")

    yield mistake(r"E_{\tilde p(x) q_\phi(h|x)}[w \, \nabla_\theta \log p_\theta(x, h)]",
                  mean_theta_score(p_data, np.exp(log_joint(theta)), theta),
                  because="unnormalised weights give the gradient of p(x), not of its logarithm")

    yield mistake(r"E_{\tilde p(x) r_{K-1}(h|x)}[\nabla_\theta \log p_\theta(x, h)]",
                  mean_theta_score(p_data, chosen(theta, phi, K - 1), theta),
                  because="one draw fewer is another bound")


@derivation(random_case)
def theta_from_the_posterior(theta, phi, p_data):
    """In theta, JSA follows the likelihood itself."""
    yield start(r"\nabla_\theta E_{\tilde p} \log p_\theta(x)", grad(table.log_likelihood)(theta, p_data))

    yield equals(r"E_{\tilde p(x) p_\theta(h|x)}[\nabla_\theta \log p_\theta(x, h)]",
                 mean_theta_score(p_data, np.exp(log_posterior(theta)), theta),
                 because="Fisher equality", claim="ou2018.table1.note_mis_theta")

    yield equals(r"E_{\tilde p(x)} E_{h \sim \pi}[\nabla_\theta \log p_\theta(x, h)],\quad \pi P_{\mathrm{MIS}} = \pi",
                 weighted_sum(table.accepted(theta, phi, p_data), score_theta(theta)),
                 because="the chain's stationary law is the posterior", claim="ou2018.table1.jsa")

    yield mistake(r"E_{\tilde p(x) r_K(h|x)}[\nabla_\theta \log p_\theta(x, h)]",
                  mean_theta_score(p_data, chosen(theta, phi), theta),
                  because="normalised weights are biased for the likelihood", claim="ou2018.table1.rws_is")

    yield mistake(r"E_{\tilde p(x) q_\phi(h|x)}[\nabla_\theta \log p_\theta(x, h)]",
                  mean_theta_score(p_data, np.exp(log_q(phi)), theta),
                  because="with posterior samples no bound is needed, and this is a bound's gradient")


@derivation(random_case)
def phi_exclusive(theta, phi, p_data):
    """In phi, VAE, NVIL and MuProp descend the exclusive KL on the data."""
    log_w = log_joint(theta) - log_q(phi)

    def minus_exclusive_kl(f):
        return np.sum(p_data[:, None] * np.exp(log_q(f)) * (log_posterior(theta) - log_q(f)))

    yield start(r"\nabla_\phi E_{\tilde p} \mathcal L(x)", grad(table.elbo, 1)(theta, phi, p_data),
                claim="ou2018.table1.vae")

    yield equals(r"-\nabla_\phi E_{\tilde p} \mathrm{KL}[q_\phi(h|x) \| p_\theta(h|x)]", grad(minus_exclusive_kl)(phi),
                 because="log p(x) does not depend on phi", claim="ou2018.table1.vae")

    yield equals(r"E_{\tilde p(x) q_\phi(h|x)}[\log w \, \nabla_\phi \log q_\phi(h|x)]",
                 mean_phi_score(p_data, np.exp(log_q(phi)) * log_w, phi),
                 because="the log-derivative trick, and a score has mean zero", claim="ou2018.table1.nvil")

    yield mistake(r"E_{\tilde p(x) q_\phi(h|x)}[\log p_\theta(x, h) \, \nabla_\phi \log q_\phi(h|x)]",
                  mean_phi_score(p_data, np.exp(log_q(phi)) * log_joint(theta), phi),
                  because="-log q belongs to the learning signal; only its own derivative has mean zero")

    yield mistake(r"E_{\tilde p(x) p_\theta(h|x)}[\nabla_\phi \log q_\phi(h|x)]",
                  mean_phi_score(p_data, np.exp(log_posterior(theta)), phi), because="the inclusive KL instead")


@derivation(random_case)
def phi_inclusive(theta, phi, p_data):
    """In phi, JSA and, up to the bias of its weights, the wake phase of RWS descend the inclusive KL on the data."""
    yield start(r"-\nabla_\phi E_{\tilde p} \mathrm{KL}[p_\theta(h|x) \| q_\phi(h|x)]",
                grad(lambda f: table.minus_inclusive_kl(p_data, log_posterior(theta), f))(phi),
                claim="ou2018.table1.jsa")

    yield equals(r"E_{\tilde p(x)} E_{h \sim \pi}[\nabla_\phi \log q_\phi(h|x)],\quad \pi P_{\mathrm{MIS}} = \pi",
                 weighted_sum(table.accepted(theta, phi, p_data), score_phi(phi)),
                 because="MIS leaves the posterior invariant", claim="ou2018.table1.jsa")

    weights = np.exp(log_joint(theta) - log_q(phi) - log_marginal(theta)[:, None])
    yield equals(r"E_{\tilde p(x) q_\phi(h|x)}\left[\frac{w}{p_\theta(x)} \nabla_\phi \log q_\phi(h|x)\right]",
                 mean_phi_score(p_data, np.exp(log_q(phi)) * weights, phi),
                 because="importance sampling, if p(x) were known", claim="ou2018.table1.note_is_mis")

    yield mistake(r"E_{\tilde p(x)} E\left[\sum_k \bar w_k \nabla_\phi \log q_\phi(h_k|x)\right]",
                  mean_phi_score(p_data, chosen(theta, phi), phi),
                  because="p(x) estimated by the same K draws: a bias of order 1/K", claim="ou2018.table1.rws_is")

    yield mistake(r"E_{p_\theta(x, h)}[\nabla_\phi \log q_\phi(h|x)]",
                  weighted_sum(np.exp(log_joint(theta)), score_phi(phi)),
                  because="the sleep phase, whose x is dreamt", claim="ou2018.table1.ws")


@derivation(random_case)
def phi_sleep(theta, phi, p_data):
    """In phi, the sleep phase descends the inclusive KL on dreams."""
    p_x = np.exp(log_marginal(theta))
    yield start(r"-\nabla_\phi E_{p_\theta(x)} \mathrm{KL}[p_\theta(h|x) \| q_\phi(h|x)]",
                grad(lambda f: table.minus_inclusive_kl(p_x, log_posterior(theta), f))(phi), claim="ou2018.table1.ws")

    yield equals(r"E_{p_\theta(x) p_\theta(h|x)}[\nabla_\phi \log q_\phi(h|x)]",
                 mean_phi_score(p_x, np.exp(log_posterior(theta)), phi), because="the posterior does not depend on phi")

    yield equals(r"E_{p_\theta(x, h)}[\nabla_\phi \log q_\phi(h|x)]",
                 weighted_sum(table.dreamt(theta), score_phi(phi)),
                 because="a dream is a draw from the joint, so no posterior is needed", claim="ou2018.table1.rws_sleep")

    yield mistake(r"E_{p_\theta(x) q_\phi(h|x)}[\nabla_\phi \log q_\phi(h|x)]",
                  mean_phi_score(p_x, np.exp(log_q(phi)), phi),
                  because="with h from q itself the score has mean zero: nothing is learnt")

    yield mistake(r"E_{\tilde p(x) p_\theta(h|x)}[\nabla_\phi \log q_\phi(h|x)]",
                  mean_phi_score(p_data, np.exp(log_posterior(theta)), phi),
                  because="x from the data: the wake phase", claim="ou2018.table1.jsa")


@derivation(random_case)
def one_theta_gradient(theta, phi, p_data):
    """Where q is the posterior, the three updates of theta are one."""
    exact = {"q": theta["joint"]}                           # this q is the posterior

    yield start(r"\nabla_\theta E_{\tilde p} \log p_\theta(x)", grad(table.log_likelihood)(theta, p_data))

    yield equals(r"\nabla_\theta E_{\tilde p} \mathcal L(x)\big|_{q = p_\theta(h|x)}",
                 mean_theta_score(p_data, np.exp(log_q(exact)), theta),
                 because="the gap of the bound is a KL at its minimum", claim="ou2018.table1.note_mis_theta")

    yield equals(r"\nabla_\theta E_{\tilde p} \mathcal I^K(x)\big|_{q = p_\theta(h|x)}",
                 mean_theta_score(p_data, chosen(theta, exact), theta),
                 because="all weights are equal to p(x)", claim="ou2018.table1.rws_is")

    yield mistake(r"\nabla_\theta E_{\tilde p} \mathcal I^K(x)",
                  mean_theta_score(p_data, chosen(theta, phi), theta),
                  because="any other q leaves the bound loose and its gradient different")

    yield mistake(r"\nabla_\theta E_{\tilde p} \mathcal L(x)", grad(table.elbo)(theta, phi, p_data),
                  because="likewise, and more so", claim="ou2018.table1.crossed_cells")
