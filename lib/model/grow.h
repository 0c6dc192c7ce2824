/* Growing: a model with more classes. Every parameter with a CLASS axis gets
 * new entries along it, of zeros; all else stays as it is.
 */
#ifndef SPARSED_MODEL_GROW_H
#define SPARSED_MODEL_GROW_H

#include "lib/model/model.h"

/* A new model whose classes are those of m and then names[0..n), with the
 * values, metrics, lineage, training and rehearsal of m; not prepared. NULL:
 * ERR_CONFLICT without a classifier, ERR_INVALID for a name that is there or
 * twice, ERR_TOO_LARGE over CLASSIFIER_MAX_CLASSES, ERR_NO_MEMORY. */
struct model *model_add_classes(const struct model *m, const char *const *names,
                                size_t n, struct err *e);

#endif
