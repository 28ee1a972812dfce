// A move of Metropolis independence sampling of the codes of a sigmoid belief net: a proposal, its activations
// (activate of sbn.cu), the decision.  M chains; n observations, each with a code of H units.

// k, the code that moves, in turn if `every`, and proposed (M, H), a thread for every four units.  q_logits (n, H)
extern "C" __global__ void __launch_bounds__(CHAINS) propose(
        const unsigned* chain, const real* q_logits, long long* k, real* proposed, int M, int n, int H, int every,
        unsigned step, unsigned number, unsigned low, unsigned high) {
    const int fours = (H + 3) / 4;
    const long long at = (long long)blockIdx.x * CHAINS + threadIdx.x;
    const int row = at / fours, four = at % fours;
    if (row >= M) return;
    const Words to_choose = Draw{{low, high}, step, number}.block(0, chain[row]);
    const int code = every ? number / 2 : __umulhi(to_choose.w[0], n);
    const Words words = Draw{{low, high}, step, number + 1}.block(four, chain[row]);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        const int j = 4 * four + i;
        if (j < H) proposed[size_t(row) * H + j] = fires(words.w[i], q_logits[size_t(code) * H + j]) ? 1 : 0;
    }
    if (four == 0) k[row] = code;
}

// s (M, D) the activations, x (n, D), gain (n, H), constant (n,); h (M, n, H) and log_w (M, n) move
extern "C" __global__ void decide(
        const real* s, const real* proposed, const long long* k, const unsigned* chain, const real* x, const real* gain,
        const real* constant, real* h, real* log_w, real* faults, int M, int D, int n, int H, int group,
        unsigned step, unsigned number, unsigned low, unsigned high) {
    __shared__ bool taken[SIDE];
    const bool decides = threadIdx.y == 0 && own_chain() < M;
    real total = decides ? constant[k[own_chain()]] : 0;
    total = sum_in_order(total, M, H, H, -1, [&](int row, int j) -> Term {
        return {proposed[size_t(row) * H + j] * gain[k[row] * H + j], 1, 1};
    });
    total = sum_in_order(total, M, D, group, -1, [&](int row, int i) -> Term {
        const real activation = s[size_t(row) * D + i];
        return {x[k[row] * D + i] * activation - elementary::larger(activation, 0), factor(activation), 1};
    });
    if (decides) {
        const Words words = Draw{{low, high}, step, number}.block(0, chain[own_chain()]);
        real& weight = log_w[own_chain() * n + k[own_chain()]];
        taken[threadIdx.x] = uniform(words.w[1]) < elementary::exp(total - weight);
        if (taken[threadIdx.x]) weight = total;
        faults[own_chain()] += 0 * total;
    }
    __syncthreads();
    for (int i = threadIdx.y; i < SIDE && first_chain() + i < M; i += HEIGHT)
        if (taken[i]) {
            const size_t row = first_chain() + i;
            for (int j = threadIdx.x; j < H; j += SIDE) h[(row * n + k[row]) * H + j] = proposed[row * H + j];
        }
}
