/* Reading recipes: every member has a type, a range and a default here. */
#include "lib/train/recipe.h"

#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/data/dataset.h"
#include "lib/model/model.h"
#include "lib/model/prune.h"
#include "lib/train/recipe_phase.h"
#include "lib/train/recipe_scope.h"

#include <string.h>

#define MAX_BATCH 65536
#define MAX_SAMPLES 100000

static enum err_code read_classes(struct recipe *r, const struct json *j,
                                  struct err *e)
{
    if (!j)
        return ERR_OK;
    r->n_classes = json_count(j);
    if (!json_is_array(j) || r->n_classes < 2 ||
        r->n_classes > CLASSIFIER_MAX_CLASSES)
        return err_set(e, ERR_INVALID,
                       "classes: must be an array of 2 to %d names",
                       CLASSIFIER_MAX_CLASSES);
    r->classes = mem_array(r->n_classes, sizeof *r->classes);
    if (!r->classes)
        return err_set(e, ERR_NO_MEMORY, "class names");
    size_t i = 0;
    for (const struct json *c = json_first(j); c; c = json_next(c), i++) {
        if (!json_is_text(c))
            return err_set(e, ERR_INVALID, "classes[%zu]: must be a text", i);
        r->classes[i] = json_text(c);
    }
    return ERR_OK;
}

static enum err_code read_patches(struct recipe *r, const struct json *j,
                                  struct err *e)
{
    static const char *const known[] = {"count", NULL};
    if (!j)
        return ERR_OK;
    if (json_only(j, "patches", known, e) ||
        json_get_size(j, "patches", "count", 1, DATASET_MAX_PATCHES,
                      &r->patches, e))
        return e->code;
    return r->patches ? ERR_OK
                      : err_set(e, ERR_INVALID, "patches.count: missing");
}

static enum err_code read_policies(struct recipe_policy *list, size_t *n,
                                   const struct json *j, const char *where,
                                   double min, struct err *e)
{
    for (const struct json *m = json_first(j); m; m = json_next(m)) {
        double value = -1;
        if (*n == RECIPE_MAX_POLICIES)
            return err_set(e, ERR_INVALID, "%s: at most %d members", where,
                           RECIPE_MAX_POLICIES);
        if (json_get_number(j, where, json_key(m), min, 1e6, &value, e))
            return e->code;
        if (value < 0)
            return err_set(e, ERR_INVALID, "%s.%s: must be a number", where,
                           json_key(m));
        list[(*n)++] = (struct recipe_policy){.ending = json_key(m),
                                              .value = (float)value};
    }
    return ERR_OK;
}

static enum err_code read_start(struct recipe *r, const struct json *j,
                                struct err *e)
{
    static const char *const known[] = {"samples", NULL};
    const struct json *start;
    r->start_samples = 2000;
    if (recipe_get_object(j, "", "start", &start, e))
        return e->code;
    if (start && (json_only(start, "start", known, e) ||
                  json_get_size(start, "start", "samples", 0, MAX_SAMPLES,
                                &r->start_samples, e)))
        return e->code;
    return ERR_OK;
}

static enum err_code read_prune(struct recipe *r, const struct json *j,
                                struct err *e)
{
    static const char *const known[] = {"below", NULL};
    const struct json *prune;
    if (recipe_get_object(j, "", "prune", &prune, e))
        return e->code;
    if (!prune)
        return ERR_OK;
    if (json_only(prune, "prune", known, e) ||
        json_get_number(prune, "prune", "below", 1e-9, 1, &r->prune_below, e))
        return e->code;
    if (r->prune_below == 0)
        return err_set(e, ERR_INVALID, "prune.below: missing");
    return ERR_OK;
}

static enum err_code read_rehearsal(struct recipe *r, const struct json *j,
                                    struct err *e)
{
    static const char *const known[] = {"rows", NULL};
    const struct json *rehearsal;
    r->rehearsal_rows = RECIPE_STANDARD_REHEARSAL;
    r->rehearsal_bytes = RECIPE_STANDARD_REHEARSAL_BYTES;
    if (recipe_get_object(j, "", "rehearsal", &rehearsal, e))
        return e->code;
    if (!rehearsal)
        return ERR_OK;
    if (json_only(rehearsal, "rehearsal", known, e) ||
        json_get_size(rehearsal, "rehearsal", "rows", 0, REHEARSAL_MAX_ROWS,
                      &r->rehearsal_rows, e))
        return e->code;
    if (!json_get(rehearsal, "rows"))
        return err_set(e, ERR_INVALID, "rehearsal.rows: missing");
    recipe_keep_rows(r, r->rehearsal_rows);
    return ERR_OK;
}

