// Maps and tokens whose channels lie side by side, as cuDNN's halves want them: [n, positions, channels].

// So many values that lie side by side, read and written at once.
template <class T, int N> struct alignas(N * sizeof(T)) Some { T at[N]; };

// Group normalisation with its affine map and SiLU: a block for each bundle of groups of each image, whose channels are at
// least a sector of memory wide. A thread keeps to `N` channels of one group. Sums are of differences from a mean over a few
// values, so that their squares cancel nothing.
template <int N, class T>
__device__ void norm_last(const T *x, Affine affine, T *y, float *stats, int positions, int channels, int width, int bundle,
                          int silu, float eps) {
    __shared__ float sums[256], squares[256], near[32], scales[32], means[32];
    int groups = channels / width, bundles = (groups + bundle - 1) / bundle;
    int image = blockIdx.x / bundles, first = blockIdx.x % bundles * bundle;
    int here = min(bundle, groups - first), columns = here * width / N, each = width / N;
    int rows = blockDim.x / columns, row = threadIdx.x / columns, column = threadIdx.x % columns, group = column / each;
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, warps = blockDim.x >> 5;
    bool works = row < rows;
    int channel = first * width + column * N;
    const Some<T, N> *in = (const Some<T, N> *)x + ((size_t)image * positions * channels + channel) / N;
    Some<T, N> *out = (Some<T, N> *)y + ((size_t)image * positions * channels + channel) / N;
    int step = channels / N;
    if (works && row == 0 && column % each == 0) {
        float sum = 0.0f;
        for (int k = 0; k < each; k++)
            for (int j = 0; j < N; j++) sum += widen(in[k].at[j]);
        near[group] = sum / width;
    }
    __syncthreads();
    float shift = works ? near[group] : 0.0f, sum = 0.0f, square = 0.0f;
    if (works)
        for (int p = row; p < positions; p += rows) {
            Some<T, N> v = in[(size_t)p * step];
            for (int j = 0; j < N; j++) {
                float d = widen(v.at[j]) - shift;
                sum += d;
                square += d * d;
            }
        }
    sums[threadIdx.x] = sum;
    squares[threadIdx.x] = square;
    __syncthreads();
    for (int g = warp; g < here; g += warps) {
        float level = 0.0f, spread = 0.0f;
        for (int k = lane; k < each * rows; k += 32) {
            int at = k / each * columns + g * each + k % each;
            level += sums[at];
            spread += squares[at];
        }
        level = warp_sum(level);
        spread = warp_sum(spread);
        if (lane == 0) {
            float count = (float)positions * width, mean = level / count;
            means[g] = near[g] + mean;
            scales[g] = 1.0f / sqrtf(fmaxf(spread / count - mean * mean, 0.0f) + eps);
            stats[2 * (image * groups + first + g)] = means[g];
            stats[2 * (image * groups + first + g) + 1] = scales[g];
        }
    }
    __syncthreads();
    if (!works) return;
    float mean = means[group], scale = scales[group], a[N], b[N];
    for (int j = 0; j < N; j++) {
        a[j] = scale * affine.gain(image, channel + j);
        b[j] = affine.offset(image, channel + j);
    }
    for (int p = row; p < positions; p += rows) {
        Some<T, N> v = in[(size_t)p * step];
        for (int j = 0; j < N; j++) {
            float z = (widen(v.at[j]) - mean) * a[j] + b[j];
            narrow(silu ? z * sigmoid(z) : z, v.at[j]);
        }
        out[(size_t)p * step] = v;
    }
}

