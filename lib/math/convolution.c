/* Convolution without copies of windows: all three products are sums
 *
 *     sums[p] += sum over k of vectors[k] * numbers[from[p] + at[k]]
 *
 * of LANES results at once, where `from` and `at` are two lists of offsets:
 *
 *     product     p       k       lanes
 *     maps        places  taps    maps
 *     gradient    taps    places  maps
 *     pictures    places  maps    taps, which are then added where they lie
 *
 * A place is one of the kernel's positions, a tap one of its weights.
 */
#include "lib/math/convolution.h"

#include "lib/base/mem.h"
#include "lib/math/convolution_sizes.h"
#include "lib/math/kernels.h"
#include "lib/math/lanes.h"

#include <string.h>

/* What a register holds; the compiler keeps a wider vector in memory, which is
 * many times slower. */
typedef float part __attribute__((vector_size(KERNEL_WIDTH * sizeof(float))));

enum { PARTS = LANES / KERNEL_WIDTH };

/* Lanes that are summed up at a time: with two parts each they, a vector and a
 * number fill 16 registers. Lists of sums are so many's multiple. */
enum { TILE = 6 };

/* Vectors that all tiles read before the next ones: 16 KiB. */
enum { CHUNK = 256 };

static size_t min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* sums (n_sums, up to convolution_whole(TILE)) as above, over n vectors. */
KERNEL_CLONES
static void add_products(lanes *restrict sums, const uint32_t *restrict from,
                         size_t n_sums, const lanes *restrict vectors,
                         const uint32_t *restrict at, size_t n,
                         const float *restrict numbers)
{
    for (size_t k0 = 0; k0 < n; k0 += CHUNK) {
        size_t k1 = n - k0 < CHUNK ? n : k0 + CHUNK;
        for (size_t p = 0; p < n_sums; p += TILE) {
            const float *x[TILE];
            part sum[TILE * PARTS], *out = (part *)(sums + p);
            for (size_t t = 0; t < TILE; t++)
                x[t] = numbers + from[p + t];
            for (size_t i = 0; i < TILE * PARTS; i++)
                sum[i] = out[i];
            for (size_t k = k0; k < k1; k++) {
                const part *vector = (const part *)(vectors + k);
                for (size_t t = 0; t < TILE; t++)
                    for (size_t i = 0; i < PARTS; i++)
                        sum[t * PARTS + i] += vector[i] * x[t][at[k]];
            }
            for (size_t i = 0; i < TILE * PARTS; i++)
                out[i] = sum[i];
        }
    }
}

/* ---- sizes ---- */

static bool count_places(size_t *places, size_t side, size_t kernel,
                         size_t stride, size_t padding)
{
    if (kernel > side + 2 * padding)
        return false;
    *places = (side + 2 * padding - kernel) / stride + 1;
    return true;
}

bool convolution_set_size(struct convolution *c)
{
    return count_places(&c->rows, c->height, c->kernel_height, c->stride,
                        c->padding_y) &&
           count_places(&c->columns, c->width, c->kernel_width, c->stride,
                        c->padding_x);
}

static size_t map_blocks(const struct convolution *c)
{
    return convolution_whole(c->maps, LANES) / LANES;
}

static size_t tap_blocks(const struct convolution *c)
{
    return convolution_whole(convolution_taps(c), LANES) / LANES;
}

/* ---- lists of offsets, filled up with zeros to whole tiles ---- */

/* Each (i,j) < (rows,columns) at i*row_step + j*step, `planes` times
 * plane_step apart. */
static uint32_t *list(size_t planes, size_t plane_step, size_t rows,
                      size_t row_step, size_t columns, size_t step,
                      struct arena *scratch)
{
    size_t n = planes * rows * columns, k = 0;
    uint32_t *out =
        arena_take(scratch, convolution_whole(n, TILE), sizeof *out);
    for (size_t c = 0; c < planes; c++)
        for (size_t i = 0; i < rows; i++)
            for (size_t j = 0; j < columns; j++)
                out[k++] = (uint32_t)(c * plane_step + i * row_step + j * step);
    while (k < convolution_whole(n, TILE))
        out[k++] = 0;
    return out;
}

