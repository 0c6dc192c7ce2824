/* Recipe: JSON that says what to build and how to train it.
 *
 *   {"data": "mnist", "seed": 1, "validation": 10000, "batch": 128,
 *    "classes": [...],                 optional names
 *    "model": { the config of the model file },
 *    "rates": {"decoder.weight": 1, ...}, "bounds": {...},  by name's ending
 *    "start": {"lean": 0.25, "samples": 2000},
 *    "phases": [{"name": "unsupervised", "epochs": 30,
 *                "weights": {"reconstruction": 1, "structure": 1,
 *                            "classification": 0, "adversarial": 0,
 *                            "adversarial_radius": 0},
 *                "optimiser": {"kind": "adam", "rate": 0.001, ...},
 *                "schedule": {"kind": "cosine", "warmup": 1},
 *                "train": ["layers.0"],   names' beginnings; all by default
 *                "patience": 0, "measure": "error"}]}
 *
 * Everything is checked when it is read; an unknown member is refused.
 */
#ifndef SPARSED_TRAIN_RECIPE_H
#define SPARSED_TRAIN_RECIPE_H

#include "lib/base/json.h"
#include "lib/train/loss.h"
#include "lib/train/optimiser.h"

#include <stdbool.h>
#include <stdint.h>

#define RECIPE_MAX_PHASES 16
#define RECIPE_MAX_POLICIES 32
#define RECIPE_MAX_NAMES 16

enum recipe_schedule { SCHEDULE_CONSTANT, SCHEDULE_COSINE, SCHEDULE_INVERSE };

/* What early stopping watches on the validation rows. */
enum recipe_measure { RECIPE_LOSS, RECIPE_ERROR };

struct recipe_phase {
    const char *name;
    size_t epochs;
    struct loss_weights weights;
    struct optimiser_settings optimiser;
    enum recipe_schedule schedule;
    double warmup_epochs;
    double decay; /* SCHEDULE_INVERSE: rate / (1 + decay * step) */
    const char *train[RECIPE_MAX_NAMES]; /* NULL at the end; none: all */
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
    const char *data;
    const struct json *model;
    uint64_t seed;
    size_t validation_rows;
    size_t batch;
    size_t n_classes; /* names given, 0: none */
    const char **classes;
    struct recipe_policy rates[RECIPE_MAX_POLICIES];
    size_t n_rates;
    struct recipe_policy bounds[RECIPE_MAX_POLICIES];
    size_t n_bounds;
    size_t start_samples;
    struct recipe_phase phases[RECIPE_MAX_PHASES];
    size_t n_phases;
};

/* NULL on error: ERR_NOT_FOUND, or ERR_INVALID naming the member. */
struct recipe *recipe_load(const char *path, struct err *e);
struct recipe *recipe_parse(const char *text, size_t length, struct err *e);
void recipe_free(struct recipe *r);

#endif
