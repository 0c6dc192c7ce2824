/* Process: what the kernel knows of this one. */
#ifndef SPARSED_BASE_PROCESS_H
#define SPARSED_BASE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct process_view {
    bool known;      /* all but max_fds */
    uint64_t cpu_ms; /* of all threads, in the kernel too */
    size_t threads;
    size_t virtual_bytes, resident_bytes;
    size_t open_fds;
    size_t max_fds; /* 0: no limit */
};

void process_look(struct process_view *v);

#endif
