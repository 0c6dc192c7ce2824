/* Models in safetensors files: the parameter table by name, and JSON texts in
 * the metadata.
 */
#include "lib/model/model_file.h"

#include "lib/base/buf.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/data/safetensors.h"
#include "lib/math/kernels.h"
#include "lib/model/structure/pools.h"

#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define FORMAT "sparsed"
#define MAX_VERSION_DIGITS 18
#define MAX_META_BYTES ((size_t)8 << 20)

/* Weights of groups are made anew from the config, perhaps by another exp(). */
static const float group_rounding = 1e-5f;

/* ---- reading ---- */

/* The JSON text of a metadata entry; *out NULL if there is none. */
static enum err_code read_meta(const struct safetensors *file, const char *key,
                               struct json **out, struct err *e)
{
    const char *text = safetensors_meta(file, key);
    *out = NULL;
    if (!text)
        return ERR_OK;
    *out = json_parse(text, strlen(text), e);
    if (!*out)
        return err_set(e, ERR_CORRUPT, "metadata \"%s\" is not JSON", key);
    return ERR_OK;
}

/* The class names as an array of texts owned by `json`. */
static const char **read_classes(const struct json *json, size_t *n,
                                 struct err *e)
{
    *n = json_count(json);
    if (!json_is_array(json) || *n > CLASSIFIER_MAX_CLASSES) {
        err_set(e, ERR_CORRUPT,
                "metadata \"classes\" must be an array of at most %d names",
                CLASSIFIER_MAX_CLASSES);
        return NULL;
    }
    const char **names = mem_array(*n, sizeof *names);
    if (!names) {
        err_set(e, ERR_NO_MEMORY, "class names");
        return NULL;
    }
    size_t i = 0;
    for (const struct json *c = json_first(json); c; c = json_next(c), i++) {
        if (!json_is_text(c)) {
            err_set(e, ERR_CORRUPT, "metadata \"classes\"[%zu]: not a text", i);
            mem_free(names);
            return NULL;
        }
        names[i] = json_text(c);
    }
    return names;
}

static struct model *read_composition(const struct safetensors *file,
                                      struct err *e)
{
    struct json *config = NULL, *classes = NULL;
    const char **names = NULL;
    struct model *m = NULL;
    size_t n = 0;
    const char *format = safetensors_meta(file, "format");
    if (!format || strcmp(format, FORMAT) != 0) {
        err_set(e, ERR_CORRUPT, "metadata \"format\" is not \"" FORMAT "\"");
        goto out;
    }
    if (read_meta(file, "config", &config, e) ||
        read_meta(file, "classes", &classes, e))
        goto out;
    if (!config) {
        err_set(e, ERR_CORRUPT, "metadata \"config\" is missing");
        goto out;
    }
    if (classes && !(names = read_classes(classes, &n, e)))
        goto out;
    m = model_new(config, names, n, e);
    if (!m)
        err_wrap(e, "config");
    if (m && (read_meta(file, "metrics", &m->metrics, e) ||
              read_meta(file, "lineage", &m->lineage, e))) {
        model_free(m);
        m = NULL;
    }
out:
    mem_free(names);
    json_free(config);
    json_free(classes);
    return m;
}

static enum err_code check_tensor(const struct param *p,
                                  const struct st_tensor *t, struct err *e)
{
    if (!t)
        return err_set(e, ERR_CORRUPT, "tensor %s is missing", p->name);
    bool same = t->type == ST_F32 && t->rank == p->rank;
    for (size_t i = 0; same && i < p->rank; i++)
        same = t->shape[i] == p->dims[i];
    if (!same)
        return err_set(e, ERR_CORRUPT,
                       "tensor %s has not the shape and type that the config "
                       "says",
                       p->name);
    if (!vec_finite(t->data, t->count))
        return err_set(e, ERR_CORRUPT, "tensor %s: not all numbers are finite",
                       p->name);
    return ERR_OK;
}

/* All is checked before anything is allocated: the file's own size bounds
 * what a config can ask for. */
