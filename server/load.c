/* Load: find the file, then read it. */
#include "server/load.h"

#include "lib/model/model_file.h"
#include "lib/train/classes.h"

#include <stdint.h>
#include <string.h>

struct model *load_model(const char *argument, char *out, size_t size,
                         struct err *e)
{
    if (model_find_file(out, size, argument, e) != ERR_OK)
        return NULL;
    return model_load(out, e);
}

struct dataset *load_data(const struct model *m, const char *path, int split,
                          struct err *e)
{
    struct dataset_want want = {.split = split == DATASET_TRAIN ? DATASET_TRAIN
                                                                : DATASET_TEST,
                                .rank = m->input_rank};
    memcpy(want.shape, m->input_shape, sizeof m->input_shape);
    struct dataset *d = dataset_load(path, &want, e);
    if (d && m->classifier.present &&
        classes_match(d, (const char *const *)m->classes, m->classifier.classes,
                      e)) {
        err_wrap(e, "%s", path);
        dataset_free(d);
        return NULL;
    }
    return d;
}

struct dataset *load_recipe_data(const struct recipe *r, const char *path,
                                 enum dataset_split split, struct err *e)
{
    struct dataset_want want = {.split = split, .rank = r->input_rank};
    memcpy(want.shape, r->input_shape, sizeof r->input_shape);
    if (split == DATASET_TRAIN)
        want.patches = (struct dataset_patches){r->patches, r->seed};
    struct dataset *d = dataset_load(path, &want, e);
    if (d && r->n_classes && classes_match(d, r->classes, r->n_classes, e)) {
        err_wrap(e, "%s", path);
        dataset_free(d);
        return NULL;
    }
    return d;
}

enum err_code load_layer(const struct model *m, size_t *layer, struct err *e)
{
    if (*layer == SIZE_MAX)
        *layer = m->n_layers - 1;
    if (*layer >= m->n_layers)
        return err_set(e, ERR_INVALID,
                       "--layer: the model has layers 0 to %zu, not %zu",
                       m->n_layers - 1, *layer);
    return ERR_OK;
}
