/* Loading into the registry: a file becomes a model, checked and prepared,
 * before the registry hears of it.
 */
#include "lib/engine/registry.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/engine/repository.h"
#include "lib/model/model_file.h"

#include <inttypes.h>

enum err_code registry_add_file(struct registry *r, const char *name,
                                uint64_t version, const char *path,
                                struct err *e)
{
    usec start = clock_now();
    struct model *model = model_load(path, e);

    if (model == NULL)
        return e->code;
    enum err_code code = model_prepare(model, e);
    if (code != ERR_OK) {
        model_free(model);
        return code;
    }
    code = registry_add(r, name, version, model, e);
    if (code == ERR_OK)
        log_event(LOG_INFO, "registry", "loaded",
                  "model=%s version=%" PRIu64 " ms=%.1f", name, version,
                  (double)(clock_now() - start) / 1000);
    return code;
}

/* Entries come in order, so the highest version that can be loaded is the last
 * to go into service. */
static enum err_code load_one(struct registry *r, const char *folder,
                              const struct repository_entry *entry,
                              struct err *e)
{
    char path[REPOSITORY_MAX_PATH];
    enum err_code code = repository_path(path, sizeof path, folder, entry->name,
                                         entry->version, e);

    if (code == ERR_OK)
        code = registry_add_file(r, entry->name, entry->version, path, e);
    if (code == ERR_OK)
        code = registry_activate(r, entry->name, entry->version, e);
    return code;
}

/* Version 0: the model's folder. */
static enum err_code refuse_model(void *arg, const char *name,
                                  const struct err *why, struct err *e)
{
    return registry_fail(arg, name, 0, why, e);
}

enum err_code registry_load(struct registry *r, const char *folder,
                            struct err *e)
{
    struct repository_refusal refusal = {.arg = r, .call = refuse_model};
    enum err_code code = ERR_OK;
    size_t n;
    struct repository_entry *entries = repository_scan(folder, &refusal, &n, e);

    if (entries == NULL)
        return e->code;
    for (size_t i = 0; i < n && code == ERR_OK; i++) {
        struct err why;
        if (load_one(r, folder, &entries[i], &why) != ERR_OK)
            code =
                registry_fail(r, entries[i].name, entries[i].version, &why, e);
    }
    mem_free(entries);
    return code;
}
