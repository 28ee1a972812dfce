// Sums over units that are taken in order, of terms that are computed side by side: SIDE units of SIDE chains at a
// time, by a block of SIDE x HEIGHT threads.

// A unit's part of a difference of softplus: what is added, and the factors 1 + e^-|s| of the two logarithms.
struct Term { real linear, above, below; };

__device__ inline real factor(real s) { return 1 + elementary::exp(-elementary::abs(s)); }

// The first of the block's chains, and the one whose sum this thread gets.
__device__ inline int first_chain() { return blockIdx.x * SIDE; }
__device__ inline int own_chain() { return first_chain() + threadIdx.x; }

// The terms of SIDE units of SIDE chains; a row more than needed, for the banks. All sums of a kernel use the same.
struct Tiles { real linear[SIDE][SIDE + 1], above[SIDE][SIDE + 1], below[SIDE][SIDE + 1]; };
__device__ inline Tiles& tiles() {
    __shared__ Tiles shared;
    return shared;
}

// total + the sum over the units of term(chain, unit).linear, and after every `group` units and the last one
// + sign log(prod above / prod below). Every thread of the block takes part; threads of row 0 get their chain's sum.
template <class Terms>
__device__ inline real sum_in_order(real total, int chains, int units, int group, real sign, Terms term) {
    Tiles& tile = tiles();
    real product_above = 1, product_below = 1;
    for (int start = 0; start < units; start += SIDE) {
        const int unit = start + threadIdx.x;
        for (int row = threadIdx.y; row < SIDE; row += HEIGHT)
            if (unit < units && first_chain() + row < chains) {
                Term t = term(first_chain() + row, unit);
                tile.linear[threadIdx.x][row] = t.linear;
                tile.above[threadIdx.x][row] = t.above;
                tile.below[threadIdx.x][row] = t.below;
            }
        __syncthreads();
        if (threadIdx.y == 0 && own_chain() < chains)
            for (int i = 0; i < SIDE && start + i < units; ++i) {
                total += tile.linear[i][threadIdx.x];
                product_above *= tile.above[i][threadIdx.x];
                product_below *= tile.below[i][threadIdx.x];
                if ((start + i) % group == group - 1 || start + i == units - 1) {
                    total += sign * elementary::log(product_above / product_below);
                    product_above = product_below = 1;
                }
            }
        __syncthreads();
    }
    return total;
}
