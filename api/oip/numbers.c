/* A scanner that counts its nesting instead of descending. */
#include "api/oip/numbers.h"

#include <math.h>
#include <string.h>

#define MAX_DEPTH (JSON_MAX_DEPTH - 3) /* the body, its inputs, one of them */

static enum err_code read_one(struct oip_numbers *x, struct scan *s,
                              size_t room, struct err *e)
{
    float flag;
    double value;
    bool word = scan_sees(s, 't') || scan_sees(s, 'f');
    enum err_code code =
        word ? scan_flag(s, &flag, e) : scan_number(s, &value, e);

    if (code != ERR_OK)
        return err_wrap(e, "data[%zu]", x->n);
    if (word) {
        value = (double)flag;
        x->word = x->words ? x->word : x->n;
        x->words = true;
    } else if (value != trunc(value) && !x->fractions) {
        x->fraction = x->n;
        x->fractions = true;
    }
    x->least = value < x->least ? value : x->least;
    x->most = value > x->most ? value : x->most;
    if (x->n < room)
        x->data[x->n] = (float)value;
    x->n++;
    return ERR_OK;
}

/* After a value: over what closes. True: another value follows. */
static bool read_end(struct scan *s, size_t *depth)
{
    while (*depth > 0 && scan_char(s, ']'))
        --*depth;
    return *depth > 0 && scan_char(s, ',');
}

static enum err_code read_array(struct oip_numbers *x, struct scan *s,
                                size_t room, struct err *e)
{
    size_t depth = 0;

    do {
        bool empty = false;
        scan_space(s);
        while (!empty && scan_char(s, '[')) {
            if (++depth > MAX_DEPTH)
                return err_set(e, ERR_INVALID, "data: nesting over %d levels",
                               MAX_DEPTH);
            scan_space(s);
            empty = scan_sees(s, ']');
        }
        if (!empty && read_one(x, s, room, e) != ERR_OK)
            return e->code;
    } while (read_end(s, &depth));
    return depth == 0 ? ERR_OK
                      : err_set(e, ERR_INVALID, "JSON: data does not end");
}

enum err_code oip_numbers_read(void *out, struct scan *s, struct err *e)
{
    struct oip_numbers *x = out;
    size_t room = (size_t)(s->end - s->at) / 2 + 1; /* two bytes a number */

    if (s->end - s->at >= 4 && memcmp(s->at, "null", 4) == 0) {
        s->at += 4;
        return ERR_OK;
    }
    x->present = true;
    if (!scan_sees(s, '[')) {
        scan_refuse(s, "an array of numbers", e);
        return err_wrap(e, "data");
    }
    room = room < x->max ? room : x->max;
    x->data = arena_take(x->memory, room, sizeof *x->data);
    if (x->data == NULL)
        return err_set(e, ERR_TOO_LARGE,
                       "data: over the %zu bytes that a request may use: send "
                       "fewer rows",
                       x->memory->max_bytes);
    return read_array(x, s, room, e);
}

enum err_code oip_numbers_check(const struct oip_numbers *x,
                                const struct oip_datatype *type, struct err *e)
{
    if (!oip_datatype_in_json(type))
        return err_set(e, ERR_INVALID,
                       "data: %s cannot stand in JSON: send it as binary data, "
                       "or as FP32",
                       type->name);
    if (x->words && type->kind != NPY_BOOL)
        return err_set(e, ERR_INVALID, "data[%zu]: want a number of %s",
                       x->word, type->name);
    if (!type->whole)
        return ERR_OK;
    if (x->fractions)
        return err_set(e, ERR_INVALID, "data[%zu]: %s wants whole numbers",
                       x->fraction, type->name);
    if (x->least < type->low || x->most > type->high)
        return err_set(e, ERR_INVALID, "data: %.17g is no %s",
                       x->least < type->low ? x->least : x->most, type->name);
    return ERR_OK;
}
