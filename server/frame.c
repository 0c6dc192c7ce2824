/* The table of headers and the checks on them. A row is found by the length of
 * its name first: most headers of most requests are none of ours.
 */
#include "server/frame.h"

#include <string.h>
#include <strings.h>

/* Target and headers together; more does not fit into the library's memory of
 * a connection, whose own refusal is no problem reply. */
#define MAX_HEADER_BYTES ((size_t)8 * 1024)
#define MAX_PATIENCE ((usec)3600 * 1000000)
#define MIN_PATIENCE ((usec)1000)

/* RFC 9110, section 5.6.2; nearly all are letters and dashes. */
static bool is_token(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        unsigned char small = c | 0x20;
        if ((small >= 'a' && small <= 'z') || c == '-')
            continue;
        if (c == 0 || strchr("0123456789!#$%&'*+.^_`|~", c) == NULL)
            return false;
    }
    return length > 0;
}

static bool is_length(const char *text, uint64_t *length)
{
    *length = 0;
    if (*text == 0)
        return false;
    for (; *text != 0; text++) {
        if (*text < '0' || *text > '9' || *length > UINT64_MAX / 10 - 1)
            return false;
        *length = 10 * *length + (uint64_t)(*text - '0');
    }
    return true;
}

/* ---- readers of single headers ---- */

static void read_host(struct frame *f, struct api_request *request,
                      const char *value, size_t length)
{
    (void)request;
    (void)length;
    f->hosts++;
    f->host = value;
}

static void read_authorization(struct frame *f, struct api_request *request,
                               const char *value, size_t length)
{
    (void)request;
    (void)length;
    f->authorization = value;
}

static void read_fetch_site(struct frame *f, struct api_request *request,
                            const char *value, size_t length)
{
    (void)request;
    (void)length;
    f->fetch_site = value;
}

static void read_length(struct frame *f, struct api_request *request,
                        const char *value, size_t length)
{
    (void)request;
    (void)length;
    f->lengths++;
    if (!is_length(value, &f->length))
        f->flaw = "Content-Length is not a number";
}

static void read_coding(struct frame *f, struct api_request *request,
                        const char *value, size_t length)
{
    (void)request;
    (void)length;
    f->codings++;
    f->chunked = strcasecmp(value, "chunked") == 0;
}

static void read_expect(struct frame *f, struct api_request *request,
                        const char *value, size_t length)
{
    (void)request;
    (void)length;
    f->expects = true;
    if (strcasecmp(value, "100-continue") != 0)
        f->expects_other = true;
}

static void read_id(struct frame *f, struct api_request *request,
                    const char *value, size_t length)
{
    (void)request;
    if (length == 0 || length >= API_ID_BYTES)
        return;
    for (size_t i = 0; i < length; i++) {
        if (value[i] < ' ' || value[i] > '~')
            return;
    }
    f->id = value;
}

/* What cannot be read is as good as none (Trace Context, section 4.3). */
static void read_trace(struct frame *f, struct api_request *request,
                       const char *value, size_t length)
{
    if (trace_parse(f->trace, value, length))
        request->trace = f->trace;
}

/* Seconds, a plain decimal: "2", "0.25". Digits after the sixth are nothing. */
static void read_patience(struct frame *f, struct api_request *request,
                          const char *value, size_t length)
{
    size_t whole = strspn(value, "0123456789");
    bool dot = value[whole] == '.';
    size_t parts = dot ? strspn(value + whole + 1, "0123456789") : 0;
    usec patience = 0;
    usec unit = 100000;

    (void)request;
    for (size_t i = 0; i < whole && patience <= MAX_PATIENCE; i++)
        patience = 10 * patience + (value[i] - '0') * (usec)1000000;
    for (size_t i = 0; i < parts && unit > 0; i++, unit /= 10)
        patience += (value[whole + 1 + i] - '0') * unit;
    if (whole == 0 || (dot && parts == 0) || whole + dot + parts != length ||
        patience < MIN_PATIENCE || patience > MAX_PATIENCE)
        f->flaw = "Request-Timeout: want seconds from 0.001 to 3600";
    f->patience = patience;
}

