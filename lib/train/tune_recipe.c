/* Writing a recipe as JSON, so that it is checked like any other, and its hash
 * says which run a checkpoint is of.
 */
#include "lib/train/tune_recipe.h"

#include "lib/train/distort.h"

#include <stdio.h>
#include <string.h>

/* Rows of an epoch, and of a label in it. */
#define EPOCH_ROWS 3000
#define LABEL_MOST 300
#define LABEL_LEAST 4

static const double standard_rate = 0.001;

/* Of the rate that the parent was trained at: where each row is always the
 * same, few of them are soon learned by heart. */
static const double rate_share = 0.3;

/* Pictures with labels are distorted where they are so large that it takes
 * nothing from them. There are then as many as one likes, which bear the
 * parent's whole rate, and classes may weigh more than they did for it. */
#define PICTURE_SIDE 16
static const double distorted_rate_share = 1, distorted_class_share = 2;
static const struct distortion distortion = {
    .shift = 2, .rotate = 12, .scale = 0.12, .shear = 0.2};

static double number_of(const struct json *j, const char *key, double standard)
{
    const struct json *value = json_get(j, key);
    return value && json_is_number(value) ? json_number(value) : standard;
}

/* ---- what the model has ---- */

static bool any_decoder(const struct model *m)
{
    bool any = false;
    for (size_t i = 0; i < m->n_layers; i++)
        any |= m->layers[i].dec.kind != NULL;
    return any;
}

static bool all_decoders(const struct model *m)
{
    bool all = true;
    for (size_t i = 0; i < m->n_layers; i++)
        all &= m->layers[i].dec.kind != NULL;
    return all;
}

static bool distorts(const struct model *m, const struct tune_rows *rows)
{
    return m->classifier.present && rows->labelled &&
           distort_suits(m, PICTURE_SIDE);
}

/* ---- the phase ---- */

static struct json *standard_phase(const struct model *m)
{
    struct json *phase = json_new_object(), *weights = json_new_object(),
                *optimiser = json_new_object();
    double unsupervised = any_decoder(m);
    json_set(weights, "reconstruction", json_new_number(unsupervised));
    json_set(weights, "structure", json_new_number(unsupervised));
    if (m->classifier.present)
        json_set(weights, "classification",
                 json_new_number(unsupervised > 0 ? 0.1 : 1));
    json_set(phase, "weights", weights);
    json_set(optimiser, "kind", json_new_text("adam"));
    json_set(optimiser, "rate", json_new_number(standard_rate));
    json_set(phase, "optimiser", optimiser);
    return phase;
}

/* The parent's terms, without those that the rows or the model give nothing
 * for. The adversarial term doubles the time and changes no error here
 * (docs/learning.md), so it only says how much classes weigh. */
static struct json *fit_weights(const struct json *given, const struct model *m,
                                const struct tune_rows *rows)
{
    static const char *const drawn[] = {"reconstruction", "structure",
                                        "predict"};
    struct json *weights = json_new_object();
    double classes = number_of(given, "classification", 0);
    if (classes <= 0)
        classes = number_of(given, "adversarial", 0);
    for (size_t i = 0; i < 3; i++)
        if (any_decoder(m) && number_of(given, drawn[i], 0) > 0)
            json_set(weights, drawn[i], json_copy(json_get(given, drawn[i])));
    if (distorts(m, rows))
        classes *= distorted_class_share;
    if (m->classifier.present && rows->labelled && classes > 0)
        json_set(weights, "classification", json_new_number(classes));
    return weights;
}

/* The layers whose own terms count: those of the parent's phase that still have
 * a decoder. NULL: all. */
static struct json *fit_layers(const struct json *given, const struct model *m)
{
    struct json *layers;
    if (!given && (all_decoders(m) || !any_decoder(m)))
        return NULL;
    layers = json_new_array();
    for (size_t i = 0; i < m->n_layers; i++) {
        bool counts = !given;
        for (const struct json *k = json_first(given); k; k = json_next(k))
            counts |= json_is_number(k) && json_number(k) == (double)i;
        if (counts && m->layers[i].dec.kind)
            json_add(layers, json_new_number((double)i));
    }
    return layers;
}

static struct json *distortion_json(void)
{
    struct json *j = json_new_object();
    json_set(j, "shift", json_new_number(distortion.shift));
    json_set(j, "rotate", json_new_number(distortion.rotate));
    json_set(j, "scale", json_new_number(distortion.scale));
    json_set(j, "shear", json_new_number(distortion.shear));
    return j;
}

