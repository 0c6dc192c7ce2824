/* The way of a request: route, headers, query, handler, and the problem reply
 * of whatever refuses it.
 *
 * The checks that need no body are one function, so that a refusal before an
 * upload and one after it are the same.
 */
#include "api/api.h"

#include "api/accept.h"
#include "api/coding.h"
#include "api/cors.h"
#include "api/oip/request.h"
#include "api/print.h"
#include "api/problem.h"
#include "api/routes.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define QUICK_NPY_BYTES (API_QUICK_BYTES / 4)
/* A sparse code costs its whole row however short it is, so rows count too:
 * each has a list or an object or two of its own. */
#define QUICK_LISTS 64
#define DETAIL_BYTES ((size_t)8 << 10)

/* ---- replies ---- */

void api_response_init(struct api_response *r)
{
    memset(r, 0, offsetof(struct api_response, headers));
    buf_init(&r->body, API_MAX_REPLY_BYTES);
}

void api_response_fini(struct api_response *r)
{
    buf_fini(&r->body);
}

void api_response_reset(struct api_response *r, size_t keep_bytes)
{
    struct buf body = r->body;

    if (body.room > keep_bytes)
        buf_fini(&body);
    else
        buf_reset(&body);
    memset(r, 0, offsetof(struct api_response, headers));
    r->body = body;
}

void api_response_header(struct api_response *r, const char *name,
                         const char *value)
{
    assert(r->n_headers < API_MAX_HEADERS);
    size_t i = r->n_headers++;
    size_t length = strnlen(value, sizeof r->headers[i].value - 1);
    r->headers[i].name = name;
    memcpy(r->headers[i].value, value, length);
    r->headers[i].value[length] = 0;
}

struct buf *api_response_json(struct api_response *r, int status)
{
    r->status = status;
    r->content_type = "application/json";
    return &r->body;
}

void api_refuse(const struct api_request *request, int status,
                const char *detail, struct api_response *response)
{
    problem_write(request, status, detail, response);
}

/* ---- checks on the headers; each is true if it answered ---- */

/* Tells what may be sent: RFC 9110, section 12.5.1; for POST the Linked Data
 * Platform's header is the older one. */
static void add_taken(struct call *call, const char *list)
{
    bool post = strcmp(call->route->method, "POST") == 0;

    api_response_header(call->response, post ? "Accept-Post" : "Accept", list);
}

/* OPTIONS needs no row and no token: it only tells what there is. */
static bool answer_options(struct call *call, const char *allow)
{
    struct api_response *response = call->response;

    if (allow[0] == 0 || strcmp(call->request->method, "OPTIONS") != 0)
        return false;
    response->status = 204;
    api_response_header(response, "Allow", allow);
    cors_preflight(call->api->cors, call->request, allow, response);
    return true;
}

static bool refuse_route(struct call *call)
{
    const struct api_request *request = call->request;
    char allow[API_ID_BYTES];
    struct buf detail;

    if (route_find(call, allow, sizeof allow)) {
        call->response->account.route = call->route;
        if (call->version != CALL_NO_VERSION)
            return false;
        problem_write(request, 404, "no such version: they are numbers from 1",
                      call->response);
        return true;
    }
    if (answer_options(call, allow))
        return true;
    if (strcmp(request->method, "CONNECT") == 0) {
        problem_write(request, 501, "CONNECT is for proxies", call->response);
        return true;
    }
    buf_init(&detail, DETAIL_BYTES);
    if (allow[0] != 0) {
        call->response->status = 405;
        api_response_header(call->response, "Allow", allow);
        buf_printf(&detail, "%.16s is not served here: use %s", request->method,
                   allow);
    } else {
        buf_printf(&detail, "there is no such path (names are letters, digits, "
                            ".-_, versions numbers from 1); there are: ");
        route_list(&detail, route_family_of(request->target));
    }
    problem_write(request, allow[0] != 0 ? 405 : 404,
                  buf_failed(&detail) ? "no such route" : detail.data,
                  call->response);
    buf_fini(&detail);
    return true;
}

