/* The table of options. A value arrives as a JSON node or as text of the
 * query; both end in the same few setters, which hold the limits.
 */
#include "api/options.h"

#include "api/percent.h"
#include "lib/data/image.h"
#include "lib/engine/learner.h"
#include "lib/model/model.h"
#include "lib/model/render.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define MAX_QUERY_BYTES OPTIONS_MAX_TEXT_BYTES /* of one name or value */
#define MIN_SIDE 64
#define MAX_LIMIT 1000
#define STANDARD_LIMIT 100
#define MAX_WHOLE 9007199254740991.0 /* whole numbers that a double holds */
#define MIN_RATE 1e-12
#define MAX_RATE 1e6
#define MAX_EPOCHS 1000

enum option_kind {
    KIND_SIZE,   /* an integer */
    KIND_NUMBER, /* a finite number */
    KIND_FLAG,   /* true or false */
    KIND_TEXT,   /* up to OPTIONS_MAX_TEXT_BYTES with its zero */
    KIND_WORD,   /* one of the row's words, as its index */
    KIND_OUTPUTS /* a list of outputs */
};

struct option_row {
    const char *name;
    enum option bit;
    enum option_kind kind;
    size_t offset; /* of the member of struct options */
    double min, max;
    const char *const *words; /* of KIND_WORD: at least two, then NULL */
};

#define AT(member) offsetof(struct options, member)

static const char *const formats[] = {
    [CODE_SPARSE] = "sparse", [CODE_DENSE] = "dense", NULL};
static const char *const views[] = {
    [RENDER_ATOMS] = "atoms", [RENDER_ORIENTATION] = "orientation", NULL};
static const char *const promotes[] = {[LEARNER_PROMOTE_IF_BETTER] =
                                           "if_better",
                                       [LEARNER_PROMOTE_ALWAYS] = "always",
                                       [LEARNER_PROMOTE_NEVER] = "never",
                                       NULL};

static const struct option_row rows[] = {
    {"top", OPTION_TOP, KIND_SIZE, AT(top), 1, CLASSIFIER_MAX_CLASSES, NULL},
    {"format", OPTION_FORMAT, KIND_WORD, AT(format), 0, 0, formats},
    {"steps", OPTION_STEPS, KIND_SIZE, AT(steps), 1, ENCODER_MAX_STEPS, NULL},
    {"top_k", OPTION_TOP_K, KIND_SIZE, AT(top_k), 1, MODEL_MAX_UNITS, NULL},
    {"threshold", OPTION_THRESHOLD, KIND_NUMBER, AT(threshold), 0,
     (double)FLT_MAX, NULL},
    {"explain", OPTION_EXPLAIN, KIND_FLAG, AT(explain), 0, 0, NULL},
    {"layer", OPTION_LAYER, KIND_SIZE, AT(layer), 0, MODEL_MAX_LAYERS - 1,
     NULL},
    {"outputs", OPTION_OUTPUTS, KIND_OUTPUTS, AT(outputs), 0, 0, NULL},
    {"max_side", OPTION_MAX_SIDE, KIND_SIZE, AT(max_side), MIN_SIDE,
     IMAGE_MAX_SIDE, NULL},
    {"view", OPTION_VIEW, KIND_WORD, AT(view), 0, 0, views},
    {"keep", OPTION_KEEP, KIND_FLAG, AT(keep), 0, 0, NULL},
    {"label", OPTION_LABEL, KIND_TEXT, AT(label), 0, 0, NULL},
    {"unlabelled", OPTION_UNLABELLED, KIND_FLAG, AT(unlabelled), 0, 0, NULL},
    {"batch", OPTION_BATCH, KIND_SIZE, AT(batch), 1, MAX_WHOLE, NULL},
    {"all", OPTION_ALL, KIND_FLAG, AT(all), 0, 0, NULL},
    {"after", OPTION_AFTER, KIND_SIZE, AT(after), 0, MAX_WHOLE, NULL},
    {"before", OPTION_BEFORE, KIND_SIZE, AT(before), 1, MAX_WHOLE, NULL},
    {"limit", OPTION_LIMIT, KIND_SIZE, AT(limit), 1, MAX_LIMIT, NULL},
    {"inputs", OPTION_INPUTS, KIND_FLAG, AT(inputs), 0, 0, NULL},
    {"model", OPTION_MODEL, KIND_TEXT, AT(model), 0, 0, NULL},
    {"epochs", OPTION_EPOCHS, KIND_SIZE, AT(epochs), 1, MAX_EPOCHS, NULL},
    {"learning_rate", OPTION_LEARNING_RATE, KIND_NUMBER, AT(learning_rate),
     MIN_RATE, MAX_RATE, NULL},
    {"promote", OPTION_PROMOTE, KIND_WORD, AT(promote), 0, 0, promotes},
    {"seed", OPTION_SEED, KIND_SIZE, AT(seed), 0, MAX_WHOLE, NULL},
};