static void set_rows(struct json *phase, const struct model *m,
                     const struct tune_rows *rows, size_t epochs)
{
    size_t labels = rows->n_old + rows->n_new + 1;
    size_t n = EPOCH_ROWS / labels;
    n = n > LABEL_MOST ? LABEL_MOST : n < LABEL_LEAST ? LABEL_LEAST : n;
    json_set(phase, "name", json_new_text("tuning"));
    json_set(phase, "epochs", json_new_number((double)epochs));
    json_set(phase, "rows", json_new_text("balanced"));
    json_set(phase, "per_label", json_new_number((double)n));
    if (distorts(m, rows))
        json_set(phase, "distort", distortion_json());
    else
        json_remove(phase, "distort");
    json_remove(phase, "patience");
    json_remove(phase, "measure");
}

static void set_rate(struct json *phase, const struct tune_options *options,
                     double share)
{
    struct json *optimiser = json_copy(json_get(phase, "optimiser")),
                *schedule = json_new_object();
    double rate = number_of(optimiser, "rate", standard_rate) * share;
    if (options->learning_rate > 0)
        rate = options->learning_rate;
    json_set(optimiser, "rate", json_new_number(rate));
    json_set(phase, "optimiser", optimiser);
    json_set(schedule, "kind", json_new_text("cosine"));
    json_set(schedule, "warmup", json_new_number(1));
    json_set(phase, "schedule", schedule);
}

static struct json *make_phase(const struct model *m,
                               const struct tune_rows *rows,
                               const struct tune_options *options, bool *learns)
{
    const struct json *given = json_get(m->training, "phase");
    struct json *phase = given ? json_copy(given) : standard_phase(m);
    struct json *weights = fit_weights(json_get(phase, "weights"), m, rows);
    struct json *layers = fit_layers(json_get(phase, "layers"), m);
    if (number_of(weights, "predict", 0) <= 0)
        json_remove(phase, "target");
    *learns = json_first(weights) != NULL;
    json_set(phase, "weights", weights);
    if (layers)
        json_set(phase, "layers", layers);
    set_rows(phase, m, rows, options->epochs ? options->epochs : TUNE_EPOCHS);
    set_rate(phase, options,
             distorts(m, rows) ? distorted_rate_share : rate_share);
    return phase;
}

/* ---- the whole ---- */

/* Those of the parent's policies that suit a parameter: decoders may have gone
 * since they were written. */
static struct json *fit_policies(const struct json *given,
                                 const struct params *params)
{
    struct json *policies = json_new_object();
    for (const struct json *p = json_first(given); p; p = json_next(p)) {
        if (recipe_policy_suits(json_key(p), params))
            json_set(policies, json_key(p), json_copy(p));
    }
    return policies;
}

static struct json *make_recipe(const struct model *m,
                                const struct tune_rows *rows,
                                const struct tune_options *options,
                                bool *learns)
{
    struct json *j = json_new_object(), *phases = json_new_array();
    const struct json *batch = json_get(m->training, "batch");
    if (batch)
        json_set(j, "batch", json_copy(batch));
    if (rows->n_old > 0) {
        struct json *names = json_new_array();
        for (size_t i = 0; i < rows->n_old + rows->n_new; i++)
            json_add(names, json_new_text(rows->names[i]));
        json_set(j, "classes", names);
    }
    json_set(j, "tuning", json_new_bool(true));
    json_set(j, "model", json_copy(m->config));
    json_set(j, "rates",
             fit_policies(json_get(m->training, "rates"), &m->params));
    json_set(j, "bounds",
             fit_policies(json_get(m->training, "bounds"), &m->params));
    json_add(phases, make_phase(m, rows, options, learns));
    json_set(j, "phases", phases);
    return j;
}

static struct recipe *parse(const struct json *j, struct err *e)
{
    struct recipe *r = NULL;
    struct buf text;
    buf_init(&text, SIZE_MAX / 4);
    json_print(&text, j);
    if (buf_failed(&text))
        err_set(e, ERR_NO_MEMORY, "recipe");
    else
        r = recipe_parse(text.data, text.length, e);
    if (!r && e->code == ERR_INVALID)
        e->code = ERR_CORRUPT;
    buf_fini(&text);
    return r;
}

struct recipe *tune_recipe(const struct model *parent,
                           const struct tune_rows *rows,
                           const struct tune_options *options, struct err *e)
{
    bool learns;
    struct recipe *r = NULL;
    struct json *j = make_recipe(parent, rows, options, &learns);
    if (!json_whole(j))
        err_set(e, ERR_NO_MEMORY, "recipe");
    else if (!learns)
        err_set(e, ERR_SHAPE,
                "nothing to learn from: of %zu rows to train on none has a "
                "label, and the model has no decoder",
                rows->n_training);
    else if (!(r = parse(j, e)))
        err_wrap(e, "the model's \"training\"");
    json_free(j);
    return r;
}
