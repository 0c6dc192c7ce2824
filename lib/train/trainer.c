/* The training loop: phases of epochs of batches, with a checkpoint after
 * each epoch. All memory is taken before the loop.
 */
#include "lib/train/trainer.h"

#include "lib/base/mem.h"
#include "lib/math/kernels.h"
#include "lib/model/strip.h"
#include "lib/train/checkpoint.h"
#include "lib/train/keep.h"
#include "lib/train/pruning.h"
#include "lib/train/rows.h"
#include "lib/train/schedule.h"
#include "lib/train/setup.h"
#include "lib/train/stepper.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct trainer {
    const struct recipe *recipe;
    struct dataset data; /* the caller's, with the labels that may be seen */
    const struct train_options *options;
    struct model *model;
    struct team *team;
    struct stepper *stepper;

    struct rows rows;

    /* What a checkpoint holds. */
    struct optimiser optimiser;
    size_t phase;
    size_t epoch;       /* done of the phase */
    size_t stale;       /* epochs since the best one */
    double best[2];     /* smaller is better, the first weighs more */
    float *best_params; /* NULL without validation rows */

    bool trained[PARAM_MAX]; /* rows of the table that the phase changes */
    struct train_progress progress;
    double first_loss; /* before any step; 0: not known */
    usec start;
};

static const struct recipe_phase *phase_of(const struct trainer *t)
{
    return &t->recipe->phases[t->phase];
}

static size_t params_bytes(const struct trainer *t)
{
    return t->model->params.total * sizeof(float);
}

/* ---- checkpoints ---- */

static struct checkpoint snapshot(const struct trainer *t)
{
    return (struct checkpoint){.recipe = t->recipe->hash,
                               .data = t->data.hash,
                               .seed = t->options->seed,
                               .threads = t->options->threads,
                               .phase = t->phase,
                               .epoch = t->epoch,
                               .steps = t->optimiser.steps,
                               .stale = t->stale,
                               .best = {t->best[0], t->best[1]},
                               .total = t->model->params.total,
                               .params = t->model->params.values,
                               .best_params = t->best_params,
                               .first = t->optimiser.first,
                               .second = t->optimiser.second};
}

static enum err_code begin_phase(struct trainer *t, struct err *e)
{
    t->epoch = t->stale = 0;
    t->best[0] = t->best[1] = (double)INFINITY;
    optimiser_fini(&t->optimiser);
    recipe_pick_trained(phase_of(t), &t->model->params, t->trained);
    return optimiser_init(&t->optimiser, &phase_of(t)->optimiser,
                          t->model->params.total, e);
}

static enum err_code restore(struct trainer *t, const struct checkpoint *c,
                             struct err *e)
{
    if (c->phase >= t->recipe->n_phases)
        return err_set(e, ERR_CORRUPT, "its phase is none of the recipe's");
    t->phase = (size_t)c->phase;
    if (begin_phase(t, e))
        return e->code;
    if (c->epoch > phase_of(t)->epochs || c->stale > c->epoch || !c->first ||
        !c->second != !t->optimiser.second ||
        !c->best_params != !t->best_params)
        return err_set(e, ERR_CORRUPT, "it does not suit its recipe");
    t->epoch = (size_t)c->epoch;
    t->stale = (size_t)c->stale;
    t->best[0] = c->best[0];
    t->best[1] = c->best[1];
    t->optimiser.steps = c->steps;
    memcpy(t->model->params.values, c->params, params_bytes(t));
    memcpy(t->optimiser.first, c->first, params_bytes(t));
    if (c->second)
        memcpy(t->optimiser.second, c->second, params_bytes(t));
    if (c->best_params)
        memcpy(t->best_params, c->best_params, params_bytes(t));
    return ERR_OK;
}

/* *found says whether there was a checkpoint to go on from. */
static enum err_code resume(struct trainer *t, bool *found, struct err *e)
{
    const char *path = t->options->checkpoint;
    struct checkpoint wanted = snapshot(t), c;
    *found = false;
    if (!path || !t->options->resume)
        return ERR_OK;
    if (checkpoint_open(&c, path, &wanted, e)) {
        if (e->code == ERR_NOT_FOUND)
            return ERR_OK;
        return err_wrap(e, "cannot resume");
    }
    *found = true;
    enum err_code code = restore(t, &c, e);
    checkpoint_close(&c);
    return code ? err_wrap(e, "cannot resume: %s", path) : ERR_OK;
}

