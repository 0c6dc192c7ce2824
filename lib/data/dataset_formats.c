/* Data set formats: what turns the arrays of each format into rows and labels,
 * and the table of them. The formats themselves are modules of their own.
 */
#include "lib/data/dataset_formats.h"

#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/data/csv.h"
#include "lib/data/dataset_labels.h"
#include "lib/data/folder.h"
#include "lib/data/idx.h"
#include "lib/data/image.h"
#include "lib/data/names.h"
#include "lib/data/npz.h"
#include "lib/data/photographs.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define MAX_IDX_FILES 64 /* with one prefix in a folder */

/* ---- from arrays to rows and labels ---- */

static enum err_code check_rows(const struct dataset *d,
                                const struct dataset_want *want,
                                size_t item_bytes, struct err *e)
{
    if (d->n == 0 || d->row_size == 0)
        return err_set(e, ERR_INVALID, "no rows in it");
    if (d->n > want->max_rows)
        return err_set(e, ERR_TOO_LARGE, "%zu rows, more than %zu", d->n,
                       want->max_rows);
    size_t bytes;
    if (!mem_mul(d->n, d->row_size, &bytes) ||
        !mem_mul(bytes, item_bytes, &bytes) || bytes > DATASET_MAX_BYTES)
        return err_set(e, ERR_TOO_LARGE,
                       "%zu rows of %zu numbers take more than %zu bytes", d->n,
                       d->row_size, DATASET_MAX_BYTES);
    return ERR_OK;
}

/* Rows are the first axis; unsigned bytes stay bytes. */
static enum err_code take_rows(struct dataset *d, const struct npy *x,
                               const struct dataset_want *want, struct err *e)
{
    if (x->rank < 2 || x->rank > DATASET_MAX_RANK + 1)
        return err_set(e, ERR_INVALID,
                       "an array of %zu axes: want rows first, then 1 to %d "
                       "axes for a row",
                       x->rank, DATASET_MAX_RANK);
    d->n = x->shape[0];
    d->rank = x->rank - 1;
    memcpy(d->shape, x->shape + 1, d->rank * sizeof(d->shape[0]));
    d->row_size = d->n == 0 ? 0 : x->count / d->n;
    bool bytes = npy_is_bytes(x);
    if (check_rows(d, want, bytes ? 1 : sizeof(*d->floats), e) != ERR_OK)
        return e->code;
    if (bytes)
        d->bytes = mem_raw(x->count);
    else
        d->floats = mem_array(x->count, sizeof(*d->floats));
    if (d->bytes == NULL && d->floats == NULL)
        return err_set(e, ERR_NO_MEMORY, "no memory for %zu rows", d->n);
    if (bytes)
        npy_to_bytes(x, d->bytes);
    else
        npy_to_floats(x, d->floats);
    return ERR_OK;
}

/* ---- IDX ---- */

static bool is_train_idx(const char *folder, const char *name)
{
    (void)folder;
    return strncmp(name, "train-", 6) == 0;
}

static bool is_test_idx(const char *folder, const char *name)
{
    (void)folder;
    return strncmp(name, "t10k-", 5) == 0;
}

/* The path of the split's file with `word` in its name; the plain one before
 * the gzipped one. ERR_NOT_FOUND if there is none. */
static enum err_code find_idx(char path[PATH_MAX], const char *folder,
                              enum dataset_split split, const char *word,
                              struct err *e)
{
    bool test = split == DATASET_TEST;
    struct names names;
    if (names_list(&names, folder, test ? is_test_idx : is_train_idx,
                   MAX_IDX_FILES, e) != ERR_OK)
        return e->code;
    size_t i = 0;
    while (i < names.n && strstr(names.items[i], word) == NULL)
        i++;
    enum err_code code =
        i < names.n ? file_join(path, PATH_MAX, folder, names.items[i], e)
                    : err_set(e, ERR_NOT_FOUND, "%s: no file %s-*%s*", folder,
                              test ? "t10k" : "train", word);
    names_fini(&names);
    return code;
}

static bool matches_idx(const char *path)
{
    char file[PATH_MAX];
    struct err ignored;
    return file_is_folder(path) &&
           (find_idx(file, path, DATASET_TRAIN, "images", &ignored) == ERR_OK ||
            find_idx(file, path, DATASET_TEST, "images", &ignored) == ERR_OK);
}

