// 3×3 convolution with a zero border, as one product per tap:
//
//   dst[pixel] = bias + Σ over the nine neighbours of w[:, tap]·x[neighbour]
//
// x is pixels × in, w is out × 9·in with columns ordered (ky, kx, in). Nothing
// is unfolded in memory: a block copies, tap by tap, the rows of x that are the
// neighbours of its pixels, and zeros beyond the border.
#include "formats.cuh"
#include "mma.cuh"

// neighbour is the row of x that pixel sees at a tap, or -1 beyond the border.
static __device__ __forceinline__ int neighbour(const taca_conv3x3_args& p, int pixel, int tap) {
    const int width = (int)p.width, y = pixel / width + tap / 3 - 1, x = pixel % width + tap % 3 - 1;
    return pixel < p.height * width && y >= 0 && y < p.height && x >= 0 && x < width ? y * width + x : -1;
}

// On tensor cores: x and w are BF16, in is a multiple of 8, rows are aligned to
// 16 bytes. A block of four warps makes 128 pixels × 64 channels, a warp 32 ×
// 64. It goes through the taps in pieces of 32 channels, three of which are in
// shared memory: one in use, two on their way. Rows of a piece are four chunks
// of 16 bytes; chunk c of row r lies at c ^ (r/2 % 4), so that the eight rows
// of a fragment are in different banks.
//
// Launch: ⌈pixels/128⌉ × ⌈out/64⌉ blocks of 128 threads, 36 KiB of shared memory.
enum { conv_pixels = 128, conv_channels = 64, conv_depth = 32, conv_stages = 3 };
enum { conv_row = conv_depth * 2 };                          // bytes of a row of a piece
enum { conv_piece = (conv_pixels + conv_channels) * conv_row };

static __device__ __forceinline__ u32 chunk_at(int row, int chunk) { return row * conv_row + ((chunk ^ (row >> 1 & 3)) << 4); }

// copy_piece starts the copies of piece number n to its place in shared memory.
static __device__ __forceinline__ void copy_piece(const taca_conv3x3_args& p, u32 shared, int n, int pieces_of_tap) {
    const int tap = n / pieces_of_tap, first = n % pieces_of_tap * conv_depth;
    const u32 to = shared + n % conv_stages * conv_piece;
    const int chunk = threadIdx.x & 3, channel = first + 8 * chunk, m0 = blockIdx.x * conv_pixels, n0 = blockIdx.y * conv_channels;
    const bool inside = channel < p.in;
#pragma unroll
    for (int i = 0; i < conv_pixels / 32; i++) {
        const int  row = i * 32 + threadIdx.x / 4, from = neighbour(p, m0 + row, tap);
        const bool there = inside && from >= 0;
        copy_async(to + chunk_at(row, chunk), (const unsigned short*)p.x.at + (there ? from * p.x.stride + channel : 0), there ? 16 : 0);
    }
#pragma unroll
    for (int i = 0; i < conv_channels / 32; i++) {
        const int  row = i * 32 + threadIdx.x / 4;
        const bool there = inside && n0 + row < p.out;
        copy_async(to + conv_pixels * conv_row + chunk_at(row, chunk),
                   (const unsigned short*)p.w.at + (there ? (n0 + row) * p.w.stride + tap * p.in + channel : 0), there ? 16 : 0);
    }
}

// multiply_piece adds a piece's products to the warp's sums.
static __device__ __forceinline__ void multiply_piece(float (&sum)[2][8][4], u32 piece) {
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
#pragma unroll
    for (int k = 0; k < conv_depth / 16; k++) {
        u32 a[2][4];
#pragma unroll
        for (int i = 0; i < 2; i++)
            load_fragments(piece + chunk_at(warp * 32 + i * 16 + (lane & 15), 2 * k + (lane >> 4)), a[i][0], a[i][1], a[i][2], a[i][3]);
#pragma unroll
        for (int n = 0; n < 8; n += 2) {
            u32 b0, b1, b2, b3;
            load_fragments(piece + conv_pixels * conv_row + chunk_at(n * 8 + (lane >> 4) * 8 + (lane & 7), 2 * k + (lane >> 3 & 1)), b0, b1, b2, b3);
#pragma unroll
            for (int i = 0; i < 2; i++) {
                multiply_add(sum[i][n], a[i], b0, b1);
                multiply_add(sum[i][n + 1], a[i], b2, b3);
            }
        }
    }
}

