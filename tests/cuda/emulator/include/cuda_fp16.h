// Halves: every operation in f32, rounded to even.
#pragma once

namespace emulator {

static inline unsigned short bf16_of_float(float x) {
    unsigned bits = __float_as_uint(x);
    if (std::isnan(x)) return (unsigned short)(bits >> 16 | 0x40);
    return (unsigned short)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
static inline float float_of_bf16(unsigned short bits) { return __uint_as_float((unsigned)bits << 16); }

template <unsigned short (*ROUND)(float), float (*WIDEN)(unsigned short)> struct Half {
    unsigned short bits;
    Half() = default;
    template <typename T, typename = std::enable_if_t<std::is_arithmetic_v<T>>> Half(T x) : bits(ROUND((float)x)) {}
    operator float() const { return WIDEN(bits); }
    Half &operator+=(Half x) { return *this = Half((float)*this + (float)x); }
    Half &operator*=(Half x) { return *this = Half((float)*this * (float)x); }
    Half operator-() const { return Half(-(float)*this); }
    static Half of(unsigned short bits) { Half x; x.bits = bits; return x; }
};

#define EMULATED_OPERATION(op) \
    template <unsigned short (*R)(float), float (*W)(unsigned short)> \
    static inline Half<R, W> operator op(Half<R, W> a, Half<R, W> b) { return Half<R, W>((float)a op(float) b); }
EMULATED_OPERATION(+)
EMULATED_OPERATION(-)
EMULATED_OPERATION(*)
EMULATED_OPERATION(/)
#define EMULATED_COMPARISON(op) \
    template <unsigned short (*R)(float), float (*W)(unsigned short)> \
    static inline bool operator op(Half<R, W> a, Half<R, W> b) { return (float)a op(float) b; }
EMULATED_COMPARISON(==)
EMULATED_COMPARISON(!=)
EMULATED_COMPARISON(<)
EMULATED_COMPARISON(<=)
EMULATED_COMPARISON(>)
EMULATED_COMPARISON(>=)

}  // namespace emulator

typedef emulator::Half<half_of_float, float_of_half> __half;
typedef emulator::Half<emulator::bf16_of_float, emulator::float_of_bf16> __nv_bfloat16;
typedef __half half;
struct __half2 { __half x, y; };
struct __nv_bfloat162 { __nv_bfloat16 x, y; };

static inline float __half2float(__half x) { return x; }
static inline __half __float2half(float x) { return x; }
static inline unsigned short __half_as_ushort(__half x) { return x.bits; }
static inline __half __ushort_as_half(unsigned short x) { return __half::of(x); }
static inline float __bfloat162float(__nv_bfloat16 x) { return x; }
static inline __nv_bfloat16 __float2bfloat16(float x) { return x; }
static inline __nv_bfloat16 __float2bfloat16_rn(float x) { return x; }
static inline __nv_bfloat162 __hadd2(__nv_bfloat162 a, __nv_bfloat162 b) { return {a.x + b.x, a.y + b.y}; }
static inline __nv_bfloat162 __hmul2(__nv_bfloat162 a, __nv_bfloat162 b) { return {a.x * b.x, a.y * b.y}; }

#define EMULATED_FUNCTION(name, result) template <typename T> static inline T name(T a) { float x = a; return T(result); }
EMULATED_FUNCTION(hsqrt, std::sqrt(x))
EMULATED_FUNCTION(hcos, std::cos(x))
EMULATED_FUNCTION(hsin, std::sin(x))
EMULATED_FUNCTION(hexp, std::exp(x))
EMULATED_FUNCTION(hlog, std::log(x))
EMULATED_FUNCTION(hceil, std::ceil(x))
EMULATED_FUNCTION(hfloor, std::floor(x))
EMULATED_FUNCTION(hrcp, 1.0f / x)
EMULATED_FUNCTION(__habs, std::fabs(x))
template <typename T> static inline bool __hisnan(T x) { return std::isnan((float)x); }
template <typename T> static inline T __hmax_nan(T a, T b) { return __hisnan(a) ? a : __hisnan(b) ? b : a > b ? a : b; }
template <typename T> static inline T __hmin_nan(T a, T b) { return __hisnan(a) ? a : __hisnan(b) ? b : a < b ? a : b; }
