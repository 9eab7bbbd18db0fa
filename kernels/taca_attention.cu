// Attention of BF16 heads 64 and 128 wide with TACA's temperature:
//   o_i = Σ_j softmax_j(scale·<q_i, k_j>·(gamma if i is visual and j is text)) · v_j
// after FlashAttention-2 (arXiv 2307.08691, algorithm 1) and TACA (arXiv
// 2506.07986, equation 5).
//
// Launch: grid (⌈rows / 128⌉, heads), 128 threads, (128 + 2·tile)·size·2 bytes
// of dynamic shared memory. A warp owns 32 queries, whose sums stay in
// registers. Rows of q, k, v and o are at any stride, 16-byte aligned.
// Shared memory: the queries, a tile of keys, a tile of values, each row
// size·2 bytes; chunk c of 16 bytes of row r lies at c ^ (r % 8), so that the
// eight rows an ldmatrix reads fall into different banks.
// Bytes moved: q and o once, k and v once a block of 128 queries: 2·heads·size·
// rows·(2 + 2·⌈rows/128⌉), nearly all of it from the L2 cache.
//
// Tiles are taken in order, whatever the spans are, so a row's bits depend on
// its own logits alone. A run of tiles that are text altogether or not at all
// has one scale a row, into which gamma is folded before the loop; a tile cut
// by an end of the text or of the keys is masked, in a second copy of the body.
#include "mma.cuh"
#include "softmax.cuh"
#include "spans.cuh"

namespace {

constexpr int block_rows = 128, threads = 128, strips = 2; // of 16 queries, a warp

template <int size, int tile> struct attention {
    static constexpr int depth = size / 16, keys = tile / 8, columns = size / 8;
    static constexpr int row_bytes = size * 2, chunks = size / 8;
    static constexpr int pass = threads / chunks; // rows the block copies at a time
    static constexpr bool hold_queries = size == 64; // in registers, where there is room

    const taca_attention &p;
    const spans           span;
    const int             rows, first; // all queries; the block's first one
    u32                   copy_to;     // the thread's chunk of a tile, from its start
    u32                   queries, keys_at, values_at; // shared memory
    const char           *next_keys, *next_values;     // the thread's chunk of the next tile
    int                   key_step, value_step;        // bytes from pass to pass
    u32                   query_row, key_row, value_row; // addresses for ldmatrix
    int                   copy_row;
    float                 scale[strips][2], plain, warm;
    int                   visual; // bit 2·strip + half: the thread's row is a visual query
    float                 o[strips][columns][4], most[strips][2], sum[strips][2];
    u32                   q[hold_queries ? depth : 1][strips][4];

    __device__ __forceinline__ attention(const taca_attention &p, unsigned char *shared);
    __device__ __forceinline__ void copy_tile(u32 to, const char *&from, int step);
    __device__ __forceinline__ void copy_last(u32 to, const char *&from, int step, int left);
    __device__ __forceinline__ void load_queries(u32 (&a)[strips][4], int k);
    template <bool masked> __device__ __forceinline__ void step(int t, int full);
    __device__ __forceinline__ void mask(float (&s)[strips][keys][4], int key);
    __device__ __forceinline__ void run();
    __device__ __forceinline__ void store(unsigned char *shared);
};
