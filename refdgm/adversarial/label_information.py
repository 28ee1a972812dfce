r"""What the discriminator's best objective measures: the information of x about its label (lecture12 Secs. 3.1-3.2).

With labels y ~ p(y), x ~ p(x|y), and q(y|x) free at every x:

    max_q E log q(y|x) = -H[y|x] = I(x; y) - H[y]          I(x; y) = sum_y p(y) KL(p(x|y) || p(x))

For the uniform p(y) of Lemma 1 the information is the Jensen-Shannon divergence that the lemma subtracts, the entropy
is log 2. So a generator that makes the discriminator's best objective small makes labels unpredictable, and no more.
p_g, p_data (X,) are p(x|y) for y = 0, 1; p_y (2,).

Where generated and real x are alike the best objective is -log 2, a guess; here they differ a little.

>>> import numpy as np
>>> from refdgm.adversarial.label_information import best_objective
>>> p_g, p_data, p_y = np.array([0.5, 0.5]), np.array([0.2, 0.8]), np.array([0.5, 0.5])
>>> round(float(best_objective(p_data, p_data, p_y)), 2), round(float(best_objective(p_g, p_data, p_y)), 2)
(-0.69, -0.64)
"""

from refdgm.backend import xp as np
from refdgm.checking import Claim, equals
from refdgm.numerics import entropy, kl


def information(p_g, p_data, p_y):
    """I(x; y) = sum_y p(y) KL(p(x|y) || p(x)): for a uniform p(y) the JSD (implied by lecture12 Lemma 1).  -> ()"""
    p_x = p_y[0] * p_g + p_y[1] * p_data
    return p_y @ np.array([kl(p_g, p_x), kl(p_data, p_x)])


def best_objective(p_g, p_data, p_y):
    """max_q E_{p(x|y)p(y)} log q(y|x) = I(x; y) - H[y] (implied by lecture12 Sec. 3.1).  -> ()"""
    return information(p_g, p_data, p_y) - entropy(p_y)


# ---- claims ---------------------------------------------------------------------------

def labelled_laws(seed, X=5):
    rng = np.random.default_rng([seed, 80])
    p_g, p_data = rng.dirichlet(np.ones(X), size=2)
    return {"p_g": p_g, "p_data": p_data, "p_y": np.array([0.3, 0.7]) if seed % 2 else np.array([0.5, 0.5])}


def by_search(p_g, p_data, p_y):
    """The oracle: q(1|x) at every x by ternary search; the information from the entropies of x, y and both."""
    joint = p_y[:, None] * np.stack([p_g, p_data])
    def at(q): return joint[0] * np.log(1 - q) + joint[1] * np.log(q)
    low, high = np.full(len(p_g), 1e-12), np.full(len(p_g), 1 - 1e-12)
    for _ in range(120):
        a, b = low + (high - low) / 3, high - (high - low) / 3
        low, high = np.where(at(a) < at(b), a, low), np.where(at(a) < at(b), high, b)
    return {"best": np.sum(at(low)), "information": entropy(joint.sum(0)) + entropy(p_y) - entropy(joint.ravel())}


def both(info=information, best=best_objective):
    return lambda **laws: {"best": best(**laws), "information": info(**laws)}


def less(entropy_of, info=information):
    """A best objective with other terms."""
    return lambda p_g, p_data, p_y: info(p_g, p_data, p_y) - entropy_of(p_y)


def uniform(p_g, p_data, p_y):
    """The JSD, whatever p(y) is."""
    return information(p_g, p_data, np.array([0.5, 0.5]))


CLAIMS = [
    Claim("lecture12.x_jsd_is_information", both(), equals(by_search, labelled_laws),
          {"the unweighted JSD for every p(y)": both(uniform, less(entropy, uniform)),
           "log 2 for every p(y)": both(best=less(lambda p_y: np.log(2))),
           "twice the information, as GANs have 2 JSD": both(best=less(entropy, lambda *laws: 2 * information(*laws))),
           "the information alone, never negative": both(best=information),
           "KL(p_g || p_data)": both(lambda p_g, p_data, p_y: kl(p_g, p_data))}),
]
