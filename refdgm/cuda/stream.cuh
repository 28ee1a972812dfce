// Random numbers by address, as refdgm/streams.py: Philox-4x32-10 of the counter (block of sites, step, chain, draw).

struct Key { unsigned low, high; };
struct Words { unsigned w[4]; };

__device__ inline Words philox(unsigned c0, unsigned c1, unsigned c2, unsigned c3, Key key) {
#pragma unroll
    for (int round = 0; round < 10; ++round) {
        unsigned long long p0 = c0 * 0xD2511F53ull, p1 = c2 * 0xCD9E8D57ull;
        c0 = unsigned(p1 >> 32) ^ c1 ^ key.low;
        c1 = unsigned(p1);
        c2 = unsigned(p0 >> 32) ^ c3 ^ key.high;
        c3 = unsigned(p0);
        key.low += 0x9E3779B9u;                                         // Weyl sequences
        key.high += 0xBB67AE85u;
    }
    return {{c0, c1, c2, c3}};
}

// Whose numbers a launch draws: the same for all chains of a step.
struct Draw {
    Key key;
    unsigned step, number;
    __device__ Words block(unsigned site, unsigned chain) const { return philox(site, step, chain, number, key); }
};

#if REAL == 64
__device__ inline real uniform(unsigned w) { return (real(w) + 0.5) * 0x1p-32; }
__device__ inline real long_uniform(unsigned high, unsigned low) {
    return real(high) * 0x1p-32 + (real(low >> 12) + 0.5) * 0x1p-52;
}
__device__ inline elementary::Pair two_normals(Words b) {
    return elementary::box_muller(long_uniform(b.w[0], b.w[1]), long_uniform(b.w[2], b.w[3]));
}
#else
__device__ inline real uniform(unsigned w) { return (real(w >> 9) + 0.5f) * 0x1p-23f; }
__device__ inline elementary::Pair two_normals(Words b) {
    return elementary::box_muller(real(b.w[0]) * 0x1p-32f + 0x1p-33f, uniform(b.w[2]));
}
#endif

// Whether a unit with this logit is on
__device__ inline bool fires(unsigned w, real logit) { return uniform(w) * (1 + elementary::exp(-logit)) < 1; }
