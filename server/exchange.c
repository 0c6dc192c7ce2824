/* Exchange: limits on what a request may hold, and the call of the api.
 */
#include "server/exchange.h"

#include "api/coding.h"
#include "api/cors.h"
#include "api/meters.h"
#include "lib/base/mem.h"
#include "server/admission.h"
#include "server/guard.h"
#include "server/unpack.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Bodies up to here are read into one block of the right size. */
#define SMALL_BODY ((size_t)64 * 1024)
/* A refused body up to here is read to its end, so that the connection can be
 * used again; more would be work for nothing. */
#define SWALLOW_BODY ((uint64_t)1 << 20)
/* Memory that an exchange keeps for the next request. */
#define KEEP_BYTES ((size_t)256 * 1024)

void exchange_init(struct exchange *x, struct exchange_rules *rules)
{
    x->rules = rules;
    arena_init(&x->memory, API_MAX_REQUEST_BYTES);
    buf_init(&x->body, API_MAX_BODY_BYTES);
    api_response_init(&x->response);
}

void exchange_fini(struct exchange *x)
{
    api_response_fini(&x->response);
    buf_fini(&x->body);
    arena_fini(&x->memory);
}

/* ---- what all exchanges hold together ---- */

/* false, and nothing taken, if that would be over the limit. */
static bool hold(struct exchange *x, size_t bytes)
{
    size_t before = atomic_fetch_add(&x->rules->held, bytes);

    if (before + bytes > x->rules->max_held) {
        atomic_fetch_sub(&x->rules->held, bytes);
        return false;
    }
    x->held += bytes;
    return true;
}

/* A reply that is made already counts, with what else stays until it is read,
 * but is not refused. */
static void hold_reply(struct exchange *x)
{
    size_t bytes = x->response.body.room + x->memory.used_bytes;

    atomic_fetch_add(&x->rules->held, bytes);
    x->held += bytes;
}

/* Replies that nobody reads fill what may be held; no more are made then, but
 * probes are answered. */
static bool is_full(const struct exchange *x)
{
    return atomic_load(&x->rules->held) > x->rules->max_held &&
           strncmp(x->request.target, "/v1/", 4) == 0;
}

static void release(struct exchange *x)
{
    if (x->held > 0)
        atomic_fetch_sub(&x->rules->held, x->held);
    x->held = 0;
}

/* Empties what only the request needed; small blocks stay for the next. */
static void forget_request(struct exchange *x)
{
    if (x->body.room > SMALL_BODY + 1)
        buf_fini(&x->body);
    else
        buf_reset(&x->body);
    release(x);
}

/* ---- the reply is filled ---- */

static void close_stream(struct exchange *x)
{
    if (!stream_is_open(&x->stream))
        return;
    stream_close(&x->stream);
    atomic_fetch_sub(&x->rules->streams, 1);
}

static void refuse_stream(struct exchange *x, const struct api_stream *source)
{
    char detail[100];

    atomic_fetch_sub(&x->rules->streams, 1);
    source->close(source->arg);
    const struct account account = x->response.account;
    api_response_fini(&x->response);
    api_response_init(&x->response);
    x->response.account = account;
    snprintf(detail, sizeof detail,
             "%zu event streams are open, a quarter of --max-connections",
             x->rules->max_streams);
    exchange_refuse(x, 503, detail);
}

static void take_stream(struct exchange *x)
{
    const struct api_stream source = x->response.stream;

    x->response.stream = (struct api_stream){.next = NULL};
    if (atomic_fetch_add(&x->rules->streams, 1) < x->rules->max_streams)
        stream_open(&x->stream, &source);
    else
        refuse_stream(x, &source);
}

/* Where the time of a request that ran a model went, for its client. */
static void add_timing(struct api_response *r)
{
    char text[API_ID_BYTES];

    if (r->account.model[0] != 0 && r->status / 100 == 2 &&
        account_print(&r->account, text, sizeof text) > 0)
        api_response_header(r, "Server-Timing", text);
}

/* The client may take its time to read; all but the reply goes now. */
static void settle(struct exchange *x)
{
    x->answered = true;
    add_timing(&x->response);
    if (x->response.stream.next != NULL)
        take_stream(x);
    forget_request(x);
    /* What a stream tells from may be there. */
    if (x->memory.used_bytes > KEEP_BYTES && !stream_is_open(&x->stream))
        arena_rewind(&x->memory, x->mark);
    hold_reply(x);
}

/* The reply that exchange_run did not wait for; any thread. */
static void finish(void *arg)
{
    struct exchange *x = arg;

    settle(x);
    x->ready(x->ready_arg);
}

/* ---- headers ---- */

/* An absolute target ("http://host/path", RFC 9112 3.2.2) is cut to its
 * path. */
