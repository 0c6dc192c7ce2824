/* Temporary folders for tests. */
#include "tests/support/tmp.h"

#include <check.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *tmp_folder(void)
{
    const char *base = getenv("TMPDIR");
    char path[PATH_MAX];

    if (base == NULL || base[0] == 0)
        base = "/tmp";
    snprintf(path, sizeof path, "%s/sparsed-test-XXXXXX", base);
    ck_assert_msg(mkdtemp(path) != NULL, "cannot make a folder in %s", base);
    char *copy = strdup(path);
    ck_assert_ptr_nonnull(copy);
    return copy;
}

static int remove_one(const char *path, const struct stat *st, int kind,
                      struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    return remove(path);
}

void tmp_remove(char *folder)
{
    if (folder == NULL)
        return;
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(folder);
}

const char *tmp_path(const char *folder, const char *name)
{
    static char paths[4][PATH_MAX];
    static unsigned turn;
    char *path = paths[turn++ % 4];

    int n = snprintf(path, PATH_MAX, "%s/%s", folder, name);
    ck_assert_int_lt(n, PATH_MAX);
    return path;
}

const char *tmp_write(const char *folder, const char *name, const void *bytes,
                      size_t length)
{
    const char *path = tmp_path(folder, name);
    FILE *f = fopen(path, "wb");

    ck_assert_msg(f != NULL, "cannot write %s", path);
    ck_assert_uint_eq(fwrite(bytes, 1, length, f), length);
    ck_assert_int_eq(fclose(f), 0);
    return path;
}
