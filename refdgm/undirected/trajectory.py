r"""The divergence between a Gibbs chain run forwards and backwards, and its gradient (bachman2015 Eqs. 24-35).

The forward law q(tau) starts from the data D(x_0), the backward law p(tau) from a prior p(x_k); both take the steps
of the same RBM. With s = grad log q(tau), L = log q(tau)/p(tau), and tau_x = tau without x_0 = x:

    Eq. 24-29   KL(q||p) = E_q[L],   grad KL = E_q[s L + grad L]
    Eq. 31               = E_q[s log q(tau_x|x)/p(tau_x|x)] + E_q[grad L]
    Eq. 33      L        = log D(x_0)/p(x_k) + log q(tau_x|x_0)/p(tau_:k|x_k)
    Eq. 35      grad KL  = the first term of Eq. 31 + E_q[grad log q(tau_x|x_0)/p(tau_:k|x_k)]   where p(x_k) = q(x_k)

Expectations are sums over all M trajectories of k steps; data (2**D,) is the law of x_0, gradients are (P,), s (M, P).

>>> from refdgm.undirected.trajectory import contrastive_term, gibbs_prior_case, gradient, terms
>>> [round(float(part(terms(**gibbs_prior_case(3)))[0]), 3) for part in (gradient, contrastive_term)]
[-0.32, -0.284]
"""
from typing import Callable, NamedTuple     # noqa: UP035

import autograd.numpy as np
from autograd import grad
from autograd.misc import flatten

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, is_gradient_of, vanishes
from refdgm.models import rbm
from refdgm.numerics import all_binary, kl
from refdgm.samplers import block_gibbs as gibbs


class Prior(NamedTuple):
    """p(x_k) as functions of (theta, data, k), with one value for each state of x."""
    log_prob: Callable      # -> (2**D,)
    score: Callable         # its gradient, by hand -> dict of (2**D, *leaf)
    table: Callable         # the same law from Boltzmann weights alone, for the oracle -> (2**D,)


GIBBS = Prior(lambda *case: onp.log(gibbs.marginal(*case)), gibbs.marginal_score, gibbs.marginal_table)
RBM = Prior(lambda theta, data, k: rbm.log_marginal_table(theta),
            lambda theta, data, k: rbm.score(theta, all_binary(theta["w"].shape[0])),
            lambda theta, data, k: gibbs.visible_table(theta))


class Terms(NamedTuple):
    """What the equations are made of, for each of the M trajectories; (M,) unless it says otherwise."""
    first: np.ndarray               # the row of x_0 in all_binary, an integer
    q: np.ndarray                   # q(tau)
    ratio: np.ndarray               # L = log q(tau)/p(tau)
    given_x: np.ndarray             # log q(tau_x|x)/p(tau_x|x)
    baseline: np.ndarray            # log D(x)/p(x) at x = x_0; p(x) is where the backward chain arrives
    ends: np.ndarray                # log D(x_0)/p(x_k)
    steps: np.ndarray               # log q(tau_x|x_0)/p(tau_:k|x_k)
    s: np.ndarray                   # grad log q(tau) = grad log q(tau_x|x), since D does not move       (M, P)
    grad_prior: np.ndarray          # grad log p(x_k)                                                     (M, P)
    grad_steps: np.ndarray          # grad log q(tau_x|x_0)/p(tau_:k|x_k)                                 (M, P)


def terms(theta, data, prior, k):
    """Evaluate everything on every trajectory (bachman2015 Eqs. 24-36)."""
    tau = gibbs.all_trajectories(*theta["w"].shape, k)
    first, last = gibbs.state_index(tau.x[:, 0]), gibbs.state_index(tau.x[:, -1])
    forward, backward = gibbs.log_forward(theta, tau), gibbs.log_backward(theta, tau)
    log_data, log_prior = onp.log(data)[first], prior.log_prob(theta, data, k)
    log_q, log_p = log_data + forward, log_prior[last] + backward
    log_arrival = onp.log(gibbs.marginal(theta, onp.exp(log_prior), k))[first]
    s = _rows(gibbs.score_forward(theta, tau))
    return Terms(first=first, q=onp.exp(log_q), ratio=log_q - log_p, given_x=forward - (log_p - log_arrival),
                 baseline=log_data - log_arrival, ends=log_data - log_prior[last], steps=forward - backward, s=s,
                 grad_prior=_rows(prior.score(theta, data, k))[last],
                 grad_steps=s - _rows(gibbs.score_backward(theta, tau)))


def divergence(t):
    """KL(q||p) = sum_tau q(tau) log q(tau)/p(tau) (bachman2015 Eqs. 24-25).  -> ()"""
    return t.q @ t.ratio


def grad_ratio(t):
    """grad L = -grad log p(x_k) + grad log of the steps (bachman2015 Eq. 34).  -> (M, P)"""
    return -t.grad_prior + t.grad_steps


