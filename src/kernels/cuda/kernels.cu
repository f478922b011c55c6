// The GPU's side of the kernels that candle has no one operation for, compiled when a device is first used.
//
// Halves travel as their bits, so that no header is needed; every sum is in f32, in an order that depends on the sizes
// alone, so that a result has the same bits in every run.

struct F16 { unsigned short bits; };
struct BF16 { unsigned short bits; };

__device__ __forceinline__ float widen(float x) { return x; }
__device__ __forceinline__ float widen(F16 x) {
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
    return y;
}
__device__ __forceinline__ float widen(BF16 x) { return __uint_as_float((unsigned)x.bits << 16); }

__device__ __forceinline__ void narrow(float x, float &y) { y = x; }
__device__ __forceinline__ void narrow(float x, F16 &y) { asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x)); }
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

// One block for each group of each image: `width` channels of `plane` values, a multiple of 4.
template <class T>
__device__ void group_norm(const T *x, const float *gain, const float *offset, T *y, float *stats, int plane, int width,
                           int silu, float eps) {
    int n = plane * width / 4;
    const Four<T> *in = (const Four<T> *)x + (long long)blockIdx.x * n;
    Four<T> *out = (Four<T> *)y + (long long)blockIdx.x * n;
    float sum = 0.0f;
    for (int i = threadIdx.x; i < n; i += blockDim.x) {
        Four<T> v = in[i];
        sum += (widen(v.at[0]) + widen(v.at[1])) + (widen(v.at[2]) + widen(v.at[3]));
    }
    float mean = block_sum(sum) / (4.0f * n), squares = 0.0f;
    for (int i = threadIdx.x; i < n; i += blockDim.x) {
        Four<T> v = in[i];
        for (int k = 0; k < 4; k++) {
            float d = widen(v.at[k]) - mean;
            squares += d * d;
        }
    }
    float rstd = 1.0f / sqrtf(block_sum(squares) / (4.0f * n) + eps);
    if (threadIdx.x == 0) {
        stats[2 * blockIdx.x] = mean;
        stats[2 * blockIdx.x + 1] = rstd;
    }
    for (int i = threadIdx.x; i < n; i += blockDim.x) {
        int c = blockIdx.x * width + 4 * i / plane;
        float a = rstd * gain[c], b = offset[c];
        Four<T> v = in[i];
        for (int k = 0; k < 4; k++) {
            float z = (widen(v.at[k]) - mean) * a + b;
            narrow(silu ? z * sigmoid(z) : z, v.at[k]);
        }
        out[i] = v;
    }
}

// dz of dy where d = x - mean and z = a d + b.
__device__ __forceinline__ float norm_slope(float d, float dy, float a, float b, int silu) {
    if (!silu) return dy;
    float z = d * a + b, s = sigmoid(z);
    return dy * s * (1.0f + z * (1.0f - s));
}

template <class T>
__device__ void group_norm_grad(const T *x, const float *gain, const float *offset, const float *stats, const T *dy, T *dx,
                                float *dgain, float *doffset, int plane, int width, int silu) {
    int n = plane * width / 4, quarter = plane / 4;
    long long from = (long long)blockIdx.x * n;
    const Four<T> *in = (const Four<T> *)x + from, *slope = (const Four<T> *)dy + from;
    Four<T> *out = (Four<T> *)dx + from;
    float mean = stats[2 * blockIdx.x], rstd = stats[2 * blockIdx.x + 1], first = 0.0f, second = 0.0f;
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, warps = blockDim.x >> 5;
    for (int c = warp; c < width; c += warps) {
        int channel = blockIdx.x * width + c;
        float a = rstd * gain[channel], b = offset[channel], level = 0.0f, tilt = 0.0f;
        for (int i = lane; i < quarter; i += 32) {
            Four<T> v = in[c * quarter + i], g = slope[c * quarter + i];
            for (int k = 0; k < 4; k++) {
                float d = widen(v.at[k]) - mean, dz = norm_slope(d, widen(g.at[k]), a, b, silu);
                level += dz;
                tilt += dz * d;
            }
        }
        level = warp_sum(level);
        tilt = warp_sum(tilt);
        if (lane == 0) {
            doffset[channel] = level;
            dgain[channel] = tilt * rstd;
            first += level * gain[channel];
            second += tilt * gain[channel];
        }
    }
    // The mean and the variance depend on every value of the group too.
    float level = rstd * block_sum(first) / (4.0f * n);
    float tilt = rstd * rstd * rstd * block_sum(second) / (4.0f * n);
    for (int i = threadIdx.x; i < n; i += blockDim.x) {
        int c = blockIdx.x * width + i / quarter;
        float a = rstd * gain[c], b = offset[c];
        Four<T> v = in[i], g = slope[i];
        for (int k = 0; k < 4; k++) {
            float d = widen(v.at[k]) - mean, dz = norm_slope(d, widen(g.at[k]), a, b, silu);
            narrow(a * dz - tilt * d - level, v.at[k]);
        }
        out[i] = v;
    }
}

