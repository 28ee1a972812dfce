// The half steps of block Gibbs sampling of an RBM with Gaussian visible units: bits given reals, reals given bits.
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) hidden(
        const real* v, const real* w, const real* c, const unsigned* chain, real* h, int M, int K, int N,
        unsigned step, unsigned number, unsigned low, unsigned high) {
    bits_of_layer<false>(v, w, c, chain, h, M, K, N, {{low, high}, step, number});
}

// v = b + h w + sigma z: sites 2j and 2j + 1 share the block j
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) visible(
        const real* h, const real* w, const real* b, const unsigned* chain, real* v, const real* sigma,
        int M, int K, int N, unsigned step, unsigned number, unsigned low, unsigned high) {
    const Draw draw{{low, high}, step, number};
    const bool aligned = in_fours(v, N);
    layer<true>(h, w, b, M, K, N, [&](int row, int column, const real* mean) {
        Four value;
#pragma unroll
        for (int i = 0; i < 4; i += 2) {
            elementary::Pair z = two_normals(draw.block((column + i) / 2, chain[row]));
            value.v[i] = mean[i] + (column + i < N ? sigma[column + i] : 0) * z.first;
            value.v[i + 1] = mean[i + 1] + (column + i + 1 < N ? sigma[column + i + 1] : 0) * z.second;
        }
        store_four(v + size_t(row) * N, column, N, aligned, value);
    });
}
