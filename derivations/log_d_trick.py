r"""What a generator descends that maximises $\log D$: not the Jensen-Shannon divergence.

In the minimax game the generator lowers $E[\log(1 - D)]$, and with the best discriminator that is the Jensen-Shannon
divergence. Early in training the gradient is weak, since $D$ is nearly zero on all samples; so one raises $E[\log D]$
instead. It is often said that the fixed point stays the same. It does if the generator can reach the data; but the
quantity that goes down is another one: $\mathrm{KL}[p_\theta \| p_0] - 2\,\mathrm{JS}[p_0 \| p_\theta]$, where the
Jensen-Shannon divergence has the wrong sign (Arjovsky & Bottou 2017).

$p_\theta$ is a softmax of six points with two parameters, so that it cannot reach $p_0$. The discriminator is held
still when theta is differentiated; that is the point at which students go wrong.
"""
import autograd.numpy as np
import numpy as onp
from autograd import grad, jacobian

from refdgm.adversarial.log_d_trick import log_d_gradient, minimax_gradient, optimal_logits, random_case, root_case
from refdgm.derivation import approaches, derivation, equals, mistake, start
from refdgm.divergences import js
from refdgm.numerics import kl, log_sigmoid, softmax


@derivation(root_case)
def descends(root, B, p0, theta):
    """At the best discriminator the log D trick descends KL[p||p0] - 2 JS[p0||p]."""
    def p_of(t):
        return softmax(np.dot(B, t))
    p, dp = p_of(theta), jacobian(p_of)(theta)
    D = p0 / (p0 + p)

    yield start(r"-\nabla_\theta E_\epsilon[\log D^*(G_\theta(\epsilon))],\ D^*\text{ held still}",
                log_d_gradient(theta, B, optimal_logits(theta, B, p0)), claim="ou2018.logD.fixed")

    yield equals(r"-\sum_x \nabla_\theta p_\theta(x) \log D^*(x)", -np.log(D) @ dp,
                 because="only the law of the samples moves", claim="ou2018.optD")

    def moving(t):
        return -np.sum(p_of(t) * np.log(p0 / (p0 + p_of(t))))
    yield mistake(r"-\nabla_\theta \sum_x p_\theta(x) \log \frac{p_0(x)}{p_0(x) + p_\theta(x)}", grad(moving)(theta),
                  because="here D* follows theta; the generator is not trained through the discriminator's optimum")

    yield equals(r"\sum_x \nabla_\theta p_\theta(x) \left[\log \frac{p_\theta(x)}{p_0(x)} - \log(1 - D^*(x))\right]",
                 (np.log(p / p0) - np.log(1 - D)) @ dp, because="D/(1 - D) is the density ratio")

    yield equals(r"\nabla_\theta \mathrm{KL}[p_\theta \| p_0] - \nabla_\theta E_\epsilon[\log(1 - D^*)]",
                 grad(lambda t: kl(p_of(t), p0))(theta)
                 - minimax_gradient(theta, B, optimal_logits(theta, B, p0)),
                 because="the derivative of p log p leaves a one, and the derivatives of p sum to zero")

    yield equals(r"\nabla_\theta \left(\mathrm{KL}[p_\theta \| p_0] - 2\,\mathrm{JS}[p_0 \| p_\theta]\right)",
                 grad(lambda t: kl(p_of(t), p0) - 2 * js(p0, p_of(t)))(theta),
                 because="D* is a maximum: its own motion does not count to first order (Eq. 25)", claim="ou2018.eq25")

    yield mistake(r"2 \nabla_\theta \mathrm{JS}[p_0 \| p_\theta]", grad(lambda t: 2 * js(p0, p_of(t)))(theta),
                  because="that is what the minimax generator descends")

    yield mistake(r"\nabla_\theta \mathrm{KL}[p_\theta \| p_0]", grad(lambda t: kl(p_of(t), p0))(theta),
                  because="the Jensen-Shannon part is there, and pushes away")


@derivation(lambda seed: root_case(seed, restricted=True))
def fixed_points(root, B, p0, theta):
    """Where the minimax generator rests, a generator with the log D trick moves on, unless it has reached the data."""
    yield start(r"\nabla_\theta \mathrm{JS}[p_0 \| p_\theta]\text{ at }\theta_{minimax}",
                grad(lambda t: js(p0, softmax(np.dot(B, t))))(root))

    yield equals(r"0", np.zeros(root.shape), because="the minimax generator is at rest", scale=1.0)

    yield equals(r"\nabla_\theta E_\epsilon[\log(1 - D^*)]", minimax_gradient(root, B, optimal_logits(root, B, p0)),
                 because="its own gradient is twice as large", claim="ou2018.eq25", scale=1.0)

    yield mistake(r"-\nabla_\theta E_\epsilon[\log D^*]", log_d_gradient(root, B, optimal_logits(root, B, p0)),
                  because="not at rest: p0 is not in the family", claim="ou2018.logD.fixed", scale=1.0)

    reached = softmax(np.dot(B, root))
    yield equals(r"-\nabla_\theta E_\epsilon[\log D^*],\ p_0\text{ replaced by }p_{\theta_{minimax}}",
                 log_d_gradient(root, B, optimal_logits(root, B, reached)),
                 because="if the data can be reached, D* = 1/2 everywhere, and both are at rest",
                 claim="ou2018.logD.fixed", scale=1.0)

    yield mistake(r"-\nabla_\theta E_\epsilon[\log D],\ D\text{ not optimal}",
                  log_d_gradient(root, B, np.log(reached)),
                  because="at the data, but with another discriminator", scale=1.0)


@derivation(random_case)
def strength(theta, B, V):
    """A sure discriminator starves the minimax generator and feeds the other one."""
    depths = (1.0, 10.0, 30.0)
    yield start(r"-\nabla_\theta E_\epsilon[V(G_\theta(\epsilon))]",
                grad(lambda t: -np.sum(softmax(np.dot(B, t)) * V))(theta))

    yield approaches(r"-\nabla_\theta E_\epsilon[\log \sigma(V - c)]",
                     [log_d_gradient(theta, B, V - c) for c in depths],
                     because="log D is V itself up to a constant, where V is very negative",
                     claim="ou2018.logD.strength")

    yield mistake(r"\nabla_\theta E_\epsilon[\log(1 - \sigma(V - c))]", minimax_gradient(theta, B, V - depths[-1]),
                  because="the signal is scaled by D, which is nearly zero", claim="ou2018.logD.strength")

    yield approaches(r"e^c\, \nabla_\theta E_\epsilon[\log(1 - \sigma(V - c))]"
                     r" - \nabla_\theta E_\epsilon[V] + \nabla_\theta E_\epsilon[e^V]",
                     [onp.exp(c) * minimax_gradient(theta, B, V - c)
                      + grad(lambda t: np.sum(softmax(np.dot(B, t)) * (np.exp(V) - V)))(theta) for c in depths],
                     because="log(1 - D) is -exp(V - c) there: the gradient shrinks like exp(-c)")

    yield mistake(r"-\nabla_\theta E_\epsilon[\sigma(V)]",
                  -grad(lambda t: np.sum(softmax(np.dot(B, t)) * np.exp(log_sigmoid(V))))(theta),
                  because="the probability D saturates, too; its logarithm does not")
