r"""On which side of its divergence each generative model stands (lecture12 Secs. 3.3, 3.5).

    GAN   dL_theta = -d(E_p(y) KL(p_theta(x|y) || q^r(x|y)) - JSD(p_g || p_data))       at theta0, on the left
    VAE   dL_vae   = -dKL(p_data(x) q_eta(z|x) || p(z) p_theta(x|z))                    everywhere, on the right
          dL_vae   = -d 2 E_p_theta0(x) KL(q_eta(z|x, y) q^r*(y|x) || p_theta(z, y|x))  in theta at theta0

The sides are those that the notes say; but the GAN's divergence comes with a JSD to be maximised, and those of Lemmas 1
and 2 have the right gradients in theta at the point theta0 for which their targets were built, not beyond.

The two nets share nothing: gan holds the arguments of models/labels.py and vae those of models/labelled_vae.py,
each with its theta0.

The joint divergence is -L_vae - H[p_data]: added to L_vae it leaves minus the entropy of the data.

>>> import numpy as np
>>> from refdgm.adversarial.opposite_divergences import joint_divergence, labelled_vae, vae_reward
>>> case = {**labelled_vae.random_case(0), "theta0": labelled_vae.random_case(1)["theta"]}
>>> p = case["p_data"]
>>> round(float(joint_divergence(**case) + vae_reward(**case)), 2), round(float(p @ np.log(p)), 2)
(-1.19, -1.19)
"""
import autograd.numpy as np
from autograd import grad

from refdgm.checking import GRADIENT, Claim, equals
from refdgm.divergences import js
from refdgm.models import labelled_vae, labels
from refdgm.models.labelled_vae import inference_law, over_labelled
from refdgm.numerics import kl


def generator_divergence(theta, theta0, phi, p_data, p_y):
    """E_p(y) KL(p_theta(x|y) || q^r(x|y)) - JSD(p_g || p_data), for uniform labels (lecture12 Lemma 1).  -> ()"""
    q_x = labels.target(theta0, phi, p_data, p_y)
    return labels.average_kl(theta, q_x, p_data, p_y) - js(*labels.class_laws(theta, p_data))


def joint_divergence(theta, eta, theta0, p_data, fixed):
    """KL(p_data(x) q(z|x) || p(z) p_theta(x|z)), -L_vae - H[p_data] (lecture12 Sec. 3.3).  -> ()"""
    return kl(*joint_laws(theta, eta, p_data, fixed), axis=None)


def joint_laws(theta, eta, p_data, fixed):
    """p_data(x) q(z|x) and p(z) p_theta(x|z).  -> (X, Z), (X, Z)"""
    return (p_data[:, None] * np.exp(labelled_vae.log_encoder(eta)),
            np.exp(labelled_vae.log_decoder(theta)) * fixed["p_z"][0])


def labelled_divergence(theta, eta, theta0, p_data, fixed):
    """2 E_p_theta0(x) KL(q(z|x, y) q^r*(y|x) || p_theta(z, y|x)) (lecture12 Lemma 2, second line).  -> ()"""
    p = labelled_vae.posterior(theta, p_data, fixed)
    return over_labelled(theta0, p_data, fixed, lambda c: kl(inference_law(c, eta, theta0, p_data, fixed), p,
                                                             axis=(1, 2)))


# ---- oracles and cases ----------------------------------------------------------------

def conventional_reward(theta, theta0, phi, p_data, p_y):
    """p(0) E_p_g log D, with plain ratios."""
    p_g = np.exp(theta["x"]) / np.sum(np.exp(theta["x"]))
    return -p_y[0] * np.sum(p_g * np.log(1 + np.exp(-phi["D"])))


def vae_reward(theta, eta, theta0, p_data, fixed):
    """L_vae, by way of the evidence."""
    return labelled_vae.evidence_less_gap(theta, eta, p_data, fixed)


def uphill(of_gan, of_vae, sign=1):
    """The direction in which each generative model moves along sign * its objective."""
    def direction(gan, vae):
        return {"gan": {"x": sign * grad(lambda t: of_gan(**{**gan, "theta": t}))(gan["theta"])["x"]},
                "vae": {"x": sign * grad(lambda t: of_vae(**{**vae, "theta": t}))(vae["theta"])["x"]}}
    return direction


def downhill(of_gan, of_vae):
    return uphill(of_gan, of_vae, sign=-1)


def both_nets(gan_moved, vae_moved):
    """A GAN and a VAE, each at its theta0 or moved away from it."""
    def case(seed):
        gan, vae = labels.uniform_case(seed), labelled_vae.random_case(seed)
        return {"gan": {**gan, "theta0": labels.random_case(seed + 1000 * gan_moved)["theta"]},
                "vae": {**vae, "theta0": labelled_vae.random_case(seed + 1000 * vae_moved)["theta"]}}
    return case


# ---- claims ---------------------------------------------------------------------------

def generator_on_the_right(theta, theta0, phi, p_data, p_y):
    laws, q_x = labels.class_laws(theta, p_data), labels.target(theta0, phi, p_data, p_y)
    return np.dot(p_y, kl(q_x, laws)) - js(*laws)


def without_jsd(theta, theta0, phi, p_data, p_y):
    return labels.average_kl(theta, labels.target(theta0, phi, p_data, p_y), p_data, p_y)


def decoder_on_the_left(theta, eta, theta0, p_data, fixed):
    return kl(*joint_laws(theta, eta, p_data, fixed)[::-1], axis=None)


def posterior_on_the_left(theta, eta, theta0, p_data, fixed):
    """Lemma 2's divergence reversed, with the optimal discriminator: the perfect one would make it infinite."""
    q = inference_law(0, eta, theta0, p_data, fixed, labelled_vae.optimal_reversed)
    return over_labelled(theta0, p_data, fixed, lambda c: kl(labelled_vae.posterior(theta, p_data, fixed), q,
                                                             axis=(1, 2)))


CLAIMS = [
    Claim("lecture12.sec3.3_sides", downhill(generator_divergence, joint_divergence),
          equals(uphill(conventional_reward, vae_reward), both_nets(gan_moved=False, vae_moved=True), rtol=GRADIENT,
                 method="autodiff"),
          {"both on the right": downhill(generator_on_the_right, joint_divergence),
           "both on the left": downhill(generator_divergence, decoder_on_the_left),
           "the GAN without its JSD": downhill(without_jsd, joint_divergence)}),
    Claim("lecture12.sec3.5_opposite", downhill(generator_divergence, labelled_divergence),
          equals(uphill(conventional_reward, vae_reward), both_nets(gan_moved=False, vae_moved=False), rtol=GRADIENT,
                 method="autodiff"),
          {"the same direction, both on the left": downhill(generator_divergence, posterior_on_the_left),
           "the same direction, both on the right": downhill(generator_on_the_right, labelled_divergence),
           "the GAN without its JSD": downhill(without_jsd, labelled_divergence)},
          without=equals(uphill(conventional_reward, vae_reward), both_nets(gan_moved=True, vae_moved=True),
                         rtol=GRADIENT, method="autodiff")),
]
