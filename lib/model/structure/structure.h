/* Structure: the third axis. The regulariser that shapes the code: which units
 * may be on together.
 *
 * It offers a value and its gradient for encoders that are trained, a proximal
 * step or a coordinate threshold for those that iterate, and the pooled
 * activations v_j = sqrt(sum_{i in P_j} w_ji z_i^2).
 */
#ifndef SPARSED_MODEL_STRUCTURE_H
#define SPARSED_MODEL_STRUCTURE_H

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/json.h"
#include "lib/model/param.h"
#include "lib/model/space.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct structure;
struct pools;

/* Where each unit's picture belongs, in tiles; edges are lines to draw. Tiles
 * do not overlap: any two places are at least 1 apart in x or in y. */
struct layout {
    float width, height;
    /* Where the units are a map, whose neighbours mean something: its sides,
     * row by row, and whether its edges meet. 0: they are none. */
    size_t rows, columns;
    bool periodic;
    struct layout_place {
        float x, y; /* left upper corner */
    } * places;     /* (cell) */
    struct layout_edge {
        uint32_t from, to;
    } * edges;
    size_t n_edges;
};

struct structure_kind {
    const char *name;
    const char *help;
    const char *const *settings; /* members of the structure's JSON */
    size_t heads; /* numbers that the encoder gives a unit. 1: the code itself.
                     More: one whole code's space after another, of which
                     `code` makes the code; value and gradient are of what the
                     encoder gave, z (B,heads*n) */
    bool shares;  /* does where units share weights (cells): it does not name
                     single units */

    /* The kind that these settings ask for, where some are done another way
     * under the same name. Optional. */
    const struct structure_kind *(*variant)(const struct json *j);

    /* s->layer and s->code are set; reads the settings, sets s->pooled,
     * declares what it learns. */
    enum err_code (*configure)(struct structure *s, const struct json *j,
                               const char *where, struct params *params,
                               struct err *e);
    void (*fini)(struct structure *s); /* optional */
    /* Starting values of what it has in the parameter table; optional. */
    void (*start)(struct structure *s);
    /* Refuses values that no start and no training gives, for what comes from
     * a file: ERR_CORRUPT. Optional. */
    enum err_code (*check)(const struct structure *s, struct err *e);

    /* Sum over the rows of z (B,n), lambda included. */
    double (*value)(const struct structure *s, const float *z, size_t B);
    /* dz (B,n) += scale * gradient of value. */
    void (*gradient)(const struct structure *s, float *dz, const float *z,
                     size_t B, float scale);
    /* grads (laid out as the parameter block) += scale * gradient of value on
     * what the structure learns; optional. */
    void (*learn)(const struct structure *s, float *grads, const float *z,
                  size_t B, float scale);
    /* z (B,n) = argmin 1/2 |z - u|^2 + step * value(z); z may be u. The code
     * that must not be negative is the prox of max(0, u): every structure's
     * value grows with each |z_i|. Optional.
     *
     * Where the argmin takes iterations, a caller that takes many steps need
     * not wait for it in each: state (B,prox_state) keeps for every row what
     * the next call for that row goes on from, zeros at first. NULL: this call
     * finds the argmin alone. */
    void (*prox)(const struct structure *s, float *z, const float *u,
                 float step, size_t B, float *state, struct arena *scratch);
    /* Numbers of state a row; NULL, or 0: there is none to keep. */
    size_t (*prox_state)(const struct structure *s);
    /* Bytes of scratch that one prox may take; NULL: none. */
    size_t (*prox_bytes)(const struct structure *s, size_t B);
    /* d value / d |z_i| while the others stay as in z (n), lambda or more: what
     * coordinate descent cuts off. Optional. */
    float (*threshold)(const struct structure *s, const float *z, size_t i);

    /* ---- of several heads ---- */

    /* z (B,n) from what the encoder gave (B,heads*n); noise (B,n) is drawn from
     * N(0,1), NULL: the mean. */
    void (*code)(const struct structure *s, float *z, const float *given,
                 const float *noise, size_t B);
    /* d_given (B,heads*n) += the gradient through code. */
    void (*code_backward)(const struct structure *s, float *d_given,
                          const float *dz, const float *given,
                          const float *noise, size_t B);
    /* The value of the mean for the graph's value of what was given. */
    int (*emit_code)(const struct structure *s, struct graph *g, int given);

    /* v (B,pooled) from z (B,n). */
    void (*pool)(const struct structure *s, float *v, const float *z, size_t B);
    /* dz (B,n) += gradient through pool, v being what pool gave. */
    void (*pool_backward)(const struct structure *s, float *dz, const float *dv,
                          const float *z, const float *v, size_t B);
    /* A code whose pools are `wanted` (B,pooled): z scaled by wanted/v. */
    void (*unpool)(const struct structure *s, float *out, const float *wanted,
                   const float *z, const float *v, size_t B);

    /* The groups in use, which the model file shows; NULL: there are none
     * besides the units themselves. Optional. */
    const struct pools *(*pools)(const struct structure *s);

    /* ---- fewer units; without prune the code cannot be pruned ---- */

    /* Widens keep (n) to what can stand by itself, e.g. with ancestors.
     * Optional. */
    void (*close)(const struct structure *s, bool *keep);
    /* Changes the structure's settings j to those of the units that stay, and
     * tells which groups stay (pooled). ERR_CONFLICT where it cannot be. */
    enum err_code (*prune)(const struct structure *s, struct json *j,
                           const bool *keep, bool *groups, struct err *e);

    /* The values of pool and unpool for the graph's values. */
    int (*emit_pool)(const struct structure *s, struct graph *g, int z);
    int (*emit_unpool)(const struct structure *s, struct graph *g, int wanted,
                       int z, int v);

    /* Places of the cell's units, and edges, from `memory`; ERR_NO_MEMORY. */
    enum err_code (*layout)(const struct structure *s, struct layout *out,
                            struct arena *memory, struct err *e);
};

struct structure {
    const struct structure_kind *kind;
    size_t layer; /* index of its layer */
    struct space code, pooled;
    struct space cell; /* of the code */
    float lambda;
    float start; /* what the heads after the first give at the start; 0 */
    void *own;   /* kind's own, freed by fini */
};

#endif
