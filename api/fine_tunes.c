/* Fine-tunes: jobs started, listed, shown, cancelled. A job is a record in the
 * store; the learner takes it from there.
 */
#include "api/handlers.h"
#include "api/job.h"
#include "api/learning.h"
#include "api/pending.h"
#include "api/routes.h"
#include "api/tensor_json.h"

#include <stdio.h>
#include <string.h>

/* The job as the whole reply, from the transaction that made or changed it. */
static enum err_code reply_job(const struct call *call, int status,
                               struct database *db, int64_t id, struct err *e)
{
    struct job j = {0};

    if (jobs_get(db, id, &j, e) != ERR_OK)
        return e->code;
    struct buf *b = api_response_json(call->response, status);
    job_print(b, &j, NULL);
    buf_char(b, '\n');
    job_fini(&j);
    return ERR_OK;
}

/* ---- start ---- */

struct start {
    struct pending pending;
    char *options; /* JSON */
};

/* ERR_SHAPE, with the counts, for a model that has nothing to learn from. */
static enum err_code check_samples(struct database *db, const char *model,
                                   struct err *e)
{
    struct samples_counts c;

    if (samples_count(db, model, &c, e) != ERR_OK)
        return e->code;
    if (c.stored == 0)
        err_set(e, ERR_SHAPE,
                "model %s has no samples to learn from (stored 0, posted %llu, "
                "given up %llu): POST /v1/models/%s/samples first",
                model, (unsigned long long)c.accepted,
                (unsigned long long)c.evicted, model);
    bool none = c.stored == 0;
    samples_counts_fini(&c);
    return none ? e->code : ERR_OK;
}

static enum err_code write_start(struct pending *p, struct database *db,
                                 struct err *e)
{
    const struct call *call = &p->call;
    struct job j = {
        .options = ((struct start *)p)->options,
        .trigger = "request",
        .created_ms = learning_now_ms(),
    };
    int64_t id;

    memcpy(j.model, call->model, sizeof j.model);
    if (check_samples(db, call->model, e) != ERR_OK)
        return e->code;
    enum err_code code = jobs_add(db, &j, &id, e);
    if (code == ERR_CONFLICT)
        return err_set(e, ERR_CONFLICT,
                       "fine-tune %lld of model %s is queued or running: wait "
                       "for its end, or POST /v1/fine-tunes/%lld/cancel",
                       (long long)id, call->model, (long long)id);
    return code != ERR_OK ? code : reply_job(call, 202, db, id, e);
}

/* Says where the job is, which a reply that is sent again says too. */
static enum err_code after_start(struct pending *p, struct err *e)
{
    struct api_response *response = p->call.response;
    struct json *reply =
        json_parse(response->body.data, response->body.length, e);
    char location[64];

    if (reply == NULL)
        return err_set(e, ERR_INTERNAL, "a job that cannot be read");
    snprintf(location, sizeof location, "/v1/fine-tunes/%.0f",
             json_number(json_get(reply, "id")));
    json_free(reply);
    api_response_header(response, "Location", location);
    return pending_wake(p, e);
}

/* The options as the text that the job keeps, in the arena. */
static char *options_text(const struct call *call)
{
    const struct options *o = &call->options;
    const struct learner_options wanted = {
        .epochs = o->epochs,
        .learning_rate = o->learning_rate,
        .promote = (enum learner_promote)o->promote,
        .seed = o->seed,
    };
    struct json *j = learner_options_json(&wanted);
    struct buf b;
    char *text = NULL;

    buf_init(&b, 4096);
    json_print(&b, j);
    if (!buf_failed(&b))
        text = arena_text(call->request->memory, b.data, b.length);
    buf_fini(&b);
    json_free(j);
    return text;
}

static enum err_code read_body(struct call *call, struct err *e)
{
    const struct api_request *request = call->request;
    struct json *body = tensor_json_read(request->body, request->body_length,
                                         NULL, 0, request->memory, e);

