/* Numbers: what those who print or check a model's numbers ask of a row,
 * without knowing how it is found out fast.
 */
#ifndef SPARSED_MODEL_NUMBERS_H
#define SPARSED_MODEL_NUMBERS_H

#include "lib/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether none of x (n) is an infinity or not a number. */
bool numbers_finite(const float *x, size_t n);

/* How many of x (n) are not zero. */
size_t numbers_count(const float *x, size_t n);

/* The same, and where they are, ascending, into index (n). */
size_t numbers_list(uint32_t *index, const float *x, size_t n);

/* The largest |x_i|; entries that are not numbers do not count. */
float numbers_largest(const float *x, size_t n);

/* The square root of the sum of squares. */
double numbers_norm(const float *x, size_t n);

/* Call first in main, before other threads: chooses what this processor
 * computes fastest with. An error is a warning: the program may go on. */
enum err_code numbers_start(struct err *e) ERR_CHECKED;

/* What it computes with, for people: the instruction set ("avx512"), and the
 * library of dense products ("OpenBLAS 0.3.21 SkylakeX"). */
const char *numbers_instructions(void);
const char *numbers_library(void);

#endif
