/* Folders of tuned versions. Nothing is removed but what a job of this store
 * has made: with the wrong store, nobody's versions are lost. */
#include "lib/engine/tuned.h"

#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/data/names.h"
#include "lib/engine/repository.h"
#include "lib/model/model_file.h"
#include "lib/store/jobs.h"
#include "lib/store/versions.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MAX_JOBS 1000000

static void complain(const char *event, const struct err *e)
{
    char quoted[2 * sizeof e->msg];

    log_event(LOG_WARN, "learner", event, "why=%s",
              log_quote(quoted, sizeof quoted, e->msg));
}

static enum err_code models_folder(const struct tuned *t, char *out,
                                   size_t size, struct err *e)
{
    return file_join(out, size, t->data_dir, "models", e);
}

static enum err_code version_folder(const struct tuned *t, char *out,
                                    size_t size, const char *name,
                                    uint64_t version, struct err *e)
{
    if (repository_check_name(name, e) != ERR_OK)
        return e->code;
    int n = snprintf(out, size, "%s/models/%s/%" PRIu64, t->data_dir, name,
                     version);
    if (n < 0 || (size_t)n >= size)
        return err_set(e, ERR_TOO_LARGE, "%s: path is too long", t->data_dir);
    return ERR_OK;
}

enum err_code tuned_make_path(const struct tuned *t, char *out, size_t size,
                              const char *name, uint64_t version, struct err *e)
{
    char folder[REPOSITORY_MAX_PATH];

    if (version_folder(t, folder, sizeof folder, name, version, e) != ERR_OK ||
        file_make_folders(folder, e) != ERR_OK)
        return e->code;
    return file_join(out, size, folder, MODEL_FILE_NAME, e);
}

enum err_code tuned_path(const struct tuned *t, char *out, size_t size,
                         const char *name, uint64_t version, struct err *e)
{
    char models[REPOSITORY_MAX_PATH];

    if (models_folder(t, models, sizeof models, e) != ERR_OK)
        return e->code;
    return repository_path(out, size, models, name, version, e);
}

/* The file, and files that were to become it. */
static bool is_model_file(const char *folder, const char *name)
{
    (void)folder;
    return strncmp(name, MODEL_FILE_NAME, strlen(MODEL_FILE_NAME)) == 0;
}

static enum err_code remove_folder(const char *folder, struct err *e)
{
    char path[REPOSITORY_MAX_PATH];
    struct names names;
    enum err_code code =
        names_list(&names, folder, is_model_file, REPOSITORY_MAX_VERSIONS, e);

    if (code == ERR_NOT_FOUND)
        return ERR_OK;
    for (size_t i = 0; i < names.n && code == ERR_OK; i++) {
        code = file_join(path, sizeof path, folder, names.items[i], e);
        if (code == ERR_OK)
            code = file_remove(path, e);
    }
    names_fini(&names);
    return code == ERR_OK ? file_remove_folder(folder, e) : code;
}

void tuned_remove_files(const struct tuned *t, const char *name,
                        uint64_t version)
{
    char folder[REPOSITORY_MAX_PATH];
    struct err e;

    if (version_folder(t, folder, sizeof folder, name, version, &e) != ERR_OK ||
        remove_folder(folder, &e) != ERR_OK)
        complain("file-left", &e);
}

/* ---- listing ---- */

static bool is_model_folder(const char *folder, const char *name)
{
    char path[REPOSITORY_MAX_PATH];
    struct err unused;

    return repository_name_ok(name, strlen(name)) &&
           file_join(path, sizeof path, folder, name, &unused) == ERR_OK &&
           file_is_folder(path);
}

static bool is_version_folder(const char *folder, const char *name)
{
    (void)folder;
    return model_version_number(name) != 0;
}

/* Calls visit with every version folder of the model. */
static enum err_code each_folder(const struct tuned *t, const char *name,
                                 void (*visit)(void *arg, const char *name,
                                               uint64_t version),
                                 void *arg, struct err *e)
{
    char folder[REPOSITORY_MAX_PATH];
    char models[REPOSITORY_MAX_PATH];
    struct names names;

    if (repository_check_name(name, e) != ERR_OK ||
        models_folder(t, models, sizeof models, e) != ERR_OK ||
        file_join(folder, sizeof folder, models, name, e) != ERR_OK)
        return e->code;
    enum err_code code = names_list(&names, folder, is_version_folder,
                                    REPOSITORY_MAX_VERSIONS, e);
    for (size_t i = 0; code == ERR_OK && i < names.n; i++)
        visit(arg, name, model_version_number(names.items[i]));
    names_fini(&names);
    return code == ERR_NOT_FOUND ? ERR_OK : code;
}

static void raise_to(void *arg, const char *name, uint64_t version)
{
    uint64_t *highest = arg;

    (void)name;
    *highest = version > *highest ? version : *highest;
}

static bool raise_to_served(void *arg, uint64_t version, bool in_service)
{
    (void)in_service;
    raise_to(arg, NULL, version);
    return true;
}

uint64_t tuned_highest(const struct tuned *t, const char *name)
{
    uint64_t highest = 0;
    struct err e;

    registry_each_version(t->registry, name, raise_to_served, &highest);
    if (each_folder(t, name, raise_to, &highest, &e) != ERR_OK)
        complain("no-list", &e);
    return highest;
}

/* ---- sweeping ---- */

struct sweep {
    const struct tuned *t;
    struct database *db;
    uint64_t version; /* looked for */
    bool found;
};

static bool is_listed(void *arg, const struct stored_version *v)
{
    struct sweep *s = arg;

    s->found |= v->version == s->version;
    return !s->found;
}

static bool is_of_job(void *arg, const struct job *j)
{
    struct sweep *s = arg;

    s->found |= j->version == s->version;
    return !s->found;
}

static void sweep_version(void *arg, const char *name, uint64_t version)
{
    struct sweep *s = arg;
    struct err e;

    s->version = version;
    s->found = false;
    if (versions_each(s->db, name, is_listed, s, &e) != ERR_OK) {
        complain("no-list", &e);
        return;
    }
    if (s->found)
        return;
    if (jobs_each(s->db, name, 0, MAX_JOBS, is_of_job, s, &e) != ERR_OK) {
        complain("no-list", &e);
        return;
    }
    log_event(s->found ? LOG_INFO : LOG_WARN, "learner",
              s->found ? "swept" : "unknown-version",
              "model=%s version=%" PRIu64, name, version);
    if (s->found)
        tuned_remove_files(s->t, name, version);
}

void tuned_sweep(const struct tuned *t)
{
    char models[REPOSITORY_MAX_PATH];
    struct sweep s = {.t = t};
    struct names names = {0};
    struct err e;

    if (models_folder(t, models, sizeof models, &e) != ERR_OK ||
        !file_is_folder(models))
        return;
    s.db = store_begin_read(t->store, &e);
    if (s.db == NULL || names_list(&names, models, is_model_folder,
                                   REPOSITORY_MAX_MODELS, &e) != ERR_OK)
        complain("no-list", &e);
    for (size_t i = 0; i < names.n; i++)
        if (each_folder(t, names.items[i], sweep_version, &s, &e) != ERR_OK)
            complain("no-list", &e);
    names_fini(&names);
    if (s.db != NULL)
        store_end_read(t->store, s.db);
}
