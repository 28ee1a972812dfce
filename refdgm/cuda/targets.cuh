// The targets of refdgm/models/targets.py for one chain, operation by operation what their formulas in NumPy do.
// at(x, score, batch) fills the score, the gradient of log p, and returns log p, which costs nothing if it is not used.
// parameters: the arrays of the target one after another, as refdgm/launch.py lays them out.

// body(i) for i = 0, ..., n - 1, one after another; where all together need few numbers, these stay in registers.
template <int n, int numbers = n, class Body>
__device__ inline void each(Body body) {
#pragma unroll (numbers <= 16 ? n : 1)
    for (int i = 0; i < n; ++i) body(i);
}

// Whose numbers choose a chain's minibatch; for targets that are known by minibatches only.
struct Batch { Draw draw; unsigned chain; };

// log p(x) = -(x - m)'P(x - m)/2
template <int n>
struct Gaussian {
    static constexpr int N = n;
    const real* parameters;

    __device__ real at(const real (&x)[N], real (&score)[N], Batch = {}) const {
        const real *m = parameters, *P = m + N;
        real log_p = 0;
        each<N, N * N>([&](int j) {
            score[j] = 0;
            each<N, N * N>([&](int i) { score[j] += (m[i] - x[i]) * P[i * N + j]; });
            log_p += real(-0.5) * (m[j] - x[j]) * score[j];
        });
        return log_p;
    }
};

// log p(x) = log sum_k w_k N(x; mean_k, diag(1 / precision_k)),  offset_k = log w_k N(mean_k; mean_k, ...)
template <int n, int K>
struct GaussianMixture {
    static constexpr int N = n;
    const real* parameters;

    __device__ real at(const real (&x)[N], real (&score)[N], Batch = {}) const {
        const real *mean = parameters, *precision = mean + K * N, *offset = precision + K * N;
        real share[K], top = 0, total = 0;
        each<K, K * N>([&](int k) {
            share[k] = offset[k];
            each<N, K * N>([&](int i) {
                real away = mean[k * N + i] - x[i];
                share[k] -= real(0.5) * precision[k * N + i] * away * away;
            });
            top = k == 0 || share[k] > top ? share[k] : top;
        });
        each<K, K * N>([&](int k) {
            share[k] = elementary::exp(share[k] - top);
            total += share[k];
        });
        const real scale = 1 / total;
        each<N, K * N>([&](int i) {
            score[i] = 0;
            each<K, K * N>([&](int k) { score[i] += share[k] * (precision[k * N + i] * (mean[k * N + i] - x[i])); });
            score[i] *= scale;
        });
        return top + elementary::log(total);
    }
};

// -log p(x) = w3'tanh(w2'tanh(w1'x + b1) + b2) + tau |x|^2 / 2; rows of weights are filled up to a multiple of four
template <int n, int H1, int H2>
struct MLPEnergy {
    static constexpr int N = n;
    const real* parameters;

    __device__ static constexpr int filled(int units) { return (units + 3) / 4 * 4; }
    template <int units> struct alignas(16) Row { real v[filled(units)]; };

    // body(j) for every unit; they are many, and lie in memory
    template <int units, class Body>
    __device__ static void every(Body body) {
#pragma unroll 2
        for (int j = 0; j < units; ++j) body(j);
    }

    // out += w'x, a product and its sum rounded once, as elementary.dot_fused; up to 32 sums at a time, in registers
    template <int I, int O>
    __device__ static void dot_fused(const real* w, const real* x, Row<O>& out) {
        constexpr int FOURS = filled(O) / 4, PASSES = (FOURS + 7) / 8, SOME = (FOURS + PASSES - 1) / PASSES;
        const Four* weights = reinterpret_cast<const Four*>(w);
        Four* sums = reinterpret_cast<Four*>(out.v);
#pragma unroll 1
        for (int first = 0; first < FOURS; first += SOME) {
            Four some[SOME];
            each<SOME>([&](int j) { some[j] = sums[min(first + j, FOURS - 1)]; });
#pragma unroll 1
            for (int i = 0; i < I; ++i)
                each<SOME>([&](int j) {
                    const Four weight = weights[i * FOURS + min(first + j, FOURS - 1)];
                    each<4>([&](int l) { some[j].v[l] = elementary::fma(x[i], weight.v[l], some[j].v[l]); });
                });
            each<SOME>([&](int j) { sums[min(first + j, FOURS - 1)] = some[j]; });
        }
    }

    __device__ real at(const real (&x)[N], real (&score)[N], Batch = {}) const {
        const real *w1 = parameters, *w2 = w1 + N * filled(H1), *w2_transposed = w2 + H1 * filled(H2);
        const real *w1_transposed = w2_transposed + H2 * filled(H1), *b1 = w1_transposed + H1 * filled(N);
        const real *b2 = b1 + H1, *w3 = b2 + H2, tau = w3[H2];
        Row<H1> h1, d1;
        Row<H2> h2;
        Row<N> slope;
        real energy = 0;
        every<H1>([&](int j) { h1.v[j] = b1[j]; });
        dot_fused<N>(w1, x, h1);
        every<H1>([&](int j) { h1.v[j] = elementary::tanh(h1.v[j]); d1.v[j] = 0; });
        every<H2>([&](int j) { h2.v[j] = b2[j]; });
        dot_fused<H1>(w2, h1.v, h2);
        every<H2>([&](int j) {
            real unit = elementary::tanh(h2.v[j]);
            energy += w3[j] * unit;
            h2.v[j] = w3[j] * (unit * unit - 1);                        // -dE/da2
        });
        each<N>([&](int i) { energy += real(0.5) * tau * (x[i] * x[i]); slope.v[i] = -tau * x[i]; });
        dot_fused<H2>(w2_transposed, h2.v, d1);
        every<H1>([&](int j) { d1.v[j] *= 1 - h1.v[j] * h1.v[j]; });    // -dE/da1
        dot_fused<H1>(w1_transposed, d1.v, slope);
        each<N>([&](int i) { score[i] = slope.v[i]; });
        return -energy;
    }
};

// log p(x) = -(tau/2) |x|^2 + scale sum_(i in M) log sigmoid(datum_i'x),  M: `size` of the `count` data
template <int n>
struct LogisticRegression {
    static constexpr int N = n;
    const real* parameters;

    __device__ real at(const real (&x)[N], real (&score)[N], Batch batch = {}) const {
        const unsigned count = parameters[0];
        const int size = parameters[1];
        const real scale = parameters[2], tau = parameters[3], *data = parameters + 4;
        real log_p = 0;
        each<N>([&](int j) {
            score[j] = -tau * x[j];
            log_p += real(0.5) * score[j] * x[j];
        });
        Words words;
        for (int i = 0; i < size; ++i) {
            if (i % 4 == 0) words = batch.draw.block(i / 4, batch.chain);
            const real* datum = data + size_t(__umulhi(words.w[i % 4], count)) * N;
            real margin = 0;
            each<N>([&](int j) { margin += datum[j] * x[j]; });
            const real off = elementary::log(1 + elementary::exp(-elementary::abs(margin)));
            log_p += scale * ((margin < 0 ? margin : 0) - off);
            const real pull = scale / (1 + elementary::exp(margin));
            each<N>([&](int j) { score[j] += pull * datum[j]; });
        }
        return log_p;
    }
};
