/* npy bodies: the shape decides whether it is one row or many. */
#include "api/tensor.h"

#include <stdio.h>
#include <string.h>

static bool same_shape(const size_t *a, size_t a_rank, const size_t *b,
                       size_t b_rank)
{
    return a_rank == b_rank && memcmp(a, b, a_rank * sizeof *a) == 0;
}

static bool is_row(const struct tensor *r, const size_t *shape, size_t rank)
{
    return same_shape(shape, rank, &r->size, 1) ||
           same_shape(shape, rank, r->shape, r->rank);
}

static enum err_code refuse_shape(const struct tensor *r, const size_t *shape,
                                  size_t rank, struct err *e)
{
    char got[96] = "", want[96] = "";
    size_t used = 0;

    for (size_t i = 0; i < rank && used < sizeof got; i++)
        used += (size_t)snprintf(got + used, sizeof got - used, "%s%zu",
                                 i > 0 ? "," : "", shape[i]);
    used = 0;
    for (size_t i = 0; r->rank > 1 && i < r->rank; i++)
        used += (size_t)snprintf(want + used, sizeof want - used, "%s%zu",
                                 i > 0 ? "," : " or (B,", r->shape[i]);
    return err_set(e, ERR_SHAPE,
                   "%s: want an array of shape (B,%zu)%s%s, got (%s)", r->name,
                   r->size, want, r->rank > 1 ? ")" : "", got);
}

enum err_code tensor_count_rows(const struct tensor *r, const size_t *shape,
                                size_t rank, size_t *B, struct err *e)
{
    bool one = is_row(r, shape, rank);

    if (!one && (rank < 1 || !is_row(r, shape + 1, rank - 1)))
        return refuse_shape(r, shape, rank, e);
    *B = one ? 1 : shape[0];
    return ERR_OK;
}

enum err_code tensor_read_array(struct tensor *r, const struct npy *a,
                                struct err *e)
{
    size_t B;

    if (tensor_count_rows(r, a->shape, a->rank, &B, e) != ERR_OK ||
        tensor_take(r, B, e) != ERR_OK)
        return e->code;
    npy_to_floats(a, r->data);
    if (r->scale_bytes && npy_is_bytes(a)) {
        float range = r->high - r->low;
        for (size_t i = 0; i < a->count; i++)
            r->data[i] = r->low + range * (r->data[i] / 255.0f);
    }
    return tensor_check(r, e);
}

enum err_code tensor_read_npy(struct tensor *r, const char *bytes,
                              size_t length, struct err *e)
{
    struct npy a;

    if (npy_parse(&a, bytes, length, e) != ERR_OK)
        return err_wrap(e, "%s", r->name);
    return tensor_read_array(r, &a, e);
}
