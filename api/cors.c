/* The list is short and asked for by few requests: a lock around its text will
 * do, and lets it change while requests run.
 */
#include "api/cors.h"

#include "lib/base/lock.h"
#include "lib/base/mem.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MAX_LIST_BYTES ((size_t)64 << 10)
/* How long a browser need not ask again, in seconds. */
#define MAX_AGE "600"

/* What pages may send, beside what the standard always allows ... */
static const char *const known_headers[] = {
    "Authorization",    "Content-Type",
    "Content-Encoding", "Inference-Header-Content-Length",
    "Idempotency-Key",  "If-Match",
    "If-None-Match",    "Last-Event-ID",
    "Request-Timeout",  "X-Request-Id",
    "traceparent",      "tracestate",
};
/* ... and read. */
#define EXPOSED                                                                \
    "Inference-Header-Content-Length, X-Request-Id, ETag, Retry-After, "       \
    "Server-Timing, Sparsed-Model, Sparsed-Version, Location"

struct cors {
    struct lock lock;
    char *list;       /* guarded by lock; NULL: nobody */
    atomic_bool some; /* it is not empty */
};

struct cors *cors_new(struct err *e)
{
    struct cors *c = mem_array(1, sizeof *c);

    if (c == NULL) {
        err_set(e, ERR_NO_MEMORY, "no memory for the list of origins");
        return NULL;
    }
    lock_init(&c->lock);
    return c;
}

void cors_free(struct cors *c)
{
    if (c == NULL)
        return;
    lock_fini(&c->lock);
    mem_free(c->list);
    mem_free(c);
}

/* ---- the list ---- */

/* The next item of a list with commas; NULL at its end. */
static const char *next_item(const char **list, size_t *length)
{
    const char *one = *list + strspn(*list, ", \t");

    *length = strcspn(one, ", \t");
    *list = one + *length;
    return *length > 0 ? one : NULL;
}

/* scheme://host[:port] and nothing else, in lower case as browsers send it; a
 * page without an origin of its own says "null", which is nobody. */
static bool is_origin(const char *text, size_t length)
{
    static const char scheme[] = "abcdefghijklmnopqrstuvwxyz0123456789+-.";
    static const char host[] = "abcdefghijklmnopqrstuvwxyz0123456789-._:[]";
    size_t n = strspn(text, scheme);

    if (length == 1 && *text == '*')
        return true;
    if (n == 0 || length > CORS_ORIGIN_BYTES || n + 3 >= length ||
        memcmp(text + n, "://", 3) != 0)
        return false;
    return strspn(text + n + 3, host) >= length - n - 3;
}

enum err_code cors_set(struct cors *c, const char *list, struct err *e)
{
    const char *rest = list != NULL ? list : "";
    size_t bytes = strlen(rest) + 1, length;
    const char *one;

    for (const char *at = rest; (one = next_item(&at, &length)) != NULL;) {
        if (bytes > MAX_LIST_BYTES || !is_origin(one, length))
            return err_set(e, ERR_INVALID,
                           "'%.*s' is no origin: want scheme://host or "
                           "scheme://host:port in lower case, up to %d "
                           "characters, or *",
                           (int)(length < 60 ? length : 60), one,
                           CORS_ORIGIN_BYTES);
    }
    char *copy = mem_raw(bytes);
    if (copy == NULL)
        return err_set(e, ERR_NO_MEMORY, "no memory for the list of origins");
    memcpy(copy, rest, bytes);
    lock_take(&c->lock);
    mem_free(c->list);
    c->list = copy;
    atomic_store(&c->some, copy[strspn(copy, ", \t")] != 0);
    lock_drop(&c->lock);
    return ERR_OK;
}

/* "*" if anybody is allowed, the origin if it is listed, or NULL. *depends:
 * others would be told something else. */
static const char *allow(struct cors *c, const char *origin, bool *depends)
{
    const char *allowed = NULL;
    size_t length;
    const char *one;

    *depends = false;
    if (c == NULL || !atomic_load(&c->some))
        return NULL;
    *depends = true;
    lock_take(&c->lock);
    for (const char *at = c->list;
         *depends && (one = next_item(&at, &length)) != NULL;) {
        if (length == 1 && *one == '*') {
            allowed = "*";
            *depends = false;
        } else if (origin != NULL && strlen(origin) == length &&
                   memcmp(one, origin, length) == 0) {
            allowed = origin;
        }
    }
    lock_drop(&c->lock);
    return origin != NULL ? allowed : NULL;
}

bool cors_allows(struct cors *c, const char *origin)
{
    bool depends;

    return allow(c, origin, &depends) != NULL;
}

/* ---- headers ---- */

void cors_mark(struct cors *c, const struct api_request *request,
               struct api_response *response)
{
    bool depends;
    const char *allowed = allow(c, request->origin, &depends);

    if (depends)
        api_response_header(response, "Vary", "Origin");
    if (allowed == NULL)
        return;
    api_response_header(response, "Access-Control-Allow-Origin", allowed);
    api_response_header(response, "Access-Control-Expose-Headers", EXPOSED);
}

/* Whether the comma-separated list has the name. */
static bool lists(const char *list, const char *name)
{
    size_t length;
    const char *one;

    while ((one = next_item(&list, &length)) != NULL) {
        if (strlen(name) == length && strncasecmp(one, name, length) == 0)
            return true;
    }
    return false;
}

static void allow_headers(const char *asked, struct api_response *response)
{
    char text[API_VALUE_BYTES] = "";
    size_t used = 0;

    for (size_t i = 0; i < sizeof known_headers / sizeof known_headers[0];
         i++) {
        if (used < sizeof text && lists(asked, known_headers[i]))
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s",
                                     used > 0 ? ", " : "", known_headers[i]);
    }
    if (used > 0)
        api_response_header(response, "Access-Control-Allow-Headers", text);
}

void cors_preflight(struct cors *c, const struct api_request *request,
                    const char *methods, struct api_response *response)
{
    if (request->cors_method == NULL || !cors_allows(c, request->origin))
        return;
    api_response_header(response, "Access-Control-Allow-Methods", methods);
    api_response_header(response, "Access-Control-Max-Age", MAX_AGE);
    if (request->cors_headers != NULL)
        allow_headers(request->cors_headers, response);
}