static const char *skip_authority(const char *target)
{
    size_t scheme = strncasecmp(target, "http://", 7) == 0    ? 7
                    : strncasecmp(target, "https://", 8) == 0 ? 8
                                                              : 0;
    if (scheme == 0)
        return target;
    const char *path = target + scheme + strcspn(target + scheme, "/?");
    return *path == '/' ? path : "/";
}

bool exchange_begin(struct exchange *x, const char *target)
{
    const char *path = skip_authority(target);
    char *copy = arena_text(&x->memory, path, strlen(path));

    account_begin(&x->response.account);
    x->begun = x->response.account.begun / 1000;
    if (copy == NULL)
        return false;
    char *query = strchr(copy, '?');
    if (query != NULL)
        *query++ = 0;
    x->max_body = x->rules->max_body;
    x->body.max_bytes = x->max_body;
    x->request = (struct api_request){
        .method = "GET",
        .target = copy,
        .query = query != NULL ? query : "",
        .id = x->id,
        .body = "",
        .memory = &x->memory,
        .scopes = SCOPE_ALL,
        .finished = finish,
        .finished_arg = x,
    };
    x->frame = (struct frame){.bytes = strlen(target)};
    x->mark = arena_mark(&x->memory);
    x->stream = (struct stream){.taken = 0};
    x->received = 0;
    x->swallowed = 0;
    x->decided = false;
    x->answered = false;
    x->id[0] = 0;
    return true;
}

void exchange_header(struct exchange *x, const char *name, size_t name_length,
                     const char *value, size_t value_length)
{
    frame_header(&x->frame, &x->request, name, name_length, value,
                 value_length);
}

/* The client's, or one of our own: those of one process never repeat, for the
 * mixing (splitmix64) is a bijection. */
static void choose_id(struct exchange *x)
{
    if (x->frame.id != NULL) {
        memcpy(x->id, x->frame.id, strlen(x->frame.id) + 1);
        return;
    }
    uint64_t z = x->rules->seed +
                 atomic_fetch_add(&x->rules->n, 1) * 0x9E3779B97F4A7C15u;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    for (int i = 0; i < 16; i++) {
        x->id[i] = "0123456789abcdef"[z >> 60];
        z <<= 4;
    }
    x->id[16] = 0;
}

void exchange_refuse(struct exchange *x, int status, const char *detail)
{
    api_refuse(&x->request, status, detail, &x->response);
    x->answered = true;
}

static void refuse_length(struct exchange *x)
{
    char detail[100];

    snprintf(detail, sizeof detail,
             "the body is longer than %zu bytes (--max-body)", x->max_body);
    exchange_refuse(x, 413, detail);
}

static void refuse_held(struct exchange *x)
{
    x->response.account.refusal = METERS_HELD;
    exchange_refuse(x, 503,
                    "the server holds as many bodies and replies as it may "
                    "now (--max-held)");
}

/* Before anything is done for the sender. */
static bool refuse_sender(struct exchange *x)
{
    const struct guard_sender sender = {
        .client = x->client,
        .method = x->request.method,
        .authorization = x->frame.authorization,
        .host = x->frame.host,
        .fetch_site = x->frame.fetch_site,
    };

    return x->rules->guard != NULL &&
           guard_refuse(x->rules->guard, &sender, &x->request, &x->response);
}

enum exchange_verdict exchange_decide(struct exchange *x, const char *method,
                                      const char *version)
{
    const struct frame *f = &x->frame;
    int status;

    x->decided = true;
    if (x->rules->api->meters != NULL)
        atomic_fetch_add(&x->rules->api->meters->in_flight, 1);
    x->method = method;
    x->request.method = strcmp(method, "HEAD") == 0 ? "GET" : method;
    if (api_match(&x->request, &x->match))
        x->request.match = &x->match;
    choose_id(x);
    if (f->patience > 0)
        x->request.deadline = x->begun + f->patience;
    coding_unmark_tags(&x->request);
    const char *flaw = frame_find_flaw(f, version, &status);
    if (flaw != NULL) {
        x->response.account.refusal = METERS_MALFORMED;
        exchange_refuse(x, status, flaw);
        return EXCHANGE_ANSWER;
    }
    x->answered = refuse_sender(x);
    if (!f->chunked && f->length == 0)
        return EXCHANGE_GO_ON;
    if (x->answered || api_refuse_early(x->rules->api, &x->request,
                                        (size_t)f->length, &x->response))
        x->answered = true;
    else if (f->length > x->max_body)
        refuse_length(x);
    else if (!admission_refuse_early(x) && f->length > 0 &&
             f->length <= SMALL_BODY &&
             (!hold(x, (size_t)f->length) ||
              buf_reserve(&x->body, (size_t)f->length) == NULL))
        refuse_held(x);
    if (!x->answered)
        return EXCHANGE_GO_ON;
    if (f->chunked || f->expects || f->length > SWALLOW_BODY)
        return EXCHANGE_ANSWER;
    return EXCHANGE_SWALLOW;
}

/* ---- body ---- */

