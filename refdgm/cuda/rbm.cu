// Half a step of block Gibbs sampling of a Bernoulli RBM: out ~ Bern(sigmoid(start + x w)).
// x (M, K) of zeros and ones, w (K, N), start (N,), chain (M,) -> out (M, N)
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) half_step(
        const real* x, const real* w, const real* start, const unsigned* chain, real* out, int M, int K, int N,
        unsigned step, unsigned number, unsigned low, unsigned high) {
    const Draw draw{{low, high}, step, number};
    const bool aligned = in_fours(out, N);
    layer<true>(x, w, start, M, K, N, [&](int row, int column, const real* logits) {
        store_four(out + size_t(row) * N, column, N, aligned, bits(logits, column, chain[row], draw));
    });
}
