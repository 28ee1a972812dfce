r"""Semi-amortised inference (ou2018 Sec. 3.2.1; Kim et al. 2018): the network begins, a local ascent refines.

    phi_x^(0) = network(x),    phi_x^(j+1) = phi_x^(j) + alpha grad L(x; theta, phi_x^(j)),    j < J
    dL(x; phi_x^(J))/dphi_x^(0) = (I + alpha H_0) ... (I + alpha H_{J-1}) grad L(phi_x^(J))

with H_j the Hessian of L at phi_x^(j). The ascent is differentiable, so the network is trained for where its proposals
end, not for where they are.
In the linear-Gaussian model with q = N(m, diag exp(2 r)), and the posterior's mean mu (H,) and precision Lambda (H, H),

    dL/dm = Lambda (mu - m),   dL/dr_i = 1 - Lambda_ii exp(2 r_i)

phi_x = {"m": (H,), "r": (H,)};  network = {"V": (H, D), "c": (H,), "r": (H,)} gives m = V x + c and the same r for
all x; posterior = (mu, Lambda) of models.linear_gaussian at one x.

The bound at the network's proposal, and ten steps of refinement later:

    >>> from refdgm.directed.semi_amortised import bound, posterior_of, propose, random_case, refine
    >>> theta, network, x, alpha = random_case(0).values()
    >>> path = refine(posterior_of(theta, x), propose(network, x), alpha, J=10)
    >>> [round(float(bound(theta, x, q)), 2) for q in (path[0], path[-1])]
    [-20.82, -16.0]
"""
import autograd.numpy as np
from autograd import grad

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.models import linear_gaussian as model
from refdgm.numerics import gauss_hermite, gaussian_log_prob


def propose(network, x):
    """phi_x^(0), from the network (ou2018 Sec. 3.2.1)."""
    return {"m": np.dot(network["V"], x) + network["c"], "r": network["r"]}


def posterior_of(theta, x):
    """mu and Lambda at x."""
    return model.posterior_mean(theta, x), model.posterior_precision(theta)


def grad_bound(posterior, q):
    """dL/dphi_x, by hand."""
    mu, precision = posterior
    return {"m": np.dot(precision, mu - q["m"]), "r": 1 - np.diag(precision) * np.exp(2 * q["r"])}


def refine(posterior, q, alpha, J):
    """phi_x^(0), ..., phi_x^(J): stochastic variational inference, here with exact gradients (ou2018 Sec. 3.2.1)."""
    path = [q]
    for _ in range(J):
        slope = grad_bound(posterior, path[-1])
        path.append({name: path[-1][name] + alpha * slope[name] for name in q})
    return path


def backpropagate(posterior, path, slope, alpha):
    """From dL/dphi_x^(J) to dL/dphi_x^(0): each step back multiplies by I + alpha H_j."""
    _, precision = posterior
    for q in reversed(path[:-1]):
        slope = {"m": slope["m"] - alpha * np.dot(precision, slope["m"]),
                 "r": slope["r"] * (1 - 2 * alpha * np.diag(precision) * np.exp(2 * q["r"]))}
    return slope


def grad_network(theta, network, x, alpha, J):
    """The gradient of L(x; theta, phi_x^(J)) in the network, end to end (ou2018 Sec. 3.2.1)."""
    posterior = posterior_of(theta, x)
    path = refine(posterior, propose(network, x), alpha, J)
    slope = backpropagate(posterior, path, grad_bound(posterior, path[-1]), alpha)
    return through_network(slope, x)


def through_network(slope, x):
    """From dL/dphi_x^(0) to the network's parameters."""
    return {"V": np.outer(slope["m"], x), "c": slope["m"], "r": slope["r"]}


def random_case(seed, D=3, H=2, step=0.8):
    """A network, and a rate alpha of `step` / (the largest curvature on the way): L rises at each step if step < 2."""
    rng = onp.random.default_rng([seed, H])
    case = model.random_case(seed, D, H)
    theta = {**case["theta"], "W": case["theta"]["W"] / 2}
    precision = model.posterior_precision(theta)
    r = rng.normal(size=H) / 2 - 1
    largest = max(onp.max(onp.linalg.eigvalsh(precision)), onp.max(2 * onp.diag(precision) * onp.exp(2 * r)), 2.0)
    return {"theta": theta, "network": {"V": case["phi"]["V"], "c": case["phi"]["c"], "r": r}, "x": case["x"],
            "alpha": step / largest}


# ---- claims ---------------------------------------------------------------------------

SHORT, LONG = 2, 400


def semi_amortised(theta, network, x, alpha, gradient=grad_network, begin=propose, sign=1.0):
    """Where a long refinement ends, how far L fell on the way, and the gradient through a short one."""
    path = refine(posterior_of(theta, x), begin(network, x), sign * alpha, LONG)
    rises = np.diff(np.array([bound(theta, x, q) for q in path[:10]]))
    return {"end": path[-1], "falls": np.sum(np.minimum(rises, 0.0)),
            "gradient": gradient(theta, network, x, alpha, SHORT)}


def optimum_and_autodiff(theta, network, x, alpha):
    """The best factorised q, no fall, and autograd through an ascent by autograd."""
    def end_to_end(network):
        q = propose(network, x)
        for _ in range(SHORT):
            slope = grad(lambda q: bound(theta, x, q))(q)
            q = {name: q[name] + alpha * slope[name] for name in q}
        return bound(theta, x, q)
    mu, precision = posterior_of(theta, x)
    best = {"m": mu, "r": -0.5 * np.log(np.diag(precision))}
    return {"end": best, "falls": 0.0, "gradient": grad(end_to_end)(network)}


def bound(theta, x, q):
    """L(x; theta, phi_x) as an expectation over q: two Gauss-Hermite nodes a dimension are exact for a quadratic."""
    eps, w = gauss_hermite(2, dimensions=len(q["m"]))
    h = q["m"] + np.exp(q["r"]) * eps
    return np.sum(w * (model.log_joint(theta, x, h) - gaussian_log_prob(h, q["m"], np.exp(2 * q["r"]))))


def grad_where_it_begins(theta, network, x, alpha, J):
    """The amortised gradient: the refinement is not known to the network."""
    return through_network(grad_bound(posterior_of(theta, x), propose(network, x)), x)


def grad_without_curvature(theta, network, x, alpha, J):
    """dL/dphi_x^(J) handed to the network as it is: the steps are held constant."""
    posterior = posterior_of(theta, x)
    return through_network(grad_bound(posterior, refine(posterior, propose(network, x), alpha, J)[-1]), x)


def grad_with_curvature_at_the_end(theta, network, x, alpha, J):
    posterior = posterior_of(theta, x)
    end = refine(posterior, propose(network, x), alpha, J)[-1]
    return through_network(backpropagate(posterior, [end] * (J + 1), grad_bound(posterior, end), alpha), x)


CLAIMS = [
    Claim("ou2018.sva", semi_amortised, equals(optimum_and_autodiff, random_case, method="autodiff"),
          {"the gradient where the refinement begins": lambda **c: semi_amortised(**c, gradient=grad_where_it_begins),
           "steps held constant": lambda **c: semi_amortised(**c, gradient=grad_without_curvature),
           "all curvatures at the end": lambda **c: semi_amortised(**c, gradient=grad_with_curvature_at_the_end),
           "one step short": lambda **c: semi_amortised(**c, gradient=lambda *a: grad_network(*a[:-1], SHORT - 1)),
           "descent": lambda **c: semi_amortised(**c, sign=-1e-3)},
          without=equals(optimum_and_autodiff, lambda seed: random_case(seed, step=4.0), method="autodiff")),
]
