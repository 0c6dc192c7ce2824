/* conv2d: every map is one small kernel moved over the picture, and the decoder
 * draws each map's kernel, its atom, wherever the map is on. Weights are shared
 * over the picture (Kavukcuoglu et al. 2010, section 2; LeCun's lecture, NYU
 * Deep Learning 2020, 9-1, figure 3).
 *
 * The encoder gives the maps of a picture (maps,channels,kernel); the decoder,
 * shaped alike, is the adjoint of such a product, so that atom k is its row k;
 * from code to code there is a convolution with as many maps as channels.
 */
#include "lib/base/mem.h"
#include "lib/math/convolution.h"
#include "lib/math/kernels.h"
#include "lib/model/model.h"

#include <math.h>
#include <string.h>

enum { MOST_MAPS = 65536, MOST_KERNEL = 64 };

/* ---- shapes ---- */

/* "kernel": 5, or [height, width]. */
static enum err_code read_kernel(struct convolution *c,
                                 const struct json *layer, const char *where,
                                 struct err *e)
{
    const struct json *kernel = json_get(layer, "kernel");
    size_t *sides[] = {&c->kernel_height, &c->kernel_width};
    if (!kernel)
        return err_set(e, ERR_INVALID, "%s.kernel: missing", where);
    bool pair = json_is_array(kernel) && json_count(kernel) == 2;
    for (size_t i = 0; i < 2; i++) {
        const struct json *side = pair ? json_at(kernel, i) : kernel;
        double value = json_is_number(side) ? json_number(side) : 0;
        if (!(value >= 1) || value > MOST_KERNEL || value != floor(value))
            return err_set(e, ERR_INVALID,
                           "%s.kernel: must be a whole number from 1 to %d, "
                           "or [height, width] of such",
                           where, MOST_KERNEL);
        *sides[i] = (size_t)value;
    }
    return ERR_OK;
}

static enum err_code read_settings(struct convolution *c,
                                   const struct json *layer, const char *where,
                                   struct err *e)
{
    c->stride = 1;
    if (json_get_size(layer, where, "maps", 1, MOST_MAPS, &c->maps, e) ||
        read_kernel(c, layer, where, e))
        return e->code;
    if (c->maps == 0)
        return err_set(e, ERR_INVALID, "%s.maps: missing", where);
    size_t side =
        c->kernel_height < c->kernel_width ? c->kernel_height : c->kernel_width;
    /* Larger ones would leave gaps, or maps that see nothing but zeros. */
    if (json_get_size(layer, where, "stride", 1, side, &c->stride, e) ||
        json_get_size(layer, where, "padding", 0, side - 1, &c->padding_y, e))
        return e->code;
    c->padding_x = c->padding_y;
    return ERR_OK;
}

/* With its zeros a picture may not be larger than one that a model takes. */
static enum err_code check_size(const struct convolution *c, const char *where,
                                struct err *e)
{
    size_t padded;
    if (!mem_mul(c->height + 2 * c->padding_y, c->width + 2 * c->padding_x,
                 &padded) ||
        !mem_mul(padded, c->channels, &padded) || padded > MODEL_MAX_INPUTS)
        return err_set(e, ERR_TOO_LARGE,
                       "%s: its input with the padding has over %zu numbers",
                       where, MODEL_MAX_INPUTS);
    return ERR_OK;
}

static enum err_code shape(struct operator_shape *out, const struct space *in,
                           const struct json *layer, const char *where,
                           struct err *e)
{
    struct convolution c = {
        .channels = in->channels, .height = in->height, .width = in->width};
    if (read_settings(&c, layer, where, e) || check_size(&c, where, e))
        return e->code;
    if (!convolution_set_size(&c))
        return err_set(e, ERR_SHAPE,
                       "%s: kernel %zux%zu with padding %zu does not fit its "
                       "input %zux%zux%zu",
                       where, c.kernel_height, c.kernel_width, c.padding_y,
                       in->channels, in->height, in->width);
    size_t units;
    if (!mem_mul(c.rows, c.columns, &units) ||
        !mem_mul(units, c.maps, &units) || units > MODEL_MAX_UNITS)
        return err_set(e, ERR_TOO_LARGE,
                       "%s: %zu maps of %zux%zu are over %zu units", where,
                       c.maps, c.rows, c.columns, MODEL_MAX_UNITS);
    *out = (struct operator_shape){
        .code = {.channels = c.maps, .height = c.rows, .width = c.columns},
        .cell = space_vector(c.maps),
        .field = {.height = c.kernel_height,
                  .width = c.kernel_width,
                  .stride = c.stride,
                  .padding = c.padding_y,
                  .share = 1}};
    return ERR_OK;
}

