/* Outputs: the tensors that a model gives over the Open Inference Protocol, one
 * row of a table each, and how the rows of a block become their elements.
 *
 * The protocol has no sparse tensors. A code can also be had as three lists
 * (CSR): the active units of row i are entries indptr[i] .. indptr[i+1]-1 of
 * indices and values. Lists are given only if asked for: their length is not
 * that of the batch, which some clients expect.
 */
#ifndef SPARSED_API_OIP_OUTPUTS_H
#define SPARSED_API_OIP_OUTPUTS_H

#include "api/run.h"

#define OIP_OUTPUTS 8
#define OIP_MAX_RANK 4
#define OIP_BYTES "BYTES"

struct oip_part;

struct oip_output {
    const char *name;
    enum output needs; /* what the run must compute for it */
    const char *datatype;
    /* Numbers of a row; NULL: a list, which has as many as it has. */
    size_t (*width)(const struct model *m, size_t layer);
    /* A row of the current block, of the outputs that are rows of floats. */
    const float *(*row)(const struct run *r, size_t row);
    bool picked; /* top_k and threshold say which of them are sent */
    /* The other outputs: appends what they have of the row. */
    void (*add)(struct oip_part *p, struct run *r, size_t row);
};

extern const struct oip_output oip_outputs[OIP_OUTPUTS];

/* Whether the model has it. */
bool oip_output_given(const struct oip_output *o, const struct model *m);

/* ERR_INVALID that names what the model has. */
const struct oip_output *oip_output_find(const char *name,
                                         const struct model *m, struct err *e);

/* Fills sizes (OIP_MAX_RANK) with the shape of one row, without the batch, and
 * returns its rank; 0 for lists. */
size_t oip_output_shape(const struct oip_output *o, const struct model *m,
                        size_t layer, size_t *sizes);

/* One output of a reply, on its way. */
struct oip_part {
    const struct oip_output *output;
    bool binary;
    size_t classes;  /* classification: so many of a row, as texts; 0: as is */
    struct buf data; /* elements: bytes, or JSON without the brackets */
    size_t n;        /* how many */
    size_t total;    /* of lists: entries so far */
};

/* Appends all rows of the run's current block. `order` is scratch for rows of
 * the widest part that is classified. */
void oip_part_add(struct oip_part *p, struct run *r, struct pick *order);

#endif
