// Half a step of block Gibbs sampling of a Bernoulli RBM: bits given bits.
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) half_step(
        const real* x, const real* w, const real* start, const unsigned* chain, real* out, int M, int K, int N,
        unsigned step, unsigned number, unsigned low, unsigned high) {
    bits_of_layer<true>(x, w, start, chain, out, M, K, N, {{low, high}, step, number});
}
