/* Admission: asks the executor for room, and lanes how far behind they are.
 */
#include "server/admission.h"

#include "lib/engine/executor.h"

#include <string.h>

#define SECOND ((nsec)1000000000)
/* A lane that has been at one round of its connections for so long is behind. A
 * thousand quick requests, all there at once, take less. */
#define MOST_LAG ((usec)1000000)

void admission_refuse(struct exchange *x, nsec retry)
{
    x->response.account.refusal = METERS_QUEUE;
    x->response.retry_seconds =
        retry > 0 ? (unsigned)((retry + SECOND - 1) / SECOND) : 1;
    exchange_refuse(x, 503,
                    "so much work waits already that this would have to wait "
                    "too long (--queue-seconds): try again later, or send less "
                    "at once");
}

bool admission_refuse_early(struct exchange *x)
{
    struct api *api = x->rules->api;
    struct api_request whole = x->request;
    nsec retry;

    whole.body = NULL;
    whole.body_length = (size_t)x->frame.length;
    if (whole.body_length <= API_QUICK_BYTES || x->rules->executor == NULL ||
        api->registry == NULL || !api_is_slow(api, &whole))
        return false;
    struct cost_kind cost = api_cost(api, &whole);
    if (executor_has_room(x->rules->executor, &cost, &retry))
        return false;
    admission_refuse(x, retry);
    return true;
}

bool admission_refuse_lag(struct exchange *x, usec round)
{
    usec now = x->response.account.lap / 1000; /* the body has just ended */

    if (x->answered || now - round <= MOST_LAG ||
        strcmp(x->request.method, "POST") != 0)
        return false;
    x->response.account.refusal = METERS_LAG;
    exchange_refuse(x, 503,
                    "more requests came at once than can be answered soon: "
                    "try again later");
    return true;
}
