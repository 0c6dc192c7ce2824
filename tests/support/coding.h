/* Coding problems: a layer of one model with inputs, for tests of solvers, and
 * what makes a code of l1 the best one, in double.
 */
#ifndef SPARSED_TESTS_CODING_H
#define SPARSED_TESTS_CODING_H

#include "lib/base/arena.h"
#include "lib/model/model.h"

#include <stdbool.h>
#include <stddef.h>

#define CODING_LAMBDA 0.1

struct coding {
    struct model *model; /* the caller frees it */
    const struct layer *l;
    size_t m, n, B;
    float *x; /* (B,m), zeros; from the arena */
    float *d; /* (m,n), of the layer */
};

/* A layer of n units over m inputs that infers iteratively; `encoder` holds
 * more members of it (",\"steps\":3"), `structure` its kind and members
 * ("\"l1\",\"lambda\":1"). NULL: refused, e says why. */
struct model *coding_model(size_t m, size_t n, const char *encoder,
                           const char *structure, struct err *e);

/* Fail the test on errors. */
struct coding coding_new(size_t m, size_t n, size_t B, const char *structure,
                         struct arena *memory);
/* l1 with CODING_LAMBDA: random atoms and inputs of norm 1, (20,40); digits of
 * norm 1 drawn by others, whose atoms are much alike. */
struct coding coding_random(size_t B, struct arena *memory);
struct coding coding_digits(size_t n, size_t B, struct arena *memory);
void coding_set_atom(struct coding *p, size_t i, const float *atom);

/* Input j of row b less what z (n) draws; 0 where it is not known. */
double coding_residual(const struct coding *p, size_t b, const float *z,
                       const float *known, size_t j);

/* The energy of row b with l1. */
double coding_energy(const struct coding *p, size_t b, const float *z);

/* The largest breach by z (n) of row b of the conditions of Karush, Kuhn and
 * Tucker for l1: d_i'r = lambda sign(z_i) where unit i is on, |d_i'r| <= lambda
 * where it is off (d_i'r <= lambda if z may not be negative). */
double coding_breach(const struct coding *p, size_t b, const float *z,
                     const float *known, bool nonnegative);

#endif
