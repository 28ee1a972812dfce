// Gibbs sampling of a fully visible Boltzmann machine, a thread for each chain, whose units are bits: 32 of them in
// packed[k / 32][chain]. What a unit that is off would add is zero, and is left out.

__device__ inline void pack(const real* x, unsigned* packed, int chain, int chains, int n) {
    for (int k = 0; k < n; k += 32) {
        unsigned word = 0;
        for (int i = 0; i < 32 && k + i < n; ++i) word |= unsigned(x[size_t(chain) * n + k + i] != 0) << i;
        packed[size_t(k / 32) * chains + chain] = word;
    }
}

__device__ inline void unpack(const unsigned* packed, real* x, int chain, int chains, int n) {
    for (int k = 0; k < n; ++k)
        x[size_t(chain) * n + k] = packed[size_t(k / 32) * chains + chain] >> k % 32 & 1 ? 1 : 0;
}

// `steps` sweeps over the sites.  x (chains, n); J (groups, 4 groups, 4), b (groups, 4) as in refdgm.kernels.boltzmann
extern "C" __global__ void __launch_bounds__(CHAINS) sequential(
        int chains, real* x, unsigned* packed, const unsigned* number, const Four* J, const Four* b, int n, int groups,
        int steps, unsigned step, unsigned draw, unsigned low, unsigned high) {
    const int chain = blockIdx.x * CHAINS + threadIdx.x;
    if (chain >= chains) return;
    pack(x, packed, chain, chains, n);
    for (int t = 0; t < steps; ++t)
        for (int g = 0; g < groups; ++g) {
            const Words words = Draw{{low, high}, step + t, draw}.block(g, number[chain]);
            const Four* weights = J + size_t(g) * 4 * groups;
            Four logits = b[g];
            auto add = [&](int from, int to) {
                for (int k = from; k < to;) {
                    unsigned units = packed[size_t(k / 32) * chains + chain] >> k % 32;
                    const int end = min(to, (k / 32 + 1) * 32);
                    for (; k < end; ++k, units >>= 1) {
                        const Four weight = weights[k];
                        if (units & 1)
#pragma unroll
                            for (int i = 0; i < 4; ++i) logits.v[i] += weight.v[i];
                    }
                }
            };
            add(0, 4 * g);
            add(4 * g + 4, n);
            unsigned& word = packed[size_t(g / 8) * chains + chain];
            unsigned own = word >> g % 8 * 4 & 15;
            const int sites = min(4, n - 4 * g);
#pragma unroll
            for (int i = 0; i < 4; ++i)
                if (i < sites) {
                    real logit = logits.v[i];
#pragma unroll
                    for (int k = 0; k < 4; ++k)
                        if (own >> k & 1) logit += weights[4 * g + k].v[i];
                    own = (own & ~(1u << i)) | unsigned(fires(words.w[i], logit)) << i;
                }
            word = (word & ~(15u << g % 8 * 4)) | own << g % 8 * 4;
        }
    unpack(packed, x, chain, chains, n);
}

// `steps` draws of a random site.  J (n, n), b (n,)
extern "C" __global__ void __launch_bounds__(CHAINS) random_site(
        int chains, real* x, unsigned* packed, const unsigned* number, const real* J, const real* b, int n, int steps,
        unsigned step, unsigned draw, unsigned low, unsigned high) {
    const int chain = blockIdx.x * CHAINS + threadIdx.x;
    if (chain >= chains) return;
    pack(x, packed, chain, chains, n);
    for (int t = 0; t < steps; ++t) {
        const Words words = Draw{{low, high}, step + t, draw}.block(0, number[chain]);
        const int site = (unsigned long long)words.w[0] * n >> 32;
        real logit = b[site];
        for (int k = 0; k < n;) {
            unsigned units = packed[size_t(k / 32) * chains + chain];
            const int end = min(n, k + 32);
            for (; k < end; ++k, units >>= 1)
                if (units & 1) logit += J[size_t(k) * n + site];
        }
        unsigned& word = packed[size_t(site / 32) * chains + chain];
        word = (word & ~(1u << site % 32)) | unsigned(fires(words.w[1], logit)) << site % 32;
    }
    unpack(packed, x, chain, chains, n);
}