/* ---- one epoch ---- */

/* Context for an error within the epoch under way. */
static enum err_code wrap_epoch(const struct trainer *t, struct err *e)
{
    return err_wrap(e, "phase %zu (%s), epoch %zu", t->phase + 1,
                    phase_of(t)->name, t->epoch + 1);
}

static bool report(struct trainer *t, bool epoch_done)
{
    const struct recipe *r = t->recipe;
    struct train_progress *p = &t->progress;
    size_t rows = rows_count(&t->rows, t->phase);
    size_t left = (phase_of(t)->epochs - t->epoch) * rows;
    for (size_t i = t->phase + 1; i < r->n_phases; i++)
        left += r->phases[i].epochs * rows_count(&t->rows, i);
    p->phase = phase_of(t)->name;
    p->phase_index = t->phase;
    p->n_phases = r->n_phases;
    p->epochs = phase_of(t)->epochs;
    p->measure = phase_of(t)->measure;
    p->rows = rows;
    p->rows_left = left - (epoch_done ? 0 : p->row);
    p->epoch_done = epoch_done;
    p->elapsed = clock_now() - t->start;
    return !t->options->progress || t->options->progress(t->options->arg, p);
}

static enum err_code stopped(struct err *e)
{
    return err_set(e, ERR_CONFLICT, "stopped");
}

/* A loss that has grown tenfold does not come back. */
static enum err_code check_growth(const struct trainer *t, struct err *e)
{
    const struct train_progress *p = &t->progress;
    double loss = p->loss.total / (double)p->loss.rows;
    if (t->first_loss > 0 && loss > 10 * t->first_loss)
        return err_set(e, ERR_INTERNAL,
                       "the loss has grown from %.6g to %.6g at rate %.3g: "
                       "lower the rate",
                       t->first_loss, loss, p->rate);
    return ERR_OK;
}

static enum err_code run_batches(struct trainer *t, struct err *e)
{
    struct train_progress *p = &t->progress;
    struct step step = {.weights = &phase_of(t)->weights,
                        .optimiser = &t->optimiser,
                        .trained = t->trained,
                        .distortion = distort_any(&phase_of(t)->distortion)
                                          ? &phase_of(t)->distortion
                                          : NULL};
    struct rng noise =
        rng_make(t->options->seed, "noise", t->phase << 32 | t->epoch);
    rows_order(&t->rows, t->options->seed, t->phase, t->epoch);
    p->epoch = t->epoch + 1;
    p->row = 0;
    p->loss = (struct loss_sums){0};
    p->validation = (struct measures){0};
    p->best = false;
    for (size_t i = 0; i < t->rows.n_batches; i++) {
        step.noise = rng_u64(&noise) | 1;
        step.index = rows_batch(&t->rows, i, &step.n);
        step.rate = schedule_rate(phase_of(t), t->epoch * t->rows.n_batches + i,
                                  t->rows.n_batches);
        if (stepper_run(t->stepper, &step, &p->loss, e)) {
            err_wrap(e, "batch %zu of %zu, at rate %.3g%s", i + 1,
                     t->rows.n_batches, step.rate,
                     e->code == ERR_INTERNAL ? ", which may be too high" : "");
            return wrap_epoch(t, e);
        }
        p->rate = step.rate;
        p->row += step.n;
        if (check_growth(t, e))
            return wrap_epoch(t, e);
        p->rows_done += step.n;
        if (!report(t, false))
            return stopped(e);
    }
    optimiser_project(&t->model->params, t->trained, 0, 1);
    if (!vec_finite(t->model->params.values, t->model->params.total)) {
        err_set(e, ERR_INTERNAL,
                "the parameters are no longer finite, after a mean loss of "
                "%.6g at rate %.3g: lower the rate",
                p->loss.total / (double)p->loss.rows, step.rate);
        return wrap_epoch(t, e);
    }
    return ERR_OK;
}

static enum err_code check_measure(const struct trainer *t,
                                   const double value[2], struct err *e)
{
    if (isfinite(value[0]) && isfinite(value[1]))
        return ERR_OK;
    err_set(e, ERR_INTERNAL, "the measure on validation rows is %g", value[0]);
    return wrap_epoch(t, e);
}

