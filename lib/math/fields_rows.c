/* Local fields of single rows: dot products along the rows of a field, cut to
 * the picture. A unit that is 0 draws and learns nothing.
 */
#include "lib/math/fields.h"
#include "lib/math/kernels.h"

/* What of a unit's field lies inside the picture: rows and columns of the
 * kernel, and where they begin. */
struct part {
    size_t rows, columns;
    size_t tap;   /* of a channel's first weight */
    size_t pixel; /* of a channel's first pixel */
};

/* Along one axis: taps [*first, *first + result) lie in a picture of n; *at is
 * the pixel of the first. */
static size_t inside(size_t position, size_t kernel, size_t n,
                     const struct fields *f, size_t *first, size_t *at)
{
    size_t start = position / f->share * f->stride; /* in the padded picture */
    size_t end = start + kernel, low = f->padding, high = f->padding + n;
    size_t from = start > low ? start : low, to = end < high ? end : high;
    *first = from - start;
    *at = from - low;
    return to > from ? to - from : 0;
}

static struct part part_of(const struct fields *f, size_t y, size_t x)
{
    struct part p;
    size_t i, j, top, left;
    p.rows = inside(y, f->kernel_height, f->height, f, &i, &top);
    p.columns = inside(x, f->kernel_width, f->width, f, &j, &left);
    p.tap = i * f->kernel_width + j;
    p.pixel = top * f->width + left;
    return p;
}

static size_t taps_of(const struct fields *f)
{
    return f->channels * f->kernel_height * f->kernel_width;
}

static size_t weights_at(const struct fields *f, size_t s, size_t y, size_t x)
{
    return ((s * f->cell_rows + y % f->cell_rows) * f->cell_columns +
            x % f->cell_columns) *
           taps_of(f);
}

enum { WIDE = 8 };
typedef float wide __attribute__((vector_size(WIDE * sizeof(float))));

KERNEL_CLONES
static float see(const struct fields *f, const float *weights,
                 const float *picture, const struct part *p)
{
    wide sums = {0};
    float rest = 0;
    for (size_t c = 0; c < f->channels; c++)
        for (size_t i = 0; i < p->rows; i++) {
            const float *w =
                weights + p->tap + (c * f->kernel_height + i) * f->kernel_width;
            const float *x =
                picture + p->pixel + (c * f->height + i) * f->width;
            size_t j = 0;
            for (; j + WIDE <= p->columns; j += WIDE) {
                wide a, b;
                __builtin_memcpy(&a, w + j, sizeof a);
                __builtin_memcpy(&b, x + j, sizeof b);
                sums += a * b;
            }
            for (; j < p->columns; j++)
                rest += w[j] * x[j];
        }
    for (size_t k = 0; k < WIDE; k++)
        rest += sums[k];
    return rest;
}

/* to += z * from, over a part of a field: of strides that differ. */
KERNEL_CLONES
static void add(float *to, size_t to_width, size_t to_height, const float *from,
                size_t from_width, size_t from_height, const struct fields *f,
                const struct part *p, float z)
{
    for (size_t c = 0; c < f->channels; c++)
        for (size_t i = 0; i < p->rows; i++) {
            float *out = to + (c * to_height + i) * to_width;
            const float *in = from + (c * from_height + i) * from_width;
            for (size_t j = 0; j < p->columns; j++)
                out[j] += z * in[j];
        }
}

void fields_sheet_rows(const struct fields *f, float *sheet,
                       const float *pictures, const float *weights, size_t B)
{
    for (size_t b = 0; b < B; b++) {
        for (size_t s = 0; s < f->sheets; s++)
            for (size_t y = 0; y < f->rows; y++)
                for (size_t x = 0; x < f->columns; x++) {
                    struct part p = part_of(f, y, x);
                    *sheet++ +=
                        see(f, weights + weights_at(f, s, y, x), pictures, &p);
                }
        pictures += f->channels * f->height * f->width;
    }
}

void fields_pictures_rows(const struct fields *f, float *pictures,
                          const float *sheet, const float *weights, size_t B)
{
    for (size_t b = 0; b < B; b++) {
        for (size_t s = 0; s < f->sheets; s++)
            for (size_t y = 0; y < f->rows; y++)
                for (size_t x = 0; x < f->columns; x++) {
                    float z = *sheet++;
                    if (z == 0.0f)
                        continue;
                    struct part p = part_of(f, y, x);
                    add(pictures + p.pixel, f->width, f->height,
                        weights + weights_at(f, s, y, x) + p.tap,
                        f->kernel_width, f->kernel_height, f, &p, z);
                }
        pictures += f->channels * f->height * f->width;
    }
}

void fields_gradient_rows(const struct fields *f, float *d_weights,
                          const float *d_sheet, const float *pictures, size_t B)
{
    for (size_t b = 0; b < B; b++) {
        for (size_t s = 0; s < f->sheets; s++)
            for (size_t y = 0; y < f->rows; y++)
                for (size_t x = 0; x < f->columns; x++) {
                    float z = *d_sheet++;
                    if (z == 0.0f)
                        continue;
                    struct part p = part_of(f, y, x);
                    add(d_weights + weights_at(f, s, y, x) + p.tap,
                        f->kernel_width, f->kernel_height, pictures + p.pixel,
                        f->width, f->height, f, &p, z);
                }
        pictures += f->channels * f->height * f->width;
    }
}
