r"""The three worked cases of variational divergence minimisation (ou2018 Sec. 3.2.4, after Eq. 30).

    f             g_f(v)        F(V) = E_{p0}[g_f(V)] - E_p[f*(g_f(V))]         T*              V*
    GAN           log sigma(v)  E_{p0}[log D] + E_p[log(1 - D)], D = sigma(V)   log p0/(p0+p)   log p0/p
    KL            v             E_{p0}[V] - E_p[e^(V-1)]                        1 + log p0/p    1 + log p0/p
    KL, shifted   v + 1         E_{p0}[V + 1] - E_p[e^V]                        1 + log p0/p    log p0/p
    reverse KL    -e^-v         E_{p0}[-e^-V] - E_p[-1 + V]                     -p/p0           log p0/p

p0, p, V, T (n,), one entry for each point. The oracle puts g_f into the bound of Eq. 27 and finds V* by bisection.

The KL game is largest at V* = 1 + log p0/p and not at log p0/p, which is the best of the shifted one:

>>> import numpy as np
>>> from refdgm.adversarial.three_games import kl, log_ratio
>>> p0, p = np.array([0.2, 0.8]), np.array([0.5, 0.5])
>>> V = log_ratio(p0, p)
>>> round(float(kl(p0, p, V)), 3), round(float(kl(p0, p, 1 + V)), 3)
(-0.175, 0.193)
"""
import autograd.numpy as np
from autograd import grad

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.divergences import f_bound
from refdgm.models.finite_game import crossing, random_laws, random_logits
from refdgm.numerics import log_sigmoid


def gan(p0, p, V):
    """E_{p0}[log D] + E_p[log(1 - D)], D = sigma(V) (ou2018 Sec. 3.2.4, GAN case).  (n,), (n,), (n,) -> ()"""
    return np.sum(p0 * log_sigmoid(V)) + np.sum(p * log_sigmoid(-V))


def kl(p0, p, V):
    """E_{p0}[V] - E_p[e^(V-1)] (ou2018 Sec. 3.2.4, KL case).  (n,), (n,), (n,) -> ()"""
    return np.sum(p0 * V) - np.sum(p * np.exp(V - 1))


def shifted_kl(p0, p, V):
    """E_{p0}[V + 1] - E_p[e^V] (ou2018 Sec. 3.2.4, KL case).  (n,), (n,), (n,) -> ()"""
    return np.sum(p0 * (V + 1)) - np.sum(p * np.exp(V))


def reverse_kl(p0, p, V):
    """E_{p0}[-e^-V] - E_p[-1 + V] (ou2018 Sec. 3.2.4, reverse-KL case).  (n,), (n,), (n,) -> ()"""
    return np.sum(p0 * -np.exp(-V)) - np.sum(p * (V - 1))


def log_ratio(p0, p):
    """log p0/p, the optimal V in three of the four (ou2018 Sec. 3.2.4).  (n,), (n,) -> (n,)"""
    return np.log(p0) - np.log(p)


# ---- oracles --------------------------------------------------------------------------

def bound_at(name, activation):
    """Eq. 27's bound at T = g_f(V), as a function of V."""
    return lambda p0, p, V: f_bound(name, p0, p, activation(V))


def best_response(name, activation):
    """T* and V* at the largest of Eq. 27's bound over V."""
    def best(p0, p):
        V = crossing(lambda V: grad(bound_at(name, activation), 2)(p0, p, V),
                     onp.full(p0.shape, -12.0), onp.full(p0.shape, 12.0))
        return {"T": activation(V), "V": V}
    return best


def identity(v):
    return v


def plus_one(v):
    return v + 1


def minus_exp(v):
    return -np.exp(-v)


# ---- claims ---------------------------------------------------------------------------

def response(T, V):
    """T* and V* as functions of the log-ratio."""
    return lambda p0, p: {"T": T(log_ratio(p0, p)), "V": V(log_ratio(p0, p))}


def with_optimum(F, V):
    """The objective at a random V, and what V is best."""
    def both(p0, p):
        return {"F": F(p0, p, trial(p0)), "V": V(p0, p)}
    return both


