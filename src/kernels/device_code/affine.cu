// Both affine maps as one: what normalised values are multiplied by, then what is added, each [n, channels].
extern "C" __global__ void affine_f32(const float *weight, const float *bias, const float *scale, const float *shift,
                                      int channels, int own, int row, float *gain, float *offset, int count) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
        Affine both = {weight, bias, scale, shift, channels, own, row};
        gain[i] = both.gain(i / channels, i % channels);
        offset[i] = both.offset(i / channels, i % channels);
    }
}

// The gradients of both maps from those of what they come to, [n, channels] each: of the weight and the bias, and where `de` is
// not null of the scale and the shift, which lie one behind the other in rows of [n, 2 channels].
extern "C" __global__ void affine_grad_f32(const float *weight, const float *bias, const float *scale, const float *shift,
                                           int channels, int own, int row, const float *dgain, const float *doffset,
                                           float *dweight, float *dbias, float *de, int n) {
    Affine both = {weight, bias, scale, shift, channels, own, row};
    for (int c = blockIdx.x * blockDim.x + threadIdx.x; c < channels; c += gridDim.x * blockDim.x) {
        float dw = 0.0f, db = 0.0f;
        for (int image = 0; image < n; image++) {
            float g = dgain[(size_t)image * channels + c], o = doffset[(size_t)image * channels + c], by = both.by(image, c);
            dw += g * by;
            db += o * by;
            if (de) {
                de[(size_t)image * row + c] = g * weight[c] + o * bias[c];
                de[(size_t)image * row + channels + c] = o;
            }
        }
        dweight[c] = dw;
        dbias[c] = db;
    }
}