/* Counts what the body is about to grow by; false if that is too much. */
static bool hold_growth(struct exchange *x, size_t length)
{
    size_t need = x->body.length + length;

    if (need <= x->held)
        return true;
    /* As buf grows: by doubling, up to its maximum. */
    size_t room = 2 * x->held > need ? 2 * x->held : need;
    if (room > x->max_body)
        room = x->max_body;
    return hold(x, room - x->held);
}

bool exchange_body(struct exchange *x, const char *bytes, size_t length)
{
    x->received += length;
    if (!x->answered) {
        if (length > x->max_body - x->body.length)
            refuse_length(x);
        else if (!hold_growth(x, length))
            refuse_held(x);
        else
            buf_add(&x->body, bytes, length);
        if (buf_failed(&x->body))
            refuse_held(x);
        if (!x->answered) {
            x->request.body = x->body.data;
            x->request.body_length = x->body.length;
            return true;
        }
        forget_request(x);
    }
    x->swallowed += length;
    size_t most = x->max_body > SWALLOW_BODY ? x->max_body : SWALLOW_BODY;
    return x->swallowed <= most;
}

/* ---- a coded body ---- */

static bool hold_more(void *arg, size_t bytes)
{
    return hold(arg, bytes);
}

static void refuse_coded(struct exchange *x, struct err *e)
{
    if (e->code == ERR_TOO_LARGE) {
        refuse_length(x);
    } else if (e->code == ERR_INVALID) {
        err_wrap(e, "Content-Encoding %.20s", x->request.content_encoding);
        exchange_refuse(x, 400, e->msg);
    } else {
        refuse_held(x);
    }
}

/* False: refused. */
static bool decode(struct exchange *x)
{
    size_t coded = x->held;
    struct err e;

    if (x->rules->api->registry == NULL) {
        x->response.account.refusal = METERS_LOADING;
        exchange_refuse(x, 503, "the models are being loaded");
        return false;
    }
    if (unpack_body(&x->body, hold_more, x, &e) != ERR_OK) {
        refuse_coded(x, &e);
        return false;
    }
    atomic_fetch_sub(&x->rules->held, coded);
    x->held -= coded;
    x->request.body = x->body.length > 0 ? x->body.data : "";
    x->request.body_length = x->body.length;
    return true;
}

static bool is_coded(const struct exchange *x)
{
    enum coding coding = coding_parse(x->request.content_encoding);

    return x->body.length > 0 &&
           (coding == CODING_GZIP || coding == CODING_DEFLATE);
}

/* ---- reply ---- */

bool exchange_is_slow(const struct exchange *x)
{
    return !x->answered && x->rules->api->registry != NULL &&
           api_is_slow(x->rules->api, &x->request);
}

bool exchange_run(struct exchange *x)
{
    if (!x->answered && is_full(x))
        refuse_held(x);
    bool ready = !x->answered && (!is_coded(x) || decode(x));
    if (ready && !api_handle(x->rules->api, &x->request, &x->response))
        return false;
    settle(x);
    return true;
}

bool exchange_is_long(const struct exchange *x)
{
    return atomic_load(&x->rules->packs) &&
           coding_is_slow(&x->request, &x->response);
}

void exchange_pack(struct exchange *x)
{
    if (!atomic_load(&x->rules->packs) ||
        !coding_pack(&x->request, &x->response))
        return;
    release(x);
    hold_reply(x);
}

void exchange_dress(struct exchange *x)
{
    struct api_response *r = &x->response;

    api_response_header(r, "X-Request-Id", x->id);
    api_response_header(r, "X-Content-Type-Options", "nosniff");
    cors_mark(x->rules->api->cors, &x->request, r);
}

/* Of the reply's body. */
static size_t reply_bytes(const struct exchange *x)
{
    return x->stream.bytes > 0         ? x->stream.bytes
           : x->response.fixed != NULL ? x->response.fixed_length
                                       : x->response.body.length;
}

/* Counts and logs a request whose headers came at all. */
static void tell(struct exchange *x, bool sent)
{
    struct meters *m = x->rules->api->meters;
    int status = sent ? x->response.status : STATUS_CLIENT_GONE;
    size_t bytes = sent && strcmp(x->method, "HEAD") != 0 ? reply_bytes(x) : 0;

    access_log(&x->rules->access,
               &(struct access_line){.request = &x->request,
                                     .method = x->method,
                                     .account = &x->response.account,
                                     .status = status,
                                     .bytes = bytes});
    if (m == NULL)
        return;
    meters_add(m, &x->response.account, status, x->received, bytes);
    atomic_fetch_sub(&m->in_flight, 1);
}

void exchange_end(struct exchange *x, bool sent)
{
    if (x->decided)
        tell(x, sent);
    x->decided = false;
    forget_request(x);
    close_stream(x);
    api_response_reset(&x->response, SMALL_BODY);
    if (x->memory.used_bytes > KEEP_BYTES)
        arena_fini(&x->memory);
    else
        arena_reset(&x->memory);
}
