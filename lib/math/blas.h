/* Dense products: the only door to a BLAS library.
 *
 * One build uses OpenBLAS (blas_openblas.c), one plain loops (blas_ref.c); the
 * Makefile chooses. Everything is row-major float32. The library runs with one
 * thread: our own threads are the parallelism.
 */
#ifndef SPARSED_MATH_BLAS_H
#define SPARSED_MATH_BLAS_H

#include "lib/base/err.h"

#include <stddef.h>

enum blas_form { BLAS_PLAIN, BLAS_TRANSPOSED };

/* Call first in main, before other threads. Sets one thread and compares the
 * library with a plain loop over the shapes that we use (some builds compute
 * wrong results on some processors). On a mismatch the plain loops are used
 * from then on; the error says so with the worst difference, and is a warning:
 * the program may go on. */
enum err_code blas_start(struct err *e) ERR_CHECKED;

/* "OpenBLAS 0.3.21 SkylakeX", "plain loops". */
const char *blas_name(void);

/* out (M,N) = scale * A B + keep * out, where A is (M,K), or stored (K,M) if
 * BLAS_TRANSPOSED, and B is (K,N), or stored (N,K). Rows are contiguous. With
 * keep = 0 what stood in `out` is not read. */
void blas_gemm(float *out, enum blas_form a_form, const float *a,
               enum blas_form b_form, const float *b, size_t M, size_t N,
               size_t K, float scale, float keep);

/* The same by plain loops: the measure for blas_start, tests and fallback. */
void plain_gemm(float *out, enum blas_form a_form, const float *a,
                enum blas_form b_form, const float *b, size_t M, size_t N,
                size_t K, float scale, float keep);

#endif
