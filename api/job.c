/* Jobs as JSON. */
#include "api/job.h"

#include "api/learning.h"
#include "api/print.h"

#include <math.h>
#include <string.h>

bool job_look(const struct learning *learning, int64_t id,
              struct job_progress *p)
{
    struct learner_epoch last;
    size_t n;

    if (learning->learner == NULL ||
        !learner_look(learning->learner, id, &p->at, 0, NULL, 0, &n))
        return false;
    p->held_out = NAN;
    n = 0;
    if (p->at.n_epochs > 0 && !learner_look(learning->learner, id, &p->at,
                                            p->at.n_epochs - 1, &last, 1, &n))
        return false;
    if (n > 0)
        p->held_out = last.held_out;
    return true;
}

void job_print_number(struct buf *b, double value)
{
    if (isfinite((float)value))
        buf_json_float(b, (float)value);
    else
        buf_text(b, "null");
}

void job_print_held_out(struct buf *b, const struct learner_progress *at,
                        double held_out)
{
    buf_printf(b,
               ",\"held_out_%s\":", at->held_out_is_error ? "error" : "loss");
    job_print_number(b, held_out);
}

/* Of all epochs that there may be. */
static double share(const struct learner_progress *at)
{
    double rows = at->rows > 0 ? (double)at->row / (double)at->rows : 0;
    double epochs = at->epoch > 0 ? (double)(at->epoch - 1) + rows : 0;
    double all = at->epochs > 0 ? epochs / (double)at->epochs : 0;

    return all < 1 ? all : 1;
}

void job_print_progress(struct buf *b, const struct job_progress *p)
{
    buf_printf(b, "{\"epoch\":%zu,\"epochs\":%zu,\"share\":", p->at.epoch,
               p->at.epochs);
    job_print_number(b, share(&p->at));
    buf_text(b, ",\"loss\":");
    job_print_number(b, p->at.loss);
    if (p->at.rows > 0) /* before the first batch, which it is is not known */
        job_print_held_out(b, &p->at, p->held_out);
    buf_text(b, ",\"seconds\":");
    job_print_number(b, p->at.seconds);
    buf_text(b, ",\"seconds_left\":");
    job_print_number(b, p->at.seconds_left);
    buf_char(b, '}');
}

/* A JSON text of the store, on one line; null if there is none. */
static void print_member(struct buf *b, const char *name, const char *text)
{
    struct err ignored;
    struct json *j =
        text != NULL ? json_parse(text, strlen(text), &ignored) : NULL;

    buf_printf(b, ",\"%s\":", name);
    print_json_or_null(b, j);
    json_free(j);
}

static void print_time(struct buf *b, const char *name, int64_t wall_ms)
{
    buf_printf(b, ",\"%s\":", name);
    learning_print_time(b, wall_ms);
}

void job_print(struct buf *b, const struct job *j, const struct job_progress *p)
{
    bool ended = p == NULL && job_state_ended(j->state);
    enum job_state state = p != NULL ? JOB_RUNNING : j->state;

    buf_printf(b, "{\"id\":%lld,\"model\":", (long long)j->id);
    buf_json_text(b, j->model);
    buf_printf(b, ",\"state\":\"%s\",\"promoted\":%s,\"trigger\":",
               job_state_name(state), ended && j->promoted ? "true" : "false");
    buf_json_text(b, j->trigger);
    buf_text(b, ",\"parent\":");
    print_uint_or_null(b, j->parent);
    buf_text(b, ",\"version\":");
    print_uint_or_null(b, j->version);
    print_member(b, "options", j->options);
    print_time(b, "created", j->created_ms);
    print_time(b, "started", j->started_ms);
    print_time(b, "ended", ended ? j->ended_ms : 0);
    print_member(b, "before", ended ? j->before : NULL);
    print_member(b, "after", ended ? j->after : NULL);
    buf_text(b, ",\"reason\":");
    print_text_or_null(b, ended ? j->reason : NULL);
    buf_text(b, ",\"progress\":");
    if (p != NULL)
        job_print_progress(b, p);
    else
        buf_text(b, "null");
    buf_char(b, '}');
}