def gradient(t):
    """grad KL = E_q[s L + grad L] (bachman2015 Eq. 29).  -> (P,)"""
    return t.q * t.ratio @ t.s + t.q @ grad_ratio(t)


def gradient_with_baseline(t):
    """E_D E[s (log q(tau_x|x)/p(tau_x|x) + log D(x)/p(x))] + E_q[grad L] (bachman2015 Eq. 30).  -> (P,)"""
    return t.q * (t.given_x + t.baseline) @ t.s + t.q @ grad_ratio(t)


def ignored_term(t):
    """E_D E[s log q(tau_x|x)/p(tau_x|x)], which contrastive divergence ignores (bachman2015 Eq. 45).  -> (P,)"""
    return t.q * t.given_x @ t.s


def gradient_without_baseline(t):
    """Eq. 45 + E_q[grad L], for any prior (bachman2015 Eq. 31).  -> (P,)"""
    return ignored_term(t) + t.q @ grad_ratio(t)


def contrastive_term(t):
    """E_q[grad log q(tau_x|x_0)/p(tau_:k|x_k)], the contrastive divergence gradient (bachman2015 Eq. 36).  -> (P,)"""
    return t.q @ t.grad_steps


def gradient_in_two_terms(t):
    """Eq. 45 + Eq. 36, for the prior p(x_k) = q(x_k) of Eq. 32 (bachman2015 Eq. 35).  -> (P,)"""
    return ignored_term(t) + contrastive_term(t)


def _rows(tree):
    """A dict of (M, *leaf) as (M, P), in the order of autograd's flatten."""
    return onp.concatenate([leaf.reshape(len(leaf), -1) for _, leaf in sorted(tree.items())], axis=1)


# ---- the oracle, from Boltzmann weights alone -----------------------------------------

def laws_by_tables(theta, data, prior, k):
    """q(tau) and p(tau) as arrays with one axis for each state of the trajectory."""
    return gibbs.forward_table(theta, data, k), gibbs.backward_table(theta, prior.table(theta, data, k), k)


def ratio_by_tables(theta, data, prior, k):
    q, p = laws_by_tables(theta, data, prior, k)
    return np.ravel(np.log(q / p))


def divergence_by_tables(theta, data, prior, k):
    q, p = laws_by_tables(theta, data, prior, k)
    return np.sum(q * np.log(q / p))


def gradient_by_tables(theta, data, prior, k):
    return flatten(grad(divergence_by_tables)(theta, data, prior, k))[0]


# ---- claims ---------------------------------------------------------------------------

DATA = Prior(lambda theta, data, k: onp.log(data), gibbs.marginal_score, None)      # a student's; only its law is used


def either_prior_case(seed): return {**gibbs.random_case(seed), "prior": (GIBBS, RBM)[seed % 2]}


def gibbs_prior_case(seed): return {**gibbs.random_case(seed), "prior": GIBBS}


def contracted_case(seed):
    """With a random covector c over the trajectories, so that one gradient stands for all pointwise ones."""
    case = gibbs_prior_case(seed)
    states = gibbs.forward_table(case["theta"], case["data"], case["k"]).size
    return {**case, "c": onp.random.default_rng([seed, 1]).normal(size=states)}


def of_terms(formula, prior=None):
    """A formula in Terms as a function of a case, under another prior if one is given."""
    return lambda theta, data, k, **rest: formula(terms(theta, data, prior or rest["prior"], k))


def as_theta(formula, prior=None):
    """The same for a gradient, folded into the shape of theta."""
    return lambda theta, **case: flatten(theta)[1](of_terms(formula, prior)(theta, **case))


def contracted(formula, prior=None):
    """sum_tau c(tau) grad L(tau)."""
    return lambda c, **case: as_theta(lambda t: c @ formula(t), prior)(**case)


def laws(t):
    """The divergence, and the total mass of q and of p."""
    return onp.array([divergence(t), onp.sum(t.q), onp.sum(t.q * onp.exp(-t.ratio))])


def split_at_x(t):
    """The gradient of Eq. 30, and the two parts of the divergence that its bracket splits: tau_x given x, and x."""
    return onp.array([*gradient_with_baseline(t), t.q @ t.given_x, t.q @ t.baseline])


def split_at_x_by_tables(theta, data, prior, k):
    q, p = laws_by_tables(theta, data, prior, k)
    of_x = kl(data, onp.sum(p, axis=tuple(range(1, p.ndim))))
    return onp.array([*gradient_by_tables(theta, data, prior, k), onp.sum(q * onp.log(q / p)) - of_x, of_x])


def with_baseline(formula, signal):
    """A gradient, and beside it D(x) E_{q(tau_x|x)}[s signal] for every x: zero where the signal is a baseline."""
    def both(t):
        of_x = onp.unique(t.first)[:, None] == t.first
        return onp.concatenate([formula(t), onp.ravel(of_x * (t.q * signal(t)) @ t.s)])
    return of_terms(both)


