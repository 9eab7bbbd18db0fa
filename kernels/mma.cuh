// The instructions of tensor cores and asynchronous copies, as PTX has them
// (ISA 7.0, sm_80 and newer).
#pragma once

typedef unsigned int u32;

// block_memory is the dynamic shared memory of a block.
extern __shared__ __align__(128) unsigned char block_memory[];

static __device__ __forceinline__ u32 shared_address(const void* p) { return (u32)__cvta_generic_to_shared(p); }

// copy_async brings 16 bytes to shared memory, of which only the first `bytes`
// are read; the rest are zeros.
static __device__ __forceinline__ void copy_async(u32 to, const void* from, u32 bytes) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(to), "l"(from), "r"(bytes) : "memory");
}
static __device__ __forceinline__ void commit_copies() { asm volatile("cp.async.commit_group;\n" ::: "memory"); }

// wait_copies waits until at most N groups of copies are under way.
template <int N> static __device__ __forceinline__ void wait_copies() { asm volatile("cp.async.wait_group %0;\n" ::"n"(N) : "memory"); }

// load_fragments reads four 8×8 matrices of bf16; lane l gives the address of
// row l%8 of matrix l/8.
static __device__ __forceinline__ void load_fragments(u32 at, u32& a, u32& b, u32& c, u32& d) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n" : "=r"(a), "=r"(b), "=r"(c), "=r"(d) : "r"(at) : "memory");
}

// load_transposed is load_fragments with every matrix transposed.
static __device__ __forceinline__ void load_transposed(u32 at, u32& a, u32& b, u32& c, u32& d) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];\n" : "=r"(a), "=r"(b), "=r"(c), "=r"(d) : "r"(at) : "memory");
}

// multiply_add is c += a·b: 16×16 by 16×8 bf16, sums in F32.
static __device__ __forceinline__ void multiply_add(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// multiply is c = a·b. Sums that begin this way need not be cleared.
static __device__ __forceinline__ void multiply(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%10,%10,%10,%10};\n"
                 : "=f"(c[0]), "=f"(c[1]), "=f"(c[2]), "=f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1), "f"(0.f));
}

// pack rounds two numbers to bf16, to nearest even; lo takes the lower half.
static __device__ __forceinline__ u32 pack(float lo, float hi) {
    u32 r;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(hi), "f"(lo));
    return r;
}

// exp2_fast is 2^x to about two units in the last place.
static __device__ __forceinline__ float exp2_fast(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

// store_pair writes two floats to shared memory at once: as an assignment the
// compiler sometimes makes two of it, which meet in the same banks.
static __device__ __forceinline__ void store_pair(u32 at, float first, float second) {
    asm volatile("st.shared.v2.f32 [%0], {%1,%2};\n" ::"r"(at), "f"(first), "f"(second) : "memory");
}