/* ---- the table ---- */

struct row {
    const char *name;
    size_t length;
    /* Where the text goes in the request, unless `read` takes it. */
    size_t offset;
    void (*read)(struct frame *f, struct api_request *request,
                 const char *value, size_t length);
    bool once; /* twice is an error: readers would differ */
};

#define TEXT(name, member)                                                     \
    {                                                                          \
        name, sizeof name - 1, offsetof(struct api_request, member), NULL,     \
            false                                                              \
    }
#define ONCE(name, member)                                                     \
    {                                                                          \
        name, sizeof name - 1, offsetof(struct api_request, member), NULL,     \
            true                                                               \
    }
#define READ(name, read)                                                       \
    {                                                                          \
        name, sizeof name - 1, 0, read, false                                  \
    }
#define READ_ONCE(name, read)                                                  \
    {                                                                          \
        name, sizeof name - 1, 0, read, true                                   \
    }

static const struct row rows[] = {
    READ("Host", read_host),
    READ("Content-Length", read_length),
    READ("Transfer-Encoding", read_coding),
    READ("Expect", read_expect),
    READ("X-Request-Id", read_id),
    READ("traceparent", read_trace),
    READ_ONCE("Request-Timeout", read_patience),
    ONCE("Content-Type", content_type),
    ONCE("Content-Encoding", content_encoding),
    TEXT("Accept", accept),
    TEXT("Accept-Encoding", accept_encoding),
    TEXT("If-Match", if_match),
    TEXT("If-None-Match", if_none_match),
    ONCE("Idempotency-Key", idempotency_key),
    TEXT("Last-Event-ID", last_event_id),
    ONCE("Inference-Header-Content-Length", header_length),
    ONCE("Origin", origin),
    READ_ONCE("Authorization", read_authorization),
    READ_ONCE("Sec-Fetch-Site", read_fetch_site),
    ONCE("Access-Control-Request-Method", cors_method),
    TEXT("Access-Control-Request-Headers", cors_headers),
};

#define N_ROWS (sizeof rows / sizeof rows[0])

_Static_assert(N_ROWS <= 64, "a bit in frame.seen for each row");

static const struct row *find_row(const char *name, size_t length)
{
    for (size_t i = 0; i < N_ROWS; i++) {
        if (rows[i].length == length &&
            strncasecmp(rows[i].name, name, length) == 0)
            return &rows[i];
    }
    return NULL;
}

void frame_header(struct frame *f, struct api_request *request,
                  const char *name, size_t name_length, const char *value,
                  size_t value_length)
{
    f->bytes += name_length + value_length + sizeof ": \r\n" - 1;
    if (!is_token(name, name_length)) {
        f->flaw = "a header's name has a character that is not allowed";
        return;
    }
    const struct row *row = find_row(name, name_length);
    if (row == NULL)
        return;
    if (value == NULL)
        value = "";
    uint64_t bit = (uint64_t)1 << (row - rows);
    if (row->once && (f->seen & bit) != 0)
        f->flaw = "a header that must be there once is there twice";
    f->seen |= bit;
    if (row->read != NULL)
        row->read(f, request, value, value_length);
    else
        memcpy((char *)request + row->offset, &value, sizeof value);
}

const char *frame_find_flaw(const struct frame *f, const char *version,
                            int *status)
{
    *status = 400;
    if (f->flaw != NULL)
        return f->flaw;
    if (f->hosts > 1 || (f->hosts == 0 && strcmp(version, "HTTP/1.0") != 0))
        return "the header Host must be there once";
    if (f->lengths > 1)
        return "the header Content-Length must be there once";
    if (f->lengths > 0 && f->codings > 0)
        return "Content-Length and Transfer-Encoding exclude each other";
    if (f->codings > 1 || (f->codings == 1 && !f->chunked)) {
        *status = 501;
        return "the only Transfer-Encoding known is chunked";
    }
    if (f->bytes > MAX_HEADER_BYTES) {
        *status = 431;
        return "target and headers are longer than 8 KiB together";
    }
    if (f->expects_other) {
        *status = 417;
        return "the only Expect known is 100-continue";
    }
    return NULL;
}
