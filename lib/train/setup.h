/* Setup: the model that a recipe makes for a data set, before the first step.
 */
#ifndef SPARSED_TRAIN_SETUP_H
#define SPARSED_TRAIN_SETUP_H

#include "lib/model/model.h"
#include "lib/train/rows.h"

/* The recipe's composition with its rates and bounds, and zeros for values.
 * NULL: ERR_SHAPE if the data does not suit it, which is checked here in
 * whole. */
struct model *setup_model(const struct recipe *r, const struct dataset *d,
                          const struct rows *rows, struct err *e);

/* Whether the data suit model and recipe: ERR_SHAPE with the reason. */
enum err_code setup_check(const struct model *m, const struct recipe *r,
                          const struct dataset *d, const struct rows *rows,
                          struct err *e) ERR_CHECKED;

/* Starting values for the layers that the phase is the first to run, which may
 * lean on what the layers below make of some training rows. */
enum err_code setup_start(struct model *m, const struct recipe *r,
                          const struct dataset *d, const struct rows *rows,
                          uint64_t seed, size_t phase, struct err *e)
    ERR_CHECKED;

#endif
