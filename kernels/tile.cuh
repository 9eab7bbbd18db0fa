// Tiles of bf16 rows in shared memory, and their way there.
//
// A row of D columns is D/8 chunks of 16 bytes. Chunk c of row r lies at
// c ^ (r % 8): the eight rows of a fragment are in eight different groups of
// banks, whether the fragment is read straight or transposed.
#pragma once

#include "mma.cuh"

template <int D> static __device__ __forceinline__ u32 chunk_offset(int row, int chunk) {
    return row * (2 * D) + ((chunk ^ (row & 7)) << 4);
}

// rows_reader is this thread's part in copying tiles of ROWS rows out of a
// matrix: one chunk of every (THREADS·8/D)-th row.
template <int D, int ROWS, int THREADS> struct rows_reader {
    enum { chunks = D / 8, apart = THREADS / chunks, passes = ROWS / apart };
    static_assert(apart % 8 == 0 && ROWS % apart == 0, "the swizzle is the same in every pass");

    const char* from; // this thread's chunk of the next tile's first row
    int         step; // bytes from one of its rows to the next
    int         row;
    u32         to; // offset of the chunk in a tile

    __device__ __forceinline__ rows_reader(unsigned long long at, long long row_stride, int first)
        : from((const char*)at + (first + threadIdx.x / chunks) * row_stride * 2 + threadIdx.x % chunks * 16), step((int)row_stride * 2 * apart),
          row(threadIdx.x / chunks), to(chunk_offset<D>(threadIdx.x / chunks, threadIdx.x % chunks)) {}

    // whole copies the next ROWS rows.
    __device__ __forceinline__ void whole(u32 tile) {
#pragma unroll
        for (int i = 0; i < passes; i++) copy_async(tile + to + i * apart * (2 * D), from + (long long)step * i, 16);
        from += (long long)step * passes;
    }

    // part copies the next rows, of which there are `left`, and then zeros.
    __device__ __forceinline__ void part(u32 tile, int left) {
#pragma unroll
        for (int i = 0; i < passes; i++) {
            const bool there = row + i * apart < left;
            copy_async(tile + to + i * apart * (2 * D), there ? from + (long long)step * i : from - (long long)step / apart * row, there ? 16 : 0);
        }
        from += (long long)step * passes;
    }

    __device__ __forceinline__ void any(u32 tile, int left) {
        if (left >= ROWS)
            whole(tile);
        else
            part(tile, left);
    }
};
