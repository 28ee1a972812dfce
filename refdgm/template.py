r"""One sentence that says what is derived here.

Then the prose: what the reader should know, and why the result matters. `refdgm verify THIS_FILE` holds every line of
the derivation against the line above it, on several random models, and every claim against its mistakes.

The example: the softmax weights that maximise an average reward minus their distance to a prior.
"""
import autograd.numpy as np
import numpy as onp
from autograd import grad

from refdgm.checking import Claim, is_at_most
from refdgm.checking import equals as is_equal_to
from refdgm.derivation import derivation, equals, mistake, start
from refdgm.numerics import kl, log_sum_exp, softmax


def random_case(seed):
    """The setting: everything that the formulas below take, drawn from `seed`. Keep it small and without symmetry."""
    rng = onp.random.default_rng(seed)
    return {"reward": rng.normal(size=5), "prior": rng.dirichlet(onp.ones(5))}


# ---- your formulas ----------------------------------------------------------------------

def objective(reward, prior, p):
    """J(p) = E_p[reward] - KL(p || prior)."""
    return np.sum(p * reward) - kl(p, prior)


def best(reward, prior):
    """p* proportional to prior exp(reward)."""
    return softmax(reward + np.log(prior))


def log_partition(reward, prior):
    """log sum_i prior_i exp(reward_i)."""
    return log_sum_exp(reward + np.log(prior))


# ---- the derivation: each line has its LaTeX, its value, and what licenses the step -------

@derivation(random_case)
def optimum(reward, prior):
    """The best objective is a log partition function."""
    p = best(reward, prior)

    yield start(r"\max_p \mathbb E_p[r] - \mathrm{KL}(p \| \pi)", objective(reward, prior, p))

    yield equals(r"\log \sum_i \pi_i e^{r_i}", log_partition(reward, prior),
                 because="at the optimum every log p_i / pi_i - r_i is the same constant")

    yield mistake(r"\log \sum_i e^{r_i}", log_sum_exp(reward),
                  because="the prior is forgotten: it would have to be uniform, and counted")

    yield mistake(r"\sum_i \pi_i r_i", np.sum(prior * reward), because="the average under the prior is only a bound")


# ---- claims: a formula, a check, and at least two mistakes that the same check rejects -----

def other_value(reward, prior):
    """J at another p, here the prior itself."""
    return objective(reward, prior, prior)


CLAIMS = [
    Claim("mypaper.eq1", lambda reward, prior: grad(log_partition)(reward, prior),
          is_equal_to(best, random_case),
          mistakes={"the prior left out": lambda reward, prior: softmax(reward),
                    "divided by the prior": lambda reward, prior: softmax(reward - np.log(prior))},
          says="The optimal weights are the gradient of the log partition function.", where="Eq. 1",
          latex=r"p^* = \nabla_r \log \sum_i \pi_i e^{r_i}"),
    Claim("mypaper.eq2", other_value, is_at_most(log_partition, random_case),
          mistakes={"KL added": lambda reward, prior: log_partition(reward, prior) + kl(prior, best(reward, prior)),
                    "nothing lost": log_partition},
          says="No other distribution does better.", where="Eq. 2",
          latex=r"J(p) \le \log \sum_i \pi_i e^{r_i}"),
]
