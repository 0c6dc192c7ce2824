/* Graph: a model told as a list of standard operations, for other runtimes.
 *
 * Each axis value emits itself through this interface and does not know who
 * listens: an exporter that writes a file, or a test that computes at once.
 * Values are matrices (B, n) told by a number; a constant of one row or one
 * column is repeated where an operation needs it to be.
 */
#ifndef SPARSED_MODEL_GRAPH_H
#define SPARSED_MODEL_GRAPH_H

#include "lib/base/arena.h"
#include "lib/model/space.h"

#include <stdbool.h>
#include <stddef.h>

#define GRAPH_NONE (-1) /* no value: no second input, or memory is out */

struct convolution;

enum graph_op {
    GRAPH_PRODUCT, /* a b', b (n,k) as weights are stored */
    GRAPH_ADD,
    GRAPH_SUBTRACT,
    GRAPH_MULTIPLY,
    GRAPH_DIVIDE,
    GRAPH_MAX,
    GRAPH_ABS, /* from here on of one input */
    GRAPH_SIGN,
    GRAPH_SQRT,
    GRAPH_TANH,
    GRAPH_NORM,   /* of each row, (B,1) */
    GRAPH_SOFTMAX /* of each row */
};

/* The listener. Its functions give the number of the new value, or GRAPH_NONE;
 * given GRAPH_NONE for an input they give GRAPH_NONE, so emitters need not look
 * on their way. */
struct graph {
    /* `data` (product of dims) must live as long as the graph. */
    int (*constant)(struct graph *g, const char *name, const float *data,
                    size_t rank, const size_t *dims);
    int (*apply)(struct graph *g, enum graph_op op, int a, int b);
    /* The maps of pictures a with weights w (maps,channels,kernel): values are
     * (B, channels*height*width), `shape` lives as long as the graph. Reversed:
     * the pictures that maps draw, its adjoint. */
    int (*convolve)(struct graph *g, int a, int w,
                    const struct convolution *shape, bool reversed);
    /* The first n columns of a. */
    int (*first)(struct graph *g, int a, size_t n);
    /* For constants that a model holds in another form; lives as long as the
     * graph. */
    struct arena *memory;
};

/* max(||a||, 1e-12) of each row, (B,1): what normalising divides by. */
int graph_guarded_norm(struct graph *g, int a);

/* max(0, a). */
int graph_positive(struct graph *g, int a);

/* A square matrix along one axis of pictures, (n,n) of the axis' n. */
struct graph_axis {
    const char *name;
    const float *matrix; /* lives as long as the graph; NULL: as it is */
};

/* Pictures a (B, space) with each axis multiplied by its matrix:
 *   y[c,i,j] = sum over d,k,l of channels[c,d] rows[i,k] columns[j,l] a[d,k,l]
 */
int graph_along_axes(struct graph *g, int a, const struct space *s,
                     struct graph_axis channels, struct graph_axis rows,
                     struct graph_axis columns);

#endif
