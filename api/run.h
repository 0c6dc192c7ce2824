/* Run: one inference request at work. The rows go through the model in blocks
 * as large as the request's memory allows, almost always one; after each block
 * the writer of the reply (reply.h) takes what it needs from it.
 */
#ifndef SPARSED_API_RUN_H
#define SPARSED_API_RUN_H

#include "api/call.h"
#include "api/pick.h"
#include "api/tensor.h"

struct run {
    struct call *call;
    const struct served *served;
    const struct model *model;
    size_t layer;        /* whose codes, groups, ... */
    unsigned outputs;    /* output bits */
    struct tensor rows;  /* inputs, or for decode codes */
    const float *known;  /* (rows.B,inputs) the mask, or NULL */
    bool decode;         /* rows are codes */
    const float *scales; /* (rows.B) for decode, or NULL */
    struct pick pick;    /* scratch of one row */
    const char *member;  /* the reply's only member; NULL: the usual ones */

    /* The block that run_block computed last, in the request's arena: */
    size_t first; /* its first row */
    size_t B;
    struct pass pass;
    float *reconstruction; /* (B,inputs) */
    float *relative_error; /* (B) */
};

/* The rows of the block. */
static inline const float *run_inputs(const struct run *r)
{
    return r->rows.data + r->first * r->rows.size;
}

/* What the model can do, as output bits, with this layer as the one asked. */
unsigned run_able(const struct model *m, size_t layer);

/* Whether codes of the layer alone can be drawn. */
bool run_can_decode(const struct model *m, size_t layer);

/* Makes the scratch and says how many rows a block has. ERR_TOO_LARGE, with
 * both numbers, if not even one fits. */
enum err_code run_plan(struct run *r, size_t *block_rows, struct err *e)
    ERR_CHECKED;

/* Computes rows first .. first+B-1. All numbers for the reply are finite
 * afterwards (ERR_SHAPE otherwise), relative_error apart. */
enum err_code run_block(struct run *r, size_t first, size_t B, struct err *e)
    ERR_CHECKED;

#endif
