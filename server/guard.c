/* Guard: settings that may change at any time are single atomic values; tokens
 * and addresses look after themselves.
 */
#include "server/guard.h"

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "server/origin.h"
#include "server/pace.h"
#include "server/token_file.h"
#include "server/tokens.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DETAIL_BYTES 200

struct guard {
    struct api *api;
    bool loopback;
    struct tokens *tokens;
    struct pace_table *addresses;
    atomic_uint anonymous; /* scopes */
    atomic_bool has_tokens;
    _Atomic nsec each, ahead; /* an address's pace_rule */
};

/* ---- settings ---- */

static enum err_code choose_anonymous(const struct guard_settings *s,
                                      unsigned *scopes, struct err *e)
{
    bool all = s->loopback && s->first_token == NULL;

    *scopes = s->tokens != NULL ? 0 : all ? SCOPE_ALL : SCOPE_INFER;
    if (s->anonymous == NULL)
        return ERR_OK;
    *scopes = 0;
    if (strcmp(s->anonymous, "none") == 0)
        return ERR_OK;
    return scopes_parse(s->anonymous, strlen(s->anonymous), scopes, e) == ERR_OK
               ? ERR_OK
               : err_wrap(e, "--anonymous");
}

/* On a network it is worth a warning that anybody may do more than ask. */
static void log_open(const struct guard *g)
{
    unsigned scopes = atomic_load(&g->anonymous);
    bool risky = !g->loopback && (scopes & ~(unsigned)SCOPE_INFER) != 0;
    char text[SCOPES_BYTES];

    log_event(risky ? LOG_WARN : LOG_INFO, "guard", "open-to-anyone",
              "scopes=%s address=%s tokens=%s",
              scopes != 0 ? scopes_print(scopes, text, sizeof text) : "none",
              g->loopback ? "loopback" : "network",
              atomic_load(&g->has_tokens) ? "yes" : "no");
}

static enum err_code
take_settings(struct guard *g, const struct guard_settings *s, struct err *e)
{
    struct pace_rule rule = pace_rule(s->rate, s->rate_burst);
    unsigned scopes;

    if (choose_anonymous(s, &scopes, e) != ERR_OK ||
        tokens_load(g->tokens, s->tokens, s->first_token, e) != ERR_OK)
        return e->code;
    bool changed = scopes != atomic_exchange(&g->anonymous, scopes);
    bool has_tokens = s->tokens != NULL || s->first_token != NULL;
    changed |= has_tokens != atomic_exchange(&g->has_tokens, has_tokens);
    atomic_store(&g->ahead, rule.ahead);
    atomic_store(&g->each, rule.each);
    if (changed)
        log_open(g);
    return ERR_OK;
}

struct guard *guard_open(struct api *api, const struct guard_settings *s,
                         struct err *e)
{
    struct guard *g = mem_array(1, sizeof *g);

    if (g != NULL) {
        g->api = api;
        g->loopback = s->loopback;
        g->addresses = pace_table_new();
        g->tokens = tokens_new(e);
        atomic_init(&g->anonymous, SCOPE_ALL + 1); /* so that it is logged */
    }
    if (g == NULL || g->addresses == NULL || g->tokens == NULL)
        err_set(e, ERR_NO_MEMORY, "no memory for tokens and addresses");
    else if (take_settings(g, s, e) == ERR_OK)
        return g;
    guard_close(g);
    return NULL;
}

void guard_close(struct guard *g)
{
    if (g == NULL)
        return;
    tokens_free(g->tokens);
    pace_table_free(g->addresses);
    mem_free(g);
}

enum err_code guard_reload(struct guard *g, const struct guard_settings *s,
                           struct err *e)
{
    return take_settings(g, s, e);
}

/* ---- a request; each is true if it refused ---- */

static bool refuse(const struct api_request *request,
                   struct api_response *response, int status,
                   enum meters_reason reason, const char *detail)
{
    response->account.refusal = reason;
    api_refuse(request, status, detail, response);
    return true;
}

static bool refuse_page(struct guard *g, const struct guard_sender *sender,
                        const struct api_request *request,
                        struct api_response *response)
{
    struct origin o = {
        .method = sender->method,
        .origin = request->origin,
        .host = sender->host,
        .fetch_site = sender->fetch_site,
        .loopback = g->loopback,
        .cors = g->api->cors,
    };
    const char *why = origin_refuse(&o);

