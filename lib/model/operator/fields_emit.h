/* Local fields (lib/math/fields.h) told to others.
 *
 * Nobody else has fields with weights of their own, so they are told as what
 * all have: a convolution that only unfolds the picture (each map is one tap's
 * pixel, as the fields see it), the weights unit by unit, and the adjoint of a
 * convolution that only folds: it adds up the taps of each unit and puts those
 * that share a field side by side. The other way, all that reversed.
 */
#ifndef SPARSED_MODEL_OPERATOR_FIELDS_EMIT_H
#define SPARSED_MODEL_OPERATOR_FIELDS_EMIT_H

#include "lib/math/fields.h"
#include "lib/model/param.h"

/* The sheet of the pictures x, or, reversed, the pictures that sheets x draw;
 * f lives as long as the call. */
int fields_emit(const struct fields *f, const struct param *weight,
                struct graph *g, int x, bool reversed);

#endif
