r"""How a better q speeds up Metropolis independence sampling: every eigenvalue of its kernel (ou2018 Sec. 3.2.3).

JSA proposes from q(h|x) to sample p(h|x); a q that chases the posterior is said to improve the efficiency. With the
states in decreasing order of their weights w = p/q, the kernel has the eigenvalue 1 and (Liu 1996)

    lambda_k = sum_{i >= k} (q_i - p_i / w_k)        k = 1..S-1,     1 - 1/w_1 = lambda_1 >= lambda_2 >= ... >= 0

so it forgets its start like (1 - 1/max w)^t: what counts is the state that q misses most, neither of the KLs. At q = p
all but one vanish, and one step is a fresh draw.
p, q : (S,), both normalised.

An even proposal for the posterior (0.8, 0.2): max w is 1.6, and the second eigenvalue 1 - 1/1.6.

    >>> import numpy as np
    >>> from refdgm.directed.mis_spectrum import eigenvalues
    >>> round(float(eigenvalues(p=np.array([0.8, 0.2]), q=np.array([0.5, 0.5]))[1]), 3)
    0.375
"""

from refdgm.backend import xp as np
from refdgm.checking import Claim, equals
from refdgm.samplers.independence import random_case


def eigenvalues(p, q):
    """1 and lambda_1 >= ... >= lambda_{S-1} (implied by ou2018 Sec. 3.2.3).  -> (S,)"""
    order = np.argsort(-p / q)
    p, q = p[order], q[order]
    w = p / q
    tail_p, tail_q = np.cumsum(p[::-1])[::-1], np.cumsum(q[::-1])[::-1]
    return np.append(1.0, (tail_q - tail_p / w)[:-1])


# ---- claims ---------------------------------------------------------------------------

def laws_case(seed):
    """A posterior and an imperfect proposal on 5 states."""
    case = random_case(seed)
    p, q = np.exp(case["log_p"]), np.exp(case["log_q"])
    return {"p": p / np.sum(p), "q": q / np.sum(q)}


def spectrum_of_kernel(p, q):
    """The oracle: the kernel entry by entry, made symmetric by the roots of p, and its eigenvalues."""
    S = len(p)
    P = np.array([[q[j] * min(1.0, p[j] * q[i] / (p[i] * q[j])) if i != j else 0.0 for j in range(S)]
                  for i in range(S)])
    P += np.diag(1 - P.sum(axis=1))
    root = np.sqrt(p)
    symmetric = root[:, None] * P / root
    return np.linalg.eigvalsh((symmetric + symmetric.T) / 2)[::-1]


def of_weights(formula):
    """1 and formula(w), w in decreasing order but for the last."""
    return lambda p, q: np.append(1.0, formula(np.sort(p / q)[::-1])[:-1])


CLAIMS = [
    Claim("ou2018.x_mis_spectrum", eigenvalues, equals(spectrum_of_kernel, laws_case, method="spectrum"),
          {"1 - 1/w_k for each k": of_weights(lambda w: np.maximum(0, 1 - 1 / w)),
           "1 - 1/max w for all": of_weights(lambda w: 0 * w + 1 - 1 / w[0]),
           "the weights q/p": lambda p, q: eigenvalues(q, p),
           "sorted the other way: the smallest weight first": lambda p, q: np.sort(np.abs(np.append(
               1.0, np.cumsum(q[np.argsort(p / q)]) - np.cumsum(p[np.argsort(p / q)]) / np.sort(p / q))[:-1]))[::-1]}),
]
