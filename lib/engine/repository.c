/* Repository: two levels of folders, read with readdir and sorted.
 *
 * What is being written or is not ours (a name with other characters, a
 * version folder without its file) is passed over, so that a live volume may
 * be scanned at any time: writers rename finished files into place.
 */
#include "lib/engine/repository.h"

#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/model/model_file.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Entries found so far, in a block that doubles. */
struct list {
    struct repository_entry *entries;
    size_t n, room;
};

bool repository_name_ok(const char *name, size_t length)
{
    if (length == 0 || length > REPOSITORY_MAX_NAME || name[0] == '.')
        return false;
    for (size_t i = 0; i < length; i++) {
        char c = name[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
        if (!ok)
            return false;
    }
    return true;
}

enum err_code repository_check_name(const char *name, struct err *e)
{
    if (repository_name_ok(name, strlen(name)))
        return ERR_OK;
    return err_set(e, ERR_INVALID,
                   "a model's name is 1 to %d of A-Z a-z 0-9 . _ -, and begins "
                   "with no dot",
                   REPOSITORY_MAX_NAME);
}

struct repository_stamp repository_stamp(const char *path)
{
    struct stat s;

    if (stat(path, &s) != 0)
        return (struct repository_stamp){.inode = 0};
    return (struct repository_stamp){
        .device = s.st_dev,
        .inode = s.st_ino,
        .size = (uint64_t)s.st_size,
        .changed_ns =
            (int64_t)s.st_mtim.tv_sec * 1000000000 + s.st_mtim.tv_nsec,
    };
}

bool repository_same_file(const struct repository_stamp *a,
                          const struct repository_stamp *b)
{
    return a->device == b->device && a->inode == b->inode &&
           a->size == b->size && a->changed_ns == b->changed_ns;
}

enum err_code repository_path(char *out, size_t size, const char *folder,
                              const char *name, uint64_t version, struct err *e)
{
    if (repository_check_name(name, e) != ERR_OK)
        return e->code;
    int length = snprintf(out, size, "%s/%s/%" PRIu64 "/" MODEL_FILE_NAME,
                          folder, name, version);
    if (length < 0 || (size_t)length >= size)
        return err_set(e, ERR_TOO_LARGE, "%s/%s: path is too long (limit %zu)",
                       folder, name, size - 1);
    return ERR_OK;
}

static enum err_code list_add(struct list *list, const char *name,
                              uint64_t version, struct err *e)
{
    if (list->n == list->room) {
        size_t room = list->room > 0 ? 2 * list->room : 16;
        struct repository_entry *entries = mem_array(room, sizeof *entries);
        if (entries == NULL)
            return err_set(e, ERR_NO_MEMORY, "no memory for %zu versions",
                           room);
        if (list->n > 0)
            memcpy(entries, list->entries, list->n * sizeof *entries);
        mem_free(list->entries);
        list->entries = entries;
        list->room = room;
    }
    struct repository_entry *entry = &list->entries[list->n++];
    memcpy(entry->name, name, strlen(name)); /* repository_name_ok: it fits */
    entry->version = version;
    return ERR_OK;
}

static DIR *open_folder(const char *path, struct err *e)
{
    DIR *dir = opendir(path);

    if (dir == NULL && errno == ENOTDIR)
        err_set(e, ERR_NOT_FOUND, "%s is not a folder", path);
    else if (dir == NULL)
        err_set_errno(e, errno, "cannot read folder %s", path);
    return dir;
}

/* A version folder that may not be entered counts: loading it says why. */
static bool may_be_complete(const char *path)
{
    return file_is_regular(path) ||
           (access(path, F_OK) != 0 && errno == EACCES);
}

/* Adds the complete versions of one model. */
static enum err_code scan_model(struct list *list, const char *folder,
                                const char *name, struct err *e)
{
    char path[REPOSITORY_MAX_PATH];
    size_t before = list->n;
    enum err_code code = file_join(path, sizeof path, folder, name, e);

    if (code != ERR_OK)
        return code;
    DIR *dir = open_folder(path, e);
    if (dir == NULL)
        return e->code;
    for (struct dirent *item; code == ERR_OK && (item = readdir(dir));) {
        uint64_t version = model_version_number(item->d_name);
        if (version == 0)
            continue;
        code = repository_path(path, sizeof path, folder, name, version, e);
        if (code != ERR_OK || !may_be_complete(path))
            continue;
        if (list->n - before == REPOSITORY_MAX_VERSIONS)
            code = err_set(e, ERR_TOO_LARGE, "%s/%s has more than %d versions",
                           folder, name, REPOSITORY_MAX_VERSIONS);
        else
            code = list_add(list, name, version, e);
    }
    closedir(dir);
    return code;
}

/* The same; what stands in the way of this model is told, not returned. */
static enum err_code scan_or_refuse(struct list *list, const char *folder,
                                    const char *name,
                                    const struct repository_refusal *refusal,
                                    struct err *e)
{
    size_t before = list->n;
    struct err why;
    enum err_code code = scan_model(list, folder, name, &why);

    if (code == ERR_OK)
        return code;
    if (code == ERR_NO_MEMORY) {
        *e = why;
        return code;
    }
    list->n = before;
    return refusal->call(refusal->arg, name, &why, e);
}

static enum err_code scan_models(struct list *list, const char *folder,
                                 DIR *dir,
                                 const struct repository_refusal *refusal,
                                 struct err *e)
{
    enum err_code code = ERR_OK;
    size_t models = 0;

    for (struct dirent *item; code == ERR_OK && (item = readdir(dir));) {
        char path[REPOSITORY_MAX_PATH];
        const char *name = item->d_name;
        if (!repository_name_ok(name, strlen(name)))
            continue;
        code = file_join(path, sizeof path, folder, name, e);
        if (code != ERR_OK || !file_is_folder(path))
            continue;
        if (models++ == REPOSITORY_MAX_MODELS)
            code = err_set(e, ERR_TOO_LARGE, "%s has more than %d models",
                           folder, REPOSITORY_MAX_MODELS);
        else
            code = scan_or_refuse(list, folder, name, refusal, e);
    }
    return code;
}

static int compare(const void *a, const void *b)
{
    const struct repository_entry *x = a;
    const struct repository_entry *y = b;
    int names = strcmp(x->name, y->name);

    if (names != 0)
        return names;
    return (x->version > y->version) - (x->version < y->version);
}

/* Sorted, and the caller's; freed if `code` says that it failed. */
static struct repository_entry *list_take(struct list *list, enum err_code code,
                                          size_t *n, struct err *e)
{
    /* An empty result is no error, and NULL is. */
    if (code == ERR_OK && list->entries == NULL) {
        list->entries = mem_array(1, sizeof *list->entries);
        if (list->entries == NULL)
            code = err_set(e, ERR_NO_MEMORY, "no memory for a list");
    }
    if (code != ERR_OK) {
        mem_free(list->entries);
        return NULL;
    }
    qsort(list->entries, list->n, sizeof *list->entries, compare);
    *n = list->n;
    return list->entries;
}

struct repository_entry *
repository_scan(const char *folder, const struct repository_refusal *refusal,
                size_t *n, struct err *e)
{
    struct list list = {.n = 0};

    *n = 0;
    DIR *dir = open_folder(folder, e);
    if (dir == NULL)
        return NULL;
    enum err_code code = scan_models(&list, folder, dir, refusal, e);
    closedir(dir);
    return list_take(&list, code, n, e);
}

struct repository_entry *repository_scan_model(const char *folder,
                                               const char *name, size_t *n,
                                               struct err *e)
{
    struct list list = {.n = 0};

    *n = 0;
    assert(repository_name_ok(name, strlen(name)));
    enum err_code code = scan_model(&list, folder, name, e);
    return list_take(&list, code, n, e);
}
