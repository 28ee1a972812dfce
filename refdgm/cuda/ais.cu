// The half steps of annealed importance sampling of an RBM, at step t = `step` of the path.

// h ~ Bern(sigmoid(beta logits)),  logits = c + v w
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) hidden(
        const real* v, const real* w, const real* c, const unsigned* chain, real* h, real* logits, const real* betas,
        int M, int K, int N, unsigned step, unsigned number, unsigned low, unsigned high) {
    const Draw draw{{low, high}, step, number};
    const bool aligned = in_fours(h, N) && in_fours(logits, N);
    const real beta = betas[step];
    layer<true>(v, w, c, M, K, N, [&](int row, int column, const real* sums) {
        Four raw, hot;
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            raw.v[i] = sums[i];
            hot.v[i] = beta * sums[i];
        }
        store_four(logits + size_t(row) * N, column, N, aligned, raw);
        store_four(h + size_t(row) * N, column, N, aligned, four_bits(hot.v, column, chain[row], draw));
    });
}

// v ~ Bern(sigmoid((1 - beta) base + beta (b + h w))), the product by itself first: start is zero
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) visible(
        const real* h, const real* w, const real* start, const unsigned* chain, real* v,
        const real* b, const real* base, const real* betas, int M, int K, int N,
        unsigned step, unsigned number, unsigned low, unsigned high) {
    const Draw draw{{low, high}, step, number};
    const bool aligned = in_fours(v, N);
    const real beta = betas[step];
    layer<true>(h, w, start, M, K, N, [&](int row, int column, const real* sums) {
        Four logits;
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            int at = min(column + i, N - 1);
            logits.v[i] = ((1 - beta) * base[at] + beta * b[at]) + beta * sums[i];
        }
        store_four(v + size_t(row) * N, column, N, aligned, four_bits(logits.v, column, chain[row], draw));
    });
}
