/* Phases of a recipe: the part of the reader that knows weights, optimisers,
 * schedules and stopping. Used by recipe.c only.
 */
#ifndef SPARSED_TRAIN_RECIPE_PHASE_H
#define SPARSED_TRAIN_RECIPE_PHASE_H

#include "lib/train/recipe.h"

/* Fills r->phases from the array j; what a phase asks for must suit the model
 * m, names in "train" its table. ERR_INVALID naming the member. */
enum err_code recipe_read_phases(struct recipe *r, const struct json *j,
                                 const struct model *m, struct err *e)
    ERR_CHECKED;

/* The member `key` of j as an object, or NULL if it is absent. */
enum err_code recipe_get_object(const struct json *j, const char *where,
                                const char *key, const struct json **out,
                                struct err *e) ERR_CHECKED;

#endif
