// Bytes to the input of Inception by bilinear rules without antialias, to the bit as `data::resize::bilinear` makes it:
// every operation is rounded by itself, or fused, as there.

// Where an output place lies: between two input places, with the share of the second.
struct Between {
    int low, high;
    float share;
};

__device__ __forceinline__ Between between(float place, int from) {
    Between found;
    found.low = min((int)place, from - 1);
    found.high = min(found.low + 1, from - 1);
    found.share = fminf(fmaxf(__fsub_rn(place, (float)found.low), 0.0f), 1.0f);
    return found;
}

__device__ __forceinline__ float mixed(float a, float b, float share) {
    return __fadd_rn(a, __fmul_rn(__fsub_rn(b, a), share));
}

// x [n, h, w, 3] to y [n, 3, side, side]; `count` is that of y.
extern "C" __global__ void resize_tensorflow_f32(const unsigned char *x, float *y, int h, int w, int side, int count) {
    float across = __fdiv_rn((float)w, (float)side), down = __fdiv_rn((float)h, (float)side);
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
        int column = i % side, row = i / side % side, channel = i / side / side % 3;
        Between cx = between(__fmul_rn((float)column, across), w), cy = between(__fmul_rn((float)row, down), h);
        const unsigned char *image = x + (size_t)(i / side / side / 3) * h * w * 3 + channel;
        const unsigned char *top = image + (size_t)cy.low * w * 3, *bottom = image + (size_t)cy.high * w * 3;
        float a = mixed(top[3 * cx.low], top[3 * cx.high], cx.share);
        float b = mixed(bottom[3 * cx.low], bottom[3 * cx.high], cx.share);
        // -128 and a division by a power of two: exact but for the first.
        y[i] = __fmul_rn(__fsub_rn(mixed(a, b, cy.share), 128.0f), 0.0078125f);
    }
}

// The same by PyTorch's rule: on bytes / 255, or, with `bytes`, on bytes that are clipped and divided afterwards.
extern "C" __global__ void resize_pytorch_f32(const unsigned char *x, float *y, int h, int w, int side, int bytes, int count) {
    float across = __fdiv_rn((float)w, (float)side), down = __fdiv_rn((float)h, (float)side);
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
        int column = i % side, row = i / side % side, channel = i / side / side % 3;
        Between cx = between(fmaxf(__fmaf_rn(across, __fadd_rn((float)column, 0.5f), -0.5f), 0.0f), w);
        Between cy = between(fmaxf(__fmaf_rn(down, __fadd_rn((float)row, 0.5f), -0.5f), 0.0f), h);
        const unsigned char *image = x + (size_t)(i / side / side / 3) * h * w * 3 + channel;
        const unsigned char *high = image + (size_t)cy.low * w * 3, *low = image + (size_t)cy.high * w * 3;
        float unit = bytes ? 1.0f : 255.0f;
        float a = __fdiv_rn(high[3 * cx.low], unit), b = __fdiv_rn(high[3 * cx.high], unit);
        float d = __fdiv_rn(low[3 * cx.low], unit), e = __fdiv_rn(low[3 * cx.high], unit);
        float right = cx.share, left = __fsub_rn(1.0f, right), bottom = cy.share, top = __fsub_rn(1.0f, bottom);
        float sum = __fmul_rn(__fmul_rn(top, right), b);
        sum = __fmaf_rn(__fmul_rn(top, left), a, sum);
        sum = __fmaf_rn(__fmul_rn(bottom, left), d, sum);
        sum = __fmaf_rn(__fmul_rn(bottom, right), e, sum);
        if (bytes) sum = __fdiv_rn(fminf(fmaxf(sum, 0.0f), 255.0f), 255.0f);
        y[i] = __fsub_rn(__fmul_rn(2.0f, sum), 1.0f);
    }
}
