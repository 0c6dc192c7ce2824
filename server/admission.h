/* Admission: which requests there is no time for. They are refused at once,
 * with 503 and the time until there may be, rather than made to wait.
 */
#ifndef SPARSED_SERVER_ADMISSION_H
#define SPARSED_SERVER_ADMISSION_H

#include "server/exchange.h"

/* A request that came to the executor, which may have room after so long. */
void admission_refuse(struct exchange *x, nsec retry);

/* Each is true if it refused: */

/* A big body that is announced, and for which there will be no room: it is not
 * taken in. */
bool admission_refuse_early(struct exchange *x);

/* A quick one, on a lane that began this round of its connections then. Only
 * inputs are refused: what tells how the server does is always answered. */
bool admission_refuse_lag(struct exchange *x, usec round);

#endif
