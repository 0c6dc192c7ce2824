/* The list of steps, and the simplest of them:
 *
 *   unit_norm   x / max(||x||, 1e-12), as the paper has it for MNIST
 *               (Rolfe & LeCun 2013, section 4)
 *   whiten, whiten_filter, local_contrast: preprocess_whiten.c, _filter.c,
 *               _contrast.c
 */
#include "lib/model/preprocess.h"

#include "lib/math/kernels.h"
#include "lib/model/preprocess_kind.h"

#include <stdio.h>
#include <string.h>

#define MAX_MEMBERS 8

/* ---- unit_norm ---- */

static void unit_norm_apply(const struct preprocess_step *s, float *x,
                            float *scale, size_t B, size_t m,
                            struct arena *scratch)
{
    (void)s;
    (void)scratch;
    for (size_t b = 0; b < B; b++) {
        double norm = vec_norm(x + b * m, m);
        scale[b] = (float)(norm < 1e-12 ? 1e-12 : norm);
        vec_scale(x + b * m, (float)(1.0 / (double)scale[b]), m);
    }
}

static void unit_norm_undo(const struct preprocess_step *s, float *x,
                           const float *scale, size_t B, size_t m,
                           struct arena *scratch)
{
    (void)s;
    (void)scratch;
    for (size_t b = 0; b < B; b++)
        vec_scale(x + b * m, scale[b], m);
}

static int unit_norm_emit(const struct preprocess_step *s, struct graph *g,
                          int x, int *scale)
{
    (void)s;
    *scale = graph_guarded_norm(g, x);
    return g->apply(g, GRAPH_DIVIDE, x, *scale);
}

static int unit_norm_emit_undo(const struct preprocess_step *s, struct graph *g,
                               int x, int scale)
{
    (void)s;
    return g->apply(g, GRAPH_MULTIPLY, x, scale);
}

static const struct preprocess_kind unit_norm = {
    .name = "unit_norm",
    .settings = (const char *const[]){NULL},
    .scales = true,
    .apply = unit_norm_apply,
    .undo = unit_norm_undo,
    .emit = unit_norm_emit,
    .emit_undo = unit_norm_emit_undo,
};

/* ---- the list ---- */

static const struct preprocess_kind *const kinds[] = {
    &unit_norm, &preprocess_whiten, &preprocess_filter, &preprocess_contrast};

static const struct preprocess_kind *find(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    return NULL;
}

/* "op" and the step's own settings, nothing else. */
static enum err_code check_members(const struct json *j, const char *where,
                                   const struct preprocess_kind *kind,
                                   struct err *e)
{
    const char *known[MAX_MEMBERS + 1] = {"op"};
    for (size_t i = 0; kind->settings[i] && i + 1 < MAX_MEMBERS; i++)
        known[i + 1] = kind->settings[i];
    return json_only(j, where, known, e);
}

static enum err_code add_step(struct preprocess *p, const struct json *j,
                              const char *where, const struct space *in,
                              struct params *params, struct err *e)
{
    const char *name = "";
    if (!json_is_object(j))
        return err_set(e, ERR_INVALID, "%s: must be an object", where);
    if (json_get_text(j, where, "op", &name, e))
        return e->code;
    const struct preprocess_kind *kind = find(name);
    if (!kind)
        return err_set(e, ERR_INVALID, "%s.op: there is no \"%s\"", where,
                       name);
    for (size_t i = 0; i < p->n; i++) {
        const struct preprocess_kind *before = p->steps[i].kind;
        if (kind->scales && before->scales)
            return err_set(e, ERR_INVALID, "%s.op: rows are scaled already",
                           where);
        if (kind->learns && before->learns)
            return err_set(e, ERR_INVALID, "%s.op: inputs are whitened already",
                           where);
    }
    struct preprocess_step *step = &p->steps[p->n++];
    *step = (struct preprocess_step){.kind = kind, .in = *in};
    if (check_members(j, where, kind, e) ||
        (kind->configure && kind->configure(step, j, where, params, e)))
        return e->code;
    return ERR_OK;
}

enum err_code preprocess_configure(struct preprocess *p, const struct json *j,
                                   const struct space *in,
                                   struct params *params, struct err *e)
{
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
        if (add_step(p, step, where, in, params, e))
            return e->code;
    }
    return ERR_OK;
}

/* ---- all steps, one after another ---- */

static void scale_by_one(float *scale, size_t B)
{
    for (size_t b = 0; b < B; b++)
        scale[b] = 1.0f;
}

enum err_code preprocess_start(const struct preprocess *p, float *x,
                               float *scale, size_t n, size_t m,
                               struct arena *scratch, struct err *e)
{
    scale_by_one(scale, n);
    for (size_t i = 0; i < p->n; i++) {
        const struct preprocess_step *s = &p->steps[i];
        if (s->kind->start && s->kind->start(s, x, n, m, e))
            return err_wrap(e, "preprocess[%zu]", i);
        s->kind->apply(s, x, scale, n, m, scratch);
    }
    return ERR_OK;
}

void preprocess_apply(const struct preprocess *p, float *x, float *scale,
                      size_t B, size_t m, struct arena *scratch)
{
    scale_by_one(scale, B);
    for (size_t i = 0; i < p->n; i++)
        p->steps[i].kind->apply(&p->steps[i], x, scale, B, m, scratch);
}

void preprocess_undo(const struct preprocess *p, float *x, const float *scale,
                     size_t B, size_t m, struct arena *scratch)
{
    for (size_t i = p->n; i-- > 0;)
        p->steps[i].kind->undo(&p->steps[i], x, scale, B, m, scratch);
}

size_t preprocess_scratch_bytes(const struct preprocess *p, size_t B, size_t m)
{
    size_t most = 0;
    for (size_t i = 0; i < p->n; i++) {
        const struct preprocess_kind *kind = p->steps[i].kind;
        size_t bytes = kind->scratch_bytes ? kind->scratch_bytes(B, m) : 0;
        most = bytes > most ? bytes : most;
    }
    return most;
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
        x = p->steps[i].kind->emit(&p->steps[i], g, x, scale);
    return x;
}

int preprocess_emit_undo(const struct preprocess *p, struct graph *g, int x,
                         int scale)
{
    for (size_t i = p->n; i-- > 0;)
        x = p->steps[i].kind->emit_undo(&p->steps[i], g, x, scale);
    return x;
}
