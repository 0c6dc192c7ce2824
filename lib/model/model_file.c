/* Models in safetensors files: the parameter table by name, rows to rehearse,
 * and JSON texts in the metadata.
 */
#include "lib/model/model_file.h"

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/data/safetensors.h"
#include "lib/math/kernels.h"
#include "lib/model/structure/pools.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define FORMAT "sparsed"
#define MAX_META_BYTES ((size_t)8 << 20)
#define MAX_META 6
#define MAX_TENSORS                                                            \
    (PARAM_MAX + MODEL_MAX_LAYERS * GROUP_TENSORS + REHEARSAL_TENSORS)

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

static enum err_code read_facts(const struct safetensors *file, struct model *m,
                                struct err *e)
{
    if (read_meta(file, "metrics", &m->metrics, e) ||
        read_meta(file, "lineage", &m->lineage, e) ||
        read_meta(file, "training", &m->training, e))
        return e->code;
    if (m->training && !json_is_object(m->training))
        return err_set(e, ERR_CORRUPT,
                       "metadata \"training\" must be an object");
    return ERR_OK;
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
    if (m && read_facts(file, m, e)) {
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

/* ---- rehearsal: rows of the model's own shape ---- */

enum { REHEARSAL_TENSORS = 3 };

static const char *const rehearsal_names[REHEARSAL_TENSORS] = {
    "rehearsal.inputs", "rehearsal.labels", "rehearsal.held_out"};

/* As the file shows the rows of r, for a model of m's composition. */
static void show_rehearsal(const struct model *m, const struct rehearsal *r,
                           struct st_tensor *out)
{
    out[0] = (struct st_tensor){
        .type = ST_U8, .rank = 1 + m->input_rank, .data = r->inputs};
    out[1] = (struct st_tensor){.type = ST_I32, .rank = 1, .data = r->labels};
    out[2] = (struct st_tensor){.type = ST_U8, .rank = 1, .data = r->held_out};
    memcpy(out[0].shape + 1, m->input_shape,
           m->input_rank * sizeof *m->input_shape);
    for (size_t i = 0; i < REHEARSAL_TENSORS; i++) {
        out[i].name = rehearsal_names[i];
        out[i].shape[0] = r->n;
    }
}

/* Finds the three tensors, all of *n rows; *n is 0 if there is none of them. */
static enum err_code find_rehearsal(const struct safetensors *file,
                                    const struct model *m,
                                    const struct st_tensor **found, size_t *n,
                                    struct err *e)
{
    struct rehearsal rows = {0};
    struct st_tensor want[REHEARSAL_TENSORS];
    *n = 0;
    for (size_t i = 0; i < REHEARSAL_TENSORS; i++) {
        found[i] = safetensors_find(file, rehearsal_names[i]);
        if (found[i] && found[i]->rank > 0)
            rows.n = found[i]->shape[0];
    }
    if (!found[0] && !found[1] && !found[2])
        return ERR_OK;
    if (rows.n < 1 || rows.n > REHEARSAL_MAX_ROWS)
        return err_set(e, ERR_CORRUPT, "rehearsal: %zu rows, must be 1 to %zu",
                       rows.n, REHEARSAL_MAX_ROWS);
    show_rehearsal(m, &rows, want);
    for (size_t i = 0; i < REHEARSAL_TENSORS; i++) {
        const struct st_tensor *w = &want[i], *have = found[i];
        if (!have)
            return err_set(e, ERR_CORRUPT, "tensor %s is missing", w->name);
        if (have->type != w->type || have->rank != w->rank ||
            memcmp(have->shape, w->shape, w->rank * sizeof *w->shape) != 0)
            return err_set(e, ERR_CORRUPT,
                           "tensor %s has not the type, the model's input "
                           "shape, or as many rows as the others",
                           w->name);
    }
    *n = rows.n;
    return ERR_OK;
}

static enum err_code check_rehearsal(const struct model *m,
                                     const int32_t *labels,
                                     const uint8_t *held_out, size_t n,
                                     struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        if (labels[i] < -1 ||
            (labels[i] >= 0 && (size_t)labels[i] >= m->classifier.classes))
            return err_set(e, ERR_CORRUPT,
                           "tensor rehearsal.labels[%zu]: %d is none of %zu "
                           "classes, nor -1",
                           i, (int)labels[i], m->classifier.classes);
        if (held_out[i] > 1)
            return err_set(e, ERR_CORRUPT,
                           "tensor rehearsal.held_out[%zu]: %d is not 0 or 1",
                           i, held_out[i]);
    }
    return ERR_OK;
}

static enum err_code read_rehearsal(const struct safetensors *file,
                                    struct model *m, struct err *e)
{
    const struct st_tensor *found[REHEARSAL_TENSORS];
    struct rehearsal *r = &m->rehearsal;
    size_t n;
    if (find_rehearsal(file, m, found, &n, e))
        return e->code;
    if (n == 0)
        return ERR_OK;
    if (check_rehearsal(m, found[1]->data, found[2]->data, n, e) ||
        rehearsal_init(r, n, model_inputs(m), e))
        return e->code;
    memcpy(r->inputs, found[0]->data, found[0]->bytes);
    memcpy(r->labels, found[1]->data, found[1]->bytes);
    memcpy(r->held_out, found[2]->data, found[2]->bytes);
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
    if (m && !code)
        code = read_rehearsal(file, m, e);
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

static struct json *classes_json(const struct model *m)
{
    struct json *list = json_new_array();
    for (size_t i = 0; i < m->classifier.classes; i++)
        json_add(list, json_new_text(m->classes[i]));
    return list;
}

static size_t fill_params(const struct model *m, struct st_tensor *out)
{
    for (size_t i = 0; i < m->params.n; i++) {
        const struct param *p = &m->params.list[i];
        out[i] = (struct st_tensor){
            .name = p->name, .type = ST_F32, .rank = p->rank, .data = p->value};
        memcpy(out[i].shape, p->dims, p->rank * sizeof *p->dims);
    }
    return m->params.n;
}

/* How many; their names lie in `groups`. */
static size_t fill_tensors(const struct model *m, struct group_tensors *groups,
                           struct st_tensor *out)
{
    size_t n = fill_params(m, out);
    for (size_t i = 0; i < m->n_layers; i++) {
        if (!show_groups(&m->layers[i], &groups[i]))
            continue;
        memcpy(out + n, groups[i].tensors, sizeof groups[i].tensors);
        n += GROUP_TENSORS;
    }
    if (m->rehearsal.n > 0) {
        show_rehearsal(m, &m->rehearsal, out + n);
        n += REHEARSAL_TENSORS;
    }
    return n;
}

/* Texts of the metadata. */
struct meta_texts {
    struct buf text[MAX_META];
    struct st_meta list[MAX_META];
    size_t n;
};

static enum err_code add_meta(struct meta_texts *t, const char *key,
                              const struct json *j, struct err *e)
{
    struct buf *b = &t->text[t->n];
    if (!j)
        return ERR_OK;
    buf_init(b, MAX_META_BYTES);
    json_print(b, j);
    t->list[t->n++] = (struct st_meta){.key = key, .value = b->data};
    if (buf_failed(b))
        return err_set(e, ERR_TOO_LARGE, "metadata \"%s\": over %zu bytes", key,
                       MAX_META_BYTES);
    return ERR_OK;
}

static enum err_code print_meta(struct meta_texts *t, const struct model *m,
                                const struct json *classes, struct err *e)
{
    t->list[t->n++] = (struct st_meta){.key = "format", .value = FORMAT};
    if (add_meta(t, "config", m->config, e) ||
        add_meta(t, "classes", classes, e) ||
        add_meta(t, "metrics", m->metrics, e) ||
        add_meta(t, "lineage", m->lineage, e) ||
        add_meta(t, "training", m->training, e))
        return e->code;
    return ERR_OK;
}

static void meta_fini(struct meta_texts *t)
{
    for (size_t i = 0; i < MAX_META; i++)
        buf_fini(&t->text[i]);
}

enum err_code model_save(const struct model *m, const char *path, struct err *e)
{
    struct meta_texts meta = {0};
    struct st_tensor tensors[MAX_TENSORS];
    struct group_tensors groups[MODEL_MAX_LAYERS];
    struct json *classes = m->classifier.present ? classes_json(m) : NULL;
    enum err_code code = ERR_OK;
    if (m->classifier.present && !classes)
        code = err_set(e, ERR_NO_MEMORY, "class names");
    if (!code)
        code = print_meta(&meta, m, classes, e);
    if (!code)
        code =
            safetensors_write(path, tensors, fill_tensors(m, groups, tensors),
                              meta.list, meta.n, e);
    json_free(classes);
    meta_fini(&meta);
    return code;
}
