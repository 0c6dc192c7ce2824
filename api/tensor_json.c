/* Taking an object apart, and the reader of plain rows. */
#include "api/tensor_json.h"

#include "api/api.h"

#include <stdio.h>
#include <string.h>

/* ---- the object ---- */

/* The text without its tensors, while it is being gathered. */
struct rest {
    char *text;
    size_t length;
    size_t room;
};

static bool rest_add(struct rest *r, const char *from, const char *to)
{
    size_t length = (size_t)(to - from);

    if (length > r->room - r->length)
        return false;
    memcpy(r->text + r->length, from, length);
    r->length += length;
    return true;
}

/* Whether the raw key is this name; escapes are decoded, in the rare case. */
static bool key_is(struct json_span key, const char *name)
{
    if (memchr(key.text, '\\', key.length) == NULL)
        return strlen(name) == key.length &&
               memcmp(name, key.text, key.length) == 0;
    if (key.length > 6 * strlen(name)) /* an escape is six bytes */
        return false;
    struct err ignored;
    struct json *j = json_parse(key.text - 1, key.length + 2, &ignored);
    bool same = j != NULL && strcmp(json_text(j), name) == 0;
    json_free(j);
    return same;
}

static struct tensor_member *find(struct tensor_member *members, size_t n,
                                  struct json_span key)
{
    for (size_t i = 0; i < n; i++) {
        if (key_is(key, members[i].name))
            return &members[i];
    }
    return NULL;
}

/* `key` is the member where it became too much, or NULL. */
static enum err_code too_much(const struct json_span *key, struct err *e)
{
    err_set(e, ERR_SHAPE,
            "all text but the arrays of numbers may take %zu bytes, white "
            "space counted",
            TENSOR_JSON_MAX_REST);
    if (key == NULL)
        return e->code;
    return err_wrap(e, "member \"%.*s\"",
                    key->length > 60 ? 60 : (int)key->length, key->text);
}

/* At a member's key. `copied` is how far the text has gone into the rest. */
static enum err_code walk_member(struct scan *s, const char **copied,
                                 struct rest *rest,
                                 struct tensor_member *members, size_t n,
                                 struct err *e)
{
    struct json_span key;
    static const char zero[] = "0";

    scan_space(s);
    if (!scan_text(s, &key) || !scan_char(s, ':'))
        return err_set(e, ERR_INVALID, "JSON: a member is malformed");
    scan_space(s);
    struct tensor_member *member = find(members, n, key);
    if (member == NULL) {
        scan_skip(s);
        return (size_t)(s->at - *copied) <= rest->room - rest->length
                   ? ERR_OK
                   : too_much(&key, e);
    }
    if (member->seen)
        return err_set(e, ERR_INVALID, "JSON: duplicate member \"%s\"",
                       member->name);
    member->seen = true;
    if (!rest_add(rest, *copied, s->at) || !rest_add(rest, zero, zero + 1))
        return too_much(&key, e);
    if (member->read(member->out, s, e) != ERR_OK)
        return e->code;
    *copied = s->at;
    return ERR_OK;
}

/* One object, at the place; leaves the scan after it. */
static enum err_code walk(struct scan *s, struct rest *rest,
                          struct tensor_member *members, size_t n,
                          struct err *e)
{
    const char *copied = s->at;

    if (!scan_char(s, '{'))
        return scan_refuse(s, "an object", e);
    if (!scan_char(s, '}')) {
        do {
            if (walk_member(s, &copied, rest, members, n, e) != ERR_OK)
                return e->code;
        } while (scan_char(s, ','));
        if (!scan_char(s, '}'))
            return err_set(e, ERR_INVALID, "JSON: the object does not end");
    }
    return rest_add(rest, copied, s->at) ? ERR_OK : too_much(NULL, e);
}

enum err_code tensor_json_blame(const char *text, size_t length, struct err *e)
{
    struct err malformed;

    if (json_check(text, length, &malformed) != ERR_OK)
        *e = malformed;
    return e->code;
}

struct json *tensor_json_object(struct scan *s, struct tensor_member *members,
                                size_t n, struct arena *memory, struct err *e)
{
    size_t length = (size_t)(s->end - s->at);
    struct rest rest = {
        .room = length < TENSOR_JSON_MAX_REST ? length : TENSOR_JSON_MAX_REST};

    rest.room += n; /* the zeros */
    rest.text = arena_take(memory, rest.room, 1);
    if (rest.text == NULL) {
        err_set(e, ERR_NO_MEMORY, "no memory for a body of %zu bytes", length);
        return NULL;
    }
    return walk(s, &rest, members, n, e) == ERR_OK
               ? json_parse(rest.text, rest.length, e)
               : NULL;
}

