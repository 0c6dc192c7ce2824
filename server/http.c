/* HTTP over libmicrohttpd 0.9.75.
 *
 * Easy to get wrong: a reply queued in the first call of the access handler
 * closes the connection, so that is done to refuse uploads only; the callback
 * for the target runs before the handler, and the one for the end only if the
 * handler ran; a suspended connection neither times out nor sees its client
 * go.
 */
#include "server/http.h"

#include "lib/base/log.h"
#include "server/pace.h"

#include <fcntl.h>
#include <limits.h>
#include <microhttpd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* A connection's headers and its reply's share this; more gets 431. It is
 * cleared after every reply, so more would cost time. */
#define CONNECTION_BYTES ((size_t)16 * 1024)
/* What a stream's client of HTTP/1.0 is sent at once. */
#define STREAM_BLOCK_BYTES ((size_t)4096)
/* Of a reply that is written without the library. */
#define MAX_HEAD_BYTES ((size_t)2048)
/* Over what settings allow: the lanes keep the clock and count the connections
 * of all, by limits that may change while the daemon runs. */
#define LONGEST_TIMEOUT 100000u /* seconds */
#define MOST_CONNECTIONS 100000u
/* When the library wants to go on at once, and nothing has moved. */
#define STALLED_MS 10

/* NULL without TLS. */
static void *session_of(const struct connection *c)
{
    return c->lane->rules->tls == NULL
               ? NULL
               : MHD_get_connection_info(c->mhd,
                                         MHD_CONNECTION_INFO_GNUTLS_SESSION)
                     ->tls_session;
}

static void on_opened(void *arg)
{
    connection_opened(arg);
}

static void begin_tls(struct connection *c)
{
    c->link = (struct tls_link){
        .fd = c->fd, .moved = &c->lane->moved, .opened = on_opened, .arg = c};
    if (!tls_begin(c->lane->rules->tls, session_of(c), &c->link))
        shutdown(c->fd, SHUT_RDWR);
}

static struct connection *begin_connection(struct lane *lane,
                                           struct MHD_Connection *mhd)
{
    int fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)
                 ->connect_fd;
    const struct sockaddr *peer =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)
            ->client_addr;
    struct connection *c = connection_new(lane, mhd, fd, pace_client(peer));

    if (c != NULL && lane->rules->tls != NULL)
        begin_tls(c);
    return c;
}

/* The session is gone already. */
static void end_connection(struct connection *c)
{
    if (c != NULL)
        tls_end(&c->link);
    connection_free(c);
}

static void on_connection(void *arg, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct lane *lane = arg;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        lane->n++;
        lane->n_begun++;
        /* NULL: on_target and on_request close it. */
        *context = begin_connection(lane, mhd);
    } else {
        lane->n--;
        end_connection(*context);
        *context = NULL;
        lane->rules->gone(lane->rules->gone_arg);
    }
}

/* ---- one request, in the order of the callbacks ---- */

static void *on_target(void *arg, const char *target,
                       struct MHD_Connection *mhd)
{
    struct connection *c =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
            ->socket_context;

    (void)arg;
    return c != NULL && connection_begin(c, target) ? c : NULL;
}

static enum MHD_Result on_header(void *arg, enum MHD_ValueKind kind,
                                 const char *name, size_t name_length,
                                 const char *value, size_t value_length)
{
    (void)kind;
    exchange_header(arg, name, name_length, value, value_length);
    return MHD_YES;
}

