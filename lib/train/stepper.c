/* Data-parallel steps with a fixed order of additions. */
#include "lib/train/stepper.h"

#include "lib/base/mem.h"
#include "lib/math/kernels.h"
#include "lib/train/packing.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Numbers that are added up and stepped while they are in the nearest cache;
 * ranges begin at whole cache lines. */
enum { BLOCK = 4096, LINE = MEM_ALIGN / sizeof(float) };

struct member {
    float *grads; /* the whole block, zero between steps */
    float *x;     /* (shard rows, inputs), and room for one more */
    int32_t *labels;
    struct arena memory;
    struct loss_sums sums;
    double square_sum;
    enum err_code code; /* of its shard */
    struct err err;
};

struct stepper {
    struct model *m;
    const struct dataset *d;
    struct team *team;
    size_t size; /* members */
    size_t max_rows;
    struct member *members;
    struct packing packing;
    const struct step *step; /* the one under way */
    float factor;
};

/* Where part `number` of n things begins. */
static size_t part_start(const struct stepper *s, size_t n, size_t number)
{
    return n * number / s->size;
}

/* ---- life ---- */

static enum err_code member_init(struct stepper *s, struct member *mb,
                                 struct err *e)
{
    struct model_options options = {.learn = true};
    size_t rows = (s->max_rows + s->size - 1) / s->size, numbers;
    arena_init(&mb->memory, SIZE_MAX);
    if (!mem_mul(rows + 1, model_inputs(s->m), &numbers))
        return err_set(e, ERR_NO_MEMORY, "batch of %zu rows", s->max_rows);
    mb->grads = mem_array(s->m->params.total, sizeof *mb->grads);
    mb->x = mem_array(numbers, sizeof *mb->x);
    mb->labels = mem_array(rows, sizeof *mb->labels);
    /* What forward, backward and a second pass take (2.4 passes were measured),
     * in one piece: memory that is used again and again instead of being given
     * back to the system. */
    if (!mb->grads || !mb->x || !mb->labels ||
        !arena_reserve(&mb->memory, 3 * model_pass_bytes(s->m, rows, &options)))
        return err_set(e, ERR_NO_MEMORY, "batch of %zu rows", s->max_rows);
    return ERR_OK;
}

struct stepper *stepper_new(struct model *m, const struct dataset *d,
                            struct team *team, size_t max_rows, struct err *e)
{
    struct stepper *s = mem_array(1, sizeof *s);
    if (s) {
        *s = (struct stepper){.m = m,
                              .d = d,
                              .team = team,
                              .size = team_size(team),
                              .max_rows = max_rows};
        s->members = mem_array(s->size, sizeof *s->members);
    }
    if (s && s->members && packing_init(&s->packing, m, e)) {
        stepper_free(s);
        return NULL;
    }
    if (!s || !s->members) {
        err_set(e, ERR_NO_MEMORY, "training");
        stepper_free(s);
        return NULL;
    }
    for (size_t i = 0; i < s->size; i++)
        if (member_init(s, &s->members[i], e)) {
            stepper_free(s);
            return NULL;
        }
    return s;
}

void stepper_free(struct stepper *s)
{
    if (!s)
        return;
    for (size_t i = 0; s->members && i < s->size; i++) {
        mem_free(s->members[i].grads);
        mem_free(s->members[i].x);
        mem_free(s->members[i].labels);
        arena_fini(&s->members[i].memory);
    }
    packing_fini(&s->packing);
    mem_free(s->members);
    mem_free(s);
}

/* ---- the work of members ---- */

static void run_packing(void *arg, size_t number)
{
    struct stepper *s = arg;
    packing_renew(&s->packing, number, s->size);
}

static void run_shard(void *arg, size_t number)
{
    struct stepper *s = arg;
    const struct step *step = s->step;
    struct member *mb = &s->members[number];
    size_t from = part_start(s, step->n, number);
    size_t B = part_start(s, step->n, number + 1) - from;
    const uint32_t *index = step->index + from;

    mb->sums = (struct loss_sums){0};
    mb->code = ERR_OK;
    if (B == 0)
        return;
    for (size_t b = 0; b < B && s->d->labels; b++)
        mb->labels[b] = s->d->labels[index[b]];
    dataset_rows(s->d, index, B, s->m->low, s->m->high, mb->x);
    if (step->distortion)
        distort_rows(s->m, step->distortion, mb->x, B, step->noise, from,
                     mb->x + B * model_inputs(s->m));
    struct loss_rows rows = {.B = B,
                             .x = mb->x,
                             .labels = s->d->labels ? mb->labels : NULL,
                             .noise = step->noise + number};
    mb->code = loss_run(s->m, step->weights, &rows, 1.0f / (float)step->n,
                        mb->grads, &mb->sums, &mb->memory, &mb->err);
}

