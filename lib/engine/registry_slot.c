/* Slots: a version, made of a model or of its file before the registry hears of
 * it. */
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/engine/registry_parts.h"
#include "lib/model/model_file.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define MAX_CONFIG_BYTES ((size_t)1 << 20)

/* By the number: FNV-1a by the byte takes as long as reading the file does. */
static uint64_t hash_values(uint64_t hash, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        hash = (hash ^ bits) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 29;
    }
    return hash;
}

static enum err_code digest(uint64_t *hash, const struct model *m,
                            struct err *e)
{
    struct buf config;

    buf_init(&config, MAX_CONFIG_BYTES);
    json_print(&config, m->config);
    bool failed = buf_failed(&config);
    if (!failed)
        *hash = file_hash(FILE_HASH_START, config.data, config.length);
    buf_fini(&config);
    if (failed)
        return err_set(e, ERR_NO_MEMORY, "no memory for a model's config");
    for (size_t i = 0; i < m->classifier.classes && m->classes != NULL; i++)
        *hash = file_hash(*hash, m->classes[i], strlen(m->classes[i]) + 1);
    *hash = hash_values(*hash, m->params.values, m->params.total);
    return ERR_OK;
}

void slot_free(struct slot *slot)
{
    if (slot == NULL)
        return;
    assert(slot->users == 0);
    usage_free(slot->served.usage);
    model_free(slot->model);
    mem_free(slot);
}

struct slot *slot_new(uint64_t version, struct model *model, struct err *e)
{
    struct slot *slot = mem_array(1, sizeof *slot);
    struct usage *usage = usage_new(layer_groups(model_top(model)));
    uint64_t hash = 0;

    assert(version > 0);
    if (slot == NULL || usage == NULL || digest(&hash, model, e) != ERR_OK) {
        err_set(e, ERR_NO_MEMORY, "no memory for a version");
        mem_free(slot);
        usage_free(usage);
        model_free(model);
        return NULL;
    }
    slot->model = model;
    slot->served = (struct served){
        .version = version,
        .model = model,
        .usage = usage,
        .digest = hash,
        .slot = slot,
    };
    return slot;
}

struct slot *slot_load(const char *name, uint64_t version, const char *path,
                       struct err *e)
{
    usec start = clock_now();
    /* Before it is read: a file that changes meanwhile is another one. */
    struct repository_stamp stamp = repository_stamp(path);
    struct model *model = model_load(path, e);

    if (model == NULL)
        return NULL;
    if (model_prepare(model, e) != ERR_OK) {
        model_free(model);
        return NULL;
    }
    struct slot *slot = slot_new(version, model, e);
    if (slot == NULL)
        return NULL;
    slot->stamp = stamp;
    log_event(LOG_INFO, "registry", "loaded",
              "model=%s version=%" PRIu64 " ms=%.1f", name, version,
              (double)(clock_now() - start) / 1000);
    return slot;
}
