/* Team: a fixed number of threads that do one thing together, again and again.
 *
 * team_run calls work(arg, i) for each member i and returns when all are done;
 * member 0 is the calling thread. Which member does what is fixed by its
 * number, so sums taken in the order of members are the same in every run.
 * One team_run at a time, and none from within work.
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

/* Processors that this process may use: the affinity mask, cut by the CPU
 * quota of its cgroup and those above it; at least 1. */
size_t team_processors(void);

/* `processors` cut by the quota that a cgroup's folder states, rounded up:
 * cpu.max (version 2) or cpu.cfs_quota_us and cpu.cfs_period_us (version 1).
 * A folder without them, or without a limit, leaves it as it is. */
size_t team_cut_by_quota(size_t processors, const char *folder);

#endif
