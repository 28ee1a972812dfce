// Chains that follow a target, a thread for each: the kernels of refdgm/kernels/langevin.py, and random_walk. TARGET is
// one of targets.cuh; a chain's numbers stay with its thread, in registers where they are few, through all steps.

using Target = TARGET;
constexpr int N = Target::N, NOISE = 0, ACCEPT = 1, BATCH = 1;

// What a decision is about.
struct Point { real x[N], score[N], log_p; };

__device__ inline int own() { return blockIdx.x * CHAINS + threadIdx.x; }

__device__ inline void load(const real* x, real (&own_x)[N]) {
    each<N>([&](int i) { own_x[i] = x[size_t(own()) * N + i]; });
}

__device__ inline void store(const real (&own_x)[N], real* x) {
    each<N>([&](int i) { x[size_t(own()) * N + i] = own_x[i]; });
}

__device__ inline Point load(const real* x, const real* score, const real* log_p) {
    Point point;
    load(x, point.x);
    load(score, point.score);
    point.log_p = log_p[own()];
    return point;
}

__device__ inline void store(const Point& point, real* x, real* score, real* log_p) {
    store(point.x, x);
    store(point.score, score);
    log_p[own()] = point.log_p;
}

__device__ inline void normals(real (&z)[N], unsigned chain, Draw draw) {
    each<(N + 1) / 2>([&](int j) {
        elementary::Pair pair = two_normals(draw.block(j, chain));
        z[2 * j] = pair.first;
        if (2 * j + 1 < N) z[2 * j + 1] = pair.second;
    });
}

// x += factor y
__device__ inline void add(real (&x)[N], real factor, const real (&y)[N]) {
    each<N>([&](int i) { x[i] += factor * y[i]; });
}

// A step of Langevin dynamics: x += half score + root z
__device__ inline void move(real (&x)[N], const real (&score)[N], const real (&z)[N], real half, real root) {
    each<N>([&](int i) { x[i] = x[i] + half * score[i] + root * z[i]; });
}

// log of p(y) q(x|y) / (p(x) q(y|x)) for a step of Langevin dynamics as a proposal, as refdgm.samplers.mala
__device__ inline real log_ratio(const Point& here, const Point& there, real eighth) {
    real ratio = there.log_p - here.log_p;
    each<N>([&](int i) {
        const real s = here.score[i], s_new = there.score[i];
        ratio -= (s + s_new) * (real(0.5) * (there.x[i] - here.x[i]) + eighth * (s_new - s));
    });
    return ratio;
}

// H(x, r) - H(x', r'), as refdgm.samplers.hamiltonian
__device__ inline real log_ratio(const Point& here, const Point& there, const real (&r)[N], const real (&new_r)[N]) {
    real ratio = there.log_p - here.log_p;
    each<N>([&](int i) { ratio += real(0.5) * (r[i] - new_r[i]) * (r[i] + new_r[i]); });
    return ratio;
}

// here becomes there with probability min(1, e^ratio); log p becomes nan where the ratio is not finite.
__device__ inline bool decide(Point& here, const Point& there, real ratio, unsigned chain, Draw draw) {
    const bool taken = elementary::log(uniform(draw.block(0, chain).w[0])) < ratio;
    if (taken) here = there;
    here.log_p += ratio - ratio;
    return taken;
}

// A step for each of half = eps/2 and root = sqrt(eps), which are arrays.
extern "C" __global__ void __launch_bounds__(CHAINS, 512 / CHAINS) ula(
        int chains, real* x, const unsigned* number, const real* parameters, const real* half, const real* root,
        int steps, unsigned step, unsigned low, unsigned high) {
    if (own() >= chains) return;
    const Target target{parameters};
    const unsigned chain = number[own()];
    real here[N], score[N], z[N];
    load(x, here);
    for (int t = 0; t < steps; ++t) {
        target.at(here, score, {{{low, high}, step + t, BATCH}, chain});
        normals(z, chain, {{low, high}, step + t, NOISE});
        move(here, score, z, half[t], root[t]);
    }
    store(here, x);
}

