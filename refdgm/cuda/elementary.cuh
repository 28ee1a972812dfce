// exp, log, sine, cosine and tanh of refdgm/elementary.py, operation by operation: the same bits as NumPy's.
// -DREAL=64 or 32 chooses the type. Never compile with --fmad=true: a product and its sum are rounded separately.

#if REAL == 64
typedef double real;
typedef long long integer;
#else
typedef float real;
typedef int integer;
#endif

namespace elementary {

#if REAL == 64
__device__ inline integer bits_of(real x) { return __double_as_longlong(x); }
__device__ inline real from_bits(integer x) { return __longlong_as_double(x); }
__device__ inline real fma(real a, real b, real c) { return ::fma(a, b, c); }
__device__ inline real root(real x) { return ::sqrt(x); }
__device__ inline real abs(real x) { return ::fabs(x); }
constexpr int WIDTH = 52;
constexpr integer BIAS = 1023, ROOT_HALF = 0x3FE6A09E667F3BCDll;        // the bits of sqrt(1/2)
constexpr real LEAST = -708, MOST = 709, ROUNDER = 1.5 * 0x1p52;        // x + ROUNDER: x is rounded, in the lowest bits
constexpr real LN2_HIGH = 6.93147180369123816490e-01, LN2_LOW = 1.90821492927058770002e-10;
#else
__device__ inline integer bits_of(real x) { return __float_as_int(x); }
__device__ inline real from_bits(integer x) { return __int_as_float(x); }
__device__ inline real fma(real a, real b, real c) { return ::fmaf(a, b, c); }
__device__ inline real root(real x) { return ::sqrtf(x); }
__device__ inline real abs(real x) { return ::fabsf(x); }
constexpr int WIDTH = 23;
constexpr integer BIAS = 127, ROOT_HALF = 0x3F3504F3;
constexpr real LEAST = -87, MOST = 88, ROUNDER = 1.5 * 0x1p23;
constexpr real LN2_HIGH = 6.9313812256e-01, LN2_LOW = 9.0580006145e-06;
#endif
constexpr double LN2 = 0.6931471805599453, TURN = 6.283185307179586;

__device__ inline real larger(real a, real b) { return a > b ? a : b; }

// ((c0 z + c1) z + c2) ..., from coefficients in float64 that are rounded first
__device__ inline real horner(real, real value) { return value; }
template <class... More>
__device__ inline real horner(real z, real value, double next, More... more) {
    return horner(z, value * z + real(next), more...);
}

// 2^n, where t = n + ROUNDER
__device__ inline real power_of_two(real t) {
    integer scale = bits_of(t) + BIAS;
    scale = sizeof(real) == 8 ? integer((unsigned long long)scale << WIDTH) : integer((unsigned)scale << WIDTH);
    return from_bits(scale);
}

// The same, a product and its sum rounded once.
__device__ inline real horner_fused(real, real value) { return value; }
template <class... More>
__device__ inline real horner_fused(real z, real value, double next, More... more) {
    return horner_fused(z, fma(value, z, real(next)), more...);
}

__device__ inline real exp(real x) {
    x = x < LEAST ? LEAST : x;
    x = MOST < x ? MOST : x;
    real t = x * real(1 / LN2) + ROUNDER, n = t - ROUNDER;
    real r = (x - n * LN2_HIGH) - n * LN2_LOW, z = r * r;
#if REAL == 64
    real even = horner(z, 1 / 479001600., 1 / 3628800., 1 / 40320., 1 / 720., 1 / 24., 1 / 2.);
    real odd = horner(z, 1 / 6227020800., 1 / 39916800., 1 / 362880., 1 / 5040., 1 / 120., 1 / 6.);
#else
    real even = horner(z, real(1 / 720.), 1 / 24., 1 / 2.);
    real odd = horner(z, real(1 / 120.), 1 / 6.);
#endif
    return (1 + (r + z * (even + odd * r))) * power_of_two(t);
}

__device__ inline real log(real x) {
    integer bits = bits_of(x);
    integer scale = (bits - ROOT_HALF) & -(integer(1) << WIDTH);        // x = 2^n (1 + f)
    real n = from_bits((scale >> WIDTH) + bits_of(ROUNDER)) - ROUNDER;
    real f = from_bits(bits - scale) - 1;
    real s = f / (2 + f), z = s * s;
#if REAL == 64
    real p = horner(z, 1.479819860511658591e-01, 1.531383769920937332e-01, 1.818357216161805012e-01,
                    2.222219843214978396e-01, 2.857142874366239149e-01, 3.999999999940941908e-01,
                    6.666666666666735130e-01);
#else
    real p = horner(z, real(0.24279078841), 0.28498786688, 0.40000972152, 0.66666662693);
#endif
    real h = real(0.5) * f * f;
    return n * LN2_HIGH - ((h - (s * (h + z * p) + n * LN2_LOW)) - f);
}

__device__ inline real tanh(real x) {
    x = x < -20 ? -20 : x;
    x = 20 < x ? 20 : x;
    real t = fma(x, real(2 / LN2), ROUNDER), r = fma(t - ROUNDER, real(-LN2 / 2), x);
#if REAL == 64
    real e = horner_fused(r, 8192 / 6227020800., 4096 / 479001600., 2048 / 39916800., 1024 / 3628800., 512 / 362880.,
                          256 / 40320., 128 / 5040., 64 / 720., 32 / 120., 16 / 24., 8 / 6., 2., 2., 1.);
#else
    real e = horner_fused(r, real(64 / 720.), 32 / 120., 16 / 24., 8 / 6., 2., 2., 1.);
#endif
    return 1 - 2 / fma(e, power_of_two(t), 1);
}

struct Pair { real first, second; };

// sin and cos of 2 pi u, 0 <= u <= 1
__device__ inline Pair sincos(real u) {
    real turns = 4 * u + ROUNDER;
    real t = real(TURN) * (u - real(0.25) * (turns - ROUNDER)), z = t * t;
#if REAL == 64
    real s = horner(z, -1 / 1307674368000., 1 / 6227020800., -1 / 39916800., 1 / 362880., -1 / 5040., 1 / 120.,
                    -1 / 6., 1.);
    real c = horner(z, 1 / 20922789888000., -1 / 87178291200., 1 / 479001600., -1 / 3628800., 1 / 40320., -1 / 720.,
                    1 / 24., -1 / 2., 1.);
#else
    real s = horner(z, real(1 / 362880.), -1 / 5040., 1 / 120., -1 / 6., 1.);
    real c = horner(z, real(-1 / 3628800.), 1 / 40320., -1 / 720., 1 / 24., -1 / 2., 1.);
#endif
    s = s * t;
    integer q = bits_of(turns);                                         // its lowest two bits number the quarter turn
    real swap = real(q & 1), keep = 1 - swap;
    return {(s * keep + c * swap) * (1 - real(q & 2)), (c * keep + s * swap) * (1 - real((q + 1) & 2))};
}

__device__ inline Pair box_muller(real u, real v) {
    real radius = root(larger(0, -2 * log(u)));
    Pair sc = sincos(v);
    return {radius * sc.second, radius * sc.first};
}

}