static bool refuse_length(struct call *call, size_t length)
{
    size_t limit = call->route->takes != 0 ? API_MAX_BODY_BYTES : 0;
    char detail[160];

    if (length <= limit)
        return false;
    if (limit == 0)
        snprintf(detail, sizeof detail,
                 "this route takes no body, got %zu bytes", length);
    else
        snprintf(detail, sizeof detail,
                 "a body may have %zu bytes, got %zu or more: send fewer "
                 "inputs, or send them as application/x-npy",
                 limit, length);
    problem_write(call->request, 413, detail, call->response);
    return true;
}

static bool refuse_type(struct call *call, size_t length)
{
    const char *type = call->request->content_type;
    char list[API_ID_BYTES], detail[256];

    if (call->route->takes == 0 || (call->route->takes & MEDIA_ANY) != 0 ||
        ((call->route->takes & MEDIA_NOTHING) != 0 && length == 0))
        return false;
    unsigned media = type != NULL ? media_parse(type) : 0;
    call->body = (enum media)media;
    if ((media & call->route->takes) != 0)
        return false;
    media_list(list, sizeof list, call->route->takes);
    if (type == NULL)
        snprintf(detail, sizeof detail,
                 "no Content-Type: say what the body is, as in `Content-Type: "
                 "application/json`; this route takes %s",
                 list);
    else
        snprintf(detail, sizeof detail,
                 "Content-Type %.60s is not taken here: send one of %s", type,
                 list);
    call->response->status = 415;
    add_taken(call, list);
    problem_write(call->request, 415, detail, call->response);
    return true;
}

static bool refuse_encoding(struct call *call)
{
    const char *encoding = call->request->content_encoding;
    char list[API_ID_BYTES], detail[160];

    if (call->route->takes == 0 || coding_parse(encoding) != CODING_UNKNOWN)
        return false;
    snprintf(detail, sizeof detail,
             "Content-Encoding %.60s is not taken: send one of " CODING_TAKEN
             ", or the body as it is",
             encoding);
    call->response->status = 415;
    api_response_header(call->response, "Accept-Encoding", CODING_TAKEN);
    if ((call->route->takes & MEDIA_ANY) == 0)
        add_taken(call, media_list(list, sizeof list, call->route->takes));
    problem_write(call->request, 415, detail, call->response);
    return true;
}

static bool refuse_accept(struct call *call)
{
    char list[API_ID_BYTES], detail[256];

    if (call->route->gives == 0)
        return false;
    unsigned media = media_choose(call->request->accept, call->route->gives);
    call->reply = (enum media)media;
    if (media != 0)
        return false;
    snprintf(detail, sizeof detail,
             "Accept: %.60s fits none of what this route gives: %s",
             call->request->accept,
             media_list(list, sizeof list, call->route->gives));
    problem_write(call->request, 406, detail, call->response);
    return true;
}

/* What a request that lacks a scope is told. */
static void print_scope_detail(char *out, size_t size,
                               const struct api_request *request,
                               const char *scope)
{
    if (request->has_token)
        snprintf(out, size, "the token's scopes do not have %s", scope);
    else if (request->takes_tokens)
        snprintf(out, size,
                 "this needs a token of the scope %s, sent as "
                 "`Authorization: Bearer TOKEN`",
                 scope);
    else
        snprintf(out, size,
                 "this needs a token of the scope %s, and the server has none: "
                 "it has to be started with --tokens FILE, which `sparsed "
                 "token NAME --scopes %s --tokens FILE` makes, or with "
                 "--anonymous to let anybody do this",
                 scope, scope);
}

