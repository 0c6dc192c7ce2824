/* Health: whether the process serves what it was configured to serve.
 */
#ifndef SPARSED_API_HEALTH_H
#define SPARSED_API_HEALTH_H

#include "api/call.h"

struct health_reason {
    struct health_reason *next;
    const char *text;
};

/* In the request's arena. */
struct health {
    const char *status; /* static word: "loading", "ready", ... */
    bool ready;
    size_t models;
    const struct health_reason *reasons; /* or NULL */
};

/* ERR_NO_MEMORY. */
enum err_code health_look(const struct call *call, struct health *h,
                          struct err *e) ERR_CHECKED;

bool health_draining(const struct api *api);

/* Begins a JSON reply that no cache may keep: 200, or 503 with Retry-After. */
struct buf *health_begin(struct call *call, bool ready);

#endif
