/* Team: a fixed number of threads that do one thing together, again and again.
 *
 * team_run calls work(arg, i) for each member i and returns when all are done;
 * member 0 is the calling thread. Which member does what is fixed by its
 * number, so sums taken in the order of members are the same in every run.
 */
#ifndef SPARSED_BASE_TEAM_H
#define SPARSED_BASE_TEAM_H

#include <stddef.h>

struct team;

struct team *team_new(size_t members); /* at least 1; NULL: out of memory */
void team_free(struct team *t);
size_t team_size(const struct team *t);
void team_run(struct team *t, void (*work)(void *arg, size_t member),
              void *arg);

/* Processors that this process may use: the affinity mask, cut by the cgroup's
 * CPU quota (/sys/fs/cgroup/cpu.max); at least 1. */
size_t team_processors(void);

#endif
