/* Scope of a phase: which layers' terms count, how far up that makes the model
 * run, and what is trained. Used by the recipe's reader only.
 */
#ifndef SPARSED_TRAIN_RECIPE_SCOPE_H
#define SPARSED_TRAIN_RECIPE_SCOPE_H

#include "lib/train/recipe.h"

/* The element j of the array `where`, which must be the index of a layer. */
enum err_code recipe_layer_index(const struct json *j, const struct model *m,
                                 const char *where, size_t *layer,
                                 struct err *e) ERR_CHECKED;

/* Reads "layers" and "train" of the phase j, whose weights have been read and
 * whose rates stand in m's table, into p. ERR_INVALID naming the member. */
enum err_code recipe_read_scope(struct recipe_phase *p, const struct json *j,
                                const struct model *m, const char *where,
                                struct err *e) ERR_CHECKED;

/* A recipe that goes layer by layer (some phase of the array `phases` lists
 * its layers) must not forget one: ERR_INVALID with its index and shapes. */
enum err_code recipe_check_scopes(const struct recipe *r,
                                  const struct json *phases,
                                  const struct model *m, struct err *e)
    ERR_CHECKED;

#endif