// A warp for each row of `n` values; rows of up to 1024 are read once.
template <class T> __device__ void softmax(const T *x, T *y, int rows, int n) {
    int row = blockIdx.x * (blockDim.x >> 5) + (threadIdx.x >> 5), lane = threadIdx.x & 31;
    if (row >= rows) return;
    x += (long long)row * n;
    y += (long long)row * n;
    float most = __int_as_float(0xff800000), sum = 0.0f;
    if (n % 4 == 0 && n <= 1024) {
        const Four<T> *in = (const Four<T> *)x;
        Four<T> *out = (Four<T> *)y;
        float kept[8][4];
#pragma unroll
        for (int i = 0; i < 8; i++) {
            int at = i * 32 + lane;
            if (4 * at >= n) break;
            Four<T> v = in[at];
#pragma unroll
            for (int k = 0; k < 4; k++) most = fmaxf(most, kept[i][k] = widen(v.at[k]));
        }
        most = warp_max(most);
#pragma unroll
        for (int i = 0; i < 8; i++) {
            if (4 * (i * 32 + lane) >= n) break;
#pragma unroll
            for (int k = 0; k < 4; k++) sum += kept[i][k] = expf(kept[i][k] - most);
        }
        float scale = 1.0f / warp_sum(sum);
#pragma unroll
        for (int i = 0; i < 8; i++) {
            int at = i * 32 + lane;
            if (4 * at >= n) break;
            Four<T> v;
#pragma unroll
            for (int k = 0; k < 4; k++) narrow(kept[i][k] * scale, v.at[k]);
            out[at] = v;
        }
        return;
    }
    for (int i = lane; i < n; i += 32) most = fmaxf(most, widen(x[i]));
    most = warp_max(most);
    for (int i = lane; i < n; i += 32) sum += expf(widen(x[i]) - most);
    float scale = 1.0f / warp_sum(sum);
    for (int i = lane; i < n; i += 32) narrow(expf(widen(x[i]) - most) * scale, y[i]);
}

template <class T> __device__ void softmax_grad(const T *p, const T *dp, T *dx, int rows, int n) {
    int row = blockIdx.x * (blockDim.x >> 5) + (threadIdx.x >> 5), lane = threadIdx.x & 31;
    if (row >= rows) return;
    p += (long long)row * n;
    dp += (long long)row * n;
    dx += (long long)row * n;
    float sum = 0.0f;
    if (n % 4 == 0) {
        const Four<T> *values = (const Four<T> *)p, *slopes = (const Four<T> *)dp;
        Four<T> *out = (Four<T> *)dx;
        for (int i = lane; i < n / 4; i += 32) {
            Four<T> v = values[i], g = slopes[i];
            for (int k = 0; k < 4; k++) sum += widen(v.at[k]) * widen(g.at[k]);
        }
        sum = warp_sum(sum);
        for (int i = lane; i < n / 4; i += 32) {
            Four<T> v = values[i], g = slopes[i];
            for (int k = 0; k < 4; k++) narrow(widen(v.at[k]) * (widen(g.at[k]) - sum), v.at[k]);
            out[i] = v;
        }
        return;
    }
    for (int i = lane; i < n; i += 32) sum += widen(p[i]) * widen(dp[i]);
    sum = warp_sum(sum);
    for (int i = lane; i < n; i += 32) narrow(widen(p[i]) * (widen(dp[i]) - sum), dx[i]);
}

