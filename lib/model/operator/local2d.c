/* local2d: a sheet of units over a picture, each of which sees its own field by
 * weights of its own; none are shared, unless they repeat with a period over
 * the sheet, so that a large sheet stays small in memory (Gregor & LeCun 2010,
 * "Emergence of complex-like cells in a temporal product network with local
 * receptive fields").
 *
 * The code is (1,rows,columns). share x share neighbours have the same field;
 * the next field begins `stride` pixels on. The sums are in lib/math/fields.h,
 * where taps in the padding see 0, so they neither matter nor learn.
 */
#include "lib/math/fields.h"
#include "lib/math/kernels.h"
#include "lib/model/model.h"
#include "lib/model/operator/fields_emit.h"
#include "lib/model/operator/operator.h"

#include <stdio.h>
#include <string.h>

enum { MAX_KERNEL = 64, MAX_SHARE = 8, MAX_PERIOD = 4096 };

/* ---- settings ---- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* A member that is one number for both axes, or [vertical, horizontal]. */
static enum err_code get_pair(const struct json *layer, const char *where,
                              const char *key, size_t most, size_t pair[2],
                              struct err *e)
{
    const struct json *j = json_get(layer, key);
    if (!json_is_array(j)) {
        if (json_get_size(layer, where, key, 1, most, &pair[0], e))
            return e->code;
        if (j)
            pair[1] = pair[0];
        return ERR_OK;
    }
    for (size_t i = 0; i < 2; i++) {
        const struct json *side = json_at(j, i);
        double value = json_is_number(side) ? json_number(side) : 0;
        if (json_count(j) != 2 || !(value >= 1) || value > (double)most ||
            value != (double)(size_t)value)
            return err_set(e, ERR_INVALID,
                           "%s.%s: must be a whole number from 1 to %zu, or "
                           "two: [vertical, horizontal]",
                           where, key, most);
        pair[i] = (size_t)value;
    }
    return ERR_OK;
}

/* The sheet of this field over a picture; ERR_SHAPE with both if it does not
 * fit, ERR_TOO_LARGE over the units that a layer may have. */
static enum err_code set_size(struct fields *f, const struct space *in,
                              const char *where, struct err *e)
{
    char text[SPACE_TEXT];
    f->channels = in->channels;
    f->height = in->height;
    f->width = in->width;
    if (!fields_set_size(f))
        return err_set(e, ERR_SHAPE,
                       "%s: field %zux%zu with padding %zu does not fit its "
                       "input %s",
                       where, f->kernel_height, f->kernel_width, f->padding,
                       space_text(text, in));
    if (f->columns > MODEL_MAX_UNITS / f->rows)
        return err_set(e, ERR_TOO_LARGE,
                       "%s: a sheet of %zux%zu units, at most %zu in all",
                       where, f->rows, f->columns, MODEL_MAX_UNITS);
    return ERR_OK;
}

static enum err_code shape(struct operator_shape *out, const struct space *in,
                           const struct json *layer, const char *where,
                           struct err *e)
{
    struct fields f = {.sheets = 1, .stride = 1, .share = 1};
    size_t kernel[2] = {0}, period[2] = {MODEL_MAX_UNITS, MODEL_MAX_UNITS};
    if (get_pair(layer, where, "kernel", MAX_KERNEL, kernel, e))
        return e->code;
    if (kernel[0] == 0)
        return err_set(e, ERR_INVALID, "%s.kernel: missing", where);
    size_t side = least(kernel[0], kernel[1]);
    if (json_get_size(layer, where, "stride", 1, side, &f.stride, e) ||
        json_get_size(layer, where, "padding", 0, side - 1, &f.padding, e) ||
        json_get_size(layer, where, "share", 1, MAX_SHARE, &f.share, e) ||
        get_pair(layer, where, "period", MAX_PERIOD, period, e))
        return e->code;
    f.kernel_height = kernel[0];
    f.kernel_width = kernel[1];
    if (set_size(&f, in, where, e))
        return e->code;
    *out = (struct operator_shape){
        .code = {.channels = 1, .height = f.rows, .width = f.columns},
        .cell = {.channels = 1,
                 .height = least(period[0], f.rows),
                 .width = least(period[1], f.columns)},
        .field = {.height = f.kernel_height,
                  .width = f.kernel_width,
                  .stride = f.stride,
                  .padding = f.padding,
                  .share = f.share}};
    return ERR_OK;
}

