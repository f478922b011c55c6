// AdamW and the EMA, by the rule of `stages::train::optimizer::update`.
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
