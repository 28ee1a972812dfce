r"""Denoising autoencoders and generative stochastic networks as a bound with an aggregate prior (bachman2015 Sec. 2).

The decoder's prior over zbar is what the encoder makes of the data, so that p needs no density over zbar of its own:

    Eq. 6   p(zbar) = E_{q(x, z)}[q(zbar|x, z)] = q(zbar),      z = (z_0, z_1)
    Eq. 7   KL(q || p) = E_q[log D(x) q(z, zbar|x) / p(x, z|zbar) - log E_{q(xhat, zhat)} q(zbar|xhat, zhat)]
    Eq. 8   KL(q || p) >= E_D[log D(x)] + E_D[-log p(x)],      p(x) = sum_zbar q(zbar) p(x|zbar)

A "table" has the axes (x, z0, z1, zbar) of `refdgm.models.joint_tables`, which holds the encoder phi, the decoder theta
and D (X,); every expectation is a sum over all cells. The alternating chain is in `gsn_chain`, the gradient in phi in
`encoder_gradient` and `encoder_score`.

Eq. 8, the divergence and what it bounds:

    >>> import numpy as np
    >>> from refdgm.autoencoders.gsn import divergence, negative_log_likelihood, random_case
    >>> case = random_case(2)
    >>> log_D = case["D"] @ np.log(case["D"])
    >>> round(float(divergence(**case)), 4), round(float(log_D + negative_log_likelihood(**case)), 4)
    (1.151, 0.0874)
"""
import math

import autograd.numpy as np

from refdgm.checking import Claim, equals, is_at_least, is_at_most, is_gradient_of
from refdgm.models.joint_tables import (Z1, ZBAR, X, Z, conditional, decoder, encoder, encoder_conditionals, kl,
                                        marginal, mutual_information, near_optimal_case, random_case)


def aggregate_prior(phi, D):
    """p(zbar) = E_{q(x, z)}[q(zbar|x, z)] = q(zbar) (bachman2015 Eq. 6).  -> (1, 1, 1, Zbar)"""
    z0, z1, zbar = encoder_conditionals(phi)
    return np.sum(column(D) * z0 * z1 * zbar, axis=(X, *Z), keepdims=True)


def divergence(theta, phi, D):
    """KL(q(x, z, zbar) || p(x, z|zbar) q(zbar)) by its definition (bachman2015 Eq. 7).  -> ()"""
    q = encoder(phi, D)
    return kl(q, decoder(theta) * marginal(q, ZBAR))


def mean_log_ratio(numerator, denominator, law="D(x) q(z,zbar|x)"):
    """E_law[log numerator / denominator] for products of `factors` (bachman2015 Eq. 7).  -> f(theta, phi, D) -> ()"""
    def mean(theta, phi, D):
        table = factors(theta, phi, D)
        def product(names): return math.prod(table[name] for name in names.split())
        return np.sum(product(law) * np.log(product(numerator) / product(denominator)))
    return mean


def factors(theta, phi, D):
    """The densities that the lines of Eq. 7 are made of, by name.  -> dict of tables"""
    q = encoder(phi, D)
    z0, z1, zbar = encoder_conditionals(phi)
    return {"1": 1.0, "D(x)": column(D), "q(z|x)": z0 * z1, "q(z_1|x)": conditional(marginal(q, X, Z1), X),
            "q(z,zbar|x)": z0 * z1 * zbar, "q(z|zbar)": conditional(marginal(q, *Z, ZBAR), ZBAR),
            "q(x,z|zbar)": conditional(q, ZBAR), "q(zbar)": aggregate_prior(phi, D), "q(zbar|x,z)": zbar,
            "p(x,z|zbar)": decoder(theta), "p(x,z_1|zbar)": marginal(decoder(theta), X, Z1, ZBAR)}


def negative_log_likelihood(theta, phi, D):
    """E_D[-log p(x)] with p(x) = sum_zbar q(zbar) p(x|zbar) (bachman2015 Eq. 8).  -> ()"""
    p_x_given_zbar = marginal(decoder(theta), X, ZBAR)
    return -np.sum(D * np.log(np.sum(aggregate_prior(phi, D) * p_x_given_zbar, axis=(*Z, ZBAR))))