/* What the phase watches, smaller is better. */
static enum err_code validate(struct trainer *t, double value[2], struct err *e)
{
    struct measures *v = &t->progress.validation;
    const struct recipe_phase *phase = phase_of(t);
    const struct train_start *start = t->options->start;
    if (start && start->judge) {
        if (start->judge(start->arg, t->model, t->team, v, value, e))
            return wrap_epoch(t, e);
        return check_measure(t, value, e);
    }
    struct model part = loss_model(t->model, &phase->weights);
    if (measure_model(&part, &t->data, t->rows.validation, t->rows.n_validation,
                      t->team, v, e))
        return wrap_epoch(t, e);
    value[0] = v->error;
    value[1] = v->loss;
    if (phase->measure == RECIPE_LOSS) {
        value[1] = 0;
        if (measure_loss(t->model, &phase->weights, &t->data,
                         t->rows.validation, t->rows.n_validation, 0, t->team,
                         &value[0], e))
            return wrap_epoch(t, e);
    }
    return check_measure(t, value, e);
}

static void keep_best(struct trainer *t, const double value[2])
{
    bool better = value[0] < t->best[0] ||
                  (value[0] == t->best[0] && value[1] < t->best[1]);
    t->progress.best = better;
    t->stale = better ? 0 : t->stale + 1;
    if (!better)
        return;
    t->best[0] = value[0];
    t->best[1] = value[1];
    memcpy(t->best_params, t->model->params.values, params_bytes(t));
}

static enum err_code run_epoch(struct trainer *t, struct err *e)
{
    double value[2];
    if (run_batches(t, e))
        return e->code;
    if (t->rows.n_validation > 0) {
        if (validate(t, value, e))
            return e->code;
        keep_best(t, value);
    }
    t->epoch++;
    if (t->options->checkpoint) {
        struct checkpoint c = snapshot(t);
        if (checkpoint_write(&c, t->options->checkpoint, e))
            return err_wrap(e, "checkpoint");
    }
    return report(t, true) ? ERR_OK : stopped(e);
}

/* ---- all of it ---- */

static bool phase_over(const struct trainer *t)
{
    const struct recipe_phase *p = phase_of(t);
    return t->epoch == p->epochs ||
           (p->patience > 0 && t->stale >= p->patience);
}

/* The loss of the model as it is, at least what guessing costs. */
static enum err_code measure_start(struct trainer *t, const struct model *m,
                                   struct err *e)
{
    enum { MOST = 512 };
    const struct loss_weights *w = &phase_of(t)->weights;
    size_t n = rows_count(&t->rows, t->phase);
    n = n < MOST ? n : MOST;
    double guess = t->model->classifier.present
                       ? (double)w->classification *
                             log((double)t->model->classifier.classes)
                       : 0;
    rows_order(&t->rows, t->options->seed, t->phase, 0);
    if (measure_loss(m, w, &t->data, t->rows.order, n, 1, t->team,
                     &t->first_loss, e))
        return e->code;
    t->first_loss = fmax(t->first_loss, guess);
    return ERR_OK;
}

/* Values before the first step of the phase. */
static enum err_code start_phase(struct trainer *t, struct err *e)
{
    double value[2];
    if (t->options->start) {
        if (t->rows.n_validation == 0)
            return ERR_OK;
        if (validate(t, value, e))
            return e->code;
        keep_best(t, value);
        return ERR_OK;
    }
    return setup_start(t->model, t->recipe, &t->data, &t->rows,
                       t->options->seed, t->phase, e);
}

static enum err_code run_phases(struct trainer *t, bool resumed, struct err *e)
{
    for (; t->phase < t->recipe->n_phases; t->phase++) {
        if (!resumed && (begin_phase(t, e) || start_phase(t, e)))
            return e->code;
        resumed = false;
        if (t->options->start && measure_start(t, t->options->start->model, e))
            return e->code;
        while (!phase_over(t))
            if (run_epoch(t, e))
                return e->code;
        if (t->best_params)
            memcpy(t->model->params.values, t->best_params, params_bytes(t));
    }
    return ERR_OK;
}

static struct json *hash_json(uint64_t hash)
{
    char text[20];
    snprintf(text, sizeof text, "%016" PRIx64, hash);
    return json_new_text(text);
}

