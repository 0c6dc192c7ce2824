/* Values that an ONNX graph was told (onnx_graph.h), and their forms in the
 * file: rows (B,n), or a picture (B,C,H,W).
 *
 * Constants are written in the form in which they are first wanted. Functions
 * that give a value of the file give NULL, those that give a number GRAPH_NONE,
 * where memory is out.
 */
#ifndef SPARSED_MODEL_ONNX_TOLD_H
#define SPARSED_MODEL_ONNX_TOLD_H

#include "lib/model/onnx_graph.h"
#include "lib/model/space.h"

/* A value of the graph and what it is in the file. */
struct onnx_told {
    size_t n;                   /* columns */
    struct onnx_value *rows;    /* (B,n); NULL: a picture, or a constant */
    struct onnx_value *picture; /* (B,C,H,W), or NULL */
    struct space space;         /* of the picture */
    /* A product or convolution to which nothing was added yet: how it was
     * made. */
    struct onnx_node bare;
    /* The sum of a bare value and another one: their numbers. */
    bool sum;
    int a, b;
    /* of a constant; NULL: it is none */
    const float *data;
    const char *name;
    size_t rank;
    size_t dims[ONNX_MAX_RANK];
};

int told_add(struct onnx_graph *g, const struct onnx_told *told);

/* ---- forms ---- */

/* (B,n) of (B,C,H,W), and (B, shape) of either. */
struct onnx_value *told_flatten(struct onnx_graph *g, struct onnx_value *v);
struct onnx_value *told_reshape(struct onnx_graph *g, struct onnx_value *v,
                                size_t rank, const size_t *shape);

/* Value a as rows, or as pictures of this space. */
struct onnx_value *told_rows(struct onnx_graph *g, int a);
struct onnx_value *told_picture(struct onnx_graph *g, int a,
                                const struct space *s);

/* ---- constants ---- */

struct onnx_value *told_write(struct onnx_graph *g, const struct onnx_told *t);
struct onnx_value *told_integers(struct onnx_graph *g, const char *name,
                                 const int64_t *numbers, size_t n);

/* Room for the numbers of a constant that is made of t, which becomes it; its
 * name gets the ending. */
float *told_derive(struct onnx_graph *g, struct onnx_told *t,
                   const char *ending, size_t n);
int told_negated(struct onnx_graph *g, int a);

/* Whether the row is the same for all units of a map; and one number a map of
 * such a row, as dims (C,1,1), or (C). */
bool told_is_by_map(const struct onnx_told *t, const struct space *s);
struct onnx_value *told_write_by_map(struct onnx_graph *g, struct onnx_told t,
                                     const struct space *s, size_t rank);

#endif