def with_cancellation(formula, prior=None):
    """A gradient, and beside it E_q[-grad log p(x_k)], which cancels itself."""
    return of_terms(lambda t: onp.concatenate([formula(t), -t.q @ t.grad_prior]), prior)


def then_zeros(count):
    """The gradient by tables, and as many zeros, times count(data), as it has components."""
    def truth(theta, data, prior, k):
        g = gradient_by_tables(theta, data, prior, k)
        return onp.pad(g, (0, g.size * count(data)))
    return truth


CLAIMS = [
    Claim("bachman2015.eq24", of_terms(laws),
          equals(lambda **case: onp.array([divergence_by_tables(**case), 1.0, 1.0]), either_prior_case),
          {"the backward law started from the data": of_terms(laws, DATA),
           "the steps of p run forwards": of_terms(lambda t: laws(t._replace(ratio=t.ends))),
           "KL(p||q)": of_terms(lambda t: laws(t) - [divergence(t) + t.q * onp.exp(-t.ratio) @ t.ratio, 0, 0])}),
    Claim("bachman2015.eq26_29", as_theta(gradient), is_gradient_of(divergence_by_tables, "theta", either_prior_case),
          {"only the score term": as_theta(lambda t: t.q * t.ratio @ t.s),
           "q treated as fixed": as_theta(lambda t: t.q @ grad_ratio(t)),
           "the prior treated as fixed": as_theta(lambda t: t.q * t.ratio @ t.s + t.q @ t.grad_steps),
           "log p/q in the score term": as_theta(lambda t: -t.q * t.ratio @ t.s + t.q @ grad_ratio(t))}),
    Claim("bachman2015.eq30", of_terms(split_at_x), equals(split_at_x_by_tables, either_prior_case),
          {"p(x) taken for D(x)": of_terms(lambda t: split_at_x(t._replace(given_x=t.ratio, baseline=0 * t.ratio))),
           "the prior taken for p(x)": of_terms(lambda t: split_at_x(t._replace(given_x=t.steps, baseline=t.ends))),
           "the RBM's marginal, whatever the prior": of_terms(split_at_x, RBM),
           "D moves with theta": of_terms(lambda t: split_at_x(t._replace(s=t.s + t.grad_prior)))}),
    Claim("bachman2015.eq31", with_baseline(gradient_without_baseline, lambda t: t.baseline),
          equals(then_zeros(lambda data: data.size), either_prior_case),
          {"log D(x_0)/p(x_k), no baseline": with_baseline(gradient_without_baseline, lambda t: t.ends),
           "the log ratio dropped, the baseline kept":
               with_baseline(lambda t: t.q * t.baseline @ t.s + t.q @ grad_ratio(t), lambda t: t.baseline),
           "log D(x_0)/p(x_k) dropped from L":
               with_baseline(lambda t: t.q * t.steps @ t.s + t.q @ grad_ratio(t), lambda t: t.baseline)}),
    Claim("bachman2015.sec5.4_posterior", of_terms(lambda t: t.given_x, RBM),
          vanishes(lambda **case: onp.mean(onp.abs(ratio_by_tables(**case, prior=GIBBS))), gibbs.random_case),
          {"with the prior q(x_k), at finite k": of_terms(lambda t: t.given_x, GIBBS),
           "with the data as the prior": of_terms(lambda t: t.given_x, DATA),
           "given x_k, not given x_0": of_terms(lambda t: t.steps, RBM)}),
    Claim("bachman2015.eq33", of_terms(lambda t: t.ends + t.steps), equals(ratio_by_tables, gibbs_prior_case),
          {"D(x_0)/pi(x_k), pi the RBM's marginal": of_terms(lambda t: t.ends + t.steps, RBM),
           "log q(x_k)/D(x_0)": of_terms(lambda t: -t.ends + t.steps)}),
    Claim("bachman2015.eq34", contracted(grad_ratio),
          is_gradient_of(lambda c, **case: np.sum(c * ratio_by_tables(**case)), "theta", contracted_case),
          {"+ grad log q(x_k)": contracted(lambda t: t.grad_prior + t.grad_steps),
           "no grad log q(x_k)": contracted(lambda t: t.grad_steps),
           "the RBM's marginal for q(x_k)": contracted(grad_ratio, RBM)}),
    Claim("bachman2015.eq35", with_cancellation(gradient_in_two_terms),
          equals(then_zeros(lambda data: 1), gibbs_prior_case, method="autodiff"),
          {"Eq. 45 dropped: contrastive divergence": with_cancellation(contrastive_term),
           "Eq. 45 subtracted": with_cancellation(lambda t: contrastive_term(t) - ignored_term(t)),
           "the same argument for the RBM's marginal": with_cancellation(gradient_in_two_terms, RBM)}),
]
