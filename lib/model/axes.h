/* The axes: the hand-written lists of operators, encoders and structures, and
 * the one rule of which go together. A new value is its own file and one line
 * in axes.c.
 */
#ifndef SPARSED_MODEL_AXES_H
#define SPARSED_MODEL_AXES_H

#include "lib/base/err.h"
#include "lib/model/encoder/encoder.h"
#include "lib/model/operator/operator.h"
#include "lib/model/structure/structure.h"

/* Each ends with NULL. */
extern const struct operator_kind *const operators[];
extern const struct encoder_kind *const encoders[];
extern const struct structure_kind *const structures[];

/* NULL: ERR_INVALID, with the names there are. */
const struct operator_kind *operator_find(const char *name, struct err *e);
const struct encoder_kind *encoder_find(const char *name, struct err *e);
const struct structure_kind *structure_find(const char *name, struct err *e);

/* Tests put a value of their own on an axis (NULL takes it off); it is found
 * by name like the others. Not for concurrent use. */
void axes_add_test_values(const struct operator_kind *op,
                          const struct encoder_kind *encoder,
                          const struct structure_kind *structure);

/* Refuses pairs that cannot work, when a recipe is read: ERR_INVALID. */
enum err_code axes_compatible(const struct operator_kind *op,
                              const struct encoder_kind *encoder,
                              const struct structure_kind *structure,
                              bool decoder, struct err *e) ERR_CHECKED;

#endif
