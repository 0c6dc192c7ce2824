/* Writer: the one thread that changes the store, and what waits for it.
 */
#ifndef SPARSED_STORE_WRITER_H
#define SPARSED_STORE_WRITER_H

#include "lib/store/store.h"

struct writer;

/* Takes the connection over. The thread runs until writer_close. NULL: out of
 * memory, and the connection is still the caller's. */
struct writer *writer_new(struct database *db,
                          const struct store_settings *settings, struct err *e);
/* Runs what waits, ends the thread, closes the connection. */
void writer_close(struct writer *w);

/* As store_submit and its like. */
enum err_code writer_submit(struct writer *w, struct store_work *work,
                            struct err *e) ERR_CHECKED;
void writer_set_max_waiting_bytes(struct writer *w, size_t max_waiting_bytes);
bool writer_is_well(struct writer *w, char *why, size_t size);

#endif
