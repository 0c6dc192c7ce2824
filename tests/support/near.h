/* Comparing floats: a failure prints the name, the index and both values.
 *
 * The tolerance is absolute for values up to 1 and relative above. NaN is near
 * to nothing.
 */
#ifndef SPARSED_TESTS_NEAR_H
#define SPARSED_TESTS_NEAR_H

#include <stddef.h>

#define near(got, want, tolerance)                                             \
    near_value(__FILE__, __LINE__, #got, (got), (want), (tolerance))

/* n floats each. */
#define near_all(got, want, n, tolerance)                                      \
    near_floats(__FILE__, __LINE__, #got, (got), (want), (n), (tolerance))

void near_value(const char *file, int line, const char *name, double got,
                double want, double tolerance);
void near_floats(const char *file, int line, const char *name, const float *got,
                 const float *want, size_t n, double tolerance);

#endif
