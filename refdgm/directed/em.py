r"""EM on a latent class model: the E-step, the M-step, and where they lead (lecture12 Secs. 1.1.4, 2.1).

    model     p(x, z) = p(z) p(x_1|z) p(x_2|z),   three tables of logits
    bound     L(theta, q) = E_p~(x) E_q(z|x)[log p(x, z) - log q(z|x)]
    E-step    maximise L in q:       q(z|x) = p(z|x)
    M-step    maximise L in theta:   p(z) = E_p~ q(z|x),   p(x_i|z) = share of x_i among the data, weighted by q(z|x)

The two features are independent given the class, so the model cannot fit every table and EM takes many steps.
theta = {"prior": (Z,), "first": (Z, X1), "second": (Z, X2)}; q and log p(x, z) are (X1, X2, Z), p_data is (X1, X2).

The log-likelihood before and after twenty rounds:

    >>> from refdgm.directed.em import em, log_likelihood, random_case
    >>> case = random_case(0)
    >>> [round(float(log_likelihood(theta, case["p_data"])), 4) for theta in em(**case, steps=20)[::20]]
    [-2.7354, -2.2194]
"""
import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, is_at_least, minimises
from refdgm.models import known_components
from refdgm.numerics import log_softmax, log_sum_exp, softmax


def log_joint(theta):
    """log p(x, z) = log p(z) + log p(x_1|z) + log p(x_2|z) for every cell.  -> (X1, X2, Z)"""
    first, second = log_softmax(theta["first"]).T, log_softmax(theta["second"]).T
    return log_softmax(theta["prior"]) + first[:, None, :] + second


def log_likelihood(theta, p_data):
    """E_p~ log p(x).  -> ()"""
    return np.sum(p_data * log_sum_exp(log_joint(theta)))


def bound(theta, q, p_data):
    """L(theta, q) = E_p~(x)q(z|x)[log p(x, z) - log q(z|x)] (lecture12 Sec. 2.1).  q > 0 -> ()"""
    return np.sum(p_data[:, :, None] * q * (log_joint(theta) - np.log(q)))


def e_step(theta):
    """The q that maximises L with theta fixed: the posterior (lecture12 Sec. 2.1).  -> (X1, X2, Z)"""
    return softmax(log_joint(theta))


def m_step(q, p_data):
    """The theta that maximises L with q fixed: the logs of weighted shares (lecture12 Sec. 2.1).  -> theta"""
    counts = p_data[:, :, None] * q
    prior = np.sum(counts, axis=(0, 1))
    return {"prior": np.log(prior), "first": np.log((np.sum(counts, axis=1) / prior).T),
            "second": np.log((np.sum(counts, axis=0) / prior).T)}


def em(theta, p_data, steps):
    """theta after 0, 1, .., steps rounds of E-step and M-step (lecture12 Sec. 1.1.4).  -> list of theta"""
    validate(theta, p_data)
    path = [theta]
    for _ in range(steps):
        path.append(m_step(e_step(path[-1]), p_data))
    return path


def validate(theta, p_data):
    """Raise ValueError unless the tables of theta fit each other and the data, and p_data is a positive law."""
    (Z, X1), (_, X2) = valid.matrix("theta", theta, "first"), valid.matrix("theta", theta, "second")
    valid.parameters("theta", theta, {"prior": (Z,), "first": (Z, X1), "second": (Z, X2)})
    valid.shape("p_data", p_data, (X1, X2))
    valid.distribution("p_data", onp.reshape(p_data, -1))
    valid.require(onp.min(onp.sum(p_data, 0)) > 0 and onp.min(onp.sum(p_data, 1)) > 0,
                  "every value of each feature must occur in p_data: the M-step gives the others probability zero.")


def random_case(seed, Z=2, X1=3, X2=4):
    """Random tables theta and a law of the data that no two classes explain exactly."""
    rng = onp.random.default_rng([seed, Z, X1, X2])
    theta = {"prior": rng.normal(size=Z), "first": rng.normal(size=(Z, X1)), "second": rng.normal(size=(Z, X2))}
    return {"theta": theta, "p_data": rng.dirichlet(onp.ones(X1 * X2)).reshape(X1, X2)}


# ---- claims ---------------------------------------------------------------------------

def on_the_way(seed):
    """A start some rounds up the hill, from which a wrong step leads down."""
    case = random_case(seed)
    return case | {"theta": em(**case, steps=3)[-1]}


def rises(path, p_data):
    """By how much the log-likelihood rises from each theta of a path to the next.  -> (steps,)"""
    values = np.array([log_likelihood(theta, p_data) for theta in path])
    return values[1:] - values[:-1]


def along_em(theta, p_data):
    return rises(em(theta, p_data, 4), p_data)


def none(theta, p_data):
    """No rise: what is left at a stationary point, to which some starts come within a few rounds."""
    return onp.zeros(4)


