/* Maps of a picture: each place sums up its window.
 *
 * The picture is turned so that a pixel's channels lie side by side, with its
 * edges of zeros; a window is then one run of numbers for each row of the
 * kernel, and the runs of neighbours overlap: nothing is copied for a place.
 * Weights lie in the same order, a column of all maps for each number of a
 * window, so that a place's sums stay in registers.
 *
 * A picture that is itself a code is mostly zeros: its numbers that are not are
 * listed once, and a run is a part of that list. Places that see nothing have
 * no work either way. Which way is less work is told by the list.
 */
#include "lib/base/mem.h"
#include "lib/math/convolution_sizes.h"
#include "lib/math/kernels.h"
#include "lib/math/simd/simd.h"

#include <string.h>

/* What a number that is found by the list takes, where one of a whole window
 * takes 2; and a run of the list, in numbers. Measured. */
enum { LISTED = 3, WHOLE = 2, RUN = 8 };

/* Room for one picture. */
struct room {
    float *picture;     /* (height,width,channels) with its edges */
    uint32_t *index;    /* of its numbers that are not 0, */
    uint32_t *first;    /* (pixels + 1) those of each pixel, */
    uint32_t *from;     /* (places) where a window begins, */
    uint32_t *seen;     /* (places) the places that see any */
    uint32_t *counts;   /* (columns) what each place of a row sees, */
    size_t n_seen, all; /* how many they are, and numbers they see together */
    float *sums;        /* (places,column) */
};

/* Maps from m on whose sums are made at once: so many that what a row of the
 * kernel weighs stays in the first cache. */
enum { BLOCK = 32 };

static size_t maps_at(const struct convolution *c, size_t m)
{
    return c->maps - m < BLOCK ? c->maps - m : BLOCK;
}

/* Numbers in a column of that block: its maps, filled up with zeros. */
static size_t column_at(const struct convolution *c, size_t m)
{
    return convolution_whole(maps_at(c, m), SIMD_ROWS);
}

static size_t pixels(const struct convolution *c)
{
    return convolution_padded_height(c) * convolution_padded_width(c);
}

/* ---- weights ---- */

size_t convolution_packed_for_maps(const struct convolution *c)
{
    return convolution_taps(c) * convolution_whole(c->maps, SIMD_ROWS);
}

/* (block, kernel row, kernel column, channel, column) */
void convolution_pack_for_maps(const struct convolution *c, float *packed,
                               const float *weights)
{
    size_t area = c->kernel_height * c->kernel_width, K = convolution_taps(c);
    memset(packed, 0, convolution_packed_for_maps(c) * sizeof *packed);
    for (size_t m = 0; m < c->maps; m += BLOCK) {
        size_t n = column_at(c, m);
        for (size_t k = 0; k < c->channels; k++)
            transpose_part(packed + m * K + k * n, c->channels * n,
                           weights + m * K + k * area, K, maps_at(c, m), area);
    }
}

/* ---- one picture ---- */

static struct room take_room(const struct convolution *c, struct arena *scratch)
{
    size_t size = convolution_padded_size(c), places = convolution_places(c);
    struct room r = {
        .picture = arena_zeroed(scratch, size, sizeof(float)),
        .index = arena_take(scratch, size, sizeof(uint32_t)),
        .first = arena_take(scratch, pixels(c) + 1, sizeof(uint32_t)),
        .from = arena_take(scratch, places, sizeof(uint32_t)),
        .seen = arena_take(scratch, places, sizeof(uint32_t)),
        .counts = arena_take(scratch, c->columns, sizeof(uint32_t)),
        .sums = arena_take(scratch, places * BLOCK, sizeof(float))};
    size_t step = c->stride * c->channels, p = 0;
    for (size_t y = 0; y < c->rows; y++)
        for (size_t x = 0; x < c->columns; x++)
            r.from[p++] =
                (uint32_t)((y * convolution_padded_width(c) + x) * step);
    return r;
}

/* The picture between its edges, which stay 0. */
static void turn(const struct convolution *c, float *to, const float *picture)
{
    size_t width = convolution_padded_width(c), plane = c->height * c->width;
    to += c->padding_y * width * c->channels;
    if (c->padding_x == 0) {
        transpose_part(to, c->channels, picture, plane, c->channels, plane);
        return;
    }
    for (size_t y = 0; y < c->height; y++)
        transpose_part(to + (y * width + c->padding_x) * c->channels,
                       c->channels, picture + y * c->width, plane, c->channels,
                       c->width);
}

static void list_pixels(const struct convolution *c, struct room *r)
{
    size_t count =
        simd->nonzeros(r->index, r->picture, convolution_padded_size(c));
    size_t n = pixels(c), k = 0;
    for (size_t pixel = 0; pixel < n; pixel++) {
        r->first[pixel] = (uint32_t)k;
        while (k < count && r->index[k] < (pixel + 1) * c->channels)
            k++;
    }
    r->first[n] = (uint32_t)count;
}