static struct json *lineage_json(const struct trainer *t)
{
    struct json *j = json_new_object();
    json_set(j, "recipe", hash_json(t->recipe->hash));
    json_set(j, "data", hash_json(t->data.hash));
    json_set(j, "seed", json_new_number((double)t->options->seed));
    json_set(j, "threads", json_new_number((double)t->options->threads));
    json_set(j, "program", json_new_text("sparsed " SPARSED_VERSION));
    json_set(j, "parent", json_new_null());
    return j;
}

static enum err_code prune(struct trainer *t, struct json **figures,
                           struct err *e)
{
    *figures = NULL;
    if (t->recipe->prune_below > 0 &&
        pruning_run(&t->model, t->recipe, &t->data, &t->rows, t->team, figures,
                    e))
        return err_wrap(e, "prune");
    return ERR_OK;
}

static enum err_code drop_decoders(struct trainer *t, struct err *e)
{
    bool any = false;
    for (size_t i = 0; i < t->model->n_layers; i++)
        any |= t->recipe->drop_decoders[i];
    if (!any)
        return ERR_OK;
    struct model *stripped =
        model_drop_decoders(t->model, t->recipe->drop_decoders, e);
    if (!stripped)
        return e->code;
    model_free(t->model);
    t->model = stripped;
    return ERR_OK;
}

/* Measured anew, so that a training that was resumed after its last epoch has
 * the same figures. */
static enum err_code describe(struct trainer *t, struct err *e)
{
    struct measures v;
    struct json *pruned;
    if (prune(t, &pruned, e))
        return e->code;
    if (drop_decoders(t, e)) {
        json_free(pruned);
        return e->code;
    }
    struct model *m = t->model;
    m->metrics = json_new_object();
    m->lineage = lineage_json(t);
    if (pruned)
        json_set(m->metrics, "pruned", pruned);
    if (!m->metrics || !m->lineage)
        return err_set(e, ERR_NO_MEMORY, "metrics");
    /* A tuned model keeps what its parent did. */
    if (!t->options->start && keep_add(m, t->recipe, &t->data, &t->rows, e))
        return e->code;
    if (t->rows.n_validation == 0)
        return ERR_OK;
    if (measure_model(m, &t->data, t->rows.validation, t->rows.n_validation,
                      t->team, &v, e))
        return e->code;
    json_set(m->metrics, "validation", measures_json(&v));
    return ERR_OK;
}

static enum err_code prepare(struct trainer *t, struct err *e)
{
    const struct train_start *start = t->options->start;
    if (rows_init(&t->rows, t->recipe, &t->data, start ? start->uses : NULL,
                  t->options->seed, e))
        return e->code;
    if (t->rows.labels)
        t->data.labels = t->rows.labels;
    t->model = setup_model(t->recipe, &t->data, &t->rows, e);
    if (!t->model)
        return e->code;
    if (start) {
        assert(start->model->params.total == t->model->params.total);
        memcpy(t->model->params.values, start->model->params.values,
               params_bytes(t));
    }
    t->team = team_new(t->options->threads);
    if (!t->team)
        return err_set(e, ERR_NO_MEMORY, "%zu threads", t->options->threads);
    if (t->rows.n_validation > 0) {
        t->best_params =
            mem_array(t->model->params.total, sizeof *t->best_params);
        if (!t->best_params)
            return err_set(e, ERR_NO_MEMORY, "best parameters");
    }
    t->stepper = stepper_new(t->model, &t->data, t->team, t->recipe->batch, e);
    return t->stepper ? ERR_OK : e->code;
}

static enum err_code run(struct trainer *t, struct err *e)
{
    bool resumed = false;
    if (prepare(t, e) || resume(t, &resumed, e))
        return e->code;
    if (run_phases(t, resumed, e))
        return e->code;
    /* Its model is about to be exchanged for a smaller one. */
    stepper_free(t->stepper);
    t->stepper = NULL;
    return describe(t, e);
}

struct model *train_run(const struct recipe *recipe, const struct dataset *data,
                        const struct train_options *options, struct err *e)
{
    struct trainer t = {.recipe = recipe,
                        .data = *data,
                        .options = options,
                        .start = clock_now()};
    enum err_code code = run(&t, e);
    stepper_free(t.stepper);
    team_free(t.team);
    optimiser_fini(&t.optimiser);
    mem_free(t.best_params);
    rows_fini(&t.rows);
    if (code) {
        model_free(t.model);
        return NULL;
    }
    return t.model;
}
