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

#define PLANES(T, NAME)                                                                                                \
    extern "C" __global__ void shrink_##NAME(const T *x, T *y, int h, int w, int count, float factor) {                \
        shrink(x, y, h, w, count, factor);                                                                             \
    }                                                                                                                  \
    extern "C" __global__ void grow_##NAME(const T *x, T *y, int h, int w, int count, float factor) {                  \
        grow(x, y, h, w, count, factor);                                                                               \
    }                                                                                                                  \
    extern "C" __global__ void pool3_##NAME(const T *x, T *y, int h, int w, int out_h, int out_w, int stride, int pad, \
                                            int mean, int count) {                                                     \
        pool3(x, y, h, w, out_h, out_w, stride, pad, mean, count);                                                     \
    }
OF_EACH_FLOAT(PLANES)