static enum err_code read_params(const struct safetensors *file,
                                 struct model *m, struct err *e)
{
    for (size_t i = 0; i < m->params.n; i++) {
        const struct param *p = &m->params.list[i];
        if (check_tensor(p, safetensors_find(file, p->name), e))
            return e->code;
    }
    if (params_allocate(&m->params, e))
        return e->code;
    for (size_t i = 0; i < m->params.n; i++) {
        struct param *p = &m->params.list[i];
        memcpy(p->value, safetensors_find(file, p->name)->data,
               p->count * sizeof *p->value);
    }
    for (size_t i = 0; i < m->n_layers; i++) {
        const struct structure *s = &m->layers[i].structure;
        if (s->kind->check && s->kind->check(s, e))
            return e->code;
    }
    return ERR_OK;
}

/* ---- groups: not parameters, but shown in the file ---- */

enum { GROUP_TENSORS = 3 };

struct group_tensors {
    char names[GROUP_TENSORS][64];
    struct st_tensor tensors[GROUP_TENSORS];
};

/* The tensors that show the layer's groups; false if it has none. */
static bool show_groups(const struct layer *l, struct group_tensors *out)
{
    static const char *const parts[GROUP_TENSORS] = {"indptr", "indices",
                                                     "weights"};
    const struct structure *s = &l->structure;
    if (!s->kind->pools)
        return false;
    const struct pools *p = s->kind->pools(s);
    size_t entries = pools_entries(p);
    const struct st_tensor tensors[GROUP_TENSORS] = {
        {.type = ST_I64, .rank = 1, .shape = {p->n + 1}, .data = p->indptr},
        {.type = ST_I64, .rank = 1, .shape = {entries}, .data = p->indices},
        {.type = ST_F32, .rank = 1, .shape = {entries}, .data = p->weights},
    };
    for (size_t i = 0; i < GROUP_TENSORS; i++) {
        snprintf(out->names[i], sizeof out->names[i],
                 "layers.%zu.structure.groups.%s", l->index, parts[i]);
        out->tensors[i] = tensors[i];
        out->tensors[i].name = out->names[i];
    }
    return true;
}

static bool same_weights(const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(a[i] - b[i]) <= group_rounding * fabsf(a[i])))
            return false;
    return true;
}

/* The file must show the groups that its config makes. */
static enum err_code check_groups(const struct safetensors *file,
                                  const struct layer *l, struct err *e)
{
    struct group_tensors want;
    if (!show_groups(l, &want))
        return ERR_OK;
    for (size_t i = 0; i < GROUP_TENSORS; i++) {
        const struct st_tensor *w = &want.tensors[i];
        const struct st_tensor *have = safetensors_find(file, w->name);
        if (!have)
            return err_set(e, ERR_CORRUPT, "tensor %s is missing", w->name);
        bool same = have->type == w->type && have->rank == 1 &&
                    have->shape[0] == w->shape[0];
        if (same && w->type == ST_F32)
            same = same_weights(w->data, have->data, w->shape[0]);
        else if (same)
            same = memcmp(w->data, have->data, have->bytes) == 0;
        if (!same)
            return err_set(e, ERR_CORRUPT,
                           "tensor %s is not what the config says", w->name);
    }
    return ERR_OK;
}

struct model *model_load(const char *path, struct err *e)
{
    struct safetensors *file = safetensors_open(path, e);
    if (!file)
        return NULL;
    struct model *m = read_composition(file, e);
    enum err_code code = m ? read_params(file, m, e) : ERR_OK;
    for (size_t i = 0; m && !code && i < m->n_layers; i++)
        code = check_groups(file, &m->layers[i], e);
    if (code) {
        model_free(m);
        m = NULL;
    }
    safetensors_close(file);
    if (!m) {
        /* Whatever a config says wrong, for the caller the file is damaged. */
        if (e->code != ERR_NO_MEMORY)
            e->code = ERR_CORRUPT;
        err_wrap(e, "%s", path);
    }
    return m;
}

/* ---- writing ---- */

static enum err_code print_meta(struct buf *b, const struct json *j,
                                const char *key, struct st_meta *meta,
                                size_t *n, struct err *e)
{
    buf_init(b, MAX_META_BYTES);
    if (!j)
        return ERR_OK;
    json_print(b, j);
    if (buf_failed(b))
        return err_set(e, ERR_TOO_LARGE, "metadata \"%s\": over %zu bytes", key,
                       MAX_META_BYTES);
    meta[(*n)++] = (struct st_meta){.key = key, .value = b->data};
    return ERR_OK;
}

