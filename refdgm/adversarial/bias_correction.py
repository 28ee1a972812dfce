r"""The density ratio and what it repairs: importance weights and rejection (yu2020 Secs. 1, 3.2, 6.1, Fig. 2).

    f-EBM        r = exp(H* + E)         both networks; H* = argmax_H E_p[f'(r)] - E_q[f*(f'(r))]      (footnote 2)
    f-GAN        r = (f')^-1(T*)         one network; T* = argmax_T E_p[T] - E_q[f*(T)]
    importance   E_q[r g] = E_p[g]                                   without bias for any number of samples of q
    rejection    accept x ~ q with probability r(x) / M,  M = max r:   the accepted x have the law p, a share 1/M of all

Shapes: E, p, q, r, g (S,), tables over S states; n samples are rows of states (M, n), all of them, with their
probabilities (M,).

Rejection turns draws from a fair coin into draws with p(heads) = 0.8, and lets a share 1/M = 1/1.6 of them through:

>>> import numpy as np
>>> from refdgm.adversarial.bias_correction import accepted_law
>>> law = accepted_law(np.array([0.5, 0.5]), np.array([1.6, 0.4]))
>>> round(float(law[0]), 3), round(float(law[-1]), 3)
(0.8, 0.625)
"""

from refdgm.backend import xp as np
from refdgm.checking import Claim, equals
from refdgm.f_divergences import F_DIVERGENCES
from refdgm.models.energy import law_of
from refdgm.models.finite_game import crossing
from refdgm.numerics import all_tuples

NAMES = ("kl", "reverse kl", "jensen-shannon", "squared hellinger", "neyman")       # smooth, f' is invertible


def ratio_from_energies(E, H):
    """exp(H + E) (yu2020 Eq. 16).  (S,) -> (S,)"""
    return np.exp(H + E)


def ratio_from_variational_function(T, name):
    """(f')^-1(T), the ratio in an f-GAN (yu2020 footnote 2).  (S,) -> (S,)"""
    return F_DIVERGENCES[name].inverse_derivative(T)


def reweighted_mean(r, g, x):
    """(1/n) sum_i r(x_i) g(x_i) (yu2020 Sec. 1).  (S,), (S,), (..., n) -> (...)"""
    return np.mean(r[x] * g[x], axis=-1)


def accepted_law(q, r):
    """The law of what rejection with probability r/M lets through, and the share (yu2020 Sec. 6.1).  -> (S + 1,)

    M is the largest r, so a constant factor of r does not matter.
    """
    return passed(q, r / np.max(r))


def passed(q, probability):
    """The law of the accepted x, and the share of them."""
    mass = q * probability
    return np.append(mass / np.sum(mass), np.sum(mass))


# ---- oracles --------------------------------------------------------------------------

def best_H(E, p, name):
    """The best H for each state by bisection of the slope of Eq. 14 in v = H + E."""
    q, d = law_of(E), F_DIVERGENCES[name]
    def slope(v): return (p - q * np.exp(v)) * np.exp(v) * d.second(np.exp(v))
    return crossing(slope, np.full(len(E), -25.0), np.full(len(E), 25.0)) - E


def best_T(E, p, name):
    """The best T for each state by bisection of p - q (f*)'(T) within the values of f'."""
    q, d = law_of(E), F_DIVERGENCES[name]
    def slope(v): return p - q * d.inverse_derivative(d.at_log(v))
    return d.at_log(crossing(slope, np.full(len(E), -10.0), np.full(len(E), 10.0)))


# ---- claims ---------------------------------------------------------------------------

def tables_case(seed, S=6):
    """Energies far from normalised, and a data law."""
    rng = np.random.default_rng([seed, 65])
    return {"E": rng.normal(size=S) + 1.0, "p": rng.dirichlet(np.full(S, 3.0)), "name": NAMES[seed % len(NAMES)]}


def both_ratios(E, p, name):
    return np.array([ratio_from_energies(E, best_H(E, p, name)),
                     ratio_from_variational_function(best_T(E, p, name), name)])


def first_alone(ratio):
    """Another ratio from the energies of an f-EBM, the f-GAN's being right."""
    return lambda E, p, name: np.array([ratio(E, best_H(E, p, name)), both_ratios(E, p, name)[1]])


def second_alone(ratio):
    """Another ratio from the T of an f-GAN, the f-EBM's being right."""
    return lambda E, p, name: np.array([both_ratios(E, p, name)[0], ratio(best_T(E, p, name))])


def samples_case(seed, S=5, n=3):
    rng = np.random.default_rng([seed, 66])
    return {"p": rng.dirichlet(np.full(S, 2.0)), "q": rng.dirichlet(np.full(S, 2.0)), "g": rng.normal(size=S), "n": n}


def mean_of(estimate):
    """The exact mean of estimate(p, q, g, x) over all n-tuples x of samples of q."""
    def mean(p, q, g, n):
        x = all_tuples(len(q), n)
        return np.sum(np.prod(q[x], axis=-1) * estimate(p, q, g, x))
    return mean


def normalised_weights(p, q, g, x):
    """The weights of each sample divided by their own sum."""
    r = (p / q)[x]
    return np.sum(r * g[x], axis=-1) / np.sum(r, axis=-1)


def rejected(probability):
    """What another acceptance probability lets through."""
    return lambda p, q, g, n: passed(q, probability(p / q))


CLAIMS = [
    Claim("yu2020.fn2", both_ratios, equals(lambda E, p, name: np.tile(p / law_of(E), (2, 1)), tables_case),
          {"exp(H) alone": first_alone(lambda E, H: np.exp(H)),
           "exp(E) alone": first_alone(lambda E, H: np.exp(E)),
           "exp(H - E)": first_alone(lambda E, H: np.exp(H - E)),
           "T itself": second_alone(lambda T: T),
           "exp(T), which is that of KL up to a factor": second_alone(np.exp)}),
    Claim("yu2020.sec1.is", mean_of(lambda p, q, g, x: reweighted_mean(p / q, g, x)),
          equals(lambda p, q, g, n: p @ g, samples_case, scale=lambda p, q, g, n: p @ np.abs(g)),
          {"weights q/p": mean_of(lambda p, q, g, x: reweighted_mean(q / p, g, x)),
           "no weights": mean_of(lambda p, q, g, x: reweighted_mean(np.ones(len(p)), g, x)),
           "self-normalised: biased for n samples": mean_of(normalised_weights),
           "log-ratios for ratios": mean_of(lambda p, q, g, x: reweighted_mean(np.log(p / q), g, x))}),
    Claim("yu2020.fig2", lambda p, q, g, n: accepted_law(q, 3.0 * p / q),
          equals(lambda p, q, g, n: np.append(p, 1 / np.max(p / q)), samples_case),
          {"min(1, p/q)": rejected(lambda r: np.minimum(1.0, r)),
           "proportional to q/p": rejected(lambda r: np.min(r) / r),
           "p/(p + q)": rejected(lambda r: r / (1 + r)),
           "everything": rejected(np.ones_like)}),
]