/* Where the kernel's places and taps are in the padded picture. */
static uint32_t *list_places(const struct convolution *c, struct arena *scratch)
{
    return list(1, 0, c->rows, c->stride * convolution_padded_width(c),
                c->columns, c->stride, scratch);
}

static uint32_t *list_taps(const struct convolution *c, struct arena *scratch)
{
    return list(c->channels,
                convolution_padded_height(c) * convolution_padded_width(c),
                c->kernel_height, convolution_padded_width(c), c->kernel_width,
                1, scratch);
}

/* ---- pictures with their edges ---- */

/* Zeros, in which pad fills in the middle; NULL where there is no edge. */
static float *edges(const struct convolution *c, struct arena *scratch)
{
    if (c->padding_y == 0 && c->padding_x == 0)
        return NULL;
    return arena_zeroed(scratch, convolution_padded_size(c), sizeof(float));
}

static const float *pad(const struct convolution *c, float *padded,
                        const float *picture)
{
    if (!padded)
        return picture;
    size_t width = convolution_padded_width(c);
    for (size_t k = 0; k < c->channels; k++) {
        float *to =
            padded + (k * convolution_padded_height(c) + c->padding_y) * width;
        for (size_t y = 0; y < c->height; y++, picture += c->width)
            memcpy(to + y * width + c->padding_x, picture,
                   c->width * sizeof *picture);
    }
    return padded;
}

/* picture = or += the middle of the padded one. */
static void crop(const struct convolution *c, enum convolution_into into,
                 float *picture, const float *padded)
{
    size_t width = convolution_padded_width(c),
           row = c->width * sizeof *picture;
    for (size_t k = 0; k < c->channels; k++) {
        const float *from =
            padded + (k * convolution_padded_height(c) + c->padding_y) * width;
        for (size_t y = 0; y < c->height; y++, picture += c->width) {
            if (into == CONVOLUTION_SET)
                memcpy(picture, from + y * width + c->padding_x, row);
            else
                vec_add(picture, from + y * width + c->padding_x, 1.0f,
                        c->width);
        }
    }
}

/* ---- weights in the order in which they are read ---- */

static size_t packed_for_pictures(const struct convolution *c)
{
    return tap_blocks(c) * c->maps * LANES;
}

/* (tap block, map, LANES) */
static void pack_for_pictures(const struct convolution *c, float *packed,
                              const float *weights)
{
    size_t K = convolution_taps(c);
    for (size_t k = 0; k < K; k += LANES)
        for (size_t m = 0; m < c->maps; m++, packed += LANES) {
            size_t n = min(K - k, LANES);
            memcpy(packed, weights + m * K + k, n * sizeof *packed);
            memset(packed + n, 0, (LANES - n) * sizeof *packed);
        }
}

size_t convolution_packed(const struct convolution *c)
{
    return convolution_packed_for_maps(c) + packed_for_pictures(c);
}

void convolution_pack(const struct convolution *c, float *packed,
                      const float *weights)
{
    convolution_pack_for_maps(c, packed, weights);
    pack_for_pictures(c, packed + convolution_packed_for_maps(c), weights);
}

/* ---- the products ---- */

/* One tap's numbers (rows,columns) to where it lies from each place. */
KERNEL_CLONES
static void spread(const struct convolution *c, float *restrict picture,
                   const float *restrict numbers)
{
    size_t stride = c->stride, columns = c->columns;
    size_t down = stride * convolution_padded_width(c);
    for (size_t y = 0; y < c->rows; y++, picture += down, numbers += columns) {
        if (stride == 1)
            for (size_t x = 0; x < columns; x++)
                picture[x] += numbers[x];
        else
            for (size_t x = 0; x < columns; x++)
                picture[x * stride] += numbers[x];
    }
}

