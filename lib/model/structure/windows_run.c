/* What runs over a code with windows.
 *
 * The work goes by strips: the windows of one row of windows, with as many
 * columns as a small buffer holds. A strip's squares are added up over maps
 * and rows first, where all columns go side by side, then over columns; what
 * goes back to the units takes the same way from its end.
 */
#include "lib/math/kernels.h"
#include "lib/model/structure/windows.h"

#include <math.h>
#include <string.h>

/* Below this a pooled activation is as good as 0. */
static const float smallest = 1e-12f;

enum { SPAN = 2 * WINDOWS_MAX_SIDE };

struct strip {
    size_t b, map, row, first; /* the sample, the window's map, row, column */
    size_t n;                  /* windows */
    size_t span;               /* columns that they take, those past the edge
                                  counted */
};

/* The strip after *p, at first of one that is all 0; false past the last. */
static bool next_strip(const struct windows *w, struct strip *p, size_t B)
{
    const struct windows_axis *c = &w->columns;
    p->first += p->n;
    if (p->first == c->windows) {
        p->first = 0;
        if (++p->row == w->rows.windows) {
            p->row = 0;
            if (++p->map == w->maps.windows) {
                p->map = 0;
                p->b++;
            }
        }
    }
    size_t most = (SPAN - c->size) / c->stride + 1, left = c->windows;
    left -= p->first;
    p->n = left < most ? left : most;
    p->span = (p->n - 1) * c->stride + c->size;
    return p->b < B;
}

/* Where the strip's windows are among rows of pools. */
static size_t pools_at(const struct windows *w, const struct strip *p)
{
    return ((p->b * w->maps.windows + p->map) * w->rows.windows + p->row) *
               w->columns.windows +
           p->first;
}

/* Rows of one map that the strip takes, those within the picture. */
static size_t rows_of(const struct windows *w, const struct strip *p)
{
    size_t left = w->rows.units - p->row * w->rows.stride;
    return left < w->rows.size ? left : w->rows.size;
}

/* Columns of its span that are within the picture. */
static size_t columns_of(const struct windows *w, const struct strip *p)
{
    size_t left = w->columns.units - p->first * w->columns.stride;
    return left < p->span ? left : p->span;
}

/* Where the first column of row i of map k of the strip is in z. */
static size_t units_at(const struct windows *w, const struct strip *p, size_t k,
                       size_t i)
{
    size_t map = (p->map * w->maps.stride + k) % w->maps.units;
    return ((p->b * w->maps.units + map) * w->rows.units +
            p->row * w->rows.stride + i) *
               w->columns.units +
           p->first * w->columns.stride;
}

/* v (strip's windows) from z, all of it. */
KERNEL_CLONES
static void pool_strip(const struct windows *w, const struct strip *p,
                       float *restrict v, const float *restrict z)
{
    float sums[SPAN], across[SPAN];
    const struct windows_axis *c = &w->columns;
    size_t n = columns_of(w, p), rows = rows_of(w, p);
    size_t last = (p->n - 1) * c->stride + 1;
    memset(sums, 0, p->span * sizeof *sums);
    for (size_t k = 0; k < w->maps.size; k++)
        for (size_t i = 0; i < rows; i++) {
            const float *x = z + units_at(w, p, k, i);
            float weight = w->maps.weights[k] * w->rows.weights[i];
            for (size_t j = 0; j < n; j++)
                sums[j] += weight * x[j] * x[j];
        }
    memset(across, 0, last * sizeof *across);
    for (size_t i = 0; i < c->size; i++)
        for (size_t j = 0; j < last; j++)
            across[j] += c->weights[i] * sums[i + j];
    for (size_t j = 0; j < p->n; j++)
        v[j] = across[j * c->stride];
    for (size_t j = 0; j < p->n; j++)
        v[j] = sqrtf(v[j]);
}

/* dz_i += z_i sum_j w_ij c_j for the c of a strip's windows, of which all that
 * goes back to the units is made. */
