// CUDA's words for a C++ compiler: a launch runs the blocks one after another, a block's threads as fibers that take
// turns at __syncthreads(), at random forwards or backwards so that a missing barrier shows.
#include <signal.h>
#include <ucontext.h>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>
#ifdef __SSE__
#include <xmmintrin.h>
#endif

#define __global__
#define __device__
#define __forceinline__ inline
#define __shared__ static
#define __restrict__
#define __launch_bounds__(...)

using std::max;
using std::min;
struct dim3 { unsigned x, y, z; };
static dim3 threadIdx, blockIdx, blockDim, gridDim;

template <class To, class From> To bits_as(From x) {
    static_assert(sizeof(To) == sizeof(From));
    To to;
    std::memcpy(&to, &x, sizeof to);
    return to;
}
static long long __double_as_longlong(double x) { return bits_as<long long>(x); }
static double __longlong_as_double(long long x) { return bits_as<double>(x); }
static int __float_as_int(float x) { return bits_as<int>(x); }
static float __int_as_float(int x) { return bits_as<float>(x); }
static unsigned __umulhi(unsigned a, unsigned b) { return (unsigned long long)a * b >> 32; }
static int __popc(unsigned x) { return __builtin_popcount(x); }
template <class T> static T __ldg(const T* x) { return *x; }

// What a launcher answers
enum Answer { DONE, MISFIT, BARRIER, OUTSIDE };

namespace fibers {

struct Fiber { ucontext_t context; std::vector<char> stack; dim3 index; bool done; };
static std::vector<Fiber> all;
static ucontext_t scheduler;
static Fiber* current;
static void (*body)(void*);
static void* given;

static void enter() {
    body(given);
    current->done = true;
    swapcontext(&current->context, &scheduler);
}

static void wait() {
    Fiber* me = current;
    swapcontext(&me->context, &scheduler);
    threadIdx = me->index;
}

static void resume(Fiber& fiber) {
    current = &fiber;
    threadIdx = fiber.index;
    swapcontext(&scheduler, &fiber.context);
}

// An access to the pages around an array ends the launch.
static volatile bool outside;
static void stop(int) {
    outside = true;
    setcontext(&scheduler);
}

// All threads of a block.
static Answer run_block() {
    size_t threads = size_t(blockDim.x) * blockDim.y * blockDim.z;
    if (all.size() < threads) all.resize(threads);
    for (size_t i = 0; i < threads; ++i) {
        Fiber& fiber = all[i];
        fiber.stack.resize(1 << 16);
        fiber.done = false;
        fiber.index = {unsigned(i % blockDim.x), unsigned(i / blockDim.x % blockDim.y),
                       unsigned(i / blockDim.x / blockDim.y)};
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack.data();
        fiber.context.uc_stack.ss_size = fiber.stack.size();
        fiber.context.uc_link = nullptr;
        makecontext(&fiber.context, enter, 0);
    }
    for (unsigned coin = 1;; coin = coin * 1664525 + 1013904223) {
        const bool forwards = coin >> 31;
        size_t ended = 0;
        for (size_t i = 0; i < threads; ++i) {
            Fiber& fiber = all[forwards ? i : threads - 1 - i];
            resume(fiber);
            if (outside) return OUTSIDE;
            ended += fiber.done;
        }
        if (ended) return ended == threads ? DONE : BARRIER;            // some ended, others wait
    }
}

}

static void __syncthreads() { fibers::wait(); }

// CuPy compiles with -ftz=true, whatever it is told: floats below 1.2e-38 count as zero, doubles do not.
struct Flushing {
#if REAL == 32 && defined(__SSE__)
    unsigned before = _mm_getcsr();
    Flushing() { _mm_setcsr(before | 0x8040); }
    ~Flushing() { _mm_setcsr(before); }
#endif
};

// Accesses outside of the arrays are caught while this lives.
struct Watch {
    struct sigaction before[2];
    Watch() {
        struct sigaction action {};
        action.sa_handler = fibers::stop;
        fibers::outside = false;
        sigaction(SIGSEGV, &action, &before[0]);
        sigaction(SIGBUS, &action, &before[1]);
    }
    ~Watch() {
        sigaction(SIGSEGV, &before[0], nullptr);
        sigaction(SIGBUS, &before[1], nullptr);
    }
};

// The arguments of a launch are given as addresses, with their sizes, -1 for a pointer.
template <class... Arguments, size_t... I>
Answer launch_with(void (*kernel)(Arguments...), dim3 grid, dim3 block, void** addresses, const int* sizes, int number,
                std::index_sequence<I...>) {
    if (number != int(sizeof...(Arguments))) return MISFIT;
    if (!((sizes[I] == (std::is_pointer_v<Arguments> ? -1 : int(sizeof(Arguments)))) && ...)) return MISFIT;
    auto call = [&] { kernel(*static_cast<std::remove_reference_t<Arguments>*>(addresses[I])...); };
    fibers::body = [](void* c) { (*static_cast<decltype(call)*>(c))(); };
    fibers::given = &call;
    Flushing flushing;
    Watch watch;
    Answer answer = DONE;
    gridDim = grid;
    blockDim = block;
    for (blockIdx.z = 0; blockIdx.z < grid.z; ++blockIdx.z)
        for (blockIdx.y = 0; blockIdx.y < grid.y; ++blockIdx.y)
            for (blockIdx.x = 0; blockIdx.x < grid.x; ++blockIdx.x)
                if (answer == DONE) answer = fibers::run_block();
    return answer;
}

template <class... Arguments>
int launch_any(void (*kernel)(Arguments...), const unsigned* shape, void** addresses, const int* sizes, int number) {
    return launch_with(kernel, {shape[0], shape[1], shape[2]}, {shape[3], shape[4], shape[5]}, addresses, sizes, number,
                       std::index_sequence_for<Arguments...>());
}

#define LAUNCHER(name) \
    extern "C" int launch_##name(const unsigned* shape, void** addresses, const int* sizes, int number) { \
        return launch_any(name, shape, addresses, sizes, number); \
    }