def climb(e_step=e_step, m_step=m_step):
    """The rises along EM with one of its steps changed."""
    def along(theta, p_data):
        path = [theta]
        for _ in range(4):
            path.append(m_step(e_step(path[-1]), p_data))
        return rises(path, p_data)
    return along


def prior_as_q(theta):
    """Draws of z that have not seen x."""
    return softmax(theta["prior"] + 0 * log_joint(theta))


def first_q_kept(theta):
    """An E-step that never looks at theta: any q, kept."""
    cells = onp.arange(log_joint(theta).size).reshape(log_joint(theta).shape)
    return softmax(onp.sin(cells))


def uniform_prior(q, p_data):
    """The M-step with the class probabilities left alone at 1/Z."""
    return m_step(q, p_data) | {"prior": 0.0 * q[0, 0]}


def m_case(seed):
    """Any positive q in place of a posterior: the M-step is exact for all of them."""
    case = random_case(seed)
    case["q"] = softmax(onp.random.default_rng([seed, 1]).normal(size=log_joint(case["theta"]).shape))
    return case


def unweighted(q, p_data):
    """Each cell of the table counts once, however often it occurs."""
    return m_step(q, onp.full(p_data.shape, 1.0 / p_data.size))


def over_the_classes(q, p_data):
    """p(z|x_i) where p(x_i|z) belongs: shares taken over the wrong axis."""
    counts = p_data[:, :, None] * q
    first, second = np.sum(counts, axis=1), np.sum(counts, axis=0)
    return m_step(q, p_data) | {"first": np.log(first / np.sum(first, 1, keepdims=True)).T,
                                "second": np.log(second / np.sum(second, 1, keepdims=True)).T}


def add_one(q, p_data):
    """Shares with a pseudo-count of a hundredth: the M-step of a penalised likelihood."""
    return {name: np.log(np.exp(leaf) + 0.01) for name, leaf in m_step(q, p_data).items()}


def one_nat(**case):
    """The scale of a gradient in logits: its entries are differences of probabilities times log-ratios of order one."""
    return 1.0


def negative_bound(parameters, log_B, p_data, extra=lambda log_prior: 0.0):
    """-L in the weights a of a mixture of known components and the logits of q(z|x), (X, Z), together."""
    log_q, log_p = log_softmax(parameters["q"]), known_components.log_joint(parameters["theta"], log_B)
    return -np.sum(p_data[:, None] * np.exp(log_q) * (log_p - log_q + extra(log_softmax(parameters["theta"]["a"]))))


def negative_printed_bound(**case):
    """The bound as printed in Secs. 1.1.4 and 2.3, in which log p(z) stands twice."""
    return negative_bound(**case, extra=lambda log_prior: log_prior)


def both_case(seed):
    case = known_components.random_case(seed)
    return {"parameters": {"theta": case["theta"], "q": 0 * case["log_B"]}, "log_B": case["log_B"],
            "p_data": case["p_data"]}


def maximum(weights=lambda parameters, log_B, p_data: known_components.maximum_likelihood(log_B, p_data),
            q=known_components.log_posterior):
    """The maximum of L over both arguments: the maximum likelihood estimate and its posterior."""
    def of(**case):
        theta = {"a": np.log(weights(**case))}
        return {"theta": theta, "q": q(theta, case["log_B"])}
    return of


def after_one_m_step(parameters, log_B, p_data):
    return p_data @ np.exp(known_components.log_posterior(parameters["theta"], log_B))


CLAIMS = [
    Claim("lecture12.sec1.1.4_em", along_em, is_at_least(none, on_the_way),
          {"z drawn from the prior": climb(prior_as_q),
           "an arbitrary q, kept": climb(first_q_kept),
           "shares over the wrong axis": climb(m_step=over_the_classes),
           "every cell counts once": climb(m_step=unweighted)}),
    Claim("lecture12.sec1.1.4_target", maximum(), minimises(negative_bound, "parameters", both_case, scale=one_nat),
          {"one M-step, with its posterior": maximum(after_one_m_step),
           "the maximum likelihood estimate, with q the prior": maximum(
               q=lambda theta, log_B: log_softmax(theta["a"]) + 0 * log_B),
           "theta stays: q alone is fitted": maximum(lambda parameters, **_: softmax(parameters["theta"]["a"]))},
          without=minimises(negative_printed_bound, "parameters", both_case, scale=one_nat)),
    Claim("lecture12.sec2.1_mstep", lambda theta, q, p_data: m_step(q, p_data),
          minimises(lambda theta, q, p_data: -bound(theta, q, p_data), "theta", m_case, scale=one_nat),
          {"shares over the wrong axis": lambda theta, q, p_data: over_the_classes(q, p_data),
           "every cell counts once": lambda theta, q, p_data: unweighted(q, p_data),
           "class probabilities left at 1/Z": lambda theta, q, p_data: uniform_prior(q, p_data),
           "a pseudo-count in every share": lambda theta, q, p_data: add_one(q, p_data),
           "the posterior in place of the q that was fixed": lambda theta, q, p_data: m_step(e_step(theta), p_data)}),
]
