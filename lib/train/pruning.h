/* Pruning: what follows the last phase where the recipe asks for it. Units of
 * every layer that too few training rows turn on go; the others compute on
 * without them.
 */
#ifndef SPARSED_TRAIN_PRUNING_H
#define SPARSED_TRAIN_PRUNING_H

#include "lib/base/team.h"
#include "lib/model/model.h"
#include "lib/train/rows.h"

/* Puts the pruned model into *m instead of the one there, and into *figures
 * {"below":..., "rows":..., "units_before":..., "units":..., "loss_before":...,
 *  "loss":...}: the training rows that were counted, units of all layers, and
 * the last phase's mean loss on the validation rows (on the training rows, if
 * there are none). ERR_CONFLICT if a layer has no unit that is
 * on often enough. */
enum err_code pruning_run(struct model **m, const struct recipe *recipe,
                          const struct dataset *d, const struct rows *rows,
                          struct team *team, struct json **figures,
                          struct err *e) ERR_CHECKED;

#endif
