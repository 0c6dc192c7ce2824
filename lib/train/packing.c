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
    p->lent = !p->lent;
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
    *p = (struct packing){.m = m, .lent = true};
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
    if (!p->lent)
        swap(p);
    for (size_t i = 0; (op = operator_at(p, i)); i++)
        if (op->packed)
            op->kind->unprepare(op);
    p->m = NULL;
}

enum err_code packing_view(struct packing *p, struct model *view,
                           const struct model *m, struct err *e)
{
    struct operator *op;
    *view = *m;
    *p = (struct packing){.m = view};
    for (size_t i = 0; (op = operator_at(p, i)); i++)
        op->packed = NULL;
    if (packing_init(p, view, e))
        return e->code;
    packing_lend(p);
    return ERR_OK;
}

void packing_lend(struct packing *p)
{
    assert(!p->lent);
    swap(p);
}

void packing_return(struct packing *p)
{
    assert(p->lent);
    swap(p);
}

/* An operator belongs to the part that the numbers before it have come to. */
void packing_renew(struct packing *p, size_t part, size_t parts)
{
    struct operator *op;
    struct err none; /* there is room */
    size_t before = 0, all = 0;
    for (size_t i = 0; (op = operator_at(p, i)); i++)
        all += op->packed ? op->weight->count : 0;
    for (size_t i = 0; (op = operator_at(p, i)); i++) {
        if (!op->packed)
            continue;
        if (before * parts / all == part) {
            enum err_code code = op->kind->prepare(op, &none);
            assert(!code);
        }
        before += op->weight->count;
    }
}
