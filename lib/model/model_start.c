/* Starting values, layer after layer: each one leans on what the layers below,
 * started or trained by then, make of the samples.
 */
#include "lib/base/mem.h"
#include "lib/base/rng.h"
#include "lib/model/model.h"

#include <string.h>

/* Rows that run through the layers below at once, and what is kept of all of
 * them: a picture's code may be a hundred times the picture. */
#define CHUNK_ROWS ((size_t)64)
#define KEPT_BYTES ((size_t)64 << 20)

/* What layer 0 sees of the samples; its preprocessing starts from them. */
static float *start_preprocess(const struct model *m, const float *samples,
                               size_t n, struct arena *memory, struct err *e)
{
    size_t inputs = model_inputs(m);
    float *x = arena_take(memory, n * inputs, sizeof *x);
    float *scale = arena_take(memory, n, sizeof *scale);
    if (!x || !scale ||
        !arena_reserve(memory,
                       preprocess_scratch_bytes(&m->preprocess, n, inputs))) {
        err_set(e, ERR_NO_MEMORY, "%zu samples to start from", n);
        return NULL;
    }
    if (n > 0)
        memcpy(x, samples, n * inputs * sizeof *x);
    if (preprocess_start(&m->preprocess, x, scale, n, inputs, memory, e))
        return NULL;
    return x;
}

/* What m, all of whose layers have their values, passes up for B raw rows. */
static enum err_code pass_up(const struct model *m, float *out, const float *x,
                             size_t B, struct arena *memory, struct err *e)
{
    struct model_options options = {0};
    struct pass p;
    size_t top = m->n_layers - 1;
    bool pooled = m->layers[top].up == UP_POOLED;
    struct arena_mark mark = arena_mark(memory);
    if (model_encode(m, &p, x, B, &options, memory, e) ||
        (pooled && model_pool(m, &p, top, memory, e)))
        return e->code;
    memcpy(out, pooled ? p.layers[top].v : p.layers[top].z,
           B * space_size(layer_up_space(&m->layers[top])) * sizeof *out);
    arena_rewind(memory, mark);
    return ERR_OK;
}

/* What `layer`, which is not the lowest, sees of the samples, of as many as fit
 * (*n). */
static float *samples_below(const struct model *m, size_t layer,
                            const float *samples, size_t *n,
                            struct arena *memory, struct err *e)
{
    struct model_options options = {0};
    struct model below = model_lowest(m, layer);
    size_t size = layer_inputs(&m->layers[layer]);
    size_t most = KEPT_BYTES / (size * sizeof *samples);
    *n = *n > most ? most : *n;
    float *x = arena_take(memory, *n * size, sizeof *x);
    if (!x || !arena_reserve(memory,
                             model_pass_bytes(&below, CHUNK_ROWS, &options))) {
        err_set(e, ERR_NO_MEMORY, "codes of %zu samples to start from", *n);
        return NULL;
    }
    for (size_t at = 0; at < *n; at += CHUNK_ROWS) {
        size_t B = *n - at < CHUNK_ROWS ? *n - at : CHUNK_ROWS;
        if (pass_up(&below, x + at * size, samples + at * model_inputs(m), B,
                    memory, e))
            return NULL;
    }
    return x;
}

static enum err_code start_layer(struct model *m, size_t layer, struct rng *rng,
                                 const float *samples, size_t n,
                                 struct arena *memory, struct err *e)
{
    struct arena_mark mark = arena_mark(memory);
    const float *x = layer == 0
                         ? start_preprocess(m, samples, n, memory, e)
                         : samples_below(m, layer, samples, &n, memory, e);
    if (!x)
        return e->code;
    layer_start(&m->layers[layer], rng, x, n);
    arena_rewind(memory, mark);
    return ERR_OK;
}

/* The bounds of what layers from .. to-1 (the number of layers: the classifier)
 * started with; the others keep what training gave them, to the bit. */
static void project(struct model *m, size_t from, size_t to)
{
    for (size_t i = 0; i < m->params.n; i++) {
        struct param *p = &m->params.list[i];
        if (p->project && p->layer >= from && p->layer < to)
            p->project(p);
    }
}

enum err_code model_start_layers(struct model *m, size_t from, size_t to,
                                 uint64_t seed, const float *samples, size_t n,
                                 struct err *e)
{
    struct arena memory;
    struct rng rng = rng_make(seed, "start", from);
    enum err_code code = ERR_OK;
    arena_init(&memory, SIZE_MAX);
    for (size_t i = from; !code && i < to; i++)
        code = start_layer(m, i, &rng, samples, n, &memory, e);
    arena_fini(&memory);
    if (code)
        return code;
    if (to == m->n_layers && m->classifier.present) {
        classifier_start(&m->classifier, &rng);
        to++;
    }
    project(m, from, to);
    return ERR_OK;
}

enum err_code model_start(struct model *m, uint64_t seed, const float *samples,
                          size_t n, struct err *e)
{
    if (!m->params.values && params_allocate(&m->params, e))
        return e->code;
    return model_start_layers(m, 0, m->n_layers, seed, samples, n, e);
}
