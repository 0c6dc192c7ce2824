/* What all routes of learning share: whether there is a store, what to do when
 * it fails, times in replies.
 */
#ifndef SPARSED_API_LEARNING_H
#define SPARSED_API_LEARNING_H

#include "api/call.h"
#include "lib/store/samples.h"
#include "lib/store/store.h"

/* NULL: ERR_BUSY with the reason why nothing can be learned. */
const struct learning *learning_need(const struct call *call, struct err *e);

/* As they are now. */
struct samples_limits learning_limits(const struct call *call);

/* A connection for reading, given back with store_end_read. NULL: likewise, or
 * because the store fails. */
struct database *learning_read(const struct call *call, struct err *e);

/* To be called with an error that came out of the store: trouble of the
 * store's own becomes ERR_BUSY, since serving goes on and a later try may
 * succeed. Returns e's code. */
enum err_code learning_blame(struct err *e);

/* ERR_NOT_FOUND unless the model of the path is served. */
enum err_code learning_check_model(const struct call *call, struct err *e)
    ERR_CHECKED;

/* After a commit. */
void learning_wake(const struct api *api);

int64_t learning_now_ms(void); /* wall */

/* A time as JSON text, null for 0. */
void learning_print_time(struct buf *b, int64_t wall_ms);

#endif