/* RFC 6750, section 3. */
static bool refuse_scope(struct call *call)
{
    static const char *const names[] = {"infer", "learn", "admin"};
    const struct api_request *request = call->request;
    unsigned scope = call->route->scope;
    size_t i = scope == SCOPE_INFER ? 0 : scope == SCOPE_LEARN ? 1 : 2;
    char detail[320], challenge[80];

    if ((scope & ~request->scopes) == 0)
        return false;
    int status = request->has_token ? 403 : 401;
    snprintf(challenge, sizeof challenge, "Bearer scope=\"%s\"%s", names[i],
             status == 403 ? ", error=\"insufficient_scope\"" : "");
    print_scope_detail(detail, sizeof detail, request, names[i]);
    call->response->account.refusal =
        status == 403 ? METERS_SCOPE : METERS_TOKEN;
    call->response->status = status;
    api_response_header(call->response, "WWW-Authenticate", challenge);
    problem_write(request, status, detail, call->response);
    return true;
}

static bool refuse_headers(struct call *call, size_t length)
{
    return refuse_route(call) || refuse_scope(call) ||
           refuse_length(call, length) || refuse_type(call, length) ||
           refuse_encoding(call) || refuse_accept(call);
}

/* ---- entry points ---- */

static struct call call_make(struct api *api, const struct api_request *request,
                             struct api_response *response)
{
    struct call call = {
        .api = api,
        .request = request,
        .response = response,
        .deadline = request->deadline,
    };
    options_init(&call.options);
    return call;
}

bool api_match(const struct api_request *request, struct route_match *m)
{
    char allow[API_ID_BYTES];
    struct call call = call_make(NULL, request, NULL);

    if (!route_find(&call, allow, sizeof allow))
        return false;
    *m = (struct route_match){
        .route = call.route,
        .version = call.version,
        .unit = call.unit,
        .sample = call.sample,
        .job = call.job,
    };
    memcpy(m->model, call.model, sizeof m->model);
    return true;
}

bool api_refuse_early(struct api *api, const struct api_request *request,
                      size_t announced_length, struct api_response *response)
{
    struct call call = call_make(api, request, response);

    return refuse_headers(&call, announced_length);
}

static enum err_code run(struct call *call, struct err *e)
{
    const char *query = call->request->query;

    /* The others take no options and ignore what stands there. */
    if (route_family_of(call->request->target) == FAMILY_NATIVE &&
        query != NULL &&
        options_read_query(&call->options, call->route->options, query, e) !=
            ERR_OK)
        return e->code;
    /* What anybody may ask does without models, or says that there are none. */
    if (call->route->scope != 0 && call->api->registry == NULL) {
        call->response->account.refusal = METERS_LOADING;
        return err_set(e, ERR_BUSY, "the models are being loaded");
    }
    return call->route->handle(call, e);
}

bool api_handle(struct api *api, const struct api_request *request,
                struct api_response *response)
{
    struct call call = call_make(api, request, response);
    struct err e = {0};

    if (refuse_headers(&call, request->body_length))
        return true;
    enum err_code code = run(&call, &e);
    if (call.waits) /* and may be answered already: hands off */
        return false;
    if (code == ERR_OK && buf_failed(&response->body))
        code = print_refuse(&response->body, &e);
    if (code != ERR_OK)
        problem_write_err(request, &e, response);
    return true;
}

bool api_is_open(struct api *api, const struct api_request *request)
{
    char allow[API_ID_BYTES];
    struct call call = call_make(api, request, NULL);

    return route_find(&call, allow, sizeof allow) && call.route->scope == 0;
}

/* Whether there may be an option `steps`, as far as can be told without
 * reading the text: an escape may hide it. */
static bool may_set_steps(const char *query)
{
    return query != NULL &&
           (strstr(query, "steps") != NULL || strchr(query, '%') != NULL);
}

/* Whether the text has "steps", quotes and all: these are few, so they are
 * looked for. */
