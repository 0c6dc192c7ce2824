/* SGD and Adam as loops over plain ranges of the block, so that the compiler
 * vectorises them and any split over threads gives the same numbers.
 *
 *   SGD   v = momentum v + g            p -= rate v
 *   Adam  m = b1 m + (1 - b1) g         v = b2 v + (1 - b2) g^2
 *         p -= rate m^ / (sqrt(v^) + epsilon),  m^ = m / (1 - b1^t), v^ alike;
 *         computed as rate' m / (sqrt(v) + epsilon'), with the corrections
 *         of both moments moved into rate' and epsilon'.
 */
#include "lib/train/optimiser.h"

#include "lib/base/mem.h"
#include "lib/math/kernels.h"

#include <math.h>

/* Moments of a unit that has died shrink for ever; denormal numbers would
 * slow every later step down, so they become 0 first. */
static const float tiny = 1e-30f;

enum err_code optimiser_init(struct optimiser *o,
                             const struct optimiser_settings *settings,
                             size_t total, struct err *e)
{
    *o = (struct optimiser){.settings = *settings, .total = total};
    o->first = mem_array(total, sizeof *o->first);
    if (settings->kind == OPTIMISER_ADAM)
        o->second = mem_array(total, sizeof *o->second);
    if (!o->first || (settings->kind == OPTIMISER_ADAM && !o->second)) {
        optimiser_fini(o);
        return err_set(e, ERR_NO_MEMORY, "moments of %zu parameters", total);
    }
    return ERR_OK;
}

void optimiser_fini(struct optimiser *o)
{
    mem_free(o->first);
    mem_free(o->second);
    o->first = o->second = NULL;
}

/* ---- ranges ---- */

KERNEL_CLONES
static void sgd(float *restrict p, float *restrict v, const float *restrict g,
                size_t n, float factor, float momentum, float rate)
{
    for (size_t i = 0; i < n; i++) {
        float next = momentum * v[i] + factor * g[i];
        v[i] = fabsf(next) < tiny ? 0.0f : next;
        p[i] -= rate * v[i];
    }
}

struct adam {
    float beta1, rest1, beta2, rest2; /* rest = 1 - beta */
    float rate, epsilon;
};

KERNEL_CLONES
static void adam(float *restrict p, float *restrict m, float *restrict v,
                 const float *restrict g, size_t n, float factor, struct adam a)
{
    for (size_t i = 0; i < n; i++) {
        float gi = factor * g[i];
        float mi = a.beta1 * m[i] + a.rest1 * gi;
        float vi = a.beta2 * v[i] + a.rest2 * gi * gi;
        m[i] = fabsf(mi) < tiny ? 0.0f : mi;
        v[i] = vi < tiny ? 0.0f : vi;
        p[i] -= a.rate * m[i] / (sqrtf(v[i]) + a.epsilon);
    }
}

/* The part of row p that lies in [from, to); false if it is empty. */
static bool overlap(const struct param *p, size_t from, size_t to,
                    size_t *start, size_t *n)
{
    size_t end = p->offset + p->count < to ? p->offset + p->count : to;
    *start = p->offset > from ? p->offset : from;
    *n = end > *start ? end - *start : 0;
    return *n > 0;
}

/* A row with rate 0 is fixed, whoever asks. */
static bool moves(const struct params *params, const bool *trained, size_t i)
{
    return trained[i] && params->list[i].rate != 0.0f;
}

/* ---- a step in parts ---- */

void optimiser_begin(struct optimiser *o, double rate)
{
    const struct optimiser_settings *s = &o->settings;
    o->steps++;
    o->rate = rate;
    o->epsilon = s->epsilon;
    if (s->kind == OPTIMISER_ADAM) {
        double rest1 = 1 - pow(s->beta1, (double)o->steps);
        double rest2 = sqrt(1 - pow(s->beta2, (double)o->steps));
        o->rate = rate * rest2 / rest1;
        o->epsilon = s->epsilon * rest2;
    }
}

double optimiser_square_sum(const struct params *params, const bool *trained,
                            const float *grads, size_t from, size_t to)
{
    double sum = 0;
    size_t start, n;
    for (size_t i = 0; i < params->n; i++)
        if (moves(params, trained, i) &&
            overlap(&params->list[i], from, to, &start, &n))
            sum += vec_dot(grads + start, grads + start, n);
    return sum;
}

float optimiser_clip_factor(const struct optimiser *o, double square_sum)
{
    double norm = sqrt(square_sum), clip = o->settings.clip;
    return clip > 0 && norm > clip ? (float)(clip / norm) : 1.0f;
}

void optimiser_update(struct optimiser *o, const struct params *params,
                      const bool *trained, const float *grads,
                      float grads_factor, size_t from, size_t to)
{
    const struct optimiser_settings *s = &o->settings;
    struct adam a = {.beta1 = (float)s->beta1,
                     .rest1 = (float)(1 - s->beta1),
                     .beta2 = (float)s->beta2,
                     .rest2 = (float)(1 - s->beta2),
                     .epsilon = (float)o->epsilon};
    for (size_t i = 0; i < params->n; i++) {
        const struct param *row = &params->list[i];
        size_t at, n;
        if (!moves(params, trained, i) || !overlap(row, from, to, &at, &n))
            continue;
        float *p = row->value + (at - row->offset);
        float rate = (float)(o->rate * (double)row->rate * row->sign);
        a.rate = rate;
        if (s->kind == OPTIMISER_ADAM)
            adam(p, o->first + at, o->second + at, grads + at, n, grads_factor,
                 a);
        else
            sgd(p, o->first + at, grads + at, n, grads_factor,
                (float)s->momentum, rate);
    }
}

bool optimiser_projects(const struct optimiser *o)
{
    return o->steps % o->settings.project_every == 0;
}

/* Whole rows go to parts in turn: a projection may need all of its row. */
void optimiser_project(struct params *params, const bool *trained, size_t part,
                       size_t parts)
{
    size_t turn = 0;
    for (size_t i = 0; i < params->n; i++) {
        struct param *row = &params->list[i];
        if (row->project && moves(params, trained, i) && turn++ % parts == part)
            row->project(row);
    }
}
