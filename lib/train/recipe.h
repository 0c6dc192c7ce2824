/* Recipe: JSON that says what to build and how to train it.
 *
 *   {"data": "mnist", "seed": 1, "validation": 10000, "batch": 128,
 *    "labelled": 300,                  training rows that keep their label
 *    "classes": [...],                 optional names
 *    "patches": {"count": 100000},     training rows cut from photographs
 *    "model": { the config of the model file },
 *    "rates": {"decoder.weight": 1, ...}, "bounds": {...},  by name's ending
 *    "start": {"samples": 2000},       rows that starting values may lean on
 *    "tuning": true,                   it goes on from a model
 *    "prune": {"below": 0.0005},       at the end: units on in less than this
 *                                      share of the training rows go
 *    "rehearsal": {"rows": 1000},      rows of the data that the model's file
 *                                      keeps for later training (keep.h)
 *    "drop_decoders": true,            at the end: of all layers, or [indices]
 *    "phases": [{"name": "unsupervised", "epochs": 30,
 *                "rows": "all",           or those with a label: "labelled";
 *                                         or as many of each: "balanced"
 *                "per_label": 100,        how many, where balanced
 *                "distort": {"shift": 2, "rotate": 12, "scale": 0.12,
 *                            "shear": 0.2},   pictures (distort.h); by
 *                                         default they stay as they are
 *                "layers": [0],           whose own terms (reconstruction,
 *                                         structure, predict) count; all by
 *                                         default
 *                "weights": {"reconstruction": 1, "structure": 1,
 *                            "classification": 0, "adversarial": 0,
 *                            "adversarial_radius": 0, "predict": 0},
 *                "target": {"method": "fista"},   the solver's settings, where
 *                                  codes are to be predicted
 *                "optimiser": {"kind": "adam", "rate": 0.001,
 *                              "beta1": 0.9, "beta2": 0.999,
 *                              "epsilon": 1e-8, "clip": 0,
 *                              "project_every": 1},
 *                "schedule": {"kind": "cosine", "warmup": 1},
 *                "train": ["layers.0"],   names' beginnings; all by default
 *                "patience": 0, "measure": "loss"}]}
 *
 * The kind "sgd" has "momentum" instead of betas and epsilon; the schedule
 * "inverse" has "decay". Everything is checked when it is read, against the
 * model's own parameter table; an unknown member is refused.
 */
#ifndef SPARSED_TRAIN_RECIPE_H
#define SPARSED_TRAIN_RECIPE_H

#include "lib/base/json.h"
#include "lib/model/param.h"
#include "lib/train/distort.h"
#include "lib/train/loss.h"
#include "lib/train/optimiser.h"

#include <stdbool.h>
#include <stdint.h>

#define RECIPE_MAX_BYTES ((size_t)1 << 20)
#define RECIPE_MAX_SEED ((size_t)1 << 53)
#define RECIPE_MAX_PHASES 16
#define RECIPE_MAX_POLICIES 32
#define RECIPE_MAX_NAMES 16

/* Rows to rehearse and their bytes: where the recipe does not say, and at most.
 */
#define RECIPE_STANDARD_REHEARSAL 1000
#define RECIPE_STANDARD_REHEARSAL_BYTES ((size_t)512 << 10)
#define RECIPE_MAX_REHEARSAL_BYTES ((size_t)1 << 20)

/* What an epoch goes over: the training rows, those with a label, or as many of
 * each label, where rows without one count as one label more. */
enum recipe_rows { ROWS_ALL, ROWS_LABELLED, ROWS_BALANCED };

enum recipe_schedule { SCHEDULE_CONSTANT, SCHEDULE_COSINE, SCHEDULE_INVERSE };

/* What is watched on the validation rows: the phase's own loss, or the share
 * of rows in the wrong class (of equal ones, the smaller -log p). By default
 * the error where classification is learned, else the loss. */
enum recipe_measure { RECIPE_LOSS, RECIPE_ERROR };

struct recipe_phase {
    const char *name;
    size_t epochs;
    enum recipe_rows rows;
    size_t per_label; /* ROWS_BALANCED */
    struct distortion distortion;
    struct loss_weights weights;
    size_t reach; /* layers that it runs; the classifier counts as one more */
    struct optimiser_settings optimiser;
    enum recipe_schedule schedule;
    double warmup_epochs;
    double decay; /* SCHEDULE_INVERSE: rate / (1 + decay * step) */
    const char *train[RECIPE_MAX_NAMES + 1]; /* NULL at the end; none: all */
    size_t patience; /* epochs without a better measure; 0: no stopping */
    enum recipe_measure measure; /* the best epoch by it is kept */
};

/* A number for every parameter whose name ends so (after a dot or whole). */
struct recipe_policy {
    const char *ending;
    float value;
};

struct recipe {
    struct json *json; /* owns all texts below */
    uint64_t hash;     /* of the file's bytes */
    const char *data;  /* name of the data set, or NULL */
    const struct json *model;
    size_t input_rank, input_shape[3]; /* what the model takes */
    bool classifies;                   /* the model has a classifier */
    uint64_t seed;
    size_t validation_rows;
    size_t labelled_rows; /* of the others; 0: all that have a label */
    size_t batch;
    size_t patches;   /* 0: the recipe does not say */
    size_t n_classes; /* names given, 0: none */
    const char **classes;
    struct recipe_policy rates[RECIPE_MAX_POLICIES];
    size_t n_rates;
    struct recipe_policy bounds[RECIPE_MAX_POLICIES];
    size_t n_bounds;
    size_t start_samples;
    bool tuning; /* goes on from a model: nothing has starting values */
    size_t rehearsal_rows;  /* at most so many are kept; 0: none */
    size_t rehearsal_bytes; /* and at most in so many bytes */
    double prune_below;     /* share of the training rows; 0: no pruning */
    bool drop_decoders[MODEL_MAX_LAYERS];
    struct recipe_phase phases[RECIPE_MAX_PHASES];
    size_t n_phases;
};

/* NULL on error: ERR_NOT_FOUND, or ERR_INVALID naming the member. */
struct recipe *recipe_load(const char *path, struct err *e);
struct recipe *recipe_parse(const char *text, size_t length, struct err *e);
void recipe_free(struct recipe *r);

/* As if the recipe said "rehearsal": {"rows": rows}. */
void recipe_keep_rows(struct recipe *r, size_t rows);

/* Sets the rates and bounds of the table's rows; of several that suit a row
 * the last wins. ERR_INVALID for one that suits no row, or bounds a row that
 * has no bound. */
enum err_code recipe_set_policies(const struct recipe *r, struct params *params,
                                  struct err *e) ERR_CHECKED;

/* Whether the name of some row ends so. */
bool recipe_policy_suits(const char *ending, const struct params *params);

/* trained[i] (params->n): whether the phase changes row i: those whose names
 * begin so, of what it runs. */
void recipe_pick_trained(const struct recipe_phase *phase,
                         const struct params *params, bool *trained);

#endif
