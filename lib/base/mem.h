/* Memory: every allocation is checked, and every product that comes from
 * outside is checked for overflow before it becomes a size.
 *
 * Memory comes zeroed. Tests can make the Nth allocation fail
 * (mem_fail_after), so that every error path is walked.
 */
#ifndef SPARSED_BASE_MEM_H
#define SPARSED_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

/* Alignment of mem_array and of every float block: one AVX-512 register. */
#define MEM_ALIGN 64

/* n * size zeroed bytes, aligned to MEM_ALIGN; NULL if the product overflows
 * or memory is out. n or size 0 gives a block that may be freed and not read.
 * The caller frees it with mem_free. */
void *mem_array(size_t n, size_t size);

/* `bytes` bytes with malloc's alignment, NOT zeroed: for text, and for big
 * blocks that are written before they are read. NULL if memory is out. */
void *mem_raw(size_t bytes);

/* A copy of a zero-terminated text; NULL if memory is out. */
char *mem_text(const char *text);

/* As mem_array, but aborts with a message if memory is out: for start-up. */
void *mem_must(size_t n, size_t size);

void mem_free(void *p);

/* *product = a * b; false, and *product untouched, if that overflows. */
bool mem_mul(size_t a, size_t b, size_t *product);

/* Test hook: the allocation after `n` further ones fails, once; SIZE_MAX
 * (the default) never. Counts in this thread only. */
void mem_fail_after(size_t n);

#endif