KERNEL_CLONES
static void spread_strip(const struct windows *w, const struct strip *p,
                         float *restrict dz, const float *restrict c,
                         const float *restrict z)
{
    float sums[SPAN], across[SPAN + WINDOWS_MAX_SIDE];
    const struct windows_axis *columns = &w->columns;
    size_t n = columns_of(w, p), rows = rows_of(w, p);
    /* Each window's number where it starts, behind room for a window. */
    float *starts = across + columns->size - 1;
    memset(across, 0, (columns->size - 1 + p->span) * sizeof *across);
    for (size_t j = 0; j < p->n; j++)
        starts[j * columns->stride] = c[j];
    memset(sums, 0, n * sizeof *sums);
    for (size_t i = 0; i < columns->size; i++)
        for (size_t j = 0; j < n; j++)
            sums[j] += columns->weights[i] * across[columns->size - 1 - i + j];
    for (size_t k = 0; k < w->maps.size; k++)
        for (size_t i = 0; i < rows; i++) {
            size_t at = units_at(w, p, k, i);
            float weight = w->maps.weights[k] * w->rows.weights[i];
            for (size_t j = 0; j < n; j++)
                dz[at + j] += weight * sums[j] * z[at + j];
        }
}

/* ---- rows ---- */

static float safe(float v)
{
    return v > smallest ? v : smallest;
}

double windows_value(const struct structure *s, const float *z, size_t B)
{
    const struct windows *w = windows_of(s);
    float v[SPAN];
    double sum = 0;
    for (struct strip p = {0}; next_strip(w, &p, B);) {
        pool_strip(w, &p, v, z);
        for (size_t j = 0; j < p.n; j++)
            sum += (double)v[j];
    }
    return (double)s->lambda * sum;
}

void windows_gradient(const struct structure *s, float *dz, const float *z,
                      size_t B, float scale)
{
    const struct windows *w = windows_of(s);
    float c[SPAN], slope = scale * s->lambda;
    for (struct strip p = {0}; next_strip(w, &p, B);) {
        pool_strip(w, &p, c, z);
        for (size_t j = 0; j < p.n; j++)
            c[j] = c[j] > 0.0f ? slope / c[j] : 0.0f;
        spread_strip(w, &p, dz, c, z);
    }
}

void windows_prox(const struct structure *s, float *z, const float *u,
                  float step, size_t B, float *state, struct arena *scratch)
{
    (void)state, (void)scratch;
    const struct windows *w = windows_of(s);
    float v[SPAN];
    float weight =
        w->maps.weights[0] * w->rows.weights[0] * w->columns.weights[0];
    float threshold = step * s->lambda * weight;
    for (struct strip p = {0}; next_strip(w, &p, B);) {
        size_t n = columns_of(w, &p), rows = rows_of(w, &p);
        pool_strip(w, &p, v, u);
        for (size_t j = 0; j < p.n; j++) {
            v[j] = threshold > 0.0f ? 1.0f - threshold / v[j] : 1.0f;
            v[j] = v[j] > 0.0f ? v[j] : 0.0f;
        }
        for (size_t k = 0; k < w->maps.size; k++)
            for (size_t i = 0; i < rows; i++) {
                size_t at = units_at(w, &p, k, i);
                for (size_t j = 0; j < n; j++)
                    z[at + j] = v[j / w->columns.stride] * u[at + j];
            }
    }
}

void windows_pool(const struct structure *s, float *v, const float *z, size_t B)
{
    const struct windows *w = windows_of(s);
    for (struct strip p = {0}; next_strip(w, &p, B);)
        pool_strip(w, &p, v + pools_at(w, &p), z);
}

void windows_pool_backward(const struct structure *s, float *dz,
                           const float *dv, const float *z, const float *v,
                           size_t B)
{
    const struct windows *w = windows_of(s);
    float c[SPAN];
    for (struct strip p = {0}; next_strip(w, &p, B);) {
        size_t at = pools_at(w, &p);
        for (size_t j = 0; j < p.n; j++)
            c[j] = dv[at + j] / safe(v[at + j]);
        spread_strip(w, &p, dz, c, z);
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
