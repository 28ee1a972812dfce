r"""Adam and Adamax, and what they are invariant to (kingma2019 App. A.3; Kingma & Ba 2015).

    Adam    m_t = b1 m_{t-1} + (1 - b1) g_t      v_t = b2 v_{t-1} + (1 - b2) g_t^2
            theta_{t+1} = theta_t + alpha (m_t / (1 - b1^t)) / (sqrt(v_t / (1 - b2^t)) + epsilon)
    Adamax  u_t = max(b2 u_{t-1}, |g_t|)
            theta_{t+1} = theta_t + alpha (m_t / (1 - b1^t)) / u_t

Multiply every g_t by the same c > 0, or each component by a c_i > 0 of its own: m and sqrt(v) are multiplied, too, and
cancel. An epsilon does not, nor does a factor that changes from step to step.

score(theta, t) is the gradient of step t, its noise included; theta (..., n); a path is (T + 1, ..., n).

Twenty steps towards 3, and the same with every gradient a million times as large:

    >>> from refdgm.directed.adam import adam
    >>> [round(float(adam(lambda theta, t: c * (3 - theta), 0.0, rate=0.1, T=20)[-1]), 3) for c in (1, 1e6)]
    [1.881, 1.881]
"""

from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.checking import Claim, equals

B1, B2 = 0.9, 0.999


def adam(score, theta, rate, T, epsilon=0.0, b1=B1, b2=B2):
    """Adam (kingma2019 App. A.3); epsilon = 0 is its scale-free form.  -> (T + 1, ..., n)"""
    def size(v, g, t):
        v = b2 * v + (1 - b2) * g**2
        return v, np.sqrt(v / (1 - b2**(t + 1))) + epsilon
    return _with_momentum(score, theta, rate, T, b1, size)


def adamax(score, theta, rate, T, epsilon=0.0, b1=B1, b2=B2):
    """Adamax (kingma2019 App. A.3), which has no epsilon as published.  -> (T + 1, ..., n)"""
    def size(u, g, t):
        u = np.maximum(b2 * u, np.abs(g))
        return u, u + epsilon
    return _with_momentum(score, theta, rate, T, b1, size)


def _with_momentum(score, theta, rate, T, b1, size):
    """Steps along the bias-corrected mean of the gradients, over size(state, g, t) -> (state, divisor)."""
    valid.require(0 <= b1 < 1, f"the decay b1 must lie in [0, 1), but is {b1}.")
    path, m, state = [theta], 0.0, 0.0
    for t in range(T):
        g = score(path[-1], t)
        m = b1 * m + (1 - b1) * g
        state, divisor = size(state, g, t)
        path.append(path[-1] + rate * m / (1 - b1**(t + 1)) / divisor)
    return np.array(path)


# ---- claims ---------------------------------------------------------------------------

def fixed_scores(c, noise, A):
    """The gradient c_t (A (noise_t - theta)) of a noisy quadratic.  c (T, n) -> a function score(theta, t)"""
    return lambda theta, t: c[t] * (A @ (noise[t] - theta))


def optimiser_case(scale):
    """A quadratic, its noise, and what each step's gradient is multiplied by: scale(rng, T, n) -> (T, n), epsilon."""
    def case(seed, T=12, n=3):
        rng = np.random.default_rng(seed)
        B = rng.normal(size=(n, n))
        c, epsilon = scale(rng, T, n)
        return {"theta": rng.normal(size=n), "A": B @ B.T + np.eye(n) / 4, "noise": rng.normal(size=(T, n)) + 1.0,
                "rate": 0.1, "c": c, "epsilon": epsilon}
    return case


def one_factor(rng, T, n):
    """The objective rescaled by one c, up or down by up to a thousand."""
    return np.full((T, n), 10.0**(rng.uniform(1, 3) * rng.choice([-1, 1]))), 0.0


def one_factor_with_epsilon(rng, T, n):
    """The objective rescaled until its gradients are near the usual epsilon."""
    return np.full((T, n), 1e-6), 1e-8


def factor_of_each_component(rng, T, n):
    return np.ones((T, 1)) * 10.0**rng.uniform(-3, 3, n), 0.0


