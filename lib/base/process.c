/* From /proc/self: see proc(5). */
#include "lib/base/process.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* The numbers of stat behind the program's name, which may have any
 * characters: the first is field 3. */
enum {
    FIELD_UTIME = 14,
    FIELD_STIME = 15,
    FIELD_THREADS = 20,
    FIELD_VSIZE = 23,
    FIELD_RSS = 24
};

static size_t read_text(const char *path, char *out, size_t size)
{
    FILE *f = fopen(path, "re");
    size_t n = 0;

    if (f != NULL) {
        n = fread(out, 1, size - 1, f);
        fclose(f);
    }
    out[n] = 0;
    return n;
}

static uint64_t field(const char *stat, int number)
{
    const char *at = strrchr(stat, ')');

    for (int i = 2; at != NULL && i < number; i++) {
        at = strchr(at, ' ');
        at += at != NULL;
    }
    return at != NULL ? strtoull(at, NULL, 10) : 0;
}

static size_t count_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    size_t n = 0;

    if (d == NULL)
        return 0;
    for (const struct dirent *one; (one = readdir(d)) != NULL;)
        n += one->d_name[0] != '.';
    closedir(d);
    return n > 0 ? n - 1 : 0; /* but for this look's own */
}

void process_look(struct process_view *v)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t ticks = (uint64_t)sysconf(_SC_CLK_TCK);
    struct rlimit limit;
    char stat[1024];

    *v = (struct process_view){0};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
        limit.rlim_cur != RLIM_INFINITY)
        v->max_fds = (size_t)limit.rlim_cur;
    if (read_text("/proc/self/stat", stat, sizeof stat) == 0)
        return;
    v->known = true;
    v->cpu_ms =
        (field(stat, FIELD_UTIME) + field(stat, FIELD_STIME)) * 1000 / ticks;
    v->threads = field(stat, FIELD_THREADS);
    v->virtual_bytes = field(stat, FIELD_VSIZE);
    v->resident_bytes = field(stat, FIELD_RSS) * page;
    v->open_fds = count_fds();
}
