/* What a step of preprocessing is: a table of functions, one const table a
 * file. preprocess.c lists them; nothing else knows this header.
 */
#ifndef SPARSED_MODEL_PREPROCESS_KIND_H
#define SPARSED_MODEL_PREPROCESS_KIND_H

#include "lib/model/preprocess.h"

struct preprocess_kind {
    const char *name;
    const char *const *settings; /* members beside "op" */
    bool scales;                 /* at most one step of a list does */
    bool learns;                 /* at most one step of a list does */
    bool mixes;                  /* numbers depend on several inputs */

    /* Reads settings, declares tensors for inputs of s->in. Optional. */
    enum err_code (*configure)(struct preprocess_step *s, const struct json *j,
                               const char *where, struct params *params,
                               struct err *e);
    /* Learns the tensors from rows x (n,m). Optional. */
    enum err_code (*start)(const struct preprocess_step *s, const float *x,
                           size_t n, size_t m, struct err *e);

    /* x (B,m) in place; a step that scales sets scale (B). */
    void (*apply)(const struct preprocess_step *s, float *x, float *scale,
                  size_t B, size_t m, struct arena *scratch);
    void (*undo)(const struct preprocess_step *s, float *x, const float *scale,
                 size_t B, size_t m, struct arena *scratch);
    /* Optional: none. */
    size_t (*scratch_bytes)(size_t B, size_t m);

    int (*emit)(const struct preprocess_step *s, struct graph *g, int x,
                int *scale);
    int (*emit_undo)(const struct preprocess_step *s, struct graph *g, int x,
                     int scale);
};

extern const struct preprocess_kind preprocess_whiten, preprocess_filter,
    preprocess_contrast;

#endif