// Its gradients, by the same blocks and threads.
template <int N, class T>
__device__ void norm_last_grad(const T *x, const float *gain, const float *offset, const float *stats, const T *dy, T *dx,
                               float *dgain, float *doffset, int positions, int channels, int width, int bundle, int silu) {
    __shared__ float levels[256 * N], tilts[256 * N], first[32], second[32];
    int groups = channels / width, bundles = (groups + bundle - 1) / bundle;
    int image = blockIdx.x / bundles, start = blockIdx.x % bundles * bundle;
    int here = min(bundle, groups - start), columns = here * width / N, step = channels / N;
    int rows = blockDim.x / columns, row = threadIdx.x / columns, column = threadIdx.x % columns, group = column * N / width;
    bool works = row < rows;
    int channel = image * channels + start * width + column * N;
    size_t from = ((size_t)image * positions * channels + start * width) / N + column;
    const Some<T, N> *in = (const Some<T, N> *)x + from, *slope = (const Some<T, N> *)dy + from;
    Some<T, N> *out = (Some<T, N> *)dx + from;
    float mean = 0.0f, rstd = 0.0f, a[N], b[N], level[N], tilt[N];
    for (int j = 0; j < N; j++) a[j] = b[j] = level[j] = tilt[j] = 0.0f;
    if (works) {
        mean = stats[2 * (image * groups + start + group)];
        rstd = stats[2 * (image * groups + start + group) + 1];
        for (int j = 0; j < N; j++) {
            a[j] = rstd * gain[channel + j];
            b[j] = offset[channel + j];
        }
        for (int p = row; p < positions; p += rows) {
            Some<T, N> v = in[(size_t)p * step], g = slope[(size_t)p * step];
            for (int j = 0; j < N; j++) {
                float d = widen(v.at[j]) - mean, dz = norm_slope(d, widen(g.at[j]), a[j], b[j], silu);
                level[j] += dz;
                tilt[j] += dz * d;
            }
        }
    }
    for (int j = 0; j < N; j++) {
        levels[threadIdx.x * N + j] = level[j];
        tilts[threadIdx.x * N + j] = tilt[j];
    }
    __syncthreads();
    // The first row of threads takes its channels' sums over the others.
    if (works && row == 0) {
        for (int j = 0; j < N; j++) {
            float whole = 0.0f, turn = 0.0f;
            for (int r = 0; r < rows; r++) {
                whole += levels[(r * columns + column) * N + j];
                turn += tilts[(r * columns + column) * N + j];
            }
            doffset[channel + j] = whole;
            dgain[channel + j] = turn * rstd;
            levels[column * N + j] = whole * gain[channel + j];
            tilts[column * N + j] = turn * gain[channel + j];
        }
    }
    __syncthreads();
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, warps = blockDim.x >> 5;
    for (int g = warp; g < here; g += warps) {
        float whole = 0.0f, turn = 0.0f;
        for (int k = lane; k < width; k += 32) {
            whole += levels[g * width + k];
            turn += tilts[g * width + k];
        }
        whole = warp_sum(whole);
        turn = warp_sum(turn);
        if (lane == 0) {
            first[g] = whole;
            second[g] = turn;
        }
    }
    __syncthreads();
    if (!works) return;
    // The mean and the variance depend on every value of the group too.
    float count = (float)positions * width, shared = rstd * first[group] / count;
    float bent = rstd * rstd * rstd * second[group] / count;
    for (int p = row; p < positions; p += rows) {
        Some<T, N> v = in[(size_t)p * step], g = slope[(size_t)p * step];
        for (int j = 0; j < N; j++) {
            float d = widen(v.at[j]) - mean, dz = norm_slope(d, widen(g.at[j]), a[j], b[j], silu);
            narrow(a[j] * dz - bent * d - shared, v.at[j]);
        }
        out[(size_t)p * step] = v;
    }
}

// Sums of 2 x 2 pixels of maps h x w, times `factor`; a last odd row or column is left out.
template <int N, class T>
__device__ void shrink_last(const T *x, T *y, unsigned h, unsigned w, unsigned channels, unsigned count, float factor) {
    unsigned stride = gridDim.x * blockDim.x, columns = channels / N, half_h = h / 2, half_w = w / 2;
    const Some<T, N> *in = (const Some<T, N> *)x;
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < count / N; i += stride) {
        unsigned c = i % columns, at = i / columns, column = at % half_w, row = at / half_w % half_h, image = at / half_w / half_h;
        size_t corner = (((size_t)image * h + 2 * row) * w + 2 * column) * columns + c, below = corner + (size_t)w * columns;
        Some<T, N> a = in[corner], b = in[corner + columns], d = in[below], e = in[below + columns];
        for (int j = 0; j < N; j++)
            narrow(((widen(a.at[j]) + widen(b.at[j])) + (widen(d.at[j]) + widen(e.at[j]))) * factor, a.at[j]);
        ((Some<T, N> *)y)[i] = a;
    }
}

// Each pixel times `factor` to 2 x 2 of maps h x w; zeros where there is none.
template <int N, class T>
__device__ void grow_last(const T *x, T *y, unsigned h, unsigned w, unsigned channels, unsigned count, float factor) {
    unsigned stride = gridDim.x * blockDim.x, columns = channels / N;
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < count / N; i += stride) {
        unsigned c = i % columns, at = i / columns, column = at % w / 2, row = at / w % h / 2, image = at / w / h;
        bool there = row < h / 2 && column < w / 2;
        size_t from = there ? (((size_t)image * (h / 2) + row) * (w / 2) + column) * columns + c : 0;
        Some<T, N> v = ((const Some<T, N> *)x)[from];
        for (int j = 0; j < N; j++) narrow(there ? widen(v.at[j]) * factor : 0.0f, v.at[j]);
        ((Some<T, N> *)y)[i] = v;
    }
}

// Adds a bias [channels] to each row of channels, and `more`, a tensor of the same sizes, where there is one.
template <int N, class T>
__device__ void add_last(T *y, const T *bias, const T *more, unsigned channels, unsigned count) {
    unsigned stride = gridDim.x * blockDim.x, columns = channels / N;
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < count / N; i += stride) {
        Some<T, N> v = ((Some<T, N> *)y)[i], b = ((const Some<T, N> *)bias)[i % columns], m = v;
        if (more) m = ((const Some<T, N> *)more)[i];
        for (int j = 0; j < N; j++) {
            // Rounded between the two, as the two are where they are operations of their own.
            narrow(widen(v.at[j]) + widen(b.at[j]), v.at[j]);
            if (more) narrow(widen(v.at[j]) + widen(m.at[j]), v.at[j]);
        }
        ((Some<T, N> *)y)[i] = v;
    }
}

