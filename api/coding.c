/* Which coding a header means, and which replies are packed.
 *
 * Clients of the Open Inference Protocol ask for packed replies with every
 * request, but some look for Content-Encoding in those of inference only: under
 * /v2 nothing else is packed, and no error anywhere is.
 */
#include "api/coding.h"

#include "api/accept.h"
#include "api/assets.h"
#include "api/routes.h"
#include "lib/data/gzip.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* With its head, a reply up to here fits into one packet however it is sent.
 * A reply of this length takes 8 us to pack. */
#define MIN_BYTES ((size_t)1200)
/* Half a millisecond's work. */
#define SLOW_BYTES ((size_t)64 << 10)

static const struct {
    const char *name;
    enum coding coding;
} codings[] = {
    {"identity", CODING_NONE},
    {"gzip", CODING_GZIP},
    {"deflate", CODING_DEFLATE},
    {"x-gzip", CODING_GZIP}, /* RFC 9110, section 8.4.1.3 */
};

#define N_CODINGS (sizeof codings / sizeof codings[0])

static enum coding find_coding(const char *name, size_t length)
{
    for (size_t i = 0; i < N_CODINGS; i++) {
        if (strlen(codings[i].name) == length &&
            strncasecmp(codings[i].name, name, length) == 0)
            return codings[i].coding;
    }
    return CODING_UNKNOWN;
}

static const char *name_of(enum coding coding)
{
    return coding == CODING_GZIP ? "gzip" : "deflate";
}

enum coding coding_parse(const char *header)
{
    if (header == NULL || *header == 0)
        return CODING_NONE;
    return find_coding(header, strlen(header));
}

enum coding coding_choose(const char *header)
{
    enum coding chosen = CODING_NONE;
    int best = 0;

    while (header != NULL && *header != 0) {
        header += strspn(header, ", \t");
        const char *end = header + strcspn(header, ",");
        size_t length = strcspn(header, ",; \t");
        enum coding coding = find_coding(header, length);
        int weight = media_quality(header + length, end);
        if (coding != CODING_UNKNOWN && weight > best) {
            best = weight;
            chosen = coding;
        }
        header = end;
    }
    return chosen;
}

/* ---- which replies ---- */

static bool is_text(const char *type)
{
    static const char *const types[] = {
        "application/json",
        "application/octet-stream",
        "application/x-npy",
        "application/yaml",
        "application/openmetrics-text",
        "image/svg+xml",
        "text/css",
        "text/html",
        "text/javascript",
        "text/plain",
    };
    size_t length = strcspn(type, "; ");

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strlen(types[i]) == length && memcmp(types[i], type, length) == 0)
            return true;
    }
    return false;
}

static size_t length_of(const struct api_response *response)
{
    return response->fixed != NULL ? response->fixed_length
                                   : response->body.length;
}

/* Whether the reply depends on Accept-Encoding. */
static bool depends(const struct api_request *request,
                    const struct api_response *response)
{
    const char *target = request->target;
    size_t length = strlen(target);

    if (response->status != 304 &&
        (response->status != 200 || length_of(response) < MIN_BYTES))
        return false;
    if (route_family_of(target) == FAMILY_OPEN &&
        (length < 6 || strcmp(target + length - 6, "/infer") != 0))
        return false;
    if (response->content_type == NULL)
        return response->status == 304;
    return is_text(response->content_type);
}

bool coding_is_slow(const struct api_request *request,
                    const struct api_response *response)
{
    return response->fixed == NULL && response->body.length > SLOW_BYTES &&
           depends(request, response) &&
           coding_choose(request->accept_encoding) != CODING_NONE;
}

/* ---- entity tags ---- */

/* Of the reply; an empty one if it has none. */
static char *tag_of(struct api_response *response)
{
    static char none[API_VALUE_BYTES];

    for (size_t i = 0; i < response->n_headers; i++) {
        char *tag = response->headers[i].value;
        if (strcmp(response->headers[i].name, "ETag") == 0 && tag[0] == '"' &&
            tag[1] != '\0')
            return tag;
    }
    return none;
}

