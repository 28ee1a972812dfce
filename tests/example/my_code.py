import numpy as np


def iwae_bound(log_w):
    m = log_w.max(axis=-1)
    return m + np.log(np.sum(np.exp(log_w - m[..., None]), axis=-1))


def mis_kernel(states, log_target, log_proposal, seed):
    rng = np.random.default_rng(seed)
    new = rng.choice(len(log_target), size=len(states), p=np.exp(log_proposal) / np.exp(log_proposal).sum())
    accepted = np.log(rng.uniform(size=len(states))) < log_target[new] - log_target[states]
    return np.where(accepted, new, states)
