/* Caught: what is written to standard error meanwhile. */
#ifndef SPARSED_TESTS_CAUGHT_H
#define SPARSED_TESTS_CAUGHT_H

/* Sends standard error to a file until caught_read. */
void caught_begin(void);

/* What was written since; freed by mem_free. */
char *caught_read(void);

#endif
