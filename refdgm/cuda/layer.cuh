// A layer of units given the layer beside it, for all chains: a matrix product whose sums stay in registers, and an
// epilogue that draws the units. The sums run over k = 0, 1, ..., as elementary.dot_in_order states; what is beyond an
// edge is zero. A block of threads has TILE_ROWS chains times TILE_COLUMNS units, a thread 8 rows of its columns.

constexpr int BLOCKS = 512 / THREADS;           // on a processor at once: no more than 128 registers for a thread
constexpr int DEPTH = 8, ROWS = 8, COLUMNS = TILE_ROWS * TILE_COLUMNS / (ROWS * THREADS);
constexpr int ACROSS = TILE_COLUMNS / COLUMNS, X_STEP = THREADS / (DEPTH / 4);
constexpr int X_LOADS = TILE_ROWS / X_STEP;
static_assert(TILE_COLUMNS * DEPTH / 4 <= THREADS && COLUMNS % 4 == 0 && ROWS == 8, "a thread loads four of w at most");

struct alignas(16) Four { real v[4]; };

// Four numbers of a row from column k on, zeros beyond its end. -DALIGNED=1: all rows can be read four at a time.
__device__ inline Four load_four(const real* row, int k, int length) {
    Four four{};
#if ALIGNED
    if (k < length) four = *reinterpret_cast<const Four*>(row + k);
#else
#pragma unroll
    for (int i = 0; i < 4; ++i) if (k + i < length) four.v[i] = row[k + i];
#endif
    return four;
}

// Rows of `length` numbers can be written four at a time.
__device__ inline bool in_fours(const real* x, int length) {
    return length % 4 == 0 && reinterpret_cast<unsigned long long>(x) % 16 == 0;
}

// finish(row, column, sums) for every four columns of every row: start + x w.  x (M, K), w (K, N), start (N,)
// FUSED: a product and its sum are rounded once, which for x of zeros and ones is the same and takes half the time.
template <bool FUSED, class Epilogue>
__device__ inline void layer(const real* x, const real* w, const real* start, int M, int K, int N, Epilogue finish) {
    __shared__ Four xs[2][DEPTH][TILE_ROWS / 4 + 1], ws[2][DEPTH][TILE_COLUMNS / 4];     // + 1: no two in a bank
    const int tiles = (N + TILE_COLUMNS - 1) / TILE_COLUMNS, tid = threadIdx.x;
    const int first_row = blockIdx.x / tiles * TILE_ROWS, first_column = blockIdx.x % tiles * TILE_COLUMNS;
    const int down = tid / ACROSS, right = tid % ACROSS;
    const int x_row = tid / (DEPTH / 4), x_k = tid % (DEPTH / 4) * 4;           // what this thread fetches
    const int w_k = tid / (TILE_COLUMNS / 4), w_four = tid % (TILE_COLUMNS / 4);

    Four x_next[X_LOADS], w_next{};
    auto fetch = [&](int k) {
#pragma unroll
        for (int i = 0; i < X_LOADS; ++i)                       // a row beyond the last one is not used
            x_next[i] = load_four(x + size_t(min(first_row + x_row + i * X_STEP, M - 1)) * K, k + x_k, K);
        if (w_k < DEPTH)
            w_next = k + w_k < K ? load_four(w + size_t(k + w_k) * N, first_column + w_four * 4, N) : Four{};
    };
    auto put = [&](int half) {
#pragma unroll
        for (int i = 0; i < X_LOADS; ++i)
#pragma unroll
            for (int j = 0; j < 4; ++j)
                xs[half][x_k + j][x_row / 4 + i * (X_STEP / 4)].v[x_row % 4] = x_next[i].v[j];
        if (w_k < DEPTH) ws[half][w_k][w_four] = w_next;
    };

    real sums[ROWS][COLUMNS];
#pragma unroll
    for (int j = 0; j < COLUMNS; ++j) {
        int column = first_column + (right + j / 4 * ACROSS) * 4 + j % 4;
        real from = column < N ? start[column] : real(0);
#pragma unroll
        for (int i = 0; i < ROWS; ++i) sums[i][j] = from;
    }
    fetch(0);
    put(0);
    __syncthreads();
    for (int k0 = 0, half = 0; k0 < K; k0 += DEPTH, half ^= 1) {
        if (k0 + DEPTH < K) fetch(k0 + DEPTH);
#pragma unroll
        for (int k = 0; k < DEPTH; ++k) {
            Four a[2], b[COLUMNS / 4];
#pragma unroll
            for (int i = 0; i < 2; ++i) a[i] = xs[half][k][down + i * TILE_ROWS / 8];
#pragma unroll
            for (int j = 0; j < COLUMNS / 4; ++j) b[j] = ws[half][k][right + j * ACROSS];
#pragma unroll
            for (int i = 0; i < ROWS; ++i)
#pragma unroll
                for (int j = 0; j < COLUMNS; ++j) {
                    real unit = a[i / 4].v[i % 4], weight = b[j / 4].v[j % 4];
                    sums[i][j] = FUSED ? elementary::fma(unit, weight, sums[i][j]) : sums[i][j] + unit * weight;
                }
        }
        if (k0 + DEPTH < K) put(half ^ 1);
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < ROWS; ++i)
#pragma unroll
        for (int j = 0; j < COLUMNS; j += 4) {
            int row = first_row + (down + i / 4 * TILE_ROWS / 8) * 4 + i % 4;
            int column = first_column + (right + j / 4 * ACROSS) * 4;
            if (row < M && column < N) finish(row, column, &sums[i][j]);
        }
}

// Up to four numbers of a row from column on.
__device__ inline void store_four(real* row, int column, int length, bool aligned, Four four) {
    if (aligned) { *reinterpret_cast<Four*>(row + column) = four; return; }
#pragma unroll
    for (int i = 0; i < 4; ++i) if (column + i < length) row[column + i] = four.v[i];
}

// The units that four logits switch on: one block of the stream.
__device__ inline Four four_bits(const real* logits, int column, unsigned chain, Draw draw) {
    Words words = draw.block(column / 4, chain);
    Four on;
#pragma unroll
    for (int i = 0; i < 4; ++i) on.v[i] = fires(words.w[i], logits[i]) ? 1 : 0;
    return on;
}

// out ~ Bern(sigmoid(start + x w)).  x (M, K), w (K, N), start (N,), chain (M,) -> out (M, N)
template <bool FUSED>
__device__ inline void bits_of_layer(const real* x, const real* w, const real* start, const unsigned* chain, real* out,
                                     int M, int K, int N, Draw draw) {
    const bool aligned = in_fours(out, N);
    layer<FUSED>(x, w, start, M, K, N, [&](int row, int column, const real* logits) {
        store_four(out + size_t(row) * N, column, N, aligned, four_bits(logits, column, chain[row], draw));
    });
}
