/* Signals: SIGHUP asks the process to read its settings again, SIGTERM and
 * SIGINT to stop; a second one of these ends it at once.
 *
 * There are handlers, so that a process that is PID 1 gets them too, and they
 * may run on any thread: libraries have some that block nothing.
 */
#ifndef SPARSED_SERVER_SIGNALS_H
#define SPARSED_SERVER_SIGNALS_H

#include "lib/base/err.h"

/* Once, before signals_wait. ERR_IO. */
enum err_code signals_start(struct err *e) ERR_CHECKED;

/* Waits until the process has been asked for something, be it before this
 * call; returns the signal's number. Any number of SIGHUPs since the last one
 * was returned are one; a signal to stop comes first. */
int signals_wait(void);

#endif
