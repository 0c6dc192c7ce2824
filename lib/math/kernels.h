/* Small kernels that the axes are made of: vectors and rows.
 *
 * Output first, then inputs, then sizes. Loops are plain C that the compiler
 * vectorises; KERNEL_CLONES lets the loader choose the instruction set. What
 * has to be written for registers by hand is in lib/math/simd.
 */
#ifndef SPARSED_MATH_KERNELS_H
#define SPARSED_MATH_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Builds a function for several x86-64 levels and picks one at load time.
 * Off under sanitizers (resolvers run before their runtime) and elsewhere.
 * KERNEL_WIDTH numbers are what a register holds on each level that matters. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) &&         \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) &&         \
    !defined(SPARSED_NO_CLONES)
#define KERNEL_CLONES                                                          \
    __attribute__((                                                            \
        target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#define KERNEL_WIDTH 8
#else
#define KERNEL_CLONES
#define KERNEL_WIDTH 4
#endif

/* Number of non-zero entries. */
size_t nonzeros_count(const float *x, size_t n);

/* out (columns, rows) = or += in (rows, columns) transposed. */
void transpose(float *out, const float *in, size_t rows, size_t columns);
void transpose_add(float *out, const float *in, size_t rows, size_t columns);

/* The same where the rows of in are in_step numbers apart, those of out
 * out_step. */
void transpose_part(float *restrict out, size_t out_step,
                    const float *restrict in, size_t in_step, size_t rows,
                    size_t columns);

/* Sums in double. */
double vec_dot(const float *a, const float *b, size_t n);
/* sum of w_i |x_i|, in float */
float vec_dot_sizes(const float *w, const float *x, size_t n);
double vec_norm(const float *x, size_t n);

/* What is to be added to: out = x, NULL for 0; x may be out. */
void vec_start(float *out, const float *x, size_t n);
void vec_scale(float *x, float factor, size_t n);
void vec_add(float *out, const float *x, float factor, size_t n);
/* The largest |x_i|; entries that are not numbers do not count. */
float vec_largest(const float *x, size_t n);
bool vec_finite(const float *x, size_t n);
/* out = a b, out += a b, x *= a, number by number. */
void vec_multiply(float *restrict out, const float *restrict a,
                  const float *restrict b, size_t n);
void vec_multiply_by(float *restrict x, const float *restrict a, size_t n);
void vec_add_products(float *restrict out, const float *restrict a,
                      const float *restrict b, size_t n);

/* Each of B rows (n): p = softmax(u); stable for large u. p may be u. */
void softmax_rows(float *p, const float *u, size_t B, size_t n);

#endif
