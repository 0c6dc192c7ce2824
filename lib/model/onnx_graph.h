/* ONNX graph: the listener of a model's graph that tells it on as an ONNX file.
 *
 * Values are told as matrices (B,n) and written so, but for those that go from
 * convolution to convolution: they stay pictures (B,C,H,W). What other runtimes
 * are quicker at is written instead of what was told: a bias goes into the
 * product before it, what no step changes is summed up once, a convolution that
 * joins each map with itself alone becomes one by groups, a product that adds
 * up blocks of neighbours (three quarters of the time for 100 blocks of 4) a
 * sum.
 */
#ifndef SPARSED_MODEL_ONNX_GRAPH_H
#define SPARSED_MODEL_ONNX_GRAPH_H

#include "lib/data/onnx.h"
#include "lib/model/graph.h"

struct onnx_told;

struct onnx_graph {
    struct graph graph; /* first */
    struct onnx *file;
    struct onnx_told *told; /* by the value's number */
    size_t n, room;
    struct arena memory; /* of the graph, and of `told` */
};

/* Listens into `file`, which the caller keeps. */
void onnx_graph_init(struct onnx_graph *g, struct onnx *file);
void onnx_graph_fini(struct onnx_graph *g);

/* The number of a new value (B,n) for the file's input (B, shape), n being the
 * product of shape; or GRAPH_NONE. */
int onnx_graph_input(struct onnx_graph *g, const char *name, size_t rank,
                     const size_t *shape);

/* The value is given out as (B, shape). */
void onnx_graph_output(struct onnx_graph *g, int value, const char *name,
                       size_t rank, const size_t *shape);

#endif