/* counts += how many numbers each place of a row sees in one row of pixels. */
KERNEL_CLONES
static void count_row(uint32_t *restrict counts, const uint32_t *restrict first,
                      size_t n, size_t stride, size_t kernel)
{
    if (stride == 1)
        for (size_t x = 0; x < n; x++)
            counts[x] += first[x + kernel] - first[x];
    else
        for (size_t x = 0; x < n; x++)
            counts[x] += first[x * stride + kernel] - first[x * stride];
}

/* Which places see anything, and how much all of them see. */
static void look(const struct convolution *c, struct room *r)
{
    size_t width = convolution_padded_width(c);
    r->all = r->n_seen = 0;
    for (size_t y = 0; y < c->rows; y++) {
        memset(r->counts, 0, c->columns * sizeof *r->counts);
        for (size_t i = 0; i < c->kernel_height; i++)
            count_row(r->counts, r->first + (y * c->stride + i) * width,
                      c->columns, c->stride, c->kernel_width);
        for (size_t x = 0; x < c->columns; x++) {
            r->seen[r->n_seen] = (uint32_t)(y * c->columns + x);
            r->n_seen += r->counts[x] > 0;
            r->all += r->counts[x];
        }
    }
}

/* sums (places, column) += those of a block. */
static void add_whole(const struct convolution *c, const struct room *r,
                      const float *packed, size_t column)
{
    struct simd_windows w = {.places = r->seen,
                             .from = r->from,
                             .n = r->n_seen,
                             .runs = c->kernel_height,
                             .run = c->kernel_width * c->channels,
                             .step = convolution_padded_width(c) * c->channels};
    simd->windows_add(r->sums, packed, &w, r->picture, column);
}

/* One row of the kernel after the other, so that it stays in the cache. */
static void add_listed(const struct convolution *c, const struct room *r,
                       const float *packed, size_t column)
{
    size_t run = c->kernel_width * c->channels;
    for (size_t i = 0; i < c->kernel_height; i++)
        for (size_t t = 0; t < r->n_seen; t++) {
            size_t place = r->seen[t];
            size_t pixel =
                r->from[place] / c->channels + i * convolution_padded_width(c);
            const uint32_t *at = r->first + pixel;
            struct simd_slice slice = {
                .index = r->index + at[0],
                .count = at[c->kernel_width] - at[0],
                .base = (uint32_t)(pixel * c->channels - i * run)};
            simd->slices_add(r->sums + place * column, packed, &slice, 1,
                             r->picture, column);
        }
}

static void make_maps(const struct convolution *c, enum convolution_into into,
                      float *maps, const struct room *r, const float *packed)
{
    size_t P = convolution_places(c), K = convolution_taps(c);
    bool listed = LISTED * (r->all + RUN * c->kernel_height * r->n_seen) <
                  WHOLE * K * r->n_seen;
    for (size_t m = 0; m < c->maps; m += BLOCK) {
        size_t n = column_at(c, m);
        if (into == CONVOLUTION_ADD)
            transpose_part(r->sums, n, maps + m * P, P, maps_at(c, m), P);
        else
            memset(r->sums, 0, P * n * sizeof *r->sums);
        (listed ? add_listed : add_whole)(c, r, packed + m * K, n);
        transpose_part(maps + m * P, P, r->sums, n, P, maps_at(c, m));
    }
}

void convolution_maps(const struct convolution *c, enum convolution_into into,
                      float *maps, const float *pictures, const float *weights,
                      const float *packed, size_t B, struct arena *scratch)
{
    size_t size = c->channels * c->height * c->width;
    struct arena_mark mark = arena_mark(scratch);
    struct room r = take_room(c, scratch);
    if (!packed) {
        float *own =
            arena_take(scratch, convolution_packed_for_maps(c), sizeof *own);
        convolution_pack_for_maps(c, own, weights);
        packed = own;
    }
    for (size_t b = 0; b < B; b++) {
        turn(c, r.picture, pictures + b * size);
        list_pixels(c, &r);
        look(c, &r);
        make_maps(c, into, maps + b * c->maps * convolution_places(c), &r,
                  packed);
    }
    arena_rewind(scratch, mark);
}

size_t convolution_scratch_for_maps(const struct convolution *c)
{
    size_t size = convolution_padded_size(c), places = convolution_places(c);
    return (2 * size + pixels(c) + 1 + 2 * places + c->columns +
            places * BLOCK + convolution_packed_for_maps(c)) *
               sizeof(float) +
           8 * MEM_ALIGN;
}
