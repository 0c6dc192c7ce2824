/* Clocks: monotonic microseconds for durations and deadlines, nanoseconds for
 * what is measured, wall time only for people to read.
 */
#ifndef SPARSED_BASE_CLOCK_H
#define SPARSED_BASE_CLOCK_H

#include <stdint.h>

typedef int64_t usec; /* microseconds, monotonic unless a name says wall */

typedef int64_t nsec; /* nanoseconds, likewise; for what is measured */

usec clock_now(void);
nsec clock_now_ns(void);
nsec clock_thread_ns(void); /* processor time of the calling thread */
usec clock_wall(void);

/* Sleeps at least that long, signals or not. */
void clock_sleep(usec duration);

/* "2026-01-02T03:04:05.678Z" into out (at least 32 bytes); returns out. */
char *clock_print_wall(char *out, unsigned long size, usec wall);

#endif