    if (body == NULL)
        return e->code;
    enum err_code code =
        options_read_json(&call->options, call->route->options, body, NULL, e);
    json_free(body);
    return code;
}

enum err_code fine_tunes_start(struct call *call, struct err *e)
{
    if (learning_need(call, e) == NULL ||
        learning_check_model(call, e) != ERR_OK ||
        (call->request->body_length > 0 && read_body(call, e) != ERR_OK))
        return e->code;
    struct start *start = pending_new(call, sizeof *start, write_start, e);
    if (start == NULL || pending_take_key(&start->pending, e) != ERR_OK)
        return e->code;
    start->pending.after = after_start;
    start->options = options_text(call);
    if (start->options == NULL)
        return err_set(e, ERR_NO_MEMORY, "no memory for the options");
    return pending_send(&start->pending, call, e);
}

/* ---- show ---- */

enum err_code fine_tunes_show(struct call *call, struct err *e)
{
    struct job_progress progress;
    struct job j = {0};

    if (learning_need(call, e) == NULL)
        return e->code;
    const struct learning *learning = call->api->learning;
    struct database *db = learning_read(call, e);
    if (db == NULL)
        return e->code;
    enum err_code code = jobs_get(db, (int64_t)call->job, &j, e);
    store_end_read(learning->store, db);
    if (code != ERR_OK)
        return learning_blame(e);
    bool under_way = job_look(learning, (int64_t)call->job, &progress);
    struct buf *b = api_response_json(call->response, 200);
    job_print(b, &j, under_way ? &progress : NULL);
    buf_char(b, '\n');
    job_fini(&j);
    return ERR_OK;
}

/* ---- list ---- */

struct listing {
    const struct call *call;
    size_t n;
    int64_t last;
    bool more;
};

static bool print_item(void *arg, const struct job *j)
{
    struct listing *list = arg;
    const struct call *call = list->call;
    struct buf *b = &call->response->body;
    struct job_progress progress;

    if (list->n == call->options.limit) {
        list->more = true;
        return false;
    }
    if (list->n > 0)
        buf_char(b, ',');
    bool under_way = job_look(call->api->learning, j->id, &progress);
    job_print(b, j, under_way ? &progress : NULL);
    list->last = j->id;
    list->n++;
    return true;
}

enum err_code fine_tunes_list(struct call *call, struct err *e)
{
    const struct options *o = &call->options;
    struct listing list = {.call = call};
    struct database *db = learning_read(call, e);

    if (db == NULL)
        return e->code;
    struct buf *b = api_response_json(call->response, 200);
    buf_text(b, "{\"fine_tunes\":[");
    enum err_code code =
        jobs_each(db, o->model[0] != 0 ? o->model : NULL, (int64_t)o->before,
                  o->limit + 1, print_item, &list, e);
    store_end_read(call->api->learning->store, db);
    if (code != ERR_OK)
        return learning_blame(e);
    buf_text(b, "],\"next\":");
    if (list.more)
        buf_printf(b, "%lld}\n", (long long)list.last);
    else
        buf_text(b, "null}\n");
    return ERR_OK;
}

/* ---- cancel ---- */

static enum err_code write_cancel(struct pending *p, struct database *db,
                                  struct err *e)
{
    int64_t id = (int64_t)p->call.job;
    enum job_state state;

    if (jobs_cancel(db, id, learning_now_ms(), &state, e) != ERR_OK)
        return e->code;
    return reply_job(&p->call, 200, db, id, e);
}

enum err_code fine_tunes_cancel(struct call *call, struct err *e)
{
    if (learning_need(call, e) == NULL)
        return e->code;
    struct pending *p = pending_new(call, sizeof *p, write_cancel, e);
    if (p == NULL)
        return e->code;
    p->after = pending_wake;
    return pending_send(p, call, e);
}
