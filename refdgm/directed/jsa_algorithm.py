r"""Algorithm 4: JSA learning, run (ou2018 Sec. 3.2.3, Algorithm 4).

    repeat   Monte Carlo   pick k uniformly, update the code h_k by one step of MIS with proposal q(.|x_k)
             SA            theta += gamma_t dlog p(x_k, h_k)/dtheta,   phi += gamma_t dlog q(h_k|x_k)/dphi

averaged over a minibatch, here over parallel chains. The model is a mixture with known components and a q that cannot
see x (refdgm.models.known_components): the estimate to reach is unique, and q never contains the posterior. JSA
reaches it all the same, because accept/reject mends the mismatch; variational learning does not.

Shapes: X values of x, H components, n observations, C parallel chains: codes (C, n); log_B (X, H).

The weight of the first component after 250 steps, and the maximum likelihood estimate:

    >>> from refdgm.directed.jsa_algorithm import estimate, learn, learning_case
    >>> start, end = learn(**learning_case(0), chains=200)
    >>> round(float(end[0, 0]), 2), round(float(estimate(**learning_case(0))[0, 0]), 2)
    (0.26, 0.25)
"""
from typing import NamedTuple

from refdgm.backend import here
from refdgm.backend import xp as np
from refdgm.checking import Claim, converges_to, equals, minimises
from refdgm.models.finite_chain import stationary_law
from refdgm.models.known_components import log_joint, log_q, maximum_likelihood, mean_log_likelihood, random_case, score
from refdgm.numerics import log_softmax, softmax
from refdgm.samplers import independence


class Learner(NamedTuple):
    """The parameters, and what must be stored between steps: one code per observation (in every chain)."""
    a: np.ndarray           # logits of p(h): theta
    c: np.ndarray           # logits of q(h): phi
    codes: np.ndarray       # (C, n)


def draw(rng, learner, log_B, observations, to_beat=lambda log_w, x, h: log_w[x, h]):
    """Monte Carlo sampling: one MIS step of one code in every chain (ou2018 Alg. 4).  -> x_k, h_k (C,), codes (C, n)"""
    chain, n = np.arange(len(learner.codes)), len(observations)
    k, (to_propose, to_accept) = here((rng.integers(n, size=len(chain)), rng.random((2, len(chain)))))
    x, old, log_q = observations[k], learner.codes[chain, k], log_softmax(learner.c)
    log_w = log_softmax(learner.a) + log_B - log_q          # p(x, h) / q(h) under today's parameters; p(x_k) cancels
    proposal = np.searchsorted(np.cumsum(np.exp(log_q))[:-1], to_propose)
    current = independence.State(old, to_beat(log_w, x, old))
    h = independence.step(current, proposal, log_w[x, proposal], to_accept).h
    codes = learner.codes.copy()
    codes[chain, k] = h
    return x, h, codes


def ascend(logits, h, gamma):
    """SA updating: logits + gamma * the mean of dlog softmax(logits)_h (ou2018 Alg. 4).  h (C,)"""
    return logits + gamma * (np.bincount(h, minlength=len(logits)) / len(h) - softmax(logits))


def learn(seed, theta, phi, log_B, observations, draw=draw, phi_sign=1.0, steps=250, chains=1000):
    """p(h) and q(h) at the start and at the end of a run of Algorithm 4 (ou2018 Alg. 4).  -> two arrays (2, H)"""
    rng = np.random.default_rng(seed)
    up_to = np.cumsum(softmax(theta["a"]))
    codes = np.searchsorted(up_to / up_to[-1], here(rng.random((chains, len(observations)))), side="right")
    learner = Learner(theta["a"], phi["c"], codes)
    for t in range(steps):
        gamma = 6 / (1 + t / 20)                            # sum gamma = inf, sum gamma^2 < inf
        x, h, codes = draw(rng, learner, log_B, observations)
        learner = Learner(ascend(learner.a, h, gamma), ascend(learner.c, h, phi_sign * gamma), codes)
    return [np.array([softmax(theta["a"]), softmax(phi["c"])]), np.array([softmax(learner.a), softmax(learner.c)])]


def chain_law(theta, phi, log_B):
    """The law of h given x in which MIS settles, proposals from q (ou2018 Sec. 3.2.3).  -> (X, H)"""
    q = log_q(phi, log_B)
    return stationary_law(independence.transition_matrix(log_joint(theta, log_B) - q, q))