static ssize_t on_room(void *arg, uint64_t position, char *to, size_t room)
{
    struct connection *c = arg;
    size_t n;

    (void)position;
    c->lane->moved = true;
    switch (connection_stream(c, to, room, &n)) {
    case STREAM_SAYS:
        return (ssize_t)n;
    case STREAM_QUIET:
        /* Or the library would ask again at once, for ever. */
        MHD_suspend_connection(c->mhd);
        return 0;
    case STREAM_ENDED:
        return MHD_CONTENT_READER_END_OF_STREAM;
    case STREAM_BROKEN:
        break;
    }
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

/* The bytes live until on_completed. */
static struct MHD_Response *make_response(struct connection *c)
{
    const struct api_response *r = &c->visit->exchange.response;

    if (stream_is_open(&c->visit->exchange.stream))
        return MHD_create_response_from_callback(
            MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES, on_room, c, NULL);
    const void *bytes = r->fixed != NULL ? r->fixed : r->body.data;
    size_t length = r->fixed != NULL ? r->fixed_length : r->body.length;

    /* The library wants them without const, and does not write. */
    return MHD_create_response_from_buffer(length, (void *)(uintptr_t)bytes,
                                           MHD_RESPMEM_PERSISTENT);
}

static enum MHD_Result reply(struct connection *c)
{
    struct exchange *x = &c->visit->exchange;
    const struct api_response *r = &x->response;
    struct MHD_Response *m = make_response(c);

    if (m == NULL)
        return MHD_NO;
    exchange_dress(x);
    if (r->content_type != NULL)
        MHD_add_response_header(m, "Content-Type", r->content_type);
    for (size_t i = 0; i < r->n_headers; i++)
        MHD_add_response_header(m, r->headers[i].name, r->headers[i].value);
    if (stream_is_open(&x->stream)) {
        /* nginx and others hand it on at once */
        MHD_add_response_header(m, "X-Accel-Buffering", "no");
        /* After a chunked head the library sends the chunks' end, though HEAD
         * has none: so it closes instead. */
        if (strcmp(x->method, "HEAD") == 0)
            MHD_set_response_options(m, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT,
                                     MHD_RO_END);
    }
    if (c->lane->draining)
        MHD_add_response_header(m, "Connection", "close");
    connection_replies(c);
    enum MHD_Result result = MHD_queue_response(c->mhd, (unsigned)r->status, m);
    MHD_destroy_response(m);
    return result;
}

/* What is unread would reset the connection; linger.h reads it. */
static void linger(struct connection *c)
{
    if (c->linger_fd < 0)
        c->linger_fd = fcntl(c->fd, F_DUPFD_CLOEXEC, 0);
}

bool http_tell(struct connection *c)
{
    struct exchange *x = &c->visit->exchange;
    const struct api_response *r = &x->response;
    unsigned status = (unsigned)r->status;
    time_t now = time(NULL);
    struct tm day;
    char date[40] = "";
    struct buf text;

    gmtime_r(&now, &day);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &day);
    buf_init(&text, r->body.length + MAX_HEAD_BYTES);
    exchange_dress(x);
    buf_printf(&text,
               "HTTP/1.1 %u %s\r\nDate: %s\r\nConnection: close\r\n"
               "Content-Type: %s\r\nContent-Length: %zu\r\n",
               status, MHD_get_reason_phrase_for(status), date, r->content_type,
               r->body.length);
    for (size_t i = 0; i < r->n_headers; i++)
        buf_printf(&text, "%s: %s\r\n", r->headers[i].name,
                   r->headers[i].value);
    buf_text(&text, "\r\n");
    buf_add(&text, r->body.data, r->body.length);
    linger(c);
    void *session = session_of(c);
    bool sent = !buf_failed(&text) &&
                (session != NULL ? tls_send(session, text.data, text.length)
                                 : send(c->fd, text.data, text.length,
                                        MSG_NOSIGNAL | MSG_DONTWAIT) ==
                                       (ssize_t)text.length);
    buf_fini(&text);
    return sent;
}

static enum MHD_Result begin(struct connection *c, const char *method,
                             const char *version)
{
    struct exchange *x = &c->visit->exchange;

    c->visit->takes_interim =
        strcmp(version, "HTTP/1.0") != 0 &&
        MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION) ==
            NULL;
    MHD_get_connection_values_n(c->mhd, MHD_HEADER_KIND, on_header, x);
    if (exchange_decide(x, method, version) != EXCHANGE_ANSWER)
        return MHD_YES;
    if (x->frame.chunked || x->frame.length > 0)
        linger(c);
    return reply(c);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *mhd,
                                  const char *url, const char *method,
                                  const char *version, const char *body,
                                  size_t *body_length, void **context)
{
    struct connection *c = *context;

    (void)arg;
    (void)url;
    if (c == NULL)
        return MHD_NO; /* out of memory */
    c->lane->moved = true;
    struct exchange *x = &c->visit->exchange;
    if (!x->decided)
        return begin(c, method, version);
    if (*body_length > 0) {
        bool ok = exchange_body(x, body, *body_length);
        *body_length = 0;
        return ok ? MHD_YES : MHD_NO;
    }
    if (connection_work(c))
        return reply(c);
    /* The answer comes back to this thread, so not before this. */
    MHD_suspend_connection(mhd);
    return MHD_YES;
}

