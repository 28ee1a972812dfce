"""Metropolis independence sampling on a GPU: the twins of refdgm.kernels.mis."""
import numpy as np

from refdgm.launch import CHAINS, launch, launch_chains, launch_in_order, launch_layer


def linear_gaussian(h, log_w, faults, mean, x, chain, L, W, constant, half, step, steps, k0, k1, lanes):
    """As refdgm.kernels.mis.linear_gaussian."""
    launch_chains("linear_gaussian", "linear_gaussian", h.dtype, len(h), h, log_w, faults, mean, chain, x.T.copy(),
                  L, W, constant, L.shape[1], len(W), steps, draw=(step, k0, k1), UNITS=len(L))


def sbn_codes(h, log_w, k, faults, chain, x, q_logits, gain, constant, W_transposed, b, every, step, steps, k0, k1,
              lanes, group):
    """As refdgm.kernels.mis.sbn_codes."""
    (n, H), D = q_logits.shape, len(b)
    proposed, s = np.empty_like(h, shape=(len(h), H)), np.empty_like(h, shape=(len(h), D))
    for t in range(step, step + steps):
        for m in range(n if every else 1):
            draw = (t, 2 * m, k0, k1)
            launch("sbn_mis", "propose", h.dtype, -(-len(h) * -(-H // 4) // CHAINS), (CHAINS,),
                   chain, q_logits, k, proposed, len(h), n, H, int(every), draw=draw)
            launch_layer("sbn", "activate", proposed, W_transposed, b, s)
            launch_in_order("sbn_mis", "decide", s, proposed, k, chain, x, gain, constant, h, log_w, faults,
                            len(h), D, n, H, group, draw=draw)