/* From code to code a unit meets all those whose atoms overlap its own. */
static struct convolution recurrent(const struct operator *op)
{
    const struct field *f = &op->shape.field;
    size_t y = (f->height - 1) / f->stride, x = (f->width - 1) / f->stride;
    return (struct convolution){.channels = op->in.channels,
                                .height = op->in.height,
                                .width = op->in.width,
                                .maps = op->out.channels,
                                .rows = op->out.height,
                                .columns = op->out.width,
                                .kernel_height = 2 * y + 1,
                                .kernel_width = 2 * x + 1,
                                .stride = 1,
                                .padding_y = y,
                                .padding_x = x};
}

static struct convolution convolution_of(const struct operator *op)
{
    const struct field *f = &op->shape.field;
    if (op->role == OPERATOR_RECURS)
        return recurrent(op);
    bool draws = op->role == OPERATOR_DECODES;
    const struct space *picture = draws ? &op->out : &op->in;
    const struct space *maps = draws ? &op->in : &op->out;
    return (struct convolution){.channels = picture->channels,
                                .height = picture->height,
                                .width = picture->width,
                                .maps = maps->channels,
                                .rows = maps->height,
                                .columns = maps->width,
                                .kernel_height = f->height,
                                .kernel_width = f->width,
                                .stride = f->stride,
                                .padding_y = f->padding,
                                .padding_x = f->padding};
}

static enum err_code declare(struct operator *op, struct params *params,
                             const char *name, struct err *e)
{
    struct convolution c = convolution_of(op);
    /* The channels of a vector are the units of the layer below. */
    enum param_axis channels =
        op->role != OPERATOR_RECURS && c.height * c.width == 1 ? AXIS_INPUT
                                                               : AXIS_FIXED;
    if (check_size(&c, name, e))
        return e->code;
    op->weight = params_add(
        params, name, 4,
        (size_t[]){c.maps, c.channels, c.kernel_height, c.kernel_width},
        (enum param_axis[]){AXIS_FIXED, channels, AXIS_FIXED, AXIS_FIXED}, e);
    return op->weight ? ERR_OK : e->code;
}

/* A map's weights are one row, whether they lead into it or out of it. */
static void limit(struct operator *op, enum operator_side side, float bound)
{
    (void)side;
    op->weight->bound = bound;
    op->weight->project = param_limit_rows;
}

/* ---- starting values ---- */

static void norm_1(float *x, size_t n)
{
    double norm = vec_norm(x, n);
    if (norm > 0)
        vec_scale(x, (float)(1.0 / norm), n);
}

/* What a unit of row y and column x sees of the picture, 0 outside of it. */
static void cut(const struct convolution *c, float *out, const float *picture,
                size_t y, size_t x)
{
    for (size_t k = 0; k < c->channels; k++)
        for (size_t i = 0; i < c->kernel_height; i++)
            for (size_t j = 0; j < c->kernel_width; j++, out++) {
                size_t py = y * c->stride + i - c->padding_y;
                size_t px = x * c->stride + j - c->padding_x;
                *out = py < c->height && px < c->width
                           ? picture[(k * c->height + py) * c->width + px]
                           : 0.0f;
            }
}

/* A cut is a small part of a sample: at norm 1 it counts as much as a whole
 * sample does for a unit that sees all of it. */
static void start(struct operator *op, struct rng *rng, const float *samples,
                  size_t n_samples, float lean)
{
    struct convolution c = convolution_of(op);
    size_t n = op->weight->count / c.maps;
    size_t picture = c.channels * c.height * c.width;
    float *part = mem_must(n, sizeof *part);
    for (size_t m = 0; m < c.maps; m++) {
        float *atom = op->weight->value + m * n;
        for (size_t k = 0; k < n; k++)
            atom[k] = rng_uniform(rng, -1, 1);
        norm_1(atom, n);
        if (n_samples == 0 || lean == 0.0f)
            continue;
        const float *sample = samples + rng_below(rng, n_samples) * picture;
        size_t y = rng_below(rng, c.rows), x = rng_below(rng, c.columns);
        cut(&c, part, sample, y, x);
        norm_1(part, n);
        vec_add(atom, part, lean, n);
        norm_1(atom, n);
    }
    mem_free(part);
}

static void start_adjoint(struct operator *op, const struct operator *other,
                          float scale)
{
    size_t n = other->weight->count;
    memcpy(op->weight->value, other->weight->value, n * sizeof(float));
    vec_scale(op->weight->value, scale, n);
    memset(op->weight->value + n, 0, (op->weight->count - n) * sizeof(float));
}

/* a'b where b's kernel lies (down, right) of a's; c tells their sizes. */
static double overlap(const struct convolution *c, const float *a,
                      const float *b, ptrdiff_t down, ptrdiff_t right)
{
    ptrdiff_t height = (ptrdiff_t)c->kernel_height;
    ptrdiff_t width = (ptrdiff_t)c->kernel_width;
    ptrdiff_t y0 = down > 0 ? down : 0, x0 = right > 0 ? right : 0;
    ptrdiff_t y1 = down < 0 ? height + down : height;
    ptrdiff_t x1 = right < 0 ? width + right : width;
    double sum = 0;
    for (size_t k = 0; k < c->channels;
         k++, a += height * width, b += height * width)
        for (ptrdiff_t y = y0; y < y1; y++)
            for (ptrdiff_t x = x0; x < x1; x++)
                sum += (double)(a[y * width + x] *
                                b[(y - down) * width + x - right]);
    return sum;
}

