/* Labels from JSON, read in place: a list of them may be longer than what is
 * parsed into nodes.
 */
#include "api/label.h"

#include "api/api.h"
#include "lib/base/utf8.h"

#include <string.h>

#define WANT "1 to 200 bytes of text, or null"
/* An escape takes up to six bytes for one. */
#define MAX_RAW_BYTES ((size_t)6 * SAMPLES_MAX_LABEL_BYTES)

_Static_assert(SAMPLES_MAX_LABEL_BYTES == 200, "WANT says so");

/* Whether the character of `step` bytes is a control character (C0, DEL, C1).
 */
static bool is_control(const char *text, size_t step)
{
    const unsigned char *c = (const unsigned char *)text;

    return (step == 1 && (c[0] < 0x20 || c[0] == 0x7F)) ||
           (step == 2 && c[0] == 0xC2 && c[1] < 0xA0);
}

enum err_code label_set(struct label *l, const char *text, size_t length,
                        struct err *e)
{
    if (length == 0 || length > SAMPLES_MAX_LABEL_BYTES)
        return err_set(e, ERR_SHAPE, "want " WANT ", got %zu bytes", length);
    for (size_t i = 0; i < length;) {
        size_t step = utf8_step(text + i, length - i);
        if (step == 0)
            return err_set(e, ERR_SHAPE, "byte %zu is not UTF-8", i);
        if (is_control(text + i, step))
            return err_set(e, ERR_SHAPE,
                           "byte %zu is a control character, which a label may "
                           "not have",
                           i);
        i += step;
    }
    l->given = true;
    memcpy(l->text, text, length);
    l->text[length] = 0;
    return ERR_OK;
}

static enum err_code set_escaped(struct label *l, struct json_span raw,
                                 struct err *e)
{
    struct json *j = json_parse(raw.text - 1, raw.length + 2, e);

    if (j == NULL)
        return e->code;
    const char *text = json_text(j);
    enum err_code code = label_set(l, text, strlen(text), e);
    json_free(j);
    return code;
}

/* Neither a text nor null: says how to write it. */
static enum err_code refuse(const struct scan *s, struct err *e)
{
    double ignored;
    size_t length = (size_t)(s->end - s->at);
    size_t digits = json_scan_number(s->at, length, &ignored);

    if (digits > 0)
        return err_set(e, ERR_SHAPE,
                       "want " WANT "; labels are texts: write \"%.*s\" with "
                       "the quotes",
                       digits > 40 ? 40 : (int)digits, s->at);
    return scan_refuse(s, WANT " (labels are texts, as \"7\" or \"cat\")", e);
}

static enum err_code read_one(struct label *l, struct scan *s, struct err *e)
{
    struct json_span raw;

    scan_space(s);
    l->given = false;
    if (s->end - s->at >= 4 && memcmp(s->at, "null", 4) == 0) {
        s->at += 4;
        return ERR_OK;
    }
    if (!scan_text(s, &raw))
        return refuse(s, e);
    if (memchr(raw.text, '\\', raw.length) == NULL ||
        raw.length > MAX_RAW_BYTES)
        return label_set(l, raw.text, raw.length, e);
    return set_escaped(l, raw, e);
}

enum err_code label_read(void *out, struct scan *s, struct err *e)
{
    if (read_one(out, s, e) != ERR_OK)
        return err_wrap(e, "label");
    return ERR_OK;
}

static enum err_code read_items(struct label_list *list, size_t room,
                                struct scan *s, struct err *e)
{
    do {
        if (list->n == room)
            return err_set(e, ERR_TOO_LARGE,
                           "labels: over %d in one request: send them in "
                           "several",
                           API_MAX_ROWS);
        if (read_one(&list->items[list->n], s, e) != ERR_OK)
            return err_wrap(e, "labels[%zu]", list->n);
        list->n++;
    } while (scan_char(s, ','));
    if (scan_char(s, ']'))
        return ERR_OK;
    return err_set(e, ERR_INVALID, "JSON: an array does not end");
}

enum err_code label_read_list(void *out, struct scan *s, struct err *e)
{
    struct label_list *list = out;

    if (!scan_char(s, '[')) {
        scan_refuse(s, "an array of texts and nulls", e);
        return err_wrap(e, "labels");
    }
    list->n = 0;
    if (scan_char(s, ']'))
        return ERR_OK;
    size_t room = (size_t)(s->end - s->at) / 3 + 1; /* "", */
    if (room > API_MAX_ROWS)
        room = API_MAX_ROWS;
    list->items = arena_take(list->memory, room, sizeof *list->items);
    if (list->items == NULL)
        return err_set(e, ERR_NO_MEMORY, "no memory for the labels");
    return read_items(list, room, s, e);
}
