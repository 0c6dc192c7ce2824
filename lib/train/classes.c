/* Matching class names. */
#include "lib/train/classes.h"

#include "lib/base/mem.h"

#include <string.h>

static enum err_code find_all(const struct dataset *d, int32_t *place,
                              const char *const *names, size_t n, struct err *e)
{
    for (size_t i = 0; i < d->n_classes; i++) {
        size_t k = 0;
        while (k < n && strcmp(names[k], d->classes[i]) != 0)
            k++;
        if (k == n)
            return err_set(e, ERR_SHAPE,
                           "the data has a class \"%s\", the model has none of "
                           "that name",
                           d->classes[i]);
        place[i] = (int32_t)k;
    }
    return ERR_OK;
}

enum err_code classes_match(struct dataset *d, const char *const *names,
                            size_t n, struct err *e)
{
    if (!d->labels)
        return ERR_OK;
    if (!d->classes && d->n_classes > n)
        return err_set(e, ERR_SHAPE,
                       "the data has labels up to %zu, the model has %zu "
                       "classes, from 0",
                       d->n_classes - 1, n);
    if (!d->classes)
        return ERR_OK;
    int32_t *place = mem_array(d->n_classes, sizeof *place);
    if (!place)
        return err_set(e, ERR_NO_MEMORY, "classes");
    enum err_code code = find_all(d, place, names, n, e);
    for (size_t i = 0; !code && i < d->n; i++)
        if (d->labels[i] >= 0)
            d->labels[i] = place[d->labels[i]];
    mem_free(place);
    if (code)
        return code;
    for (size_t i = 0; i < d->n_classes; i++)
        mem_free(d->classes[i]);
    mem_free(d->classes);
    d->classes = NULL;
    d->n_classes = n;
    return ERR_OK;
}
