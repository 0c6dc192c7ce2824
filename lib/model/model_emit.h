/* A whole model told as a graph (lib/model/graph.h): the same function as
 * model_encode, model_pool, model_reconstruct and model_classify give.
 */
#ifndef SPARSED_MODEL_MODEL_EMIT_H
#define SPARSED_MODEL_MODEL_EMIT_H

#include "lib/model/graph.h"
#include "lib/model/model.h"

/* The graph's values of the top layer's code (B,n), its groups (B,G), the
 * reconstruction (B,inputs) in the input's own units, the probabilities
 * (B,classes); GRAPH_NONE for what the model does not do. */
struct model_values {
    int code, groups, reconstruction, probabilities;
};

/* Emits the model for the graph's value x (B,inputs) of raw input. ERR_CONFLICT
 * naming the layer if an encoder cannot be told so; ERR_NO_MEMORY if the
 * listener gave up. */
enum err_code model_emit(const struct model *m, struct graph *g, int x,
                         struct model_values *out, struct err *e) ERR_CHECKED;

#endif
