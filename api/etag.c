/* ETags as headers: "0123456789abcdef", and lists of such. */
#include "api/etag.h"

#include "api/models.h"

#include <stdio.h>
#include <string.h>

#define TAG_BYTES 24

uint64_t etag_mix(uint64_t tag, const void *bytes, size_t length)
{
    return file_hash(tag, bytes, length);
}

static const char *print_tag(char *out, uint64_t tag)
{
    snprintf(out, TAG_BYTES, "\"%016llx\"", (unsigned long long)tag);
    return out;
}

/* The tag that stands next in a list, with its W/, or "*"; NULL at the end. A
 * text that is no list gives pieces that equal no tag. */
static const char *next_tag(const char **header, size_t *length)
{
    const char *tag = *header + strspn(*header, ", \t");

    if (*tag == 0)
        return NULL;
    const char *end = tag + (strncmp(tag, "W/", 2) == 0 ? 2 : 0);
    if (*end == '"') {
        end = strchr(end + 1, '"');
        end = end != NULL ? end + 1 : tag + strlen(tag);
    } else {
        end += strcspn(end, ", \t");
        end += end == tag; /* of no length: a quote alone cannot be */
    }
    *length = (size_t)(end - tag);
    *header = end;
    return tag;
}

/* Whether the list names the tag; weak ones count only where `weak` says so. */
static bool names(const char *header, uint64_t tag, bool weak)
{
    char text[TAG_BYTES];
    size_t length, wanted = strlen(print_tag(text, tag));

    for (const char *one; (one = next_tag(&header, &length)) != NULL;) {
        if (length == 1 && *one == '*')
            return true;
        if (weak && length > 2 && strncmp(one, "W/", 2) == 0) {
            one += 2;
            length -= 2;
        }
        if (length == wanted && memcmp(one, text, length) == 0)
            return true;
    }
    return false;
}

bool etag_answer(struct call *call, uint64_t tag)
{
    struct api_response *response = call->response;
    const char *known = call->request->if_none_match;
    char text[TAG_BYTES];

    api_response_header(response, "ETag", print_tag(text, tag));
    api_response_header(response, "Cache-Control", "no-cache");
    if (known == NULL || !names(known, tag, true))
        return false;
    response->status = 304;
    response->content_type = NULL;
    buf_reset(&response->body);
    response->fixed = NULL;
    response->fixed_length = 0;
    return true;
}

void etag_seal(struct call *call)
{
    const struct buf *b = &call->response->body;

    if (call->response->status == 200 && !buf_failed(b))
        etag_answer(call, etag_mix(ETAG_START, b->data, b->length));
}

enum err_code etag_check(const struct call *call, struct err *e)
{
    const char *wanted = call->request->if_match;
    char now[TAG_BYTES];
    uint64_t tag;

    if (wanted == NULL)
        return ERR_OK;
    enum err_code code = models_tag(call, &tag, e);
    if (code == ERR_NOT_FOUND)
        return err_set(e, ERR_STALE, "If-Match: model %s is not served",
                       call->model);
    if (code != ERR_OK)
        return code;
    if (names(wanted, tag, false))
        return ERR_OK;
    return err_set(e, ERR_STALE,
                   "If-Match: model %s is another by now, its tag is %s: GET "
                   "/v1/models/%s, look at it, and try again",
                   call->model, print_tag(now, tag), call->model);
}
