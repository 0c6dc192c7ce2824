/* Classes: a data set's labels brought into the order of a model's classes.
 */
#ifndef SPARSED_TRAIN_CLASSES_H
#define SPARSED_TRAIN_CLASSES_H

#include "lib/data/dataset.h"

/* Where the data names its classes, each label becomes the index of its name
 * among names[0..n), and the data has numbered classes from then on. Where it
 * does not, labels are such indices already. ERR_SHAPE, with the data
 * unchanged, for a class that is none of them. */
enum err_code classes_match(struct dataset *d, const char *const *names,
                            size_t n, struct err *e) ERR_CHECKED;

#endif
