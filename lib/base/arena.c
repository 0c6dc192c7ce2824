/* Arena: a stack of chunks, filled from the newest. A chunk is taken with room
 * to align its first block; after that every block is a multiple of MEM_ALIGN
 * long, so alignment costs nothing more.
 */
#include "lib/base/arena.h"

#include "lib/base/mem.h"

#include <stdint.h>
#include <string.h>

/* Under AddressSanitizer all but the blocks handed out is out of bounds. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(start, bytes) ((void)(start), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(start, bytes) ((void)(start), (void)(bytes))
#endif

#define FIRST_CHUNK ((size_t)16 * 1024)
#define LARGEST_STEP ((size_t)4 * 1024 * 1024)

struct arena_chunk {
    struct arena_chunk *older;
    char *data; /* aligned, within this same allocation */
    size_t used;
    size_t size;
};

static void cut_back(struct arena_chunk *chunk, size_t used)
{
    ASAN_POISON_MEMORY_REGION(chunk->data + used, chunk->size - used);
    chunk->used = used;
}

void arena_init(struct arena *a, size_t max_bytes)
{
    a->chunks = NULL;
    a->used_bytes = 0;
    a->max_bytes = max_bytes;
}

void arena_fini(struct arena *a)
{
    while (a->chunks != NULL) {
        struct arena_chunk *older = a->chunks->older;
        mem_free(a->chunks);
        a->chunks = older;
    }
    a->used_bytes = 0;
}

void arena_reset(struct arena *a)
{
    struct arena_chunk *largest = a->chunks;

    while (a->chunks != NULL) {
        struct arena_chunk *chunk = a->chunks;
        a->chunks = chunk->older;
        if (chunk == largest)
            continue;
        if (chunk->size > largest->size) {
            mem_free(largest);
            largest = chunk;
        } else {
            mem_free(chunk);
        }
    }
    if (largest != NULL) {
        largest->older = NULL;
        cut_back(largest, 0);
    }
    a->chunks = largest;
    a->used_bytes = 0;
}

/* Puts a chunk with room for at least `bytes` on top; false if memory is out.
 * Chunks double, but never beyond what the arena may still hand out. */
static bool grow(struct arena *a, size_t bytes)
{
    size_t size = a->chunks != NULL ? 2 * a->chunks->size : FIRST_CHUNK;

    if (size > LARGEST_STEP)
        size = LARGEST_STEP;
    if (size > a->max_bytes - a->used_bytes)
        size = a->max_bytes - a->used_bytes;
    if (size < bytes)
        size = bytes;
    if (size > SIZE_MAX / 2)
        return false;
    struct arena_chunk *chunk = mem_raw(sizeof *chunk + MEM_ALIGN + size);
    if (chunk == NULL)
        return false;
    uintptr_t start = (uintptr_t)(chunk + 1);
    chunk->data =
        (char *)(chunk + 1) + (MEM_ALIGN - start % MEM_ALIGN) % MEM_ALIGN;
    chunk->older = a->chunks;
    chunk->size = size;
    cut_back(chunk, 0);
    a->chunks = chunk;
    return true;
}

bool arena_reserve(struct arena *a, size_t bytes)
{
    if (bytes > a->max_bytes - a->used_bytes)
        return false;
    if (a->chunks != NULL && bytes <= a->chunks->size - a->chunks->used)
        return true;
    return grow(a, bytes);
}

void *arena_take(struct arena *a, size_t n, size_t size)
{
    size_t bytes;

    if (!mem_mul(n, size, &bytes) || bytes > SIZE_MAX / 2)
        return NULL;
    size_t exact = bytes > 0 ? bytes : 1;
    bytes = (exact + MEM_ALIGN - 1) / MEM_ALIGN * MEM_ALIGN;
    if (bytes > a->max_bytes - a->used_bytes)
        return NULL;
    if (a->chunks == NULL || bytes > a->chunks->size - a->chunks->used) {
        if (!grow(a, bytes))
            return NULL;
    }
    void *block = a->chunks->data + a->chunks->used;
    a->chunks->used += bytes;
    a->used_bytes += bytes;
    ASAN_UNPOISON_MEMORY_REGION(block, exact);
    return block;
}

void *arena_zeroed(struct arena *a, size_t n, size_t size)
{
    void *block = arena_take(a, n, size);

    if (block != NULL && n > 0 && size > 0)
        memset(block, 0, n * size);
    return block;
}

char *arena_text(struct arena *a, const char *text, size_t length)
{
    if (length == SIZE_MAX)
        return NULL;
    char *copy = arena_take(a, length + 1, 1);
    if (copy == NULL)
        return NULL;
    if (length > 0)
        memcpy(copy, text, length);
    copy[length] = 0;
    return copy;
}

struct arena_mark arena_mark(const struct arena *a)
{
    return (struct arena_mark){
        .chunk = a->chunks,
        .chunk_used = a->chunks != NULL ? a->chunks->used : 0,
        .used_bytes = a->used_bytes,
    };
}

void arena_rewind(struct arena *a, struct arena_mark mark)
{
    if (mark.chunk == NULL) {
        arena_reset(a);
        return;
    }
    while (a->chunks != mark.chunk) {
        struct arena_chunk *older = a->chunks->older;
        mem_free(a->chunks);
        a->chunks = older;
    }
    cut_back(a->chunks, mark.chunk_used);
    a->used_bytes = mark.used_bytes;
}
