/* Files are named by the job's number, so the folder can be swept by names
 * alone. What cannot be removed is logged: it stands in nobody's way.
 */
#include "lib/engine/job_files.h"

#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/data/names.h"
#include "lib/engine/repository.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECKPOINT "checkpoint"
#define ATTEMPTS "attempts"
#define MAX_FILES 100000

static enum err_code make_path(char *out, size_t size, const char *data_dir,
                               int64_t job, const char *ending, struct err *e)
{
    int n =
        snprintf(out, size, "%s/jobs/%" PRId64 ".%s", data_dir, job, ending);

    if (n < 0 || (size_t)n >= size)
        return err_set(e, ERR_TOO_LARGE, "%s: path is too long", data_dir);
    return ERR_OK;
}

enum err_code job_files_checkpoint(char *out, size_t size, const char *data_dir,
                                   int64_t job, struct err *e)
{
    return make_path(out, size, data_dir, job, CHECKPOINT, e);
}

static void complain(const struct err *e)
{
    char quoted[2 * sizeof e->msg];

    log_event(LOG_WARN, "learner", "file-left", "why=%s",
              log_quote(quoted, sizeof quoted, e->msg));
}

/* ---- attempts ---- */

/* 0: no checkpoint. */
static uint64_t fingerprint(const char *path)
{
    struct err unused;
    size_t length;
    const unsigned char *map = file_map(path, &length, &unused);

    if (map == NULL)
        return 0;
    uint64_t hash = file_hash(FILE_HASH_START, map, length);
    file_unmap(map, length);
    return hash;
}

/* How often it was begun, and with which checkpoint the last time. */
static size_t read_attempts(const char *path, uint64_t *hash)
{
    struct err unused;
    size_t length;
    char *rest;
    char *text = file_read(path, 100, &length, &unused);

    *hash = 0;
    if (text == NULL)
        return 0;
    size_t n = strtoul(text, &rest, 10);
    *hash = strtoull(rest, NULL, 16);
    mem_free(text);
    return n;
}

enum err_code job_files_begin(const char *data_dir, int64_t job,
                              size_t *attempt, struct err *e)
{
    char path[REPOSITORY_MAX_PATH];
    char text[64];
    uint64_t before;

    if (file_join(path, sizeof path, data_dir, "jobs", e) != ERR_OK ||
        file_make_folders(path, e) != ERR_OK ||
        make_path(path, sizeof path, data_dir, job, CHECKPOINT, e) != ERR_OK)
        return e->code;
    uint64_t now = fingerprint(path);
    if (make_path(path, sizeof path, data_dir, job, ATTEMPTS, e) != ERR_OK)
        return e->code;
    size_t attempts = read_attempts(path, &before);
    *attempt = now == before ? attempts + 1 : 1;
    int length =
        snprintf(text, sizeof text, "%zu %016" PRIx64 "\n", *attempt, now);
    return file_replace(path, text, (size_t)length, e);
}

static void remove_one(const char *data_dir, int64_t job, const char *ending)
{
    char path[REPOSITORY_MAX_PATH];
    struct err e;

    if (make_path(path, sizeof path, data_dir, job, ending, &e) != ERR_OK ||
        file_remove(path, &e) != ERR_OK)
        complain(&e);
}

void job_files_pause(const char *data_dir, int64_t job)
{
    remove_one(data_dir, job, ATTEMPTS);
}

void job_files_remove(const char *data_dir, int64_t job)
{
    remove_one(data_dir, job, CHECKPOINT);
    remove_one(data_dir, job, ATTEMPTS);
}

/* ---- sweeping ---- */

static bool is_ours(const char *folder, const char *name)
{
    char *rest;
    long long job = strtoll(name, &rest, 10);

    (void)folder;
    return job > 0 &&
           (strncmp(rest, "." CHECKPOINT, strlen("." CHECKPOINT)) == 0 ||
            strncmp(rest, "." ATTEMPTS, strlen("." ATTEMPTS)) == 0);
}

void job_files_sweep(const char *data_dir,
                     bool (*has_ended)(void *arg, int64_t job), void *arg)
{
    char folder[REPOSITORY_MAX_PATH];
    char path[REPOSITORY_MAX_PATH];
    struct names names = {0};
    struct err e;

    if (file_join(folder, sizeof folder, data_dir, "jobs", &e) != ERR_OK ||
        !file_is_folder(folder))
        return;
    if (names_list(&names, folder, is_ours, MAX_FILES, &e) != ERR_OK)
        complain(&e);
    for (size_t i = 0; i < names.n; i++) {
        bool whole = strstr(names.items[i], ".tmp-") == NULL;
        if (whole && !has_ended(arg, strtoll(names.items[i], NULL, 10)))
            continue;
        if (file_join(path, sizeof path, folder, names.items[i], &e) !=
                ERR_OK ||
            file_remove(path, &e) != ERR_OK)
            complain(&e);
    }
    names_fini(&names);
}
