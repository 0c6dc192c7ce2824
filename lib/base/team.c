/* Team: threads that sleep on a condition until the run number changes, and
 * report back by counting down. Nobody spins: cores are shared with the
 * server's other threads.
 */
#include "lib/base/team.h"

#include "lib/base/file.h"
#include "lib/base/lock.h"
#include "lib/base/mem.h"

#include <assert.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct member {
    struct team *team;
    size_t number;
    pthread_t thread;
};

struct team {
    size_t size;
    struct member *members; /* number 0 is the caller: no thread */
    struct lock lock;
    struct cond start;
    struct cond done;
    void (*work)(void *arg, size_t member); /* all below guarded by lock */
    void *arg;
    unsigned long run; /* grows by one with each team_run */
    size_t busy;
    bool stop;
};

static void *member_main(void *arg)
{
    struct member *self = arg;
    struct team *t = self->team;
    unsigned long seen = 0;

    lock_take(&t->lock);
    for (;;) {
        while (t->run == seen && !t->stop)
            cond_wait(&t->start, &t->lock);
        if (t->stop)
            break;
        seen = t->run;
        void (*work)(void *, size_t) = t->work;
        void *work_arg = t->arg;
        lock_drop(&t->lock);
        work(work_arg, self->number);
        lock_take(&t->lock);
        if (--t->busy == 0)
            cond_signal(&t->done);
    }
    lock_drop(&t->lock);
    return NULL;
}

struct team *team_new(size_t members)
{
    assert(members > 0);
    struct team *t = mem_array(1, sizeof *t);
    if (t == NULL)
        return NULL;
    t->members = mem_array(members, sizeof *t->members);
    if (t->members == NULL) {
        mem_free(t);
        return NULL;
    }
    t->size = members;
    lock_init(&t->lock);
    cond_init(&t->start);
    cond_init(&t->done);
    for (size_t i = 1; i < members; i++) {
        char name[32];
        snprintf(name, sizeof name, "team-%zu", i);
        t->members[i].team = t;
        t->members[i].number = i;
        t->members[i].thread = thread_start(name, member_main, &t->members[i]);
    }
    return t;
}

void team_free(struct team *t)
{
    if (t == NULL)
        return;
    lock_take(&t->lock);
    assert(t->busy == 0);
    t->stop = true;
    cond_broadcast(&t->start);
    lock_drop(&t->lock);
    for (size_t i = 1; i < t->size; i++)
        thread_join(t->members[i].thread);
    cond_fini(&t->done);
    cond_fini(&t->start);
    lock_fini(&t->lock);
    mem_free(t->members);
    mem_free(t);
}

size_t team_size(const struct team *t)
{
    return t->size;
}

void team_run(struct team *t, void (*work)(void *arg, size_t member), void *arg)
{
    if (t->size > 1) {
        lock_take(&t->lock);
        assert(t->busy == 0); /* one caller at a time */
        t->work = work;
        t->arg = arg;
        t->busy = t->size - 1;
        t->run++;
        cond_broadcast(&t->start);
        lock_drop(&t->lock);
    }
    work(arg, 0);
    if (t->size > 1) {
        lock_take(&t->lock);
        while (t->busy > 0)
            cond_wait(&t->done, &t->lock);
        lock_drop(&t->lock);
    }
}

/* Reads a small file of numbers; text is empty if there is none. */
static void read_small(char *text, size_t size, const char *folder,
                       const char *name)
{
    struct err unused;
    char path[PATH_MAX];
    size_t length = 0;
    char *data = NULL;

    text[0] = 0;
    if (file_join(path, sizeof path, folder, name, &unused) == ERR_OK)
        data = file_read(path, size - 1, &length, &unused);
    if (data != NULL)
        memcpy(text, data, length + 1);
    mem_free(data);
}

size_t team_cut_by_quota(size_t processors, const char *folder)
{
    char text[64];
    char *rest = NULL;

    read_small(text, sizeof text, folder, "cpu.max");
    /* "max 100000" has no number in front, and so no limit. */
    long long quota = strtoll(text, &rest, 10);
    long long period = strtoll(rest, NULL, 10);
    if (text[0] == 0) {
        read_small(text, sizeof text, folder, "cpu.cfs_quota_us");
        quota = strtoll(text, NULL, 10);
        read_small(text, sizeof text, folder, "cpu.cfs_period_us");
        period = strtoll(text, NULL, 10);
    }
    if (quota <= 0 || period <= 0)
        return processors;
    size_t share = (size_t)(quota / period + (quota % period != 0));
    return share < processors ? share : processors;
}

/* Cuts by the folder mount + path and by each above it, up to the mount. A
 * container may see its path from outside: then only the upper ones exist. */
static size_t cut_along(size_t processors, const char *mount, const char *path)
{
    char folder[PATH_MAX];
    size_t stem = strlen(mount);

    if (snprintf(folder, sizeof folder, "%s%s", mount, path) >=
        (int)sizeof folder)
        return processors;
    for (;;) {
        processors = team_cut_by_quota(processors, folder);
        char *slash = strrchr(folder + stem, '/');
        if (slash == NULL)
            return processors;
        *slash = 0;
    }
}

/* Each line of the list is "number:controllers:path"; version 2 names none. */
static size_t cut_by_cgroups(size_t processors, char *list)
{
    char *line = list;

    while (line != NULL && *line != 0) {
        char *next = strchr(line, '\n');
        if (next != NULL)
            *next++ = 0;
        char *names = strchr(line, ':');
        char *path = names != NULL ? strchr(names + 1, ':') : NULL;
        if (path != NULL) {
            *path++ = 0;
            names++;
            if (*names == 0)
                processors = cut_along(processors, "/sys/fs/cgroup", path);
            else if (strncmp(names, "cpu,", 4) == 0 ||
                     strcmp(names, "cpu") == 0 || strstr(names, ",cpu") != NULL)
                processors = cut_along(processors, "/sys/fs/cgroup/cpu", path);
        }
        line = next;
    }
    return processors;
}

size_t team_processors(void)
{
    struct err unused;
    cpu_set_t set;
    size_t length;

    CPU_ZERO(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    size_t processors = online > 0 ? (size_t)online : 1;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        processors = (size_t)CPU_COUNT(&set);
    char *list = file_read("/proc/self/cgroup", 64 * 1024, &length, &unused);
    if (list != NULL)
        processors = cut_by_cgroups(processors, list);
    mem_free(list);
    return processors;
}
