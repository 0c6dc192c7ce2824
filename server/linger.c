/* Linger: a short list that is walked by the clock.
 */
#include "server/linger.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINGER_TIME ((usec)5 * 1000000)
#define READ_BYTES 65536
#define READS 64 /* at most, of one connection in one run */

void linger_add(struct linger_list *l, int fd)
{
    if (l->n == LINGER_MAX) {
        close(fd);
        return;
    }
    l->list[l->n].fd = fd;
    l->list[l->n].until = clock_now() + LINGER_TIME;
    l->n++;
}

/* Throws away what has come; false at the end or on an error. */
static bool drain(int fd)
{
    char bytes[READ_BYTES];

    for (int i = 0; i < READS; i++) {
        ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n == 0)
            return false;
        if (n < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    }
    return true;
}

void linger_run(struct linger_list *l)
{
    usec now = clock_now();

    for (size_t i = 0; i < l->n;) {
        if (now < l->list[i].until && drain(l->list[i].fd)) {
            i++;
            continue;
        }
        close(l->list[i].fd);
        l->list[i] = l->list[--l->n];
    }
}

void linger_fini(struct linger_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        close(l->list[i].fd);
    l->n = 0;
}
