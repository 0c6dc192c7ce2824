/* The parameter table and its projections. */
#include "lib/model/param.h"

#include "lib/base/mem.h"
#include "lib/math/kernels.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static enum err_code count_elements(const char *name, size_t rank,
                                    const size_t *dims, size_t *count,
                                    struct err *e)
{
    *count = 1;
    for (size_t i = 0; i < rank; i++) {
        if (dims[i] == 0)
            return err_set(e, ERR_INVALID, "%s: dimension %zu is 0", name, i);
        if (!mem_mul(*count, dims[i], count) || *count > PARAM_MAX_TOTAL)
            return err_set(e, ERR_TOO_LARGE, "%s: over %zu numbers", name,
                           PARAM_MAX_TOTAL);
    }
    return ERR_OK;
}

struct param *params_add(struct params *t, const char *name, size_t rank,
                         const size_t *dims, const enum param_axis *axes,
                         struct err *e)
{
    size_t count;
    if (t->n == PARAM_MAX) {
        err_set(e, ERR_TOO_LARGE, "%s: over %d tensors", name, PARAM_MAX);
        return NULL;
    }
    if (count_elements(name, rank, dims, &count, e))
        return NULL;
    if (t->total + count > PARAM_MAX_TOTAL) {
        err_set(e, ERR_TOO_LARGE, "%s: the model has over %zu numbers", name,
                PARAM_MAX_TOTAL);
        return NULL;
    }
    struct param *p = &t->list[t->n++];
    *p = (struct param){.rank = rank,
                        .count = count,
                        .offset = t->total,
                        .rate = 1.0f,
                        .sign = 1};
    snprintf(p->name, sizeof p->name, "%s", name);
    memcpy(p->dims, dims, rank * sizeof *dims);
    memcpy(p->axes, axes, rank * sizeof *axes);
    t->total += count;
    return p;
}

enum err_code params_allocate(struct params *t, struct err *e)
{
    t->values = mem_array(t->total, sizeof *t->values);
    if (!t->values)
        return err_set(e, ERR_NO_MEMORY, "%zu parameters", t->total);
    for (size_t i = 0; i < t->n; i++)
        t->list[i].value = t->values + t->list[i].offset;
    return ERR_OK;
}

void params_fini(struct params *t)
{
    mem_free(t->values);
    t->values = NULL;
    t->n = t->total = 0;
}

struct param *params_find(struct params *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->list[i].name, name) == 0)
            return &t->list[i];
    return NULL;
}

int param_emit(const struct param *p, struct graph *g)
{
    return g->constant(g, p->name, p->value, p->rank, p->dims);
}

void param_limit_rows(struct param *p)
{
    size_t rows = p->dims[0], columns = p->count / rows;
    for (size_t r = 0; r < rows; r++) {
        double norm = vec_norm(p->value + r * columns, columns);
        if (norm > (double)p->bound)
            vec_scale(p->value + r * columns, p->bound / (float)norm, columns);
    }
}

/* Columns are strided, so their norms are gathered row by row. */
void param_limit_columns(struct param *p)
{
    enum { BLOCK = 64 };
    size_t rows = p->dims[0], columns = p->count / rows;
    for (size_t c0 = 0; c0 < columns; c0 += BLOCK) {
        size_t width = columns - c0 < BLOCK ? columns - c0 : BLOCK;
        float factor[BLOCK] = {0};
        for (size_t r = 0; r < rows; r++) {
            const float *row = p->value + r * columns + c0;
            for (size_t c = 0; c < width; c++)
                factor[c] += row[c] * row[c];
        }
        for (size_t c = 0; c < width; c++) {
            float norm = sqrtf(factor[c]);
            factor[c] = norm > p->bound ? p->bound / norm : 1.0f;
        }
        for (size_t r = 0; r < rows; r++) {
            float *row = p->value + r * columns + c0;
            for (size_t c = 0; c < width; c++)
                row[c] *= factor[c];
        }
    }
}
