/* Atoms: what each unit of a layer draws by itself, in the space where the
 * codes live: after preprocessing. There a whitened model's atoms are the
 * edges that tell its patches apart; in the input's own units each would be
 * buried under the slow shades that all photographs share.
 *
 * Units that share weights draw the same in other places, so there is one atom
 * for each unit of the code's cell, drawn by the one in the middle; and where
 * units draw in a part of the picture, an atom is that part.
 */
#ifndef SPARSED_MODEL_ATOMS_H
#define SPARSED_MODEL_ATOMS_H

#include "lib/model/model.h"

struct atoms {
    const struct model *model;
    size_t layer;
    size_t n; /* units of the cell */
    struct atom {
        size_t unit;      /* of the code, which stands for it */
        size_t top, left; /* of its part of the picture */
    } * list;             /* (n) */
    struct space space; /* of one atom: the largest part that a unit draws in */
};

/* The list comes from `memory`. ERR_NO_MEMORY. */
enum err_code atoms_init(struct atoms *a, const struct model *m, size_t layer,
                         struct arena *memory, struct err *e) ERR_CHECKED;

/* How many atoms are best drawn at once: many for speed, in a few MiB of
 * memory. */
size_t atoms_batch(const struct atoms *a);

/* Atoms first .. first+count-1 into out (count,space). Errors as model_draw. */
enum err_code atoms_draw(const struct atoms *a, size_t first, size_t count,
                         float *out, struct arena *memory, struct err *e)
    ERR_CHECKED;

/* What unit `unit` of the code draws in the whole picture, into out (inputs).
 * Errors as model_draw. */
enum err_code atoms_draw_unit(const struct model *m, size_t layer, size_t unit,
                              float *out, struct arena *memory, struct err *e)
    ERR_CHECKED;

#endif
