/* New classes: the parent with more of them, ready to be trained. */
#ifndef SPARSED_TRAIN_TUNE_CLASSES_H
#define SPARSED_TRAIN_TUNE_CLASSES_H

#include "lib/train/tune_rows.h"

/* The parent's values; a new class's row of C points from the old classes' mean
 * normalised code to that of its own rows to train on, and has their mean bias.
 * Not prepared. NULL: ERR_NO_MEMORY, or as model_add_classes. */
struct model *tune_grow(const struct model *parent,
                        const struct tune_rows *rows, struct err *e);

/* After training: moves the new classes' biases so that a single one is found
 * more readily, and several take less from the old ones. Rows of all labels
 * came alike; this is a choice between the two (docs/learning.md). */
void tune_favour_new(struct model *m, size_t n_old);

#endif
