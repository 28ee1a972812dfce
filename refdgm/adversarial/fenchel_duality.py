r"""Convex conjugates: the supremum, the Legendre form, biconjugates and subgradients (yu2020 Sec. 2.1).

    Eq. 1      f*(t) = sup_u ut - f(u);   where f is smooth, f*(f'(u)) = u f'(u) - f(u)
    Eq. 2      f(u) = sup_t ut - f*(t)
    Def. 2     z is a subgradient of f at u if f(y) >= f(u) + z (y - u) for every y;  if f is smooth, z = f'(u)

The generators f and their closed forms are those of refdgm.divergences; the suprema here are found by searching, and
know nothing of derivatives.

Shapes: u, t (n,), one number for each point; one row for each generator.

The conjugate of f = u^2 / 2 is t^2 / 2; at t = 3, by search:

>>> import numpy as np
>>> from refdgm.adversarial.fenchel_duality import conjugate_by_search
>>> round(float(conjugate_by_search(lambda u: u**2 / 2, np.array([3.0]))[0]), 6)
4.5
"""

from refdgm.backend import here
from refdgm.backend import xp as np
from refdgm.checking import Claim, equals, is_at_most
from refdgm.f_divergences import F_DIVERGENCES, SMOOTH


def supremum(g, n, low=-12.0, high=12.0, points=121, rounds=6):
    """max_v g(v) over an interval, for n columns at once, by a grid that closes in on the best node.  -> (n,)

    g maps nodes (points, n) to values (points, n).
    """
    low, high = np.full(n, low), np.full(n, high)
    for _ in range(rounds):
        v = low + (high - low) * np.linspace(0, 1, points)[:, None]
        values = g(v)
        best = np.argmax(values, axis=0)
        centre, width = np.take_along_axis(v, best[None], axis=0)[0], (high - low) / (points - 1)
        low, high = centre - width, centre + width
    return np.max(values, axis=0)


def conjugate_by_search(f, t):
    """f*(t) = sup_u ut - f(u), u = e^v > 0 (yu2020 Eq. 1).  (n,) -> (n,)"""
    return supremum(lambda v: np.exp(v) * t - f(np.exp(v)), len(t))


def biconjugate(conjugate, slope, u):
    """sup_t ut - f*(t) over the slopes t = f'(e^v) (yu2020 Eq. 2).  (n,) -> (n,)"""
    return supremum(lambda v: u * slope(np.exp(v)) - conjugate(slope(np.exp(v))), len(u))


# ---- claims ---------------------------------------------------------------------------

def each(function):
    """function(generator, **case) of every generator, as one array."""
    return lambda **case: np.array([function(F_DIVERGENCES[name], **case) for name in SMOOTH])


def slopes_case(seed):
    """Ratios u, and for each generator the slope there."""
    u = np.exp(np.random.default_rng([seed, 72]).uniform(-2, 2, size=4))
    return {"u": u}


def conjugates(form=lambda d, t: d.conjugate(t)):
    return each(lambda d, u: form(d, d.derivative(u)))


def smooth_case(seed):
    return {**slopes_case(seed), "generators": [F_DIVERGENCES[name] for name in SMOOTH]}


def two_wells_case(seed):
    """A generator with a hump: f(u) = (u^2 - 1)^2 is not convex below 1/sqrt 3."""
    def f(u): return (u**2 - 1)**2
    hump = F_DIVERGENCES["kl"]._replace(
        f=f, derivative=lambda u: 4 * u * (u**2 - 1),
        conjugate=lambda t: conjugate_by_search(f, t.reshape(-1)).reshape(t.shape))
    return {"u": np.random.default_rng([seed, 73]).uniform(0.1, 0.4, size=2), "generators": [hump]}


def f_again(form=lambda d, u: biconjugate(d.conjugate, d.derivative, u)):
    return lambda u, generators: np.array([form(d, u) for d in generators])


def supporting_lines(slope):
    """f(u) + z (y - u) for every u and y, the line with slope z through the graph of f; a kink in the last row."""
    def lines(u):
        y = here(Y)
        smooth = [d.f(u)[:, None] + slope(d.derivative, u)[:, None] * (y - u[:, None])
                  for d in map(F_DIVERGENCES.get, SMOOTH)]
        return np.array([*smooth, slope(lambda one: np.array([-0.5, -0.1, 0.3, 0.5]), 1 + 0 * u)[:, None] * (y - 1)])
    return lines


Y = np.exp(np.linspace(-4, 3, 29))


def graphs(u):
    """f(y) for every y; total variation has a kink at 1, where every slope in [-1/2, 1/2] is a subgradient."""
    return np.array([np.tile(F_DIVERGENCES[name].f(Y), (len(u), 1)) for name in (*SMOOTH, "total variation")])


CLAIMS = [
    Claim("yu2020.eq1", conjugates(), equals(conjugates(lambda d, t: conjugate_by_search(d.f, t)), slopes_case),
          {"the infimum of f(u) - ut": conjugates(lambda d, t: -d.conjugate(t)),
           "ut + f(u)": conjugates(lambda d, t: d.conjugate(t) + 2 * d.f(d.inverse_derivative(t))),
           "the maximiser, not the maximum": conjugates(lambda d, t: d.inverse_derivative(t)),
           "f at the maximiser": conjugates(lambda d, t: d.f(d.inverse_derivative(t)))}),
    Claim("yu2020.eq1.legendre", each(lambda d, u: u * d.derivative(u) - d.f(u)), equals(conjugates(), slopes_case),
          {"f - u f'": each(lambda d, u: d.f(u) - u * d.derivative(u)),
           "f' - f": each(lambda d, u: d.derivative(u) - d.f(u)),
           "u f' + f": each(lambda d, u: u * d.derivative(u) + d.f(u))}),
    Claim("yu2020.eq2", f_again(), equals(f_again(lambda d, u: d.f(u)), smooth_case),
          {"f** = f*": f_again(lambda d, u: d.conjugate(d.derivative(u))),
           "sup ut + f*": f_again(lambda d, u: u * d.derivative(u) + d.conjugate(d.derivative(u))),
           "the tangent at 1 alone": f_again(lambda d, u: d.derivative(1.0) * (u - 1))},
          without=equals(f_again(lambda d, u: d.f(u)), two_wells_case)),
    Claim("yu2020.def2", supporting_lines(lambda slope, u: slope(u)), is_at_most(graphs, slopes_case),
          {"a slope a little steeper": supporting_lines(lambda slope, u: slope(u) + 0.1),
           "a slope a little flatter": supporting_lines(lambda slope, u: slope(u) - 0.1),
           "the slope at another point": supporting_lines(lambda slope, u: slope(1.2 * u)),
           "inequality reversed": lambda u: 2 * graphs(u) - supporting_lines(lambda slope, u: slope(u))(u)}),
]
