/* Packed copies that change hands. */
#include "lib/train/packing.h"

#include <assert.h>

/* The i-th operator of all, NULL at the end; those without a kind come too. */
static struct operator *operator_at(const struct packing *p, size_t i)
{
    size_t layer = i / OPERATOR_ROLES;
    if (layer == p->m->n_layers)
        return NULL;
    return layer_operator(&p->m->layers[layer], i % OPERATOR_ROLES);
}

static void swap(struct packing *p)
{
    struct operator *op;
    for (size_t i = 0; (op = operator_at(p, i)); i++) {
        float **copy = &p->copies[i / OPERATOR_ROLES][i % OPERATOR_ROLES];
        float *packed = op->packed;
        op->packed = *copy;
        *copy = packed;
    }
}

enum err_code packing_init(struct packing *p, struct model *m, struct err *e)
{
    struct operator *op;
    enum err_code code = ERR_OK;
    *p = (struct packing){.m = m};
    for (size_t i = 0; !code && (op = operator_at(p, i)); i++) {
        assert(!op->packed);
        if (op->kind && op->kind->prepare)
            code = op->kind->prepare(op, e);
    }
    swap(p);
    if (code)
        packing_fini(p);
    return code;
}

void packing_fini(struct packing *p)
{
    struct operator *op;
    if (!p->m)
        return;
    swap(p);
    for (size_t i = 0; (op = operator_at(p, i)); i++)
        if (op->packed)
            op->kind->unprepare(op);
    p->m = NULL;
}

void packing_lend(struct packing *p)
{
    swap(p);
}

void packing_return(struct packing *p)
{
    swap(p);
}

void packing_renew(struct packing *p, size_t part, size_t parts)
{
    struct operator *op;
    struct err none; /* there is room */
    size_t turn = 0;
    for (size_t i = 0; (op = operator_at(p, i)); i++)
        if (op->packed && turn++ % parts == part) {
            enum err_code code = op->kind->prepare(op, &none);
            assert(!code);
        }
}
