/* Guard page for the tests of parsers. */
#include "tests/support/guard.h"

#include <check.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct guard guard_copy(const void *bytes, size_t length)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t room = (length + page - 1) / page * page;
    struct guard g = {.length = length, .map_bytes = room + page};

    g.map = mmap(NULL, g.map_bytes, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(g.map, MAP_FAILED);
    ck_assert_int_eq(mprotect((char *)g.map + room, page, PROT_NONE), 0);
    g.bytes = (char *)g.map + room - length;
    if (length > 0)
        memcpy(g.bytes, bytes, length);
    return g;
}

void guard_free(struct guard *g)
{
    munmap(g->map, g->map_bytes);
    *g = (struct guard){0};
}
