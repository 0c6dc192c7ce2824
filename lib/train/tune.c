/* From rows to a recipe to a child to a verdict. */
#include "lib/train/tune.h"

#include "lib/base/mem.h"
#include "lib/train/gate.h"
#include "lib/train/rows.h"
#include "lib/train/tune_classes.h"
#include "lib/train/tune_recipe.h"
#include "lib/train/tune_rows.h"

#include <math.h>
#include <string.h>

struct tuning {
    const struct model *parent;
    const struct tune_options *options;
    struct tune_rows rows;
    struct recipe *recipe;
    struct model *grown; /* the parent with the new classes */
    struct model *child;
    struct gate_figures before; /* of the parent on held-out rows */
};

static struct gate_rows held_out(const struct tuning *t)
{
    return (struct gate_rows){.rows = &t->rows.all,
                              .index = t->rows.held_out,
                              .n = t->rows.n_held_out};
}

static const struct loss_weights *weights(const struct tuning *t)
{
    return &t->recipe->phases[0].weights;
}

static size_t classes(const struct tuning *t)
{
    return t->rows.n_old + t->rows.n_new;
}

/* Where only rows without labels are new, there is nothing to be seen in the
 * error. */
static enum recipe_measure measure(const struct tuning *t)
{
    return t->rows.asked_labels ? t->recipe->phases[0].measure : RECIPE_LOSS;
}

/* More than any error or sane loss. */
static const double not_let_through = 1e6;

/* Of the epochs that the gate would let through, the one with the smallest
 * loss: errors on a few hundred rows are too few to choose by, and chose the
 * luckiest. */
static enum err_code judge(void *arg, const struct model *m, struct team *team,
                           struct measures *v, double value[2], struct err *e)
{
    struct tuning *t = arg;
    struct gate_rows rows = held_out(t);
    struct gate_figures f;
    if (gate_measure(&f, m, classes(t), weights(t), &rows, team, e))
        return e->code;
    bool by_error = measure(t) == RECIPE_ERROR && !isnan(f.error);
    bool worse =
        gate_worse_label(&t->before, &f, t->rows.n_old) < t->rows.n_old ||
        f.error > t->before.error;
    *v = f.all;
    v->error = f.error;
    v->loss = by_error ? f.all.loss : f.loss;
    value[0] = v->loss + (worse ? not_let_through : 0);
    value[1] = by_error ? f.error : 0;
    gate_figures_fini(&f);
    return ERR_OK;
}

static enum err_code prepare(struct tuning *t, struct team *team,
                             const struct tune_data *data, struct err *e)
{
    struct gate_rows rows;
    if (tune_rows_init(&t->rows, t->parent, data, e))
        return e->code;
    t->recipe = tune_recipe(t->parent, &t->rows, t->options, e);
    if (!t->recipe)
        return e->code;
    t->grown = tune_grow(t->parent, &t->rows, e);
    if (!t->grown)
        return e->code;
    rows = held_out(t);
    return gate_measure(&t->before, t->parent, classes(t), weights(t), &rows,
                        team, e);
}

static enum err_code train(struct tuning *t, struct err *e)
{
    const struct tune_options *o = t->options;
    struct train_start start = {
        .model = t->grown, .uses = t->rows.uses, .judge = judge, .arg = t};
    struct train_options options = {.threads = o->threads,
                                    .seed = o->seed,
                                    .checkpoint = o->checkpoint,
                                    .resume = o->resume,
                                    .progress = o->progress,
                                    .arg = o->arg,
                                    .start = &start};
    t->child = train_run(t->recipe, &t->rows.all, &options, e);
    if (!t->child)
        return e->code;
    tune_favour_new(t->child, t->rows.n_old);
    return ERR_OK;
}

static enum err_code verdict(struct tuning *t, struct team *team,
                             struct tune_result *r, struct err *e)
{
    struct gate_verdict v;
    struct gate_rows own = held_out(t);
    struct gate_rows test = {
        .rows = &t->rows.test, .index = t->rows.tested, .n = t->rows.n_tested};
    if (gate_judge(t->parent, t->child, weights(t), measure(t), &own,
                   test.n > 0 ? &test : NULL, team, &v, e))
        return e->code;
    r->better = v.better;
    r->before = v.before;
    r->after = v.after;
    memcpy(r->reason, v.reason, sizeof r->reason);
    return ERR_OK;
}

static enum err_code describe(struct tuning *t, struct err *e)
{
    struct model *m = t->child;
    m->training = json_copy(t->parent->training);
    if (!m->training != !t->parent->training)
        return err_set(e, ERR_NO_MEMORY, "training");
    return rehearsal_copy(&m->rehearsal, &t->parent->rehearsal, e);
}

enum err_code tune_run(const struct model *parent, const struct tune_data *data,
                       const struct tune_options *options,
                       struct tune_result *r, struct err *e)
{
    struct tuning t = {.parent = parent, .options = options};
    struct team *team = team_new(options->threads);
    enum err_code code = ERR_OK;
    *r = (struct tune_result){0};
    if (!team)
        code = err_set(e, ERR_NO_MEMORY, "%zu threads", options->threads);
    else if (prepare(&t, team, data, e) || train(&t, e) || describe(&t, e) ||
             verdict(&t, team, r, e))
        code = e->code;
    if (!code) {
        r->model = t.child;
        t.child = NULL;
    } else {
        tune_result_fini(r);
    }
    model_free(t.child);
    model_free(t.grown);
    recipe_free(t.recipe);
    gate_figures_fini(&t.before);
    tune_rows_fini(&t.rows);
    team_free(team);
    return code;
}

size_t tune_bytes(const struct model *parent, size_t threads)
{
    enum { BATCH = 128, CHUNK = 256, NEW_CLASSES = 256, BLOCKS = 6 };
    struct model_options learn = {.learn = true};
    const struct json *batch = json_get(parent->training, "batch");
    size_t rows =
        batch && json_is_number(batch) ? (size_t)json_number(batch) : BATCH;
    size_t shard = (rows + threads - 1) / threads;
    size_t params =
        parent->params.total + NEW_CLASSES * (parent->classifier.inputs + 1);
    size_t step = 3 * model_pass_bytes(parent, shard, &learn) +
                  shard * (model_inputs(parent) + 1) * sizeof(float);
    size_t chunk = 2 * model_pass_bytes(parent, CHUNK, &learn) +
                   CHUNK * (model_inputs(parent) + 4) * sizeof(float);
    return (BLOCKS + threads) * params * sizeof(float) +
           threads * (step + chunk) +
           parent->rehearsal.n * parent->rehearsal.size;
}

void tune_result_fini(struct tune_result *r)
{
    model_free(r->model);
    json_free(r->before);
    json_free(r->after);
    *r = (struct tune_result){0};
}