static bool names_steps(const char *text, size_t length)
{
    static const char steps[] = "\"steps\"";
    const size_t size = sizeof steps - 1;
    const char *end = text + length;

    while ((text = memchr(text, '"', (size_t)(end - text))) != NULL) {
        if ((size_t)(end - text) >= size && memcmp(text, steps, size) == 0)
            return true;
        text++;
    }
    return false;
}

/* Of '[' and '{', which differ in one bit. By the block, so that a byte can
 * count: that is many at a time. */
static size_t count_lists(const char *text, size_t length)
{
    size_t lists = 0;

    for (size_t i = 0; i < length;) {
        size_t block = length - i < UINT8_MAX ? length : i + UINT8_MAX;
        uint8_t n = 0;
        for (; i < block; i++)
            n += (text[i] | 0x20) == '{';
        lists += n;
    }
    return lists;
}

static bool json_is_slow(const char *text, size_t length)
{
    if (length == 0)
        return false;
    return length > API_QUICK_BYTES || text == NULL ||
           memchr(text, '\\', length) != NULL || names_steps(text, length) ||
           count_lists(text, length) > QUICK_LISTS;
}

/* JSON, and maybe bytes behind it. */
static bool open_body_is_slow(const struct api_request *request)
{
    size_t json_length;
    struct err e;

    if (oip_header_length(request, &json_length, &e) != ERR_OK)
        return false; /* refused at once */
    return json_is_slow(request->body, json_length) ||
           request->body_length - json_length > QUICK_NPY_BYTES;
}

static bool body_is_slow(const struct route *route,
                         const struct api_request *request)
{
    if ((route->takes & MEDIA_ANY) != 0)
        return open_body_is_slow(request);
    if (request->content_type == NULL)
        return false;
    switch (media_parse(request->content_type)) {
    case MEDIA_JSON:
    case MEDIA_NDJSON:
        return json_is_slow(request->body, request->body_length);
    case MEDIA_NPY:
        return request->body_length > QUICK_NPY_BYTES;
    default:
        return true;
    }
}

static bool model_is_slow(const struct call *call)
{
    struct err e;
    const struct served *s =
        registry_acquire(call->api->registry, call->model, call->version, &e);

    if (s == NULL)
        return false;
    bool slow = model_searches(s->model);
    registry_release(call->api->registry, s);
    return slow;
}

bool api_is_slow(struct api *api, const struct api_request *request)
{
    char allow[API_ID_BYTES];
    struct call call = call_make(api, request, NULL);

    if (!route_find(&call, allow, sizeof allow))
        return false;
    if (call.route->speed == ROUTE_SLOW)
        return true;
    if (call.route->takes == 0)
        return false;
    if (coding_parse(request->content_encoding) != CODING_NONE)
        return true;
    if (call.route->speed == ROUTE_BODY)
        return body_is_slow(call.route, request);
    return may_set_steps(request->query) || body_is_slow(call.route, request) ||
           model_is_slow(&call);
}

/* Bodies of one power of two are alike. */
struct cost_kind api_cost(struct api *api, const struct api_request *request)
{
    char allow[API_ID_BYTES];
    struct call call = call_make(api, request, NULL);
    const char *type = request->content_type, *query = request->query;
    struct cost_kind k = {
        .units = request->body_length > 0 ? request->body_length : 1};
    uint64_t log = 0;

    (void)route_find(&call, allow, sizeof allow);
    while (k.units >> log > 1)
        log++;
    const uint64_t form[] = {
        type != NULL ? (uint64_t)media_parse(type) : 0,
        (uint64_t)coding_parse(request->content_encoding),
        request->header_length != NULL,
    };
    k.family = cost_hash(0, form, sizeof form);
    k.family = cost_hash(k.family, call.model, strlen(call.model));
    k.family = cost_hash(k.family, &call.route, sizeof call.route);
    k.kind =
        cost_hash(k.family ^ log, query, query != NULL ? strlen(query) : 0);
    return k;
}