/* ---- the operator as fields ---- */

static const struct space *picture_of(const struct operator *op)
{
    return op->role == OPERATOR_DECODES ? &op->out : &op->in;
}

static const struct space *sheet_of(const struct operator *op)
{
    return op->role == OPERATOR_DECODES ? &op->in : &op->out;
}

static struct fields fields_of(const struct operator *op)
{
    const struct space *picture = picture_of(op), *sheet = sheet_of(op);
    const struct operator_shape *s = &op->shape;
    return (struct fields){.channels = picture->channels,
                           .height = picture->height,
                           .width = picture->width,
                           .sheets = sheet->channels,
                           .rows = sheet->height,
                           .columns = sheet->width,
                           .cell_rows = s->cell.height,
                           .cell_columns = s->cell.width,
                           .kernel_height = s->field.height,
                           .kernel_width = s->field.width,
                           .stride = s->field.stride,
                           .padding = s->field.padding,
                           .share = s->field.share};
}

static enum err_code declare(struct operator *op, struct params *params,
                             const char *name, struct err *e)
{
    struct fields f = fields_of(op);
    size_t units = f.sheets * f.cell_rows * f.cell_columns;
    enum param_axis rows =
        units == space_size(&op->shape.code) ? AXIS_CODE : AXIS_FIXED;
    op->weight = params_add(
        params, name, 4,
        (size_t[]){units, f.channels, f.kernel_height, f.kernel_width},
        (enum param_axis[]){rows, AXIS_FIXED, AXIS_FIXED, AXIS_FIXED}, e);
    return op->weight ? ERR_OK : e->code;
}

/* All weights of a unit are one row, whichever way the operator goes. */
static void limit(struct operator *op, enum operator_side side, float bound)
{
    (void)side;
    op->weight->bound = bound;
    op->weight->project = param_limit_rows;
}

static struct box view(const struct operator *op, size_t unit)
{
    const struct field *field = &op->shape.field;
    const struct space *sheet = &op->shape.code, *picture = picture_of(op);
    size_t y = unit / sheet->width % sheet->height, x = unit % sheet->width;
    size_t top = y / field->share * field->stride;
    size_t left = x / field->share * field->stride;
    size_t bottom =
        least(top + field->height, field->padding + picture->height);
    size_t right = least(left + field->width, field->padding + picture->width);
    top = top > field->padding ? top : field->padding;
    left = left > field->padding ? left : field->padding;
    return (struct box){.top = top - field->padding,
                        .left = left - field->padding,
                        .height = bottom - top,
                        .width = right - left};
}

/* ---- starting values ---- */

/* Where in a unit's weights its view lies. */
struct crop {
    struct box view;
    size_t tap; /* of a channel's first weight inside the picture */
};

static struct crop crop_of(const struct operator *op, size_t unit)
{
    const struct field *field = &op->shape.field;
    const struct space *sheet = &op->shape.code;
    struct crop c = {.view = view(op, unit)};
    size_t y = unit / sheet->width % sheet->height, x = unit % sheet->width;
    size_t i = c.view.top + field->padding - y / field->share * field->stride;
    size_t j = c.view.left + field->padding - x / field->share * field->stride;
    c.tap = i * field->width + j;
    return c;
}

static void norm_1(float *w, size_t taps)
{
    double norm = vec_norm(w, taps);
    vec_scale(w, norm > 0 ? (float)(1 / norm) : 0.0f, taps);
}

/* w (taps) += factor times what the unit sees of a picture; of random pixels
 * where there is none. */
static void add_view(const struct operator *op, const struct crop *c, float *w,
                     const float *picture, struct rng *rng, float factor)
{
    struct fields f = fields_of(op);
    const struct box *v = &c->view;
    for (size_t channel = 0; channel < f.channels; channel++)
        for (size_t i = 0; i < v->height; i++)
            for (size_t j = 0; j < v->width; j++) {
                size_t tap = (channel * f.kernel_height + i) * f.kernel_width;
                size_t pixel = (channel * f.height + v->top + i) * f.width;
                w[c->tap + tap + j] +=
                    factor * (picture ? picture[pixel + v->left + j]
                                      : rng_uniform(rng, -1, 1));
            }
}

