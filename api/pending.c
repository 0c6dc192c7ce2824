/* Waiting replies. From store_submit on, request and response belong to the
 * writer's thread, which may have answered before store_submit returns.
 */
#include "api/pending.h"

#include "api/learning.h"
#include "api/print.h"
#include "api/problem.h"
#include "lib/base/file.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

void *pending_new(const struct call *call, size_t size,
                  enum err_code (*write)(struct pending *, struct database *,
                                         struct err *),
                  struct err *e)
{
    struct pending *p = arena_zeroed(call->request->memory, 1, size);

    if (p == NULL) {
        err_set(e, ERR_NO_MEMORY, "no memory for the request");
        return NULL;
    }
    p->call = *call;
    p->write = write;
    return p;
}

/* ---- the key ---- */

static uint64_t hash_text(uint64_t hash, const char *text)
{
    return text != NULL ? file_hash(hash, text, strlen(text) + 1) : hash;
}

/* A visible text of up to KEYS_MAX_BYTES, quoted as the draft wants it or not,
 * as most clients send it. */
static bool read_key(char *out, const char *text)
{
    size_t length = strlen(text);

    if (length >= 2 && text[0] == '"' && text[length - 1] == '"') {
        text++;
        length -= 2;
    }
    if (length == 0 || length > KEYS_MAX_BYTES)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < ' ' || text[i] > '~')
            return false;
    }
    memcpy(out, text, length);
    out[length] = 0;
    return true;
}

enum err_code pending_take_key(struct pending *p, struct err *e)
{
    const struct api_request *request = p->call.request;
    size_t room = strlen(request->method) + strlen(request->target) + 2;

    if (request->idempotency_key == NULL)
        return ERR_OK;
    if (!read_key(p->key_text, request->idempotency_key))
        return err_set(e, ERR_INVALID,
                       "Idempotency-Key: want 1 to %d visible ASCII "
                       "characters, as in \"8e03978e-40d5-43dd\"",
                       KEYS_MAX_BYTES);
    char *scope = arena_take(request->memory, room, 1);
    if (scope == NULL)
        return err_set(e, ERR_NO_MEMORY, "no memory for the request");
    snprintf(scope, room, "%s %s", request->method, request->target);
    uint64_t hash = hash_text(FILE_HASH_START, request->content_type);
    hash = hash_text(hash, request->query);
    p->key = (struct key){
        .scope = scope,
        .key = p->key_text,
        .body = file_hash(hash, request->body, request->body_length),
        .wall_ms = learning_now_ms(),
    };
    return ERR_OK;
}

/* Prints what was answered before, if it was. */
static enum err_code replay(struct pending *p, struct database *db,
                            struct err *e)
{
    struct api_response *response = p->call.response;
    struct key_answer answer;

    if (keys_find(db, &p->key, &answer, e) != ERR_OK)
        return err_wrap(e, "Idempotency-Key");
    p->replayed = answer.status != 0;
    if (p->replayed) {
        response->status = answer.status;
        response->content_type = "application/json";
        buf_text(&response->body, answer.reply);
    }
    key_answer_fini(&answer);
    return ERR_OK;
}

/* ---- the work ---- */

enum err_code pending_wake(struct pending *p, struct err *e)
{
    (void)e;
    learning_wake(p->call.api);
    return ERR_OK;
}

static struct pending *pending_of(struct store_work *w)
{
    return (struct pending *)((char *)w - offsetof(struct pending, work));
}

static enum err_code run(struct store_work *w, struct database *db,
                         struct err *e)
{
    struct pending *p = pending_of(w);
    struct api_response *response = p->call.response;

    buf_cut(&response->body, p->printed);
    p->replayed = false;
    if (p->key.key != NULL && replay(p, db, e) != ERR_OK)
        return e->code;
    if (p->replayed)
        return ERR_OK;
    if (p->write(p, db, e) != ERR_OK)
        return e->code;
    if (buf_failed(&response->body))
        return print_refuse(&response->body, e);
    if (p->key.key == NULL)
        return ERR_OK;
    return keys_add(db, &p->key, response->status, response->body.data, e);
}

/* The work has ended: fills in what is still missing of the response. */
static enum err_code settle(struct pending *p, struct err *e)
{
    if (e->code != ERR_OK)
        return learning_blame(e);
    if (p->replayed)
        api_response_header(p->call.response, "Idempotency-Replayed", "true");
    if (p->after != NULL && p->after(p, e) != ERR_OK)
        return e->code;
    if (buf_failed(&p->call.response->body))
        return print_refuse(&p->call.response->body, e);
    return ERR_OK;
}

static void done(struct store_work *w, const struct err *result)
{
    struct pending *p = pending_of(w);
    const struct api_request *request = p->call.request;
    struct api_response *response = p->call.response;
    struct err e = *result;

    if (settle(p, &e) != ERR_OK)
        problem_write_err(request, &e, response);
    request->finished(request->finished_arg);
}

/* What the request holds while it waits; its body the server counts. */
static size_t held_bytes(const struct call *call)
{
    return call->request->memory->used_bytes + call->response->body.room;
}

enum err_code pending_send(struct pending *p, struct call *call, struct err *e)
{
    const struct learning *learning = learning_need(call, e);

    if (learning == NULL)
        return e->code;
    if (buf_failed(&call->response->body))
        return print_refuse(&call->response->body, e);
    p->printed = call->response->body.length;
    p->work = (struct store_work){
        .run = run, .done = done, .bytes = held_bytes(call)};
    if (call->request->finished == NULL) {
        *e = (struct err){0};
        if (store_write(learning->store, &p->work, e) != ERR_OK)
            return learning_blame(e);
        return settle(p, e);
    }
    call->waits = true;
    if (store_submit(learning->store, &p->work, e) == ERR_OK)
        return ERR_OK;
    call->waits = false;
    return learning_blame(e);
}