static void on_completed(void *arg, struct MHD_Connection *mhd, void **context,
                         enum MHD_RequestTerminationCode code)
{
    struct connection *c = *context;

    (void)arg;
    (void)mhd;
    if (c != NULL)
        connection_end(c, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    *context = NULL;
}

/* Targets stay as they were sent: the api decodes their segments. */
static size_t unescape_nothing(void *arg, struct MHD_Connection *mhd,
                               char *text)
{
    (void)arg;
    (void)mhd;
    return strlen(text);
}

__attribute__((format(printf, 2, 0))) static void
log_message(void *arg, const char *format, va_list args)
{
    char message[256];
    char quoted[600];

    (void)arg;
    if (!log_enabled(LOG_DEBUG))
        return;
    vsnprintf(message, sizeof message, format, args);
    log_event(LOG_DEBUG, "http", "library", "text=%s",
              log_quote(quoted, sizeof quoted, message));
}

/* ---- the daemon ---- */

enum err_code http_start(struct lane *lane, struct err *e)
{
    unsigned tls = lane->rules->tls != NULL ? MHD_USE_TLS : 0;
    /* The function as the object pointer that the array has. */
    void *no_certificate;
    memcpy(&no_certificate, &tls_no_certificate, sizeof no_certificate);
    struct MHD_OptionItem tls_options[] = {
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
        {MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, no_certificate},
        {MHD_OPTION_END, 0, NULL},
    };

    lane->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME |
            MHD_USE_ERROR_LOG | tls,
        0, NULL, NULL, on_request, lane, MHD_OPTION_EXTERNAL_LOGGER,
        log_message, lane, MHD_OPTION_CONNECTION_LIMIT, MOST_CONNECTIONS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES,
        MHD_OPTION_CONNECTION_TIMEOUT, LONGEST_TIMEOUT,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, lane,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, lane,
        MHD_OPTION_URI_LOG_CALLBACK, on_target, lane,
        MHD_OPTION_UNESCAPE_CALLBACK, unescape_nothing, lane, MHD_OPTION_ARRAY,
        &tls_options[tls != 0 ? 0 : 2], MHD_OPTION_END);
    if (lane->daemon == NULL)
        return err_set(e, ERR_INTERNAL, "libmicrohttpd does not start");
    return ERR_OK;
}

void http_stop(struct lane *lane)
{
    if (lane->daemon != NULL)
        MHD_stop_daemon(lane->daemon);
    lane->daemon = NULL;
}

int http_fd(const struct lane *lane)
{
    return MHD_get_daemon_info(lane->daemon, MHD_DAEMON_INFO_EPOLL_FD)
        ->epoll_fd;
}

int http_wait_ms(struct lane *lane)
{
    MHD_UNSIGNED_LONG_LONG ms;

    if (MHD_get_timeout(lane->daemon, &ms) != MHD_YES)
        return -1;
    /* The library takes a handshake that waits for its client for one that can
     * go on. What comes wakes the lane. */
    if (ms == 0 && lane->rules->tls != NULL && !lane->moved)
        return STALLED_MS;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

void http_run(struct lane *lane)
{
    lane->moved = false;
    MHD_run(lane->daemon);
}

bool http_add(struct lane *lane, int fd, const struct sockaddr_storage *peer,
              socklen_t length)
{
    size_t before = lane->n_begun;

    if (MHD_add_connection(lane->daemon, fd, (const struct sockaddr *)peer,
                           length) == MHD_YES)
        return true;
    /* on_connection has been told of the end, if it was of the beginning. */
    if (lane->n_begun == before)
        lane->rules->gone(lane->rules->gone_arg);
    return false;
}

void http_resume(struct connection *c)
{
    c->lane->moved = true;
    MHD_resume_connection(c->mhd);
}
