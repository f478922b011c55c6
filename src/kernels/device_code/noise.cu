// Gaussian noise out of ChaCha8, with the counter and the stream of 64 bits each that the crate rand_chacha gives it.

struct Words { unsigned at[16]; };

__device__ __forceinline__ unsigned rotated(unsigned x, int by) { return x << by | x >> (32 - by); }

__device__ __forceinline__ void quarter_round(unsigned &a, unsigned &b, unsigned &c, unsigned &d) {
    a += b; d = rotated(d ^ a, 16);
    c += d; b = rotated(b ^ c, 12);
    a += b; d = rotated(d ^ a, 8);
    c += d; b = rotated(b ^ c, 7);
}

// Block `counter` of a stream (RFC 8439, section 2.3, with 8 rounds instead of 20).
__device__ __forceinline__ Words chacha8(const unsigned *key, unsigned long long counter, unsigned long long stream) {
    Words start = {{0x61707865u, 0x3320646eu, 0x79622d32u, 0x6b206574u,
                    key[0], key[1], key[2], key[3], key[4], key[5], key[6], key[7],
                    (unsigned)counter, (unsigned)(counter >> 32), (unsigned)stream, (unsigned)(stream >> 32)}};
    Words now = start;
    unsigned *w = now.at;
    for (int round = 0; round < 4; round++) {
        quarter_round(w[0], w[4], w[8], w[12]);
        quarter_round(w[1], w[5], w[9], w[13]);
        quarter_round(w[2], w[6], w[10], w[14]);
        quarter_round(w[3], w[7], w[11], w[15]);
        quarter_round(w[0], w[5], w[10], w[15]);
        quarter_round(w[1], w[6], w[11], w[12]);
        quarter_round(w[2], w[7], w[8], w[13]);
        quarter_round(w[3], w[4], w[9], w[14]);
    }
    for (int i = 0; i < 16; i++) w[i] += start.at[i];
    return now;
}

// In [0, 1), of two words, the low one first.
__device__ __forceinline__ double uniform(unsigned low, unsigned high) {
    unsigned long long bits = (unsigned long long)high << 32 | low;
    return (double)(bits >> 11) * 1.1102230246251565e-16;
}

// `each` values of N(0, 1) for each of the streams `first`, `first` + 1, ..: by Box and Muller's polar form in f64, rounded
// once. A thread makes the eight values of a block; `key` is the stream's, four times two words, and `counter` the number of
// its first block.
extern "C" __global__ void normal_f32(float *out, unsigned long long key0, unsigned long long key1, unsigned long long key2,
                                      unsigned long long key3, unsigned long long counter, unsigned long long first,
                                      int each, int blocks, int count) {
    unsigned key[8] = {(unsigned)key0, (unsigned)(key0 >> 32), (unsigned)key1, (unsigned)(key1 >> 32),
                       (unsigned)key2, (unsigned)(key2 >> 32), (unsigned)key3, (unsigned)(key3 >> 32)};
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
        int lane = i / blocks, block = i % blocks;
        Words words = chacha8(key, counter + block, first + lane);
        float *to = out + (size_t)lane * each;
        for (int pair = 0; pair < 4; pair++) {
            const unsigned *w = words.at + 4 * pair;
            // 1 - u lies in (0, 1], so the logarithm is finite.
            double radius = sqrt(-2.0 * log(1.0 - uniform(w[0], w[1]))), sine, cosine;
            sincos(6.283185307179586 * uniform(w[2], w[3]), &sine, &cosine);
            int at = 8 * block + 2 * pair;
            if (at < each) to[at] = (float)(radius * cosine);
            if (at + 1 < each) to[at + 1] = (float)(radius * sine);
        }
    }
}
