"""Right functions in PyTorch and JAX conform."""
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from refdgm import contract, crosscheck

HERE = Path(__file__).parent
DTYPES = {"torch": ("float64", "float32", "bfloat16"), "jax": ("float64", "float32")}    # JAX compiles each anew


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_right_functions_conform(framework):
    if importlib.util.find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed")
    records = list(crosscheck.crosscheck(str(HERE / f"conforming_{framework}.py"), dtypes=DTYPES[framework],
                                        seconds=200.0))
    bad = {record["name"]: (record["status"], record["matches"], record["case"], record["problem"])
           for record in records if record["status"] != "conforms" or record["matches"]}
    assert not bad and len(records) >= 30
    kinds = {crosscheck.contracts()[record["name"]].judge.kind for record in records}
    assert {"values", "draws", "keeps"} <= kinds


def test_a_wrong_function_among_them_is_found(tmp_path):
    pytest.importorskip("torch")
    text = (HERE / "conforming_torch.py").read_text()
    wrong = text.replace("return log_w.mean(-1)", "return log_w.sum(-1)").replace("torch.exp(0.5 * log_variance)",
                                                                                 "torch.exp(log_variance)")
    (tmp_path / "wrong.py").write_text(wrong)
    records = {record["name"]: record for record in crosscheck.crosscheck(
        str(tmp_path / "wrong.py"), ["elbo", "reparameterise", "iwae_bound"])}
    assert records["elbo"]["matches"] == "summed over draws" and records["elbo"]["status"] == "deviates"
    assert records["reparameterise"]["status"] == "deviates" and records["iwae_bound"]["status"] == "conforms"


def test_a_convention_that_breaks_at_the_extremes_does_not_conform():
    """Cross-entropy of a probability that is clamped: a loss, and another number where the logit is large."""
    def clamped(bits, logits):
        p = 1 / (1 + np.exp(-logits))
        log_p, log_not_p = np.maximum(np.log(p), -100.0), np.maximum(np.log1p(-p), -100.0)
        return -np.sum(bits * log_p + (1 - bits) * log_not_p, axis=-1)

    def stable(bits, logits):
        return np.sum(np.logaddexp(0.0, logits) - bits * logits, axis=-1)
    item, loss = crosscheck.named("bernoulli_log_prob"), "the loss: minus the log-likelihood"
    with np.errstate(all="ignore"):
        right, wrong = contract.examine(item, stable), contract.examine(item, clamped)
    assert right["status"] == "conforms" and right["matches"] == loss
    assert wrong["status"] == "deviates" and wrong["matches"] == loss and "besides, it fails at" in wrong["advice"]