/* The size of what the unit sees of a picture, or 0 for too little. */
static double view_norm(const struct operator *op, const struct crop *c,
                        const float *picture)
{
    struct fields f = fields_of(op);
    const struct box *v = &c->view;
    double sum = 0;
    for (size_t channel = 0; channel < f.channels; channel++)
        for (size_t i = 0; i < v->height; i++) {
            double n = vec_norm(
                picture + (channel * f.height + v->top + i) * f.width + v->left,
                v->width);
            sum += n * n;
        }
    return sum > 1e-24 ? __builtin_sqrt(sum) : 0;
}

/* A unit that stands for others leans to what the one in the middle sees, as a
 * crop of norm 1: crops of a picture differ in size more than pictures do. */
static void start(struct operator *op, struct rng *rng, const float *samples,
                  size_t n_samples, float lean)
{
    size_t pixels = space_size(picture_of(op));
    size_t taps = op->weight->count / op->weight->dims[0];
    struct space cell = op->shape.cell;
    memset(op->weight->value, 0, op->weight->count * sizeof(float));
    for (size_t k = 0; k < op->weight->dims[0]; k++) {
        float *w = op->weight->value + k * taps;
        struct crop c = crop_of(
            op, space_middle(k % space_size(&cell), &cell, &op->shape.code));
        add_view(op, &c, w, NULL, rng, 1);
        norm_1(w, taps);
        if (n_samples == 0 || lean == 0.0f)
            continue;
        const float *sample = samples + rng_below(rng, n_samples) * pixels;
        double norm = view_norm(op, &c, sample);
        if (norm > 0)
            add_view(op, &c, w, sample, rng, lean / (float)norm);
        norm_1(w, taps);
    }
}

/* Both lie in memory alike, so the adjoint is a copy. */
static void start_adjoint(struct operator *op, const struct operator *other,
                          float scale)
{
    memset(op->weight->value, 0, op->weight->count * sizeof(float));
    vec_add(op->weight->value, other->weight->value, scale,
            other->weight->count);
}

/* ---- running ---- */

static void apply(const struct operator *op, float *y, const float *base,
                  const float *x, size_t B, struct arena *scratch)
{
    struct fields f = fields_of(op);
    vec_start(y, base, B * space_size(&op->out));
    if (op->role == OPERATOR_DECODES)
        fields_pictures(&f, y, x, op->weight->value, B, scratch);
    else
        fields_sheet(&f, y, x, op->weight->value, B, scratch);
}

static void adjoint(const struct operator *op, float *dx, const float *dy,
                    size_t B, struct arena *scratch)
{
    struct fields f = fields_of(op);
    if (op->role == OPERATOR_DECODES)
        fields_sheet(&f, dx, dy, op->weight->value, B, scratch);
    else
        fields_pictures(&f, dx, dy, op->weight->value, B, scratch);
}

static void gradient(const struct operator *op, float *dw, const float *dy,
                     const float *x, size_t B, struct arena *scratch)
{
    struct fields f = fields_of(op);
    if (op->role == OPERATOR_DECODES)
        fields_gradient(&f, dw, x, dy, B, scratch);
    else
        fields_gradient(&f, dw, dy, x, B, scratch);
}

static int emit(const struct operator *op, struct graph *g, int x)
{
    const struct fields f = fields_of(op);
    return fields_emit(&f, op->weight, g, x, op->role == OPERATOR_DECODES);
}

static size_t scratch_bytes(const struct operator *op, size_t B)
{
    struct fields f = fields_of(op);
    return fields_scratch(&f, B);
}

const struct operator_kind operator_local2d = {
    .name = "local2d",
    .help = "a sheet of units, each with a field and weights of its own",
    .settings = (const char *const[]){"kernel", "stride", "padding", "share",
                                      "period", NULL},
    .shape = shape,
    .declare = declare,
    .limit = limit,
    .start = start,
    .start_adjoint = start_adjoint,
    .apply = apply,
    .adjoint = adjoint,
    .gradient = gradient,
    .view = view,
    .emit = emit,
    .scratch_bytes = scratch_bytes,
};
