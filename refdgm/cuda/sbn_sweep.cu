// A sweep over the latents of a sigmoid belief net, one after another, given the activations s = b + W h.

// h (M, H), s and x (M, D), a (H,), w (H, D), chain (M,). A pass over s for unit j first makes up for unit j - 1.
extern "C" __global__ void sweep(real* h, real* s, const real* x, const unsigned* chain, const real* a, const real* w,
                                 int M, int H, int D, int group,
                                 unsigned step, unsigned number, unsigned low, unsigned high) {
    const Draw draw{{low, high}, step, number};
    const bool decides = threadIdx.y == 0 && own_chain() < M;
    Words words{};
    for (int j = 0; j < H; ++j) {
        const real* weights = w + size_t(j) * D;
        real logit = sum_in_order(a[j], M, D, group, -1, [&](int row, int i) -> Term {
            const real* latent = h + size_t(row) * H + j;
            real& activation = s[size_t(row) * D + i];
            real weight = weights[i], with = j ? activation + latent[-1] * weights[i - D] : activation;
            real off = with - latent[0] * weight, on = off + weight;
            activation = off;
            real linear = x[size_t(row) * D + i] * weight - (elementary::larger(on, 0) - elementary::larger(off, 0));
            return {linear, factor(on), factor(off)};
        });
        if (decides) {
            if (j % 4 == 0) words = draw.block(j / 4, chain[own_chain()]);
            h[size_t(own_chain()) * H + j] = fires(words.w[j % 4], logit) ? 1 : 0;
        }
        __syncthreads();
    }
}
