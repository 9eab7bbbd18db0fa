//go:build cuda

#include "cublaslt.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

enum { COMPUTE_F32 = 68, OP_TRANSPOSE = 1 };
enum { DESC_TRANS_A = 3, DESC_EPILOGUE = 7, DESC_BIAS = 8, DESC_BIAS_STRIDE = 10 };
enum { LAYOUT_BATCH = 5, LAYOUT_STRIDE = 6 };
enum { PREFER_WORKSPACE = 1, PREFER_ALIGN_A = 5, PREFER_ALIGN_B = 6, PREFER_ALIGN_C = 7, PREFER_ALIGN_D = 8 };
enum { NOT_SUPPORTED = 15 };

typedef struct { uint64_t data[8]; } algorithm;
typedef struct {
    algorithm found;
    size_t    workspace;
    int       state;
    float     waves;
    int       reserved[4];
} heuristic;

struct lt_plan {
    void     *desc, *a, *b, *d;
    algorithm how;
    int       biased;
};

static struct {
    size_t (*version)(void);
    int (*create)(void **);
    int (*destroy)(void *);
    int (*desc_create)(void **, int, int);
    int (*desc_set)(void *, int, const void *, size_t);
    int (*desc_destroy)(void *);
    int (*layout_create)(void **, int, uint64_t, uint64_t, int64_t);
    int (*layout_set)(void *, int, const void *, size_t);
    int (*layout_destroy)(void *);
    int (*preference_create)(void **);
    int (*preference_set)(void *, int, const void *, size_t);
    int (*preference_destroy)(void *);
    int (*find)(void *, void *, void *, void *, void *, void *, void *, int, heuristic *, int *);
    int (*matmul)(void *, void *, const void *, const void *, void *, const void *, void *, const void *,
                  const void *, void *, void *, void *, const algorithm *, void *, size_t, void *);
} lt;

/* The library by its name for the loader, then where CUDA's installer puts it. */
static const char *const places[] = {"libcublasLt.so.12", "/usr/local/cuda/lib64/libcublasLt.so.12"};

static int resolve(void *library) {
    static const struct { const char *name; void **slot; } symbols[] = {
        {"cublasLtGetVersion", (void **)&lt.version},
        {"cublasLtCreate", (void **)&lt.create},
        {"cublasLtDestroy", (void **)&lt.destroy},
        {"cublasLtMatmulDescCreate", (void **)&lt.desc_create},
        {"cublasLtMatmulDescSetAttribute", (void **)&lt.desc_set},
        {"cublasLtMatmulDescDestroy", (void **)&lt.desc_destroy},
        {"cublasLtMatrixLayoutCreate", (void **)&lt.layout_create},
        {"cublasLtMatrixLayoutSetAttribute", (void **)&lt.layout_set},
        {"cublasLtMatrixLayoutDestroy", (void **)&lt.layout_destroy},
        {"cublasLtMatmulPreferenceCreate", (void **)&lt.preference_create},
        {"cublasLtMatmulPreferenceSetAttribute", (void **)&lt.preference_set},
        {"cublasLtMatmulPreferenceDestroy", (void **)&lt.preference_destroy},
        {"cublasLtMatmulAlgoGetHeuristic", (void **)&lt.find},
        {"cublasLtMatmul", (void **)&lt.matmul},
    };
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++)
        if (!(*symbols[i].slot = dlsym(library, symbols[i].name))) return 0;
    return 1;
}

int lt_open(void **handle, const char **why) {
    static char first[512]; /* the loader frees its text at the next call */
    void       *library = NULL;
    *why = first;
    for (size_t i = 0; i < sizeof places / sizeof *places && !library; i++) {
        library = dlopen(places[i], RTLD_NOW | RTLD_LOCAL);
        if (!library && i == 0) snprintf(first, sizeof first, "%s", dlerror());
    }
    if (!library) return -1;
    if (!resolve(library)) {
        *why = dlerror();
        return -1;
    }
    int status = lt.create(handle);
    *why = lt_status(status);
    return status;
}

/* layout makes a matrix of rows × cols, and of a batch, where there is one. */
static int layout(void **out, int type, int64_t rows, int64_t cols, int64_t ld, int64_t batch, int64_t stride) {
    int32_t count = (int32_t)batch;
    int     s = lt.layout_create(out, type, (uint64_t)rows, (uint64_t)cols, ld);
    if (s || batch == 1) return s;
    s = lt.layout_set(*out, LAYOUT_BATCH, &count, sizeof count);
    return s ? s : lt.layout_set(*out, LAYOUT_STRIDE, &stride, sizeof stride);
}

