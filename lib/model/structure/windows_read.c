/* Windows from settings, and their weights. */
#include "lib/base/mem.h"
#include "lib/model/structure/windows.h"

#include <math.h>

/* A corner's weight, told from what it would be if all were alike. */
static const double lightest = 1e-6;

/* A member that is one number for both ways, or [rows, columns]. */
static enum err_code read_pair(const struct json *j, const char *where,
                               const char *key, size_t out[2], struct err *e)
{
    const struct json *pair = json_get(j, key);
    if (!json_is_array(pair)) {
        if (json_get_size(j, where, key, 1, WINDOWS_MAX_SIDE, &out[0], e))
            return e->code;
        out[1] = out[0];
        return ERR_OK;
    }
    for (size_t i = 0; i < 2; i++) {
        const struct json *side = json_at(pair, i);
        double value = json_is_number(side) ? json_number(side) : 0;
        if (json_count(pair) != 2 || value != floor(value) ||
            !(value >= 1 && value <= WINDOWS_MAX_SIDE))
            return err_set(e, ERR_INVALID,
                           "%s.%s: must be a whole number from 1 to %d, or "
                           "two of them, for rows and columns",
                           where, key, WINDOWS_MAX_SIDE);
        out[i] = (size_t)value;
    }
    return ERR_OK;
}

enum err_code windows_read(struct windows_settings *out,
                           const struct json *window, const char *where,
                           struct err *e)
{
    static const char *const known[] = {"size", "stride",      "sigma",
                                        "maps", "maps_stride", NULL};
    *out = (struct windows_settings){
        .size = {1, 1}, .stride = {1, 1}, .maps = 1, .maps_stride = 1};
    if (!json_is_object(window))
        return err_set(e, ERR_INVALID, "%s: must be an object", where);
    if (json_only(window, where, known, e) ||
        read_pair(window, where, "size", out->size, e) ||
        read_pair(window, where, "stride", out->stride, e) ||
        json_get_number(window, where, "sigma", 0, 1e6, &out->sigma, e) ||
        json_get_size(window, where, "maps", 1, WINDOWS_MAX_SIDE, &out->maps,
                      e) ||
        json_get_size(window, where, "maps_stride", 1, WINDOWS_MAX_SIDE,
                      &out->maps_stride, e))
        return e->code;
    if (out->stride[0] > out->size[0] || out->stride[1] > out->size[1])
        return err_set(e, ERR_INVALID,
                       "%s.stride: %zux%zu is more than the size %zux%zu, so "
                       "that units would be in no window",
                       where, out->stride[0], out->stride[1], out->size[0],
                       out->size[1]);
    if (out->maps_stride > out->maps)
        return err_set(e, ERR_INVALID,
                       "%s.maps_stride: %zu is more than the %zu maps of a "
                       "window, so that maps would be in no window",
                       where, out->maps_stride, out->maps);
    return ERR_OK;
}

bool windows_apart(const struct windows_settings *s)
{
    return s->sigma == 0 && s->stride[0] == s->size[0] &&
           s->stride[1] == s->size[1] && s->maps_stride == s->maps;
}

/* ---- weights ---- */

static double bell(size_t i, size_t size, double sigma)
{
    double x = (double)i - ((double)size - 1) / 2;
    return sigma > 0 ? exp(-x * x / (2 * sigma * sigma)) : 1;
}

static double bell_sum(size_t size, double sigma)
{
    double sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += bell(i, size, sigma);
    return sum;
}

/* The first unit's weight beside the mean. */
static double edge(size_t size, double sigma)
{
    return bell(0, size, sigma) * (double)size / bell_sum(size, sigma);
}

/* Windows that start within the axis; those that reach over its end go on at
 * its start, or lose what lies there. */
static enum err_code init_axis(struct windows_axis *a, size_t units,
                               size_t size, size_t stride, bool ring,
                               double sigma, struct err *e)
{
    size_t starts = ring ? units : units - size + stride;
    *a = (struct windows_axis){.units = units,
                               .windows = (starts + stride - 1) / stride,
                               .size = size,
                               .stride = stride,
                               .weights = mem_array(size, sizeof(float)),
                               .inverse = mem_array(units, sizeof(float))};
    if (!a->weights || !a->inverse)
        return err_set(e, ERR_NO_MEMORY, "windows over %zu units", units);
    double sum = bell_sum(size, sigma);
    for (size_t i = 0; i < size; i++)
        a->weights[i] = (float)(bell(i, size, sigma) / sum);
    for (size_t k = 0; k < a->windows; k++)
        for (size_t i = 0; i < size; i++) {
            size_t unit = k * stride + i;
            if (unit < units || ring)
                a->inverse[unit % units] += a->weights[i];
        }
    for (size_t i = 0; i < units; i++)
        a->inverse[i] = 1.0f / a->inverse[i];
    return ERR_OK;
}

static enum err_code check_fit(const struct windows_settings *s,
                               const struct space *code, const char *where,
                               struct err *e)
{
    char text[SPACE_TEXT];
    space_text(text, code);
    if (s->size[0] > code->height || s->size[1] > code->width)
        return err_set(e, ERR_SHAPE,
                       "%s.size: windows of %zux%zu do not fit the code %s, of "
                       "%zu rows and %zu columns",
                       where, s->size[0], s->size[1], text, code->height,
                       code->width);
    if (s->maps > code->channels)
        return err_set(e, ERR_SHAPE,
                       "%s.maps: windows of %zu maps do not fit the code %s, "
                       "of %zu maps",
                       where, s->maps, text, code->channels);
    if (s->maps_stride == s->maps && code->channels % s->maps != 0)
        return err_set(e, ERR_SHAPE,
                       "%s.maps_stride: windows of %zu maps, one beside the "
                       "other, do not divide the ring of %zu",
                       where, s->maps, code->channels);
    if (edge(s->size[0], s->sigma) * edge(s->size[1], s->sigma) < lightest)
        return err_set(e, ERR_INVALID,
                       "%s.sigma: %.6g is too narrow for a window of %zux%zu, "
                       "in whose corners nothing is left",
                       where, s->sigma, s->size[0], s->size[1]);
    return ERR_OK;
}

enum err_code windows_init(struct windows *w, const struct windows_settings *s,
                           const struct space *code, const char *where,
                           struct err *e)
{
    if (check_fit(s, code, where, e) ||
        init_axis(&w->maps, code->channels, s->maps, s->maps_stride, true, 0,
                  e) ||
        init_axis(&w->rows, code->height, s->size[0], s->stride[0], false,
                  s->sigma, e) ||
        init_axis(&w->columns, code->width, s->size[1], s->stride[1], false,
                  s->sigma, e))
        return e->code;
    return ERR_OK;
}

void windows_fini(struct windows *w)
{
    struct windows_axis *axes[] = {&w->maps, &w->rows, &w->columns};
    for (size_t i = 0; i < 3; i++) {
        mem_free(axes[i]->weights);
        mem_free(axes[i]->inverse);
        *axes[i] = (struct windows_axis){0};
    }
}
