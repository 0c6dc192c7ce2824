/* Samples: posted inputs with or without a label, in batches; all or none of a
 * batch is kept.
 *
 * The number stored of one model is bounded. Over the bound the label with the
 * most stored samples gives one up. Which one is settled when a sample comes:
 * it draws a random number, and the largest goes first. So what is left of a
 * label is at any time a fair draw of all that came of it (bottom-k sampling,
 * the same as a reservoir: Vitter 1985), rare labels keep all they have, and
 * deleting upsets nothing. Unlabelled samples count as one more label here.
 * Room that a deletion makes is filled by what comes next, and given up first.
 *
 * Every SAMPLES_HELD_OUT_EVERYth sample of a label is held out for good: no
 * training sees it, all versions are compared on it. A sample whose first label
 * comes later is held out if the label lacks its share; only its input may have
 * been trained on before.
 */
#ifndef SPARSED_STORE_SAMPLES_H
#define SPARSED_STORE_SAMPLES_H

#include "lib/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SAMPLES_HELD_OUT_EVERY 5
#define SAMPLES_MAX_LABEL_BYTES 200 /* UTF-8, at least 1 */

struct database;

struct samples_limits {
    uint64_t max_samples; /* stored of one model */
    size_t max_labels;    /* different ones of one model */
};

struct samples_batch {
    const char *model;
    size_t n, size;            /* n rows of size numbers */
    const float *x;            /* (n, size) in the model's own input range */
    const char *const *labels; /* (n), each may be NULL; NULL: none has one */
    int64_t wall_ms;           /* when it came */
};

/* Keeps the batch; *batch and ids (n) get their numbers, from 1, never given
 * twice. ERR_SHAPE (rows of another size than are stored of the model: says
 * both), ERR_TOO_LARGE (labels: says how many there are and may be). */
enum err_code samples_add(struct database *db, const struct samples_batch *b,
                          const struct samples_limits *limits, int64_t *batch,
                          int64_t *ids, struct err *e) ERR_CHECKED;

/* Sets a sample's label (NULL: takes it away). ERR_NOT_FOUND: never there,
 * deleted or given up. ERR_TOO_LARGE as above. */
enum err_code samples_set_label(struct database *db, const char *model,
                                int64_t id, const char *label,
                                const struct samples_limits *limits,
                                struct err *e) ERR_CHECKED;

struct samples_filter {
    const char *label; /* NULL: any */
    bool unlabelled;   /* only those without one */
    int64_t batch;     /* 0: any */
};

/* Deletes what all set members of the filter fit, or everything of the model
 * with a zeroed one; *deleted counts what was stored. What was given up is
 * forgotten too where the filter is one label or everything. */
enum err_code samples_delete(struct database *db, const char *model,
                             const struct samples_filter *f, uint64_t *deleted,
                             struct err *e) ERR_CHECKED;

/* ---- reading ---- */

struct samples_counts {
    uint64_t total;      /* acknowledged, and not deleted by a client */
    uint64_t stored;     /* of those, still there */
    uint64_t evicted;    /* of those, given up for want of room */
    uint64_t accepted;   /* ever, deleted ones too: never falls */
    int64_t last_id;     /* 0: none */
    uint64_t unlabelled; /* stored */
    size_t n_labels;     /* by name */
    struct samples_label {
        char name[SAMPLES_MAX_LABEL_BYTES + 1];
        uint64_t stored, held_out;
    } * labels; /* freed with samples_counts_fini */
};

/* A model without samples has zeros. */
enum err_code samples_count(struct database *db, const char *model,
                            struct samples_counts *c, struct err *e)
    ERR_CHECKED;
void samples_counts_fini(struct samples_counts *c);

struct sample {
    int64_t id, batch;
    int64_t wall_ms;
    const char *label; /* NULL: none */
    bool held_out;
    size_t size;
    const float *x; /* (size) */
};

/* Calls `visit` with those that fit the filter and have id > after, by id, at
 * most `limit`; what it is given lives until it returns; false stops. */
enum err_code samples_each(struct database *db, const char *model,
                           const struct samples_filter *f, int64_t after,
                           size_t limit,
                           bool (*visit)(void *arg, const struct sample *s),
                           void *arg, struct err *e) ERR_CHECKED;

/* Calls `visit` with at most `per_label` samples of each label (and of those
 * without) with id <= last_id, a fair draw, the same one each time while
 * nothing is deleted or given up; in an order that depends on nothing else.
 * Held-out and other samples are drawn apart, per_label of each. */
enum err_code samples_draw(struct database *db, const char *model,
                           int64_t last_id, size_t per_label,
                           bool (*visit)(void *arg, const struct sample *s),
                           void *arg, struct err *e) ERR_CHECKED;

/* What is stored of each model, and what it ever had (samples_counts), from
 * one small row a model. */
enum err_code samples_totals(struct database *db,
                             bool (*visit)(void *arg, const char *model,
                                           uint64_t stored, uint64_t accepted),
                             void *arg, struct err *e) ERR_CHECKED;

/* Names of the models that have samples, by name. */
enum err_code samples_models(struct database *db,
                             bool (*visit)(void *arg, const char *model),
                             void *arg, struct err *e) ERR_CHECKED;

#endif
