/* Counts by row, and one row in a while looked at closely. */
#include "api/watch.h"

#include "lib/model/numbers.h"

#include <math.h>

#define MILLION 1e6
#define LARGEST_ERROR 1e6 /* of histograms, whose sums are whole numbers */

static size_t top_of(const struct run *r)
{
    return r->model->n_layers - 1;
}

static void add_share(struct histogram *h, double share)
{
    histogram_add(h, &usage_share, (uint64_t)(share * MILLION + 0.5));
}

static void add_active(struct run *r)
{
    size_t n = layer_units(model_top(r->model));
    const float *z = r->pass.layers[top_of(r)].z;

    for (size_t row = 0; row < r->B; row++)
        add_share(&r->served->usage->active,
                  (double)numbers_count(z + row * n, n) / (double)n);
}

static void add_confidence(struct run *r)
{
    size_t n = r->model->classifier.classes;

    for (size_t row = 0; row < r->B; row++)
        add_share(&r->served->usage->confidence,
                  (double)numbers_largest(r->pass.probabilities + row * n, n));
}

/* NAN where the row is all zeros: nothing to be wrong about. */
static void add_error(struct usage *u, float error)
{
    if (!isnan(error))
        histogram_add(&u->error, &usage_error,
                      (uint64_t)(fmin((double)error, LARGEST_ERROR) * MILLION));
}

/* Whether the request itself asked for the error that is watched. */
static bool has_errors(const struct run *r)
{
    return (r->outputs & OUTPUT_RECONSTRUCTION) != 0 && r->layer == top_of(r);
}

static void add_groups(struct usage *u, const float *v)
{
    size_t on = 0;

    for (size_t g = 0; g < u->n_groups; g++) {
        if (v[g] == 0.0f)
            continue;
        atomic_fetch_add_explicit(&u->groups[g], 1, memory_order_relaxed);
        on++;
    }
    if (u->n_groups > 0)
        add_share(&u->groups_on, (double)on / (double)u->n_groups);
    atomic_fetch_add_explicit(&u->watched, 1, memory_order_relaxed);
}

/* ---- one row ---- */

static bool is_due(struct run *r)
{
    size_t every =
        atomic_load_explicit(&r->call->api->watch_every, memory_order_relaxed);

    return r->first == 0 && every > 0 &&
           atomic_fetch_add_explicit(&r->served->usage->turns, 1,
                                     memory_order_relaxed) %
                   every ==
               0;
}

/* The pass of the block's first row: the block's own if that has no other. */
static enum err_code encode_first(const struct run *r, struct pass *one,
                                  struct err *e)
{
    const struct model_options options = {.steps = 0};

    *one = r->pass;
    if (r->B == 1)
        return ERR_OK;
    *one = (struct pass){.B = 0};
    return model_encode(r->model, one, run_inputs(r), 1, &options,
                        r->call->request->memory, e);
}

static enum err_code look_at_first(struct run *r, struct err *e)
{
    const struct model *m = r->model;
    struct arena *memory = r->call->request->memory;
    struct usage *u = r->served->usage;
    struct pass one;
    float error;

    float *drawn = arena_take(memory, model_inputs(m), sizeof *drawn);
    if (drawn == NULL)
        return err_set(e, ERR_NO_MEMORY, "no room to watch");
    if (encode_first(r, &one, e) != ERR_OK)
        return e->code;
    if (model_draws(m, top_of(r)) && !has_errors(r)) {
        if (model_reconstruct(m, &one, top_of(r), drawn, &error, memory, e) !=
            ERR_OK)
            return e->code;
        add_error(u, error);
    }
    if (one.layers[top_of(r)].v == NULL &&
        model_pool(m, &one, top_of(r), memory, e) != ERR_OK)
        return e->code;
    add_groups(u, one.layers[top_of(r)].v);
    return ERR_OK;
}

void watch_block(struct run *r)
{
    if (r->known != NULL || r->call->options.steps != 0)
        return;
    add_active(r);
    if (r->pass.probabilities != NULL)
        add_confidence(r);
    if (has_errors(r)) {
        for (size_t row = 0; row < r->B; row++)
            add_error(r->served->usage, r->relative_error[row]);
    }
    if (!is_due(r))
        return;
    struct arena *memory = r->call->request->memory;
    struct arena_mark mark = arena_mark(memory);
    struct err unused;
    (void)look_at_first(r, &unused); /* without room it is not seen */
    arena_rewind(memory, mark);
}