def trial(p0):
    """An arbitrary V."""
    return onp.log(3 * p0) - 0.4


def other(of_data, of_fake):
    """E_{p0}[of_data(V)] - E_p[of_fake(V)]."""
    return lambda p0, p, V: onp.sum(p0 * of_data(V)) - onp.sum(p * of_fake(V))


def from_data(F):
    """Both expectations under p0."""
    return lambda p0, p, V: F(p0, p0, V)


CLAIMS = [
    Claim("ou2018.gan.F", gan, equals(bound_at("gan", log_sigmoid), random_logits),
          {"g_f = log(1 - sigma(v))": lambda p0, p, V: gan(p0, p, -V),
           "log D in both terms": other(log_sigmoid, lambda V: -log_sigmoid(V)),
           "the f of Jensen-Shannon": lambda p0, p, V: gan(p0, p, V) + onp.log(4),
           "both under p0": from_data(gan)}),
    Claim("ou2018.gan.V", response(log_sigmoid, identity),
          equals(best_response("gan", log_sigmoid), random_laws, method="optimisation"),
          {"V* = log p/p0": response(log_sigmoid, lambda r: -r),
           "V* = 1 + log p0/p": response(log_sigmoid, plus_one),
           "T* = log p/(p0 + p)": response(lambda r: log_sigmoid(-r), identity),
           "T* = log 2 p0/(p0 + p)": response(lambda r: onp.log(2) + log_sigmoid(r), identity)}),
    Claim("ou2018.kl.F", kl, equals(bound_at("kl", identity), random_logits),
          {"E_p[e^V]": other(identity, lambda V: onp.exp(V)),
           "E_p[e^V - 1]": other(identity, lambda V: onp.exp(V) - 1),
           "log E_p[e^V], Donsker and Varadhan's": lambda p0, p, V: onp.sum(p0 * V) - onp.log(onp.sum(p * onp.exp(V))),
           "both under p0": from_data(kl)}),
    Claim("ou2018.kl.V", response(plus_one, plus_one),
          equals(best_response("kl", identity), random_laws, method="optimisation"),
          {"the log-ratio itself": response(identity, identity),
           "1 - log p0/p": response(lambda r: 1 - r, lambda r: 1 - r),
           "1 + log p/p0": response(plus_one, lambda r: 1 - r),
           "the ratio": response(lambda r: onp.exp(r), lambda r: onp.exp(r))}),
    Claim("ou2018.kl.shift", with_optimum(shifted_kl, log_ratio),
          equals(with_optimum(bound_at("kl", plus_one), lambda p0, p: best_response("kl", plus_one)(p0, p)["V"]),
                 random_laws, method="optimisation"),
          {"g_f = v - 1": with_optimum(other(lambda V: V - 1, lambda V: onp.exp(V - 2)), log_ratio),
           "E_p[e^(V+1)]": with_optimum(other(plus_one, lambda V: onp.exp(V + 1)), log_ratio),
           "E_{p0}[V], as if shifts did not count": with_optimum(other(identity, lambda V: onp.exp(V)), log_ratio),
           "V* = 1 + log p0/p": with_optimum(shifted_kl, lambda p0, p: 1 + log_ratio(p0, p))}),
    Claim("ou2018.rkl.F", reverse_kl, equals(bound_at("reverse kl", minus_exp), random_logits),
          {"E_p[1 + V]": other(minus_exp, plus_one),
           "E_p[-1 - V]": other(minus_exp, lambda V: -1 - V),
           "g_f = -e^v with the same second term": other(lambda V: -onp.exp(V), lambda V: V - 1),
           "both under p0": from_data(reverse_kl)}),
    Claim("ou2018.rkl.V", response(minus_exp, identity),
          equals(best_response("reverse kl", minus_exp), random_laws, method="optimisation"),
          {"T* = -p0/p": response(lambda r: -onp.exp(r), identity),
           "T* = p/p0": response(lambda r: onp.exp(-r), identity),
           "V* = log p/p0": response(minus_exp, lambda r: -r),
           "V* = -1 + log p0/p": response(minus_exp, lambda r: r - 1)}),
]
