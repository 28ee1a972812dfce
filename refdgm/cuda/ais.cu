// A step of annealed importance sampling of an RBM: the hidden units and their logits, the weight, the visible units.

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

// log_w += log f_t(v) - log f_(t-1)(v), t = step.  v (M, D), logits (M, H)
extern "C" __global__ void weigh(const real* v, const real* logits, const real* b, const real* base, const real* betas,
                                 real* log_w, int M, int D, int H, int group, unsigned step) {
    const real old = betas[step - 1], beta = betas[step];
    real total = threadIdx.y == 0 && own_chain() < M ? log_w[own_chain()] : 0;
    total = sum_in_order(total, M, D, group, 1, [&](int row, int i) -> Term {
        return {v[size_t(row) * D + i] * ((beta - old) * (b[i] - base[i])), 1, 1};
    });
    total = sum_in_order(total, M, H, group, 1, [&](int row, int j) -> Term {
        real logit = logits[size_t(row) * H + j], before = old * logit, after = beta * logit;
        return {elementary::larger(after, 0) - elementary::larger(before, 0), factor(after), factor(before)};
    });
    if (threadIdx.y == 0 && own_chain() < M) log_w[own_chain()] = total;
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
