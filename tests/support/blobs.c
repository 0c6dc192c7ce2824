/* Rows of a class are large in a third of the inputs and noisy elsewhere. */
#include "tests/support/blobs.h"

#include "lib/base/file.h"
#include "lib/base/rng.h"

#include <check.h>

struct dataset *blobs(size_t n, uint64_t seed)
{
    static float rows[BLOBS_MAX_ROWS * BLOBS_INPUTS];
    static int32_t labels[BLOBS_MAX_ROWS];
    static struct dataset d;
    struct rng rng = rng_make(seed, "blobs", 0);
    ck_assert_uint_le(n, BLOBS_MAX_ROWS);
    for (size_t i = 0; i < n; i++) {
        labels[i] = (int32_t)rng_below(&rng, BLOBS_CLASSES);
        for (size_t k = 0; k < BLOBS_INPUTS; k++) {
            bool on = k % BLOBS_CLASSES == (size_t)labels[i];
            float base = on ? 0.7f : 0.3f;
            rows[i * BLOBS_INPUTS + k] = base + 0.2f * rng_normal(&rng);
        }
    }
    d = (struct dataset){.n = n,
                         .row_size = BLOBS_INPUTS,
                         .rank = 1,
                         .shape = {BLOBS_INPUTS},
                         .floats = rows,
                         .labels = labels,
                         .n_classes = BLOBS_CLASSES};
    d.hash = file_hash(FILE_HASH_START, rows, n * BLOBS_INPUTS * sizeof *rows);
    return &d;
}
