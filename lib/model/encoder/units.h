/* Units: what each code unit computes from its sum a, shared by the encoders
 * that are nets: z = gain * f(a, b), with the gain optional and after f. Units
 * that share weights share b and gain too (cells, lib/model/space.h).
 */
#ifndef SPARSED_MODEL_ENCODER_UNITS_H
#define SPARSED_MODEL_ENCODER_UNITS_H

#include "lib/model/layer.h"

/* Reads "nonlinearity" and "gain" (true, or the number over 0 that it starts
 * at; true: 1), declares bias and gain. */
enum err_code units_configure(struct layer *l, const struct json *encoder,
                              const char *where, struct params *params,
                              struct err *e) ERR_CHECKED;

/* ERR_INVALID where no bias makes the later heads start where the structure
 * wants them to. Once both are configured. */
enum err_code units_check_start(const struct layer *l, const char *where,
                                struct err *e) ERR_CHECKED;

/* Small positive biases, those of later heads such that they give what the
 * structure wants at the start; gains as the settings say. */
void units_start(struct layer *l);

/* z (B,n) = gain * f(a, b); h (B,n), where it is wanted, keeps f(a, b): with a
 * gain only. z may be a. n counts all heads: layer_outputs. */
void units_forward(const struct layer *l, float *z, float *h, const float *a,
                   size_t B, struct arena *scratch);

/* da (B,n) from dz (B,n), z and h as forward left them; adds the gradients of
 * bias and gain into grads, if that is not NULL. da may be dz. */
void units_backward(const struct layer *l, float *grads, float *da, float *dz,
                    const float *z, const float *h, size_t B,
                    struct arena *scratch);

/* Bytes of scratch that each of them may take. */
size_t units_scratch_bytes(const struct layer *l);

/* The value gain * f(a, b) for the graph's value a. */
int units_emit(const struct layer *l, struct graph *g, int a);

#endif