// The transposes of matrices [rows, columns] that lie behind each other, by squares of 32 by 32; blocks of 256 threads.
template <class T> __device__ void transpose(const T *x, T *y, int rows, int columns, int squares) {
    __shared__ float square[32][33];
    int across = (columns + 31) / 32, down = (rows + 31) / 32, lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    for (int s = blockIdx.x; s < squares; s += gridDim.x) {
        int left = s % across * 32, top = s / across % down * 32;
        size_t matrix = (size_t)(s / across / down) * rows * columns;
        for (int r = warp; r < 32; r += 8)
            if (top + r < rows && left + lane < columns)
                square[r][lane] = widen(x[matrix + (size_t)(top + r) * columns + left + lane]);
        __syncthreads();
        for (int r = warp; r < 32; r += 8)
            if (left + r < columns && top + lane < rows)
                narrow(square[lane][r], y[matrix + (size_t)(left + r) * rows + top + lane]);
        __syncthreads();
    }
}

// Queries, keys and values of tokens [n, l, 3 heads d], ordered as in `split_qkv`, to three tensors [n heads, l, d] behind
// each other, the first two times `scale`.
template <class T>
__device__ void split_tokens(const T *x, T *y, int heads, int d, int l, int by_part, int count, float scale) {
    int third = count / 3;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
        int part = i / third, head = i % third / (l * d), image = head / heads, of = head % heads;
        int token = i / d % l, block = by_part ? part * heads + of : 3 * of + part;
        float v = widen(x[(((size_t)image * l + token) * 3 * heads + block) * d + i % d]);
        narrow(part < 2 ? v * scale : v, y[i]);
    }
}

// Heads [n heads, l, d] to tokens [n, l, heads d].
template <class T> __device__ void merge_tokens(const T *x, T *y, int heads, int d, int l, int count) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
        int of = i / d % heads, token = i / d / heads % l, image = i / d / heads / l;
        y[i] = x[(((size_t)image * heads + of) * l + token) * d + i % d];
    }
}

// What `width` divides by, of 4, 2 and 1, is read and written at once.
#define BY_WIDTH(width, name, ...)                  \
    if ((width) % 4 == 0) name<4>(__VA_ARGS__);     \
    else if ((width) % 2 == 0) name<2>(__VA_ARGS__); \
    else name<1>(__VA_ARGS__);

#define CHANNELS_LAST(T, NAME)                                                                                              \
    extern "C" __global__ void norm_last_##NAME(const T *x, const float *weight, const float *bias, const float *scale,     \
                                                const float *shift, int channels, int own, int row, T *y, float *stats,     \
                                                int positions, int width, int bundle, int silu, float eps) {                \
        Affine affine = {weight, bias, scale, shift, channels, own, row};                                                   \
        BY_WIDTH(width, norm_last, x, affine, y, stats, positions, channels, width, bundle, silu, eps)                      \
    }                                                                                                                       \
    extern "C" __global__ void norm_last_grad_##NAME(const T *x, const float *gain, const float *offset,                    \
                                                     const float *stats, const T *dy, T *dx, float *dgain, float *doffset,  \
                                                     int positions, int channels, int width, int bundle, int silu) {        \
        BY_WIDTH(width, norm_last_grad, x, gain, offset, stats, dy, dx, dgain, doffset, positions, channels, width, bundle, \
                 silu)                                                                                                      \
    }                                                                                                                       \
    extern "C" __global__ void shrink_last_##NAME(const T *x, T *y, int h, int w, int channels, int count, float factor) {  \
        BY_WIDTH(channels, shrink_last, x, y, h, w, channels, count, factor)                                                \
    }                                                                                                                       \
    extern "C" __global__ void grow_last_##NAME(const T *x, T *y, int h, int w, int channels, int count, float factor) {    \
        BY_WIDTH(channels, grow_last, x, y, h, w, channels, count, factor)                                                  \
    }                                                                                                                       \
    extern "C" __global__ void add_last_##NAME(T *y, const T *bias, const T *more, int channels, int count) {               \
        BY_WIDTH(channels, add_last, y, bias, more, channels, count)                                                        \
    }                                                                                                                       \
    extern "C" __global__ void transpose_##NAME(const T *x, T *y, int rows, int columns, int squares) {                     \
        transpose(x, y, rows, columns, squares);                                                                            \
    }                                                                                                                       \
    extern "C" __global__ void split_tokens_##NAME(const T *x, T *y, int heads, int d, int l, int by_part, int count,       \
                                                   float scale) {                                                           \
        split_tokens(x, y, heads, d, l, by_part, count, scale);                                                             \
    }                                                                                                                       \
    extern "C" __global__ void merge_tokens_##NAME(const T *x, T *y, int heads, int d, int l, int count) {                  \
        merge_tokens(x, y, heads, d, l, count);                                                                             \
    }
OF_EACH_FLOAT(CHANNELS_LAST)
