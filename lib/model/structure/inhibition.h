/* Inhibition: the matrix S of lateral inhibition. Which pairs of units it joins
 * at the start, what it may become while it is learned, what a file may hold.
 *
 * Patterns (Gregor, Szlam & LeCun 2011, as shown in LeCun's lecture, 2020):
 * all pairs; units at some distance on a ring, or on a torus; all pairs of a
 * tree but ancestors and descendants.
 */
#ifndef SPARSED_MODEL_STRUCTURE_INHIBITION_H
#define SPARSED_MODEL_STRUCTURE_INHIBITION_H

#include "lib/model/structure/hierarchy.h"

struct inhibition_pattern;

struct inhibition {
    const struct inhibition_pattern *pattern;
    size_t units;
    float strength; /* S_ij of the pairs that are joined */
    double near, far;
    size_t height, width;
    struct hierarchy tree;
};

/* Reads "pattern", "strength" and the pattern's own members of j, and refuses
 * those of other patterns. `always` are the members that stand there besides
 * (ends with NULL). ERR_INVALID naming the member. Zeroed before, and to be
 * emptied even after an error. */
enum err_code inhibition_read(struct inhibition *p, size_t units,
                              const struct json *j, const char *where,
                              const char *const *always, struct err *e)
    ERR_CHECKED;
void inhibition_fini(struct inhibition *p);

/* S (units,units), symmetric, and what its rows add up to (units). */
void inhibition_fill(const struct inhibition *p, float *S);
void inhibition_sums(const struct inhibition *p, float *sums);

/* As the members of a structure's table that are called so. */
void inhibition_close(const struct inhibition *p, bool *keep);
enum err_code inhibition_prune(const struct inhibition *p, struct json *j,
                               const bool *keep, struct err *e) ERR_CHECKED;
enum err_code inhibition_layout(const struct inhibition *p, struct layout *out,
                                struct arena *memory, struct err *e)
    ERR_CHECKED;

/* The nearest that a few passes come to a matrix that is symmetric, 0 on the
 * diagonal, from 0 to p->bound, with rows and columns that add up to p->sums
 * (a second-hand account of the paper). */
void inhibition_project(struct param *p);

/* ERR_CORRUPT unless S is symmetric, not negative, and 0 on the diagonal. */
enum err_code inhibition_check(const struct param *p, struct err *e)
    ERR_CHECKED;

#endif
