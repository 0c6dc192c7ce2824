/* Local fields of many rows: see fields.h.
 *
 * A picture's rows go into lanes by bands: so many rows of fields, with the
 * pixels that they look at and zeros around the picture, as stay in the cache
 * whatever the picture's height. All taps of a field then lie in the band.
 */
#include "lib/math/fields.h"

#include "lib/base/mem.h"
#include "lib/math/kernels.h"
#include "lib/math/lanes.h"

#include <string.h>

enum {
    BAND = 16,       /* rows of fields in a band */
    UNITS = 4,       /* whose sums are made at once */
    LOOKS = 4,       /* at pixels, of which a unit learns at once */
    TILES = 4,       /* of lanes that a gradient goes over at once */
    ALONE = 3,       /* so many rows go one by one, */
    LEARN_ALONE = 8, /* of those that weights learn from, so many */
};

bool fields_set_size(struct fields *f)
{
    size_t height = f->height + 2 * f->padding;
    size_t width = f->width + 2 * f->padding;
    if (f->kernel_height > height || f->kernel_width > width)
        return false;
    f->rows = ((height - f->kernel_height) / f->stride + 1) * f->share;
    f->columns = ((width - f->kernel_width) / f->stride + 1) * f->share;
    return true;
}

/* ---- bands ---- */

struct band {
    size_t first, end;           /* rows of fields */
    size_t top;                  /* first row of the padded picture */
    size_t height, width, plane; /* in lanes, with padding */
};

static size_t field_rows(const struct fields *f)
{
    return f->rows / f->share;
}

/* The band from that row of fields on. */
static struct band band_at(const struct fields *f, size_t first)
{
    struct band b = {.first = first, .end = first + BAND};
    if (b.end > field_rows(f))
        b.end = field_rows(f);
    b.top = first * f->stride;
    b.height = (b.end - first - 1) * f->stride + f->kernel_height;
    b.width = f->width + 2 * f->padding;
    b.plane = b.height * b.width;
    return b;
}

/* Whether row i of the band lies in the picture, and where. */
static bool in_picture(const struct fields *f, const struct band *b, size_t i,
                       size_t *row)
{
    *row = b->top + i - f->padding;
    return b->top + i >= f->padding && *row < f->height;
}

static size_t picture_size(const struct fields *f)
{
    return f->channels * f->height * f->width;
}

static void load_band(const struct fields *f, const struct band *b,
                      lanes *pixels, const float *pictures, size_t B)
{
    size_t row, left = f->padding;
    for (size_t c = 0; c < f->channels; c++)
        for (size_t i = 0; i < b->height; i++, pixels += b->width) {
            if (!in_picture(f, b, i, &row)) {
                memset(pixels, 0, b->width * sizeof *pixels);
                continue;
            }
            memset(pixels, 0, left * sizeof *pixels);
            lanes_load(pixels + left,
                       pictures + (c * f->height + row) * f->width,
                       picture_size(f), B, f->width);
            memset(pixels + left + f->width, 0, left * sizeof *pixels);
        }
}

static void store_band(const struct fields *f, const struct band *b,
                       float *pictures, const lanes *pixels, size_t B)
{
    size_t row;
    for (size_t c = 0; c < f->channels; c++)
        for (size_t i = 0; i < b->height; i++, pixels += b->width)
            if (in_picture(f, b, i, &row))
                lanes_store(pictures + (c * f->height + row) * f->width,
                            picture_size(f), pixels + f->padding, B, f->width);
}

/* ---- units ---- */

static size_t taps_of(const struct fields *f)
{
    return f->channels * f->kernel_height * f->kernel_width;
}

/* Weights of the first unit of row y's part of the cell. */
static size_t weights_of_row(const struct fields *f, size_t s, size_t y)
{
    return (s * f->cell_rows + y % f->cell_rows) * f->cell_columns * taps_of(f);
}

static const float *weights_at(const struct fields *f, const float *row,
                               size_t x)
{
    return row + x % f->cell_columns * taps_of(f);
}

/* Pixel of the band where the field of unit (y,x) begins. */
static size_t field_at(const struct fields *f, const struct band *b, size_t y,
                       size_t x)
{
    return (y / f->share - b->first) * f->stride * b->width +
           x / f->share * f->stride;
}

