/* Data sets: loading, by the table of formats, and what holds for all of them:
 * finite numbers, the wanted shape, the number of classes, the fingerprint.
 */
#include "lib/data/dataset.h"

#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/data/dataset_formats.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SHAPE_CHARS 80
#define NAMES_CHARS 200

/* "(28,28)" */
static const char *print_shape(char out[SHAPE_CHARS], const size_t *shape,
                               size_t rank)
{
    size_t used = 0;
    for (size_t k = 0; k < rank && used < SHAPE_CHARS; k++) {
        int n =
            snprintf(out + used, SHAPE_CHARS - used, "%c%zu%s",
                     k == 0 ? '(' : ',', shape[k], k + 1 == rank ? ")" : "");
        used += n > 0 ? (size_t)n : 0;
    }
    return out;
}

/* Whether two shapes differ at most by axes of size 1. */
static bool same_axes(const size_t *a, size_t a_rank, const size_t *b,
                      size_t b_rank)
{
    size_t i = 0, j = 0;
    for (;; i++, j++) {
        while (i < a_rank && a[i] == 1)
            i++;
        while (j < b_rank && b[j] == 1)
            j++;
        if (i == a_rank || j == b_rank)
            return i == a_rank && j == b_rank;
        if (a[i] != b[j])
            return false;
    }
}

/* Gives the rows the wanted shape. Flat rows fit any shape of their size;
 * otherwise axes must agree, so that (32,32,3) does not pass for (3,32,32). */
static enum err_code apply_shape(struct dataset *d,
                                 const struct dataset_want *want, struct err *e)
{
    if (want->rank == 0)
        return ERR_OK;
    size_t size = 1;
    bool fits = true;
    for (size_t k = 0; k < want->rank; k++)
        fits = fits && mem_mul(size, want->shape[k], &size);
    fits = fits && size == d->row_size;
    if (!fits || (d->rank > 1 && want->rank > 1 &&
                  !same_axes(d->shape, d->rank, want->shape, want->rank))) {
        char got[SHAPE_CHARS], wanted[SHAPE_CHARS];
        return err_set(e, ERR_SHAPE, "rows of shape %s, want %s",
                       print_shape(got, d->shape, d->rank),
                       print_shape(wanted, want->shape, want->rank));
    }
    d->rank = want->rank;
    memcpy(d->shape, want->shape, sizeof(d->shape));
    return ERR_OK;
}

static enum err_code check_finite(const struct dataset *d, struct err *e)
{
    if (d->floats == NULL)
        return ERR_OK;
    for (size_t i = 0; i < d->n * d->row_size; i++)
        if (!isfinite(d->floats[i]))
            return err_set(e, ERR_CORRUPT,
                           "row %zu has a number that is not finite (or no "
                           "float)",
                           i / d->row_size);
    return ERR_OK;
}

static void count_classes(struct dataset *d)
{
    if (d->labels == NULL || d->classes != NULL)
        return;
    int32_t last = DATASET_NO_LABEL;
    for (size_t i = 0; i < d->n; i++)
        if (d->labels[i] > last)
            last = d->labels[i];
    d->n_classes = (size_t)(last + 1);
}

static uint64_t fingerprint(const struct dataset *d)
{
    uint64_t hash = FILE_HASH_START;
    uint64_t n = d->n;
    hash = file_hash(hash, &n, sizeof(n));
    for (size_t k = 0; k < d->rank; k++) {
        uint64_t size = d->shape[k];
        hash = file_hash(hash, &size, sizeof(size));
    }
    size_t numbers = d->n * d->row_size;
    if (d->bytes != NULL)
        hash = file_hash(hash, d->bytes, numbers);
    else
        hash = file_hash(hash, d->floats, numbers * sizeof(*d->floats));
    if (d->labels != NULL)
        hash = file_hash(hash, d->labels, d->n * sizeof(*d->labels));
    return hash;
}

static enum err_code load(struct dataset *d, const char *path,
                          const struct dataset_want *want, struct err *e)
{
    const struct dataset_format *format = dataset_format_find(path);
    if (format == NULL) {
        char names[NAMES_CHARS];
        return err_set(e, ERR_NOT_FOUND, "%.60s: no data set: want %s", path,
                       dataset_format_names(names, sizeof(names)));
    }
    if (want->patches.count > 0 && !format->cuts)
        return err_set(e, ERR_SHAPE,
                       "%.100s: patches are cut from a folder of photographs; "
                       "this is %s",
                       path, format->name);
    if (format->load(d, path, want, e) != ERR_OK)
        return e->code;
    if (apply_shape(d, want, e) != ERR_OK || check_finite(d, e) != ERR_OK)
        return err_wrap(e, "%s", path);
    count_classes(d);
    d->hash = fingerprint(d);
    return ERR_OK;
}

struct dataset *dataset_load(const char *path, const struct dataset_want *want,
                             struct err *e)
{
    struct dataset_want full = *want;
    assert(full.rank <= DATASET_MAX_RANK);
    if (full.max_rows == 0 || full.max_rows > DATASET_MAX_ROWS)
        full.max_rows = DATASET_MAX_ROWS;
    struct dataset *d = mem_array(1, sizeof(*d));
    if (d == NULL) {
        err_set(e, ERR_NO_MEMORY, "%s: out of memory", path);
        return NULL;
    }
    if (load(d, path, &full, e) == ERR_OK)
        return d;
    if (e->code == ERR_INVALID) /* of a file, not of a request */
        e->code = ERR_CORRUPT;
    dataset_free(d);
    return NULL;
}

void dataset_free(struct dataset *d)
{
    if (d == NULL)
        return;
    for (size_t i = 0; d->classes != NULL && i < d->n_classes; i++)
        mem_free(d->classes[i]);
    mem_free(d->classes);
    mem_free(d->bytes);
    mem_free(d->floats);
    mem_free(d->labels);
    mem_free(d);
}

/* The set that holds the row, whose number becomes that within it. */
static const struct dataset *part_of(const struct dataset *d, size_t *row)
{
    for (size_t i = 0; i < d->n_parts; i++) {
        if (*row < d->parts[i]->n)
            return d->parts[i];
        *row -= d->parts[i]->n;
    }
    return d;
}

void dataset_rows(const struct dataset *d, const uint32_t *index, size_t n,
                  float low, float high, float *out)
{
    const size_t size = d->row_size;
    for (size_t i = 0; i < n; i++, out += size) {
        assert(index[i] < d->n);
        size_t at = index[i];
        const struct dataset *part = part_of(d, &at);
        if (part->floats != NULL) {
            memcpy(out, part->floats + at * size, size * sizeof(*out));
            continue;
        }
        const uint8_t *row = part->bytes + at * size;
        for (size_t k = 0; k < size; k++)
            out[k] = low + (high - low) * ((float)row[k] / 255.0f);
    }
}
