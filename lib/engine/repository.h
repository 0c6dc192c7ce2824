/* Repository: a folder of model folders, models/<name>/<version>/ with
 * model.safetensors inside. Only names and numbers are read here, no files.
 */
#ifndef SPARSED_ENGINE_REPOSITORY_H
#define SPARSED_ENGINE_REPOSITORY_H

#include "lib/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPOSITORY_MAX_NAME 64
#define REPOSITORY_MAX_PATH 4096
#define REPOSITORY_MAX_MODELS 1024
#define REPOSITORY_MAX_VERSIONS 4096 /* of one model */

struct repository_entry {
    char name[REPOSITORY_MAX_NAME + 1];
    uint64_t version;
};

/* What tells a file from the one that stands at its path later: zeros if there
 * is none. */
struct repository_stamp {
    uint64_t device, inode, size;
    int64_t changed_ns;
};

/* Told of each model that is there and whose versions cannot be listed: none
 * of them are then. Its error ends the scan. */
struct repository_refusal {
    void *arg;
    enum err_code (*call)(void *arg, const char *name, const struct err *why,
                          struct err *e);
};

/* All complete versions, sorted by name, then version; freed with mem_free.
 * A folder without a version that has a file gives no entry; hidden folders,
 * names that are not [A-Za-z0-9._-]{1,64}, and version folders that are not a
 * plain number from 1 (at most 18 digits) are passed over. NULL on error:
 * ERR_NOT_FOUND, ERR_IO, ERR_TOO_LARGE, ERR_NO_MEMORY. */
struct repository_entry *
repository_scan(const char *folder, const struct repository_refusal *refusal,
                size_t *n, struct err *e);

/* The same of one model, of a name that is ok; symbolic links are followed as
 * there. Besides: ERR_NOT_FOUND without a folder of its own. */
struct repository_entry *repository_scan_model(const char *folder,
                                               const char *name, size_t *n,
                                               struct err *e);

/* The model file of an entry, always below the folder: ERR_INVALID for a name
 * that is not ok; ERR_TOO_LARGE if the path does not fit. */
enum err_code repository_path(char *out, size_t size, const char *folder,
                              const char *name, uint64_t version, struct err *e)
    ERR_CHECKED;

struct repository_stamp repository_stamp(const char *path);
bool repository_same_file(const struct repository_stamp *a,
                          const struct repository_stamp *b);

bool repository_name_ok(const char *name, size_t length);
/* ERR_INVALID that says what a name is. */
enum err_code repository_check_name(const char *name, struct err *e)
    ERR_CHECKED;

#endif