/* sums of UNITS units, whose fields begin at these pixels. */
KERNEL_CLONES
static void see(const struct fields *f, const struct band *b, lanes *sums,
                const lanes *const at[UNITS], const float *const w[UNITS])
{
    lanes s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
    const float *w0 = w[0], *w1 = w[1], *w2 = w[2], *w3 = w[3];
    for (size_t c = 0; c < f->channels; c++)
        for (size_t i = 0; i < f->kernel_height; i++) {
            size_t from = c * b->plane + i * b->width;
            const lanes *x0 = at[0] + from, *x1 = at[1] + from;
            const lanes *x2 = at[2] + from, *x3 = at[3] + from;
            for (size_t j = 0; j < f->kernel_width; j++) {
                s0 += *w0++ * x0[j];
                s1 += *w1++ * x1[j];
                s2 += *w2++ * x2[j];
                s3 += *w3++ * x3[j];
            }
        }
    sums[0] += s0;
    sums[1] += s1;
    sums[2] += s2;
    sums[3] += s3;
}

/* pixels += what the unit draws. */
KERNEL_CLONES
static void draw(const struct fields *f, const struct band *b, lanes *at,
                 const float *w, const lanes *unit)
{
    lanes z = *unit;
    for (size_t c = 0; c < f->channels; c++)
        for (size_t i = 0; i < f->kernel_height; i++) {
            lanes *x = at + c * b->plane + i * b->width;
            for (size_t j = 0; j < f->kernel_width; j++)
                x[j] += *w++ * z;
        }
}

/* sums (taps) of all LOOKS of one unit: z times the pixels. */
KERNEL_CLONES
static void learn(const struct fields *f, const struct band *b, lanes *sums,
                  const lanes *const at[LOOKS], const lanes z[LOOKS])
{
    lanes z0 = z[0], z1 = z[1], z2 = z[2], z3 = z[3];
    for (size_t c = 0; c < f->channels; c++)
        for (size_t i = 0; i < f->kernel_height; i++) {
            size_t from = c * b->plane + i * b->width;
            const lanes *x0 = at[0] + from, *x1 = at[1] + from;
            const lanes *x2 = at[2] + from, *x3 = at[3] + from;
            for (size_t j = 0; j < f->kernel_width; j++)
                *sums++ +=
                    (z0 * x0[j] + z1 * x1[j]) + (z2 * x2[j] + z3 * x3[j]);
        }
}

/* The same of one look. */
KERNEL_CLONES
static void learn_one(const struct fields *f, const struct band *b, lanes *sums,
                      const lanes *at, const lanes *unit)
{
    lanes z = *unit;
    for (size_t c = 0; c < f->channels; c++)
        for (size_t i = 0; i < f->kernel_height; i++) {
            const lanes *x = at + c * b->plane + i * b->width;
            for (size_t j = 0; j < f->kernel_width; j++)
                *sums++ += z * x[j];
        }
}

enum { SIDE = 4 };
typedef float four __attribute__((vector_size(SIDE * sizeof(float))));
typedef int32_t four_index __attribute__((vector_size(SIDE * sizeof(float))));

/* d (SIDE) += the sums of each one's lanes: quarters are added, then turned by
 * squares. */
static inline void add_four(float *d, const lanes *sums)
{
    const float *from = (const float *)sums;
    four r[SIDE], pairs[SIDE], all;
    for (size_t k = 0; k < SIDE; k++) {
        four q[LANES / SIDE];
        memcpy(q, from + k * LANES, sizeof q);
        r[k] = (q[0] + q[1]) + (q[2] + q[3]);
    }
    for (size_t k = 0; k < SIDE; k += 2) {
        pairs[k] = __builtin_shuffle(r[k], r[k + 1], (four_index){0, 4, 1, 5});
        pairs[k + 1] =
            __builtin_shuffle(r[k], r[k + 1], (four_index){2, 6, 3, 7});
    }
    /* A pair has two numbers of each of its two, the other pair the rest. */
    r[0] = pairs[0] + pairs[1];
    r[1] = pairs[2] + pairs[3];
    memcpy(&all, d, sizeof all);
    all += __builtin_shuffle(r[0], r[1], (four_index){0, 1, 4, 5}) +
           __builtin_shuffle(r[0], r[1], (four_index){2, 3, 6, 7});
    memcpy(d, &all, sizeof all);
}

