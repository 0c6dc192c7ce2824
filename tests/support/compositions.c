/* Compositions: operator x encoder x structure x what the classifier reads, and
 * stacks of two layers. The first operator with the first structure also meets
 * every nonlinearity with and without gain, where the encoder has them; the
 * others meet each nonlinearity once, so that the number stays small. */
#include "tests/support/compositions.h"

#include "lib/model/axes.h"

#include <assert.h>
#include <check.h>
#include <stdio.h>
#include <string.h>

/* Settings that a value needs; the others have defaults. A structure that
 * stands there several times is met with each. */
static const struct {
    const char *name, *settings;
} settings[] = {
    {"dense", ",\"units\":8"},
    {"conv2d", ",\"maps\":3,\"kernel\":[2,3],\"padding\":1"},
    {"local2d", ",\"kernel\":2,\"padding\":1,\"period\":[2,4]"},
    {"recurrent", ",\"steps\":3"},
    {"iterative", ",\"steps\":1000,\"tolerance\":1e-6"},
    {"l1", ",\"lambda\":0.05"},
    {"groups", ",\"lambda\":0.05,\"lists\":[[0,1,2],[2,3,4],[6,4,1]],"
               "\"weights\":[[1,2,0.5],[1,1,1],[0.7,0.2,1]]"},
    {"groups", ",\"lambda\":0.05,\"window\":{\"maps\":3,\"maps_stride\":2}"},
    {"groups", ",\"lambda\":0.05,\"window\":{\"size\":2,\"sigma\":1}"},
    {"groups", ",\"lambda\":0.05,\"window\":{\"size\":2,\"stride\":2}"},
    {"tree", ",\"lambda\":0.05,\"parents\":[-1,0,0,1,1,-1,5,3],"
             "\"weights\":[1,1,0.5,1,2,1,1,1.5]"},
    {"lateral", ",\"lambda\":0.05,\"strength\":0.3,\"pattern\":\"ring\","
                "\"near\":1,\"far\":3,\"learned\":true,\"bound\":1"},
    {"gaussian", ",\"lambda\":0.05"},
};

enum { SETTINGS = sizeof settings / sizeof settings[0] };

/* The n-th of its settings; NULL past the last. */
static const char *settings_of(const char *name, size_t n)
{
    size_t seen = 0;
    for (size_t i = 0; i < SETTINGS; i++)
        if (strcmp(settings[i].name, name) == 0 && seen++ == n)
            return settings[i].settings;
    return seen == 0 && n == 0 ? "" : NULL;
}

struct choice {
    const struct operator_kind *op;
    const struct encoder_kind *encoder;
    const struct structure_kind *structure;
    const char *settings;         /* of the structure */
    const struct nonlinearity *f; /* NULL: the encoder has none */
    bool gain, pooled, stacked;
};

static bool takes(const struct encoder_kind *encoder, const char *setting)
{
    for (size_t i = 0; encoder->settings[i]; i++)
        if (strcmp(encoder->settings[i], setting) == 0)
            return true;
    return false;
}

/* The nonlinearities that suit the structure, into list; how many. */
static size_t suitable(const struct nonlinearity *list[8],
                       const struct structure_kind *structure)
{
    size_t n = 0;
    for (size_t i = 0; nonlinearities[i]; i++)
        if (structure->heads == 1 || nonlinearities[i]->onto)
            list[n++] = nonlinearities[i];
    return n;
}

/* What the i-th composition of these kinds is; false past the last. */
static bool vary(size_t i, struct choice *c, bool all)
{
    const struct nonlinearity *list[8];
    size_t n_f = suitable(list, c->structure), variant = i / 4;
    size_t n_gain = takes(c->encoder, "gain") ? 2 : 1;
    bool has_f = takes(c->encoder, "nonlinearity");
    c->pooled = (i & 1) != 0;
    c->stacked = (i & 2) != 0;
    if (!all) {
        /* Not in step with the rest, where there are but two. */
        c->f = has_f ? list[(i ^ i / 2) % n_f] : NULL;
        c->gain = n_gain == 2 && c->stacked;
        return variant < 1;
    }
    c->f = has_f ? list[variant / n_gain % n_f] : NULL;
    c->gain = variant % n_gain == 1;
    return variant < (has_f ? n_f : 1) * n_gain;
}

/* The composition's text, good until the next one's. */
static const char *write(const struct choice *c)
{
    static char text[1024];
    char layer[400], net[80] = "";
    if (c->f)
        snprintf(net, sizeof net, ",\"nonlinearity\":\"%s\",\"gain\":%s",
                 c->f->name, c->gain ? "true" : "false");
    snprintf(layer, sizeof layer,
             "{\"operator\":\"%s\"%s,\"encoder\":{\"kind\":\"%s\"%s%s},"
             "\"structure\":{\"kind\":\"%s\"%s},\"up\":\"%s\"}",
             c->op->name, settings_of(c->op->name, 0), c->encoder->name,
             settings_of(c->encoder->name, 0), net, c->structure->name,
             c->settings, c->pooled ? "pooled" : "code");
    snprintf(text, sizeof text,
             "{\"input\":{\"shape\":[2,3],\"range\":[0,1]},"
             "\"preprocess\":[{\"op\":\"unit_norm\"}],"
             "\"layers\":[%s%s%s],\"classifier\":{\"input\":\"%s\"}}",
             layer, c->stacked ? "," : "", c->stacked ? layer : "",
             c->pooled ? "pooled" : "code");
    return text;
}