def root(theta, phi, log_B, p_data, law_of_codes=chain_law):
    """The theta at which E[dlog p(x, h)/dtheta] = 0, h given x from `law_of_codes` (ou2018 Eq. 23).  -> {"a": (H,)}"""
    from scipy.optimize import root as find_root

    def field(a):
        return p_data @ law_of_codes({"a": a}, phi, log_B) @ score(a)
    a = theta["a"]
    for _ in range(30):                                     # near the root by Algorithm 4 without its noise ...
        a = a + 4 * field(a)
    a = a - a[-1]                                           # ... then to it; softmax leaves one logit free: the last
    return {"a": np.append(find_root(lambda free: field(np.append(free, 0.0))[:-1], a[:-1], tol=1e-14).x, 0.0)}


def storage(n, layers):
    """Numbers kept between steps: one code of every stochastic layer for each observation (ou2018 Sec. 3.2.3)."""
    return n * sum(layers)


# ---- claims ---------------------------------------------------------------------------

def learning_case(seed):
    """Ten observations, two components, and a start of p(h) and of q(h) on the other side.

    Where the likelihood is flat the end is as far from its maximum as noise takes it: so it is not.
    """
    c = random_case(seed, X=4, H=2, n=10, least=1.25)
    weights = maximum_likelihood(c["log_B"], c["p_data"])
    other = np.array([-1.0, 1.0]) * np.sign(weights[0] - weights[1])
    return {"seed": seed, "theta": {"a": other}, "phi": {"c": 1.5 * other}, "log_B": c["log_B"],
            "observations": np.repeat(np.arange(4), np.rint(10 * c["p_data"]).astype(int))}


def estimate(seed, theta, phi, log_B, observations):
    """The maximum likelihood weights, for p(h) and, as E p(h|x) = p(h) there, for q(h), too."""
    return np.array(2 * [maximum_likelihood(log_B, np.bincount(observations) / len(observations))])


def with_draw(to_beat):
    """Algorithm 4 in which a proposal has to beat another weight."""
    return lambda **case: learn(**case, draw=lambda *args: draw(*args, to_beat))


def draw_and_forget(rng, learner, log_B, observations):
    x, h, _ = draw(rng, learner, log_B, observations)
    return x, h, learner.codes


def variational_optimum(theta, phi, log_B, p_data):
    """Coordinate ascent of the ELBO with the same q, which cannot see x: it settles on one component."""
    log_weights = log_softmax(theta["a"])
    for _ in range(200):
        log_weights = log_softmax(log_weights + p_data @ log_B)         # best q(h), and then p(h) = q(h)
    return {"a": log_weights}


def q_law(theta, phi, log_B):
    return np.exp(log_q(phi, log_B))


def uncorrected_law(theta, phi, log_B):
    """MIS whose weights leave out q."""
    return stationary_law(independence.transition_matrix(log_joint(theta, log_B), log_q(phi, log_B)))


CLAIMS = [
    Claim("ou2018.alg4", learn, converges_to(estimate, learning_case, rtol=0.15),     # standard error up to 0.02
          {"phi descends": lambda **case: learn(**case, phi_sign=-1.0),
           "every proposal accepted": with_draw(lambda log_w, x, h: np.full(len(x), -1e3)),
           "the weight is never updated": with_draw(lambda log_w, x, h: log_w[x, 0]),
           "the codes are not kept": lambda **case: learn(**case, draw=draw_and_forget)}),
    Claim("ou2018.jsa.consistency", root,
          minimises(lambda theta, phi, log_B, p_data: -mean_log_likelihood(theta, log_B, p_data), "theta", random_case),
          {"variational learning": variational_optimum,
           "h from q, no accept/reject": lambda **case: root(**case, law_of_codes=q_law),
           "MIS whose weights leave out q": lambda **case: root(**case, law_of_codes=uncorrected_law)},
          host_only="scipy searches for the root"),
    Claim("ou2018.jsa.storage", lambda n, layers: [float(storage(n, layers)), float(storage(n, layers[-1:]))],
          equals(lambda n, layers: [float(sum(np.zeros((n, H)).size for H in layers)), float(n * layers[-1])],
                 lambda seed: {"n": 10 + seed, "layers": [7 + seed % 3, 5, 2]}),
          {"nothing is stored": lambda n, layers: [0.0, 0.0],
           "one number per layer": lambda n, layers: [float(n * len(layers)), float(n)],
           "does not grow with the data": lambda n, layers: [float(sum(layers)), float(layers[-1])]}),
]