/* d (n) += the sums of each one's lanes, which become 0. */
KERNEL_CLONES
static void add_lanes(float *d, lanes *sums, size_t n)
{
    size_t whole = n - n % SIDE;
    for (size_t t = 0; t < whole; t += SIDE)
        add_four(d + t, sums + t);
    for (size_t t = whole; t < n; t++)
        for (size_t k = 0; k < LANES; k++)
            d[t] += sums[t][k];
    memset(sums, 0, n * sizeof *sums);
}

/* ---- whole batches ---- */

/* How many of the rows that are left go into the next tile; 0: they are so few
 * that they go one by one. */
static size_t next_tile(size_t left, size_t alone)
{
    size_t B = left < LANES ? left : LANES;
    return B > alone ? B : 0;
}

/* Room for one tile's band and one row of a sheet. */
struct room {
    lanes *pixels, *units;
};

static struct room take_room(const struct fields *f, size_t tiles,
                             struct arena *scratch)
{
    struct band b = band_at(f, 0);
    return (struct room){
        .pixels =
            arena_take(scratch, tiles * f->channels * b.plane, sizeof(lanes)),
        .units =
            arena_take(scratch, tiles * (f->columns + UNITS), sizeof(lanes))};
}

static void see_tile(const struct fields *f, float *sheet,
                     const float *pictures, const float *weights, size_t B,
                     struct room r)
{
    size_t size = f->sheets * f->rows * f->columns;
    for (size_t first = 0; first < field_rows(f); first += BAND) {
        struct band b = band_at(f, first);
        load_band(f, &b, r.pixels, pictures, B);
        for (size_t s = 0; s < f->sheets; s++)
            for (size_t y = b.first * f->share; y < b.end * f->share; y++) {
                const float *row = weights + weights_of_row(f, s, y);
                float *out = sheet + (s * f->rows + y) * f->columns;
                lanes_load(r.units, out, size, B, f->columns);
                for (size_t x = 0; x < f->columns; x += UNITS) {
                    const lanes *at[UNITS];
                    const float *w[UNITS];
                    for (size_t u = 0; u < UNITS; u++) {
                        size_t k = x + u < f->columns ? x + u : x;
                        at[u] = r.pixels + field_at(f, &b, y, k);
                        w[u] = weights_at(f, row, k);
                    }
                    see(f, &b, r.units + x, at, w);
                }
                lanes_store(out, size, r.units, B, f->columns);
            }
    }
}

void fields_sheet(const struct fields *f, float *sheet, const float *pictures,
                  const float *weights, size_t B, struct arena *scratch)
{
    size_t units = f->sheets * f->rows * f->columns, tile;
    struct arena_mark mark = arena_mark(scratch);
    struct room r = {0};
    for (; (tile = next_tile(B, ALONE)) > 0; B -= tile) {
        if (!r.pixels)
            r = take_room(f, 1, scratch);
        see_tile(f, sheet, pictures, weights, tile, r);
        sheet += tile * units;
        pictures += tile * picture_size(f);
    }
    fields_sheet_rows(f, sheet, pictures, weights, B);
    arena_rewind(scratch, mark);
}

static void draw_tile(const struct fields *f, float *pictures,
                      const float *sheet, const float *weights, size_t B,
                      struct room r)
{
    size_t size = f->sheets * f->rows * f->columns;
    for (size_t first = 0; first < field_rows(f); first += BAND) {
        struct band b = band_at(f, first);
        load_band(f, &b, r.pixels, pictures, B);
        for (size_t s = 0; s < f->sheets; s++)
            for (size_t y = b.first * f->share; y < b.end * f->share; y++) {
                const float *row = weights + weights_of_row(f, s, y);
                lanes_load(r.units, sheet + (s * f->rows + y) * f->columns,
                           size, B, f->columns);
                for (size_t x = 0; x < f->columns; x++)
                    draw(f, &b, r.pixels + field_at(f, &b, y, x),
                         weights_at(f, row, x), &r.units[x]);
            }
        store_band(f, &b, pictures, r.pixels, B);
    }
}

