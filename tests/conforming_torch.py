"""PyTorch functions as a careful user writes them; `refdgm crosscheck` finds nothing wrong with any of them."""
import math

import torch
import torch.nn.functional as F

LOG_2PI = math.log(2 * math.pi)


# ---- bounds ---------------------------------------------------------------------------

def log_mean_exp(log_w):
    return torch.logsumexp(log_w, dim=-1) - math.log(log_w.shape[-1])


def elbo(log_w):
    return log_w.mean(-1)


def iwae_bound(log_w):
    return log_mean_exp(log_w)


def iwae_loss(log_w):
    return -log_mean_exp(log_w).mean()


def normalized_weights(log_w):
    return F.softmax(log_w, dim=-1)


def leave_one_out(log_w):
    """(..., K, K): in row k the log-weights, with w_k replaced by the geometric mean of the others."""
    K = log_w.shape[-1]
    eye = torch.eye(K, dtype=torch.bool)
    off = log_w.unsqueeze(-2).masked_fill(eye, 0.0)
    return torch.where(eye, off.sum(-1, keepdim=True) / (K - 1), log_w.unsqueeze(-2))


def vimco_baseline(log_w):
    return log_mean_exp(leave_one_out(log_w))


def vimco_coefficients(log_w):
    return log_mean_exp(log_w).unsqueeze(-1) - vimco_baseline(log_w) - F.softmax(log_w, dim=-1)


def effective_sample_size(log_w):
    w = torch.softmax(log_w, -1)
    return 1 / (w**2).sum(-1)


def rws_theta_loss(log_p, log_q):
    weights = F.softmax(log_p - log_q, dim=-1).detach()
    return -(weights * log_p).sum(-1).mean()


def rws_phi_loss(log_p, log_q):
    weights = F.softmax(log_p - log_q, dim=-1).detach()
    return -(weights * log_q).sum(-1).mean()


def minibatch_bound(log_likelihood, kl, N):
    return N * (log_likelihood - kl).mean()


# ---- Gaussians, and an autoencoder -----------------------------------------------------

def gaussian_log_prob(x, mean, log_variance):
    return -0.5 * ((x - mean)**2 * torch.exp(-log_variance) + log_variance + LOG_2PI).sum(-1)


def gaussian_kl(mean, log_variance):
    return -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum(-1)


def gaussian_kl_between(mean_p, log_variance_p, mean_q, log_variance_q):
    ratio = log_variance_p - log_variance_q
    return 0.5 * (ratio.exp() + (mean_p - mean_q)**2 * torch.exp(-log_variance_q) - 1 - ratio).sum(-1)


def reparameterise(mean, log_variance, eps):
    return mean + torch.exp(0.5 * log_variance) * eps


def vae_loss(x, logits, mean, log_variance):
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)
    return (reconstruction + gaussian_kl(mean, log_variance)).mean()


def reparameterised_log_weights(x, mean, log_variance, eps, W, b):
    h = reparameterise(mean, log_variance, eps)
    log_joint = bernoulli_log_prob(x, h @ W.T + b) - 0.5 * (h**2 + LOG_2PI).sum(-1)
    return log_joint - gaussian_log_prob(h, mean, log_variance)


def reparameterised_elbo(x, mean, log_variance, eps, W, b):
    return reparameterised_log_weights(x, mean, log_variance, eps, W, b).mean()


def reparameterised_iwae_bound(x, mean, log_variance, eps, W, b):
    return log_mean_exp(reparameterised_log_weights(x, mean, log_variance, eps, W, b))


# ---- bits, classes, tables -------------------------------------------------------------

def bernoulli_log_prob(bits, logits):
    return -F.binary_cross_entropy_with_logits(logits, bits.expand_as(logits), reduction="none").sum(-1)


def categorical_log_prob(index, logits):
    return F.log_softmax(logits, -1).gather(-1, index.unsqueeze(-1)).squeeze(-1)


def kl_divergence(p, q):
    return (torch.special.xlogy(p, p) - torch.special.xlogy(p, q)).sum(-1)


def entropy(p):
    return -torch.special.xlogy(p, p).sum(-1)


def sbn_log_joint(x, h, a, W, b):
    return bernoulli_log_prob(h, a.expand_as(h)) + bernoulli_log_prob(x, h @ W.T + b)


def gumbel_softmax(logits, u, tau):
    return F.softmax((logits - torch.log(-torch.log(u))) / tau, dim=-1)


def binary_concrete(logits, u, tau):
    return torch.sigmoid((logits + torch.log(u) - torch.log1p(-u)) / tau)


# ---- flows, random fields, adversaries, steps ---------------------------------------------

def planar_flow(z, u, w, b):
    t = torch.tanh(z @ w + b)
    return z + t.unsqueeze(-1) * u, torch.log(torch.abs(1 + (u @ w) * (1 - t**2)))


def rbm_free_energy(v, w, b, c):
    return -v @ b - F.softplus(v @ w + c).sum(-1)


def rbm_hidden_probabilities(v, w, b, c):
    return torch.sigmoid(v @ w + c)


def cd_loss(v, vk, w, b, c):
    return rbm_free_energy(v, w, b, c).mean() - rbm_free_energy(vk.detach(), w, b, c).mean()


def langevin_step(x, score, eps, z):
    return x + 0.5 * eps * score + math.sqrt(eps) * z


def adam_update(parameter, m, v, F, gamma, b1, b2, epsilon, t):
    m, v = b1 * m + (1 - b1) * F, b2 * v + (1 - b2) * F**2
    step = gamma * (m / (1 - b1**t)) / (torch.sqrt(v / (1 - b2**t)) + epsilon)
    return parameter + step, m, v


# ---- samplers -------------------------------------------------------------------------

def categorical_draws(n, log_target, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.multinomial(F.softmax(log_target, -1), n, replacement=True, generator=generator)


def mala_kernel(x, mean, sd, step, seed):
    generator = torch.Generator().manual_seed(seed)

    def log_p(x):
        return -0.5 * (((x - mean) / sd)**2).sum(-1)

    def drift(x):
        return x - step * (x - mean) / sd**2

    def log_q(to, at):
        return -((to - drift(at))**2).sum(-1) / (4 * step)

    new = drift(x) + math.sqrt(2 * step) * torch.randn(x.shape, generator=generator, dtype=x.dtype)
    log_ratio = log_p(new) - log_p(x) + log_q(x, new) - log_q(new, x)
    accept = torch.rand(len(x), generator=generator, dtype=x.dtype).log() < log_ratio
    return torch.where(accept.unsqueeze(-1), new, x)
