/* Shared by the routes of learning. */
#include "api/learning.h"

#include "lib/engine/learner.h"

const struct learning *learning_need(const struct call *call, struct err *e)
{
    const struct api *api = call->api;

    if (api->learning == NULL)
        err_set(e, ERR_BUSY, "nothing can be learned: %.200s",
                api->no_learning != NULL ? api->no_learning
                                         : "there is no store");
    return api->learning;
}

struct samples_limits learning_limits(const struct call *call)
{
    const struct learning *learning = call->api->learning;

    return (struct samples_limits){.max_samples = learning->max_samples,
                                   .max_labels = learning->max_labels};
}

struct database *learning_read(const struct call *call, struct err *e)
{
    const struct learning *learning = learning_need(call, e);

    if (learning == NULL)
        return NULL;
    struct database *db = store_begin_read(learning->store, e);
    if (db == NULL)
        learning_blame(e);
    return db;
}

enum err_code learning_blame(struct err *e)
{
    switch (e->code) {
    case ERR_IO:
    case ERR_CORRUPT:
    case ERR_DENIED:
        err_wrap(e, "the store fails (%s)", err_text(e->code));
        e->code = ERR_BUSY;
        break;
    case ERR_OK:
    case ERR_INVALID:
    case ERR_SHAPE:
    case ERR_NOT_FOUND:
    case ERR_CONFLICT:
    case ERR_STALE:
    case ERR_TOO_LARGE:
    case ERR_BUSY:
    case ERR_DEADLINE:
    case ERR_NO_MEMORY:
    case ERR_NO_SPACE:
    case ERR_INTERNAL:
        break;
    }
    return e->code;
}

enum err_code learning_check_model(const struct call *call, struct err *e)
{
    const struct served *s =
        registry_acquire(call->api->registry, call->model, 0, e);

    if (s == NULL)
        return e->code;
    registry_release(call->api->registry, s);
    return ERR_OK;
}

void learning_wake(const struct api *api)
{
    if (api->learning->learner != NULL)
        learner_wake(api->learning->learner);
}

int64_t learning_now_ms(void)
{
    return clock_wall() / 1000;
}

void learning_print_time(struct buf *b, int64_t wall_ms)
{
    char text[32];

    if (wall_ms == 0)
        buf_text(b, "null");
    else
        buf_json_text(b, clock_print_wall(text, sizeof text, wall_ms * 1000));
}
