/* Labels of data sets: numbers are taken as they are, names are collected in
 * order first and looked up then.
 */
#include "lib/data/dataset_labels.h"

#include "lib/base/mem.h"

#include <string.h>

#define MAX_LABEL 65535
#define MAX_NAME_BYTES 255 /* as of a folder */

enum err_code dataset_set_labels(struct dataset *d, const long long *labels,
                                 struct err *e)
{
    d->labels = mem_array(d->n, sizeof(*d->labels));
    if (d->labels == NULL)
        return err_set(e, ERR_NO_MEMORY, "no memory for %zu labels", d->n);
    for (size_t i = 0; i < d->n; i++) {
        if (labels[i] < DATASET_NO_LABEL || labels[i] > MAX_LABEL)
            return err_set(e, ERR_INVALID,
                           "label %lld of row %zu: want 0 to %d, or -1 for "
                           "none",
                           labels[i], i, MAX_LABEL);
        d->labels[i] = (int32_t)labels[i];
    }
    return ERR_OK;
}

static enum err_code take_numbers(struct dataset *d, const struct npy *y,
                                  struct err *e)
{
    long long *labels = mem_array(y->count, sizeof(*labels));
    if (labels == NULL)
        return err_set(e, ERR_NO_MEMORY, "no memory for %zu labels", d->n);
    enum err_code code = npy_to_int64(y, labels, e);
    if (code == ERR_OK)
        code = dataset_set_labels(d, labels, e);
    else
        err_wrap(e, "labels");
    mem_free(labels);
    return code;
}

/* ---- names ---- */

/* Where the name is among the classes, or would have to be. */
static size_t place(const struct dataset *d, const char *name, bool *found)
{
    size_t low = 0, high = d->n_classes;
    *found = false;
    while (low < high && !*found) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, d->classes[middle]);
        *found = order == 0;
        if (order > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return high;
}

static enum err_code add_class(struct dataset *d, size_t at, const char *name,
                               struct err *e)
{
    if (d->n_classes > MAX_LABEL)
        return err_set(e, ERR_TOO_LARGE, "labels: more than %d different ones",
                       MAX_LABEL + 1);
    char *copy = mem_text(name);
    if (copy == NULL)
        return err_set(e, ERR_NO_MEMORY, "no memory for a label");
    memmove(d->classes + at + 1, d->classes + at,
            (d->n_classes - at) * sizeof(*d->classes));
    d->classes[at] = copy;
    d->n_classes++;
    return ERR_OK;
}

/* Calls for the classes first, and for the labels when they are complete. */
static enum err_code walk_names(struct dataset *d, const struct npy *y,
                                bool collect, struct err *e)
{
    for (size_t i = 0; i < d->n; i++) {
        char name[MAX_NAME_BYTES + 1];
        size_t length;
        bool found;
        if (npy_text(y, i, name, sizeof(name), &length, e) != ERR_OK)
            return err_wrap(e, "labels");
        if (strlen(name) != length)
            return err_set(e, ERR_INVALID, "labels: row %zu has a zero within",
                           i);
        size_t at = place(d, name, &found);
        if (!collect)
            d->labels[i] = length > 0 ? (int32_t)at : DATASET_NO_LABEL;
        else if (length > 0 && !found && add_class(d, at, name, e) != ERR_OK)
            return e->code;
    }
    return ERR_OK;
}

static enum err_code take_names(struct dataset *d, const struct npy *y,
                                struct err *e)
{
    size_t room = d->n < MAX_LABEL + 1 ? d->n : MAX_LABEL + 1;
    d->labels = mem_array(d->n, sizeof(*d->labels));
    d->classes = mem_array(room, sizeof(*d->classes));
    if (d->labels == NULL || d->classes == NULL)
        return err_set(e, ERR_NO_MEMORY, "no memory for %zu labels", d->n);
    if (walk_names(d, y, true, e) != ERR_OK ||
        walk_names(d, y, false, e) != ERR_OK)
        return e->code;
    if (d->n_classes == 0) { /* nobody has a label */
        mem_free(d->labels);
        mem_free(d->classes);
        d->labels = NULL;
        d->classes = NULL;
    }
    return ERR_OK;
}

enum err_code dataset_take_labels(struct dataset *d, const struct npy *y,
                                  struct err *e)
{
    if (y->rank != 1)
        return err_set(e, ERR_INVALID,
                       "labels: an array of %zu axes, want one label a row",
                       y->rank);
    if (y->count != d->n)
        return err_set(e, ERR_INVALID, "%zu rows but %zu labels", d->n,
                       y->count);
    return npy_is_text(y) ? take_names(d, y, e) : take_numbers(d, y, e);
}
