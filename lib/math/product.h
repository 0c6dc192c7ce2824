/* Product: rows times a matrix where rows may be mostly zeros. Here is decided
 * whether such a product reads the whole matrix (a BLAS library's business) or
 * only what meets numbers that are not zero.
 */
#ifndef SPARSED_MATH_PRODUCT_H
#define SPARSED_MATH_PRODUCT_H

#include <stdbool.h>
#include <stddef.h>

/* out (B,M) += x (B,N) c (N,M). */
void product_add(float *out, const float *x, const float *c, size_t B, size_t N,
                 size_t M);

/* Whether rows like these of x (B,N) are multiplied one by one, so that nothing
 * is gained by many of them at once. */
bool product_is_sparse(const float *x, size_t B, size_t N);

#endif
