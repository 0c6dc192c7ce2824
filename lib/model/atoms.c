/* Atoms, drawn many at a time. */
#include "lib/model/atoms.h"

#include "lib/math/kernels.h"

#include <string.h>

#define BATCH_FLOATS ((size_t)1 << 20)
#define MAX_BATCH ((size_t)256)

size_t atoms_batch(const struct model *m, size_t layer)
{
    size_t row = layer_units(&m->layers[layer]) + model_inputs(m);
    size_t rows = BATCH_FLOATS / row + 1;
    return rows < MAX_BATCH ? rows : MAX_BATCH;
}

enum err_code atoms_draw(const struct model *m, size_t layer, size_t first,
                         size_t count, float *out, struct arena *memory,
                         struct err *e)
{
    size_t n = layer_units(&m->layers[layer]), inputs = model_inputs(m);
    struct arena_mark mark = arena_mark(memory);
    float *z = arena_zeroed(memory, (count + 1) * n, sizeof *z);
    float *x = arena_take(memory, (count + 1) * inputs, sizeof *x);
    if (!z || !x)
        return err_set(e, ERR_NO_MEMORY, "atoms of %zu units", count);
    for (size_t i = 0; i < count; i++)
        z[i * n + first + i] = 1.0f;
    /* The last code is 0. */
    if (model_decode(m, layer, x, z, NULL, count + 1, memory, e))
        return e->code;
    memcpy(out, x, count * inputs * sizeof *out);
    for (size_t i = 0; i < count; i++)
        vec_add(out + i * inputs, x + count * inputs, -1.0f, inputs);
    arena_rewind(memory, mark);
    return ERR_OK;
}
