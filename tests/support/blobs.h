/* Blobs: a small made-up data set of three classes, for tests that train.
 */
#ifndef SPARSED_TESTS_BLOBS_H
#define SPARSED_TESTS_BLOBS_H

#include "lib/data/dataset.h"

#include <stdbool.h>

enum { BLOBS_INPUTS = 12, BLOBS_CLASSES = 3, BLOBS_MAX_ROWS = 600 };

/* n rows of floats around one of three centres, with labels; static, good
 * until the next call. Not for dataset_free. */
struct dataset *blobs(size_t n, uint64_t seed);

#endif
