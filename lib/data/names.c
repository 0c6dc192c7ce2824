/* Names in a folder: see names.h. Not scandir: it reads everything before a
 * limit can be applied, and its usual order depends on the locale.
 */
#include "lib/data/names.h"

#include "lib/base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FIRST_ROOM 64

static bool add(struct names *names, const char *name)
{
    if (names->n == names->room) {
        size_t room = names->room == 0 ? FIRST_ROOM : 2 * names->room;
        char **items = mem_array(room, sizeof(*items));
        if (items == NULL)
            return false;
        if (names->n > 0)
            memcpy(items, names->items, names->n * sizeof(*items));
        mem_free(names->items);
        names->items = items;
        names->room = room;
    }
    names->items[names->n] = mem_text(name);
    if (names->items[names->n] == NULL)
        return false;
    names->n++;
    return true;
}

static enum err_code read_all(struct names *out, DIR *dir, const char *folder,
                              bool (*keep)(const char *, const char *),
                              size_t max, struct err *e)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (entry == NULL && errno != 0)
            return err_set_errno(e, errno, "cannot list %s", folder);
        if (entry == NULL)
            return ERR_OK;
        if (entry->d_name[0] == '.' || !keep(folder, entry->d_name))
            continue;
        if (out->n == max)
            return err_set(e, ERR_TOO_LARGE, "%s: more than %zu entries",
                           folder, max);
        if (!add(out, entry->d_name))
            return err_set(e, ERR_NO_MEMORY, "%s: out of memory", folder);
    }
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

enum err_code names_list(struct names *out, const char *folder,
                         bool (*keep)(const char *folder, const char *name),
                         size_t max, struct err *e)
{
    *out = (struct names){0};
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return err_set_errno(e, errno, "cannot list %s", folder);
    enum err_code code = read_all(out, dir, folder, keep, max, e);
    closedir(dir);
    if (code != ERR_OK)
        names_fini(out);
    if (out->n > 1)
        qsort(out->items, out->n, sizeof(*out->items), by_bytes);
    return code;
}

void names_fini(struct names *names)
{
    for (size_t i = 0; i < names->n; i++)
        mem_free(names->items[i]);
    mem_free(names->items);
    *names = (struct names){0};
}

bool names_ends_with(const char *name, const char *ending)
{
    size_t length = strlen(name);
    size_t n = strlen(ending);
    return length >= n && strcasecmp(name + length - n, ending) == 0;
}
