/* npy: the header. numpy writes the dict literal in one form only,
 *   {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
 * so a small scanner suffices. It takes exactly these three keys, in any
 * order, once each, and nothing else of Python.
 */
#include "lib/data/npy.h"

#include <ctype.h>
#include <string.h>

#define MAX_HEADER_BYTES ((size_t)1 << 16)
#define SHOWN_CHARS 16 /* of a foreign text, in a message */
#define MAX_TEXT_SIZE ((size_t)1 << 20)

enum key { KEY_DESCR, KEY_FORTRAN_ORDER, KEY_SHAPE, KEYS };

static const char *const key_names[KEYS] = {"descr", "fortran_order", "shape"};

struct scan {
    const char *p;
    const char *end;
    bool texts; /* are taken */
};

struct text {
    const char *start;
    size_t length;
};

static void skip_space(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\t'))
        s->p++;
}

static bool take_char(struct scan *s, char c)
{
    skip_space(s);
    if (s->p == s->end || *s->p != c)
        return false;
    s->p++;
    return true;
}

static bool take_word(struct scan *s, const char *word)
{
    skip_space(s);
    size_t length = strlen(word);
    if ((size_t)(s->end - s->p) < length || memcmp(s->p, word, length) != 0)
        return false;
    s->p += length;
    return true;
}

static bool take_text(struct scan *s, struct text *out)
{
    skip_space(s);
    if (s->p == s->end || (*s->p != '\'' && *s->p != '"'))
        return false;
    char quote = *s->p++;
    const char *close = memchr(s->p, quote, (size_t)(s->end - s->p));
    if (close == NULL)
        return false;
    out->start = s->p;
    out->length = (size_t)(close - s->p);
    s->p = close + 1;
    return memchr(out->start, '\\', out->length) == NULL;
}

static bool take_size(struct scan *s, size_t *out)
{
    skip_space(s);
    if (s->p == s->end || !isdigit((unsigned char)*s->p))
        return false;
    size_t value = 0;
    for (; s->p < s->end && isdigit((unsigned char)*s->p); s->p++)
        if (__builtin_mul_overflow(value, (size_t)10, &value) ||
            __builtin_add_overflow(value, (size_t)(*s->p - '0'), &value))
            return false;
    *out = value;
    return true;
}

static enum err_code refuse_type(const struct text *t, struct err *e)
{
    return err_set(e, ERR_INVALID,
                   "element type '%.*s' is not supported: want floats f2 f4 "
                   "f8, integers i1-i8 u1-u8 or b1",
                   (int)(t->length < SHOWN_CHARS ? t->length : SHOWN_CHARS),
                   t->start);
}

/* "<U5": texts of up to 5 characters; "|S5": of up to 5 bytes. */
static bool read_text_type(struct npy *a, const struct text *t)
{
    struct scan s = {.p = t->start + 2, .end = t->start + t->length};
    size_t size;

    if (t->length < 3 || strchr("<>|=", t->start[0]) == NULL ||
        (t->start[1] != 'U' && t->start[1] != 'S') || !take_size(&s, &size) ||
        s.p != s.end || size == 0 || size > MAX_TEXT_SIZE)
        return false;
    a->kind = t->start[1] == 'U' ? NPY_TEXT : NPY_BYTES;
    a->item_bytes = t->start[1] == 'U' ? 4 * size : size;
    a->big_endian = t->start[0] == '>';
    return true;
}

static enum err_code read_type(struct npy *a, const struct text *t, bool texts,
                               struct err *e)
{
    if (t->length >= 2 && t->start[1] == 'O')
        return err_set(e, ERR_INVALID,
                       "object arrays hold pickled code and are refused: "
                       "store numbers");
    if (texts && read_text_type(a, t))
        return ERR_OK;
    if (t->length != 3 || strchr("<>|=", t->start[0]) == NULL)
        return refuse_type(t, e);
    const char *sizes;
    switch (t->start[1]) {
    case 'f':
        a->kind = NPY_FLOAT;
        sizes = "248";
        break;
    case 'i':
        a->kind = NPY_SIGNED;
        sizes = "1248";
        break;
    case 'u':
        a->kind = NPY_UNSIGNED;
        sizes = "1248";
        break;
    case 'b':
        a->kind = NPY_BOOL;
        sizes = "1";
        break;
    default:
        return refuse_type(t, e);
    }
    if (t->start[2] == '\0' || strchr(sizes, t->start[2]) == NULL)
        return refuse_type(t, e);
    a->item_bytes = (size_t)(t->start[2] - '0');
    a->big_endian = t->start[0] == '>';
    return ERR_OK;
}

static enum err_code read_descr(struct scan *s, struct npy *a, struct err *e)
{
    struct text type;
    if (!take_text(s, &type))
        return err_set(e, ERR_INVALID,
                       "descr: want a plain type such as '<f4' (structured "
                       "types are not supported)");
    return read_type(a, &type, s->texts, e);
}

