/* The steps there are:
 *
 *   unit_norm   x / max(||x||, 1e-12), as the paper has it for MNIST
 *               (Rolfe & LeCun 2013, section 4)
 */
#include "lib/model/preprocess.h"

#include "lib/math/kernels.h"

#include <stdio.h>
#include <string.h>

struct preprocess_kind {
    const char *name;
    bool scales, mixes;
    /* One row x (m) in place; what it was divided by goes into *scale. */
    void (*apply)(float *x, size_t m, float *scale);
    void (*undo)(float *x, size_t m, float scale);
    int (*emit)(struct graph *g, int x, int *scale);
    int (*emit_undo)(struct graph *g, int x, int scale);
};

static void unit_norm_apply(float *x, size_t m, float *scale)
{
    double norm = vec_norm(x, m);
    *scale = (float)(norm > 1e-12 ? norm : 1e-12);
    vec_scale(x, (float)(1.0 / (double)*scale), m);
}

static void unit_norm_undo(float *x, size_t m, float scale)
{
    vec_scale(x, scale, m);
}

static int unit_norm_emit(struct graph *g, int x, int *scale)
{
    *scale = graph_guarded_norm(g, x);
    return g->apply(g, GRAPH_DIVIDE, x, *scale);
}

static int unit_norm_emit_undo(struct graph *g, int x, int scale)
{
    return g->apply(g, GRAPH_MULTIPLY, x, scale);
}

static const struct preprocess_kind kinds[] = {
    {"unit_norm", true, false, unit_norm_apply, unit_norm_undo, unit_norm_emit,
     unit_norm_emit_undo},
};

static const struct preprocess_kind *find(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

static enum err_code add_step(struct preprocess *p, const struct json *j,
                              const char *where, struct err *e)
{
    static const char *const members[] = {"op", NULL};
    const char *name = "";
    if (json_only(j, where, members, e) ||
        json_get_text(j, where, "op", &name, e))
        return e->code;
    const struct preprocess_kind *kind = find(name);
    if (!kind)
        return err_set(e, ERR_INVALID, "%s.op: there is no \"%s\"", where,
                       name);
    for (size_t i = 0; i < p->n; i++)
        if (kind->scales && p->steps[i].kind->scales)
            return err_set(e, ERR_INVALID, "%s.op: rows are scaled already",
                           where);
    p->steps[p->n++].kind = kind;
    return ERR_OK;
}

enum err_code preprocess_configure(struct preprocess *p, const struct json *j,
                                   const struct space *in, struct err *e)
{
    (void)in;
    p->n = 0;
    if (!j)
        return ERR_OK;
    if (!json_is_array(j) || json_count(j) > PREPROCESS_MAX_STEPS)
        return err_set(e, ERR_INVALID,
                       "preprocess: must be an array of at most %d steps",
                       PREPROCESS_MAX_STEPS);
    for (const struct json *step = json_first(j); step;
         step = json_next(step)) {
        char where[32];
        snprintf(where, sizeof where, "preprocess[%zu]", p->n);
        if (add_step(p, step, where, e))
            return e->code;
    }
    return ERR_OK;
}

void preprocess_apply(const struct preprocess *p, float *x, float *scale,
                      size_t B, size_t m)
{
    for (size_t b = 0; b < B; b++) {
        scale[b] = 1.0f;
        for (size_t i = 0; i < p->n; i++)
            p->steps[i].kind->apply(x + b * m, m, &scale[b]);
    }
}

void preprocess_undo(const struct preprocess *p, float *x, const float *scale,
                     size_t B, size_t m)
{
    for (size_t b = 0; b < B; b++)
        for (size_t i = p->n; i-- > 0;)
            p->steps[i].kind->undo(x + b * m, m, scale[b]);
}

bool preprocess_scales(const struct preprocess *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->steps[i].kind->scales)
            return true;
    return false;
}

bool preprocess_mixes(const struct preprocess *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->steps[i].kind->mixes)
            return true;
    return false;
}

int preprocess_emit(const struct preprocess *p, struct graph *g, int x,
                    int *scale)
{
    *scale = GRAPH_NONE;
    for (size_t i = 0; i < p->n; i++)
        x = p->steps[i].kind->emit(g, x, scale);
    return x;
}

int preprocess_emit_undo(const struct preprocess *p, struct graph *g, int x,
                         int scale)
{
    for (size_t i = p->n; i-- > 0;)
        x = p->steps[i].kind->emit_undo(g, x, scale);
    return x;
}
