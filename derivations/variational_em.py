r"""EM climbs the likelihood without ever computing its gradient.

Where latent variables are summed out, $\log p_\theta(x)$ has no closed-form maximum. EM goes round it: it keeps a
lower bound $\mathcal L(x;\theta,\phi)$, and maximises it over $\phi$ with $\theta$ fixed (E-step), then over $\theta$
with $\phi$ fixed (M-step). The E-step makes the bound touch the likelihood, the M-step lifts the bound, and the
likelihood is lifted with it. That takes variational parameters $\phi^{(i)}$ of its own for each datum: with one
$\phi$ for all data the bound does not touch.

Every sum is over a mixture of Bernoulli vectors with two components, so both steps are closed formulas.
"""
import autograd.numpy as np
from autograd import grad

from refdgm.derivation import at_most, derivation, equals, mistake, start
from refdgm.directed import variational_em as em
from refdgm.models import bernoulli_mixture as mixture
from refdgm.numerics import all_binary, kl, sigmoid, softmax


@derivation(mixture.random_case)
def monotone(theta, phi, X):
    """One round of EM cannot lower the likelihood.

    The chain starts at any q and ends at the likelihood of the new parameters; each step is licensed by a maximum or by
    a divergence that is not negative.
    """
    posterior = em.e_step(theta, X)
    new = em.m_step(posterior, X)

    yield start(r"\sum_i\mathcal L(x^{(i)};\theta,\phi^{(i)})", np.sum(em.bound(theta, phi, X)))

    yield at_most(r"\sum_i\mathcal L(x^{(i)};\theta,\hat\phi^{(i)}),"
                  r"\ q_{\hat\phi^{(i)}}(z|x^{(i)})=p_\theta(z|x^{(i)})",
                  np.sum(em.bound(theta, posterior, X)), because="the E-step is a maximum over phi",
                  claim="kingma2019.eqA.6")

    yield equals(r"\sum_i\log p_\theta(x^{(i)})", np.sum(mixture.log_marginal(theta, X)),
                 because="the bound touches: its gap is the divergence of q from the posterior",
                 claim="kingma2019.A.2.2.equal")

    yield mistake(r"\sum_ip_\theta(x^{(i)})", np.sum(np.exp(mixture.log_marginal(theta, X))),
                  because="the bound is one on the log of the marginal likelihood", claim="kingma2019.A.2.2.equal")

    yield mistake(r"\sum_i\mathcal L(x^{(i)};\theta,\hat\phi),\ q_{\hat\phi}(z)=\tfrac1N\sum_ip_\theta(z|x^{(i)})",
                  np.sum(em.bound(theta, em.shared(posterior), X)),
                  because="one phi for all data does not touch, though it be their mean", claim="kingma2019.eqA.7")

    yield at_most(r"\sum_i\mathcal L(x^{(i)};\hat\theta,\hat\phi^{(i)})", np.sum(em.bound(new, posterior, X)),
                  because="the M-step is a maximum over theta", claim="kingma2019.eqA.7")

    yield at_most(r"\sum_i\log p_{\hat\theta}(x^{(i)})", np.sum(mixture.log_marginal(new, X)),
                  because="the old posterior is not the new one, and the gap is not negative",
                  claim="kingma2019.A.2.2.bound")


@derivation(mixture.random_case)
def e_step(theta, phi, X):
    """To raise the bound in phi is to lower the divergence from the posterior."""
    joint = np.exp(mixture.log_joint(theta, X))
    posterior = joint / np.sum(joint, axis=1, keepdims=True)

    yield start(r"\nabla_\phi\sum_i\mathcal L(x^{(i)};\theta,\phi^{(i)})",
                grad(lambda p: np.sum(em.bound(theta, p, X)))(phi), claim="kingma2019.eqA.8")

    yield equals(r"\nabla_\phi\sum_i[\log p_\theta(x^{(i)})-D_{KL}(q_{\phi^{(i)}}(z|x^{(i)})\|p_\theta(z|x^{(i)}))]",
                 grad(lambda p: np.sum(np.log(np.sum(joint, axis=1))) - np.sum(kl(softmax(p), posterior)))(phi),
                 because="the bound is the log-likelihood minus its gap", claim="kingma2019.eqA.8")

    yield equals(r"-q_\phi(z)\left(\log\frac{q_\phi(z)}{p_\theta(z|x)}-D_{KL}\right)\ \text{for each }z\text{ and }x",
                 em.grad_phi(theta, phi, X),
                 because="log p(x) does not depend on phi; the rest is the derivative of a softmax",
                 claim="kingma2019.eqA.8")

    yield mistake(r"p_\theta(z|x)-q_\phi(z)", posterior - softmax(phi),
                  because="that lowers the other divergence, KL[p(z|x) || q]: the sleep phase")

    yield mistake(r"+q_\phi(z)\left(\log\frac{q_\phi(z)}{p_\theta(z|x)}-D_{KL}\right)", -em.grad_phi(theta, phi, X),
                  because="argmax of the bound is argmin of the divergence: the sign turns", claim="kingma2019.eqA.8")


@derivation(mixture.random_case)
def m_step(theta, phi, X):
    """The M-step makes the model's mean agree with the data's, component by component."""
    q = softmax(phi)
    x = all_binary(X.shape[1])

    def model_means(logits):
        """E x under p(x|z) for each z, by a sum over all x."""
        on = sigmoid(logits)
        p = np.prod(np.where(x == 1, on[:, None], 1 - on[:, None]), axis=-1)
        return np.dot(p, x)

    def expected(logits):
        return np.sum(q, axis=0)[:, None] * model_means(logits)

    yield start(r"\sum_iq_{\phi^{(i)}}(z)\,x^{(i)}", np.array([sum(q[i, z] * X[i] for i in range(len(X)))
                                                               for z in range(q.shape[1])]))

    yield equals(r"\sum_iq_{\phi^{(i)}}(z)\,\mathbb E_{p_{\hat\theta}(x|z)}[x]", expected(em.m_step(phi, X)["B"]),
                 because="at the maximum over theta the gradient is zero", claim="kingma2019.eqA.7")

    yield mistake(r"\sum_iq_{\phi^{(i)}}(z)\,\mathbb E_{p_\theta(x|z)}[x]", expected(theta["B"]),
                  because="the means of the old parameters: no step was taken")

    yield mistake(r"\sum_iq_\phi(z)\,\mathbb E_{p_{\hat\theta}(x|z)}[x]\ \text{with one }\phi",
                  expected(em.m_step(em.shared(phi), X)["B"]),
                  because="with one phi for all data every component takes the mean of all data",
                  claim="kingma2019.eqA.7")
