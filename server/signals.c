/* Signals: the handler notes what is wanted, and writes a byte into a pipe to
 * wake who waits; both are among the few things that a handler may do.
 *
 * The byte says nothing, so it does not matter when the pipe is full.
 */
#include "server/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

static int ends[2];
static atomic_int stop; /* the signal that asked for it, or 0 */
static atomic_bool reload;

static void on_signal(int number)
{
    int before = errno;

    if (number == SIGHUP)
        atomic_store(&reload, true);
    else if (atomic_exchange(&stop, number) != 0)
        _exit(1);
    (void)!write(ends[1], "", 1);
    errno = before;
}

enum err_code signals_start(struct err *e)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    if (pipe2(ends, O_CLOEXEC) != 0 || fcntl(ends[1], F_SETFL, O_NONBLOCK) != 0)
        return err_set_errno(e, errno, "pipe");
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    return ERR_OK;
}

int signals_wait(void)
{
    struct pollfd wake = {.fd = ends[0], .events = POLLIN};
    unsigned char bytes[64];

    for (;;) {
        int number = atomic_load(&stop);
        if (number != 0)
            return number;
        /* Taken before the settings are read: one that comes while they are
         * is the next. */
        if (atomic_exchange(&reload, false))
            return SIGHUP;
        /* Unlike read, poll ends when a handler has run on this thread. */
        if (poll(&wake, 1, -1) == 1)
            (void)!read(ends[0], bytes, sizeof bytes);
    }
}