/* "x" becomes "x-gzip", as proxies know it from other servers. */
static void mark_tag(char *tag, enum coding coding)
{
    size_t length = strlen(tag);

    if (length > 0)
        snprintf(tag + length - 1, API_VALUE_BYTES - length + 1, "-%s\"",
                 name_of(coding));
}

/* What is not modified has the tag under which the client knows it. */
static void repeat_mark(const struct api_request *request,
                        struct api_response *response)
{
    static const enum coding forms[] = {CODING_GZIP, CODING_DEFLATE};
    const char *known = request->packed_tags;
    char *tag = tag_of(response);

    for (size_t i = 0; i < 2 && known != NULL; i++) {
        char marked[API_VALUE_BYTES];
        snprintf(marked, sizeof marked, "%s", tag);
        mark_tag(marked, forms[i]);
        if (marked[0] != '\0' && strstr(known, marked) != NULL) {
            mark_tag(tag, forms[i]);
            return;
        }
    }
}

/* A copy of the tags without suffixes, NULL if it has none, or memory is out.
 */
static const char *unmark(struct arena *memory, const char *tags)
{
    static const char *const suffixes[] = {"-gzip\"", "-deflate\""};
    char *copy = NULL;

    for (size_t i = 0; i < 2 && tags != NULL; i++) {
        size_t length = strlen(suffixes[i]) - 1;
        const char *first = strstr(tags, suffixes[i]);
        if (first != NULL && copy == NULL)
            copy = arena_text(memory, tags, strlen(tags));
        char *at = copy != NULL ? strstr(copy, suffixes[i]) : NULL;
        for (; at != NULL; at = strstr(at, suffixes[i]))
            memmove(at, at + length, strlen(at + length) + 1);
    }
    return copy;
}

void coding_unmark_tags(struct api_request *request)
{
    const char **headers[] = {&request->if_match, &request->if_none_match};

    for (size_t i = 0; i < 2; i++) {
        const char *plain = unmark(request->memory, *headers[i]);
        if (plain == NULL)
            continue;
        if (headers[i] == &request->if_none_match)
            request->packed_tags = *headers[i];
        *headers[i] = plain;
    }
}

/* ---- packing ---- */

/* False if that does not make it shorter. */
static bool pack(struct api_response *response, enum gzip_form form)
{
    const struct buf *kept =
        response->fixed != NULL ? assets_pack(response->fixed, form) : NULL;
    size_t length = length_of(response);
    struct buf packed;
    struct err e;

    if (kept != NULL && kept->length < length) {
        response->fixed = kept->data;
        response->fixed_length = kept->length;
        return true;
    }
    const void *bytes =
        response->fixed != NULL ? response->fixed : response->body.data;
    buf_init(&packed, length - 1);
    if (gzip_deflate(&packed, bytes, length, form, GZIP_QUICK, &e) != ERR_OK) {
        buf_fini(&packed);
        return false;
    }
    packed.max_bytes = response->body.max_bytes;
    buf_fini(&response->body);
    response->body = packed;
    response->fixed = NULL;
    return true;
}

bool coding_pack(const struct api_request *request,
                 struct api_response *response)
{
    if (!depends(request, response))
        return false;
    api_response_header(response, "Vary", "Accept-Encoding");
    if (response->status == 304) {
        repeat_mark(request, response);
        return false;
    }
    enum coding coding = coding_choose(request->accept_encoding);
    if (coding == CODING_NONE ||
        !pack(response, coding == CODING_GZIP ? GZIP_FORM : ZLIB_FORM))
        return false;
    api_response_header(response, "Content-Encoding", name_of(coding));
    mark_tag(tag_of(response), coding);
    return true;
}
