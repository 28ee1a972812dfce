// The activations of a sigmoid belief net: s = b + h w.  h (M, K), w (K, N), b (N,) -> s (M, N)
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) activate(
        const real* h, const real* w, const real* b, real* s, int M, int K, int N) {
    const bool aligned = in_fours(s, N);
    layer<true>(h, w, b, M, K, N, [&](int row, int column, const real* sums) {
        store_four(s + size_t(row) * N, column, N, aligned, {{sums[0], sums[1], sums[2], sums[3]}});
    });
}
