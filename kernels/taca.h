/* taca.h says what every kernel is given: one struct by value, written down
 * once for the device compiler, for cgo and for the tests of the simulator.
 *
 * Every field has 8 bytes, because the launch of github.com/mumax/3/cuda/cu
 * copies 8 bytes a parameter: the fields of one struct, one after the other,
 * are what the kernel finds as its single parameter.
 *
 * Matrices are row-major; rows are tokens or pixels, columns are channels. */
#ifndef TACA_H
#define TACA_H

/* Number formats, with the numbers of tensor.DType. */
enum {
    TACA_F32, TACA_BF16, TACA_F16, TACA_F8E4M3, TACA_F8E5M2, TACA_Q8, TACA_Q4,
    TACA_Q4_0, TACA_Q4_1, TACA_Q5_0, TACA_Q5_1, TACA_Q8_0, TACA_Q2_K, TACA_Q3_K, TACA_Q4_K, TACA_Q5_K, TACA_Q6_K
};

/* Activations, with the numbers of tensor.Activation. */
enum { TACA_IDENTITY, TACA_SILU, TACA_GELU_TANH, TACA_GELU, TACA_QUICK_GELU };

/* A matrix in device memory; at is 0 where the operand is absent. */
typedef struct {
    unsigned long long at;     /* address of the first element */
    long long          stride; /* elements from one row to the next */
    long long          format; /* TACA_F32 ... */
} taca_matrix;

/* Attention: o = softmax(logits)·v, one head per block row of the grid, where
 *   logit(i, j) = scale·<q_i, k_j>·(gamma if i in visual and j in text) + bias(j - i)
 * With a bias or a causal mask there are as many queries as keys.
 * Head h is columns [h·head_size, (h+1)·head_size) of q, k, v and o. */
typedef struct {
    taca_matrix q, k, v, o;
    long long   rows, queries;      /* rows of k and v, and of q and o */
    long long   heads, head_size;
    long long   text_lo, text_hi;   /* keys of text */
    long long   visual_lo, visual_hi; /* queries of visual tokens */
    double      scale;              /* of the logits, natural units */
    double      gamma;              /* TACA's temperature, > 0 */
    long long   causal;             /* key j is visible to query i only if j <= i */
    taca_matrix bias;               /* (2·rows - 1) × heads, row j - i + rows - 1, or absent */
} taca_attention_args;

/* Of the same attention, where visual queries spend their probability:
 *   stats, F32, 2·heads × queries: row h what head h spends on text keys, row heads + h its entropy in nats
 *   maps, F32, queries × text keys: the probability of each, averaged over heads; or absent */
typedef struct {
    taca_matrix stats, maps, q, k;
    long long   rows;               /* keys */
    long long   heads, head_size;
    long long   text_lo, text_hi;   /* keys of text */
    long long   visual_lo, queries; /* visual queries: the first, and how many */
    double      scale, gamma;
} taca_attention_stats_args;

/* Norms over a row: dst = gain·norm(x) + bias; the modulated norm takes
 * scale as gain, to which it adds 1, and shift as bias. RMS norm has no bias.
 * gain and bias are 1 × cols. */
typedef struct {
    taca_matrix dst, x, gain, bias;
    long long   rows, cols;
    double      eps;
} taca_norm_args;

/* RMS norm of every head with gain (1 × head_size, or absent), then rotation
 * of neighbouring pairs by rope (rows × head_size, F32: cos, sin of each
 * pair; or absent); in place. */
typedef struct {
    taca_matrix x, gain, rope;
    long long   rows, heads, head_size;
    double      eps;
} taca_qk_norm_rope_args;

/* Element by element:
 *   gated_add: dst += gate·y       (gate 1 × cols, or absent; dst is also the input)
 *   activate:  dst = act(x)
 *   mul:       dst = x·y
 *   mix:       dst = a·x + b·y
 *   copy:      dst = a·x, converting the format (F32 to F8E5M2 are read; F32 and BF16 are written)
 *   dequantise: the same of Q8 and Q4, whose stride, in bytes, is that of a row without gaps */
typedef struct {
    taca_matrix dst, x, y, gate;
    long long   rows, cols;
    double      a, b;
    long long   act;
} taca_pointwise_args;

/* dst = act(alpha·x·wᵀ + bias) + beta·dst for up to 8 rows; x is rows × in, w is
 * out × in in any format, bias 1 × out or absent. */
typedef struct {
    taca_matrix dst, x, w, bias;
    long long   rows, in, out;
    double      alpha, beta;
    long long   act;
} taca_linear_few_args;

/* Row ids[i] of table, times scale, becomes row i of dst:
 *   gather:       of formats whose elements have an address
 *   widen_blocks: of ggml's blocks, whose stride is in bytes */
typedef struct {
    taca_matrix        dst, table;
    unsigned long long ids; /* address of rows 32-bit integers; widen_blocks: or 0, for all rows in order */
    long long          rows, cols;
    double             scale;
} taca_gather_args;

/* 3×3 convolution with a zero border; x is pixels × in, dst is pixels × out,
 * w is out × 9·in with columns ordered (ky, kx, in), bias 1 × out or absent. */
typedef struct {
    taca_matrix dst, x, w, bias;
    long long   height, width, in, out;
} taca_conv3x3_args;

/* Group norm: sums of slabs of rows, statistics of groups, then
 * dst = act(gain·norm(x) + bias). sums holds F32 partial results. */
typedef struct {
    taca_matrix        dst, x, gain, bias;
    unsigned long long sums; /* address of the partial results, see group_norm.cu */
    long long          rows, cols, groups, slabs;
    double             eps;
    long long          act;
} taca_group_norm_args;

/* Every pixel of x, repeated two by two. height and width are x's. */
typedef struct {
    taca_matrix dst, x;
    long long   height, width, cols;
} taca_upsample2x_args;

#endif