static enum err_code load_idx_labels(struct dataset *d, const char *path,
                                     struct err *e)
{
    struct idx_file file;
    if (idx_open(&file, path, DATASET_MAX_BYTES, e) != ERR_OK)
        return e->code;
    enum err_code code = dataset_take_labels(d, &file.array, e);
    idx_close(&file);
    return code == ERR_OK ? ERR_OK : err_wrap(e, "%s", path);
}

static enum err_code load_idx(struct dataset *d, const char *path,
                              const struct dataset_want *want, struct err *e)
{
    char name[PATH_MAX];
    struct idx_file file;
    if (find_idx(name, path, want->split, "images", e) != ERR_OK ||
        idx_open(&file, name, DATASET_MAX_BYTES, e) != ERR_OK)
        return e->code;
    enum err_code code = take_rows(d, &file.array, want, e);
    idx_close(&file);
    if (code != ERR_OK)
        return err_wrap(e, "%s", name);
    code = find_idx(name, path, want->split, "labels", e);
    if (code == ERR_NOT_FOUND)
        return ERR_OK; /* rows without labels */
    return code == ERR_OK ? load_idx_labels(d, name, e) : code;
}

/* ---- single files ---- */

static bool matches_npy(const char *path)
{
    return names_ends_with(path, ".npy") && file_is_regular(path);
}

static bool matches_npz(const char *path)
{
    return names_ends_with(path, ".npz") && file_is_regular(path);
}

static bool matches_csv(const char *path)
{
    return names_ends_with(path, ".csv") && file_is_regular(path);
}

static enum err_code load_npy(struct dataset *d, const char *path,
                              const struct dataset_want *want, struct err *e)
{
    size_t length;
    const unsigned char *map = file_map(path, &length, e);
    if (map == NULL)
        return e->code;
    struct npy x;
    enum err_code code = npy_parse(&x, map, length, e);
    if (code == ERR_OK)
        code = take_rows(d, &x, want, e);
    file_unmap(map, length);
    return code == ERR_OK ? ERR_OK : err_wrap(e, "%s", path);
}

static enum err_code take_npz(struct dataset *d, struct npz *z,
                              const struct dataset_want *want, struct err *e)
{
    bool test = want->split == DATASET_TEST;
    const char *x_key = test ? "x_test" : "x_train";
    const char *y_key = test ? "y_test" : "y_train";
    if (npz_has(z, "x") || !npz_has(z, x_key)) {
        x_key = "x";
        y_key = "y";
    }
    struct npy array;
    if (npz_read(z, x_key, &array, e) != ERR_OK)
        return e->code;
    if (take_rows(d, &array, want, e) != ERR_OK)
        return err_wrap(e, "%s.npy", x_key);
    if (!npz_has(z, y_key))
        return ERR_OK;
    if (npz_read_any(z, y_key, &array, e) != ERR_OK)
        return e->code;
    if (dataset_take_labels(d, &array, e) != ERR_OK)
        return err_wrap(e, "%s.npy", y_key);
    return ERR_OK;
}

static enum err_code load_npz(struct dataset *d, const char *path,
                              const struct dataset_want *want, struct err *e)
{
    size_t length;
    const unsigned char *map = file_map(path, &length, e);
    if (map == NULL)
        return e->code;
    struct npz *z = npz_open(map, length, DATASET_MAX_BYTES, e);
    enum err_code code = z != NULL ? take_npz(d, z, want, e) : e->code;
    npz_close(z);
    file_unmap(map, length);
    return code == ERR_OK ? ERR_OK : err_wrap(e, "%s", path);
}

/* Takes the table's values. */
static enum err_code take_table(struct dataset *d, struct csv *table,
                                const struct dataset_want *want, struct err *e)
{
    d->n = table->rows;
    d->rank = 1;
    d->shape[0] = d->row_size = table->columns;
    if (check_rows(d, want, sizeof(*d->floats), e) != ERR_OK)
        return e->code;
    d->floats = table->values;
    table->values = NULL;
    return table->labels == NULL ? ERR_OK
                                 : dataset_set_labels(d, table->labels, e);
}

static enum err_code load_csv(struct dataset *d, const char *path,
                              const struct dataset_want *want, struct err *e)
{
    size_t length;
    const unsigned char *map = file_map(path, &length, e);
    if (map == NULL)
        return e->code;
    struct csv table = {0};
    enum err_code code;
    if (length > DATASET_MAX_BYTES / sizeof(float))
        code = err_set(e, ERR_TOO_LARGE, "%zu bytes, more than %zu", length,
                       DATASET_MAX_BYTES / sizeof(float));
    else
        code = csv_parse(&table, (const char *)map, length, want->max_rows, e);
    file_unmap(map, length);
    if (code == ERR_OK)
        code = take_table(d, &table, want, e);
    csv_fini(&table);
    return code == ERR_OK ? ERR_OK : err_wrap(e, "%s", path);
}

