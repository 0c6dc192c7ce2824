/* Photographs to patches: see photographs.h. The headers are read first, for
 * the shares; then each file is decoded, halved, cut and forgotten.
 */
#include "lib/data/photographs.h"

#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/base/rng.h"
#include "lib/data/folder.h"
#include "lib/data/image.h"
#include "lib/data/names.h"

#include <limits.h>
#include <string.h>

#define TEST_EVERY 5 /* one photograph of so many is for testing */

/* A patch whose pixels deviate less than this from their mean, of a range of
 * 255, shows the sensor's noise and the grid of JPEG's blocks rather than a
 * thing: clear sky, or what the lens left blurred. */
static const double flat = 0.02 * 255;
#define MAX_TRIES 20 /* then a flat one is taken, for all may be flat */

struct cutter {
    const char *path;
    const struct photographs_want *want;
    struct names files;
};

bool photographs_match(const char *path)
{
    struct names found;
    struct err e;
    /* With no room for names, a name that would be kept is ERR_TOO_LARGE. */
    bool pictures =
        file_is_folder(path) &&
        names_list(&found, path, folder_is_picture, 0, &e) == ERR_TOO_LARGE;
    return pictures &&
           names_list(&found, path, folder_is_class, 0, &e) == ERR_OK;
}

static bool chosen(const struct cutter *c, size_t file)
{
    return (file % TEST_EVERY == TEST_EVERY - 1) == c->want->test;
}

static char *read_file(char path[PATH_MAX], const struct cutter *c, size_t file,
                       size_t *length, struct err *e)
{
    if (file_join(path, PATH_MAX, c->path, c->files.items[file], e) != ERR_OK)
        return NULL;
    return file_read(path, FOLDER_MAX_FILE_BYTES, length, e);
}

/* Halves hold at least one patch. */
static enum err_code check_room(const struct cutter *c,
                                const struct image *image, struct err *e)
{
    if (image->height / 2 < c->want->height ||
        image->width / 2 < c->want->width)
        return err_set(e, ERR_SHAPE,
                       "photograph of %zu x %zu (height x width): patches of "
                       "%zu x %zu are cut from its half",
                       image->height, image->width, c->want->height,
                       c->want->width);
    return ERR_OK;
}

/* Pixels of the half of a file. */
static enum err_code measure(size_t *pixels, const struct cutter *c,
                             size_t file, struct err *e)
{
    char path[PATH_MAX];
    size_t length;
    struct image image;
    char *bytes = read_file(path, c, file, &length, e);
    if (bytes == NULL)
        return e->code;
    enum err_code code = image_probe(&image, bytes, length, e);
    mem_free(bytes);
    if (code != ERR_OK || check_room(c, &image, e) != ERR_OK)
        return err_wrap(e, "%s", path);
    *pixels = (image.height / 2) * (image.width / 2);
    return ERR_OK;
}

/* The file's picture at half its size. */
static enum err_code read_half(struct image *out, const struct cutter *c,
                               size_t file, struct err *e)
{
    char path[PATH_MAX];
    size_t length;
    struct image whole;
    char *bytes = read_file(path, c, file, &length, e);
    if (bytes == NULL)
        return e->code;
    enum err_code code =
        image_decode(&whole, bytes, length, c->want->channels, e);
    mem_free(bytes);
    if (code == ERR_OK)
        code = check_room(c, &whole, e); /* it may be another file by now */
    if (code == ERR_OK)
        code = image_resize(out, &whole, whole.height / 2, whole.width / 2, e);
    image_fini(&whole);
    return code == ERR_OK ? ERR_OK : err_wrap(e, "%s", path);
}

/* ---- patches ---- */

/* The patch with this corner as planes: (channels, height, width). */
static void copy_patch(uint8_t *out, const struct image *image, size_t top,
                       size_t left, const struct photographs_want *want)
{
    const size_t step = image->channels;
    for (size_t c = 0; c < step; c++)
        for (size_t y = 0; y < want->height; y++) {
            const uint8_t *row =
                image->pixels + ((top + y) * image->width + left) * step + c;
            for (size_t x = 0; x < want->width; x++)
                *out++ = row[x * step];
        }
}