/* Adds the other members' gradients to the first one's, and clears theirs. */
static void add_gradients(struct stepper *s, size_t from, size_t n)
{
    for (size_t i = 1; i < s->size; i++) {
        float *g = s->members[i].grads + from;
        vec_add(s->members[0].grads + from, g, 1.0f, n);
        memset(g, 0, n * sizeof *g);
    }
}

static void member_range(const struct stepper *s, size_t number, size_t *from,
                         size_t *to)
{
    size_t total = s->m->params.total, lines = (total + LINE - 1) / LINE;
    *from = part_start(s, lines, number) * LINE;
    *to = part_start(s, lines, number + 1) * LINE;
    *to = *to < total ? *to : total;
}

/* Only when the gradient is clipped: its norm must be known before a step. */
static void run_sum(void *arg, size_t number)
{
    struct stepper *s = arg;
    size_t from, to;
    member_range(s, number, &from, &to);
    add_gradients(s, from, to - from);
    s->members[number].square_sum = optimiser_square_sum(
        &s->m->params, s->step->trained, s->members[0].grads, from, to);
}

static void run_update(void *arg, size_t number)
{
    struct stepper *s = arg;
    float *grads = s->members[0].grads;
    bool summed = s->step->optimiser->settings.clip > 0;
    size_t from, to;
    member_range(s, number, &from, &to);
    for (size_t at = from; at < to; at += BLOCK) {
        size_t n = to - at < BLOCK ? to - at : BLOCK;
        if (!summed)
            add_gradients(s, at, n);
        optimiser_update(s->step->optimiser, &s->m->params, s->step->trained,
                         grads, s->factor, at, at + n);
        memset(grads + at, 0, n * sizeof *grads);
    }
}

static void run_projection(void *arg, size_t number)
{
    struct stepper *s = arg;
    optimiser_project(&s->m->params, s->step->trained, number, s->size);
}

/* ---- a step ---- */

static void sums_add(struct loss_sums *to, const struct loss_sums *from)
{
    to->reconstruction += from->reconstruction;
    to->structure += from->structure;
    to->classification += from->classification;
    to->predict += from->predict;
    to->total += from->total;
    to->rows += from->rows;
    to->labelled += from->labelled;
    to->wrong += from->wrong;
    to->active += from->active;
}

static enum err_code gather(const struct stepper *s, struct loss_sums *sums,
                            struct err *e)
{
    struct loss_sums batch = {0};
    for (size_t i = 0; i < s->size; i++) {
        if (s->members[i].code) {
            *e = s->members[i].err;
            return e->code;
        }
        sums_add(&batch, &s->members[i].sums);
    }
    if (!isfinite(batch.total))
        return err_set(e, ERR_INTERNAL, "the loss is %g", batch.total);
    sums_add(sums, &batch);
    return ERR_OK;
}

enum err_code stepper_run(struct stepper *s, const struct step *step,
                          struct loss_sums *sums, struct err *e)
{
    struct optimiser *o = step->optimiser;
    assert(step->n > 0 && step->n <= s->max_rows);
    s->step = step;
    s->factor = 1.0f;
    packing_lend(&s->packing);
    team_run(s->team, run_packing, s);
    team_run(s->team, run_shard, s);
    packing_return(&s->packing);
    if (gather(s, sums, e))
        return e->code;
    optimiser_begin(o, step->rate);
    if (o->settings.clip > 0) {
        double square_sum = 0;
        team_run(s->team, run_sum, s);
        for (size_t i = 0; i < s->size; i++)
            square_sum += s->members[i].square_sum;
        s->factor = optimiser_clip_factor(o, square_sum);
    }
    team_run(s->team, run_update, s);
    if (optimiser_projects(o))
        team_run(s->team, run_projection, s);
    return ERR_OK;
}
