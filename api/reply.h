/* Replies of inference: the blocks of a run as JSON, npy or PNG.
 */
#ifndef SPARSED_API_REPLY_H
#define SPARSED_API_REPLY_H

#include "api/run.h"

/* Runs all rows and writes the reply of the kind that Accept chose. With the
 * option `keep` the object is left open, for the ids. */
enum err_code reply_write(struct run *r, struct err *e) ERR_CHECKED;

#endif
