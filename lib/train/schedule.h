/* Schedule: the learning rate of each step of a phase. It rises in a straight
 * line while warming up, then follows the phase's curve.
 */
#ifndef SPARSED_TRAIN_SCHEDULE_H
#define SPARSED_TRAIN_SCHEDULE_H

#include "lib/train/recipe.h"

/* The rate of step `step`, from 0, of a phase whose epochs have epoch_steps
 * steps each. The cosine reaches 0 after the phase's last step. */
double schedule_rate(const struct recipe_phase *phase, size_t step,
                     size_t epoch_steps);

#endif
