// Adds its channel's bias to each value of maps [.., channels, plane], cuts off what is negative where asked, and adds `more` of
// the same sizes where there is one.
template <class T>
__device__ void add_bias(T *y, const T *bias, const T *more, unsigned plane, unsigned channels, unsigned count, int relu) {
    unsigned first = blockIdx.x * blockDim.x + threadIdx.x, stride = gridDim.x * blockDim.x;
    if (plane % 4 == 0) {
        Four<T> *fours = (Four<T> *)y;
        for (unsigned i = first; i < count / 4; i += stride) {
            float b = widen(bias[i / (plane / 4) % channels]);
            Four<T> v = fours[i], m = v;
            if (more) m = ((const Four<T> *)more)[i];
            for (int k = 0; k < 4; k++) {
                float z = widen(v.at[k]) + b;
                narrow(relu ? fmaxf(z, 0.0f) : z, v.at[k]);
                // Rounded in between, as two operations are.
                if (more) narrow(widen(v.at[k]) + widen(m.at[k]), v.at[k]);
            }
            fours[i] = v;
        }
        return;
    }
    for (unsigned i = first; i < count; i += stride) {
        float z = widen(y[i]) + widen(bias[i / plane % channels]);
        narrow(relu ? fmaxf(z, 0.0f) : z, y[i]);
        if (more) narrow(widen(y[i]) + widen(more[i]), y[i]);
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

#define BIASES(T, NAME)                                                                                             \
    extern "C" __global__ void add_bias_##NAME(T *y, const T *bias, const T *more, int plane, int channels,         \
                                               int count, int relu) {                                               \
        add_bias(y, bias, more, plane, channels, count, relu);                                                      \
    }                                                                                                               \
    extern "C" __global__ void bias_grad_##NAME(const T *dy, T *db, int n, int channels, int plane) {               \
        bias_grad(dy, db, n, channels, plane);                                                                      \
    }
OF_EACH_FLOAT(BIASES)