def information(phi, D):
    """I_q(zbar; (x, z)), what zbar tells of x and z (bachman2015 Sec. 2).  -> ()"""
    return mutual_information(encoder(phi, D), (ZBAR,), (X, *Z))


reconstruction_objective = mean_log_ratio("q(z|x)", "p(x,z|zbar)")      # the second two-step list (bachman2015 Sec. 2)


def grad_theta(theta, phi, D):
    """E_q[-dlog p(x, z|zbar)/dtheta], the decoder's whole gradient (bachman2015 Sec. 2).  -> {"decoder": table}

    By hand: the score of a softmax is one-hot minus p, so its mean is q(x, z, zbar) - q(zbar) p(x, z|zbar).
    """
    return {"decoder": aggregate_prior(phi, D) * decoder(theta) - encoder(phi, D)}


def column(D):
    """D(x) as a table."""
    return np.reshape(D, (-1, 1, 1, 1))


# ---- claims ---------------------------------------------------------------------------

def over_all(prior):
    """`prior` in every cell of (z0, z1, zbar), so that one that depends on z0 can be held against one that does not."""
    return lambda theta, phi, D: prior(theta, phi, D) + 0 * phi["zbar"][:1]


def log_over_all(prior):
    return lambda theta, phi, D: np.log(over_all(prior)(theta, phi, D))


def eq6(theta, phi, D):
    return aggregate_prior(phi, D)


def eq6_printed(theta, phi, D):
    """z_0 is not averaged over."""
    z0, z1, zbar = encoder_conditionals(phi)
    return np.sum(marginal(column(D) * z0 * z1, X, Z1) * zbar, axis=(X, Z1), keepdims=True)


def encoder_marginal(theta, phi, D):
    return marginal(encoder(phi, D), ZBAR)


def averaged_under(law):
    """Eq. 6 with another law of (x, z)."""
    return lambda theta, phi, D: marginal(law(theta, phi, D) * encoder_conditionals(phi)[-1], ZBAR)


decoder_average = averaged_under(lambda theta, phi, D: marginal(decoder(theta) * aggregate_prior(phi, D), X, *Z))
independent_average = averaged_under(lambda theta, phi, D: column(D) * marginal(encoder(phi, D), *Z))


def mean_of_log(theta, phi, D):
    return np.sum(marginal(encoder(phi, D), X, *Z) * np.log(encoder_conditionals(phi)[-1]), axis=(X, *Z), keepdims=True)


def plus(f, sign, g):
    """f + sign * g of the same arguments."""
    return lambda theta, phi, D: f(theta, phi, D) + sign * g(theta, phi, D)


def data_entropy(theta, phi, D):
    return -np.sum(D * np.log(D))


def code_information(theta, phi, D):
    return information(phi, D)


def information_on_x(theta, phi, D):
    return mutual_information(encoder(phi, D), (ZBAR,), (X,))


def clean_input(theta, phi, D):
    """grad_theta where zbar encodes the clean x and not its corruption z: zbar and z are independent given x."""
    q = encoder(phi, D)
    seen = marginal(q, X, *Z) * conditional(marginal(q, X, ZBAR), X)
    return {"decoder": marginal(seen, ZBAR) * decoder(theta) - seen}


def learnt_prior(theta, phi, D):
    """grad_theta of one softmax over all cells, p(x, z, zbar)."""
    p = np.exp(theta["decoder"])
    return {"decoder": p / np.sum(p) - encoder(phi, D)}


def under_p(theta, phi, D):
    p = aggregate_prior(phi, D) * decoder(theta)
    return {"decoder": marginal(p, ZBAR) * decoder(theta) - p}


