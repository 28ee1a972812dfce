"""Optax under the names of the contracts: its update rules and losses."""
import jax.numpy as jnp
import optax


def sgd_update(parameter, F, gamma):
    """sgd"""
    rule = optax.sgd(gamma)
    return optax.apply_updates(parameter, rule.update(F, rule.init(parameter))[0])


def momentum_update(parameter, m, F, gamma, b):
    """sgd(momentum=b): trace, then scale"""
    update, state = optax.trace(b).update(F, optax.TraceState(m))
    return parameter - gamma * update, state.trace


def momentum_update__nesterov(parameter, m, F, gamma, b):
    """sgd(momentum=b, nesterov=True): trace, then scale"""
    update, state = optax.trace(b, nesterov=True).update(F, optax.TraceState(m))
    return parameter - gamma * update, state.trace


def adam_update(parameter, m, v, F, gamma, b1, b2, epsilon, t):
    """adam: scale_by_adam, then scale"""
    state = optax.ScaleByAdamState(jnp.asarray(t - 1), m, v)
    update, state = optax.scale_by_adam(b1, b2, epsilon).update(F, state)
    return parameter - gamma * update, state.mu, state.nu


def adam_update__eps_root(parameter, m, v, F, gamma, b1, b2, epsilon, t):
    """adam(eps=0, eps_root=epsilon): scale_by_adam, then scale"""
    state = optax.ScaleByAdamState(jnp.asarray(t - 1), m, v)
    update, state = optax.scale_by_adam(b1, b2, 0.0, epsilon).update(F, state)
    return parameter - gamma * update, state.mu, state.nu


def adamax_update(parameter, m, u, F, gamma, b1, b2, t):
    """adamax(eps=0): scale_by_adamax, then scale"""
    state = optax.ScaleByAdamState(jnp.asarray(t - 1), m, u)
    update, state = optax.scale_by_adamax(b1, b2, 0.0).update(F, state)
    return parameter - gamma * update, state.mu, state.nu


def adamax_update__default(parameter, m, u, F, gamma, b1, b2, t):
    """adamax, its default eps=1e-8: scale_by_adamax, then scale

    It adds eps to |F|: the maximum is off by as much.
    """
    state = optax.ScaleByAdamState(jnp.asarray(t - 1), m, u)
    update, state = optax.scale_by_adamax(b1, b2).update(F, state)
    return parameter - gamma * update, state.mu, state.nu


def bernoulli_log_prob(bits, logits):
    """losses.sigmoid_binary_cross_entropy, summed"""
    return optax.losses.sigmoid_binary_cross_entropy(logits, bits).sum(-1)


def categorical_log_prob(index, logits):
    """losses.softmax_cross_entropy_with_integer_labels"""
    return optax.losses.softmax_cross_entropy_with_integer_labels(logits, index)


def cross_entropy(p, q):
    """losses.softmax_cross_entropy of log q with the labels p"""
    return optax.losses.softmax_cross_entropy(jnp.log(q), p)


def kl_divergence(p, q):
    """losses.kl_divergence(log q, p)"""
    return optax.losses.kl_divergence(jnp.log(q), p)


def kl_divergence__log_targets(p, q):
    """losses.kl_divergence_with_log_targets(log q, log p)"""
    return optax.losses.kl_divergence_with_log_targets(jnp.log(q), jnp.log(p))
