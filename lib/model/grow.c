/* The names make the larger composition; the parameters follow from the table,
 * whose axes say which dimensions count classes.
 */
#include "lib/model/grow.h"

#include "lib/base/mem.h"

#include <stdbool.h>
#include <string.h>

static bool is_among(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static enum err_code check_names(const struct model *m,
                                 const char *const *names, size_t n,
                                 struct err *e)
{
    const char *const *old = (const char *const *)m->classes;
    size_t k = m->classifier.classes;
    if (!m->classifier.present)
        return err_set(e, ERR_CONFLICT,
                       "the model has no classifier, which could have more "
                       "classes");
    if (n > CLASSIFIER_MAX_CLASSES - k)
        return err_set(e, ERR_TOO_LARGE,
                       "%zu classes and %zu new ones: at most %d in all", k, n,
                       CLASSIFIER_MAX_CLASSES);
    for (size_t i = 0; i < n; i++)
        if (is_among(names[i], old, k) || is_among(names[i], names, i))
            return err_set(e, ERR_INVALID, "class \"%.100s\" is there already",
                           names[i]);
    return ERR_OK;
}

/* The composition with all the names, and no values yet. */
static struct model *larger(const struct model *m, const char *const *names,
                            size_t n, struct err *e)
{
    size_t k = m->classifier.classes;
    const char **all = mem_array(k + n, sizeof *all);
    if (!all) {
        err_set(e, ERR_NO_MEMORY, "class names");
        return NULL;
    }
    for (size_t i = 0; i < k + n; i++)
        all[i] = i < k ? m->classes[i] : names[i - k];
    struct model *grown = model_new(m->config, all, k + n, e);
    mem_free(all);
    return grown;
}

static bool shape_follows(const struct param *to, const struct param *from)
{
    if (to->rank != from->rank)
        return false;
    for (size_t axis = 0; axis < from->rank; axis++)
        if (from->axes[axis] == AXIS_CLASS ? to->dims[axis] < from->dims[axis]
                                           : to->dims[axis] != from->dims[axis])
            return false;
    return true;
}

/* Each number of p to the same indices of q. */
static void scatter(struct param *q, const struct param *p)
{
    for (size_t at = 0; at < p->count; at++) {
        size_t rest = at, to = 0, stride = 1;
        for (size_t axis = p->rank; axis-- > 0; rest /= p->dims[axis]) {
            to += rest % p->dims[axis] * stride;
            stride *= q->dims[axis];
        }
        q->value[to] = p->value[at];
    }
}

static enum err_code fill(struct model *to, const struct model *from,
                          struct err *e)
{
    if (params_allocate(&to->params, e))
        return e->code;
    for (size_t i = 0; i < from->params.n; i++) {
        const struct param *p = &from->params.list[i];
        struct param *q = params_find(&to->params, p->name);
        if (!q || !shape_follows(q, p))
            return err_set(e, ERR_INTERNAL,
                           "%s: its axes do not say what more classes add",
                           p->name);
        scatter(q, p);
    }
    return model_copy_facts(to, from, e);
}

struct model *model_add_classes(const struct model *m, const char *const *names,
                                size_t n, struct err *e)
{
    if (check_names(m, names, n, e))
        return NULL;
    struct model *grown = larger(m, names, n, e);
    if (grown && fill(grown, m, e)) {
        model_free(grown);
        return NULL;
    }
    return grown;
}