/* Whether no plane of the patch deviates from its mean. */
static bool is_flat(const uint8_t *patch, const struct photographs_want *want)
{
    const size_t n = want->height * want->width;
    for (size_t c = 0; c < want->channels; c++, patch += n) {
        uint64_t sum = 0, squares = 0;
        for (size_t i = 0; i < n; i++) {
            sum += patch[i];
            squares += (uint64_t)patch[i] * patch[i];
        }
        double mean = (double)sum / (double)n;
        if ((double)squares / (double)n - mean * mean >= flat * flat)
            return false;
    }
    return true;
}

static void cut_patch(uint8_t *out, const struct image *image, struct rng *rng,
                      const struct photographs_want *want)
{
    for (size_t i = 0; i < MAX_TRIES; i++) {
        size_t top = rng_below(rng, image->height - want->height + 1);
        size_t left = rng_below(rng, image->width - want->width + 1);
        copy_patch(out, image, top, left, want);
        if (!is_flat(out, want))
            return;
    }
}

static enum err_code cut_file(uint8_t *out, const struct cutter *c, size_t file,
                              size_t count, struct err *e)
{
    const struct photographs_want *want = c->want;
    struct rng rng = rng_make(want->seed, "patches", file);
    struct image half;
    if (read_half(&half, c, file, e) != ERR_OK)
        return e->code;
    for (size_t i = 0; i < count; i++) {
        cut_patch(out, &half, &rng, want);
        out += want->channels * want->height * want->width;
    }
    image_fini(&half);
    return ERR_OK;
}

/* ---- all of them ---- */

/* up_to[i]: pixels of the chosen files before file i. */
static enum err_code measure_all(uint64_t *up_to, const struct cutter *c,
                                 struct err *e)
{
    for (size_t i = 0; i < c->files.n; i++) {
        size_t pixels = 0;
        if (chosen(c, i) && measure(&pixels, c, i, e) != ERR_OK)
            return e->code;
        up_to[i + 1] = up_to[i] + pixels;
    }
    if (up_to[c->files.n] == 0)
        return err_set(e, ERR_NOT_FOUND,
                       "%s: %zu photographs, none for %s: every fifth is for "
                       "testing",
                       c->path, c->files.n,
                       c->want->test ? "testing" : "training");
    return ERR_OK;
}

/* The shares are differences of rounded sums, so that they add up. */
static enum err_code cut_all(uint8_t *out, const struct cutter *c,
                             const uint64_t *up_to, struct err *e)
{
    const struct photographs_want *want = c->want;
    const size_t size = want->channels * want->height * want->width;
    const double all = (double)up_to[c->files.n];
    size_t done = 0;
    for (size_t i = 0; i < c->files.n; i++) {
        double share = (double)up_to[i + 1] / all;
        size_t next = (size_t)(share * (double)want->count + 0.5);
        if (next > done &&
            cut_file(out + done * size, c, i, next - done, e) != ERR_OK)
            return e->code;
        done = next;
    }
    return ERR_OK;
}

enum err_code photographs_cut(uint8_t *out, const char *path,
                              const struct photographs_want *want,
                              struct err *e)
{
    struct cutter c = {.path = path, .want = want};
    if (names_list(&c.files, path, folder_is_picture, PHOTOGRAPHS_MAX_FILES,
                   e) != ERR_OK)
        return e->code;
    enum err_code code = ERR_OK;
    uint64_t *up_to = mem_array(c.files.n + 1, sizeof(*up_to));
    if (up_to == NULL)
        code = err_set(e, ERR_NO_MEMORY, "%s: out of memory", path);
    if (code == ERR_OK)
        code = measure_all(up_to, &c, e);
    if (code == ERR_OK)
        code = cut_all(out, &c, up_to, e);
    mem_free(up_to);
    names_fini(&c.files);
    return code;
}
