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

#define SOFTMAXES(T, NAME)                                                                                   \
    extern "C" __global__ void softmax_##NAME(const T *x, T *y, int rows, int n) { softmax(x, y, rows, n); } \
    extern "C" __global__ void softmax_grad_##NAME(const T *p, const T *dp, T *dx, int rows, int n) {        \
        softmax_grad(p, dp, dx, rows, n);                                                                    \
    }
OF_EACH_FLOAT(SOFTMAXES)
