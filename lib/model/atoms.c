/* Which part of the picture a unit draws in, and what it draws there. */
#include "lib/model/atoms.h"

#include <string.h>

#define BATCH_FLOATS ((size_t)1 << 20)
#define MAX_BATCH ((size_t)256)

/* ---- parts of the picture ---- */

static struct box whole(const struct space *s)
{
    return (struct box){.height = s->height, .width = s->width};
}

static bool is_whole(const struct box *b, const struct space *s)
{
    return b->height == s->height && b->width == s->width;
}

/* What holds both; a box without height holds nothing. */
static struct box join(struct box a, struct box b)
{
    if (a.height == 0 || b.height == 0)
        return a.height == 0 ? b : a;
    size_t low = a.top + a.height, right = a.left + a.width;
    if (b.top + b.height > low)
        low = b.top + b.height;
    if (b.left + b.width > right)
        right = b.left + b.width;
    a.top = b.top < a.top ? b.top : a.top;
    a.left = b.left < a.left ? b.left : a.left;
    a.height = low - a.top;
    a.width = right - a.left;
    return a;
}

/* Where in the layer's input the units of a box of its code draw; all channels
 * see the same. */
static struct box drawn_by(const struct layer *l, struct box units)
{
    struct box out = {0};
    if (!l->op->view || !l->dec.kind)
        return whole(&l->in);
    for (size_t y = units.top; y < units.top + units.height; y++)
        for (size_t x = units.left; x < units.left + units.width; x++)
            out = join(out, l->op->view(&l->dec, y * l->code.width + x));
    return out;
}

/* Which units of the code make up the pools of a box. */
static enum err_code pooled_by(const struct layer *l, struct box *box,
                               struct arena *memory, struct err *e)
{
    const struct space *s = &l->structure.pooled, *code = &l->code;
    struct box pools = *box;
    *box = whole(code);
    if (is_whole(&pools, s))
        return ERR_OK;
    struct arena_mark mark = arena_mark(memory);
    float *wanted = arena_zeroed(memory, space_size(s), sizeof *wanted);
    float *z = arena_take(memory, space_size(code), sizeof *z);
    if (!wanted || !z)
        return err_set(e, ERR_NO_MEMORY, "a code of layer %zu", l->index);
    for (size_t c = 0; c < s->channels; c++)
        for (size_t y = 0; y < pools.height; y++)
            for (size_t x = 0; x < pools.width; x++)
                wanted[(c * s->height + pools.top + y) * s->width + pools.left +
                       x] = 1;
    if (layer_unpool_alike(l, z, wanted, 1, memory, e))
        return e->code;
    *box = (struct box){0};
    for (size_t i = 0; i < space_size(code); i++)
        if (z[i] != 0.0f)
            *box = join(*box, (struct box){i / code->width % code->height,
                                           i % code->width, 1, 1});
    if (box->height == 0) /* units in no pool draw nothing */
        *box = whole(code);
    arena_rewind(memory, mark);
    return ERR_OK;
}

/* Where in the model's input a unit draws. */
static enum err_code find_box(const struct model *m, size_t layer, size_t unit,
                              struct box *out, struct arena *memory,
                              struct err *e)
{
    const struct layer *l = &m->layers[layer];
    size_t y = unit / l->code.width % l->code.height;
    size_t x = unit % l->code.width;
    *out = drawn_by(l, (struct box){y, x, 1, 1});
    while (l->index > 0) {
        l--;
        if (l->up == UP_POOLED && pooled_by(l, out, memory, e))
            return e->code;
        *out = is_whole(out, &l->code) ? whole(&l->in) : drawn_by(l, *out);
    }
    return ERR_OK;
}

enum err_code atoms_init(struct atoms *a, const struct model *m, size_t layer,
                         struct arena *memory, struct err *e)
{
    const struct layer *l = &m->layers[layer];
    const struct space *in = &m->input, *cell = &l->shape.cell;
    *a = (struct atoms){.model = m, .layer = layer, .n = space_size(cell)};
    a->space.channels = in->channels;
    a->list = arena_take(memory, a->n, sizeof *a->list);
    if (!a->list)
        return err_set(e, ERR_NO_MEMORY, "a list of %zu atoms", a->n);
    for (size_t i = 0; i < a->n; i++) {
        struct box box;
        size_t unit = space_middle(i, cell, &l->code);
        if (find_box(m, layer, unit, &box, memory, e))
            return e->code;
        a->list[i] = (struct atom){unit, box.top, box.left};
        if (box.height > a->space.height)
            a->space.height = box.height;
        if (box.width > a->space.width)
            a->space.width = box.width;
    }
    /* One that the border cuts is moved back by what it lacks. */
    for (size_t i = 0; i < a->n; i++) {
        struct atom *atom = &a->list[i];
        size_t lowest = in->height - a->space.height;
        size_t rightmost = in->width - a->space.width;
        atom->top = atom->top < lowest ? atom->top : lowest;
        atom->left = atom->left < rightmost ? atom->left : rightmost;
    }
    return ERR_OK;
}

/* ---- drawing ---- */

size_t atoms_batch(const struct atoms *a)
{
    size_t row = 0;
    for (size_t i = 0; i <= a->layer; i++) {
        const struct layer *l = &a->model->layers[i];
        row += layer_units(l) + layer_inputs(l);
    }
    size_t rows = BATCH_FLOATS / row + 1;
    return rows < MAX_BATCH ? rows : MAX_BATCH;
}

/* The atom's part of the whole picture x. */
static void crop(const struct atoms *a, const struct atom *atom, float *out,
                 const float *x)
{
    const struct space *s = &a->space, *in = &a->model->input;
    for (size_t c = 0; c < s->channels; c++)
        for (size_t y = 0; y < s->height; y++, out += s->width)
            memcpy(out,
                   x + (c * in->height + atom->top + y) * in->width +
                       atom->left,
                   s->width * sizeof *out);
}

enum err_code atoms_draw(const struct atoms *a, size_t first, size_t count,
                         float *out, struct arena *memory, struct err *e)
{
    const struct model *m = a->model;
    size_t n = layer_units(&m->layers[a->layer]), inputs = model_inputs(m);
    struct arena_mark mark = arena_mark(memory);
    float *z = arena_zeroed(memory, count * n, sizeof *z);
    float *x = arena_take(memory, count * inputs, sizeof *x);
    if (!z || !x)
        return err_set(e, ERR_NO_MEMORY, "atoms of %zu units", count);
    for (size_t i = 0; i < count; i++)
        z[i * n + a->list[first + i].unit] = 1.0f;
    if (model_draw(m, a->layer, x, z, count, memory, e))
        return e->code;
    for (size_t i = 0; i < count; i++)
        crop(a, &a->list[first + i], out + i * space_size(&a->space),
             x + i * inputs);
    arena_rewind(memory, mark);
    return ERR_OK;
}

enum err_code atoms_draw_unit(const struct model *m, size_t layer, size_t unit,
                              float *out, struct arena *memory, struct err *e)
{
    struct arena_mark mark = arena_mark(memory);
    float *z = arena_zeroed(memory, layer_units(&m->layers[layer]), sizeof *z);
    if (!z)
        return err_set(e, ERR_NO_MEMORY, "the atom of unit %zu", unit);
    z[unit] = 1.0f;
    if (model_draw(m, layer, out, z, 1, memory, e))
        return e->code;
    arena_rewind(memory, mark);
    return ERR_OK;
}
