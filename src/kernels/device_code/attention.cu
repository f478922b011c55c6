// Queries, keys and values [n, 3 heads d, l], by head (of each head its query, its key and its value) or by part (all
// queries, all keys, all values), to three tensors [n heads, d, l] behind each other, the first two times `scale`. `size` is
// d times l, and `count` that of all values.
template <class T>
__device__ void split_qkv(const T *x, T *y, int heads, int size, int by_part, int count, float scale) {
    int third = count / 3;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
        int part = i / third, head = i % third / size, image = head / heads, of = head % heads;
        int block = by_part ? part * heads + of : 3 * of + part;
        float v = widen(x[((size_t)image * 3 * heads + block) * size + i % size]);
        narrow(part < 2 ? v * scale : v, y[i]);
    }
}

#define ATTENTION(T, NAME)                                                                                              \
    extern "C" __global__ void split_qkv_##NAME(const T *x, T *y, int heads, int size, int by_part, int count,          \
                                                float scale) {                                                          \
        split_qkv(x, y, heads, size, by_part, count, scale);                                                            \
    }
OF_EACH_FLOAT(ATTENTION)
