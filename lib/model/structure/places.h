/* Places: the layouts that structures share. A tile is 1 wide and 1 high.
 */
#ifndef SPARSED_MODEL_STRUCTURE_PLACES_H
#define SPARSED_MODEL_STRUCTURE_PLACES_H

#include "lib/model/structure/structure.h"

/* n units row by row on a sheet, `across` of them in a row. ERR_NO_MEMORY. */
enum err_code places_on_sheet(struct layout *out, size_t n, size_t across,
                              struct arena *memory, struct err *e) ERR_CHECKED;

/* A map whose edges meet. */
enum err_code places_on_torus(struct layout *out, size_t rows, size_t columns,
                              struct arena *memory, struct err *e) ERR_CHECKED;

/* The units of the cell: a picture as it is, one channel below the other, where
 * there is one only as a map, whose edges meet if the cell repeats over the
 * code; others nearly square. */
enum err_code places_on_cell(struct layout *out, const struct space *cell,
                             const struct space *code, struct arena *memory,
                             struct err *e) ERR_CHECKED;

/* The same as on a sheet, on one that is nearly square. */
enum err_code places_on_square(struct layout *out, size_t n,
                               struct arena *memory, struct err *e) ERR_CHECKED;

/* n units on a circle, the first at the top, clockwise. ERR_NO_MEMORY. */
enum err_code places_on_ring(struct layout *out, size_t n, struct arena *memory,
                             struct err *e) ERR_CHECKED;

/* Between centres on a circle: from sqrt(2) on, tiles do not touch whatever
 * their direction. */
#define PLACES_APART 1.45

/* Moves the n places so that they begin at 0, and sets width and height. */
void places_set_frame(struct layout *out, size_t n);

#endif
