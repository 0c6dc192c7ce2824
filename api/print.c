/* Printing straight into the reply. */
#include "api/print.h"

#include <math.h>

void print_floats(struct buf *b, const float *x, size_t n)
{
    buf_char(b, '[');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_char(b, ',');
        buf_json_float(b, x[i]);
    }
    buf_char(b, ']');
}

void print_picked(struct buf *b, const float *x, size_t n,
                  const uint32_t *index, size_t count)
{
    size_t k = 0;

    buf_char(b, '[');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_char(b, ',');
        if (k < count && index[k] == i)
            buf_json_float(b, x[index[k++]]);
        else
            buf_char(b, '0');
    }
    buf_char(b, ']');
}

void print_indices(struct buf *b, const uint32_t *index, size_t count)
{
    buf_char(b, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_char(b, ',');
        buf_json_uint(b, index[i]);
    }
    buf_char(b, ']');
}

void print_sparse(struct buf *b, const float *x, const uint32_t *index,
                  size_t count)
{
    buf_text(b, "{\"indices\":");
    print_indices(b, index, count);
    buf_text(b, ",\"values\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_char(b, ',');
        buf_json_float(b, x[index[i]]);
    }
    buf_text(b, "]}");
}

void print_float_or_null(struct buf *b, float value)
{
    if (isfinite(value))
        buf_json_float(b, value);
    else
        buf_text(b, "null");
}

enum err_code print_refuse(const struct buf *b, struct err *e)
{
    if (b->length < b->max_bytes / 4)
        return err_set(e, ERR_NO_MEMORY, "no memory for the reply");
    return print_refuse_length(b, e);
}

enum err_code print_refuse_length(const struct buf *b, struct err *e)
{
    return err_set(e, ERR_TOO_LARGE,
                   "the reply would be over %zu bytes: send fewer inputs, or "
                   "ask for fewer outputs or a smaller top_k",
                   b->max_bytes);
}

void print_uint_or_null(struct buf *b, uint64_t value)
{
    if (value > 0)
        buf_json_uint(b, value);
    else
        buf_text(b, "null");
}

void print_text_or_null(struct buf *b, const char *text)
{
    if (text != NULL)
        buf_json_text(b, text);
    else
        buf_text(b, "null");
}

void print_json_or_null(struct buf *b, const struct json *j)
{
    if (j != NULL)
        json_print(b, j);
    else
        buf_text(b, "null");
}
