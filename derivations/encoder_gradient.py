r"""Which terms cancel in the encoder gradient of a denoising autoencoder, and which do not.

The supplement of Bachman and Precup finds that both densities over the code, q(zbar|x,y) and q(zbar), drop out of the
gradient of KL(q || p) in the encoder. The proof uses two meanings of one gradient sign. Where samples are functions of
noise and of the parameters ("reparametrised"), a gradient follows the samples as they move; where a sum runs over
states, each state is held fixed. At fixed states every score has mean zero, but so has everything else: Eq. 20 then
says that the gradient is zero. Along moving samples Eq. 20 lacks the gradient of the information that the code has
about its input. The first two derivations sum finite tables, the third integrates Gaussian codes over grids.
"""
import autograd.numpy as np
import numpy as onp
from autograd import grad, jacobian

from refdgm.autoencoders import encoder_gradient as moving
from refdgm.autoencoders import encoder_score as fixed
from refdgm.autoencoders.encoder_gradient import log, pathwise
from refdgm.autoencoders.gsn import information
from refdgm.derivation import derivation, equals, mistake, start
from refdgm.models import gaussian_encoder, joint_tables
from refdgm.models.joint_tables import ZBAR, encoder, encoder_conditionals, marginal


@derivation(joint_tables.random_case)
def aggregate_score(theta, phi, D):
    """At a fixed code, the gradient of the log aggregate is a posterior mean of scores."""
    def log_factors(f):
        z0, z1, zbar = encoder_conditionals(f)
        return np.log(z0 * z1) + np.log(zbar)

    def by_leaf(function):
        return {name: jacobian(lambda leaf: function({**phi, name: leaf}))(phi[name]) for name in phi}

    def averaged(jacobians, weights):
        return {name: onp.einsum("xabk,xabk...->k...", weights, leaf) for name, leaf in jacobians.items()}

    q, scores = encoder(phi, D), by_leaf(log_factors)
    yield start(r"\nabla_q\log\mathbb E_{q(x,y)}[q(\bar z|x,y)]",
                by_leaf(lambda f: np.log(np.ravel(marginal(encoder(f, D), ZBAR)))), claim="bachman2015.eq17")

    yield equals(r"\sum_{x,y}\frac{e^{f(x,y)}}{\sum_{\hat x,\hat y}e^{f(\hat x,\hat y)}}\nabla_q f(x,y),\quad"
                 r" f=\log q(x,y)\,q(\bar z|x,y)",
                 averaged(scores, q / q.sum((0, 1, 2))),
                 because="the gradient of a log-sum-exp is a softmax average", claim="bachman2015.eq17")

    yield equals(r"\mathbb E_{q(x,y|\bar z)}[\nabla_q\log q(\bar z|x,y)+\nabla_q\log q(x,y)]",
                 fixed.aggregate_score(phi, D), because="the softmax is the posterior; scores by hand",
                 claim="bachman2015.eq17")

    yield mistake(r"\mathbb E_{q(x,y)}[\nabla_q\log q(\bar z|x,y)+\nabla_q\log q(x,y)]",
                  averaged(scores, marginal(q, 0, 1, 2) + 0 * q),
                  because="the states are weighted by what this code says of them")

    yield mistake(r"\mathbb E_{q(x,y|\bar z)}[\nabla_q\log q(\bar z|x,y)]", fixed.aggregate_score(phi, D, of=("zbar",)),
                  because="the encoder of y moves the aggregate, too")