static enum err_code read_fortran_order(struct scan *s, struct npy *a,
                                        struct err *e)
{
    a->fortran_order = take_word(s, "True");
    if (!a->fortran_order && !take_word(s, "False"))
        return err_set(e, ERR_INVALID, "fortran_order: want True or False");
    return ERR_OK;
}

static enum err_code read_shape(struct scan *s, struct npy *a, struct err *e)
{
    bool open = take_char(s, '(');
    bool more = open;
    a->rank = 0;
    while (more && !take_char(s, ')')) {
        if (a->rank == NPY_MAX_RANK)
            return err_set(e, ERR_INVALID, "shape: more than %d axes",
                           NPY_MAX_RANK);
        if (!take_size(s, &a->shape[a->rank]))
            return err_set(e, ERR_INVALID,
                           "shape: axis %zu is no size of 64 bits", a->rank);
        a->rank++;
        more = take_char(s, ',');
        if (!more && (a->rank == 1 || !take_char(s, ')')))
            return err_set(e, ERR_INVALID, "shape: not a tuple of sizes");
    }
    if (!open)
        return err_set(e, ERR_INVALID, "shape: not a tuple of sizes");
    return ERR_OK;
}

static enum err_code read_member(struct scan *s, struct npy *a, bool seen[KEYS],
                                 struct err *e)
{
    struct text name;
    if (!take_text(s, &name) || !take_char(s, ':'))
        return err_set(e, ERR_INVALID, "header: not a Python dict literal");
    size_t key = 0;
    while (key < KEYS && (strlen(key_names[key]) != name.length ||
                          memcmp(key_names[key], name.start, name.length)))
        key++;
    if (key == KEYS || seen[key])
        return err_set(
            e, ERR_INVALID, "header: %s key '%.*s'",
            key == KEYS ? "unknown" : "repeated",
            (int)(name.length < SHOWN_CHARS ? name.length : SHOWN_CHARS),
            name.start);
    seen[key] = true;
    if (key == KEY_DESCR)
        return read_descr(s, a, e);
    if (key == KEY_FORTRAN_ORDER)
        return read_fortran_order(s, a, e);
    return read_shape(s, a, e);
}

static enum err_code read_dict(struct scan *s, struct npy *a, struct err *e)
{
    bool seen[KEYS] = {false};
    bool open = take_char(s, '{');
    bool more = open;
    while (more && !take_char(s, '}')) {
        if (read_member(s, a, seen, e) != ERR_OK)
            return e->code;
        more = take_char(s, ',');
        if (!more && !take_char(s, '}'))
            open = false;
    }
    skip_space(s);
    if (!open || s->p != s->end)
        return err_set(e, ERR_INVALID, "header: not a Python dict literal");
    for (size_t key = 0; key < KEYS; key++)
        if (!seen[key])
            return err_set(e, ERR_INVALID, "header: key '%s' is missing",
                           key_names[key]);
    return ERR_OK;
}

static enum err_code parse(struct npy *out, const void *bytes, size_t length,
                           bool texts, struct err *e)
{
    const unsigned char *p = bytes;
    if (length < 10 || memcmp(p, "\x93NUMPY", 6) != 0)
        return err_set(e, ERR_INVALID, "not an npy file (%zu bytes)", length);
    if (p[6] < 1 || p[6] > 3 || p[7] != 0)
        return err_set(e, ERR_INVALID,
                       "npy version %d.%d is not known: want 1.0, 2.0 or 3.0",
                       p[6], p[7]);
    size_t start = p[6] == 1 ? 10 : 12;
    if (length < start)
        return err_set(e, ERR_INVALID, "the header is cut off");
    size_t size = (size_t)p[8] | (size_t)p[9] << 8;
    if (p[6] > 1)
        size |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
    if (size > MAX_HEADER_BYTES)
        return err_set(e, ERR_INVALID,
                       "the header has %zu bytes, more than %zu", size,
                       MAX_HEADER_BYTES);
    if (size > length - start)
        return err_set(e, ERR_INVALID, "the header is cut off");

    struct npy a = {.kind = NPY_FLOAT};
    struct scan s = {.p = (const char *)p + start, .texts = texts};
    s.end = s.p + size;
    if (read_dict(&s, &a, e) != ERR_OK ||
        npy_set_count(&a, length - start - size, e) != ERR_OK)
        return e->code;
    a.data = p + start + size;
    *out = a;
    return ERR_OK;
}

enum err_code npy_parse(struct npy *out, const void *bytes, size_t length,
                        struct err *e)
{
    return parse(out, bytes, length, false, e);
}

enum err_code npy_parse_any(struct npy *out, const void *bytes, size_t length,
                            struct err *e)
{
    return parse(out, bytes, length, true, e);
}
