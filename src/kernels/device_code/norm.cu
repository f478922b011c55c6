// Both affine maps of normalised values: of `channels`, with rows `own` apart for each image (0 where all have one), then times
// 1 + scale and plus shift of every image, with rows `row` apart; both of them may be null.
struct Affine {
    const float *weight, *bias, *scale, *shift;
    int channels, own, row;

    __device__ __forceinline__ float by(int image, int c) const { return scale ? scale[(size_t)image * row + c] + 1.0f : 1.0f; }
    __device__ __forceinline__ float gain(int image, int c) const { return by(image, c) * weight[(size_t)image * own + c]; }
    __device__ __forceinline__ float offset(int image, int c) const {
        return by(image, c) * bias[(size_t)image * own + c] + (shift ? shift[(size_t)image * row + c] : 0.0f);
    }
};

// One block for each group of each image: `width` channels of `plane` values, a multiple of 4.
template <class T>
__device__ void group_norm(const T *x, Affine affine, T *y, float *stats, int plane, int width, int silu, float eps) {
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
    int groups = affine.channels / width, image = blockIdx.x / groups, first = blockIdx.x % groups * width;
    for (int i = threadIdx.x; i < n; i += blockDim.x) {
        int c = first + 4 * i / plane;
        float a = rstd * affine.gain(image, c), b = affine.offset(image, c);
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

#define NORMS(T, NAME)                                                                                                   \
    extern "C" __global__ void group_norm_##NAME(const T *x, const float *weight, const float *bias, const float *scale, \
                                                 const float *shift, int channels, int own, int row, T *y, float *stats, \
                                                 int plane, int width, int silu, float eps) {                            \
        Affine affine = {weight, bias, scale, shift, channels, own, row};                                                \
        group_norm(x, affine, y, stats, plane, width, silu, eps);                                                        \
    }                                                                                                                    \
    extern "C" __global__ void group_norm_grad_##NAME(const T *x, const float *gain, const float *offset,                \
                                                      const float *stats, const T *dy, T *dx, float *dgain,              \
                                                      float *doffset, int plane, int width, int silu) {                  \
        group_norm_grad(x, gain, offset, stats, dy, dx, dgain, doffset, plane, width, silu);                             \
    }
OF_EACH_FLOAT(NORMS)