@derivation(joint_tables.random_case)
def fixed_states(theta, phi, D):
    """With states held fixed every score averages out, and Eq. 20 would be zero: a signal must multiply the score."""
    q = encoder(phi, D)
    yield start(r"\nabla_q\mathrm{KL}(q\|p)", grad(fixed.divergence, 1)(theta, phi, D), claim="bachman2015.eq20")

    reconstruction, about_zbar = fixed.log_ratios(theta, phi, D)
    yield equals(r"\mathbb E_q\left[\log\frac{q(y,\bar z|x)}{p(x,y|\bar z)\,q(\bar z)}"
                 r"\nabla_q\log q(y,\bar z|x)\right]",
                 fixed.mean_score(phi, D, reconstruction + about_zbar),
                 because="the score of q, and every gradient of a log-density of q has mean zero")

    yield equals(r"\nabla_q\,\mathbb E_q[\log q(y|x)-\log p(x,y|\bar z)]+\nabla_q I_q(\bar z;(x,y))",
                 moving.add(fixed.mean_score(phi, D, reconstruction), grad(information)(phi, D)),
                 because="the two parts of the signal", claim="bachman2015.eq20")

    yield mistake(r"\nabla_q\,\mathbb E_q[\log q(y|x)-\log p(x,y|\bar z)]",
                  grad(lambda f: np.sum(encoder(f, D) * fixed.log_ratios(theta, f, D)[0]))(phi),
                  because="the information depends on the encoder, too", claim="bachman2015.sec2_disappear")

    yield mistake(r"\mathbb E_{q(\bar z)}\mathbb E_{q(x,y|\bar z)}[\nabla_q\log q(y|x)-\nabla_q\log p(x,y|\bar z)]",
                  grad(lambda f: np.sum(q * fixed.log_ratios(theta, f, D)[0]))(phi),
                  because="at fixed states its terms average to zero: nothing would be learnt",
                  claim="bachman2015.eq20")


@derivation(gaussian_encoder.random_case)
def moving_samples(theta, phi, points, D):
    """With reparametrised samples both densities over the code add up to the gradient of an information."""
    case = (theta, phi, points, D)
    yield start(r"\nabla_q\mathrm{KL}(q\|p)", grad(moving.divergence, 1)(*case), claim="bachman2015.eq9")

    yield equals(r"\mathbb E_{\epsilon}\left[\nabla_q\log\frac{q(y|x)\,q(\bar z|x,y)}{p(x,y|\bar z)}"
                 r"-\nabla_q\log q(\bar z)\right]",
                 moving.first_line(*case), because="the samples are functions of noise and of q",
                 claim="bachman2015.eq9_line1")

    yield mistake(r"\mathbb E_{\epsilon}\left[\nabla_q\log\frac{q(y|x)\,q(\bar z|x,y)}{p(x,y|\bar z)}\right]"
                  r"-\mathbb E_{q(\bar z)}\left[\partial_q\log q(\bar z)\right]",
                  moving.add(pathwise(log("+q(y|x) +q(zbar|x,y) -p(x,y|zbar)"))(*case),
                             moving.held(log("+q(zbar)"))(*case), -1),
                  because="Eqs. 17 and 19 hold the code fixed, Eq. 18 lets it move", claim="bachman2015.eq18_19_cancel")

    second_line, aggregate = moving.second_line(*case), grad(gaussian_encoder.aggregate_entropy)(phi, points, D)
    yield equals(r"\mathbb E_{\epsilon}\left[\nabla_q\log\frac{q(y|x)}{p(x,y|\bar z)}\right]"
                 r"-\nabla_q H_q(\bar z|x,y)+\nabla_q H_q(\bar z)",
                 {name: second_line[name] - (name == "log_t") + aggregate[name] for name in phi},
                 because="a mean log-density along its samples is minus an entropy, and H(zbar|x,y) = log t + const.",
                 claim="bachman2015.sec2_noise")

    yield equals(r"\mathbb E_{\epsilon}\left[\nabla_q\log\frac{q(y|x)}{p(x,y|\bar z)}\right]"
                 r"+\nabla_q I_q(\bar z;(x,y))",
                 moving.corrected(*case), because="the definition of the information", claim="bachman2015.eq9")

    yield mistake(r"\mathbb E_{\epsilon}\left[\nabla_q\log\frac{q(y|x)}{p(x,y|\bar z)}\right]",
                  second_line, because="as printed: the two densities over the code do not cancel",
                  claim="bachman2015.eq9")

    yield mistake(r"\mathbb E_{\epsilon}\left[\nabla_q\log\frac{q(y|x)}{p(x,y|\bar z)}\right]+\nabla_q H_q(\bar z)",
                  moving.add(second_line, aggregate),
                  because="right only where the noise of the code is not learnt")
