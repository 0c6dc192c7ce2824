/* Measuring parent and child alike, and comparing them label by label. */
#include "lib/train/gate.h"

#include "lib/base/mem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* How much worse a label may get: a share of its rows, and this many rows. */
static const double allowed_error = 0.01;
enum { ALLOWED_ROWS = 2 };

/* How many rows fewer must be wrong. */
enum { ENOUGH_ROWS = 2 };

/* ---- figures ---- */

/* The rows with the labels that the model knows, into known (rows->n): others
 * have none. */
static enum err_code hide_unknown(const struct gate_rows *rows, size_t classes,
                                  struct dataset *known, struct err *e)
{
    const struct dataset *d = rows->rows;
    *known = *d;
    known->labels = NULL;
    if (!d->labels || classes == 0)
        return ERR_OK;
    known->labels = mem_array(d->n, sizeof *known->labels);
    if (!known->labels)
        return err_set(e, ERR_NO_MEMORY, "%zu labels", d->n);
    for (size_t i = 0; i < d->n; i++)
        known->labels[i] = d->labels[i] >= 0 && (size_t)d->labels[i] < classes
                               ? d->labels[i]
                               : DATASET_NO_LABEL;
    return ERR_OK;
}

static void count_unknown(struct gate_figures *f, const struct gate_rows *rows,
                          size_t classes)
{
    double sum = 0, seen = 0;
    for (size_t i = 0; i < rows->n && rows->rows->labels && classes > 0; i++) {
        size_t row = rows->index ? rows->index[i] : i;
        int32_t label = rows->rows->labels[row];
        if (label >= 0 && (size_t)label >= classes) {
            f->labels[label].rows++;
            f->labels[label].wrong++;
        }
    }
    for (size_t i = 0; i < f->n_labels; i++)
        if (f->labels[i].rows > 0) {
            sum += (double)f->labels[i].wrong / (double)f->labels[i].rows;
            seen++;
        }
    f->error = seen > 0 ? sum / seen : (double)NAN;
}

static enum err_code
measure_known(struct gate_figures *f, const struct model *m,
              const struct loss_weights *weights, const struct gate_rows *rows,
              const struct dataset *known, struct team *team, struct err *e)
{
    struct model part = loss_model(m, weights);
    if (measure_labels(&part, known, rows->index, rows->n, team, &f->all,
                       f->labels, e))
        return e->code;
    return measure_loss(m, weights, known, rows->index, rows->n, 0, team,
                        &f->loss, e);
}

enum err_code gate_measure(struct gate_figures *f, const struct model *m,
                           size_t n_labels, const struct loss_weights *weights,
                           const struct gate_rows *rows, struct team *team,
                           struct err *e)
{
    size_t classes = m->classifier.present ? m->classifier.classes : 0;
    struct dataset known;
    *f = (struct gate_figures){.n_labels = n_labels};
    f->labels = mem_array(n_labels, sizeof *f->labels);
    if (!f->labels)
        return err_set(e, ERR_NO_MEMORY, "%zu labels", n_labels);
    enum err_code code = hide_unknown(rows, classes, &known, e);
    if (!code)
        code = measure_known(f, m, weights, rows, &known, team, e);
    if (!code)
        count_unknown(f, rows, classes);
    mem_free(known.labels);
    if (code)
        gate_figures_fini(f);
    return code;
}

void gate_figures_fini(struct gate_figures *f)
{
    mem_free(f->labels);
    *f = (struct gate_figures){0};
}

static double error_of(const struct label_measures *l)
{
    return l->rows > 0 ? (double)l->wrong / (double)l->rows : (double)NAN;
}

/* ---- as JSON ---- */

static struct json *number_or_null(double value)
{
    return isfinite(value) ? json_new_number(value) : json_new_null();
}

static struct json *figures_json(const struct gate_figures *f, char **names)
{
    struct json *j = json_new_object(), *labels = NULL;
    json_set(j, "rows", json_new_number((double)f->all.rows));
    json_set(j, "error", number_or_null(f->error));
    json_set(j, "loss", number_or_null(f->loss));
    json_set(j, "relative_error", number_or_null(f->all.relative_error));
    if (f->n_labels > 0)
        labels = json_new_object();
    for (size_t i = 0; i < f->n_labels; i++) {
        const struct label_measures *l = &f->labels[i];
        struct json *label = json_new_object();
        json_set(label, "rows", json_new_number((double)l->rows));
        json_set(label, "wrong", json_new_number((double)l->wrong));
        json_set(label, "error", number_or_null(error_of(l)));
        json_set(labels, names[i], label);
    }
    json_set(j, "labels", labels ? labels : json_new_null());
    return j;
}

/* ---- the verdict ---- */

size_t gate_worse_label(const struct gate_figures *before,
                        const struct gate_figures *after, size_t n_known)
{
    for (size_t i = 0; i < n_known; i++) {
        const struct label_measures *b = &before->labels[i],
                                    *a = &after->labels[i];
        if (a->rows > 0 && a->wrong > b->wrong + ALLOWED_ROWS &&
            error_of(a) > error_of(b) + allowed_error)
            return i;
    }
    return n_known;
}

