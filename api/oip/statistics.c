/* The statistics extension of the Open Inference Protocol, from what each
 * served version counts of its use. Parsing is its compute_input, printing its
 * compute_output; there is no cache.
 */
#include "api/etag.h"
#include "api/handlers.h"
#include "api/versions.h"

#include <string.h>

static void print_sum(struct buf *b, const char *name,
                      const struct usage_sum *sum)
{
    uint64_t count = 0, ns = 0;

    if (sum != NULL) {
        count = atomic_load_explicit(&sum->count, memory_order_relaxed);
        ns = atomic_load_explicit(&sum->ns, memory_order_relaxed);
    }
    buf_printf(b, "\"%s\":{\"count\":%llu,\"ns\":%llu}", name,
               (unsigned long long)count, (unsigned long long)ns);
}

static void print_uint(struct buf *b, const char *name, uint64_t value)
{
    buf_printf(b, "\"%s\":%llu,", name, (unsigned long long)value);
}

static void print_inferences(struct buf *b, const struct usage *u)
{
    const struct {
        const char *name;
        const struct usage_sum *sum;
    } sums[] = {
        {"success", &u->succeeded},
        {"fail", &u->failed},
        {"queue", &u->stages[STAGE_QUEUE]},
        {"compute_input", &u->stages[STAGE_PARSE]},
        {"compute_infer", &u->stages[STAGE_COMPUTE]},
        {"compute_output", &u->stages[STAGE_PRINT]},
        {"cache_hit", NULL},
        {"cache_miss", NULL},
    };

    buf_text(b, "\"inference_stats\":{");
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
        if (i > 0)
            buf_char(b, ',');
        print_sum(b, sums[i].name, sums[i].sum);
    }
    buf_text(b, "},");
}

static void print_batches(struct buf *b, const struct usage *u)
{
    const char *before = "";

    buf_text(b, "\"batch_stats\":[");
    for (size_t i = 0; i < USAGE_BATCHES; i++) {
        const struct usage_batch *batch = &u->batches[i];
        uint64_t size = atomic_load(&batch->size);
        if (size == 0)
            continue;
        buf_printf(b, "%s{", before);
        print_uint(b, "batch_size", size);
        print_sum(b, "compute_input", &batch->stages[STAGE_PARSE]);
        buf_char(b, ',');
        print_sum(b, "compute_infer", &batch->stages[STAGE_COMPUTE]);
        buf_char(b, ',');
        print_sum(b, "compute_output", &batch->stages[STAGE_PRINT]);
        buf_char(b, '}');
        before = ",";
    }
    buf_text(b, "],");
}

static void print_version(struct buf *b, const struct served *s)
{
    const struct usage *u = s->usage;
    const struct model *m = s->model;
    size_t bytes =
        m->params.total * sizeof(float) + m->rehearsal.n * m->rehearsal.size;

    buf_text(b, "{\"name\":");
    buf_json_text(b, s->name);
    buf_printf(b, ",\"version\":\"%llu\",", (unsigned long long)s->version);
    print_uint(b, "last_inference", (uint64_t)atomic_load(&u->last_ms));
    print_uint(b, "inference_count", atomic_load(&u->rows));
    print_uint(b, "execution_count", atomic_load(&u->runs));
    print_inferences(b, u);
    buf_text(b, "\"response_stats\":{},");
    print_batches(b, u);
    buf_printf(b,
               "\"memory_usage\":[{\"type\":\"CPU\",\"id\":0,"
               "\"byte_size\":%zu}]}",
               bytes);
}

/* ---- which versions ---- */

struct found {
    struct arena *memory;
    struct found_version {
        struct found_version *next;
        const char *name;
        uint64_t version;
    } * first, **last;
    const char *name; /* only this one, or NULL */
    bool failed;
};

/* Collected first: the visitor runs under the registry's lock. */
static bool collect(void *arg, const char *name, uint64_t version,
                    enum registry_state state, const char *why)
{
    struct found *f = arg;

    (void)why;
    if (state != REGISTRY_READY ||
        (f->name != NULL && strcmp(f->name, name) != 0))
        return true;
    struct found_version *v = arena_take(f->memory, 1, sizeof *v);
    if (v != NULL)
        *v = (struct found_version){
            .name = arena_text(f->memory, name, strlen(name)),
            .version = version,
        };
    f->failed = v == NULL || v->name == NULL;
    if (f->failed)
        return false;
    *f->last = v;
    f->last = &v->next;
    return true;
}

static enum err_code print_found(struct call *call, const char *name,
                                 struct buf *b, struct err *e)
{
    struct registry *registry = call->api->registry;
    struct found found = {.memory = call->request->memory, .name = name};
    const char *before = "";

    found.last = &found.first;
    registry_each_state(registry, collect, &found);
    if (found.failed)
        return err_set(e, ERR_NO_MEMORY, "no memory for the statistics");
    for (const struct found_version *v = found.first; v != NULL; v = v->next) {
        struct err gone;
        const struct served *s =
            registry_acquire(registry, v->name, v->version, &gone);
        if (s == NULL)
            continue; /* taken out of service just now */
        buf_text(b, before);
        print_version(b, s);
        registry_release(registry, s);
        before = ",";
    }
    return ERR_OK;
}

enum err_code oip_statistics(struct call *call, struct err *e)
{
    struct registry *registry = call->api->registry;
    struct buf *b = api_response_json(call->response, 200);
    enum err_code code = ERR_OK;

    if (call->model[0] == 0) {
        buf_text(b, "{\"model_stats\":[");
        code = print_found(call, NULL, b, e);
        buf_text(b, "]}\n");
        return code;
    }
    const struct served *s =
        registry_acquire(registry, call->model, call->version, e);
    if (s == NULL)
        return e->code;
    buf_text(b, "{\"model_stats\":[");
    if (call->version != 0)
        print_version(b, s);
    else
        code = print_found(call, s->name, b, e);
    buf_text(b, "]}\n");
    registry_release(registry, s);
    return code;
}
