/* The recipe of a tuning: what the parent's file says of its last phase, for a
 * few balanced epochs at a lower rate; where it says nothing, a standard phase
 * that suits what the model has.
 */
#ifndef SPARSED_TRAIN_TUNE_RECIPE_H
#define SPARSED_TRAIN_TUNE_RECIPE_H

#include "lib/train/tune_rows.h"

/* NULL: ERR_SHAPE with counts if the rows leave nothing that could be learned;
 * ERR_CORRUPT for a file whose training part does not suit its model;
 * ERR_NO_MEMORY. The caller frees with recipe_free. */
struct recipe *tune_recipe(const struct model *parent,
                           const struct tune_rows *rows,
                           const struct tune_options *options, struct err *e);

#endif
