/* Load: what the arguments that several commands share mean: MODEL, --data,
 * --split, --threads. The rows for their tables are here too, so that they read
 * the same everywhere; `args` is the command's struct with members of the
 * setting's name.
 */
#ifndef SPARSED_SERVER_LOAD_H
#define SPARSED_SERVER_LOAD_H

#include "lib/data/dataset.h"
#include "lib/model/model.h"
#include "lib/train/trainer.h"
#include "server/setting.h"

#include <stddef.h>

#define LOAD_DATA_SETTING(args)                                                \
    {                                                                          \
        .name = "data", .type = SETTING_TEXT, .offset = offsetof(args, data),  \
        .value = "PATH",                                                       \
        .help = "IDX folder, .npy, .npz, .csv, folder of class folders or of " \
                "photographs"                                                  \
    }

/* An int member, in the order of enum dataset_split. */
#define LOAD_SPLIT_SETTING(args)                                               \
    {                                                                          \
        .name = "split", .type = SETTING_CHOICE,                               \
        .offset = offsetof(args, split), .standard = "test", .value = "NAME",  \
        .help = "where the data has splits", .choices = (const char *const[])  \
        {                                                                      \
            "train", "test", NULL                                              \
        }                                                                      \
    }

#define LOAD_THREADS_SETTING(args)                                             \
    {                                                                          \
        .name = "threads", .type = SETTING_COUNT,                              \
        .offset = offsetof(args, threads), .min = 1, .max = TRAIN_MAX_THREADS, \
        .value = "N", .help = "by default one for each processor"              \
    }

/* The model of a file, a version folder or a model folder; the path of its
 * file into out. NULL: ERR_NOT_FOUND, ERR_CORRUPT, ERR_NO_MEMORY. */
struct model *load_model(const char *argument, char *out, size_t size,
                         struct err *e);

/* Rows in the shape, and labels in the classes, of the model. NULL as
 * dataset_load, or if a label is none of the classes. */
struct dataset *load_data(const struct model *m, const char *path, int split,
                          struct err *e);

/* Rows in the shape of the recipe's model, labels in the classes that it names;
 * of the training split cut as the recipe says, of the test split those that
 * `eval` measures, whatever the recipe. NULL as load_data. */
struct dataset *load_recipe_data(const struct recipe *r, const char *path,
                                 enum dataset_split split, struct err *e);

/* ERR_INVALID unless the model has that layer; SIZE_MAX becomes the top one. */
enum err_code load_layer(const struct model *m, size_t *layer, struct err *e)
    ERR_CHECKED;

#endif