/* The composition is made once here, so that a recipe that cannot work is
 * refused before any data is read. How many classes there are may be known
 * only by the data. */
static struct model *make_model(struct recipe *r, struct err *e)
{
    struct model *m =
        model_new(r->model, r->classes, r->n_classes ? r->n_classes : 2, e);
    if (!m) {
        err_wrap(e, "model");
        return NULL;
    }
    r->input_rank = m->input_rank;
    memcpy(r->input_shape, m->input_shape, sizeof r->input_shape);
    r->classifies = m->classifier.present;
    return m;
}

static enum err_code check_prunable(const struct recipe *r,
                                    const struct model *m, struct err *e)
{
    if (r->prune_below == 0 || !model_check_prunable(m, e))
        return ERR_OK;
    if (e->code == ERR_CONFLICT)
        e->code = ERR_INVALID;
    return err_wrap(e, "prune");
}

/* An encoder that infers through the decoder keeps it. */
static enum err_code drop_decoder(struct recipe *r, const struct model *m,
                                  size_t layer, struct err *e)
{
    const struct layer *l = &m->layers[layer];
    if (!l->dec.kind)
        return err_set(e, ERR_INVALID,
                       "drop_decoders: layers[%zu] has no decoder", layer);
    if (l->encoder.kind->decodes)
        return err_set(e, ERR_INVALID,
                       "drop_decoders: layers[%zu]: encoder \"%s\" infers "
                       "through the decoder",
                       layer, l->encoder.kind->name);
    r->drop_decoders[layer] = true;
    return ERR_OK;
}

static enum err_code read_drops(struct recipe *r, const struct json *j,
                                const struct model *m, struct err *e)
{
    bool all = json_is_bool(j) && json_bool(j);
    if (j && !json_is_bool(j) && !json_is_array(j))
        return err_set(e, ERR_INVALID,
                       "drop_decoders: must be true or an array of layers' "
                       "indices");
    for (size_t i = 0; all && i < m->n_layers; i++)
        if (m->layers[i].dec.kind && drop_decoder(r, m, i, e))
            return e->code;
    for (const struct json *i = json_first(j); i; i = json_next(i)) {
        size_t layer = 0;
        if (recipe_layer_index(i, m, "drop_decoders", &layer, e) ||
            drop_decoder(r, m, layer, e))
            return e->code;
    }
    return ERR_OK;
}

static enum err_code check_model(struct recipe *r, struct err *e)
{
    struct model *m = make_model(r, e);
    if (!m)
        return e->code;
    enum err_code code = check_prunable(r, m, e);
    if (!code)
        code = recipe_set_policies(r, &m->params, e);
    if (!code)
        code = read_drops(r, json_get(r->json, "drop_decoders"), m, e);
    if (!code)
        code = recipe_read_phases(r, json_get(r->json, "phases"), m, e);
    model_free(m);
    return code;
}

