/* GET /metrics. */
#include "api/accept.h"
#include "api/handlers.h"
#include "api/metrics/scrape.h"

#define TEXT "text/plain"
#define OPEN_METRICS "application/openmetrics-text"

/* Whoever asks for neither gets the text. */
static bool wants_open_metrics(const char *accept)
{
    return accept != NULL &&
           media_weight(accept, OPEN_METRICS) > media_weight(accept, TEXT);
}

enum err_code metrics_show(struct call *call, struct err *e)
{
    struct api_response *response = call->response;
    struct scrape s = {
        .api = call->api,
        .out = &response->body,
        .memory = call->request->memory,
        .open_metrics = wants_open_metrics(call->request->accept),
    };

    (void)e;
    scrape_begin(&s);
    scrape_print(&s);
    scrape_end(&s);
    response->status = 200;
    response->content_type = s.open_metrics
                                 ? OPEN_METRICS "; version=1.0.0; charset=utf-8"
                                 : TEXT "; version=0.0.4; charset=utf-8";
    api_response_header(response, "Cache-Control", "no-store");
    api_response_header(response, "Vary", "Accept");
    return ERR_OK;
}
