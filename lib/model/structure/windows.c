/* Groups by windows: the kind of structure. */
#include "lib/model/structure/windows.h"

#include "lib/base/mem.h"
#include "lib/model/structure/places.h"

#include <stdio.h>

static enum err_code configure(struct structure *s, const struct json *j,
                               const char *where, struct params *params,
                               struct err *e)
{
    (void)params;
    double lambda = 0;
    char inside[96];
    struct windows_settings settings;
    struct windows *w = s->own = mem_array(1, sizeof *w);
    if (!w)
        return err_set(e, ERR_NO_MEMORY, "%s", where);
    snprintf(inside, sizeof inside, "%s.window", where);
    if (json_get_number(j, where, "lambda", 0, 1e6, &lambda, e) ||
        windows_read(&settings, json_get(j, "window"), inside, e) ||
        windows_init(w, &settings, &s->code, inside, e))
        return e->code;
    s->lambda = (float)lambda;
    s->pooled = (struct space){.channels = w->maps.windows,
                               .height = w->rows.windows,
                               .width = w->columns.windows};
    return ERR_OK;
}

static void fini(struct structure *s)
{
    struct windows *w = s->own;
    if (w)
        windows_fini(w);
    mem_free(w);
    s->own = NULL;
}

static enum err_code layout(const struct structure *s, struct layout *out,
                            struct arena *memory, struct err *e)
{
    return places_on_cell(out, &s->cell, &s->code, memory, e);
}

#define MEMBERS                                                                \
    .name = "groups",                                                          \
    .help = "units pay by the window, lambda sqrt(sum w z^2)",                 \
    .settings = (const char *const[]){"lambda", "window", NULL}, .heads = 1,   \
    .shares = true, .configure = configure, .fini = fini,                      \
    .value = windows_value, .gradient = windows_gradient,                      \
    .pool = windows_pool, .pool_backward = windows_pool_backward,              \
    .unpool = windows_unpool, .emit_pool = windows_emit_pool,                  \
    .emit_unpool = windows_emit_unpool, .layout = layout

static const struct structure_kind overlapping = {MEMBERS};
static const struct structure_kind apart = {MEMBERS, .prox = windows_prox};

const struct structure_kind *windows_variant(const struct json *j)
{
    struct windows_settings settings;
    struct err e;
    return !windows_read(&settings, json_get(j, "window"), "", &e) &&
                   windows_apart(&settings)
               ? &apart
               : &overlapping;
}