// Adds its channel's bias to each value of maps [.., channels, plane], and cuts off what is negative where asked.
template <class T>
__device__ void add_bias(T *y, const T *bias, unsigned plane, unsigned channels, unsigned count, int relu) {
    unsigned first = blockIdx.x * blockDim.x + threadIdx.x, stride = gridDim.x * blockDim.x;
    if (plane % 4 == 0) {
        Four<T> *fours = (Four<T> *)y;
        for (unsigned i = first; i < count / 4; i += stride) {
            float b = widen(bias[i / (plane / 4) % channels]);
            Four<T> v = fours[i];
            for (int k = 0; k < 4; k++) {
                float z = widen(v.at[k]) + b;
                narrow(relu ? fmaxf(z, 0.0f) : z, v.at[k]);
            }
            fours[i] = v;
        }
        return;
    }
    for (unsigned i = first; i < count; i += stride) {
        float z = widen(y[i]) + widen(bias[i / plane % channels]);
        narrow(relu ? fmaxf(z, 0.0f) : z, y[i]);
    }
}

// A block for each channel: the sum of its planes over n images of [channels, plane].
template <class T> __device__ void bias_grad(const T *dy, T *db, int n, int channels, int plane) {
    float sum = 0.0f;
    int fours = plane % 4 == 0, each = fours ? plane / 4 : plane;
    for (int k = threadIdx.x; k < n * each; k += blockDim.x) {
        const T *row = dy + ((size_t)(k / each) * channels + blockIdx.x) * plane;
        if (fours) {
            Four<T> v = ((const Four<T> *)row)[k % each];
            sum += (widen(v.at[0]) + widen(v.at[1])) + (widen(v.at[2]) + widen(v.at[3]));
        } else {
            sum += widen(row[k % each]);
        }
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) narrow(sum, db[blockIdx.x]);
}

// Sums of 2 x 2 values of planes h x w, times `factor`; a last odd row or column is left out.
template <class T> __device__ void shrink(const T *x, T *y, unsigned h, unsigned w, unsigned count, float factor) {
    unsigned stride = gridDim.x * blockDim.x, half_w = w / 2, small = half_w * (h / 2);
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += stride) {
        unsigned at = i % small, row = at / half_w, column = at % half_w;
        const T *corner = x + (size_t)(i / small) * h * w + 2 * row * w + 2 * column;
        float sum = (widen(corner[0]) + widen(corner[1])) + (widen(corner[w]) + widen(corner[w + 1]));
        narrow(sum * factor, y[i]);
    }
}

// Each value of planes half as large times `factor` to 2 x 2 of planes h x w; zeros where there is none.
template <class T> __device__ void grow(const T *x, T *y, unsigned h, unsigned w, unsigned count, float factor) {
    unsigned stride = gridDim.x * blockDim.x, half_h = h / 2, half_w = w / 2;
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += stride) {
        unsigned at = i % (h * w), row = at / w / 2, column = at % w / 2;
        bool there = row < half_h && column < half_w;
        float v = there ? widen(x[i / (h * w) * half_h * half_w + row * half_w + column]) : 0.0f;
        narrow(v * factor, y[i]);
    }
}

