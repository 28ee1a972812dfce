r"""An output activation for every f-divergence, without looking up a conjugate.

A variational function has values in the domain of $f^*$, and a network's output $v$ is any number; an activation $g_f$
goes between. It can be chosen so that the optimal $v$ always means the same thing, the log density ratio: since the
optimal $T$ is $f'(p_0/p_\theta)$, take $g_f(v) = f'(e^v)$. Then $f^*$ is only ever needed at a slope of $f$, where it
is $u f'(u) - f(u)$, and disappears.

The review adds that this rule gives the activations in the table of the f-GAN paper. The last derivation shows where it
does not: there the network's output means something else.

The divergence changes with the seed.
"""
import autograd.numpy as np
import numpy as onp
from autograd import elementwise_grad, grad

from refdgm.adversarial.conjugates import search_over_u
from refdgm.adversarial.output_activation import log_ratio_at, outputs_case
from refdgm.derivation import at_most, derivation, equals, mistake, start
from refdgm.divergences import f_bound, f_divergence
from refdgm.f_divergences import F_DIVERGENCES
from refdgm.models.finite_game import crossing, random_logits

NAMES = tuple(name for name in F_DIVERGENCES if name != "total variation")
SHIFTED = ("kl", "squared hellinger", "pearson")


@derivation(lambda seed: {"name": NAMES[seed % len(NAMES)], **random_logits(seed)})
def without_conjugate(name, p0, p, V):
    """With g_f(v) = f'(e^v) the bound needs f and its derivative only, and V* is the log density ratio."""
    d, u = F_DIVERGENCES[name], np.exp(V)
    slope = elementwise_grad(d.f)

    yield start(r"E_{p_0}[g_f(V)] - E_{p_\theta}[f^*(g_f(V))],\quad g_f(v) = f'(e^v)",
                f_bound(name, p0, p, d.at_log(V)), claim="ou2018.eq31")

    yield equals(r"E_{p_0}[f'(e^V)] - E_{p_\theta}\left[\sup_u \{u f'(e^V) - f(u)\}\right]",
                 np.sum(p0 * slope(u)) - np.sum(p * search_over_u(d.f, slope(u))),
                 because="the definition of the conjugate", claim="ou2018.fenchel")

    yield equals(r"E_{p_0}[f'(e^V)] - E_{p_\theta}[e^V f'(e^V) - f(e^V)]",
                 np.sum(p0 * d.derivative(u)) - np.sum(p * (u * d.derivative(u) - d.f(u))),
                 because="the supremum is where f has that slope, at u = exp(V)", claim="ou2018.eq32")

    yield mistake(r"E_{p_0}[f'(e^V)] - E_{p_\theta}[f(e^V) - e^V f'(e^V)]",
                  np.sum(p0 * d.derivative(u)) + np.sum(p * (u * d.derivative(u) - d.f(u))),
                  because="the conjugate at a slope is u f' - f, minus the tangent's intercept")

    yield mistake(r"E_{p_0}[f'(e^V)] - E_{p_\theta}[f'(e^V) - f(e^V)]",
                  np.sum(p0 * d.derivative(u)) - np.sum(p * (d.derivative(u) - d.f(u))),
                  because="the factor u = exp(V) is lost")

    ratio = p0 / p
    yield at_most(r"E_{p_0}[f'(\tfrac{p_0}{p_\theta})] - E_{p_\theta}\left[\tfrac{p_0}{p_\theta} "
                  r"f'(\tfrac{p_0}{p_\theta}) - f(\tfrac{p_0}{p_\theta})\right]",
                  np.sum(p0 * slope(ratio)) - np.sum(p * (ratio * slope(ratio) - d.f(ratio))),
                  because="no V does better than the log density ratio", claim="ou2018.gf.Vstar")

    yield equals(r"D_f[p_0 \| p_\theta]", f_divergence(name, p0, p),
                 because="the two terms with f' cancel: the ratio turns an expectation under p into one under p0",
                 claim="ou2018.eq28")

    yield mistake(r"\text{the same at } V = \log \tfrac{p_\theta}{p_0}", f_bound(name, p0, p, d.at_log(-np.log(ratio))),
                  because="a large V means data, not samples")


@derivation(lambda seed: {"name": NAMES[seed % len(NAMES)], **random_logits(seed)})
def optimal_output(name, p0, p, V):
    """The derivative of Eq. 32 in V has one factor that changes its sign, at the log density ratio."""
    d, u = F_DIVERGENCES[name], np.exp(V)
    yield start(r"\nabla_V \left(E_{p_0}[f'(e^V)] - E_{p_\theta}[e^V f'(e^V) - f(e^V)]\right)",
                grad(lambda V: np.sum(p0 * d.derivative(np.exp(V)))
                     - np.sum(p * (np.exp(V) * d.derivative(np.exp(V)) - d.f(np.exp(V)))))(V), claim="ou2018.eq32")

    yield equals(r"f''(e^V) e^V \left(p_0 - p_\theta e^V\right)", d.second(u) * u * (p0 - p * u),
                 because="the two terms f' e^V of the conjugate cancel")

    yield mistake(r"f''(e^V) \left(p_0 - p_\theta e^V\right)", d.second(u) * (p0 - p * u),
                  because="the inner derivative of exp(V)")

    yield equals(r"f''(e^V) e^V p_\theta \left(e^{V^*} - e^V\right),\quad V^* = \log \frac{p_0}{p_\theta}",
                 d.second(u) * u * p * (np.exp(np.log(p0) - np.log(p)) - u),
                 because="positive below the log density ratio and negative above it, if f'' > 0",
                 claim="ou2018.gf.Vstar")

    yield mistake(r"f''(e^V) e^V p_\theta \left(e^{V^*} - e^V\right),\quad V^* = 1 + \log \frac{p_0}{p_\theta}",
                  d.second(u) * u * p * (np.exp(1 + np.log(p0 / p)) - u),
                  because="the 1 of KL's f' belongs to T, not to V", claim="ou2018.kl.V")


@derivation(lambda seed: {"name": SHIFTED[seed % len(SHIFTED)], **outputs_case(seed)})
def not_the_table(name, v):
    """Under the f-GAN paper's activations for KL, Hellinger and Pearson the optimal output is no log density ratio."""
    d = F_DIVERGENCES[name]
    yield start(r"g_f(v)\text{ of the table: }v\ (\mathrm{KL},\ \mathrm{Pearson}),\ 1 - e^{-v}\ (\mathrm{Hellinger})",
                {"kl": v, "pearson": v, "squared hellinger": 1 - onp.exp(-v)}[name])

    w = crossing(lambda w: d.activation(v) - elementwise_grad(d.f)(onp.exp(w)), v - 12, v + 12)
    yield equals(r"f'(e^{w})\text{ where }w\text{ solves }f'(e^w) = g_f(v)", d.at_log(w),
                 because="g_f(v) is a slope of f, at some log density ratio w")

    yield equals(r"f'(e^{w(v)}),\quad w(v) = v - 1\ (\mathrm{KL}),\ 2v\ (\mathrm{Hellinger}),"
                 r"\ \log(1 + \tfrac v2)\ (\mathrm{Pearson})", d.derivative(onp.exp(log_ratio_at(name, v))),
                 because="solved by hand", claim="ou2018.gf.claim")

    yield mistake(r"f'(e^v)", d.at_log(v), because="the principled rule is not what the table has in these rows",
                  claim="ou2018.gf.claim")

    yield mistake(r"f'(e^{v + 1})", d.at_log(v + 1), because="KL needs the shift the other way")
