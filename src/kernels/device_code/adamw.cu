// AdamW and the EMA of many tensors, by the rule of `stages::train::optimizer::update`: of each the weights [n], and of state
// [3, n] the first moments, the second moments and the EMA, in one pass over memory. A block has 4096 elements of one tensor.
struct Moving {
    float *weight, *state;
    const float *grad;
    unsigned long long n, first;
};

extern "C" __global__ void adamw_f32(const Moving *all, int count, float rest1, float beta2, float rest2, float decay,
                                     float rate, float root, float eps, float ema) {
    // The last tensor whose first block is not behind this one; those without elements share theirs with the next.
    int low = 0, high = count - 1;
    while (low < high) {
        int middle = (low + high + 1) / 2;
        if (all[middle].first <= blockIdx.x) low = middle;
        else high = middle - 1;
    }
    Moving t = all[low];
    float *first = t.state, *second = t.state + t.n, *mean = t.state + 2 * t.n;
    unsigned long long start = (blockIdx.x - t.first) * 4096, end = start + 4096 < t.n ? start + 4096 : t.n;
    for (unsigned long long i = start + threadIdx.x; i < end; i += blockDim.x) {
        float g = t.grad[i], m = first[i], v = second[i] * beta2 + g * g * rest2;
        m += (g - m) * rest1;
        float p = t.weight[i] * decay - rate * m / (sqrtf(v) * root + eps);
        first[i] = m;
        second[i] = v;
        t.weight[i] = p;
        mean[i] += (p - mean[i]) * ema;
    }
}