#define N_ROWS (sizeof rows / sizeof rows[0])

static const struct {
    const char *name;
    enum output bit;
} outputs[] = {
    {"code", OUTPUT_CODE},
    {"groups", OUTPUT_GROUPS},
    {"reconstruction", OUTPUT_RECONSTRUCTION},
    {"classes", OUTPUT_CLASSES},
    {"trace", OUTPUT_TRACE},
};

#define N_OUTPUTS (sizeof outputs / sizeof outputs[0])

void options_init(struct options *o)
{
    *o = (struct options){
        .top = 5, .layer = OPTIONS_TOP_LAYER, .limit = STANDARD_LIMIT};
}

/* ---- setters, the same for both sources ---- */

static void *member(struct options *o, const struct option_row *row)
{
    return (char *)o + row->offset;
}

static enum err_code set_number(struct options *o, const struct option_row *row,
                                double value, struct err *e)
{
    bool whole = row->kind == KIND_SIZE;

    if (!(value >= row->min && value <= row->max) ||
        (whole && value != floor(value)))
        return err_set(e, ERR_SHAPE,
                       whole ? "%s: want an integer from %.0f to %.0f, got %.9g"
                             : "%s: want a number from %g to %.8g, got %.9g",
                       row->name, row->min, row->max, value);
    if (whole)
        *(size_t *)member(o, row) = (size_t)value;
    else
        *(double *)member(o, row) = value;
    return ERR_OK;
}

static enum err_code set_word(struct options *o, const struct option_row *row,
                              const char *text, struct err *e)
{
    for (size_t i = 0; row->words[i] != NULL; i++) {
        if (strcmp(row->words[i], text) == 0) {
            *(size_t *)member(o, row) = i;
            return ERR_OK;
        }
    }
    char list[80] = "";
    size_t used = 0;
    for (size_t i = 0; row->words[i] != NULL && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s\"%s\"",
                                 i > 0 ? " or " : "", row->words[i]);
    return err_set(e, ERR_SHAPE, "%s: want %s, got \"%.60s\"", row->name, list,
                   text);
}

static enum err_code set_text(struct options *o, const struct option_row *row,
                              const char *text, struct err *e)
{
    size_t length = strlen(text);

    if (length == 0 || length >= OPTIONS_MAX_TEXT_BYTES)
        return err_set(e, ERR_SHAPE, "%s: want 1 to %d bytes, got %zu",
                       row->name, OPTIONS_MAX_TEXT_BYTES - 1, length);
    memcpy(member(o, row), text, length + 1);
    return ERR_OK;
}

static enum err_code add_output(struct options *o, const char *text,
                                size_t length, struct err *e)
{
    for (size_t i = 0; i < N_OUTPUTS; i++) {
        if (strlen(outputs[i].name) == length &&
            memcmp(outputs[i].name, text, length) == 0) {
            o->outputs |= outputs[i].bit;
            return ERR_OK;
        }
    }
    int shown = length > 60 ? 60 : (int)length;
    return err_set(e, ERR_SHAPE,
                   "outputs: want code, groups, reconstruction, classes, "
                   "trace, got \"%.*s\"",
                   shown, text);
}