/* What the axes may refuse of the first layer. */
static bool compatible(const struct choice *c, const struct json *config)
{
    struct err e;
    const struct json *layer = json_first(json_get(config, "layers"));
    const struct structure_kind *structure = c->structure;
    if (structure->variant)
        structure = structure->variant(json_get(layer, "structure"));
    return !axes_compatible(c->op, c->encoder, structure, true, &e);
}

/* Whether the layer takes them together: it refuses structures that name single
 * units where units share their weights, windows over space where the code is
 * no picture, and encoders that take one atom at a time from operators that do
 * not give it. Other refusals are faults, which the test that makes the model
 * shows. */
static bool allowed(struct choice *c)
{
    struct err e;
    vary(0, c, false);
    const char *text = write(c);
    struct json *j = json_parse(text, strlen(text), &e);
    bool go = j && compatible(c, j);
    struct model *m = go ? model_new(j, NULL, COMPOSITION_CLASSES, &e) : NULL;
    bool refused = go && !m &&
                   (strstr(e.msg, "names single units") ||
                    strstr(e.msg, "do not fit the code") ||
                    strstr(e.msg, "one atom at a time"));
    model_free(m);
    json_free(j);
    return go && !refused;
}

enum { MOST = 1000 };
static struct choice choices[MOST];
static size_t n_choices;

/* Those of these kinds, with each of the structure's settings. */
static void add_choices(struct choice c, bool all)
{
    for (size_t n = 0; (c.settings = settings_of(c.structure->name, n)); n++) {
        bool goes = allowed(&c);
        for (size_t k = 0; goes && vary(k, &c, all); k++) {
            assert(n_choices < MOST);
            choices[n_choices++] = c;
        }
    }
}

/* Fills the list once; tests that fork inherit it. */
static void find_choices(void)
{
    if (n_choices > 0)
        return;
    for (size_t o = 0; operators[o]; o++)
        for (size_t n = 0; encoders[n]; n++)
            for (size_t s = 0; structures[s]; s++)
                add_choices((struct choice){.op = operators[o],
                                            .encoder = encoders[n],
                                            .structure = structures[s]},
                            o == 0 && s == 0);
}

size_t compositions_count(void)
{
    find_choices();
    return n_choices;
}

const char *composition_name(size_t i)
{
    ck_assert_uint_lt(i, compositions_count());
    return write(&choices[i]);
}

struct json *composition_config(size_t i)
{
    struct err e;
    const char *text = composition_name(i);
    struct json *j = json_parse(text, strlen(text), &e);
    ck_assert_msg(j != NULL, "%s: %s", text, e.msg);
    return j;
}

/* Larger weights than training starts from, so that every path matters. */
static void stir(struct model *m)
{
    struct rng rng = rng_make(7, "stir", 0);
    for (size_t i = 0; i < m->params.n; i++) {
        struct param *p = &m->params.list[i];
        for (size_t k = 0; k < p->count; k++)
            p->value[k] = p->rank == 1 && p->count != COMPOSITION_CLASSES
                              ? rng_uniform(&rng, 0.01f, 0.1f)
                              : rng_uniform(&rng, -0.7f, 0.7f);
        if (strstr(p->name, "gain"))
            for (size_t k = 0; k < p->count; k++)
                p->value[k] = rng_uniform(&rng, 0.5f, 1.5f);
        /* What ascends is only a regulariser within its bounds. */
        if (p->sign < 0)
            p->project(p);
    }
}

struct model *composition_model(size_t i)
{
    struct err e;
    float x[4 * COMPOSITION_INPUTS];
    struct json *config = composition_config(i);
    struct model *m = model_new(config, NULL, COMPOSITION_CLASSES, &e);
    ck_assert_msg(m != NULL, "%s: %s", composition_name(i), e.msg);
    json_free(config);
    composition_rows(x, NULL, 4, 1);
    ck_assert_msg(!model_start(m, 1, x, 4, &e), "%s", e.msg);
    stir(m);
    return m;
}

struct model *composition_preprocessed(const char *steps)
{
    enum { SAMPLES = 60 };
    char text[1024];
    snprintf(text, sizeof text,
             "{\"input\":{\"shape\":[2,3],\"range\":[0,1]},"
             "\"preprocess\":[%s],"
             "\"layers\":[{\"operator\":\"dense\",\"units\":8,\"encoder\":"
             "{\"kind\":\"recurrent\",\"nonlinearity\":\"relu\",\"steps\":3},"
             "\"structure\":{\"kind\":\"l1\",\"lambda\":0.05}}],"
             "\"classifier\":{\"input\":\"code\"}}",
             steps);
    float x[SAMPLES * COMPOSITION_INPUTS];
    struct err e;
    struct json *config = json_parse(text, strlen(text), &e);
    struct model *m = model_new(config, NULL, COMPOSITION_CLASSES, &e);
    ck_assert_msg(m != NULL, "%s", e.msg);
    json_free(config);
    composition_rows(x, NULL, SAMPLES, 1);
    ck_assert_msg(!model_start(m, 1, x, SAMPLES, &e), "%s", e.msg);
    return m;
}

struct model *composition_whitened(void)
{
    return composition_preprocessed(
        "{\"op\":\"whiten\"},{\"op\":\"unit_norm\"}");
}

void composition_rows(float *x, int *labels, size_t B, unsigned seed)
{
    struct rng rng = rng_make(seed, "rows", 0);
    for (size_t i = 0; i < B * COMPOSITION_INPUTS; i++)
        x[i] = rng_uniform(&rng, 0, 1);
    for (size_t b = 0; labels && b < B; b++)
        labels[b] = (int)rng_below(&rng, COMPOSITION_CLASSES);
}
