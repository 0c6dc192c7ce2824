/* New classes: the parent with more of them, ready to be trained. */
#ifndef SPARSED_TRAIN_TUNE_CLASSES_H
#define SPARSED_TRAIN_TUNE_CLASSES_H

#include "lib/train/tune_rows.h"

/* The parent's values; a new class's row of C points to the mean normalised
 * code of its rows to train on, as long as the others are on average (Qi et al.
 * 2018), and has their mean bias. NULL: ERR_NO_MEMORY, ERR_SHAPE. */
struct model *tune_grow(const struct model *parent,
                        const struct tune_rows *rows, struct err *e);

#endif