def factor_of_each_step(rng, T, n):
    return 10.0**rng.uniform(-1, 1, (T, 1)) * np.ones(n), 0.0


def rescaled(adam=adam, adamax=adamax):
    """The end of both paths when every gradient is multiplied by c."""
    def ends(theta, A, noise, rate, c, epsilon):
        score = fixed_scores(c, noise, A)
        return {"Adam": adam(score, theta, rate, len(c), epsilon=epsilon)[-1],
                "Adamax": adamax(score, theta, rate, len(c), epsilon=epsilon)[-1]}
    return ends


def as_published(theta, A, noise, rate, c, epsilon):
    """The oracle: both algorithms at c = 1, moments and maximum as explicit sums over all gradients so far."""
    ends = {}
    for name in ("Adam", "Adamax"):
        at, g = theta, []
        for t in range(1, len(c) + 1):
            g.append(A @ (noise[t - 1] - at))
            age = np.arange(t)[::-1, None]
            mean = np.sum(B1**age * g, axis=0) / np.sum(B1**age)
            mean_square = np.sum(B2**age * np.square(g), axis=0) / np.sum(B2**age)
            at = at + rate * mean / (np.sqrt(mean_square) if name == "Adam" else np.max(B2**age * np.abs(g), axis=0))
        ends[name] = at
    return ends


def gradient_ascent(score, theta, rate, T, epsilon):
    return _with_momentum(score, theta, rate, T, 0.0, lambda state, g, t: (state, 1.0))


def heavy_ball(score, theta, rate, T, epsilon):
    """The momentum of Adam, and nothing that divides it."""
    return _with_momentum(score, theta, rate, T, B1, lambda state, g, t: (state, 1.0))


def divided_by(divisor, square=lambda g: g**2):
    """Adam with another divisor(v, t) of m, or another square(g) in the running mean v."""
    def optimiser(score, theta, rate, T, epsilon):
        def size(v, g, t):
            v = B2 * v + (1 - B2) * square(g)
            return v, divisor(v, t)
        return _with_momentum(score, theta, rate, T, B1, size)
    return optimiser


def corrected_root(v, t):
    return np.sqrt(v / (1 - B2**(t + 1)))


def undecayed(score, theta, rate, T, epsilon):
    """Adamax with the largest gradient so far, however old."""
    return adamax(score, theta, rate, T, epsilon, b2=1.0)


def with_epsilon(value):
    return lambda score, theta, rate, T, epsilon: adam(score, theta, rate, T, epsilon=value)


SCALE_MISTAKES = {
    "plain gradient ascent": rescaled(adam=gradient_ascent),
    "momentum without a divisor": rescaled(adam=heavy_ball),
    "divided by v, not by its root": rescaled(adam=divided_by(lambda v, t: v / (1 - B2**(t + 1)))),
    "epsilon = 1e-3": rescaled(adam=with_epsilon(1e-3)),
    "v starts at zero and is not corrected": rescaled(adam=divided_by(lambda v, t: np.sqrt(v))),
    "Adamax without decay": rescaled(adamax=undecayed),
}


def batches(equal):
    """Mini-batches whose gradients are sums over the batch: all of the same size, or of different sizes."""
    def scale(rng, T, n):
        sizes = np.full(T, 5) if equal else rng.integers(1, 20, T)
        return sizes[:, None] * np.ones(n), 0.0
    return scale


CLAIMS = [
    Claim("kingma2019.A.3.adam", rescaled(), equals(as_published, optimiser_case(one_factor)), SCALE_MISTAKES,
          without=equals(as_published, optimiser_case(one_factor_with_epsilon))),
    Claim("kingma2019.A.3.adam.ind", rescaled(), equals(as_published, optimiser_case(factor_of_each_component)),
          {**SCALE_MISTAKES, "one v for all components": rescaled(
              adam=divided_by(corrected_root, square=lambda g: np.mean(g**2)))},
          without=equals(as_published, optimiser_case(factor_of_each_step))),
    Claim("kingma2019.A.3.prop", rescaled(), equals(as_published, optimiser_case(batches(equal=True))), SCALE_MISTAKES,
          without=equals(as_published, optimiser_case(batches(equal=False)))),
]