void fields_pictures(const struct fields *f, float *pictures,
                     const float *sheet, const float *weights, size_t B,
                     struct arena *scratch)
{
    size_t units = f->sheets * f->rows * f->columns, tile;
    struct arena_mark mark = arena_mark(scratch);
    struct room r = {0};
    for (; (tile = next_tile(B, ALONE)) > 0; B -= tile) {
        if (!r.pixels)
            r = take_room(f, 1, scratch);
        draw_tile(f, pictures, sheet, weights, tile, r);
        sheet += tile * units;
        pictures += tile * picture_size(f);
    }
    fields_pictures_rows(f, pictures, sheet, weights, B);
    arena_rewind(scratch, mark);
}

/* ---- learning: several tiles at once ---- */

struct learner {
    const struct fields *f;
    struct band band;
    size_t tiles;
    struct room room;
    lanes *sums; /* (taps), 0 between units */
};

/* Of the units of row y that have the weights of unit k. */
static void learn_unit(const struct learner *l, float *d, size_t y, size_t k)
{
    const struct fields *f = l->f;
    size_t n = 0, step = f->columns + UNITS;
    const lanes *at[LOOKS];
    lanes z[LOOKS];
    for (size_t x = k; x < f->columns; x += f->cell_columns)
        for (size_t t = 0; t < l->tiles; t++) {
            at[n] = l->room.pixels + t * f->channels * l->band.plane +
                    field_at(f, &l->band, y, x);
            z[n++] = l->room.units[t * step + x];
            if (n == LOOKS) {
                learn(f, &l->band, l->sums, at, z);
                n = 0;
            }
        }
    for (size_t i = 0; i < n; i++)
        learn_one(f, &l->band, l->sums, at[i], &z[i]);
    add_lanes(d, l->sums, taps_of(f));
}

static void learn_tiles(struct learner *l, float *d_weights,
                        const float *d_sheet, const float *pictures,
                        const size_t *B)
{
    const struct fields *f = l->f;
    size_t size = f->sheets * f->rows * f->columns, step = f->columns + UNITS;
    for (size_t first = 0; first < field_rows(f); first += BAND) {
        struct band *b = &l->band;
        *b = band_at(f, first);
        for (size_t t = 0; t < l->tiles; t++)
            load_band(f, b, l->room.pixels + t * f->channels * b->plane,
                      pictures + t * LANES * picture_size(f), B[t]);
        for (size_t s = 0; s < f->sheets; s++)
            for (size_t y = b->first * f->share; y < b->end * f->share; y++) {
                float *d = d_weights + weights_of_row(f, s, y);
                for (size_t t = 0; t < l->tiles; t++)
                    lanes_load(l->room.units + t * step,
                               d_sheet + t * LANES * size +
                                   (s * f->rows + y) * f->columns,
                               size, B[t], f->columns);
                for (size_t k = 0; k < f->cell_columns; k++)
                    learn_unit(l, d + k * taps_of(f), y, k);
            }
    }
}

void fields_gradient(const struct fields *f, float *d_weights,
                     const float *d_sheet, const float *pictures, size_t B,
                     struct arena *scratch)
{
    struct arena_mark mark = arena_mark(scratch);
    struct learner l = {.f = f};
    while (next_tile(B, LEARN_ALONE) > 0) {
        size_t rows[TILES], done = 0;
        for (l.tiles = 0;
             l.tiles < TILES && next_tile(B - done, LEARN_ALONE) > 0; l.tiles++)
            done += rows[l.tiles] = next_tile(B - done, LEARN_ALONE);
        if (!l.sums) {
            l.room = take_room(f, l.tiles, scratch);
            l.sums = arena_zeroed(scratch, taps_of(f), sizeof *l.sums);
        }
        learn_tiles(&l, d_weights, d_sheet, pictures, rows);
        d_sheet += done * f->sheets * f->rows * f->columns;
        pictures += done * picture_size(f);
        B -= done;
    }
    fields_gradient_rows(f, d_weights, d_sheet, pictures, B);
    arena_rewind(scratch, mark);
}

size_t fields_scratch(const struct fields *f, size_t B)
{
    struct band b = band_at(f, 0);
    size_t tiles = (B + LANES - 1) / LANES;
    if (next_tile(B, ALONE) == 0)
        return 0;
    tiles = tiles < TILES ? tiles : TILES;
    return (tiles * (f->channels * b.plane + f->columns + UNITS) + taps_of(f)) *
               sizeof(lanes) +
           3 * MEM_ALIGN;
}
