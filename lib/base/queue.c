/* Bounded queue: a ring of pointers under one lock.
 */
#include "lib/base/queue.h"

#include "lib/base/lock.h"
#include "lib/base/mem.h"

#include <assert.h>

struct queue {
    struct lock lock;
    struct cond some; /* an item came, or the queue was closed */
    void **items;     /* all below guarded by lock */
    size_t capacity;
    size_t first;
    size_t length;
    bool closed;
};

struct queue *queue_new(size_t capacity)
{
    assert(capacity > 0);
    struct queue *q = mem_array(1, sizeof *q);
    if (q == NULL)
        return NULL;
    q->items = mem_array(capacity, sizeof *q->items);
    if (q->items == NULL) {
        mem_free(q);
        return NULL;
    }
    q->capacity = capacity;
    lock_init(&q->lock);
    cond_init(&q->some);
    return q;
}

void queue_free(struct queue *q)
{
    if (q == NULL)
        return;
    cond_fini(&q->some);
    lock_fini(&q->lock);
    mem_free(q->items);
    mem_free(q);
}

bool queue_push(struct queue *q, void *item)
{
    assert(item != NULL);
    lock_take(&q->lock);
    bool room = !q->closed && q->length < q->capacity;
    if (room) {
        q->items[(q->first + q->length) % q->capacity] = item;
        q->length++;
        cond_signal(&q->some);
    }
    lock_drop(&q->lock);
    return room;
}

void *queue_pop(struct queue *q)
{
    void *item = NULL;

    lock_take(&q->lock);
    while (q->length == 0 && !q->closed)
        cond_wait(&q->some, &q->lock);
    if (q->length > 0) {
        item = q->items[q->first];
        q->first = (q->first + 1) % q->capacity;
        q->length--;
    }
    lock_drop(&q->lock);
    return item;
}

void queue_close(struct queue *q)
{
    lock_take(&q->lock);
    q->closed = true;
    cond_broadcast(&q->some);
    lock_drop(&q->lock);
}
