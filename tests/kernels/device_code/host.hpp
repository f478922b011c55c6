// The words of CUDA that the kernels use, for a C++ compiler: a block's threads are fibers that take turns, so that
// barriers and shuffles mean what they mean on a card. Blocks run one after the other.
#include <cmath>
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
struct Fiber { ucontext_t context; std::vector<char> stack; bool done; };

static const unsigned WARP = 32;
static ucontext_t scheduler;
static std::vector<Fiber> fibers;
static Barrier block;
static std::vector<Barrier> warps;
// What the lanes of each warp hand over, for two shuffles in a row.
static std::vector<float> handed[2];
static unsigned moved;
static void (*kernel)(void *);
static void *arguments;

static void fail(const char *why) {
    std::fprintf(stderr, "a kernel on the host: %s\n", why);
    std::abort();
}

static void next() { swapcontext(&fibers[threadIdx.x].context, &scheduler); }

static void wait(Barrier &barrier) {
    unsigned round = barrier.round, me = threadIdx.x;
    moved++;
    if (++barrier.arrived == barrier.members) {
        barrier.arrived = 0;
        barrier.round++;
    }
    while (barrier.round == round) {
        next();
        threadIdx.x = me;
    }
}

static void entry() {
    kernel(arguments);
    fibers[threadIdx.x].done = true;
    moved++;
    // A thread that has ended keeps nobody waiting, but nobody may be waiting when it ends.
    if (block.arrived != 0) fail("a thread ended where others wait for it");
    block.members--;
    warps[threadIdx.x / WARP].members--;
    next();
}

}  // namespace host

static inline void __syncthreads() { host::wait(host::block); }

static inline float __shfl_xor_sync(unsigned mask, float value, int step) {
    if (mask != 0xffffffffu) host::fail("a shuffle of a part of a warp");
    host::Barrier &warp = host::warps[threadIdx.x / host::WARP];
    std::vector<float> &handed = host::handed[warp.round % 2];
    handed[threadIdx.x] = value;
    host::wait(warp);
    return handed[threadIdx.x ^ step];
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
    using namespace host;
    if (threads == 0 || threads % WARP != 0 || threads > 1024) fail("blocks are of whole warps, up to 1024 threads");
    kernel = body;
    arguments = data;
    gridDim = {blocks, 1, 1};
    blockDim = {threads, 1, 1};
    fibers.resize(threads);
    handed[0].resize(threads);
    handed[1].resize(threads);
    for (unsigned k = 0; k < blocks; k++) {
        blockIdx = {backwards ? blocks - 1 - k : k, 0, 0};
        block = Barrier{threads, 0, 0};
        warps.assign(threads / WARP, Barrier{WARP, 0, 0});
        for (Fiber &fiber : fibers) {
            fiber.stack.resize(64 << 10);
            fiber.done = false;
            getcontext(&fiber.context);
            fiber.context.uc_stack.ss_sp = fiber.stack.data();
            fiber.context.uc_stack.ss_size = fiber.stack.size();
            fiber.context.uc_link = &scheduler;
            makecontext(&fiber.context, entry, 0);
        }
        for (unsigned left = threads; left > 0;) {
            moved = 0;
            for (unsigned j = 0; j < threads; j++) {
                threadIdx = {backwards ? threads - 1 - j : j, 0, 0};
                Fiber &fiber = fibers[threadIdx.x];
                if (fiber.done) continue;
                swapcontext(&scheduler, &fiber.context);
                left -= fiber.done;
            }
            if (left > 0 && moved == 0) fail("all threads wait for one that does not come");
        }
    }
}
