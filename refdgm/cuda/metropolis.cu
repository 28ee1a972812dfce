// Metropolis chains on a finite space, a thread for each: the kernel of refdgm/kernels/metropolis.py.
// up_to (S, S), the proposal's cumulative rows, and accept (S, S)
extern "C" __global__ void __launch_bounds__(CHAINS) finite_space(
        int chains, long long* z, const unsigned* number, const real* up_to, const real* accept, int S, int steps,
        unsigned step, unsigned low, unsigned high) {
    const int chain = blockIdx.x * CHAINS + threadIdx.x;
    if (chain >= chains) return;
    int state = z[chain];
    for (int t = 0; t < steps; ++t) {
        const Words words = Draw{{low, high}, step + t, 0}.block(0, number[chain]);
        const real to_propose = uniform(words.w[0]), *row = up_to + size_t(state) * S;
        int first = 0, last = S - 1;                    // the first state whose cumulative probability exceeds u
        while (first < last) {
            const int middle = (first + last) / 2;
            if (row[middle] <= to_propose) first = middle + 1;
            else last = middle;
        }
        if (uniform(words.w[1]) < accept[size_t(state) * S + first]) state = first;
    }
    z[chain] = state;
}