/* Marks the option as given; twice is once too often. */
static enum err_code mark_given(struct options *o, const struct option_row *row,
                                struct err *e)
{
    if ((o->given & row->bit) != 0)
        return err_set(e, ERR_SHAPE,
                       "%s: given twice; say it once, in the body or in the "
                       "query",
                       row->name);
    o->given |= row->bit;
    return ERR_OK;
}

/* ---- finding ---- */

static bool listed(const char *const *names, const char *name)
{
    for (; names != NULL && *names != NULL; names++) {
        if (strcmp(*names, name) == 0)
            return true;
    }
    return false;
}

static enum err_code refuse_unknown(unsigned allowed, const char *name,
                                    const char *const *others, struct err *e)
{
    char list[160] = "";
    size_t used = 0;

    for (; others != NULL && *others != NULL; others++)
        used +=
            (size_t)snprintf(list + used, sizeof list - used, ", %s", *others);
    for (size_t i = 0; i < N_ROWS; i++) {
        if ((allowed & rows[i].bit) != 0)
            used += (size_t)snprintf(list + used, sizeof list - used, ", %s",
                                     rows[i].name);
        assert(used < sizeof list);
    }
    return err_set(e, ERR_SHAPE,
                   "unknown member \"%.60s\": this route takes %s", name,
                   used > 0 ? list + 2 : "no options");
}

/* NULL: not a name that the route takes. */
static const struct option_row *find(unsigned allowed, const char *name)
{
    for (size_t i = 0; i < N_ROWS; i++) {
        if ((allowed & rows[i].bit) != 0 && strcmp(rows[i].name, name) == 0)
            return &rows[i];
    }
    return NULL;
}

/* ---- JSON ---- */

static enum err_code wrong_type(const struct option_row *row, const char *want,
                                struct err *e)
{
    return err_set(e, ERR_SHAPE, "%s: want %s", row->name, want);
}

