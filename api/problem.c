/* Problem replies. A request that could not even be parsed may lack its parts,
 * so each of them may be NULL here.
 */
#include "api/problem.h"

#include "api/routes.h"

#include <stdio.h>
#include <string.h>

int problem_status(enum err_code code)
{
    switch (code) {
    case ERR_INVALID:
        return 400;
    case ERR_SHAPE:
        return 422;
    case ERR_NOT_FOUND:
        return 404;
    case ERR_CONFLICT:
        return 409;
    case ERR_STALE:
        return 412;
    case ERR_TOO_LARGE:
        return 413;
    case ERR_DENIED:
        return 403;
    case ERR_BUSY:
    case ERR_NO_MEMORY:
        return 503;
    case ERR_DEADLINE:
        return 504;
    case ERR_NO_SPACE:
        return 507;
    case ERR_OK:
    case ERR_CORRUPT:
    case ERR_IO:
    case ERR_INTERNAL:
        return 500;
    }
    return 500;
}

static const char *title(int status)
{
    static const struct {
        int status;
        const char *text;
    } titles[] = {
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };

    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++) {
        if (titles[i].status == status)
            return titles[i].text;
    }
    return "Error";
}

/* The Open Inference Protocol has one status for all that a request can do
 * wrong. */
static int open_status(int status)
{
    return status == 409 || status == 422 ? 400 : status;
}

static void print_problem(struct buf *b, int status, const char *detail,
                          const char *target, const char *id)
{
    buf_text(b, "{\"type\":\"about:blank\",\"title\":");
    buf_json_text(b, title(status));
    buf_text(b, ",\"status\":");
    buf_json_uint(b, (uint64_t)status);
    buf_text(b, ",\"detail\":");
    buf_json_text(b, detail);
    buf_text(b, ",\"instance\":");
    buf_json_text(b, target);
    buf_text(b, ",\"request_id\":");
    buf_json_text(b, id);
    buf_text(b, "}\n");
}

static void add_retry_after(struct api_response *response)
{
    unsigned seconds = response->retry_seconds;
    char text[24];

    snprintf(text, sizeof text, "%u", seconds > 0 ? seconds : 1);
    api_response_header(response, "Retry-After", text);
}

void problem_write(const struct api_request *request, int status,
                   const char *detail, struct api_response *response)
{
    const char *target = request->target != NULL ? request->target : "";
    const char *id = request->id != NULL ? request->id : "";
    bool open = route_family_of(target) == FAMILY_OPEN;

    if (open)
        status = open_status(status);
    buf_reset(&response->body);
    response->fixed = NULL;
    response->fixed_length = 0;
    if (response->status != status)
        response->n_headers = 0;
    response->status = status;
    if (status == 429 || status == 503)
        add_retry_after(response);
    if (open) {
        response->content_type = "application/json";
        buf_text(&response->body, "{\"error\":");
        buf_json_text(&response->body, detail);
        buf_text(&response->body, "}\n");
    } else {
        response->content_type = "application/problem+json";
        print_problem(&response->body, status, detail, target, id);
    }
    if (buf_failed(&response->body)) /* no memory: the status must do */
        buf_reset(&response->body);
}

void problem_write_err(const struct api_request *request, const struct err *e,
                       struct api_response *response)
{
    problem_write(request, problem_status(e->code), e->msg, response);
}
