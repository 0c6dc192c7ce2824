/* Atoms, drawn many at a time. */
#include "lib/model/atoms.h"

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
    size_t n = layer_units(&m->layers[layer]);
    struct arena_mark mark = arena_mark(memory);
    float *z = arena_zeroed(memory, count * n, sizeof *z);
    if (!z)
        return err_set(e, ERR_NO_MEMORY, "atoms of %zu units", count);
    for (size_t i = 0; i < count; i++)
        z[i * n + first + i] = 1.0f;
    if (model_draw(m, layer, out, z, count, memory, e))
        return e->code;
    arena_rewind(memory, mark);
    return ERR_OK;
}