// x += eps r, then r = keep r + eps score + root z
extern "C" __global__ void __launch_bounds__(CHAINS, 512 / CHAINS) sghmc(
        int chains, real* x, real* r, const unsigned* number, const real* parameters, real eps, real keep, real root,
        int steps, unsigned step, unsigned low, unsigned high) {
    if (own() >= chains) return;
    const Target target{parameters};
    const unsigned chain = number[own()];
    real here[N], momentum[N], score[N], z[N];
    load(x, here);
    load(r, momentum);
    for (int t = 0; t < steps; ++t) {
        add(here, eps, momentum);
        target.at(here, score, {{{low, high}, step + t, BATCH}, chain});
        normals(z, chain, {{low, high}, step + t, NOISE});
        each<N>([&](int i) { momentum[i] = keep * momentum[i] + eps * score[i] + root * z[i]; });
    }
    store(here, x);
    store(momentum, r);
}

// ULA's step as a proposal
extern "C" __global__ void __launch_bounds__(CHAINS, 512 / CHAINS) mala(
        int chains, real* x, real* log_p, real* score, unsigned* accepted, const unsigned* number,
        const real* parameters, real half, real root, real eighth,
        int steps, unsigned step, unsigned low, unsigned high) {
    if (own() >= chains) return;
    const Target target{parameters};
    const unsigned chain = number[own()];
    Point here = load(x, score, log_p);
    unsigned count = 0;
    for (int t = 0; t < steps; ++t) {
        Point there = here;
        real z[N];
        normals(z, chain, {{low, high}, step + t, NOISE});
        move(there.x, here.score, z, half, root);
        there.log_p = target.at(there.x, there.score);
        count += decide(here, there, log_ratio(here, there, eighth), chain, {{low, high}, step + t, ACCEPT});
    }
    store(here, x, score, log_p);
    accepted[own()] += count;
}

// L leapfrog steps as a proposal
extern "C" __global__ void __launch_bounds__(CHAINS, 512 / CHAINS) hmc(
        int chains, real* x, real* log_p, real* score, unsigned* accepted, const unsigned* number,
        const real* parameters, real half, real eps, int L, int steps, unsigned step, unsigned low, unsigned high) {
    if (own() >= chains) return;
    const Target target{parameters};
    const unsigned chain = number[own()];
    Point here = load(x, score, log_p);
    unsigned count = 0;
    for (int t = 0; t < steps; ++t) {
        Point there = here;
        real r[N], new_r[N];
        normals(r, chain, {{low, high}, step + t, NOISE});
        each<N>([&](int i) { new_r[i] = r[i]; });
        add(new_r, half, here.score);
        for (int i = 0; i < L; ++i) {
            add(there.x, eps, new_r);
            there.log_p = target.at(there.x, there.score);
            add(new_r, i < L - 1 ? eps : half, there.score);
        }
        count += decide(here, there, log_ratio(here, there, r, new_r), chain, {{low, high}, step + t, ACCEPT});
    }
    store(here, x, score, log_p);
    accepted[own()] += count;
}

// x += scale z as a proposal; log p = -inf is outside of the support, inf and nan are faults, which become nan.
extern "C" __global__ void __launch_bounds__(CHAINS, 512 / CHAINS) random_walk(
        int chains, real* x, real* log_p, unsigned* accepted, real* faults, const unsigned* number,
        const real* parameters, const real* scale, int steps, unsigned step, unsigned low, unsigned high) {
    if (own() >= chains) return;
    const Target target{parameters};
    const unsigned chain = number[own()];
    Point here;
    load(x, here.x);
    here.log_p = log_p[own()];
    real faulty = 0;
    unsigned count = 0;
    for (int t = 0; t < steps; ++t) {
        Point there;
        normals(there.x, chain, {{low, high}, step + t, NOISE});
        each<N>([&](int i) { there.x[i] = here.x[i] + scale[i] * there.x[i]; });
        there.log_p = target.at(there.x, there.score);
        const real limit = there.log_p < -1 ? -1 : there.log_p;
        faulty += limit - limit;
        const Words words = Draw{{low, high}, step + t, ACCEPT}.block(0, chain);
        if (uniform(words.w[0]) < elementary::exp(there.log_p - here.log_p)) {
            here = there;
            ++count;
        }
    }
    store(here.x, x);
    log_p[own()] = here.log_p;
    accepted[own()] += count;
    faults[own()] = faulty;
}
