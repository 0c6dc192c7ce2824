/* Signals: the handler writes the number into a pipe, which is among the few
 * things that a handler may do.
 */
#include "server/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

static int ends[2];
static atomic_int asked;

static void on_signal(int number)
{
    int before = errno;
    unsigned char byte = (unsigned char)number;

    if (atomic_fetch_add(&asked, 1) > 0)
        _exit(1);
    (void)!write(ends[1], &byte, 1);
    errno = before;
}

enum err_code signals_start(struct err *e)
{
    struct sigaction action = {.sa_handler = on_signal};

    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_set_errno(e, errno, "pipe");
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    return ERR_OK;
}

int signals_wait(void)
{
    unsigned char byte = 0;

    while (read(ends[0], &byte, 1) != 1)
        continue;
    return byte;
}
