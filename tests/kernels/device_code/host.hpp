// The words of CUDA that the kernels use, for a C++ compiler: a block's threads take turns, so that barriers and shuffles
// mean what they mean on a card. Blocks run one after the other.
#include <cmath>
#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ucontext.h>
#include <vector>

#define __device__
#define __global__
#define __forceinline__ inline
#define __shared__ static

struct Place { unsigned x, y, z; };
static Place threadIdx, blockIdx, blockDim, gridDim;

namespace host {

struct Barrier { unsigned members = 0, arrived = 0, round = 0; };

// A stack on which threads run one after the other. One that waits keeps it until the barrier lets it go, and the threads
// behind it begin on another: threads that never wait cost no switch.
struct Fiber {
    ucontext_t start;
    jmp_buf place;
    std::vector<char> stack;
    // What its thread waits for; none where it is free.
    const Barrier *barrier = nullptr;
    unsigned round = 0, thread = 0;
};

static const unsigned WARP = 32;
static jmp_buf scheduler;
static std::vector<Fiber *> resting;
static Fiber *current;
// The thread at work, and how many of the block's have begun.
static unsigned me, begun, threads;
static bool backwards;
static Barrier block;
static std::vector<Barrier> warps;
// What the lanes of each warp hand over, for two shuffles in a row.
struct Lane { char bytes[16]; };
static std::vector<Lane> handed[2];
static void (*kernel)(void *);
static void *arguments;

static void fail(const char *why) {
    std::fprintf(stderr, "a kernel on the host: %s\n", why);
    std::abort();
}

static void become(unsigned thread) {
    me = thread;
    threadIdx = {thread % blockDim.x, thread / blockDim.x % blockDim.y, thread / blockDim.x / blockDim.y};
}

// Back to the scheduler, until this fiber is resumed.
static void give_way() {
    if (_setjmp(current->place) == 0) _longjmp(scheduler, 1);
}

static void wait(Barrier &barrier) {
    unsigned round = barrier.round, thread = me;
    if (++barrier.arrived == barrier.members) {
        barrier.arrived = 0;
        barrier.round++;
        return;
    }
    current->barrier = &barrier;
    current->round = round;
    give_way();
    become(thread);
}

static void run_threads() {
    for (;;) {
        while (begun < threads) {
            become(backwards ? threads - 1 - begun : begun);
            begun++;
            kernel(arguments);
            // A thread that has ended keeps nobody waiting, but nobody may be waiting when it ends.
            if (block.arrived != 0) fail("a thread ended where others wait for it");
            block.members--;
            warps[me / WARP].members--;
        }
        current->barrier = nullptr;
        give_way();
    }
}

// Lets `fiber` run until a thread on it waits or none is left to begin.
static void resume(Fiber *fiber) {
    current = fiber;
    if (_setjmp(scheduler) != 0) return;
    if (!fiber->stack.empty()) _longjmp(fiber->place, 1);
    fiber->stack.resize(256 << 10);
    getcontext(&fiber->start);
    fiber->start.uc_stack.ss_sp = fiber->stack.data();
    fiber->start.uc_stack.ss_size = fiber->stack.size();
    makecontext(&fiber->start, run_threads, 0);
    setcontext(&fiber->start);
}

static void run_block() {
    begun = 0;
    block = Barrier{threads, 0, 0};
    warps.clear();
    for (unsigned first = 0; first < threads; first += WARP)
        warps.push_back(Barrier{threads - first < WARP ? threads - first : WARP, 0, 0});
    std::vector<Fiber *> waiting, next;
    auto run = [&](Fiber *fiber) {
        resume(fiber);
        (fiber->barrier ? next : resting).push_back(fiber);
    };
    while (begun < threads || !waiting.empty()) {
        bool moved = begun < threads;
        for (Fiber *fiber : waiting) {
            bool free = fiber->barrier->round != fiber->round;
            moved |= free;
            if (free) run(fiber);
            else next.push_back(fiber);
        }
        while (begun < threads) {
            if (resting.empty()) resting.push_back(new Fiber);
            Fiber *fiber = resting.back();
            resting.pop_back();
            run(fiber);
        }
        if (!moved) fail("all threads wait for one that does not come");
        waiting.swap(next);
        next.clear();
    }
}

static void run_blocks(Place grid, Place size, void (*body)(void *), void *data) {
    kernel = body;
    arguments = data;
    gridDim = grid;
    blockDim = size;
    threads = size.x * size.y * size.z;
    if (threads == 0 || threads > 1024) fail("a block has 1 to 1024 threads");
    handed[0].resize(threads);
    handed[1].resize(threads);
    size_t blocks = (size_t)grid.x * grid.y * grid.z;
    for (size_t k = 0; k < blocks; k++) {
        size_t at = backwards ? blocks - 1 - k : k;
        blockIdx = {(unsigned)(at % grid.x), (unsigned)(at / grid.x % grid.y), (unsigned)(at / grid.x / grid.y)};
        run_block();
    }
}

}  // namespace host

static inline void __syncthreads() { host::wait(host::block); }

template <typename T> static inline T __shfl_xor_sync(unsigned mask, T value, int step, int = 32) {
    if (mask != 0xffffffffu) host::fail("a shuffle of a part of a warp");
    host::Barrier &warp = host::warps[host::me / host::WARP];
    std::vector<host::Lane> &handed = host::handed[warp.round % 2];
    unsigned from = host::me ^ step;
    std::memcpy(&handed[host::me], &value, sizeof value);
    host::wait(warp);
    // A lane that the block does not have hands over nothing.
    if (from < host::threads) std::memcpy(&value, &handed[from], sizeof value);
    return value;
}

static inline int min(int a, int b) { return a < b ? a : b; }
static inline int max(int a, int b) { return a > b ? a : b; }
static inline unsigned __float_as_uint(float x) { unsigned y; std::memcpy(&y, &x, 4); return y; }
static inline float __uint_as_float(unsigned x) { float y; std::memcpy(&y, &x, 4); return y; }
static inline float __int_as_float(int x) { return __uint_as_float((unsigned)x); }
// One rounding each: the compiler is told to fuse nothing.
static inline float __fadd_rn(float a, float b) { return a + b; }
static inline float __fsub_rn(float a, float b) { return a - b; }
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __fdiv_rn(float a, float b) { return a / b; }
static inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }

static inline float float_of_half(unsigned short bits) {
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    float size = exponent == 31 ? (fraction ? NAN : INFINITY)
               : exponent ? std::ldexp(1024.0f + fraction, exponent - 25) : std::ldexp((float)fraction, -24);
    return bits & 0x8000 ? -size : size;
}

static inline unsigned short half_of_float(float x) {
    unsigned short sign = std::signbit(x) ? 0x8000 : 0;
    float size = std::fabs(x);
    if (std::isnan(x)) return sign | 0x7e00;
    if (size >= 65520.0f) return sign | 0x7c00;
    int exponent = size < 6.103515625e-5f ? -14 : std::ilogb(size);
    // In units of the last place, which `nearbyint` rounds to even; 1024 carries into the exponent.
    int units = (int)std::nearbyint(std::ldexp(size, 10 - exponent));
    return sign | (units < 1024 ? units : ((exponent + 14) << 10) + units);
}

// Runs `body` for every thread of a grid; `backwards` is the order in which threads and blocks take turns.
extern "C" void run_grid(unsigned blocks, unsigned threads, int backwards, void (*body)(void *), void *data) {
    if (threads % host::WARP != 0) host::fail("these kernels' blocks are of whole warps");
    host::backwards = backwards;
    host::run_blocks({blocks, 1, 1}, {threads, 1, 1}, body, data);
}