// write_rows hands the warp's sums over to its lanes row by row through its own
// part of shared memory, so that whole sectors are written.
static __device__ __forceinline__ void write_rows(const taca_conv3x3_args& p, const float (&sum)[2][8][4], float* mine) {
    const int  lane = threadIdx.x & 31, warp = threadIdx.x >> 5, column = lane % 16 * 4, o = blockIdx.y * conv_channels + column;
    const bool four = fours(p.dst, p.out);
    float      bias[4] = {};
    if (p.bias.at) {
#pragma unroll
        for (int e = 0; e < 4; e++)
            if (o + e < p.out) bias[e] = load_one(p.bias, 0, o + e);
    }
#pragma unroll
    for (int i = 0; i < 2; i++) {
#pragma unroll
        for (int n = 0; n < 8; n++)
#pragma unroll
            for (int half = 0; half < 2; half++) {
                const int row = half * 8 + lane / 4, pair = n * 4 + lane % 4;
                store_pair(shared_address(mine) + row * 256 + ((pair ^ (row & 3) << 2) << 3), sum[i][n][2 * half], sum[i][n][2 * half + 1]);
            }
        __syncwarp();
#pragma unroll
        for (int part = 0; part < 8; part++) {
            const int    row = part * 2 + lane / 16;
            const int    pixel = blockIdx.x * conv_pixels + warp * 32 + i * 16 + row;
            const float4 f = *(const float4*)(mine + row * 64 + ((column / 2 ^ (row & 3) << 2) << 1));
            const float  v[4] = {f.x + bias[0], f.y + bias[1], f.z + bias[2], f.w + bias[3]};
            if (pixel >= p.height * p.width) continue;
            if (four && o < p.out) {
                store<4>(p.dst, pixel, o, v);
                continue;
            }
#pragma unroll
            for (int e = 0; e < 4; e++)
                if (o + e < p.out) store_one(p.dst, pixel, o + e, v[e]);
        }
        __syncwarp();
    }
}

extern "C" __global__ void __launch_bounds__(128) taca_conv3x3(const taca_conv3x3_args p) {
    const u32 shared = shared_address(block_memory);
    const int pieces_of_tap = ((int)p.in + conv_depth - 1) / conv_depth, pieces = 9 * pieces_of_tap;
    float     sum[2][8][4] = {};
#pragma unroll
    for (int n = 0; n < conv_stages - 1; n++) {
        copy_piece(p, shared, n, pieces_of_tap);
        commit_copies();
    }
    for (int n = 0; n < pieces; n++) {
        wait_copies<conv_stages - 2>();
        __syncthreads(); // piece n is there, and everybody is done with piece n − 1
        if (n + conv_stages - 1 < pieces) copy_piece(p, shared, n + conv_stages - 1, pieces_of_tap);
        commit_copies();
        multiply_piece(sum, shared + n % conv_stages * conv_piece);
    }
    wait_copies<0>();
    __syncthreads();
    write_rows(p, sum, (float*)block_memory + (threadIdx.x >> 5) * 16 * 64);
}

// In F32 arithmetic, for any format and alignment: a block of 256 threads makes
// 64 pixels × 64 channels, a thread 4 × 4, in pieces of 16 channels of a tap.
//
// Launch: ⌈pixels/64⌉ × ⌈out/64⌉ blocks.
enum { any_tile = 64, any_depth = 16 };

extern "C" __global__ void __launch_bounds__(256) taca_conv3x3_any(const taca_conv3x3_args p) {
    __shared__ float x[any_depth][any_tile + 1], w[any_depth][any_tile + 1];
    const int        m0 = blockIdx.x * any_tile, n0 = blockIdx.y * any_tile, down = threadIdx.x / 16, across = threadIdx.x % 16;
    const int        k = threadIdx.x % any_depth, row = threadIdx.x / any_depth;
    float            sum[4][4] = {};
    for (int tap = 0; tap < 9; tap++) {
        for (int first = 0; first < p.in; first += any_depth) {
            const int channel = first + k;
#pragma unroll
            for (int i = 0; i < any_tile; i += 16) {
                const int from = neighbour(p, m0 + row + i, tap), o = n0 + row + i;
                x[k][row + i] = channel < p.in && from >= 0 ? load_one_state(p.x, from, channel) : 0.f;
                w[k][row + i] = channel < p.in && o < p.out ? load_one(p.w, o, tap * p.in + channel) : 0.f;
            }
            __syncthreads();
#pragma unroll
            for (int d = 0; d < any_depth; d++) {
                float a[4], b[4];
#pragma unroll
                for (int e = 0; e < 4; e++) a[e] = x[d][down + 16 * e], b[e] = w[d][across + 16 * e];
#pragma unroll
                for (int i = 0; i < 4; i++)
#pragma unroll
                    for (int j = 0; j < 4; j++) sum[i][j] = fmaf(a[i], b[j], sum[i][j]);
            }
            __syncthreads();
        }
    }
#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
        for (int j = 0; j < 4; j++) {
            const int pixel = m0 + down + 16 * i, o = n0 + across + 16 * j;
            if (pixel < p.height * p.width && o < p.out)
                store_one(p.dst, pixel, o, sum[i][j] + (p.bias.at ? load_one(p.bias, 0, o) : 0.f));
        }
}