static int describe(lt_plan *p, const lt_shape *s) {
    int32_t  transpose = OP_TRANSPOSE, epilogue = (int32_t)s->epilogue;
    uint64_t no_bias_yet = 0;
    int      e = lt.desc_create(&p->desc, COMPUTE_F32, LT_F32);
    if (!e) e = lt.desc_set(p->desc, DESC_TRANS_A, &transpose, sizeof transpose);
    if (!e) e = lt.desc_set(p->desc, DESC_EPILOGUE, &epilogue, sizeof epilogue);
    p->biased = (s->epilogue & LT_BIAS) != 0;
    if (!e && p->biased) e = lt.desc_set(p->desc, DESC_BIAS, &no_bias_yet, sizeof no_bias_yet);
    if (!e && p->biased && s->batch > 1) e = lt.desc_set(p->desc, DESC_BIAS_STRIDE, &s->stride_bias, sizeof s->stride_bias);
    if (!e) e = layout(&p->a, (int)s->type_in, s->k, s->m, s->lda, s->batch, s->stride_a);
    if (!e) e = layout(&p->b, (int)s->type_in, s->k, s->n, s->ldb, s->batch, 0);
    if (!e) e = layout(&p->d, (int)s->type_out, s->m, s->n, s->ldd, s->batch, s->stride_d);
    return e;
}

static int prefer(void *preference, const lt_shape *s, size_t workspace) {
    uint64_t bytes = workspace;
    uint32_t a = (uint32_t)s->align_a, b = (uint32_t)s->align_b, d = (uint32_t)s->align_d;
    int      e = lt.preference_set(preference, PREFER_WORKSPACE, &bytes, sizeof bytes);
    if (!e) e = lt.preference_set(preference, PREFER_ALIGN_A, &a, sizeof a);
    if (!e) e = lt.preference_set(preference, PREFER_ALIGN_B, &b, sizeof b);
    if (!e) e = lt.preference_set(preference, PREFER_ALIGN_C, &d, sizeof d);
    if (!e) e = lt.preference_set(preference, PREFER_ALIGN_D, &d, sizeof d);
    return e;
}

int lt_make(void *handle, const lt_shape *s, size_t workspace, lt_plan **out) {
    void     *preference = NULL;
    heuristic best;
    int       found = 0;
    lt_plan  *p = calloc(1, sizeof *p);
    *out = NULL;
    if (!p) return 3;
    int e = describe(p, s);
    if (!e) e = lt.preference_create(&preference);
    if (!e) e = prefer(preference, s, workspace);
    if (!e) e = lt.find(handle, p->desc, p->a, p->b, p->d, p->d, preference, 1, &best, &found);
    if (!e && found == 0) e = NOT_SUPPORTED;
    if (!e) e = best.state;
    if (preference) lt.preference_destroy(preference);
    if (e) {
        lt_drop(p);
        return e;
    }
    p->how = best.found;
    *out = p;
    return 0;
}

int lt_run(void *handle, lt_plan *p, float alpha, float beta, uint64_t a, uint64_t b, uint64_t bias, uint64_t d,
           uint64_t workspace, size_t bytes, uintptr_t stream) {
    if (p->biased) {
        int e = lt.desc_set(p->desc, DESC_BIAS, &bias, sizeof bias);
        if (e) return e;
    }
    return lt.matmul(handle, p->desc, &alpha, (const void *)a, p->a, (const void *)b, p->b, &beta, (const void *)d, p->d,
                     (void *)d, p->d, &p->how, (void *)workspace, bytes, (void *)stream);
}

void lt_drop(lt_plan *p) {
    if (p->desc) lt.desc_destroy(p->desc);
    if (p->a) lt.layout_destroy(p->a);
    if (p->b) lt.layout_destroy(p->b);
    if (p->d) lt.layout_destroy(p->d);
    free(p);
}

void lt_close(void *handle) { lt.destroy(handle); }

size_t lt_version(void) { return lt.version(); }

const char *lt_status(int status) {
    switch (status) {
    case 0: return "success";
    case 1: return "CUBLAS_STATUS_NOT_INITIALIZED";
    case 3: return "CUBLAS_STATUS_ALLOC_FAILED";
    case 7: return "CUBLAS_STATUS_INVALID_VALUE";
    case 8: return "CUBLAS_STATUS_ARCH_MISMATCH";
    case 11: return "CUBLAS_STATUS_MAPPING_ERROR";
    case 13: return "CUBLAS_STATUS_EXECUTION_FAILED";
    case 14: return "CUBLAS_STATUS_INTERNAL_ERROR";
    case 15: return "CUBLAS_STATUS_NOT_SUPPORTED";
    }
    return "a status of cuBLASLt that is not known here";
}