struct json *tensor_json_read(const char *text, size_t length,
                              struct tensor_member *members, size_t n,
                              struct arena *memory, struct err *e)
{
    struct scan s = {text, text + length};
    struct json *object = NULL;

    scan_space(&s);
    if (scan_sees(&s, '{'))
        object = tensor_json_object(&s, members, n, memory, e);
    else
        scan_refuse(&s, "the body to be an object", e);
    scan_space(&s);
    if (object != NULL && s.at != s.end) {
        err_set(e, ERR_INVALID, "JSON: text after the value");
        json_free(object);
        object = NULL;
    }
    if (object == NULL)
        tensor_json_blame(text, length, e);
    return object;
}

/* ---- rows ---- */

struct row_reader {
    struct scan *s;
    const struct tensor *rows;
    const size_t *shape; /* of this row, as it is written */
    size_t rank;
    size_t at[4]; /* where it is: row, and index on each level */
    bool alone;   /* no array of rows is expected around it */
    float *out;
};

/* Puts "inputs[3][5]" before the message. */
static enum err_code place(const struct row_reader *r, size_t level,
                           struct err *e)
{
    char where[96];
    size_t used = (size_t)snprintf(where, sizeof where, "%s", r->rows->name);

    for (size_t i = 0; i <= level && used < sizeof where; i++)
        used += (size_t)snprintf(where + used, sizeof where - used, "[%zu]",
                                 r->at[i]);
    return err_wrap(e, "%s", where);
}

/* Numbers up to the closing bracket; those over `want` are only counted. */
static enum err_code read_numbers(struct row_reader *r, size_t level,
                                  size_t want, size_t *got, struct err *e)
{
    struct scan *s = r->s;
    float extra;
    enum err_code (*read)(struct scan *, float *, struct err *) =
        r->rows->flags ? scan_flag : scan_float;

    for (*got = 0;; ++*got) {
        scan_space(s);
        if (*got < want && !r->rows->flags) {
            *got += scan_floats(s, r->out + *got, want - *got);
            scan_space(s);
        }
        if (read(s, *got < want ? r->out + *got : &extra, e) != ERR_OK) {
            r->at[level + 1] = *got;
            return place(r, level + 1, e);
        }
        if (scan_sees(s, ',')) {
            s->at++;
            continue;
        }
        if (scan_char(s, ','))
            continue;
        ++*got;
        if (scan_char(s, ']'))
            break;
        return err_set(e, ERR_INVALID, "JSON: an array does not end");
    }
    r->out += *got < want ? *got : want;
    return ERR_OK;
}

static enum err_code read_level(struct row_reader *r, size_t level,
                                struct err *e);

static enum err_code read_arrays(struct row_reader *r, size_t level,
                                 size_t want, size_t *got, struct err *e)
{
    for (*got = 0; *got < want; ++*got) {
        r->at[level + 1] = *got;
        scan_space(r->s);
        if (!scan_sees(r->s, '[')) {
            scan_refuse(r->s, "an array", e);
            return place(r, level + 1, e);
        }
        r->s->at++;
        if (read_level(r, level + 1, e) != ERR_OK)
            return e->code;
        if (scan_char(r->s, ','))
            continue;
        ++*got;
        if (scan_char(r->s, ']'))
            return ERR_OK;
        return err_set(e, ERR_INVALID, "JSON: an array does not end");
    }
    ++*got; /* one more has begun */
    return ERR_OK;
}

/* After the opening bracket of one level of a row. */
static enum err_code read_level(struct row_reader *r, size_t level,
                                struct err *e)
{
    size_t want = r->shape[level], got = 0;
    bool numbers = level + 1 == r->rank;
    enum err_code code = ERR_OK;

