/* A data set in memory: rows of the same shape, optional labels, from any of
 * the formats that --data takes.
 *
 * Pixels stay bytes until a batch asks for them (MNIST: 47 MB, not 188), so a
 * row is either `bytes`, mapped to the model's range, or `floats` as they are.
 * A set may also be made of the rows of others, which are not copied.
 */
#ifndef SPARSED_DATA_DATASET_H
#define SPARSED_DATA_DATASET_H

#include "lib/base/err.h"

#include <stddef.h>
#include <stdint.h>

#define DATASET_MAX_RANK 3
#define DATASET_MAX_PARTS 4
#define DATASET_NO_LABEL (-1)

enum dataset_split { DATASET_TRAIN, DATASET_TEST };

struct dataset {
    size_t n;        /* rows */
    size_t row_size; /* numbers a row */
    size_t rank;     /* of a row; 1: a vector, 2: H,W, 3: C,H,W */
    size_t shape[DATASET_MAX_RANK];
    uint8_t *bytes; /* (n, row_size), 0..255, or NULL */
    float *floats;  /* (n, row_size), or NULL */
    /* Or the rows of other sets, one set after the other: borrowed. */
    const struct dataset *parts[DATASET_MAX_PARTS];
    size_t n_parts;
    int32_t *labels;  /* (n), class index or DATASET_NO_LABEL; NULL: none */
    size_t n_classes; /* 0 without labels */
    char **classes;   /* (n_classes) names from folder names, NULL: numerals */
    uint64_t hash;    /* fingerprint of rows and labels, for lineage */
};

/* What the caller knows of the rows it wants; zero: take what there is.
 * Pictures are converted to the shape (grey if C is 1 or the rank 2, resized),
 * photographs are cut into patches of it. Rows of other formats must have it:
 * flat rows of the same size take it, axes of size 1 may be added or left out,
 * all else is ERR_SHAPE. */
struct dataset_want {
    enum dataset_split split; /* where the format has splits */
    size_t rank;
    size_t shape[DATASET_MAX_RANK];
    size_t max_rows; /* more are ERR_TOO_LARGE; 0: DATASET_MAX_ROWS */
    /* How photographs are cut. With a count, data that are not photographs
     * are ERR_SHAPE. */
    struct dataset_patches {
        size_t count; /* 0: DATASET_STANDARD_PATCHES */
        uint64_t seed;
    } patches;
};

#define DATASET_MAX_ROWS (100u * 1000 * 1000)
#define DATASET_MAX_BYTES ((size_t)8 << 30)
#define DATASET_MAX_PATCHES (10u * 1000 * 1000)
#define DATASET_STANDARD_PATCHES 10000

/* `path`: a folder with IDX files (train-*, t10k-*; gzipped ones too), a .npy
 * (rows), a .npz (x, and y if it has labels; or x_train, y_train, x_test,
 * y_test), a .csv (numbers; a column headed "label" is the label), a folder of
 * class folders with PNG or JPEG images, or a folder of photographs (such
 * images and no folders: patches of the wanted shape, which must be known).
 * NULL on error: ERR_NOT_FOUND, ERR_SHAPE, ERR_CORRUPT, ERR_TOO_LARGE,
 * ERR_NO_MEMORY, ERR_IO; messages name the file. The caller frees with
 * dataset_free. */
struct dataset *dataset_load(const char *path, const struct dataset_want *want,
                             struct err *e);
void dataset_free(struct dataset *d);

/* Copies rows index[0..n) as floats into out (n, row_size); bytes are mapped
 * linearly from 0..255 to [low, high], floats are copied. */
void dataset_rows(const struct dataset *d, const uint32_t *index, size_t n,
                  float low, float high, float *out);

#endif
