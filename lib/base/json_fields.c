/* Members of JSON objects with a type and limits: what recipes, requests and
 * model files are read with. Each message names the member by its path.
 */
#include "lib/base/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* 2^53 - 1: above, a double no longer says which integer was meant. */
#define LARGEST_INTEGER ((size_t)9007199254740991)

static enum err_code refuse_member(const char *where, const char *key,
                                   const char *what, struct err *e)
{
    return err_set(e, ERR_INVALID, "%s%s%s: %s", where,
                   where[0] != 0 ? "." : "", key, what);
}

enum err_code json_get_number(const struct json *j, const char *where,
                              const char *key, double min, double max,
                              double *out, struct err *e)
{
    const struct json *member = json_get(j, key);
    char want[128];

    if (member == NULL)
        return ERR_OK;
    if (!json_is_number(member))
        return refuse_member(where, key, "want a number", e);
    double value = json_number(member);
    if (!(value >= min && value <= max)) {
        snprintf(want, sizeof want, "want %.9g to %.9g, got %.9g", min, max,
                 value);
        return refuse_member(where, key, want, e);
    }
    *out = value;
    return ERR_OK;
}

enum err_code json_get_size(const struct json *j, const char *where,
                            const char *key, size_t min, size_t max,
                            size_t *out, struct err *e)
{
    const struct json *member = json_get(j, key);
    char want[128];

    if (member == NULL)
        return ERR_OK;
    if (!json_is_number(member))
        return refuse_member(where, key, "want a whole number", e);
    double value = json_number(member);
    if (max > LARGEST_INTEGER)
        max = LARGEST_INTEGER;
    if (value < (double)min || value > (double)max || value != floor(value)) {
        snprintf(want, sizeof want, "want a whole number %zu to %zu, got %.17g",
                 min, max, value);
        return refuse_member(where, key, want, e);
    }
    *out = (size_t)value;
    return ERR_OK;
}

enum err_code json_get_bool(const struct json *j, const char *where,
                            const char *key, bool *out, struct err *e)
{
    const struct json *member = json_get(j, key);

    if (member == NULL)
        return ERR_OK;
    if (!json_is_bool(member))
        return refuse_member(where, key, "want true or false", e);
    *out = json_bool(member);
    return ERR_OK;
}

enum err_code json_get_text(const struct json *j, const char *where,
                            const char *key, const char **out, struct err *e)
{
    const struct json *member = json_get(j, key);

    if (member == NULL)
        return ERR_OK;
    if (!json_is_text(member))
        return refuse_member(where, key, "want a text", e);
    *out = json_text(member);
    return ERR_OK;
}

static bool is_known(const char *key, const char *const *known)
{
    for (; *known != NULL; known++) {
        if (strcmp(key, *known) == 0)
            return true;
    }
    return false;
}

enum err_code json_only(const struct json *j, const char *where,
                        const char *const *known, struct err *e)
{
    struct buf list;

    if (!json_is_object(j))
        return err_set(e, ERR_INVALID, "%s: want an object",
                       where[0] != 0 ? where : "JSON");
    const struct json *member = json_first(j);
    while (member != NULL && is_known(json_key(member), known))
        member = json_next(member);
    if (member == NULL)
        return ERR_OK;
    buf_init(&list, sizeof e->msg);
    for (size_t i = 0; known[i] != NULL; i++)
        buf_printf(&list, "%s%s", i > 0 ? ", " : "", known[i]);
    err_set(e, ERR_INVALID, "%s%s%.60s: unknown member; known are %s", where,
            where[0] != 0 ? "." : "", json_key(member),
            list.data != NULL ? list.data : "none");
    buf_fini(&list);
    return e->code;
}
