/* Named paths: "NAME=PATH,NAME=PATH", a path for each of some models.
 */
#ifndef SPARSED_ENGINE_NAMED_PATHS_H
#define SPARSED_ENGINE_NAMED_PATHS_H

#include "lib/base/err.h"
#include "lib/engine/repository.h"

#include <stddef.h>

struct named_path {
    char name[REPOSITORY_MAX_NAME + 1];
    char *path; /* owned */
};

struct named_paths {
    struct named_path *items;
    size_t n;
};

/* `list` may be NULL or empty: no paths. ERR_INVALID for a list of another
 * form, or a name that is there twice; `what` is the list's name in messages.
 * ERR_NO_MEMORY. The caller empties it with named_paths_fini. */
enum err_code named_paths_init(struct named_paths *p, const char *what,
                               const char *list, struct err *e) ERR_CHECKED;
void named_paths_fini(struct named_paths *p); /* accepts a zeroed one */

/* The model's path, or NULL. */
const char *named_paths_find(const struct named_paths *p, const char *name);

#endif