    if (!scan_char(r->s, ']'))
        code = numbers ? read_numbers(r, level, want, &got, e)
                       : read_arrays(r, level, want, &got, e);
    if (code != ERR_OK)
        return code;
    if (got == want)
        return ERR_OK;
    bool bare = level == 0 && !r->alone && r->at[0] == 0 &&
                r->rank < r->rows->rank &&
                got == r->rows->shape[r->rows->rank - 1];
    err_set(e, ERR_SHAPE, "want %zu %s, got %zu%s%s", want,
            numbers ? "numbers" : "arrays", got,
            !numbers && got > want ? " or more" : "",
            bare ? ": the array of inputs around one input is missing" : "");
    return place(r, level, e);
}

/* One row at the place, flat or nested, as row B. */
static enum err_code read_row(const struct tensor *rows, struct scan *s,
                              bool alone, struct err *e)
{
    struct row_reader r = {.s = s,
                           .rows = rows,
                           .shape = &rows->size,
                           .rank = 1,
                           .at = {rows->B},
                           .alone = alone,
                           .out = rows->data + rows->B * rows->size};

    scan_space(s);
    if (!scan_sees(s, '[')) {
        scan_refuse(s,
                    alone ? "an array of numbers"
                          : "an array of numbers (one input needs the array of "
                            "inputs around it: [[...]])",
                    e);
        return place(&r, 0, e);
    }
    s->at++;
    scan_space(s);
    if (scan_sees(s, '[') && rows->rank > 1) {
        r.shape = rows->shape;
        r.rank = rows->rank;
    }
    return read_level(&r, 0, e);
}

/* {"input": row}: no other member. */
static enum err_code read_wrapped(const struct tensor *rows, struct scan *s,
                                  struct err *e)
{
    struct json_span key;

    scan_char(s, '{');
    scan_space(s);
    if (!scan_text(s, &key) || !scan_char(s, ':'))
        return err_set(e, ERR_SHAPE, "%s[%zu]: want the member \"%s\"",
                       rows->name, rows->B, rows->member);
    if (!key_is(key, rows->member))
        return err_set(e, ERR_SHAPE,
                       "%s[%zu]: want the member \"%s\", got \"%.*s\"",
                       rows->name, rows->B, rows->member,
                       key.length > 60 ? 60 : (int)key.length, key.text);
    if (read_row(rows, s, true, e) != ERR_OK)
        return e->code;
    if (scan_char(s, '}'))
        return ERR_OK;
    return err_set(e, ERR_SHAPE, "%s[%zu]: want no member but \"%s\"",
                   rows->name, rows->B, rows->member);
}

static enum err_code read_item(const struct tensor *rows, struct scan *s,
                               struct err *e)
{
    scan_space(s);
    return rows->member != NULL && scan_sees(s, '{')
               ? read_wrapped(rows, s, e)
               : read_row(rows, s, false, e);
}

/* Most rows that the rest of the text can hold: a number takes two bytes. */
static size_t room_for(const struct tensor *r, const struct scan *s)
{
    size_t room = (size_t)(s->end - s->at) / 2 / r->size + 1;

    return room < API_MAX_ROWS ? room : API_MAX_ROWS;
}

static enum err_code begin_array(const struct tensor *r, struct scan *s,
                                 struct err *e)
{
    if (scan_char(s, '['))
        return ERR_OK;
    scan_refuse(s, "an array", e);
    return err_wrap(e, "%s", r->name);
}

enum err_code tensor_read_rows(void *out, struct scan *s, struct err *e)
{
    struct tensor *r = out;

    if (begin_array(r, s, e) != ERR_OK)
        return e->code;
    if (scan_char(s, ']'))
        return err_set(e, ERR_SHAPE, "%s: empty, want 1 to %d", r->name,
                       API_MAX_ROWS);
    size_t room = room_for(r, s);
    if (tensor_take(r, room, e) != ERR_OK)
        return e->code;
    for (r->B = 0; r->B < room;) {
        if (read_item(r, s, e) != ERR_OK)
            return e->code;
        r->B++;
        if (scan_char(s, ','))
            continue;
        if (scan_char(s, ']'))
            return ERR_OK;
        return err_set(e, ERR_INVALID, "JSON: an array does not end");
    }
    return err_set(e, ERR_TOO_LARGE,
                   "%s: over %d in one request: send them in several", r->name,
                   API_MAX_ROWS);
}

enum err_code tensor_read_row(void *out, struct scan *s, struct err *e)
{
    struct tensor *r = out;

    if (read_row(r, s, true, e) == ERR_OK) {
        r->B++;
        return ERR_OK;
    }
    return e->code;
}
