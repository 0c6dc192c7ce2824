/* Reading a list of paths: commas end them, so a path holds none. */
#include "lib/engine/named_paths.h"

#include "lib/base/mem.h"

#include <string.h>

static size_t count_items(const char *list)
{
    size_t n = 1;

    for (; *list != 0; list++)
        n += *list == ',';
    return n;
}

static enum err_code add_item(struct named_paths *p, const char *what,
                              const char *item, size_t length, struct err *e)
{
    const char *equals = memchr(item, '=', length);
    size_t name_length = equals != NULL ? (size_t)(equals - item) : 0;
    struct named_path *to = &p->items[p->n];

    if (equals == NULL || name_length + 1 == length ||
        !repository_name_ok(item, name_length))
        return err_set(e, ERR_INVALID,
                       "%s: \"%.*s\" is not NAME=PATH; several are separated "
                       "by commas",
                       what, (int)(length < 100 ? length : 100), item);
    memcpy(to->name, item, name_length);
    if (named_paths_find(p, to->name) != NULL)
        return err_set(e, ERR_INVALID, "%s: model %s has two paths", what,
                       to->name);
    to->path = mem_raw(length - name_length);
    if (to->path == NULL)
        return err_set(e, ERR_NO_MEMORY, "no memory for %s", what);
    memcpy(to->path, equals + 1, length - name_length - 1);
    to->path[length - name_length - 1] = 0;
    p->n++;
    return ERR_OK;
}

enum err_code named_paths_init(struct named_paths *p, const char *what,
                               const char *list, struct err *e)
{
    enum err_code code = ERR_OK;

    *p = (struct named_paths){0};
    if (list == NULL || *list == 0)
        return ERR_OK;
    p->items = mem_array(count_items(list), sizeof *p->items);
    if (p->items == NULL)
        return err_set(e, ERR_NO_MEMORY, "no memory for %s", what);
    for (const char *item = list; code == ERR_OK;) {
        size_t length = strcspn(item, ",");
        code = add_item(p, what, item, length, e);
        if (item[length] == 0)
            break;
        item += length + 1;
    }
    if (code != ERR_OK)
        named_paths_fini(p);
    return code;
}

void named_paths_fini(struct named_paths *p)
{
    for (size_t i = 0; i < p->n; i++)
        mem_free(p->items[i].path);
    mem_free(p->items);
    *p = (struct named_paths){0};
}

const char *named_paths_find(const struct named_paths *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->items[i].name, name) == 0)
            return p->items[i].path;
    return NULL;
}
