/* Memory: the C library's allocator behind one checked door, with a counter
 * per thread that lets a test choose which allocation fails.
 */
#include "lib/base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local size_t allocations_left = SIZE_MAX;

/* Whether this allocation is the one that a test has chosen to fail. */
static bool fails_now(void)
{
    if (allocations_left == SIZE_MAX)
        return false;
    if (allocations_left == 0) {
        allocations_left = SIZE_MAX;
        return true;
    }
    allocations_left--;
    return false;
}

bool mem_mul(size_t a, size_t b, size_t *product)
{
    size_t result;

    if (__builtin_mul_overflow(a, b, &result))
        return false;
    *product = result;
    return true;
}

void *mem_array(size_t n, size_t size)
{
    size_t bytes;

    if (!mem_mul(n, size, &bytes) || bytes > SIZE_MAX / 2 || fails_now())
        return NULL;
    if (bytes == 0)
        bytes = 1;
    bytes = (bytes + MEM_ALIGN - 1) / MEM_ALIGN * MEM_ALIGN;
    void *p = aligned_alloc(MEM_ALIGN, bytes);
    if (p != NULL)
        memset(p, 0, bytes);
    return p;
}

void *mem_raw(size_t bytes)
{
    if (bytes > SIZE_MAX / 2 || fails_now())
        return NULL;
    return malloc(bytes > 0 ? bytes : 1);
}

char *mem_text(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = mem_raw(bytes);

    if (copy != NULL)
        memcpy(copy, text, bytes);
    return copy;
}

void *mem_must(size_t n, size_t size)
{
    void *p = mem_array(n, size);

    if (p == NULL) {
        fprintf(stderr, "out of memory: %zu blocks of %zu bytes\n", n, size);
        abort();
    }
    return p;
}

void mem_free(void *p)
{
    free(p);
}

void mem_fail_after(size_t n)
{
    allocations_left = n;
}