struct places {
    struct gate_figures before, after;
};

static bool judge_loss(const struct gate_figures *b,
                       const struct gate_figures *a, const char *place,
                       struct gate_verdict *v)
{
    bool lower = a->loss < b->loss;
    bool kept = !(a->error > b->error);
    snprintf(v->reason, sizeof v->reason,
             "on %zu %s rows the mean loss went from %.6g to %.6g%s",
             a->all.rows, place, b->loss, a->loss,
             lower && !kept ? ", but the error per label rose" : "");
    return lower && kept;
}

static size_t wrong_rows(const struct gate_figures *f)
{
    size_t wrong = 0;
    for (size_t i = 0; i < f->n_labels; i++)
        wrong += f->labels[i].wrong;
    return wrong;
}

static bool judge_error(const struct gate_figures *b,
                        const struct gate_figures *a, const char *place,
                        struct gate_verdict *v)
{
    bool lower = a->error < b->error;
    bool clear = wrong_rows(a) + ENOUGH_ROWS <= wrong_rows(b);
    snprintf(v->reason, sizeof v->reason,
             "on %zu %s rows the mean error per label went from %.2f %% to "
             "%.2f %%%s",
             a->all.labelled, place, 100 * b->error, 100 * a->error,
             lower && !clear ? ", which may be chance" : "");
    return lower && clear;
}

/* Whether of every known label some row is there, held out or the operator's:
 * what nobody looks at may be forgotten. */
static bool judge_cover(const struct places *own, const struct places *theirs,
                        size_t known, char **names, struct gate_verdict *v)
{
    for (size_t i = 0; i < known; i++) {
        if (own->before.labels[i].rows > 0 ||
            (theirs->before.labels && theirs->before.labels[i].rows > 0))
            continue;
        snprintf(v->reason, sizeof v->reason,
                 "no held-out row of label \"%.60s\" tells whether it is "
                 "forgotten: post some of it, or name data of it (--rehearsal, "
                 "--test-data)",
                 names[i]);
        return false;
    }
    return true;
}

static bool judge_place(const struct places *p, const struct model *parent,
                        char **names, enum recipe_measure measure,
                        const char *place, struct gate_verdict *v)
{
    const struct gate_figures *b = &p->before, *a = &p->after;
    size_t known = parent->classifier.present ? parent->classifier.classes : 0;
    size_t worse = gate_worse_label(b, a, known);
    if (a->all.rows == 0) {
        snprintf(v->reason, sizeof v->reason,
                 "there are no %s rows to judge it by", place);
        return false;
    }
    if (worse < known) {
        snprintf(v->reason, sizeof v->reason,
                 "label \"%.60s\" got worse: %zu instead of %zu of %zu %s rows "
                 "are wrong",
                 names[worse], a->labels[worse].wrong, b->labels[worse].wrong,
                 a->labels[worse].rows, place);
        return false;
    }
    if (measure == RECIPE_LOSS || isnan(a->error))
        return judge_loss(b, a, place, v);
    return judge_error(b, a, place, v);
}

static enum err_code measure_place(struct places *p, const struct model *parent,
                                   const struct model *child,
                                   const struct loss_weights *weights,
                                   const struct gate_rows *rows,
                                   struct team *team, struct err *e)
{
    size_t n = child->classifier.present ? child->classifier.classes : 0;
    if (gate_measure(&p->before, parent, n, weights, rows, team, e))
        return e->code;
    return gate_measure(&p->after, child, n, weights, rows, team, e);
}

static void places_fini(struct places *p)
{
    gate_figures_fini(&p->before);
    gate_figures_fini(&p->after);
}

enum err_code gate_judge(const struct model *parent, const struct model *child,
                         const struct loss_weights *weights,
                         enum recipe_measure measure,
                         const struct gate_rows *held_out,
                         const struct gate_rows *test, struct team *team,
                         struct gate_verdict *v, struct err *e)
{
    struct places own = {0}, theirs = {0};
    char **names = child->classes;
    size_t known = parent->classifier.present ? parent->classifier.classes : 0;
    *v = (struct gate_verdict){0};
    enum err_code code =
        measure_place(&own, parent, child, weights, held_out, team, e);
    if (!code && test)
        code = measure_place(&theirs, parent, child, weights, test, team, e);
    if (!code) {
        v->better = judge_place(&own, parent, names, measure, "held-out", v);
        if (v->better)
            v->better = judge_cover(&own, &theirs, known, names, v);
        if (v->better && test)
            v->better = judge_place(&theirs, parent, names, measure, "test", v);
        v->before = figures_json(&own.before, names);
        v->after = figures_json(&own.after, names);
        if (test) {
            json_set(v->before, "test", figures_json(&theirs.before, names));
            json_set(v->after, "test", figures_json(&theirs.after, names));
        }
    }
    places_fini(&own);
    places_fini(&theirs);
    if (!code && (!json_whole(v->before) || !json_whole(v->after))) {
        json_free(v->before);
        json_free(v->after);
        *v = (struct gate_verdict){0};
        code = err_set(e, ERR_NO_MEMORY, "figures");
    }
    return code;
}
