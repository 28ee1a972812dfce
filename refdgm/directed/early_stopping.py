r"""Early stopping (kingma2019 App. A.3): end when the held-out log-probability falls, and keep the parameters before.

    stop at the first t with  log p_t(held-out) > log p_{t+1}(held-out)

That is the best of the whole run where the held-out curve has one peak. It is the first local peak of a curve that
has several, as the curves of noisy gradients have.
curve (T,), the held-out log-probability after each step; a path of parameters is (T, n).

The first peak, at step 2, although step 4 is better:

    >>> import numpy as np
    >>> from refdgm.directed.early_stopping import stop
    >>> stop(np.array([-3.0, -2.0, -1.0, -1.5, -0.5]))
    2
"""

from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.checking import Claim, equals


def stop(curve):
    """The last step before the held-out log-probability first falls (kingma2019 App. A.3).  (T,) -> ()"""
    valid.finite("curve", curve)
    falls = np.diff(curve) < 0
    return int(np.argmax(falls)) if np.any(falls) else len(curve) - 1


# ---- claims ---------------------------------------------------------------------------

def run(rng, noise, T=60, rate=0.05, D=20):
    """Held-out and training curves of gradient ascent on the mean of a Gaussian, with `noise` in each gradient.

    The held-out mean lies between the start and the training mean, so that an exact ascent passes it once.
    """
    train = 2.0 + rng.normal(size=D) / 2
    held_out = rng.uniform(0.5, 0.8) * np.mean(train) + rng.normal(size=D) / 20
    path = [0.0]
    for _ in range(T):
        path.append(path[-1] + rate * (np.mean(train) - path[-1] + noise * rng.normal()))
    curves = [-0.5 * np.mean((data - np.array(path)[:, None])**2, axis=1) for data in (held_out, train)]
    return {"curve": curves[0], "train": curves[1]}


def case(noise):
    return lambda seed: run(np.random.default_rng(seed), noise)


def best(curve, train):
    """The oracle: the best held-out log-probability of the whole run."""
    return np.max(curve)


def at(rule):
    """The held-out log-probability where a rule stops."""
    return lambda curve, train: curve[rule(curve, train)]


CLAIMS = [
    Claim("kingma2019.A.3.early", at(lambda curve, train: stop(curve)), equals(best, case(noise=0.0)),
          {"when the training data's probability falls": at(lambda curve, train: stop(train)),
           "the parameters after the fall": at(lambda curve, train: stop(curve) + 1),
           "when the rise slows down": at(lambda curve, train: stop(np.diff(curve))),
           "when the held-out loss falls": at(lambda curve, train: stop(-curve))},
          without=equals(best, case(noise=2.0))),
]
