/* One registry over a folder of small model files. */
#include "tests/support/registries.h"

#include "lib/base/buf.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/model/model_file.h"
#include "tests/support/compositions.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

struct registry *registry;
char *registries_folder;
static struct buf text;

void registries_open(void)
{
    struct err e;

    log_set(LOG_ERROR, LOG_TEXT);
    registry = registry_new();
    ck_assert_ptr_nonnull(registry);
    registries_folder = tmp_folder();
    buf_init(&text, 10000);
    ck_assert_int_eq(registry_load(registry, registries_folder, &e), ERR_OK);
}

void registries_close(void)
{
    registry_free(registry);
    buf_fini(&text);
    tmp_remove(registries_folder);
}

/* ---- files ---- */

/* A model whose values depend on `content`. */
struct model *registries_model(unsigned content)
{
    struct model *m = composition_model(0);

    m->params.values[0] += (float)content / 1024;
    return m;
}

/* A whole file at folder/place. */
void registries_save(const char *place, unsigned content)
{
    struct err e;
    char path[256];
    struct model *m = registries_model(content);

    snprintf(path, sizeof path, "%s/%s", registries_folder, place);
    ck_assert_msg(file_make_folders(path, &e) == ERR_OK, "%s", e.msg);
    strncat(path, "/" MODEL_FILE_NAME, sizeof path - strlen(path) - 1);
    ck_assert_msg(model_save(m, path, &e) == ERR_OK, "%s", e.msg);
    model_free(m);
}

void registries_damage(const char *place)
{
    char path[64];

    snprintf(path, sizeof path, "%s/" MODEL_FILE_NAME, place);
    tmp_write(registries_folder, path, "12345678{}", 10);
}

/* ---- what is there ---- */

void registries_load(const char *name)
{
    struct err e;

    ck_assert_msg(registry_load_model(registry, name, &e) == ERR_OK, "%s",
                  e.msg);
}

void registries_unload(const char *name)
{
    struct err e;

    ck_assert_msg(registry_unload(registry, name, &e) == ERR_OK, "%s", e.msg);
}

const struct served *registries_acquire(const char *name, uint64_t version)
{
    struct err e;
    const struct served *s = registry_acquire(registry, name, version, &e);

    ck_assert_msg(s != NULL, "%s", e.msg);
    return s;
}

uint64_t registries_serve(const char *name)
{
    const struct served *s = registries_acquire(name, 0);
    uint64_t version = s->version;

    registry_release(registry, s);
    return version;
}

uint64_t registries_digest(const char *name, uint64_t version)
{
    const struct served *s = registries_acquire(name, version);
    uint64_t digest = s->digest;

    registry_release(registry, s);
    return digest;
}

static bool write_state(void *arg, const char *name, uint64_t version,
                        enum registry_state state, const char *why)
{
    buf_printf(arg, "%s:%d %s%s%s; ", name, (int)version,
               state == REGISTRY_READY     ? "ready"
               : state == REGISTRY_LOADING ? "loading"
                                           : "out",
               *why != 0 ? " " : "", why);
    return true;
}

const char *registries_tell(void)
{
    buf_reset(&text);
    buf_text(&text, "");
    registry_each_state(registry, write_state, &text);
    return text.length > 0 ? text.data : "";
}

static bool count_failure(void *arg, const char *name, uint64_t version,
                          const char *why)
{
    (void)name;
    (void)version;
    (void)why;
    ++*(int *)arg;
    return true;
}

int registries_failures(void)
{
    int n = 0;

    registry_each_failure(registry, count_failure, &n);
    return n;
}
