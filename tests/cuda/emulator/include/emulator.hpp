// More words of CUDA: those of candle's kernels, and how a kernel is called with what a launch has.
#include <cassert>
#include <cstdint>
#include <limits>
#include <tuple>
#include <type_traits>
#include <utility>

#define __CUDA_ARCH__ 800
#define CUDA_VERSION 13000
#define __CUDACC_VER_MAJOR__ 13
#define __CUDACC_VER_MINOR__ 0
#define __launch_bounds__(...)
#define __restrict__
#define __host__

struct float2 { float x, y; };
struct float4 { float x, y, z, w; };
static inline float2 make_float2(float x, float y) { return {x, y}; }

using std::isnan;
using std::signbit;
static inline unsigned min(unsigned a, unsigned b) { return a < b ? a : b; }
static inline unsigned max(unsigned a, unsigned b) { return a > b ? a : b; }
static inline long long min(long long a, long long b) { return a < b ? a : b; }
static inline long long max(long long a, long long b) { return a > b ? a : b; }
static inline size_t min(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t max(size_t a, size_t b) { return a > b ? a : b; }
static inline int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t max(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int __float_as_int(float x) { return (int)__float_as_uint(x); }
static inline long long __double_as_longlong(double x) { long long y; std::memcpy(&y, &x, 8); return y; }
static inline double __longlong_as_double(long long x) { double y; std::memcpy(&y, &x, 8); return y; }
static inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
static inline double normcdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }
static inline float normcdff(float x) { return (float)normcdf((double)x); }

// One thread runs at a time.
#define EMULATED_ATOMIC(name, result) \
    template <typename T, typename U> static inline T name(T *to, U given) { T old = *to, value = (T)given; *to = result; return old; }
EMULATED_ATOMIC(atomicAdd, old + value)
EMULATED_ATOMIC(atomicMax, value > old ? value : old)
EMULATED_ATOMIC(atomicMin, value < old ? value : old)
template <typename T> static inline T atomicCAS(T *to, T was, T value) { T old = *to; if (old == was) *to = value; return old; }

namespace emulator {

template <typename... A, size_t... I> static void call(void (*kernel)(A...), void **a, std::index_sequence<I...>) {
    kernel(*(std::remove_reference_t<A> *)a[I]...);
}

template <typename... A> static void call(void (*kernel)(A...), void **a) {
    call(kernel, a, std::index_sequence_for<A...>{});
}

}  // namespace emulator

extern "C" void emulator_run(const Place *grid, const Place *block, void (*call)(void **), void **arguments) {
    host::backwards = false;
    host::run_blocks(*grid, *block, (void (*)(void *))call, arguments);
}