/* D'D of units whose kernels lie wholly in the picture; where they reach into
 * the padding it leaves out that nothing is drawn there. */
static void start_residual(struct operator *op, const struct operator *other,
                           float scale)
{
    struct convolution c = convolution_of(op), atoms = convolution_of(other);
    const float *d = other->weight->value;
    float *w = op->weight->value;
    size_t n = other->weight->count / atoms.maps;
    ptrdiff_t stride = (ptrdiff_t)atoms.stride;
    ptrdiff_t most_y = (ptrdiff_t)c.padding_y, most_x = (ptrdiff_t)c.padding_x;
    for (size_t k = 0; k < c.maps; k++)
        for (size_t m = 0; m < c.channels; m++)
            for (ptrdiff_t y = -most_y; y <= most_y; y++)
                for (ptrdiff_t x = -most_x; x <= most_x; x++) {
                    bool same = k == m && y == 0 && x == 0;
                    double product = overlap(&atoms, d + k * n, d + m * n,
                                             y * stride, x * stride);
                    *w++ = (same ? 1.0f : 0.0f) - scale * (float)product;
                }
}

/* ---- running ---- */

static enum err_code prepare(struct operator *op, struct err *e)
{
    struct convolution c = convolution_of(op);
    if (!op->packed)
        op->packed = mem_array(convolution_packed(&c), sizeof(float));
    if (!op->packed)
        return err_set(e, ERR_NO_MEMORY, "%s: packed copy", op->weight->name);
    convolution_pack(&c, op->packed, op->weight->value);
    return ERR_OK;
}

static void unprepare(struct operator *op)
{
    mem_free(op->packed);
    op->packed = NULL;
}

static void apply(const struct operator *op, float *y, const float *base,
                  const float *x, size_t B, struct arena *scratch)
{
    struct convolution c = convolution_of(op);
    enum convolution_into into = base ? CONVOLUTION_ADD : CONVOLUTION_SET;
    if (base)
        vec_start(y, base, B * space_size(&op->out));
    (op->role == OPERATOR_DECODES ? convolution_pictures : convolution_maps)(
        &c, into, y, x, op->weight->value, op->packed, B, scratch);
}

static void adjoint(const struct operator *op, float *dx, const float *dy,
                    size_t B, struct arena *scratch)
{
    struct convolution c = convolution_of(op);
    (op->role == OPERATOR_DECODES ? convolution_maps : convolution_pictures)(
        &c, CONVOLUTION_ADD, dx, dy, op->weight->value, op->packed, B, scratch);
}

static void gradient(const struct operator *op, float *dw, const float *dy,
                     const float *x, size_t B, struct arena *scratch)
{
    struct convolution c = convolution_of(op);
    if (op->role == OPERATOR_DECODES)
        convolution_gradient(&c, dw, x, dy, B, scratch);
    else
        convolution_gradient(&c, dw, dy, x, B, scratch);
}

/* Start and length of `kernel` numbers from `start` within [0, side). */
static void clip(size_t *first, size_t *length, size_t at, size_t padding,
                 size_t kernel, size_t side)
{
    size_t end = at + kernel < padding ? 0 : at + kernel - padding;
    *first = at < padding ? 0 : at - padding;
    *length = (end < side ? end : side) - *first;
}

static struct box view(const struct operator *op, size_t unit)
{
    struct convolution c = convolution_of(op);
    size_t y = unit / c.columns % c.rows, x = unit % c.columns;
    struct box box;
    clip(&box.top, &box.height, y * c.stride, c.padding_y, c.kernel_height,
         c.height);
    clip(&box.left, &box.width, x * c.stride, c.padding_x, c.kernel_width,
         c.width);
    return box;
}

static int emit(const struct operator *op, struct graph *g, int x)
{
    struct convolution *c = arena_take(g->memory, 1, sizeof *c);
    if (!c)
        return GRAPH_NONE;
    *c = convolution_of(op);
    return g->convolve(g, x, param_emit(op->weight, g), c,
                       op->role == OPERATOR_DECODES);
}

static size_t scratch_bytes(const struct operator *op, size_t B)
{
    struct convolution c = convolution_of(op);
    (void)B;
    return convolution_scratch(&c);
}

const struct operator_kind operator_conv2d = {
    .name = "conv2d",
    .help = "small kernels, the same ones all over the picture",
    .settings =
        (const char *const[]){"maps", "kernel", "stride", "padding", NULL},
    .shape = shape,
    .declare = declare,
    .limit = limit,
    .start = start,
    .start_adjoint = start_adjoint,
    .start_residual = start_residual,
    .prepare = prepare,
    .unprepare = unprepare,
    .apply = apply,
    .adjoint = adjoint,
    .gradient = gradient,
    .view = view,
    .emit = emit,
    .scratch_bytes = scratch_bytes,
};
