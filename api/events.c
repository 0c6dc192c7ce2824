/* Events: a fine-tune as it goes, as server-sent events (WHATWG HTML, section
 * 9.2).
 *
 * `state` at the start, on each change and at the end, with the job; `epoch`
 * for each whole epoch, whose number is the event's id, so that a client that
 * connects again goes on from there; `progress` in between. What is under way
 * the learner tells; the store is read only when it does not.
 */
#include "api/handlers.h"
#include "api/job.h"
#include "api/learning.h"
#include "lib/base/mem.h"

#include <string.h>

#define PROGRESS_EVERY ((usec)500 * 1000)
#define READ_EVERY ((usec)100 * 1000)
#define SILENCE ((usec)15 * 1000 * 1000)
#define EPOCHS_AT_ONCE 32

struct events {
    const struct learning *learning;
    int64_t job;
    bool begun;          /* the first state has been told */
    enum job_state told; /* the last one that was */
    size_t next;         /* of the learner's epochs */
    size_t seen;         /* number of the last epoch that the client has */
    struct job_progress progress; /* when the job was last under way */
    usec told_progress, read, said;
    double told_seconds; /* of the progress that was told */
};

static void say_state(struct events *s, const struct job *j, bool under_way,
                      struct buf *out)
{
    bool runs = under_way && !job_state_ended(j->state);

    buf_text(out, "event: state\ndata: ");
    job_print(out, j, runs ? &s->progress : NULL);
    buf_text(out, "\n\n");
    s->told = j->state;
    s->begun = true;
}

static void say_epoch(struct events *s, const struct learner_epoch *epoch,
                      struct buf *out)
{
    const struct learner_progress *at = &s->progress.at;

    if (epoch->epoch <= s->seen)
        return;
    s->seen = epoch->epoch;
    buf_printf(out,
               "event: epoch\nid: %zu\ndata: {\"epoch\":%zu,\"epochs\":%zu,"
               "\"loss\":",
               epoch->epoch, epoch->epoch, at->epochs);
    job_print_number(out, epoch->loss);
    job_print_held_out(out, at, epoch->held_out);
    buf_printf(
        out, ",\"best\":%s,\"seconds_left\":", epoch->best ? "true" : "false");
    job_print_number(out, at->seconds_left);
    buf_text(out, "}\n\n");
}

/* Those that the client has not been told; the last ones of a job just after
 * its end too. */
static void say_epochs(struct events *s, struct buf *out)
{
    struct learner_epoch epochs[EPOCHS_AT_ONCE];
    struct learner_progress at;
    size_t n;

    if (s->learning->learner == NULL)
        return;
    do {
        n = 0;
        if (learner_look(s->learning->learner, s->job, &at, s->next, epochs,
                         EPOCHS_AT_ONCE, &n) ||
            n > 0)
            s->progress.at = at;
        for (size_t i = 0; i < n; i++)
            say_epoch(s, &epochs[i], out);
        s->next += n;
    } while (n == EPOCHS_AT_ONCE);
}

static void say_progress(struct events *s, usec now, struct buf *out)
{
    double seconds = s->progress.at.seconds;

    if (now - s->told_progress < PROGRESS_EVERY || seconds == s->told_seconds)
        return;
    s->told_progress = now;
    s->told_seconds = seconds;
    buf_text(out, "event: progress\ndata: ");
    job_print_progress(out, &s->progress);
    buf_text(out, "\n\n");
}

static enum err_code read_job(const struct learning *learning, int64_t id,
                              struct job *j, struct err *e)
{
    struct database *db = store_begin_read(learning->store, e);

    if (db == NULL)
        return e->code;
    enum err_code code = jobs_get(db, id, j, e);
    store_end_read(learning->store, db);
    return code;
}

/* The record, if it is time to read it and that works; else it is read later.
 */
static bool look_up(struct events *s, bool under_way, usec now, struct job *j)
{
    bool known = s->begun && under_way && s->told == JOB_RUNNING;
    struct err later;

    if (known || (s->begun && now - s->read < READ_EVERY))
        return false;
    s->read = now;
    if (read_job(s->learning, s->job, j, &later) != ERR_OK)
        return false;
    /* Its end is told once the learner has done with it. */
    struct job_progress progress;
    return !job_state_ended(j->state) ||
           !job_look(s->learning, s->job, &progress);
}

/* False: that was the end. */
static bool tell(struct events *s, usec now, struct buf *out)
{
    struct job_progress progress;
    struct job j = {0};
    bool under_way = job_look(s->learning, s->job, &progress);

    if (under_way)
        s->progress = progress;
    bool read = look_up(s, under_way, now, &j);
    if (read && !s->begun)
        say_state(s, &j, under_way, out);
    if (s->begun && !job_state_ended(s->told))
        say_epochs(s, out);
    if (read && j.state != s->told)
        say_state(s, &j, under_way, out);
    job_fini(&j);
    if (s->begun && job_state_ended(s->told))
        return false;
    if (s->begun && under_way)
        say_progress(s, now, out);
    return true;
}

static bool say(void *arg, struct buf *out)
{
    struct events *s = arg;
    usec now = clock_now();
    bool more = tell(s, now, out);

    if (out->length == 0 && now - s->said >= SILENCE)
        buf_text(out, ": nothing new\n\n");
    if (out->length > 0)
        s->said = now;
    return more;
}

/* The number of the last epoch that a client has; 0 for what is no number. */
static size_t read_last(const char *text)
{
    size_t value = 0;

    if (text == NULL || strlen(text) > 9)
        return 0;
    for (; *text >= '0' && *text <= '9'; text++)
        value = value * 10 + (size_t)(*text - '0');
    return *text == 0 ? value : 0;
}

enum err_code events_open(struct call *call, struct err *e)
{
    const struct learning *learning = learning_need(call, e);
    struct api_response *response = call->response;
    int64_t id = (int64_t)call->job;
    struct job j = {0};

    if (learning == NULL)
        return e->code;
    if (read_job(learning, id, &j, e) != ERR_OK)
        return learning_blame(e);
    job_fini(&j);
    response->status = 200;
    response->content_type = "text/event-stream";
    api_response_header(response, "Cache-Control", "no-store");
    if (strcmp(call->request->method, "HEAD") == 0)
        return ERR_OK;
    struct events *s = mem_array(1, sizeof *s);
    if (s == NULL)
        return err_set(e, ERR_NO_MEMORY, "no memory for the events");
    s->learning = learning;
    s->job = id;
    s->seen = read_last(call->request->last_event_id);
    s->said = clock_now();
    response->stream =
        (struct api_stream){.next = say, .close = mem_free, .arg = s};
    return ERR_OK;
}