    return why != NULL && refuse(request, response, 403, METERS_ORIGIN, why);
}

static unsigned seconds_of(nsec wait)
{
    return (unsigned)((wait + 999999999) / 1000000000);
}

static bool refuse_address(struct guard *g, const struct guard_sender *sender,
                           const struct api_request *request,
                           struct api_response *response)
{
    struct pace_rule rule = {.each = atomic_load(&g->each),
                             .ahead = atomic_load(&g->ahead)};
    char detail[DETAIL_BYTES];

    if (rule.each == 0 || sender->client == 0 || api_is_open(g->api, request))
        return false;
    nsec wait =
        pace_table_take(g->addresses, sender->client, rule, clock_now_ns());
    if (wait == 0)
        return false;
    response->retry_seconds = seconds_of(wait);
    snprintf(detail, sizeof detail,
             "this address asks more often than %.3g times a second (--rate): "
             "go on in %u s",
             1e9 / (double)rule.each, response->retry_seconds);
    return refuse(request, response, 429, METERS_RATE, detail);
}

/* RFC 6750, sections 2.1 and 3. */
static bool refuse_token(const struct api_request *request,
                         struct api_response *response, const char *detail)
{
    response->status = 401;
    api_response_header(response, "WWW-Authenticate",
                        "Bearer error=\"invalid_token\"");
    return refuse(request, response, 401, METERS_TOKEN, detail);
}

static bool refuse_use(const struct token_grant *grant,
                       const struct api_request *request,
                       struct api_response *response)
{
    char detail[DETAIL_BYTES];
    nsec wait = pace_take(&grant->use->pace, grant->rate, clock_now_ns());

    if (wait > 0) {
        response->retry_seconds = seconds_of(wait);
        snprintf(detail, sizeof detail,
                 "the token '%s' asks more often than %.3g times a second (its "
                 "rate): go on in %u s",
                 grant->use->name, 1e9 / (double)grant->rate.each,
                 response->retry_seconds);
        return refuse(request, response, 429, METERS_RATE, detail);
    }
    unsigned left = quota_take(&grant->use->quota, grant->daily, clock_wall());
    if (left == 0)
        return false;
    response->retry_seconds = left;
    snprintf(detail, sizeof detail,
             "the token '%s' has made its %llu requests of today (daily): the "
             "next day begins at midnight UTC, in %u s",
             grant->use->name, (unsigned long long)grant->daily, left);
    return refuse(request, response, 429, METERS_QUOTA, detail);
}

/* The token of "Bearer TOKEN"; NULL if it is anything else. */
static const char *find_token(const char *authorization)
{
    static const char scheme[] = "Bearer ";

    if (strncasecmp(authorization, scheme, sizeof scheme - 1) != 0)
        return NULL;
    const char *token = authorization + sizeof scheme - 1;
    token += strspn(token, " ");
    size_t length = strlen(token);
    return length > 0 && length <= TOKEN_MAX_BYTES ? token : NULL;
}

/* Where there are no tokens at all, clients that always send something are let
 * alone. */
static bool refuse_sender(struct guard *g, const struct guard_sender *sender,
                          struct api_request *request,
                          struct api_response *response)
{
    struct token_grant grant;

    if (sender->authorization == NULL || !atomic_load(&g->has_tokens))
        return false;
    const char *token = find_token(sender->authorization);
    if (token == NULL || !tokens_find(g->tokens, token, strlen(token), &grant))
        return !api_is_open(g->api, request) &&
               refuse_token(request, response,
                            token != NULL
                                ? "the token is not known here (any more)"
                                : "want `Authorization: Bearer TOKEN`");
    request->scopes |= grant.scopes;
    request->has_token = true;
    request->token = grant.use->name;
    bool limited = grant.rate.each != 0 || grant.daily != 0;
    return limited && !api_is_open(g->api, request) &&
           refuse_use(&grant, request, response);
}

bool guard_refuse(struct guard *g, const struct guard_sender *sender,
                  struct api_request *request, struct api_response *response)
{
    request->scopes = atomic_load(&g->anonymous);
    request->takes_tokens = atomic_load(&g->has_tokens);
    return refuse_page(g, sender, request, response) ||
           refuse_address(g, sender, request, response) ||
           refuse_sender(g, sender, request, response);
}
