/* Readers for what `decode` takes: codes, dense or sparse, and one number a
 * row. Sparse rows say little about how long they will be as floats, so rows
 * are counted before there is room for them.
 */
#include "api/api.h"
#include "api/tensor_json.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Elements of the array that opens at the place. */
static size_t count_elements(struct scan s)
{
    size_t n = 0;

    if (!scan_char(&s, '[') || scan_char(&s, ']'))
        return 0;
    do {
        n++;
        scan_skip(&s);
    } while (scan_char(&s, ','));
    return n;
}

/* Checks the opening bracket, and makes room for as many rows as follow. */
static enum err_code begin(struct tensor *r, struct scan *s, struct err *e)
{
    scan_space(s);
    if (!scan_sees(s, '[')) {
        scan_refuse(s, "an array", e);
        return err_wrap(e, "%s", r->name);
    }
    size_t B = count_elements(*s);
    if (B == 0)
        return err_set(e, ERR_SHAPE, "%s: empty, want 1 to %d", r->name,
                       API_MAX_ROWS);
    if (tensor_take(r, B, e) != ERR_OK)
        return e->code;
    memset(r->data, 0, B * r->size * sizeof *r->data);
    scan_char(s, '[');
    return ERR_OK;
}

/* After element i of B: a comma, or the end. */
static enum err_code between(struct scan *s, size_t i, size_t B, struct err *e)
{
    if (scan_char(s, i + 1 < B ? ',' : ']'))
        return ERR_OK;
    return err_set(e, ERR_INVALID, "JSON: an array does not end");
}

/* ---- one row of a code ---- */

struct sparse {
    size_t size;
    uint32_t *index; /* (size) */
    float *value;    /* (size) */
    size_t n_index, n_value;
    bool *taken; /* (size), all false between rows */
};

static enum err_code read_indices(struct sparse *p, struct scan *s,
                                  struct err *e)
{
    size_t i;

    for (p->n_index = 0; p->n_index < p->size; p->n_index++) {
        scan_space(s);
        if (scan_size(s, p->size - 1, &i, e) != ERR_OK)
            return err_wrap(e, "indices[%zu]", p->n_index);
        p->index[p->n_index] = (uint32_t)i;
        if (scan_char(s, ','))
            continue;
        p->n_index++;
        return ERR_OK;
    }
    return err_set(e, ERR_SHAPE, "indices: more than the %zu units there are",
                   p->size);
}

static enum err_code read_values(struct sparse *p, struct scan *s,
                                 struct err *e)
{
    for (p->n_value = 0; p->n_value < p->size; p->n_value++) {
        scan_space(s);
        if (scan_float(s, p->value + p->n_value, e) != ERR_OK)
            return err_wrap(e, "values[%zu]", p->n_value);
        if (scan_char(s, ','))
            continue;
        p->n_value++;
        return ERR_OK;
    }
    return err_set(e, ERR_SHAPE, "values: more than the %zu units there are",
                   p->size);
}

static bool is(struct json_span key, const char *name)
{
    return key.length == strlen(name) &&
           memcmp(key.text, name, key.length) == 0;
}

/* "indices": [...] or "values": [...]; `have` gets 1 or 2. */
static enum err_code read_member(struct sparse *p, struct scan *s,
                                 unsigned *have, struct err *e)
{
    struct json_span key;

    scan_space(s);
    if (!scan_text(s, &key) || !scan_char(s, ':'))
        return err_set(e, ERR_INVALID, "JSON: a member is malformed");
    unsigned which = is(key, "indices") ? 1 : is(key, "values") ? 2 : 0;
    if (which == 0)
        return err_set(e, ERR_SHAPE,
                       "unknown member \"%.*s\": want indices and values",
                       key.length > 60 ? 60 : (int)key.length, key.text);
    if ((*have & which) != 0)
        return err_set(e, ERR_INVALID, "JSON: duplicate member");
    *have |= which;
    if (!scan_char(s, '['))
        return scan_refuse(s, "indices and values to be arrays", e);
    if (scan_char(s, ']'))
        return ERR_OK;
    enum err_code code =
        which == 1 ? read_indices(p, s, e) : read_values(p, s, e);
    if (code != ERR_OK)
        return code;
    if (!scan_char(s, ']'))
        return err_set(e, ERR_INVALID, "JSON: an array does not end");
    return ERR_OK;
}

