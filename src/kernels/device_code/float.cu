// The three types of float, and sums over the threads of a warp and of a block.
//
// Halves travel as their bits, so that no header is needed; every sum is in f32, in an order that depends on the sizes
// alone, so that a result has the same bits in every run. What is no CUDA compiles too, for tests without a GPU: there the
// two conversions of halves come from whoever compiles.

struct F16 { unsigned short bits; };
struct BF16 { unsigned short bits; };

__device__ __forceinline__ float widen(float x) { return x; }
__device__ __forceinline__ float widen(F16 x) {
#ifdef __CUDACC__
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
    return y;
#else
    return float_of_half(x.bits);
#endif
}
__device__ __forceinline__ float widen(BF16 x) { return __uint_as_float((unsigned)x.bits << 16); }

__device__ __forceinline__ void narrow(float x, float &y) { y = x; }
__device__ __forceinline__ void narrow(float x, F16 &y) {
#ifdef __CUDACC__
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
#else
    y.bits = half_of_float(x);
#endif
}
__device__ __forceinline__ void narrow(float x, BF16 &y) {
    unsigned bits = __float_as_uint(x);
    // To the nearest, ties to even; a NaN stays one.
    unsigned rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
    y.bits = (unsigned short)((x != x ? bits | 0x400000u : rounded) >> 16);
}

// Four values that lie side by side, read and written at once.
template <class T> struct alignas(4 * sizeof(T)) Four { T at[4]; };

__device__ __forceinline__ float sigmoid(float z) { return 1.0f / (1.0f + expf(-z)); }

__device__ __forceinline__ float warp_sum(float v) {
    for (int step = 16; step > 0; step >>= 1) v += __shfl_xor_sync(0xffffffffu, v, step);
    return v;
}
__device__ __forceinline__ float warp_max(float v) {
    for (int step = 16; step > 0; step >>= 1) v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, step));
    return v;
}

// The sum over a block of whole warps, known to all its threads.
__device__ __forceinline__ float block_sum(float v) {
    __shared__ float parts[32];
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, warps = blockDim.x >> 5;
    v = warp_sum(v);
    __syncthreads();
    if (lane == 0) parts[warp] = v;
    __syncthreads();
    return warp_sum(lane < warps ? parts[lane] : 0.0f);
}

// A kernel for each type of float: what `MAKE` makes of the type and of its name. A program may ask for those of one type alone,
// which compile in less than half of the time.
#if defined(ONLY_f32)
#define OF_EACH_FLOAT(MAKE) MAKE(float, f32)
#elif defined(ONLY_f16)
#define OF_EACH_FLOAT(MAKE) MAKE(F16, f16)
#elif defined(ONLY_bf16)
#define OF_EACH_FLOAT(MAKE) MAKE(BF16, bf16)
#else
#define OF_EACH_FLOAT(MAKE) MAKE(float, f32) MAKE(F16, f16) MAKE(BF16, bf16)
#endif
