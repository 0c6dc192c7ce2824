/* Packing: packed weights for a model that is still being trained.
 *
 * Sparse products read packed copies (operator.h, prepare), which are wrong as
 * soon as a weight changes. So they are kept aside, are made anew once the
 * weights stand still, and are the model's only from packing_lend to
 * packing_return.
 */
#ifndef SPARSED_TRAIN_PACKING_H
#define SPARSED_TRAIN_PACKING_H

#include "lib/model/model.h"

struct packing {
    struct model *m;
    bool lent;
    float *copies[MODEL_MAX_LAYERS][OPERATOR_ROLES]; /* while not lent */
};

/* Room for all operators of m, which is borrowed and not prepared.
 * ERR_NO_MEMORY. */
enum err_code packing_init(struct packing *p, struct model *m, struct err *e)
    ERR_CHECKED;
/* Accepts a zeroed packing. */
void packing_fini(struct packing *p);

/* *view is m, which may be prepared, with packed copies of its own, lent and
 * made; it borrows all else from m, whose weights stand still meanwhile. */
enum err_code packing_view(struct packing *p, struct model *view,
                           const struct model *m, struct err *e) ERR_CHECKED;

void packing_lend(struct packing *p);
void packing_return(struct packing *p);

/* Makes part `part` of `parts` of the copies anew, while they are lent. */
void packing_renew(struct packing *p, size_t part, size_t parts);

#endif