static enum err_code read_recipe(struct recipe *r, struct err *e)
{
    static const char *const known[] = {
        "data",    "seed",    "validation", "labelled",      "batch",
        "classes", "patches", "model",      "rates",         "bounds",
        "start",   "prune",   "phases",     "drop_decoders", "rehearsal",
        "tuning",  NULL};
    const struct json *j = r->json, *patches, *rates, *bounds;
    size_t seed = 1;
    r->batch = 128;
    if (!json_is_object(j))
        return err_set(e, ERR_INVALID, "recipe: must be an object");
    if (json_only(j, "", known, e) ||
        json_get_text(j, "", "data", &r->data, e) ||
        json_get_size(j, "", "seed", 0, RECIPE_MAX_SEED, &seed, e) ||
        json_get_size(j, "", "validation", 0, (size_t)1 << 32,
                      &r->validation_rows, e) ||
        json_get_bool(j, "", "tuning", &r->tuning, e) ||
        json_get_size(j, "", "labelled", 1, (size_t)1 << 32, &r->labelled_rows,
                      e) ||
        json_get_size(j, "", "batch", 1, MAX_BATCH, &r->batch, e) ||
        read_classes(r, json_get(j, "classes"), e) ||
        recipe_get_object(j, "", "patches", &patches, e) ||
        read_patches(r, patches, e) ||
        recipe_get_object(j, "", "model", &r->model, e) ||
        recipe_get_object(j, "", "rates", &rates, e) ||
        recipe_get_object(j, "", "bounds", &bounds, e) ||
        read_policies(r->rates, &r->n_rates, rates, "rates", 0, e) ||
        read_policies(r->bounds, &r->n_bounds, bounds, "bounds", 1e-9, e) ||
        read_start(r, j, e) || read_prune(r, j, e) || read_rehearsal(r, j, e))
        return e->code;
    r->seed = seed;
    if (!r->model)
        return err_set(e, ERR_INVALID, "model: missing");
    return check_model(r, e);
}

struct recipe *recipe_parse(const char *text, size_t length, struct err *e)
{
    struct recipe *r = mem_array(1, sizeof *r);
    if (!r) {
        err_set(e, ERR_NO_MEMORY, "recipe");
        return NULL;
    }
    r->hash = file_hash(FILE_HASH_START, text, length);
    r->json = json_parse(text, length, e);
    if (!r->json || read_recipe(r, e)) {
        recipe_free(r);
        return NULL;
    }
    return r;
}

struct recipe *recipe_load(const char *path, struct err *e)
{
    size_t length;
    char *text = file_read(path, RECIPE_MAX_BYTES, &length, e);
    if (!text)
        return NULL;
    struct recipe *r = recipe_parse(text, length, e);
    if (!r)
        err_wrap(e, "%s", path);
    mem_free(text);
    return r;
}

void recipe_keep_rows(struct recipe *r, size_t rows)
{
    r->rehearsal_rows = rows;
    r->rehearsal_bytes = RECIPE_MAX_REHEARSAL_BYTES;
}

void recipe_free(struct recipe *r)
{
    if (!r)
        return;
    mem_free(r->classes);
    json_free(r->json);
    mem_free(r);
}

/* ---- on a parameter table ---- */

static bool ends(const char *name, const char *ending)
{
    size_t a = strlen(name), b = strlen(ending);
    return b > 0 && a >= b && strcmp(name + a - b, ending) == 0 &&
           (a == b || name[a - b - 1] == '.');
}

bool recipe_policy_suits(const char *ending, const struct params *params)
{
    for (size_t i = 0; i < params->n; i++)
        if (ends(params->list[i].name, ending))
            return true;
    return false;
}

static enum err_code set_rate(const struct recipe_policy *policy,
                              struct params *params, struct err *e)
{
    size_t found = 0;
    for (size_t i = 0; i < params->n; i++)
        if (ends(params->list[i].name, policy->ending)) {
            params->list[i].rate = policy->value;
            found++;
        }
    if (found == 0)
        return err_set(e, ERR_INVALID, "rates.%s: no parameter's name ends so",
                       policy->ending);
    return ERR_OK;
}

static enum err_code set_bound(const struct recipe_policy *policy,
                               struct params *params, struct err *e)
{
    size_t found = 0;
    for (size_t i = 0; i < params->n; i++) {
        if (!ends(params->list[i].name, policy->ending))
            continue;
        if (!params->list[i].project)
            return err_set(e, ERR_INVALID, "bounds.%s: %s has no bound",
                           policy->ending, params->list[i].name);
        params->list[i].bound = policy->value;
        found++;
    }
    if (found == 0)
        return err_set(e, ERR_INVALID, "bounds.%s: no parameter's name ends so",
                       policy->ending);
    return ERR_OK;
}

enum err_code recipe_set_policies(const struct recipe *r, struct params *params,
                                  struct err *e)
{
    for (size_t i = 0; i < r->n_rates; i++)
        if (set_rate(&r->rates[i], params, e))
            return e->code;
    for (size_t i = 0; i < r->n_bounds; i++)
        if (set_bound(&r->bounds[i], params, e))
            return e->code;
    return ERR_OK;
}
