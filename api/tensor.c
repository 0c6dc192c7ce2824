/* The room for rows, and the checks that all formats share. */
#include "api/tensor.h"

#include "api/api.h"
#include "lib/model/numbers.h"

#include <math.h>
#include <string.h>

struct tensor tensor_of_inputs(const struct model *m, struct arena *memory)
{
    struct tensor r = {
        .name = "inputs",
        .size = model_inputs(m),
        .rank = m->input_rank,
        .scale_bytes = true,
        .low = m->low,
        .high = m->high,
        .memory = memory,
    };
    memcpy(r.shape, m->input_shape, sizeof r.shape);
    return r;
}

struct tensor tensor_of_mask(const struct model *m, struct arena *memory)
{
    struct tensor r = tensor_of_inputs(m, memory);

    r.name = "mask";
    r.flags = true;
    return r;
}

struct tensor tensor_of_codes(const struct model *m, size_t layer,
                              struct arena *memory)
{
    size_t n = layer_units(&m->layers[layer]);

    return (struct tensor){
        .name = "codes", .size = n, .rank = 1, .shape = {n}, .memory = memory};
}

enum err_code tensor_take(struct tensor *r, size_t B, struct err *e)
{
    if (B > API_MAX_ROWS)
        return err_set(e, ERR_TOO_LARGE,
                       "%s: at most %d in one request, got %zu: send them in "
                       "several",
                       r->name, API_MAX_ROWS, B);
    r->B = B;
    r->data = arena_take(r->memory, B * r->size, sizeof *r->data);
    if (r->data == NULL)
        return err_set(e, ERR_TOO_LARGE,
                       "%s: %zu of %zu numbers are over the %zu bytes that a "
                       "request may use: send fewer",
                       r->name, B, r->size, r->memory->max_bytes);
    return ERR_OK;
}

enum err_code tensor_check(const struct tensor *r, struct err *e)
{
    if (r->B == 0)
        return err_set(e, ERR_SHAPE, "%s: empty, want 1 to %d", r->name,
                       API_MAX_ROWS);
    if (numbers_finite(r->data, r->B * r->size))
        return ERR_OK;
    size_t i = 0;
    while (isfinite(r->data[i]))
        i++;
    return err_set(e, ERR_SHAPE,
                   "%s[%zu]: number %zu is not finite as a 32-bit float",
                   r->name, i / r->size, i % r->size);
}
