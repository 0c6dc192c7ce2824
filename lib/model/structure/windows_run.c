/* What runs over a code with windows.
 *
 * The work goes by blocks of windows of one map of windows: as many rows and
 * columns of them as small buffers hold. Squares are added up over maps and
 * rows first and over columns then, and what goes back to the units takes the
 * same way from its end. In the buffers a row is as long as its windows reach,
 * past the picture's edge too, where it is 0.
 */
#include "lib/math/kernels.h"
#include "lib/math/lanes.h"
#include "lib/model/structure/windows.h"

#include <math.h>
#include <string.h>

/* Below this a pooled activation is as good as 0. */
static const float smallest = 1e-12f;

enum {
    MOST = 2 * WINDOWS_MAX_SIDE,
    POOLS = MOST + LANES /* a block's windows, and what is written behind */
};

struct block {
    size_t b, map, row, column; /* the sample, and where its windows begin */
    size_t rows, columns;       /* of windows */
    size_t top, left;           /* the first unit */
    size_t height, width;       /* units within the picture */
    size_t pitch;               /* units a row, those past the edge counted */
    size_t end;                 /* numbers in all codes together */
};

/* The row and column of windows after *p; at first those of zeros. False past
 * the last. */
static bool move(const struct windows *w, struct block *p, size_t B)
{
    p->column += p->columns;
    if (p->column == w->columns.windows) {
        p->column = 0;
        p->row += p->rows;
    }
    if (p->rows > 0 && p->row == w->rows.windows) {
        p->row = 0;
        p->map++;
    }
    if (p->map == w->maps.windows) {
        p->map = 0;
        p->b++;
    }
    return p->b < B;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The block after *p, at first of one that is all 0; false past the last. */
static bool next_block(const struct windows *w, struct block *p, size_t B)
{
    const struct windows_axis *r = &w->rows, *c = &w->columns;
    if (!move(w, p, B))
        return false;
    p->columns =
        least(c->windows - p->column, (MOST - c->size) / c->stride + 1);
    p->pitch = (p->columns - 1) * c->stride + c->size;
    /* Beside a block that does not go all the way across lies another of as
     * many rows. */
    size_t most = c->windows > p->columns || p->column > 0 ? 1 : MOST;
    p->rows = least(r->windows - p->row, least(most, MOST / p->pitch));
    p->top = p->row * r->stride;
    p->left = p->column * c->stride;
    p->height = least(r->units - p->top, (p->rows - 1) * r->stride + r->size);
    p->width = least(c->units - p->left, p->pitch);
    p->end = B * w->maps.units * r->units * c->units;
    return true;
}

/* Where row i of the block's windows is among those of all samples. */
static size_t pools_at(const struct windows *w, const struct block *p, size_t i)
{
    return ((p->b * w->maps.windows + p->map) * w->rows.windows + p->row + i) *
               w->columns.windows +
           p->column;
}

/* Where row y of the block's units in its k-th map is in the codes. */
static size_t units_at(const struct windows *w, const struct block *p, size_t k,
                       size_t y)
{
    size_t map = (p->map * w->maps.stride + k) % w->maps.units;
    return ((p->b * w->maps.units + map) * w->rows.units + p->top + y) *
               w->columns.units +
           p->left;
}

/* ---- blocks, LANES columns at once ---- */

/* The first of x, of which `left` are there. */
static inline void load(lanes *out, const float *x, size_t left)
{
    if (left >= LANES) {
        memcpy(out, x, sizeof *out);
    } else {
        lanes part = {0}; /* by itself, so that *out may be a register */
        memcpy(&part, x, left * sizeof *x);
        *out = part;
    }
}

/* Keeps the first n lanes, others become 0. */
static inline void cut(lanes *x, size_t n)
{
    static const lane_mask place = {0, 1, 2,  3,  4,  5,  6,  7,
                                    8, 9, 10, 11, 12, 13, 14, 15};
    if (n < LANES)
        *x = LANES_KEEP(place < (int32_t)n, *x);
}

/* out (n) = sum_i weights[i] x[j + i], or x[j - i] for a `way` of -1; x has
 * that, and LANES more. */
static inline void slide(float *out, const float *x, size_t n,
                         const struct windows_axis *a, ptrdiff_t way)
{
    for (size_t j = 0; j < n; j += LANES) {
        lanes sum = {0}, part;
        for (size_t i = 0; i < a->size; i++) {
            memcpy(&part, x + j + way * (ptrdiff_t)i, sizeof part);
            sum += a->weights[i] * part;
        }
        memcpy(out + j, &sum, sizeof sum);
    }
}

/* sums (pitch) of a row of windows: the weighted squares of each column. What
 * the last lanes read of the next row is cut off. */
static inline void add_squares(const struct windows *w, const struct block *p,
                               float *sums, const float *z, size_t row)
{
    size_t start = row * w->rows.stride;
    size_t rows = least(w->rows.size, p->height - start);
    for (size_t j = 0; j < p->pitch; j += LANES) {
        lanes sum = {0}, x;
        for (size_t k = 0; k < w->maps.size && j < p->width; k++) {
            size_t at = units_at(w, p, k, start) + j;
            for (size_t i = 0; i < rows; i++, at += w->columns.units) {
                load(&x, z + at, p->end - at);
                sum += w->maps.weights[k] * w->rows.weights[i] * x * x;
            }
        }
        if (j < p->width)
            cut(&sum, p->width - j);
        memcpy(sums + j, &sum, sizeof sum);
    }
}

/* v (rows,columns) of the block's windows from all codes z. */
KERNEL_CLONES
static void pool_any(const struct windows *w, const struct block *p,
                     float *restrict v, const float *restrict z)
{
    float sums[MOST + WINDOWS_MAX_SIDE + 2 * LANES], across[MOST + LANES];
    const struct windows_axis *c = &w->columns;
    size_t last = p->rows * p->pitch - c->size + 1;
    memset(sums + p->rows * p->pitch, 0, 2 * LANES * sizeof *sums);
    for (size_t i = 0; i < p->rows; i++)
        add_squares(w, p, sums + i * p->pitch, z, i);
    slide(across, sums, last, c, 1);
    for (size_t i = 0; i < p->rows; i++)
        for (size_t j = 0; j < p->columns; j++)
            v[i * p->columns + j] = across[i * p->pitch + j * c->stride];
    for (size_t j = 0; j < p->rows * p->columns; j++)
        v[j] = sqrtf(v[j]);
}

typedef int32_t lane_order __attribute__((vector_size(sizeof(lanes))));

/* v (n) = every stride-th number of x. Reads up to 2 LANES, and writes LANES,
 * of which some may lie behind the last. */
static inline void pick(float *v, const float *x, size_t n, size_t stride)
{
    static const lane_order even = {0,  2,  4,  6,  8,  10, 12, 14,
                                    16, 18, 20, 22, 24, 26, 28, 30};
    for (size_t j = 0; stride == 2 && j < n; j += LANES) {
        lanes pairs[2];
        memcpy(pairs, x + 2 * j, sizeof pairs);
        pairs[0] = __builtin_shuffle(pairs[0], pairs[1], even);
        memcpy(v + j, &pairs[0], sizeof pairs[0]);
    }
    for (size_t j = 0; stride != 2 && j < n; j++)
        v[j] = x[j * stride];
}

enum into { SET, ADD };

/* out (n) = or += weight times the sums of `size` numbers, each weighted. */
static inline __attribute__((always_inline)) void
weigh_few(float *restrict out, enum into into, float weight,
          const float *restrict x, size_t step, const float *restrict weights,
          const size_t size, size_t n)
{
    for (size_t j = 0; j < n; j++) {
        float sum = 0;
        for (size_t i = 0; i < size; i++)
            sum += weights[i] * x[j + i * step];
        out[j] = into == ADD ? out[j] + weight * sum : weight * sum;
    }
}

/* The same, the numbers being `step` apart; small sizes have loops of their
 * own, which the compiler unrolls. */
static inline void weigh(float *restrict out, enum into into, float weight,
                         const float *restrict x, size_t step,
                         const struct windows_axis *a, size_t n)
{
    if (a->size == 2)
        weigh_few(out, into, weight, x, step, a->weights, 2, n);
    else if (a->size == 3)
        weigh_few(out, into, weight, x, step, a->weights, 3, n);
    else
        for (size_t i = 0; i < a->size; i++)
            weigh_few(out, i > 0 ? ADD : into, weight, x + i * step, step,
                      a->weights + i, 1, n);
}

/* The same for a block of whole rows of which no window is cut off: all rows
 * are one run, whose windows across the rows' ends are passed over. */
KERNEL_CLONES
static void pool_run(const struct windows *w, const struct block *p,
                     float *restrict v, const float *restrict z)
{
    float squares[MOST], sums[MOST], across[MOST + 2 * LANES];
    const struct windows_axis *r = &w->rows, *c = &w->columns;
    size_t width = p->width, all = p->height * width;
    size_t n = all - (r->size - 1) * width, last = n - (c->size - 1);
    for (size_t k = 0; k < w->maps.size; k++) {
        const float *x = z + units_at(w, p, k, 0);
        for (size_t j = 0; j < all; j++)
            squares[j] = x[j] * x[j];
        weigh(sums, k > 0 ? ADD : SET, w->maps.weights[k], squares, width, r,
              n);
    }
    weigh(across, SET, 1, sums, 1, c, last);
    memset(across + last, 0, 2 * LANES * sizeof *across);
    for (size_t i = 0; i < p->rows; i++)
        pick(v + i * p->columns, across + i * r->stride * width, p->columns,
             c->stride);
    for (size_t j = 0; j < p->rows * p->columns; j++)
        v[j] = sqrtf(v[j]);
}

/* Up to POOLS numbers of v are written. */
static void pool_block(const struct windows *w, const struct block *p, float *v,
                       const float *z)
{
    bool whole = p->width == w->columns.units && p->pitch == p->width &&
                 p->height == (p->rows - 1) * w->rows.stride + w->rows.size;
    if (whole && p->height * p->width <= MOST)
        pool_run(w, p, v, z);
    else
        pool_any(w, p, v, z);
}

/* factors (width) of a row of units: what its windows have of `across`
 * (rows,pitch), where this is done along the columns. Writes up to LANES - 1
 * more. */
static inline void add_windows(const struct windows *w, const struct block *p,
                               float *factors, const float *across, size_t y)
{
    const struct windows_axis *r = &w->rows;
    size_t last = least(y / r->stride, p->rows - 1);
    size_t first = y < r->size ? 0 : (y - r->size) / r->stride + 1;
    for (size_t j = 0; j < p->width; j += LANES) {
        lanes sum = {0}, part;
        for (size_t i = first; i <= last; i++) {
            memcpy(&part, across + i * p->pitch + j, sizeof part);
            sum += r->weights[y - i * r->stride] * part;
        }
        memcpy(factors + j, &sum, sizeof sum);
    }
}

/* dz += weight * factors * z, for n units. */
static inline void add_products(float *restrict dz,
                                const float *restrict factors,
                                const float *restrict z, float weight, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dz[i] += weight * factors[i] * z[i];
}

/* The rows from y on of the block's units, as many as the buffer holds, in all
 * its maps; the number of rows. */
static inline size_t spread_band(const struct windows *w, const struct block *p,
                                 float *dz, const float *across, const float *z,
                                 size_t y)
{
    float factors[MOST + LANES];
    size_t rows = least(p->height - y, MOST / p->width);
    bool whole = p->width == w->columns.units; /* so rows lie end to end */
    size_t runs = whole ? 1 : rows, run = whole ? rows * p->width : p->width;
    for (size_t i = 0; i < rows; i++)
        add_windows(w, p, factors + i * p->width, across, y + i);
    for (size_t k = 0; k < w->maps.size; k++)
        for (size_t i = 0; i < runs; i++) {
            size_t at = units_at(w, p, k, y + i);
            add_products(dz + at, factors + i * p->width, z + at,
                         w->maps.weights[k], run);
        }
    return rows;
}

/* dz_i += z_i sum_j w_ij c_j for the c of a block's windows (rows,columns), of
 * which all that goes back to the units is made. */
KERNEL_CLONES
static void spread_block(const struct windows *w, const struct block *p,
                         float *restrict dz, const float *restrict c,
                         const float *restrict z)
{
    float starts[MOST + WINDOWS_MAX_SIDE + LANES], across[MOST + 2 * LANES];
    /* Each window's number where it starts, behind room for a window. */
    float *first = starts + w->columns.size - 1;
    size_t n = p->rows * p->pitch;
    memset(starts, 0, (w->columns.size - 1 + n + LANES) * sizeof *starts);
    for (size_t i = 0; i < p->rows; i++)
        for (size_t j = 0; j < p->columns; j++)
            first[i * p->pitch + j * w->columns.stride] = c[i * p->columns + j];
    slide(across, first, n, &w->columns, -1);
    for (size_t y = 0; y < p->height;)
        y += spread_band(w, p, dz, across, z, y);
}

/* ---- codes ---- */

double windows_value(const struct structure *s, const float *z, size_t B)
{
    const struct windows *w = windows_of(s);
    float v[POOLS];
    double sum = 0;
    for (struct block p = {0}; next_block(w, &p, B);) {
        pool_block(w, &p, v, z);
        for (size_t j = 0; j < p.rows * p.columns; j++)
            sum += (double)v[j];
    }
    return (double)s->lambda * sum;
}

void windows_gradient(const struct structure *s, float *dz, const float *z,
                      size_t B, float scale)
{
    const struct windows *w = windows_of(s);
    float c[POOLS], slope = scale * s->lambda;
    for (struct block p = {0}; next_block(w, &p, B);) {
        pool_block(w, &p, c, z);
        for (size_t j = 0; j < p.rows * p.columns; j++)
            c[j] = c[j] > 0.0f ? slope / c[j] : 0.0f;
        spread_block(w, &p, dz, c, z);
    }
}

void windows_prox(const struct structure *s, float *z, const float *u,
                  float step, size_t B, float *state, struct arena *scratch)
{
    (void)state, (void)scratch;
    const struct windows *w = windows_of(s);
    float v[POOLS];
    float weight =
        w->maps.weights[0] * w->rows.weights[0] * w->columns.weights[0];
    float threshold = step * s->lambda * weight;
    for (struct block p = {0}; next_block(w, &p, B);) {
        pool_block(w, &p, v, u);
        for (size_t j = 0; j < p.rows * p.columns; j++) {
            v[j] = threshold > 0.0f ? 1.0f - threshold / v[j] : 1.0f;
            v[j] = v[j] > 0.0f ? v[j] : 0.0f;
        }
        for (size_t k = 0; k < w->maps.size; k++)
            for (size_t y = 0; y < p.height; y++) {
                size_t at = units_at(w, &p, k, y);
                const float *share = v + y / w->rows.stride * p.columns;
                for (size_t j = 0; j < p.width; j++)
                    z[at + j] = share[j / w->columns.stride] * u[at + j];
            }
    }
}

void windows_pool(const struct structure *s, float *v, const float *z, size_t B)
{
    const struct windows *w = windows_of(s);
    float part[POOLS];
    for (struct block p = {0}; next_block(w, &p, B);) {
        pool_block(w, &p, part, z);
        for (size_t i = 0; i < p.rows; i++)
            memcpy(v + pools_at(w, &p, i), part + i * p.columns,
                   p.columns * sizeof *v);
    }
}

void windows_pool_backward(const struct structure *s, float *dz,
                           const float *dv, const float *z, const float *v,
                           size_t B)
{
    const struct windows *w = windows_of(s);
    float c[POOLS];
    for (struct block p = {0}; next_block(w, &p, B);) {
        for (size_t i = 0; i < p.rows; i++) {
            size_t at = pools_at(w, &p, i);
            for (size_t j = 0; j < p.columns; j++)
                c[i * p.columns + j] =
                    dv[at + j] / (v[at + j] > smallest ? v[at + j] : smallest);
        }
        spread_block(w, &p, dz, c, z);
    }
}

void windows_unpool(const struct structure *s, float *out, const float *wanted,
                    const float *z, const float *v, size_t B)
{
    const struct windows *w = windows_of(s);
    size_t lines = w->maps.units * w->rows.units, width = w->columns.units;
    memset(out, 0, B * lines * width * sizeof *out);
    windows_pool_backward(s, out, wanted, z, v, B);
    for (size_t line = 0; line < B * lines; line++) {
        float factor = w->maps.inverse[line % lines / w->rows.units] *
                       w->rows.inverse[line % w->rows.units];
        for (size_t x = 0; x < width; x++)
            out[line * width + x] *= factor * w->columns.inverse[x];
    }
}