static enum err_code outputs_from_json(struct options *o,
                                       const struct option_row *row,
                                       const struct json *value, struct err *e)
{
    if (!json_is_array(value) || json_first(value) == NULL)
        return wrong_type(row, "an array that names at least one output", e);
    for (const struct json *j = json_first(value); j != NULL;
         j = json_next(j)) {
        if (!json_is_text(j))
            return wrong_type(row, "an array of texts", e);
        const char *text = json_text(j);
        enum err_code code = add_output(o, text, strlen(text), e);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

static enum err_code set_from_json(struct options *o,
                                   const struct option_row *row,
                                   const struct json *value, struct err *e)
{
    switch (row->kind) {
    case KIND_SIZE:
    case KIND_NUMBER:
        if (!json_is_number(value))
            return wrong_type(row, "a number", e);
        return set_number(o, row, json_number(value), e);
    case KIND_FLAG:
        if (!json_is_bool(value))
            return wrong_type(row, "true or false", e);
        *(bool *)member(o, row) = json_bool(value);
        return ERR_OK;
    case KIND_TEXT:
        if (!json_is_text(value))
            return wrong_type(row, "a text", e);
        return set_text(o, row, json_text(value), e);
    case KIND_WORD:
        return set_word(o, row, json_is_text(value) ? json_text(value) : "", e);
    case KIND_OUTPUTS:
        return outputs_from_json(o, row, value, e);
    }
    return ERR_OK;
}

static enum err_code read_member(struct options *o,
                                 const struct option_row *row,
                                 const struct json *value, struct err *e)
{
    enum err_code code = mark_given(o, row, e);

    return code != ERR_OK ? code : set_from_json(o, row, value, e);
}

enum err_code options_read_json(struct options *o, unsigned allowed,
                                const struct json *object,
                                const char *const *others, struct err *e)
{
    for (const struct json *j = json_first(object); j != NULL;
         j = json_next(j)) {
        const char *name = json_key(j);
        if (listed(others, name))
            continue;
        const struct option_row *row = find(allowed, name);
        if (row == NULL)
            return refuse_unknown(allowed, name, others, e);
        enum err_code code = read_member(o, row, j, e);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

enum err_code options_read_some(struct options *o, unsigned allowed,
                                const struct json *object, struct err *e)
{
    for (const struct json *j = json_first(object); j != NULL;
         j = json_next(j)) {
        const struct option_row *row = find(allowed, json_key(j));
        if (row == NULL || json_is_null(j))
            continue;
        enum err_code code = read_member(o, row, j, e);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

/* ---- query ---- */

static enum err_code set_number_text(struct options *o,
                                     const struct option_row *row,
                                     const char *text, struct err *e)
{
    double value;
    size_t length = strlen(text);

    if (length == 0 || json_scan_number(text, length, &value) != length)
        return err_set(e, ERR_SHAPE, "%s: want a number, got \"%.60s\"",
                       row->name, text);
    return set_number(o, row, value, e);
}

static enum err_code set_flag_text(struct options *o,
                                   const struct option_row *row,
                                   const char *text, struct err *e)
{
    bool value = strcmp(text, "true") == 0;

    if (!value && strcmp(text, "false") != 0)
        return err_set(e, ERR_SHAPE, "%s: want true or false, got \"%.60s\"",
                       row->name, text);
    *(bool *)member(o, row) = value;
    return ERR_OK;
}

static enum err_code set_outputs_text(struct options *o, const char *text,
                                      struct err *e)
{
    for (;;) {
        size_t length = strcspn(text, ",");
        enum err_code code = add_output(o, text, length, e);
        if (code != ERR_OK || text[length] == 0)
            return code;
        text += length + 1;
    }
}

static enum err_code set_from_text(struct options *o,
                                   const struct option_row *row,
                                   const char *text, struct err *e)
{
    switch (row->kind) {
    case KIND_SIZE:
    case KIND_NUMBER:
        return set_number_text(o, row, text, e);
    case KIND_FLAG:
        return set_flag_text(o, row, text, e);
    case KIND_TEXT:
        return set_text(o, row, text, e);
    case KIND_WORD:
        return set_word(o, row, text, e);
    case KIND_OUTPUTS:
        return set_outputs_text(o, text, e);
    }
    return ERR_OK;
}

/* One name=value. */
static enum err_code read_pair(struct options *o, unsigned allowed,
                               const char *text, size_t length, struct err *e)
{
    char name[MAX_QUERY_BYTES], value[MAX_QUERY_BYTES];
    const char *equals = memchr(text, '=', length);
    size_t name_length = equals != NULL ? (size_t)(equals - text) : length;
    size_t value_at = equals != NULL ? name_length + 1 : length;

    if (!percent_decode(name, sizeof name, text, name_length) ||
        !percent_decode(value, sizeof value, text + value_at,
                        length - value_at))
        return err_set(e, ERR_INVALID,
                       "query: \"%.*s\" is badly escaped, or a name or value "
                       "is over %d bytes",
                       length > 60 ? 60 : (int)length, text,
                       MAX_QUERY_BYTES - 1);
    const struct option_row *row = find(allowed, name);
    if (row == NULL)
        return refuse_unknown(allowed, name, NULL, e);
    enum err_code code = mark_given(o, row, e);
    return code != ERR_OK ? code : set_from_text(o, row, value, e);
}

enum err_code options_read_query(struct options *o, unsigned allowed,
                                 const char *query, struct err *e)
{
    while (*query != 0) {
        size_t length = strcspn(query, "&");
        if (length > 0) {
            enum err_code code = read_pair(o, allowed, query, length, e);
            if (code != ERR_OK)
                return code;
        }
        query += length + (query[length] == '&');
    }
    return ERR_OK;
}
