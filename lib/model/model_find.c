/* Model files in folders of versions. */
#include "lib/model/model_file.h"

#include "lib/base/file.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MAX_VERSION_DIGITS 18

uint64_t model_version_number(const char *name)
{
    uint64_t number = 0;
    size_t length = strlen(name);
    if (length > MAX_VERSION_DIGITS || name[0] == '0')
        return 0;
    for (size_t i = 0; i < length; i++) {
        if (name[i] < '0' || name[i] > '9')
            return 0;
        number = 10 * number + (uint64_t)(name[i] - '0');
    }
    return number;
}

static uint64_t highest_version(const char *folder)
{
    uint64_t best = 0;
    DIR *dir = opendir(folder);
    if (!dir)
        return 0;
    for (struct dirent *d = readdir(dir); d; d = readdir(dir)) {
        char file[4096];
        uint64_t number = model_version_number(d->d_name);
        int length = snprintf(file, sizeof file, "%s/%s/%s", folder, d->d_name,
                              MODEL_FILE_NAME);
        if (number > best && length < (int)sizeof file && file_is_regular(file))
            best = number;
    }
    closedir(dir);
    return best;
}

enum err_code model_find_file(char *out, size_t size, const char *argument,
                              struct err *e)
{
    if (!file_is_folder(argument)) {
        if ((size_t)snprintf(out, size, "%s", argument) >= size)
            return err_set(e, ERR_TOO_LARGE, "%s: path too long", argument);
        return ERR_OK;
    }
    if (file_join(out, size, argument, MODEL_FILE_NAME, e))
        return e->code;
    if (file_is_regular(out))
        return ERR_OK;
    uint64_t version = highest_version(argument);
    if (version == 0)
        return err_set(e, ERR_NOT_FOUND,
                       "%s: neither %s nor a version folder with one", argument,
                       MODEL_FILE_NAME);
    if ((size_t)snprintf(out, size, "%s/%" PRIu64 "/%s", argument, version,
                         MODEL_FILE_NAME) >= size)
        return err_set(e, ERR_TOO_LARGE, "%s: path too long", argument);
    return ERR_OK;
}