CLAIMS = [
    Claim("bachman2015.eq6", over_all(eq6), equals(over_all(encoder_marginal), random_case),
          {"expectation under p(x, z)": over_all(decoder_average),
           "x and z averaged independently": over_all(independent_average)},
          printed=over_all(eq6_printed)),
    Claim("bachman2015.eq16", log_over_all(eq6), equals(log_over_all(encoder_marginal), random_case),
          {"the mean of the log": over_all(mean_of_log),
           "expectation under p(x, z)": log_over_all(decoder_average),
           "x and z averaged independently": log_over_all(independent_average)},
          printed=log_over_all(eq6_printed)),
    Claim("bachman2015.sec2_assumptions",
          plus(mean_log_ratio("D(x) q(z|x)", "p(x,z|zbar)"), 1, code_information), equals(divergence, random_case),
          {"no term for zbar at all": mean_log_ratio("D(x) q(z|x)", "p(x,z|zbar)"),
           "log q(z_0, z_1|x), but log p of z_1 only":
               plus(mean_log_ratio("D(x) q(z|x)", "p(x,z_1|zbar)"), 1, code_information)},
          printed=plus(mean_log_ratio("D(x) q(z_1|x)", "p(x,z_1|zbar)"), 1, code_information)),
    Claim("bachman2015.eq7_line1", mean_log_ratio("q(x,z|zbar) q(zbar)", "p(x,z|zbar) q(zbar)"),
          equals(divergence, random_case),
          {"q(zbar) in the denominator only": mean_log_ratio("q(x,z|zbar)", "p(x,z|zbar) q(zbar)"),
           "the mean under p": mean_log_ratio("q(x,z|zbar) q(zbar)", "p(x,z|zbar) q(zbar)", "p(x,z|zbar) q(zbar)")}),
    Claim("bachman2015.eq7_line2", mean_log_ratio("D(x) q(z,zbar|x)", "p(x,z|zbar) q(zbar)"),
          equals(divergence, random_case),
          {"q(z|x) for q(z, zbar|x)": mean_log_ratio("D(x) q(z|x)", "p(x,z|zbar) q(zbar)"),
           "D(x) left out": mean_log_ratio("q(z,zbar|x)", "p(x,z|zbar) q(zbar)")},
          printed=mean_log_ratio("D(x) q(z|zbar) q(zbar)", "p(x,z|zbar) q(zbar)")),
    Claim("bachman2015.eq7",
          plus(mean_log_ratio("D(x) q(z,zbar|x)", "p(x,z|zbar)"), -1, mean_log_ratio("q(zbar)", "1")),
          equals(divergence, random_case),
          {"plus the log of the aggregate":
               plus(mean_log_ratio("D(x) q(z,zbar|x)", "p(x,z|zbar)"), 1, mean_log_ratio("q(zbar)", "1")),
           "the log inside: E log q(zbar|xhat, zhat)":
               lambda theta, phi, D: mean_log_ratio("D(x) q(z,zbar|x)", "p(x,z|zbar)")(theta, phi, D)
               - np.sum(encoder(phi, D) * mean_of_log(theta, phi, D)),
           "q(zbar|x, z) for its average": mean_log_ratio("D(x) q(z,zbar|x)", "p(x,z|zbar) q(zbar|x,z)")}),
    Claim("bachman2015.eq8", plus(negative_log_likelihood, -1, data_entropy), is_at_most(divergence, near_optimal_case),
          {"without E_D log D": negative_log_likelihood,
           "minus E_D log D": plus(negative_log_likelihood, 1, data_entropy)}),
    Claim("bachman2015.sec2_pgrad", grad_theta, is_gradient_of(divergence, "theta", random_case),
          {"zbar encodes the clean input": clean_input,
           "a prior that is learnt, too": learnt_prior,
           "the mean under p: zero": under_p,
           "ascent": lambda **case: {"decoder": -grad_theta(**case)["decoder"]}}),
    Claim("bachman2015.sec2_twostep", plus(reconstruction_objective, 1, code_information),
          is_at_least(negative_log_likelihood, near_optimal_case),
          {"minus the information": plus(reconstruction_objective, -1, code_information),
           "information on x alone": plus(reconstruction_objective, 1, information_on_x)},
          printed=reconstruction_objective),
]
