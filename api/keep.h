/* Keep: the rows of a request become samples of its model, whichever route
 * they came by.
 */
#ifndef SPARSED_API_KEEP_H
#define SPARSED_API_KEEP_H

#include "api/pending.h"
#include "api/tensor.h"
#include "lib/store/samples.h"

struct keep {
    struct pending pending;
    struct samples_batch rows;
    /* What they became, filled in before `print`: */
    int64_t batch;
    int64_t *ids; /* (rows.n) */
    /* Appends the reply, as pending.write does. */
    void (*print)(const struct keep *k);
};

/* `labels` (rows->B) may be NULL, or each of them; all stay the caller's, in
 * the request's arena. NULL: ERR_NO_MEMORY. */
struct keep *keep_new(const struct call *call, const struct tensor *rows,
                      const char *const *labels,
                      void (*print)(const struct keep *k), struct err *e);

/* As pending_send. More labels than a model may have, or rows of another size
 * than are stored of it, are ERR_SHAPE. */
enum err_code keep_send(struct keep *k, struct call *call, struct err *e)
    ERR_CHECKED;

/* ,"ids":[...] */
void keep_print_ids(const struct keep *k);

#endif
