/* Resizing: each output pixel is a weighted mean of the input pixels of its
 * row and column range, the two axes one after the other.
 *
 * Where an axis shrinks, the weights are the overlaps of the pixels' areas;
 * where it grows, those of linear interpolation between pixel centres. All
 * ranges are exact fractions with the output size below the line, so that no
 * rounding moves an edge.
 */
#include "lib/data/image.h"

#include "lib/base/mem.h"

#include <assert.h>
#include <string.h>

/* Input pixels first..last; those between share one weight. */
struct taps {
    size_t first, last;
    float first_weight, middle_weight, last_weight;
};

/* Output pixel i covers [i * in, (i + 1) * in) in units of 1 / out. */
static struct taps area_taps(size_t in, size_t out, size_t i)
{
    size_t start = i * in;
    size_t end = start + in;
    struct taps t = {.first = start / out, .last = (end - 1) / out};
    size_t first_end = (t.first + 1) * out;
    size_t first_part = (first_end < end ? first_end : end) - start;
    t.first_weight = (float)first_part / (float)in;
    t.middle_weight = (float)out / (float)in;
    t.last_weight = (float)(end - t.last * out) / (float)in;
    return t;
}

/* The centre of output pixel i lies at ((2 i + 1) in - out) / (2 out) input
 * pixels from the centre of the first one. */
static struct taps linear_taps(size_t in, size_t out, size_t i)
{
    size_t centre = (2 * i + 1) * in;
    struct taps t = {.first_weight = 1.0f};
    if (centre <= out)
        return t;
    centre -= out;
    t.first = centre / (2 * out);
    t.last = t.first + 1;
    if (t.last >= in) {
        t.last = t.first = in - 1;
        return t;
    }
    t.last_weight = (float)(centre % (2 * out)) / (float)(2 * out);
    t.first_weight = 1.0f - t.last_weight;
    return t;
}

static struct taps get_taps(size_t in, size_t out, size_t i)
{
    return in >= out ? area_taps(in, out, i) : linear_taps(in, out, i);
}

static float weight(const struct taps *t, size_t j)
{
    if (j == t->first)
        return t->first_weight;
    return j == t->last ? t->last_weight : t->middle_weight;
}

/* mean (width * channels): the rows of `in` under `rows`, weighted. */
static void mix_rows(float *mean, const struct image *in,
                     const struct taps *rows)
{
    size_t n = in->width * in->channels;
    memset(mean, 0, n * sizeof(*mean));
    for (size_t y = rows->first; y <= rows->last; y++) {
        const uint8_t *row = in->pixels + y * n;
        float w = weight(rows, y);
        for (size_t i = 0; i < n; i++)
            mean[i] += w * (float)row[i];
    }
}

/* One output row from the mean of its input rows. */
static void mix_columns(uint8_t *out, const float *mean, size_t in_width,
                        size_t out_width, size_t channels)
{
    for (size_t x = 0; x < out_width; x++) {
        struct taps columns = get_taps(in_width, out_width, x);
        for (size_t c = 0; c < channels; c++) {
            float sum = 0.5f; /* rounds to the nearest */
            for (size_t j = columns.first; j <= columns.last; j++)
                sum += weight(&columns, j) * mean[j * channels + c];
            *out++ = (uint8_t)(sum < 255.0f ? sum : 255.0f);
        }
    }
}

enum err_code image_resize(struct image *out, const struct image *in,
                           size_t height, size_t width, struct err *e)
{
    assert(height > 0 && width > 0);
    *out = (struct image){0};
    if (height > IMAGE_MAX_SIDE || width > IMAGE_MAX_SIDE ||
        height * width > IMAGE_MAX_PIXELS)
        return err_set(e, ERR_TOO_LARGE,
                       "picture of %zu x %zu (width x height) pixels: at most "
                       "%d a side and %zu in all",
                       width, height, IMAGE_MAX_SIDE, IMAGE_MAX_PIXELS);
    float *mean = mem_array(in->width * in->channels, sizeof(*mean));
    uint8_t *pixels = mem_raw(height * width * in->channels);
    if (mean == NULL || pixels == NULL) {
        mem_free(mean);
        mem_free(pixels);
        return err_set(e, ERR_NO_MEMORY,
                       "no memory for a picture of %zu x "
                       "%zu",
                       width, height);
    }
    *out = (struct image){height, width, in->channels, pixels};
    for (size_t y = 0; y < height; y++) {
        struct taps rows = get_taps(in->height, height, y);
        mix_rows(mean, in, &rows);
        mix_columns(pixels + y * width * in->channels, mean, in->width, width,
                    in->channels);
    }
    mem_free(mean);
    return ERR_OK;
}
