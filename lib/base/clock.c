/* Clocks: thin covers over POSIX clocks, in whole microseconds or nanoseconds.
 */
#include "lib/base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#define USEC_PER_SECOND 1000000

static usec read_clock(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (usec)t.tv_sec * USEC_PER_SECOND + t.tv_nsec / 1000;
}

usec clock_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

static nsec read_clock_ns(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (nsec)t.tv_sec * 1000000000 + t.tv_nsec;
}

nsec clock_now_ns(void)
{
    return read_clock_ns(CLOCK_MONOTONIC);
}

nsec clock_thread_ns(void)
{
    return read_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

usec clock_wall(void)
{
    return read_clock(CLOCK_REALTIME);
}

void clock_sleep(usec duration)
{
    if (duration <= 0)
        return;
    usec until = clock_now() + duration + 1; /* the reading was cut down */
    struct timespec t = {
        .tv_sec = (time_t)(until / USEC_PER_SECOND),
        .tv_nsec = (long)(until % USEC_PER_SECOND) * 1000,
    };
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        continue;
}

char *clock_print_wall(char *out, unsigned long size, usec wall)
{
    usec ms = wall / 1000 - (wall % 1000 < 0);
    time_t seconds = (time_t)(ms / 1000 - (ms % 1000 < 0));
    struct tm tm;

    if (gmtime_r(&seconds, &tm) == NULL) {
        snprintf(out, size, "?");
        return out;
    }
    snprintf(out, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
             tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
             tm.tm_min, tm.tm_sec, (int)(ms - (usec)seconds * 1000));
    return out;
}