/* ---- folders of pictures ---- */

/* The shape of a picture that the caller wants, of rank 2 or 3. */
static enum err_code wanted_picture(const struct dataset_want *want,
                                    const char *path, size_t *channels,
                                    size_t *height, size_t *width,
                                    struct err *e)
{
    *height = want->shape[want->rank - 2];
    *width = want->shape[want->rank - 1];
    *channels = want->rank == 2 ? 1 : want->shape[0];
    if (*channels != 1 && *channels != 3)
        return err_set(e, ERR_SHAPE,
                       "%s: pictures give 1 or 3 channels, the model takes %zu",
                       path, *channels);
    return ERR_OK;
}

static void set_picture_shape(struct dataset *d, size_t channels, size_t height,
                              size_t width)
{
    size_t shape[] = {channels, height, width};
    size_t skip = channels == 1 ? 1 : 0;
    d->rank = 3 - skip;
    memcpy(d->shape, shape + skip, d->rank * sizeof(shape[0]));
    d->row_size = channels * height * width;
}

static enum err_code load_folder(struct dataset *d, const char *path,
                                 const struct dataset_want *want, struct err *e)
{
    struct folder_want pictures = {.max_images = want->max_rows,
                                   .max_bytes = DATASET_MAX_BYTES};
    if (want->rank >= 2 &&
        wanted_picture(want, path, &pictures.channels, &pictures.height,
                       &pictures.width, e) != ERR_OK)
        return e->code;
    struct folder f;
    if (folder_load(&f, path, &pictures, e) != ERR_OK)
        return e->code;
    *d = (struct dataset){.n = f.n,
                          .bytes = f.pixels,
                          .labels = f.labels,
                          .n_classes = f.n_classes,
                          .classes = f.classes};
    set_picture_shape(d, f.channels, f.height, f.width);
    return ERR_OK;
}

static enum err_code load_photographs(struct dataset *d, const char *path,
                                      const struct dataset_want *want,
                                      struct err *e)
{
    struct photographs_want cut = {.count = want->patches.count,
                                   .seed = want->patches.seed,
                                   .test = want->split == DATASET_TEST};
    if (want->rank < 2)
        return err_set(e, ERR_SHAPE,
                       "%s: photographs are cut into patches: want an input "
                       "of [height,width] or [3,height,width]",
                       path);
    if (wanted_picture(want, path, &cut.channels, &cut.height, &cut.width, e) !=
        ERR_OK)
        return e->code;
    if (cut.height > IMAGE_MAX_SIDE || cut.width > IMAGE_MAX_SIDE)
        return err_set(e, ERR_SHAPE,
                       "%s: patches of %zu x %zu: at most %d a side", path,
                       cut.height, cut.width, IMAGE_MAX_SIDE);
    if (cut.count == 0)
        cut.count = DATASET_STANDARD_PATCHES;
    d->n = cut.count;
    set_picture_shape(d, cut.channels, cut.height, cut.width);
    if (check_rows(d, want, 1, e) != ERR_OK)
        return err_wrap(e, "%s", path);
    d->bytes = mem_raw(d->n * d->row_size);
    if (d->bytes == NULL)
        return err_set(e, ERR_NO_MEMORY, "no memory for %zu patches", d->n);
    return photographs_cut(d->bytes, path, &cut, e);
}

/* ---- the table ---- */

static const struct dataset_format formats[] = {
    {"a .npy file", false, matches_npy, load_npy},
    {"a .npz file", false, matches_npz, load_npz},
    {"a .csv file", false, matches_csv, load_csv},
    {"a folder with IDX files (train-*, t10k-*)", false, matches_idx, load_idx},
    {"a folder of photographs", true, photographs_match, load_photographs},
    {"a folder of class folders with PNG or JPEG files", false, file_is_folder,
     load_folder},
};
#define FORMATS (sizeof(formats) / sizeof(formats[0]))

const struct dataset_format *dataset_format_find(const char *path)
{
    for (size_t i = 0; i < FORMATS; i++)
        if (formats[i].matches(path))
            return &formats[i];
    return NULL;
}

char *dataset_format_names(char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < FORMATS && used < size; i++) {
        int n = snprintf(out + used, size - used, "%s%s", i == 0 ? "" : ", ",
                         formats[i].name);
        used += n > 0 ? (size_t)n : 0;
    }
    return out;
}
