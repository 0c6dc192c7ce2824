/* Eigenvalues and eigenvectors of a symmetric matrix, in double precision:
 * A = V' diag(values) V with the eigenvectors as rows of V.
 *
 * Householder reflections make A tridiagonal, implicit QR steps with
 * Wilkinson's shift make that diagonal (Golub & Van Loan, Matrix Computations,
 * algorithms 8.3.1 to 8.3.3). About 9 n^3 operations.
 */
#ifndef SPARSED_MATH_EIGEN_H
#define SPARSED_MATH_EIGEN_H

#include "lib/base/err.h"

#include <stddef.h>

/* a (n,n), symmetric, becomes V: row k is the eigenvector of norm 1 that
 * belongs to values[k]; values (n) rise. ERR_INTERNAL if a number is not finite
 * (or, which is not known to happen, the steps do not converge): a is then
 * spoilt. ERR_NO_MEMORY. */
enum err_code eigen_symmetric(double *a, double *values, size_t n,
                              struct err *e) ERR_CHECKED;

#endif
