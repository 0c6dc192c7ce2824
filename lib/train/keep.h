/* Keep: what a trained model takes along in its file, so that it can go on
 * learning where its data are not at hand: the settings of its training, and
 * rows to go over again (lib/model/rehearsal.h).
 *
 * Rows are the first of the seed's shuffle, so the same recipe, data and seed
 * keep the same ones. One in five is a validation row, marked as held out:
 * those alone can tell whether old things are forgotten. Labelled rows come
 * first, as many of each class as can be; then rows without a label.
 */
#ifndef SPARSED_TRAIN_KEEP_H
#define SPARSED_TRAIN_KEEP_H

#include "lib/data/dataset.h"
#include "lib/model/model.h"
#include "lib/train/rows.h"

/* Sets m->training and m->rehearsal, in place of what is there. `d` has the
 * labels that the training saw; rows as training split them. Bytes are kept as
 * they are; numbers are rounded to bytes over the model's range and cut to it.
 * ERR_NO_MEMORY. */
enum err_code keep_add(struct model *m, const struct recipe *r,
                       const struct dataset *d, const struct rows *rows,
                       struct err *e) ERR_CHECKED;

/* The same for a model that was trained without: splits the data as its
 * training did. ERR_CONFLICT unless the model's lineage says that it comes
 * from this recipe and these data, since only then is it known which rows it
 * has not seen; ERR_SHAPE for data that do not suit it. */
enum err_code keep_add_later(struct model *m, const struct recipe *r,
                             const struct dataset *d, struct err *e)
    ERR_CHECKED;

#endif
