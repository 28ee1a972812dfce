// Metropolis independence sampling of a linear-Gaussian posterior, a thread for each chain of UNITS numbers: the kernel
// of refdgm/kernels/mis.py.  h and mean (chains, UNITS), x (D, chains), L (UNITS, n), W (D, n), constant ()
extern "C" __global__ void __launch_bounds__(CHAINS, 512 / CHAINS) linear_gaussian(
        int chains, real* h, real* log_w, real* faults, const real* mean, const unsigned* number, const real* x,
        const real* L, const real* W, const real* constant, int n, int D, int steps,
        unsigned step, unsigned low, unsigned high) {
    constexpr int H = UNITS, PROPOSE = 0, ACCEPT = 1;
    const int own = blockIdx.x * CHAINS + threadIdx.x;
    if (own >= chains) return;
    const unsigned chain = number[own];
    real here[H], there[H], middle[H], log_w_here = log_w[own], faulty = 0;
    each<H>([&](int j) {
        here[j] = h[size_t(own) * H + j];
        middle[j] = mean[size_t(own) * H + j];
    });
    Words words;
    for (int t = 0; t < steps; ++t) {
        real eps[H + 1], squares = 0;
        each<(H + 1) / 2>([&](int j) {
            elementary::Pair pair = two_normals(Draw{{low, high}, step + t, PROPOSE}.block(j, chain));
            eps[2 * j] = pair.first;
            eps[2 * j + 1] = pair.second;
        });
        each<H>([&](int j) { squares += eps[j] * eps[j]; });
        each<H>([&](int j) {
            there[j] = middle[j];
            each<H>([&](int k) { there[j] += L[j * n + k] * eps[k]; });
            squares -= there[j] * there[j];
        });
        for (int i = 0; i < D; ++i) {
            real residual = x[size_t(i) * chains + own];
            each<H>([&](int k) { residual += W[i * n + k] * there[k]; });
            squares -= residual * residual;
        }
        const real log_w_there = *constant + real(0.5) * squares;
        const unsigned now = step + t;
        if (t == 0 || now % 4 == 0) words = Draw{{low, high}, now / 4, ACCEPT}.block(0, chain);
        if (uniform(words.w[now % 4]) < elementary::exp(log_w_there - log_w_here)) {
            each<H>([&](int j) { here[j] = there[j]; });
            log_w_here = log_w_there;
        }
        faulty += 0 * log_w_there;
    }
    each<H>([&](int j) { h[size_t(own) * H + j] = here[j]; });
    log_w[own] = log_w_here;
    faults[own] = faulty;
}
