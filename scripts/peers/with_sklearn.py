"""scikit-learn's BernoulliRBM under the names of the contracts, with its random numbers given."""
import numpy as np
from sklearn.neural_network import BernoulliRBM


class Given(np.random.RandomState):
    """Its uniform and whole numbers are given, in turn."""

    def __init__(self, *numbers):
        super().__init__(0)
        self.numbers = list(numbers)

    def uniform(self, *args, **kwargs):
        return self.numbers.pop(0)

    randint = uniform


def machine(w, b, c, **options):
    """A BernoulliRBM with these parameters: w (D, H), b (D,) of the visible units, c (H,) of the hidden ones."""
    model = BernoulliRBM(n_components=len(c), **options)
    model.components_, model.intercept_visible_, model.intercept_hidden_ = w.T.copy(), b.copy(), c.copy()
    model.n_features_in_ = len(b)
    return model


def rbm_free_energy(v, w, b, c):
    """BernoulliRBM._free_energy"""
    return machine(w, b, c)._free_energy(v)


def rbm_hidden_probabilities(v, w, b, c):
    """BernoulliRBM.transform

    It refuses an empty batch, with an error that says so; right on every other.
    """
    return machine(w, b, c).transform(v)


def rbm_pseudo_log_likelihood(v, w, b, c):
    """BernoulliRBM.score_samples, the mean over its choice of a bit

    It refuses an empty batch, with an error that says so; right on every other.
    """
    return np.mean([machine(w, b, c, random_state=Given(np.full(len(v), i))).score_samples(v)
                    for i in range(len(b))], axis=0)


def rbm_gibbs_step(v, W, b, c, u_h, u_v):
    """BernoulliRBM.gibbs (_sample_hiddens, _sample_visibles), with its uniform numbers given"""
    model = machine(W, b, c)
    h = model._sample_hiddens(v, Given(u_h))
    return model._sample_visibles(h, Given(u_v)).astype(v.dtype), h.astype(v.dtype)


def pcd_gradient(v, chains, w, b, c):
    """BernoulliRBM._fit, with its chains given

    The chains' statistics are summed and divided by the number of the data, not of the chains (batch_size): the two
    differ in fit's last batch, and in every partial_fit whose rows are not batch_size (see the findings).
    """
    model = machine(w, b, c, learning_rate=1.0)
    model.h_samples_ = np.zeros((len(chains), len(c)))
    model._fit(v, Given(1.0 - chains, np.ones((len(chains), len(c)))))
    return model.components_.T - w, model.intercept_visible_ - b, model.intercept_hidden_ - c
