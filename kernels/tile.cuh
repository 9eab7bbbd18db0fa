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

    const unsigned short* from; // this thread's chunk of the first row
    int                   stride, row;
    u32                   to; // offset of the chunk in a tile

    __device__ __forceinline__ rows_reader(unsigned long long at, long long row_stride)
        : from((const unsigned short*)at + (threadIdx.x / chunks) * row_stride + threadIdx.x % chunks * 8), stride((int)row_stride),
          row(threadIdx.x / chunks), to(chunk_offset<D>(threadIdx.x / chunks, threadIdx.x % chunks)) {}

    // whole copies rows [first, first + ROWS).
    __device__ __forceinline__ void whole(u32 tile, int first) const {
        const unsigned short* g = from + (long long)first * stride;
#pragma unroll
        for (int i = 0; i < passes; i++) copy_async(tile + to + i * apart * (2 * D), g + (long long)i * apart * stride, 16);
    }

    // part copies those rows that are below rows, and zeros for the others.
    __device__ __forceinline__ void part(u32 tile, int first, int rows) const {
#pragma unroll
        for (int i = 0; i < passes; i++) {
            const bool there = first + row + i * apart < rows;
            copy_async(tile + to + i * apart * (2 * D), from + (there ? (long long)(first + i * apart) * stride : 0), there ? 16 : 0);
        }
    }

    __device__ __forceinline__ void any(u32 tile, int first, int rows) const {
        if (first + ROWS <= rows)
            whole(tile, first);
        else
            part(tile, first, rows);
    }
};
