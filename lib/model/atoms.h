/* Atoms: what each unit of a layer draws by itself, in the space where the
 * codes live: after preprocessing. There a whitened model's atoms are the
 * edges that tell its patches apart; in the input's own units each would be
 * buried under the slow shades that all photographs share.
 */
#ifndef SPARSED_MODEL_ATOMS_H
#define SPARSED_MODEL_ATOMS_H

#include "lib/model/model.h"

/* How many atoms of the layer are best drawn at once: many for speed, in a few
 * MiB of memory. */
size_t atoms_batch(const struct model *m, size_t layer);

/* Atoms of the units first .. first+count-1 into out (count,inputs). Errors as
 * model_decode. */
enum err_code atoms_draw(const struct model *m, size_t layer, size_t first,
                         size_t count, float *out, struct arena *memory,
                         struct err *e) ERR_CHECKED;

#endif
