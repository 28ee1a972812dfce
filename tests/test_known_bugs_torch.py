"""Mistakes that PyTorch code shipped, in PyTorch: flagged and named in float64, float32 and bfloat16."""
import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402

from refdgm import contract, crosscheck  # noqa: E402

DTYPES = ("float64", "float32", "bfloat16")


# ---- as it was shipped ----------------------------------------------------------------------

def iwae_loss_34(log_weight):
    loss = -log_weight
    weight = F.softmax(loss, dim=-1)
    return torch.mean(torch.sum(weight * loss, dim=-1), dim=-1).mean()


def iwae_loss_53(log_weight):
    weight = F.softmax(log_weight, dim=-1)
    return torch.mean(torch.sum(weight * -log_weight, dim=-1))


def kl_147(mu, log_sigma):
    return 0.5 * torch.sum(torch.exp(2 * log_sigma) + mu**2 - 1 - 2 * log_sigma, dim=-1)


def log_prob_4888(x, mean, log_var):
    return torch.distributions.Normal(mean, log_var.abs()).log_prob(x).sum(-1)


def reparameterise_logvar(mu, logvar, eps):
    return mu + logvar.exp() * eps


def vae_loss_mean(x, logits, mu, logvar):
    bce = F.binary_cross_entropy_with_logits(logits, x, reduction="mean")
    return bce - 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp(), dim=-1).mean()


def vimco_46(log_w):
    K = log_w.shape[-1]
    L = torch.logsumexp(log_w, -1, keepdim=True) - torch.log(torch.tensor(float(K)))
    others = (log_w.sum(-1, keepdim=True) - log_w) / (K - 1)
    replaced = torch.where(torch.eye(K, dtype=torch.bool), others.unsqueeze(-1), log_w.unsqueeze(-2))
    baseline = torch.logsumexp(replaced, -1) - torch.log(torch.tensor(float(K)))
    return L.sum() - baseline - torch.softmax(log_w, -1)


def jsa_step_stale(h, log_w, proposal, log_w_proposal, u):
    accept = u < torch.exp(log_w_proposal - log_w).clamp(max=1)
    h = torch.where(accept, proposal, h)
    return h, log_w


def gaussian_score_15(x, mean, log_sd):
    sd = log_sd.exp()
    return (x - mean) / sd**2, ((x - mean)**2 / sd**2 - 1) / sd


BUGS = [("iwae_loss", iwae_loss_34, "weights of the loss: softmax(-log w)"),
        ("iwae_loss", iwae_loss_53, "weights not held constant: softmax(log w) times loss"),
        ("gaussian_kl", kl_147, "log sigma taken for log sigma^2"),
        ("gaussian_log_prob", log_prob_4888, "sigma^2 = log_variance^2"),
        ("reparameterise", reparameterise_logvar, "log sigma taken for log sigma^2"),
        ("vae_loss", vae_loss_mean, "the cross-entropy averaged over the pixels"),
        ("vimco_coefficients", vimco_46, "log p_hat summed over the batch"),
        ("jsa_step", jsa_step_stale, "the weight is never updated"),
        ("gaussian_score", gaussian_score_15, "the derivative in sigma, not in log sigma")]


# ---- as it should have been, or as a convention has it ------------------------------------------

def iwae_loss_detached(log_weight):
    return torch.mean(torch.sum(F.softmax(log_weight, dim=-1).detach() * -log_weight, dim=-1))


def iwae_loss_plain(log_w):
    return -(torch.logsumexp(log_w, -1) - torch.log(torch.tensor(log_w.shape[-1], dtype=log_w.dtype))).mean()


def vae_loss_824(x, logits, mu, logvar):
    bce = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    return bce - 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())


RIGHT = [("iwae_loss", iwae_loss_detached, "a surrogate: constant softmax(log w) times loss"),
         ("iwae_loss", iwae_loss_plain, None), ("vae_loss", vae_loss_824, "summed over the batch")]


ONLY_FINER = {iwae_loss_53}     # in bfloat16 its gradient is as near to that of the surrogate as rounding is


def name_of(value):
    return getattr(value, "__name__", None)


@pytest.mark.parametrize("name, function, named", BUGS, ids=name_of)
def test_a_bug_is_flagged_and_named(name, function, named):
    record = contract.examine(crosscheck.contracts()[name], function, "torch", DTYPES)
    assert record["status"] == "deviates" and record["matches"] == named, record
    coarse = contract.examine(crosscheck.contracts()[name], function, "torch", ["bfloat16"])
    assert coarse["status"] == "deviates" or function in ONLY_FINER, coarse


@pytest.mark.parametrize("name, function, named", RIGHT, ids=name_of)
def test_what_is_right_is_not_flagged(name, function, named):
    record = contract.examine(crosscheck.contracts()[name], function, "torch", DTYPES)
    assert record["status"] == "conforms" and record["matches"] == named, record
