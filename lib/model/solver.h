/* Solver: the code that minimises a layer's energy, row by row,
 *
 *   E(z) = 1/2 |known * (x - D z)|^2 + structure(z)
 *
 * for encoders that iterate, and for training a net towards such codes.
 *
 *   ista     z' = prox(z + D'(x - D z)/L) with L >= lambda_max(D'D); E never
 *            rises. fista takes the step from y = z + b (z - z_before) (Beck &
 *            Teboulle 2009), and forgets its momentum where that leads uphill
 *            (O'Donoghue & Candes 2015, the gradient scheme).
 *   descent  one coordinate after another to its minimum given the others,
 *            z_i = sign(a) max(0, |a| - threshold_i) / |d_i|^2 with
 *            a = d_i'(x - D z) + |d_i|^2 z_i. E never rises, whether convex or
 *            not.
 *
 * All start at z = 0. Each row has its own L, momentum and end, so its code
 * does not depend on the rows beside it but for rounding.
 *
 * Where D'D fits the nearer caches it is worked out once: then a step reads its
 * rows of the units that are on, and never D (solver_gram.h).
 */
#ifndef SPARSED_MODEL_SOLVER_H
#define SPARSED_MODEL_SOLVER_H

#include "lib/model/layer.h"

enum solver_method { SOLVER_ISTA, SOLVER_FISTA, SOLVER_DESCENT };

struct solver {
    enum solver_method method;
    size_t steps; /* at most: proximal steps, or sweeps over coordinates */
    /* A row stops after a step that moved no unit's gradient by more than
     * tolerance * max|D'x|: the step times L, or times |d_i|^2. float32 reaches
     * 1e-6. */
    float tolerance;
    bool nonnegative;
};

/* The members that solver_configure reads; NULL at the end. */
extern const char *const solver_settings[];

/* Reads "method" (fista where the structure has a proximal step, else
 * descent), "steps" (200), "tolerance" (1e-4) and "nonnegative" (false).
 * ERR_INVALID, also for a method that this structure or operator cannot do. */
enum err_code solver_configure(struct solver *s, const struct json *j,
                               const char *where,
                               const struct operator_kind *op,
                               const struct structure_kind *structure,
                               struct err *e) ERR_CHECKED;

/* What depends on the weights alone. Zeroed: nothing is known. */
struct solver_weights {
    float L;     /* as solver_step_bound gives it; 0: not known */
    float *gram; /* (n,n) D'D; NULL: not known, or of no use */
};

/* Works them out for weights that are final. ERR_NO_MEMORY. */
enum err_code solver_prepare(struct solver_weights *w, const struct solver *s,
                             const struct layer *l, struct err *e) ERR_CHECKED;
void solver_unprepare(struct solver_weights *w);

/* L of the layer's decoder: the largest eigenvalue of D'D with a margin, by
 * power iteration from a fixed start. 0: the method needs none. Takes its
 * scratch from what solver_scratch_bytes counts. */
float solver_step_bound(const struct solver *s, const struct layer *l,
                        struct arena *scratch);

/* The codes of x (B,in) into tape->z, of the inputs that tape->known marks
 * (what stands in others is not read). What `w` does not know (NULL: anything)
 * is worked out here, if it pays; an L that proves too small grows. A tape that
 * keeps needs room for s->steps; it gets the steps of the row that took most,
 * rows that finished before repeat their code. Rows where products overflow
 * become NaN. */
void solver_run(const struct solver *s, const struct layer *l,
                const struct solver_weights *w, struct tape *tape,
                const float *x, size_t B, struct arena *scratch);

/* Bytes of scratch that solver_run takes at most: the caller has reserved
 * them. */
size_t solver_scratch_bytes(const struct solver *s, const struct layer *l,
                            size_t B);

#endif
