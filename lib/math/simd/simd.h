/* Simd: the few kernels that are written for registers by hand, once for each
 * instruction set, behind one table that is chosen when the program starts.
 *
 * A file here is one instruction set; plain.c is C that runs everywhere and
 * says what each kernel computes. The others give the same up to the order of
 * additions (tests/lib/math/test_simd.c). Loops that a compiler vectorises well
 * by itself are none of this: they stay in kernels.h, with KERNEL_CLONES.
 */
#ifndef SPARSED_MATH_SIMD_H
#define SPARSED_MATH_SIMD_H

#include "lib/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Part of a list of non-zero entries, and the entry whose column is the first
 * of those that a product reads (modulo 2^32). */
struct simd_slice {
    const uint32_t *index;
    size_t count;
    uint32_t base;
};

/* A list of windows over x: window places[t] has its numbers from
 * x + from[places[t]] on, `runs` runs of `run`, each `step` after the one
 * before. */
struct simd_windows {
    const uint32_t *places, *from;
    size_t n;
    size_t runs, run, step;
};

/* What `rows` of the two kernels below must be a multiple of. */
#define SIMD_ROWS ((size_t)16)

struct simd {
    const char *name;   /* "plain", "avx2", "avx512", "neon" */
    bool (*runs)(void); /* whether this processor has it */

    /* Writes the positions of the non-zero entries of x (n) into index (n),
     * ascending, and returns how many there are. */
    size_t (*nonzeros)(uint32_t *index, const float *x, size_t n);

    /* out (rows) += sum over k < count of x[index[k]] * column index[k], where
     * columns (n, rows) holds one column of W after another. */
    void (*columns_add)(float *restrict out, const float *restrict columns,
                        const uint32_t *restrict index, size_t count,
                        const float *restrict x, size_t rows);

    /* The other way round: out[index[k]] += column index[k] times y (rows), for
     * each k < count. */
    void (*columns_dot)(float *restrict out, const float *restrict columns,
                        const uint32_t *restrict index, size_t count,
                        const float *restrict y, size_t rows);

    /* out (rows) += sum over the n slices and their entries i of x[i] * column
     * i - base, where columns holds one column after another. */
    void (*slices_add)(float *restrict out, const float *restrict columns,
                       const struct simd_slice *slices, size_t n,
                       const float *restrict x, size_t rows);

    /* out (places,rows): each listed place += sum over the k-th numbers of its
     * window times column k of columns (runs * run, rows). */
    void (*windows_add)(float *restrict out, const float *restrict columns,
                        const struct simd_windows *w, const float *restrict x,
                        size_t rows);
};

/* The one in use; plain until simd_start. */
extern const struct simd *simd;

/* Every table that was built, the fastest first; NULL ends them. */
extern const struct simd *const simd_all[];

/* Call first in main, before other threads. Takes the fastest that runs here,
 * or the one that the environment variable SPARSED_SIMD names. ERR_INVALID if
 * it names none that runs here: the fastest is in use then. */
enum err_code simd_start(struct err *e) ERR_CHECKED;

#endif
