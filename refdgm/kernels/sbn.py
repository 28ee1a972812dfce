"""Gibbs sampling of the latents of a sigmoid belief net, compiled: the twin of refdgm.samplers.sbn_gibbs.step."""
from refdgm.elementary import exp, log
from refdgm.jit import compiled, dot_bits, draw_words, load, scratch, store
from refdgm.streams import fires


@compiled
def sweeps(h, x, chain, a, W, W_transposed, b, step, steps, k0, k1, lanes, group):
    """`steps` sweeps over the latents of every chain, in place, `lanes` chains at a time.

    h (C, H), x (C, D), chain (C, 1) uint32; a (H,), W (D, H), b (D,); `step` steps have been made; k0 and k1 are the
    key; factors of `group` units are multiplied before their logarithm is taken.
    """
    (D, H), zero, one = W.shape, h.dtype.type(0), h.dtype.type(1)
    latents, visible, activations = scratch(H, lanes, h), scratch(D, lanes, h), scratch(D, lanes, h)
    numbers, words, rows = scratch(1, lanes, chain), scratch(4, lanes, chain), scratch(3, lanes, h)
    logit, on, off = rows[0], rows[1], rows[2]
    for first in range(0, h.shape[0], lanes):
        load(chain, first, numbers)
        load(h, first, latents)
        load(x, first, visible)
        for t in range(step, step + steps):
            dot_bits(W_transposed, latents, activations, b)
            for j in range(H):
                if j % 4 == 0:
                    draw_words(words, numbers[0], j // 4, t, 0, k0, k1)
                latent, weights, word = latents[j], W_transposed[j], words[j % 4]
                for lane in range(lanes):
                    logit[lane], on[lane], off[lane] = a[j], one, one
                for i in range(D):
                    s, bit, weight = activations[i], visible[i], weights[i]
                    for lane in range(lanes):                   # the activation without unit j
                        s[lane] -= latent[lane] * weight
                    for lane in range(lanes):
                        s0 = s[lane]
                        s1 = s0 + weight
                        logit[lane] += bit[lane] * weight - ((s1 if s1 > zero else zero) - (s0 if s0 > zero else zero))
                    for lane in range(lanes):
                        on[lane] *= one + exp(-abs(s[lane] + weight))
                        off[lane] *= one + exp(-abs(s[lane]))
                    if i % group == group - 1 or i == D - 1:
                        for lane in range(lanes):
                            logit[lane] -= log(on[lane] / off[lane])
                            on[lane], off[lane] = one, one
                for lane in range(lanes):
                    latent[lane] = one if fires(word[lane], logit[lane]) else zero
                for i in range(D):
                    s, weight = activations[i], weights[i]
                    for lane in range(lanes):
                        s[lane] += latent[lane] * weight
        store(latents, h, first)
