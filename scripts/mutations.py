"""Break formulas by hand, one at a time, and say which claims and derivations go red.

    python scripts/mutations.py             # every mutation (about ten seconds each)
    python scripts/mutations.py rws         # those whose file or text contains a word

Each mutation is made in a copy of the package, never in the checkout. A mutation that nothing notices is a defect of
the checks; the exit status is then 1.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent

MUTATIONS = [   # file, what stands there, what is put in its place, what kind of slip it is
    ("numerics.py", "return log_sum_exp(a, axis=axis) - np.log(K)", "return log_sum_exp(a, axis=axis)", "1/K dropped"),
    ("directed/iwae.py", "wbar = normalized_weights(log_weights(theta, phi, x, h))",
     "wbar = normalized_weights(-log_weights(theta, phi, x, h))", "sign"),
    ("directed/iwae.py", "- normalized_weights(log_w)", "+ normalized_weights(log_w)", "sign"),
    ("directed/rws.py", "return weighted_sum(q * ratio / onp.sum(joint), score)",
     "return weighted_sum(ratio / onp.sum(joint), score)", "dropped factor q"),
    ("directed/vimco.py", "return log_mean_exp(log_w)[..., None] - baseline(log_w) - softmax(log_w)",
     "return log_mean_exp(log_w)[..., None] - baseline(log_w)", "dropped term"),
    ("directed/nvil.py", "return weighted_sum(signal / h.shape[-2], score_phi(phi, x, h), axis=-1)",
     "return weighted_sum(signal / h.shape[-1], score_phi(phi, x, h), axis=-1)", "wrong index"),
    ("directed/elbo.py", "return numerics.kl(np.exp(log_q), np.exp(log_softmax(log_joint)))",
     "return numerics.kl(np.exp(log_softmax(log_joint)), np.exp(log_q))", "swapped arguments"),
    ("directed/score_function.py", "return weighted_sum(cell_probabilities(phi, p_data) * log_ratio(theta, phi), "
     "tables.score_phi(phi))", "return weighted_sum(cell_probabilities(phi, p_data), tables.score_phi(phi))",
     "dropped factor"),
    ("directed/wake_sleep.py", "return weighted_sum(np.exp(log_joint(theta)), score_phi(phi))",
     "return -weighted_sum(np.exp(log_joint(theta)), score_phi(phi))", "sign"),
    ("directed/avb.py", "return np.sum(data_and_q(phi, p_data) * (-V + log_likelihood(theta)))",
     "return np.sum(data_and_q(phi, p_data) * (V + log_likelihood(theta)))", "sign"),
    ("directed/jsa.py", "- np.log(len(observations))", "+ np.log(len(observations))", "sign of log n"),
    ("directed/jsa_chain.py", "np.broadcast_to(own_log_w[k], own_log_w.shape)",
     "np.broadcast_to(own_log_w[0], own_log_w.shape)", "wrong index"),
    ("directed/flows.py", "- sum(log_dets)", "+ sum(log_dets)", "sign"),
    ("directed/resampling_entropy.py", "return -np.sum(np.exp(log_w) * log_w, axis=-1)",
     "return np.sum(np.exp(log_w) * log_w, axis=-1)", "sign"),
    ("directed/reparameterisation.py", 'return {"m": g, "log_s": g * s * eps + 1.0}',
     'return {"m": g, "log_s": g * s * eps}', "dropped term"),
    ("samplers/independence.py", "return np.exp(np.minimum(0.0, log_w_new - log_w_old))",
     "return np.exp(np.minimum(0.0, log_w_old - log_w_new))", "inverted ratio"),
    ("samplers/metropolis_hastings.py", "return log_p_new - log_p_old + np.log(R[z_new, z]) - np.log(R[z, z_new])",
     "return log_p_old - log_p_new + np.log(R[z_new, z]) - np.log(R[z, z_new])", "inverted ratio"),
    ("undirected/contrastive_divergence.py", "return {name: last[name] - first[name] for name in theta}",
     "return {name: first[name] - last[name] for name in theta}", "swapped arguments"),
    ("undirected/sml.py", "return weighted_sum(p_data - mu, grad_potential(theta, states(theta)))",
     "return weighted_sum(mu - p_data, grad_potential(theta, states(theta)))", "sign"),
    ("models/sbn.py", 'h_error = h - sigmoid(theta["a"])', 'h_error = h - sigmoid(-theta["a"])', "sign"),
    ("models/rbm.py", 'return -np.sum(x * _bias(theta, "b"), axis=-1) - np.sum(softplus',
     'return -np.sum(x * _bias(theta, "b"), axis=-1) + np.sum(softplus', "sign"),
    ("models/rbm.py", "return {name: leaf - mean[name] for name, leaf in grad_log_z(theta, x).items()}",
     "return {name: leaf + mean[name] for name, leaf in grad_log_z(theta, x).items()}", "sign"),
    ("models/linear_gaussian.py", "return np.eye(W.shape[1]) + np.dot(W.T", "return np.dot(W.T", "dropped term"),
    ("autoencoders/gsn.py", "return kl(q, decoder(theta) * marginal(q, ZBAR))",
     "return kl(decoder(theta) * marginal(q, ZBAR), q)", "swapped arguments"),
    ("divergences.py", "return kl(p, m) / 2 + kl(q, m) / 2", "return kl(p, m) + kl(q, m)", "factor"),
]


def mutated(folder, file, before, after):
    """Put `after` in the place of `before` in a copy of the package; `before` must stand there once."""
    path = Path(folder) / "refdgm" / file
    text = path.read_text()
    if text.count(before) != 1:
        raise SystemExit(f"{file}: the formula to break stands there {text.count(before)} times: {before}")
    path.write_text(text.replace(before, after))


def red(folder):
    """The claims and derivations that fall short in the package in `folder`."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    subprocess.run([sys.executable, "-m", "refdgm", "verify", "--json", "result.json"], cwd=folder, env=environment,
                   capture_output=True)
    result = json.loads((Path(folder) / "result.json").read_text() or "{}")
    return [record["id"] for record in result.get("claims", []) + result.get("derivations", [])
            if record["status"] in ("contradicted", "error")] if result else ["the package does not import"]


def main(words):
    survivors = 0
    for file, before, after, slip in MUTATIONS:
        if words and not any(word in file + before for word in words):
            continue
        with tempfile.TemporaryDirectory() as folder:
            for part in ("refdgm", "derivations"):
                shutil.copytree(ROOT / part, Path(folder) / part, ignore=shutil.ignore_patterns("__pycache__"))
            mutated(folder, file, before, after)
            caught = red(folder)
        survivors += not caught
        shown = ", ".join(caught[:4]) + (f" and {len(caught) - 4} more" if len(caught) > 4 else "")
        print(f"{'caught' if caught else 'SURVIVED':9s} {file:40s} {slip:18s} {shown}", flush=True)
    print(f"{survivors} survived.")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