static enum err_code scatter(struct sparse *p, float *out, struct err *e)
{
    enum err_code code = ERR_OK;
    size_t i;

    if (p->n_index != p->n_value)
        return err_set(e, ERR_SHAPE, "%zu indices and %zu values", p->n_index,
                       p->n_value);
    for (i = 0; i < p->n_index && code == ERR_OK; i++) {
        uint32_t unit = p->index[i];
        if (p->taken[unit])
            code = err_set(e, ERR_SHAPE, "index %u stands there twice",
                           (unsigned)unit);
        p->taken[unit] = true;
        out[unit] = p->value[i];
    }
    while (i-- > 0)
        p->taken[p->index[i]] = false;
    return code;
}

static enum err_code read_sparse(struct sparse *p, struct scan *s, float *out,
                                 struct err *e)
{
    unsigned have = 0;

    scan_char(s, '{');
    p->n_index = p->n_value = 0;
    if (!scan_char(s, '}')) {
        do {
            if (read_member(p, s, &have, e) != ERR_OK)
                return e->code;
        } while (scan_char(s, ','));
        if (!scan_char(s, '}'))
            return err_set(e, ERR_INVALID, "JSON: an object does not end");
    }
    if (have != 3)
        return err_set(e, ERR_SHAPE, "want both indices and values");
    return scatter(p, out, e);
}

static enum err_code read_dense(const struct sparse *p, struct scan *s,
                                float *out, struct err *e)
{
    size_t got = 0;
    float extra;

    if (!scan_char(s, '['))
        return scan_refuse(s, "an array of numbers or {\"indices\",\"values\"}",
                           e);
    if (!scan_char(s, ']')) {
        do {
            scan_space(s);
            if (got < p->size) {
                got += scan_floats(s, out + got, p->size - got);
                scan_space(s);
            }
            float *to = got < p->size ? out + got : &extra;
            if (scan_float(s, to, e) != ERR_OK)
                return err_wrap(e, "number %zu", got);
            got++;
        } while (scan_char(s, ','));
        if (!scan_char(s, ']'))
            return err_set(e, ERR_INVALID, "JSON: an array does not end");
    }
    if (got != p->size)
        return err_set(e, ERR_SHAPE, "want %zu numbers, got %zu", p->size, got);
    return ERR_OK;
}

/* ---- members ---- */

enum err_code tensor_read_codes(void *out, struct scan *s, struct err *e)
{
    struct tensor *r = out;
    struct sparse p = {.size = r->size};

    if (begin(r, s, e) != ERR_OK)
        return e->code;
    p.index = arena_take(r->memory, r->size, sizeof *p.index);
    p.value = arena_take(r->memory, r->size, sizeof *p.value);
    p.taken = arena_zeroed(r->memory, r->size, sizeof *p.taken);
    if (p.index == NULL || p.value == NULL || p.taken == NULL)
        return err_set(e, ERR_NO_MEMORY, "no memory for a code");
    for (size_t i = 0; i < r->B; i++) {
        float *row = r->data + i * r->size;
        scan_space(s);
        enum err_code code = scan_sees(s, '{') ? read_sparse(&p, s, row, e)
                                               : read_dense(&p, s, row, e);
        if (code != ERR_OK)
            return err_wrap(e, "%s[%zu]", r->name, i);
        if (between(s, i, r->B, e) != ERR_OK)
            return e->code;
    }
    return ERR_OK;
}

enum err_code tensor_read_vector(void *out, struct scan *s, struct err *e)
{
    struct tensor *r = out;

    if (begin(r, s, e) != ERR_OK)
        return e->code;
    for (size_t i = 0; i < r->B; i++) {
        scan_space(s);
        if (scan_float(s, r->data + i, e) != ERR_OK)
            return err_wrap(e, "%s[%zu]", r->name, i);
        if (between(s, i, r->B, e) != ERR_OK)
            return e->code;
    }
    return ERR_OK;
}

enum err_code tensor_read_later(void *out, struct scan *s, struct err *e)
{
    struct json_span *span = out;

    (void)e;
    span->text = s->at;
    scan_skip(s);
    span->length = (size_t)(s->at - span->text);
    return ERR_OK;
}
