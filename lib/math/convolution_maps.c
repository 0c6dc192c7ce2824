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
    float *picture;            /* (height,width,channels) with its edges */
    uint32_t *index;           /* of its numbers that are not 0, */
    uint32_t *first;           /* (pixels + 1) those of each pixel, */
    uint32_t *from;            /* (places) where a window begins, */
    uint32_t *seen;            /* (places) the places that see any */
    struct simd_slice *slices; /* (kernel rows) */
    float *sums;               /* (places,columns) */
};

/* Numbers in a column: the maps, filled up with zeros. */
static size_t column(const struct convolution *c)
{
    return convolution_whole(c->maps, SIMD_ROWS);
}

static size_t pixels(const struct convolution *c)
{
    return convolution_padded_height(c) * convolution_padded_width(c);
}

/* ---- weights ---- */

size_t convolution_packed_for_maps(const struct convolution *c)
{
    return convolution_taps(c) * column(c);
}

/* (kernel row, kernel column, channel, column) */
void convolution_pack_for_maps(const struct convolution *c, float *packed,
                               const float *weights)
{
    size_t area = c->kernel_height * c->kernel_width, n = column(c);
    memset(packed, 0, convolution_packed_for_maps(c) * sizeof *packed);
    for (size_t k = 0; k < c->channels; k++)
        transpose_part(packed + k * n, c->channels * n, weights + k * area,
                       convolution_taps(c), c->maps, area);
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
        .slices =
            arena_take(scratch, c->kernel_height, sizeof(struct simd_slice)),
        .sums = arena_take(scratch, places * column(c), sizeof(float))};
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

/* The places that see anything, and how much all of them see. */
static size_t look(const struct convolution *c, struct room *r, size_t *seen)
{
    size_t all = 0, width = convolution_padded_width(c);
    *seen = 0;
    for (size_t y = 0; y < c->rows; y++)
        for (size_t x = 0; x < c->columns; x++) {
            const uint32_t *at = r->first + (y * width + x) * c->stride;
            size_t count = 0;
            for (size_t i = 0; i < c->kernel_height; i++, at += width)
                count += at[c->kernel_width] - at[0];
            r->seen[*seen] = (uint32_t)(y * c->columns + x);
            *seen += count > 0;
            all += count;
        }
    return all;
}

static void add_whole(const struct convolution *c, const struct room *r,
                      const float *packed, size_t seen)
{
    struct simd_windows w = {.places = r->seen,
                             .from = r->from,
                             .n = seen,
                             .runs = c->kernel_height,
                             .run = c->kernel_width * c->channels,
                             .step = convolution_padded_width(c) * c->channels};
    simd->windows_add(r->sums, packed, &w, r->picture, column(c));
}

static void add_listed(const struct convolution *c, const struct room *r,
                       const float *packed, size_t seen)
{
    size_t run = c->kernel_width * c->channels;
    for (size_t t = 0; t < seen; t++) {
        size_t place = r->seen[t];
        size_t pixel = r->from[place] / c->channels;
        for (size_t i = 0; i < c->kernel_height; i++) {
            const uint32_t *at = r->first + pixel;
            r->slices[i] = (struct simd_slice){
                .index = r->index + at[0],
                .count = at[c->kernel_width] - at[0],
                .base = (uint32_t)(pixel * c->channels - i * run)};
            pixel += convolution_padded_width(c);
        }
        simd->slices_add(r->sums + place * column(c), packed, r->slices,
                         c->kernel_height, r->picture, column(c));
    }
}

/* sums += the maps of the picture in the room. */
static void add_maps(const struct convolution *c, struct room *r,
                     const float *packed)
{
    size_t seen;
    list_pixels(c, r);
    size_t all = look(c, r, &seen);
    if (LISTED * (all + RUN * c->kernel_height * seen) <
        WHOLE * convolution_taps(c) * seen)
        add_listed(c, r, packed, seen);
    else
        add_whole(c, r, packed, seen);
}

void convolution_maps(const struct convolution *c, enum convolution_into into,
                      float *maps, const float *pictures, const float *weights,
                      const float *packed, size_t B, struct arena *scratch)
{
    size_t P = convolution_places(c), n = column(c);
    struct arena_mark mark = arena_mark(scratch);
    struct room r = take_room(c, scratch);
    if (!packed) {
        float *own =
            arena_take(scratch, convolution_packed_for_maps(c), sizeof *own);
        convolution_pack_for_maps(c, own, weights);
        packed = own;
    }
    for (size_t b = 0; b < B; b++, maps += c->maps * P) {
        turn(c, r.picture, pictures + b * c->channels * c->height * c->width);
        if (into == CONVOLUTION_ADD)
            transpose_part(r.sums, n, maps, P, c->maps, P);
        else
            memset(r.sums, 0, P * n * sizeof *r.sums);
        add_maps(c, &r, packed);
        transpose_part(maps, P, r.sums, n, P, c->maps);
    }
    arena_rewind(scratch, mark);
}

size_t convolution_scratch_for_maps(const struct convolution *c)
{
    size_t size = convolution_padded_size(c), places = convolution_places(c);
    return (2 * size + pixels(c) + 1 + 2 * places + places * column(c) +
            convolution_packed_for_maps(c)) *
               sizeof(float) +
           c->kernel_height * sizeof(struct simd_slice) + 8 * MEM_ALIGN;
}