void convolution_pictures(const struct convolution *c,
                          enum convolution_into into, float *pictures,
                          const float *maps, const float *weights,
                          const float *packed, size_t B, struct arena *scratch)
{
    size_t P = convolution_places(c), K = convolution_taps(c),
           size = convolution_padded_size(c);
    struct arena_mark mark = arena_mark(scratch);
    uint32_t *from = list(1, 0, 1, 0, P, 1, scratch);
    uint32_t *at = list(1, 0, 1, 0, c->maps, P, scratch);
    uint32_t *to = list_taps(c, scratch);
    lanes *sums =
        arena_zeroed(scratch, convolution_whole(P, TILE), sizeof *sums);
    float *block = arena_take(scratch, P * LANES, sizeof *block);
    float *drawn = arena_take(scratch, size, sizeof *drawn);
    if (packed) {
        packed += convolution_packed_for_maps(c);
    } else {
        float *own = arena_take(scratch, packed_for_pictures(c), sizeof *own);
        pack_for_pictures(c, own, weights);
        packed = own;
    }
    for (size_t b = 0; b < B; b++) {
        const lanes *vectors = (const lanes *)packed;
        memset(drawn, 0, size * sizeof *drawn);
        for (size_t k = 0; k < K; k += LANES, vectors += c->maps) {
            size_t n = min(K - k, LANES);
            memset(sums, 0, P * sizeof *sums);
            add_products(sums, from, P, vectors, at, c->maps,
                         maps + b * c->maps * P);
            lanes_store(block, P, sums, n, P);
            for (size_t t = 0; t < n; t++)
                spread(c, drawn + to[k + t], block + t * P);
        }
        crop(c, into, pictures + b * c->channels * c->height * c->width, drawn);
    }
    arena_rewind(scratch, mark);
}

void convolution_gradient(const struct convolution *c, float *d_weights,
                          const float *d_maps, const float *pictures, size_t B,
                          struct arena *scratch)
{
    size_t P = convolution_places(c), K = convolution_taps(c),
           rows = convolution_whole(K, TILE);
    struct arena_mark mark = arena_mark(scratch);
    uint32_t *from = list_taps(c, scratch), *at = list_places(c, scratch);
    lanes *slopes = arena_take(scratch, P, sizeof *slopes);
    lanes *sums = arena_zeroed(scratch, map_blocks(c) * rows, sizeof *sums);
    float *block = arena_take(scratch, K * LANES, sizeof *block);
    float *padded = edges(c, scratch);
    for (size_t b = 0; b < B; b++, d_maps += c->maps * P) {
        const float *x =
            pad(c, padded, pictures + b * c->channels * c->height * c->width);
        for (size_t m = 0; m < c->maps; m += LANES) {
            lanes_load(slopes, d_maps + m * P, P, min(c->maps - m, LANES), P);
            add_products(sums + m / LANES * rows, from, K, slopes, at, P, x);
        }
    }
    for (size_t m = 0; m < c->maps; m += LANES) {
        size_t n = min(c->maps - m, LANES);
        lanes_store(block, K, sums + m / LANES * rows, n, K);
        vec_add(d_weights + m * K, block, 1.0f, n * K);
    }
    arena_rewind(scratch, mark);
}

size_t convolution_scratch(const struct convolution *c)
{
    size_t P = convolution_whole(convolution_places(c), TILE);
    size_t K = convolution_whole(convolution_taps(c), TILE);
    size_t lists = P + K + convolution_whole(c->maps, TILE);
    size_t for_pictures = packed_for_pictures(c);
    size_t for_gradient = (map_blocks(c) + 1) * K * LANES;
    size_t most = for_pictures > for_gradient ? for_pictures : for_gradient;
    most += lists + 2 * P * LANES + convolution_padded_size(c);
    size_t bytes = most * sizeof(float) + 8 * MEM_ALIGN;
    size_t for_maps = convolution_scratch_for_maps(c);
    return bytes > for_maps ? bytes : for_maps;
}
