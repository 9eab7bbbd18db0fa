/* Matrix products by cuBLASLt, which is opened at run time. Only what is used
 * of its interface is declared here; names and numbers are those of
 * cublasLt.h, CUDA 12. */
#ifndef TACA_CUBLASLT_H
#define TACA_CUBLASLT_H

#include <stddef.h>
#include <stdint.h>

/* Number formats and epilogues, as cuBLASLt counts them. */
enum { LT_F32 = 0, LT_BF16 = 14 };
enum { LT_PLAIN = 1, LT_BIAS = 4, LT_GELU = 32 };

/* A batch of products d_i = epilogue(alpha·a_iᵀ·b + beta·d_i + bias_i), all
 * column-major, which is what row-major operands look like from the side:
 * a is k × m (weights), b is k × n (activations), d is m × n. b is the same for
 * all of the batch. */
typedef struct {
    int64_t m, n, k;
    int64_t lda, ldb, ldd;
    int64_t batch, stride_a, stride_d, stride_bias; /* elements from one to the next */
    int64_t type_in, type_out, epilogue;
    int64_t align_a, align_b, align_d; /* bytes that divide every address */
} lt_shape;

typedef struct lt_plan lt_plan;

/* lt_open finds the library and makes a handle on the current device. It
 * returns 0, or a status; why then says what failed. */
int lt_open(void **handle, const char **why);
/* lt_make finds an algorithm for a shape. */
int lt_make(void *handle, const lt_shape *shape, size_t workspace, lt_plan **plan);
/* lt_run puts the products on a stream. */
int lt_run(void *handle, lt_plan *plan, float alpha, float beta, uint64_t a, uint64_t b, uint64_t bias,
           uint64_t d, uint64_t workspace, size_t bytes, uintptr_t stream);
void lt_drop(lt_plan *plan);
void lt_close(void *handle);
/* lt_version is the library's; lt_open has succeeded. */
size_t lt_version(void);
/* lt_status is what a status is called. */
const char *lt_status(int status);

#endif
