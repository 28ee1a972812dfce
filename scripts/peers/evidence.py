"""Findings that a table cannot show, as numbers: scikit-learn's partial_fit, Pyro's tail-adaptive weights.

    python scripts/peers/evidence.py
"""
import numpy as np


def learned(batch_size, rows, learning_rate=0.05, epochs=20):
    """The exact mean log-likelihood and the visible biases of a BernoulliRBM after partial_fit on batches of rows.

    The data are a fair bit and a copy of it that is wrong with probability 0.1.
    """
    from sklearn.neural_network import BernoulliRBM
    rng = np.random.default_rng(0)
    bit = rng.integers(2, size=2000)
    x = np.stack([bit, bit ^ (rng.uniform(size=2000) < 0.1)], axis=1).astype(float)
    model = BernoulliRBM(3, learning_rate=learning_rate, batch_size=batch_size, random_state=0)
    for _ in range(epochs):
        for i in range(0, len(x), rows):
            model.partial_fit(x[i:i + rows])
    states = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=float)
    log_z = np.logaddexp.reduce(-model._free_energy(states))
    return np.mean(-model._free_energy(x)) - log_z, model.intercept_visible_


def tail_adaptive(log_w):
    """What multiplies each particle's log-weight in the surrogate of Pyro's TraceTailAdaptive_ELBO, over its sum."""
    import pyro
    import pyro.distributions as dist
    import torch
    from pyro.infer import TraceTailAdaptive_ELBO
    log_w = torch.tensor(log_w, requires_grad=True)
    zeros = torch.zeros(len(log_w))

    def guide():
        pyro.sample("h", dist.Normal(0.0, 1.0))

    def model():
        h = pyro.sample("h", dist.Normal(0.0, 1.0))     # p = q: the factor is the whole weight
        pyro.factor("w", log_w.reshape(h.shape) + 0 * h)
    loss = TraceTailAdaptive_ELBO(num_particles=len(zeros), vectorize_particles=True, max_plate_nesting=0)
    loss.differentiable_loss(model, guide).backward()
    return (log_w.grad / log_w.grad.sum()).numpy()


def paper(log_w):
    """gamma_i in proportion to 1 / (the share of weights that are at least w_i) (Wang, Liu & Liu 2018)."""
    gamma = 1 / np.array([np.mean(np.array(log_w) >= w) for w in log_w])
    return gamma / gamma.sum()


def main():
    print("scikit-learn: 20 epochs of partial_fit on 100 rows (entropy of the data: -1.02; two fair bits: -1.39)")
    for batch_size in (100, 10):
        log_p, biases = learned(batch_size, 100)
        print(f"    batch_size {batch_size:3d}   mean log-likelihood {log_p:6.2f}   visible biases {biases.round(2)}")
    print("Pyro: weights of the particles in TraceTailAdaptive_ELBO, and in the paper")
    for log_w in ([0.0, 1.0, 2.0], [2.0, 0.0, 1.0], [1.0, 2.0, 0.0]):
        print(f"    log-weights {log_w}   {tail_adaptive(log_w).round(3)}   {paper(log_w).round(3)}")


if __name__ == "__main__":
    main()
