/* Prune: a model with fewer units, whose settings and parameters are those of
 * the units that stay.
 *
 * Where the others were never on, it computes the same. (An encoder above that
 * infers through its decoder no longer has to draw their zeros: there it does
 * if it drew nothing for them.)
 */
#ifndef SPARSED_MODEL_PRUNE_H
#define SPARSED_MODEL_PRUNE_H

#include "lib/model/model.h"

#include <stdbool.h>

/* The model with those units of `layer` for which keep (n) is true, and what
 * they cannot stand without (a tree's ancestors). Its facts are
 * copied (model_copy_facts); not prepared. NULL: ERR_CONFLICT if the layer's
 * operator or structure cannot lose units, or none would be left;
 * ERR_NO_MEMORY. */
struct model *model_prune(const struct model *m, size_t layer, const bool *keep,
                          struct err *e);

/* Whether each layer of the composition (values are not needed) can lose
 * units: ERR_CONFLICT naming the one that cannot. */
enum err_code model_check_prunable(const struct model *m, struct err *e)
    ERR_CHECKED;

#endif