// Maxima or means of the 3 x 3 values around pixels `stride` apart of planes h x w, which reach `pad` over the edges; what
// is not there does not count.
template <class T>
__device__ void pool3(const T *x, T *y, int h, int w, int out_h, int out_w, int stride, int pad, int mean, unsigned count) {
    unsigned step = gridDim.x * blockDim.x, plane = out_h * out_w;
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += step) {
        const T *in = x + (size_t)(i / plane) * h * w;
        int top = (int)(i % plane) / out_w * stride - pad, left = (int)(i % plane) % out_w * stride - pad;
        float most = __int_as_float(0xff800000), sum = 0.0f;
        int there = 0;
        for (int r = max(top, 0); r < min(top + 3, h); r++)
            for (int c = max(left, 0); c < min(left + 3, w); c++, there++) {
                float v = widen(in[r * w + c]);
                most = fmaxf(most, v);
                sum += v;
            }
        narrow(mean ? sum / there : most, y[i]);
    }
}

__device__ __forceinline__ float adamw_weight(float p, float m, float v, float decay, float rate, float root, float eps) {
    return p * decay - rate * m / (sqrtf(v) * root + eps);
}

// Of state [3, n]: first moments, second moments, EMA.
extern "C" __global__ void adamw_track_f32(float *state, const float *grad, const float *weight, int n, float rest1,
                                           float beta2, float rest2, float decay, float rate, float root, float eps, float ema) {
    float *first = state, *second = state + n, *mean = state + 2 * (long long)n;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
        float g = grad[i], m = first[i], v = second[i] * beta2 + g * g * rest2;
        m += (g - m) * rest1;
        first[i] = m;
        second[i] = v;
        mean[i] += (adamw_weight(weight[i], m, v, decay, rate, root, eps) - mean[i]) * ema;
    }
}

extern "C" __global__ void adamw_apply_f32(float *weight, const float *state, int n, float rest1, float beta2,
                                           float rest2, float decay, float rate, float root, float eps, float ema) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
        weight[i] = adamw_weight(weight[i], state[i], state[i + n], decay, rate, root, eps);
}

#define OF_TYPE(T, NAME)                                                                                                 \
    extern "C" __global__ void group_norm_##NAME(const T *x, const float *gain, const float *offset, T *y, float *stats, \
                                                 int plane, int width, int silu, float eps) {                            \
        group_norm(x, gain, offset, y, stats, plane, width, silu, eps);                                                  \
    }                                                                                                                    \
    extern "C" __global__ void group_norm_grad_##NAME(const T *x, const float *gain, const float *offset,                \
                                                      const float *stats, const T *dy, T *dx, float *dgain,              \
                                                      float *doffset, int plane, int width, int silu) {                  \
        group_norm_grad(x, gain, offset, stats, dy, dx, dgain, doffset, plane, width, silu);                             \
    }                                                                                                                    \
    extern "C" __global__ void softmax_##NAME(const T *x, T *y, int rows, int n) { softmax(x, y, rows, n); }             \
    extern "C" __global__ void softmax_grad_##NAME(const T *p, const T *dp, T *dx, int rows, int n) {                    \
        softmax_grad(p, dp, dx, rows, n);                                                                                \
    }                                                                                                                    \
    extern "C" __global__ void add_bias_##NAME(T *y, const T *bias, int plane, int channels, int count, int relu) {      \
        add_bias(y, bias, plane, channels, count, relu);                                                                 \
    }                                                                                                                    \
    extern "C" __global__ void bias_grad_##NAME(const T *dy, T *db, int n, int channels, int plane) {                    \
        bias_grad(dy, db, n, channels, plane);                                                                           \
    }                                                                                                                    \
    extern "C" __global__ void shrink_##NAME(const T *x, T *y, int h, int w, int count, float factor) {                  \
        shrink(x, y, h, w, count, factor);                                                                               \
    }                                                                                                                    \
    extern "C" __global__ void grow_##NAME(const T *x, T *y, int h, int w, int count, float factor) {                    \
        grow(x, y, h, w, count, factor);                                                                                 \
    }                                                                                                                    \
    extern "C" __global__ void pool3_##NAME(const T *x, T *y, int h, int w, int out_h, int out_w, int stride, int pad,   \
                                            int mean, int count) {                                                       \
        pool3(x, y, h, w, out_h, out_w, stride, pad, mean, count);                                                       \
    }

OF_TYPE(float, f32)
OF_TYPE(F16, f16)
OF_TYPE(BF16, bf16)
