// AdamW and the EMA, by the rule of `stages::train::optimizer::update`: the weights [n], and of state [3, n] the first moments,
// the second moments and the EMA, in one pass over memory.
extern "C" __global__ void adamw_f32(float *weight, float *state, const float *grad, int n, float rest1, float beta2,
                                     float rest2, float decay, float rate, float root, float eps, float ema) {
    float *first = state, *second = state + n, *mean = state + 2 * (long long)n;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
        float g = grad[i], m = first[i], v = second[i] * beta2 + g * g * rest2;
        m += (g - m) * rest1;
        float p = weight[i] * decay - rate * m / (sqrtf(v) * root + eps);
        first[i] = m;
        second[i] = v;
        weight[i] = p;
        mean[i] += (p - mean[i]) * ema;
    }
}
