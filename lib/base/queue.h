/* Bounded queue of pointers, many producers and consumers, first in first out.
 *
 * A full queue refuses at once: the bound is what keeps overload from becoming
 * memory. Closing it wakes everybody; what is inside is still handed out.
 */
#ifndef SPARSED_BASE_QUEUE_H
#define SPARSED_BASE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

struct queue;

struct queue *queue_new(size_t capacity); /* NULL: out of memory */
void queue_free(struct queue *q);         /* must be empty of waiters */

/* false, at once, if the queue is full or closed. `item` is not NULL. */
bool queue_push(struct queue *q, void *item);

/* Waits for an item; NULL once the queue is closed and empty. */
void *queue_pop(struct queue *q);

/* No further pushes; wakes all who wait. */
void queue_close(struct queue *q);

#endif
