/* Every composition that the axes allow, as small configs: tests loop over
 * them, so a new axis value is covered the moment it is listed.
 */
#ifndef SPARSED_TESTS_COMPOSITIONS_H
#define SPARSED_TESTS_COMPOSITIONS_H

#include "lib/model/model.h"

#include <stddef.h>

#define COMPOSITION_INPUTS 6
#define COMPOSITION_CLASSES 3

/* How many there are, and the config of the i-th; the text of its config is
 * its name. The caller frees the config. */
size_t compositions_count(void);
struct json *composition_config(size_t i);
const char *composition_name(size_t i); /* static, of the last call */

/* A started model of the i-th; fails the test on error. With values that make
 * about half of the units active. */
struct model *composition_model(size_t i);

/* One that whitens its inputs and scales them, started on random rows. */
struct model *composition_whitened(void);

/* The same with other steps: the inside of the array "preprocess". */
struct model *composition_preprocessed(const char *steps);

/* B rows of random input (B, COMPOSITION_INPUTS), and labels. */
void composition_rows(float *x, int *labels, size_t B, unsigned seed);

#endif
