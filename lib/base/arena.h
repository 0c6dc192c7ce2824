/* Arena: many small blocks with one life, freed all at once.
 *
 * A request, or one forward pass, takes what it needs and nobody frees by
 * hand on error paths. Blocks grow by chunks up to a fixed maximum, so that a
 * request has a stated bound: at most max_bytes are handed out, and at most
 * twice that is held. Not thread-safe: one owner at a time.
 */
#ifndef SPARSED_BASE_ARENA_H
#define SPARSED_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; /* newest first */
    size_t used_bytes;          /* handed out, each rounded to MEM_ALIGN */
    size_t max_bytes;
};

/* A place to go back to: see arena_mark. */
struct arena_mark {
    struct arena_chunk *chunk;
    size_t chunk_used;
    size_t used_bytes;
};

/* An empty arena in the caller's storage; allocates nothing yet. */
void arena_init(struct arena *a, size_t max_bytes);

/* Frees every block; accepts a zeroed arena. */
void arena_fini(struct arena *a);

/* Forgets every block but keeps the largest chunk for the next owner. */
void arena_reset(struct arena *a);

/* n * size bytes aligned to MEM_ALIGN, NOT zeroed; NULL if the product
 * overflows, the arena's maximum is passed, or memory is out. */
void *arena_take(struct arena *a, size_t n, size_t size);

/* Makes sure that blocks of together `bytes` (alignment counted) can be taken
 * next without failing; false if they cannot be had. */
bool arena_reserve(struct arena *a, size_t bytes);

/* As arena_take, zeroed. */
void *arena_zeroed(struct arena *a, size_t n, size_t size);

/* A zero-terminated copy of `length` bytes; NULL as above. */
char *arena_text(struct arena *a, const char *text, size_t length);

/* arena_rewind gives back all that was taken since the mark. A mark dies with
 * arena_reset, and with a rewind to an older one. */
struct arena_mark arena_mark(const struct arena *a);
void arena_rewind(struct arena *a, struct arena_mark mark);

#endif
