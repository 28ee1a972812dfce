// All sites of a colour of Ising lattices, in place: a thread has four rows of a pair of columns, one block of words.
// spins (N, R, C), chain (N,), limits[m / 2 + 2]: the threshold of a word for each sum m of the neighbours.
extern "C" __global__ void __launch_bounds__(CHAINS) colour(
        signed char* spins, const unsigned* chain, const unsigned* limits, int N, int R, int C,
        unsigned step, unsigned number, unsigned low, unsigned high) {
    const int pairs = C / 2, groups = (R + 3) / 4;
    const long long at = (long long)blockIdx.x * CHAINS + threadIdx.x;
    const int lattice = at / (groups * pairs), block = at % (groups * pairs);
    if (lattice >= N) return;
    const Words words = Draw{{low, high}, step, number}.block(block, chain[lattice]);
    signed char* sites = spins + size_t(lattice) * R * C;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        const int r = block / pairs * 4 + i, c = block % pairs * 2 + (i + number) % 2;
        if (r >= R) return;
        const int left = c ? c - 1 : C - 1, right = c < C - 1 ? c + 1 : 0;
        const int above = r ? r - 1 : R - 1, below = r < R - 1 ? r + 1 : 0;
        const int sum = sites[r * C + left] + sites[r * C + right] + sites[above * C + c] + sites[below * C + c];
        sites[r * C + c] = words.w[i] < limits[(sum + 4) / 2] ? 1 : -1;
    }
}