static struct json *classes_json(const struct model *m)
{
    struct json *list = json_new_array();
    for (size_t i = 0; i < m->classifier.classes; i++)
        json_add(list, json_new_text(m->classes[i]));
    return list;
}

static void fill_tensors(const struct params *params, struct st_tensor *tensors)
{
    for (size_t i = 0; i < params->n; i++) {
        const struct param *p = &params->list[i];
        tensors[i] = (struct st_tensor){
            .name = p->name, .type = ST_F32, .rank = p->rank, .data = p->value};
        memcpy(tensors[i].shape, p->dims, p->rank * sizeof *p->dims);
    }
}

enum err_code model_save(const struct model *m, const char *path, struct err *e)
{
    struct buf config = {0}, classes = {0}, metrics = {0}, lineage = {0};
    struct st_meta meta[5] = {{.key = "format", .value = FORMAT}};
    struct st_tensor tensors[PARAM_MAX + MODEL_MAX_LAYERS * GROUP_TENSORS];
    struct group_tensors groups[MODEL_MAX_LAYERS];
    size_t n = 1, n_tensors = m->params.n;
    struct json *names = m->classifier.present ? classes_json(m) : NULL;
    enum err_code code = ERR_OK;
    if (m->classifier.present && !names)
        code = err_set(e, ERR_NO_MEMORY, "class names");
    if (!code)
        code = print_meta(&config, m->config, "config", meta, &n, e);
    if (!code)
        code = print_meta(&classes, names, "classes", meta, &n, e);
    if (!code)
        code = print_meta(&metrics, m->metrics, "metrics", meta, &n, e);
    if (!code)
        code = print_meta(&lineage, m->lineage, "lineage", meta, &n, e);
    if (!code) {
        fill_tensors(&m->params, tensors);
        for (size_t i = 0; i < m->n_layers; i++) {
            if (!show_groups(&m->layers[i], &groups[i]))
                continue;
            memcpy(tensors + n_tensors, groups[i].tensors,
                   sizeof groups[i].tensors);
            n_tensors += GROUP_TENSORS;
        }
        code = safetensors_write(path, tensors, n_tensors, meta, n, e);
    }
    json_free(names);
    buf_fini(&config);
    buf_fini(&classes);
    buf_fini(&metrics);
    buf_fini(&lineage);
    return code;
}

/* ---- finding ---- */

uint64_t model_version_number(const char *name)
{
    uint64_t number = 0;
    size_t length = strlen(name);
    if (length > MAX_VERSION_DIGITS || name[0] == '0')
        return 0;
    for (size_t i = 0; i < length; i++) {
        if (name[i] < '0' || name[i] > '9')
            return 0;
        number = 10 * number + (uint64_t)(name[i] - '0');
    }
    return number;
}

static uint64_t highest_version(const char *folder)
{
    uint64_t best = 0;
    DIR *dir = opendir(folder);
    if (!dir)
        return 0;
    for (struct dirent *d = readdir(dir); d; d = readdir(dir)) {
        char file[4096];
        uint64_t number = model_version_number(d->d_name);
        int length = snprintf(file, sizeof file, "%s/%s/%s", folder, d->d_name,
                              MODEL_FILE_NAME);
        if (number > best && length < (int)sizeof file && file_is_regular(file))
            best = number;
    }
    closedir(dir);
    return best;
}

enum err_code model_find_file(char *out, size_t size, const char *argument,
                              struct err *e)
{
    if (!file_is_folder(argument)) {
        if ((size_t)snprintf(out, size, "%s", argument) >= size)
            return err_set(e, ERR_TOO_LARGE, "%s: path too long", argument);
        return ERR_OK;
    }
    if (file_join(out, size, argument, MODEL_FILE_NAME, e))
        return e->code;
    if (file_is_regular(out))
        return ERR_OK;
    uint64_t version = highest_version(argument);
    if (version == 0)
        return err_set(e, ERR_NOT_FOUND,
                       "%s: neither %s nor a version folder with one", argument,
                       MODEL_FILE_NAME);
    if ((size_t)snprintf(out, size, "%s/%" PRIu64 "/%s", argument, version,
                         MODEL_FILE_NAME) >= size)
        return err_set(e, ERR_TOO_LARGE, "%s: path too long", argument);
    return ERR_OK;
}
