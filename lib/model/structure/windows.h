/* Windows: groups told as a rule over a code that is a picture (channels,
 * height,width): windows of neighbouring units, of one map or of several,
 *
 *   v_j = sqrt(sum_{i in P_j} w_ji z_i^2),   w a product of one weight for the
 *   map, one for the row and one for the column,
 *
 * so that nothing is listed, and pooling goes axis by axis (units that share
 * weights: Lee, Grosse, Ranganath & Ng 2009; L2 pools: Kavukcuoglu, Ranzato,
 * Fergus & LeCun 2009). The pools are a picture again.
 *
 * Over space a window at the edge is clipped, with the weights it has left;
 * maps lie on a ring.
 */
#ifndef SPARSED_MODEL_STRUCTURE_WINDOWS_H
#define SPARSED_MODEL_STRUCTURE_WINDOWS_H

#include "lib/model/structure/structure.h"

#define WINDOWS_MAX_SIDE 1024 /* units of a window, each way */

/* How windows lie along one axis: the k-th starts at unit k * stride. */
struct windows_axis {
    size_t units, windows, size, stride;
    float *weights; /* (size) over 0, add up to 1 */
    float *inverse; /* (units) 1 / what the weights on this unit add up to */
};

struct windows {
    struct windows_axis maps; /* a ring */
    struct windows_axis rows, columns;
};

/* What the member "window" says. */
struct windows_settings {
    size_t size[2], stride[2]; /* rows, columns */
    double sigma;              /* of Gaussian weights, in units; 0: equal */
    size_t maps, maps_stride;
};

/* Reads the object `window`, `where` being its path: ERR_INVALID naming the
 * member. */
enum err_code windows_read(struct windows_settings *out,
                           const struct json *window, const char *where,
                           struct err *e) ERR_CHECKED;
/* Whether no unit is in two windows and all weigh alike, which gives the
 * proximal step a closed form. */
bool windows_apart(const struct windows_settings *settings);

/* The windows over a code. ERR_SHAPE or ERR_INVALID naming the member,
 * ERR_NO_MEMORY. Zeroed before, to be emptied even after an error. */
enum err_code windows_init(struct windows *w,
                           const struct windows_settings *settings,
                           const struct space *code, const char *where,
                           struct err *e) ERR_CHECKED;
void windows_fini(struct windows *w);

static inline const struct windows *windows_of(const struct structure *s)
{
    return s->own;
}

/* ---- as the members of a structure's table that are called so, with
 * struct windows for its own; see lib/model/structure/pools.h ---- */

double windows_value(const struct structure *s, const float *z, size_t B);
void windows_gradient(const struct structure *s, float *dz, const float *z,
                      size_t B, float scale);
/* Only where windows_apart: each window times max(0, 1 - step lambda w / v). */
void windows_prox(const struct structure *s, float *z, const float *u,
                  float step, size_t B, float *state, struct arena *scratch);
void windows_pool(const struct structure *s, float *v, const float *z,
                  size_t B);
void windows_pool_backward(const struct structure *s, float *dz,
                           const float *dv, const float *z, const float *v,
                           size_t B);
void windows_unpool(const struct structure *s, float *out, const float *wanted,
                    const float *z, const float *v, size_t B);
int windows_emit_pool(const struct structure *s, struct graph *g, int z);
int windows_emit_unpool(const struct structure *s, struct graph *g, int wanted,
                        int z, int v);

/* The kind of structure that settings with a member "window" ask for. */
const struct structure_kind *windows_variant(const struct json *j);

#endif
