/* Rows that are kept, in three blocks. */
#include "lib/model/rehearsal.h"

#include "lib/base/mem.h"

#include <string.h>

enum err_code rehearsal_init(struct rehearsal *r, size_t n, size_t size,
                             struct err *e)
{
    *r = (struct rehearsal){.n = n, .size = size};
    if (n == 0)
        return ERR_OK;
    if (n > REHEARSAL_MAX_ROWS) {
        *r = (struct rehearsal){0};
        return err_set(e, ERR_TOO_LARGE,
                       "rehearsal: %zu rows, at most %zu are kept", n,
                       REHEARSAL_MAX_ROWS);
    }
    r->inputs = mem_array(n, size);
    r->labels = mem_array(n, sizeof *r->labels);
    r->held_out = mem_array(n, 1);
    if (r->inputs && r->labels && r->held_out)
        return ERR_OK;
    rehearsal_fini(r);
    return err_set(e, ERR_NO_MEMORY, "rehearsal: %zu rows of %zu numbers", n,
                   size);
}

enum err_code rehearsal_copy(struct rehearsal *to, const struct rehearsal *from,
                             struct err *e)
{
    if (rehearsal_init(to, from->n, from->size, e))
        return e->code;
    if (from->n > 0) {
        memcpy(to->inputs, from->inputs, from->n * from->size);
        memcpy(to->labels, from->labels, from->n * sizeof *from->labels);
        memcpy(to->held_out, from->held_out, from->n);
    }
    return ERR_OK;
}

size_t rehearsal_held_out(const struct rehearsal *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++)
        n += r->held_out[i];
    return n;
}

void rehearsal_fini(struct rehearsal *r)
{
    mem_free(r->inputs);
    mem_free(r->labels);
    mem_free(r->held_out);
    *r = (struct rehearsal){0};
}
