/* Stepper: one training step over a team. Each member runs its shard of the
 * batch into a gradient block of its own; then the members share the block:
 * each adds up, and steps, its range of it.
 *
 * Shards and ranges are fixed by the member's number and gradients are added
 * in the order of members, so that the same team size gives the same bytes.
 */
#ifndef SPARSED_TRAIN_STEPPER_H
#define SPARSED_TRAIN_STEPPER_H

#include "lib/base/team.h"
#include "lib/data/dataset.h"
#include "lib/model/model.h"
#include "lib/train/distort.h"
#include "lib/train/loss.h"
#include "lib/train/optimiser.h"

struct stepper;

/* For batches of at most max_rows. Model, data and team are borrowed. NULL:
 * ERR_NO_MEMORY. */
struct stepper *stepper_new(struct model *m, const struct dataset *d,
                            struct team *team, size_t max_rows, struct err *e);
void stepper_free(struct stepper *s);

struct step {
    const struct loss_weights *weights;
    struct optimiser *optimiser;
    const bool *trained; /* (rows of the table) */
    double rate;
    uint64_t noise; /* what noisy codes and distortions are drawn from */
    const struct distortion *distortion; /* of pictures; NULL: none */
    const uint32_t *index;               /* (n) rows of the data set */
    size_t n;                            /* at least 1 */
};

/* Changes the model's parameters by the mean gradient of the rows; adds their
 * loss to *sums. ERR_INTERNAL, with the parameters unchanged, if the loss is
 * not finite; after an error the stepper is of no more use. */
enum err_code stepper_run(struct stepper *s, const struct step *step,
                          struct loss_sums *sums, struct err *e) ERR_CHECKED;

#endif
