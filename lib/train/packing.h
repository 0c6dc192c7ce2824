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
    float *copies[MODEL_MAX_LAYERS][OPERATOR_ROLES]; /* NULL: none */
};

/* Room for all operators of m, which is borrowed and not prepared.
 * ERR_NO_MEMORY. */
enum err_code packing_init(struct packing *p, struct model *m, struct err *e)
    ERR_CHECKED;
/* Accepts a zeroed packing. */
void packing_fini(struct packing *p);

void packing_lend(struct packing *p);
void packing_return(struct packing *p);

/* Makes the copies of part `part` of `parts` anew, while they are lent. */
void packing_renew(struct packing *p, size_t part, size_t parts);

#endif
