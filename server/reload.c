/* Reload: compares row by row, by the values' texts. */
#include "server/reload.h"

#include "lib/base/log.h"
#include "lib/base/mem.h"

#include <string.h>

/* A setting is never longer than its file. */
#define MAX_VALUE_BYTES ((size_t)4 << 20)

static void log_change(const struct setting *s, const char *from,
                       const char *to)
{
    if (s->live)
        log_event(LOG_INFO, "server", "setting",
                  "name=%s from=%.500s to=%.500s", s->name, from, to);
    else
        log_event(LOG_WARN, "server", "setting-kept",
                  "name=%s why=\"needs a restart\"", s->name);
}

static void compare(const struct setting *s, const struct config *running,
                    const struct config *fresh)
{
    struct buf from, to;

    buf_init(&from, MAX_VALUE_BYTES);
    buf_init(&to, MAX_VALUE_BYTES);
    setting_print(&from, s, running);
    setting_print(&to, s, fresh);
    if (!buf_failed(&from) && !buf_failed(&to) &&
        strcmp(from.data, to.data) != 0)
        log_change(s, from.data, to.data);
    buf_fini(&from);
    buf_fini(&to);
}

struct config *reload_config(const struct config *first,
                             const struct config *running, struct err *e)
{
    struct config *fresh = mem_array(1, sizeof *fresh);

    if (fresh == NULL) {
        err_set(e, ERR_NO_MEMORY, "no memory for the settings");
        return NULL;
    }
    if (config_load(fresh, first->argc, first->argv, first->environment, e) !=
        ERR_OK) {
        reload_free(fresh);
        return NULL;
    }
    for (const struct setting *s = config_settings; s->name != NULL; s++) {
        compare(s, running, fresh);
        if (!s->live)
            setting_copy(s, fresh, first);
    }
    return fresh;
}

void reload_free(struct config *c)
{
    if (c != NULL)
        config_fini(c);
    mem_free(c);
}
