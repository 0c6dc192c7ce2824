/* The names in a folder, in the order of their bytes.
 */
#ifndef SPARSED_DATA_NAMES_H
#define SPARSED_DATA_NAMES_H

#include "lib/base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct names {
    char **items; /* (n), owned, sorted */
    size_t n;
    size_t room;
};

/* Lists the entries of a folder that are not hidden and that `keep` accepts
 * (path of the folder, name): at most `max`. Fills *out, which the caller
 * empties with names_fini. ERR_NOT_FOUND, ERR_IO, ERR_TOO_LARGE,
 * ERR_NO_MEMORY. */
enum err_code names_list(struct names *out, const char *folder,
                         bool (*keep)(const char *folder, const char *name),
                         size_t max, struct err *e) ERR_CHECKED;
void names_fini(struct names *names);

/* Whether `name` ends with `ending`, small and capital letters alike. */
bool names_ends_with(const char *name, const char *ending);

#endif
