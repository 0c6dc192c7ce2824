/* Options of a job, as JSON and back. What is not given stays out. */
#include "lib/base/json.h"
#include "lib/engine/learner.h"
#include "lib/train/tune.h"

#include <assert.h>
#include <string.h>

#define MAX_RATE 1e6
#define MAX_SEED (((size_t)1 << 53) - 1) /* JSON numbers are doubles */

static const char *const promote_names[] = {
    [LEARNER_PROMOTE_IF_BETTER] = "if_better",
    [LEARNER_PROMOTE_ALWAYS] = "always",
    [LEARNER_PROMOTE_NEVER] = "never",
};

const char *learner_promote_name(enum learner_promote p)
{
    assert((size_t)p < sizeof promote_names / sizeof *promote_names);
    return promote_names[p];
}

struct json *learner_options_json(const struct learner_options *o)
{
    struct json *j = json_new_object();

    if (o->epochs > 0)
        json_set(j, "epochs", json_new_number((double)o->epochs));
    if (o->learning_rate > 0)
        json_set(j, "learning_rate", json_new_number(o->learning_rate));
    json_set(j, "promote", json_new_text(learner_promote_name(o->promote)));
    if (o->seed > 0)
        json_set(j, "seed", json_new_number((double)o->seed));
    if (!json_whole(j)) {
        json_free(j);
        return NULL;
    }
    return j;
}

static enum err_code read_promote(enum learner_promote *p, const struct json *j,
                                  struct err *e)
{
    const char *text = promote_names[*p];
    enum err_code code = json_get_text(j, "options", "promote", &text, e);

    if (code != ERR_OK)
        return code;
    for (size_t i = 0; i < sizeof promote_names / sizeof *promote_names; i++) {
        if (strcmp(text, promote_names[i]) == 0) {
            *p = (enum learner_promote)i;
            return ERR_OK;
        }
    }
    return err_set(e, ERR_INVALID,
                   "options.promote: must be \"if_better\", \"always\" or "
                   "\"never\"");
}

static enum err_code read_members(struct learner_options *o,
                                  const struct json *j, struct err *e)
{
    static const char *const known[] = {"epochs", "learning_rate", "promote",
                                        "seed", NULL};
    size_t seed = 0;

    if (!json_is_object(j))
        return err_set(e, ERR_INVALID, "options: must be an object");
    if (json_only(j, "options", known, e) != ERR_OK ||
        json_get_size(j, "options", "epochs", 1, TUNE_MAX_EPOCHS, &o->epochs,
                      e) != ERR_OK ||
        json_get_number(j, "options", "learning_rate", 0, MAX_RATE,
                        &o->learning_rate, e) != ERR_OK ||
        json_get_size(j, "options", "seed", 0, MAX_SEED, &seed, e) != ERR_OK ||
        read_promote(&o->promote, j, e) != ERR_OK)
        return e->code;
    o->seed = seed;
    return ERR_OK;
}

enum err_code learner_options_read(struct learner_options *o, const char *text,
                                   struct err *e)
{
    *o = (struct learner_options){.promote = LEARNER_PROMOTE_IF_BETTER};
    struct json *j = json_parse(text, strlen(text), e);
    enum err_code code = j != NULL ? read_members(o, j, e) : e->code;

    json_free(j);
    if (code == ERR_INVALID)
        e->code = code = ERR_CORRUPT; /* it was checked when it was written */
    return code;
}
