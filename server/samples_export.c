/* Samples into files: all of them in one archive, or a picture each.
 */
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/data/image.h"
#include "lib/data/npz.h"
#include "server/samples_files.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define NPZ_BYTES ((size_t)2 << 30)
#define PNG_BYTES ((size_t)64 << 20)

static const struct samples_filter all;

/* ---- an archive ---- */

struct archive {
    float *x; /* (room, size) */
    char **labels;
    size_t n, room, size;
    bool failed; /* no memory */
};

static enum err_code allocate(struct archive *a, size_t rows, size_t size,
                              struct err *e)
{
    size_t numbers;

    if (!mem_mul(rows, size, &numbers) || numbers > NPZ_BYTES / sizeof *a->x)
        return err_set(e, ERR_TOO_LARGE,
                       "%zu samples of %zu numbers: over the %zu bytes that a "
                       ".npz is written with; export a folder",
                       rows, size, NPZ_BYTES);
    a->room = rows;
    a->size = size;
    a->x = mem_array(numbers, sizeof *a->x);
    a->labels = mem_array(rows, sizeof *a->labels);
    return a->x != NULL && a->labels != NULL
               ? ERR_OK
               : err_set(e, ERR_NO_MEMORY, "no memory for %zu samples", rows);
}

static bool look_at_size(void *arg, const struct sample *s)
{
    size_t *size = arg;

    *size = s->size;
    return false;
}

static bool put_row(void *arg, const struct sample *s)
{
    struct archive *a = arg;

    if (a->n == a->room)
        return false;
    memcpy(a->x + a->n * a->size, s->x, a->size * sizeof *a->x);
    a->labels[a->n] = mem_text(s->label != NULL ? s->label : "");
    a->failed = a->labels[a->n] == NULL;
    a->n += !a->failed;
    return !a->failed;
}

static enum err_code fill(struct archive *a, struct database *db,
                          const char *name, struct err *e)
{
    struct samples_counts c;
    size_t size = 0;

    if (samples_count(db, name, &c, e) != ERR_OK)
        return e->code;
    size_t rows = c.stored;
    samples_counts_fini(&c);
    if (rows == 0)
        return err_set(e, ERR_NOT_FOUND, "model %.64s has no samples", name);
    if (samples_each(db, name, &all, 0, 1, look_at_size, &size, e) != ERR_OK ||
        allocate(a, rows, size, e) != ERR_OK ||
        samples_each(db, name, &all, 0, rows, put_row, a, e) != ERR_OK)
        return e->code;
    return a->failed ? err_set(e, ERR_NO_MEMORY, "no memory for the labels")
                     : ERR_OK;
}

enum err_code samples_export_npz(struct database *db, const char *name,
                                 const char *path, size_t *done, struct err *e)
{
    struct archive a = {0};
    enum err_code code = fill(&a, db, name, e);

    if (code == ERR_OK) {
        const struct npz_array arrays[] = {
            {.key = "x", .rank = 2, .shape = {a.n, a.size}, .floats = a.x},
            {.key = "y",
             .rank = 1,
             .shape = {a.n},
             .texts = (const char *const *)a.labels},
        };
        code = npz_write(path, arrays, 2, e);
    }
    *done = a.n;
    for (size_t i = 0; i < a.n; i++)
        mem_free(a.labels[i]);
    mem_free(a.labels);
    mem_free(a.x);
    return code;
}

/* ---- pictures ---- */

struct pictures {
    const struct model *m;
    const char *path;
    struct image image;
    struct buf file;
    size_t done, left;
    struct err *e;
};

/* (channels, height, width) in the model's range to interleaved bytes. */
static void draw(struct pictures *p, const float *x)
{
    size_t plane = p->image.height * p->image.width;
    float low = p->m->low, span = p->m->high - p->m->low;

    for (size_t c = 0; c < p->image.channels; c++) {
        for (size_t i = 0; i < plane; i++) {
            float share = (x[c * plane + i] - low) / span;
            share = share > 0 ? share < 1 ? share : 1 : 0;
            p->image.pixels[i * p->image.channels + c] =
                (uint8_t)lrintf(share * 255);
        }
    }
}

/* As import finds it again: hidden names are passed over there. */
static bool names_folder(const char *label)
{
    return label[0] != '.' && strchr(label, '/') == NULL;
}

static enum err_code write_picture(struct pictures *p, const struct sample *s)
{
    char folder[PATH_MAX], path[PATH_MAX], name[32];

    if (s->size != p->image.height * p->image.width * p->image.channels)
        return err_set(p->e, ERR_SHAPE,
                       "samples of %zu numbers are no pictures of this model",
                       s->size);
    if (!names_folder(s->label))
        return err_set(p->e, ERR_SHAPE,
                       "label '%.80s' cannot be a folder's name; export a .npz",
                       s->label);
    snprintf(name, sizeof name, "%lld.png", (long long)s->id);
    if (file_join(folder, sizeof folder, p->path, s->label, p->e) != ERR_OK ||
        file_join(path, sizeof path, folder, name, p->e) != ERR_OK ||
        (!file_is_folder(folder) && file_make_folders(folder, p->e) != ERR_OK))
        return p->e->code;
    draw(p, s->x);
    buf_reset(&p->file);
    if (image_encode_png(&p->file, &p->image, p->e) != ERR_OK)
        return p->e->code;
    return file_replace(path, p->file.data, p->file.length, p->e);
}

static bool put_picture(void *arg, const struct sample *s)
{
    struct pictures *p = arg;

    if (s->label == NULL) {
        p->left++;
        return true;
    }
    p->e->code = write_picture(p, s);
    p->done += p->e->code == ERR_OK;
    return p->e->code == ERR_OK;
}

static enum err_code open_pictures(struct pictures *p, struct err *e)
{
    const struct model *m = p->m;
    size_t rank = m->input_rank;

    p->image.channels = rank == 3 ? m->input_shape[0] : 1;
    if (rank < 2 || (p->image.channels != 1 && p->image.channels != 3))
        return err_set(e, ERR_SHAPE,
                       "the model's inputs are no pictures; export a .npz");
    p->image.height = m->input_shape[rank - 2];
    p->image.width = m->input_shape[rank - 1];
    p->image.pixels = mem_array(model_inputs(m), 1);
    buf_init(&p->file, PNG_BYTES);
    return p->image.pixels != NULL
               ? file_make_folders(p->path, e)
               : err_set(e, ERR_NO_MEMORY, "no memory for a picture");
}

enum err_code samples_export_folder(struct database *db, const char *name,
                                    const struct model *m, const char *path,
                                    size_t *done, size_t *left, struct err *e)
{
    struct err writing = {.code = ERR_OK};
    struct pictures p = {.m = m, .path = path, .e = &writing};
    enum err_code code = open_pictures(&p, e);

    if (code == ERR_OK)
        code = samples_each(db, name, &all, 0, SIZE_MAX, put_picture, &p, e);
    if (code == ERR_OK && writing.code != ERR_OK) {
        *e = writing;
        code = e->code;
    }
    *done = p.done;
    *left = p.left;
    image_fini(&p.image);
    buf_fini(&p.file);
    return code;
}
