/* Files: a writer fills a temporary file beside the one it replaces, so that
 * the rename at the end stays on one file system and is atomic.
 */
#include "lib/base/file.h"

#include "lib/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_READ ((size_t)4096)

struct file_writer {
    int fd;
    char path[PATH_MAX];
    char temporary[PATH_MAX];
};

/* Opens a regular file for reading; -1 on error. Not blocking, so that a pipe
 * under that name cannot hold up the program before it is refused. */
static int open_regular(const char *path, struct stat *st, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        err_set_errno(e, errno, "cannot open %s", path);
        return -1;
    }
    if (fstat(fd, st) != 0) {
        err_set_errno(e, errno, "cannot stat %s", path);
        close(fd);
        return -1;
    }
    if (!S_ISREG(st->st_mode)) {
        err_set(e, ERR_IO, "%s is not a regular file", path);
        close(fd);
        return -1;
    }
    return fd;
}

/* Reads up to `size` bytes, fewer only at the end of the file. */
static bool read_fully(int fd, char *data, size_t size, size_t *got)
{
    *got = 0;
    while (*got < size) {
        ssize_t n = read(fd, data + *got, size - *got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        if (n == 0)
            break;
        *got += (size_t)n;
    }
    return true;
}

/* The file may grow while it is read, and the kernel's own files say size 0:
 * read on until the end is seen. */
static char *read_to_end(int fd, const char *path, size_t expected,
                         size_t max_bytes, size_t *length, struct err *e)
{
    size_t room = expected > FIRST_READ ? expected + 1 : FIRST_READ;
    char *data = NULL;
    size_t used = 0;

    for (;;) {
        if (room > max_bytes + 1)
            room = max_bytes + 1;
        char *larger = mem_raw(room + 1);
        size_t got;
        if (larger == NULL) {
            err_set(e, ERR_NO_MEMORY, "%s: no memory for %zu bytes", path,
                    room);
            break;
        }
        if (used > 0)
            memcpy(larger, data, used);
        mem_free(data);
        data = larger;
        if (!read_fully(fd, data + used, room - used, &got)) {
            err_set_errno(e, errno, "cannot read %s", path);
            break;
        }
        used += got;
        if (used > max_bytes) {
            err_set(e, ERR_TOO_LARGE, "%s: over %zu bytes", path, max_bytes);
            break;
        }
        if (used < room) {
            data[used] = 0;
            *length = used;
            return data;
        }
        room *= 2;
    }
    mem_free(data);
    return NULL;
}

char *file_read(const char *path, size_t max_bytes, size_t *length,
                struct err *e)
{
    struct stat st;
    char *data = NULL;

    if (max_bytes > SIZE_MAX / 4)
        max_bytes = SIZE_MAX / 4;
    int fd = open_regular(path, &st, e);
    if (fd < 0)
        return NULL;
    if ((uintmax_t)st.st_size > max_bytes)
        err_set(e, ERR_TOO_LARGE, "%s: %jd bytes, at most %zu", path,
                (intmax_t)st.st_size, max_bytes);
    else
        data = read_to_end(fd, path, (size_t)st.st_size, max_bytes, length, e);
    close(fd);
    return data;
}

struct file_writer *file_create(const char *path, struct err *e)
{
    static atomic_ulong counter;
    struct file_writer *w = mem_array(1, sizeof *w);

    if (w == NULL) {
        err_set(e, ERR_NO_MEMORY, "no memory to write %s", path);
        return NULL;
    }
    int n = snprintf(w->path, sizeof w->path, "%s", path);
    int m = snprintf(w->temporary, sizeof w->temporary, "%s.tmp-%ld-%lu", path,
                     (long)getpid(), atomic_fetch_add(&counter, 1));
    if (n >= (int)sizeof w->path || m >= (int)sizeof w->temporary) {
        err_set(e, ERR_TOO_LARGE, "path too long: %s", path);
        mem_free(w);
        return NULL;
    }
    /* A name left by a killed process of the same number may stand there. */
    unlink(w->temporary);
    w->fd = open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (w->fd < 0) {
        err_set_errno(e, errno, "cannot create %s", w->temporary);
        mem_free(w);
        return NULL;
    }
    return w;
}

enum err_code file_write(struct file_writer *w, const void *bytes,
                         size_t length, struct err *e)
{
    const char *at = bytes;

    while (length > 0) {
        ssize_t n = write(w->fd, at, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set_errno(e, errno, "cannot write %s", w->path);
        at += n;
        length -= (size_t)n;
    }
    return ERR_OK;
}

enum err_code file_sync_folder_of(const char *path, struct err *e)
{
    char folder[PATH_MAX];

    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash == NULL)
        snprintf(folder, sizeof folder, ".");
    else
        slash[slash == folder ? 1 : 0] = 0;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(e, errno, "cannot open folder %s", folder);
    /* Some file systems cannot sync a folder, and need not. */
    int result = fsync(fd);
    int reason = errno;
    close(fd);
    if (result != 0 && reason != EINVAL)
        return err_set_errno(e, reason, "cannot sync folder %s", folder);
    return ERR_OK;
}

enum err_code file_commit(struct file_writer *w, struct err *e)
{
    enum err_code code = ERR_OK;

    if (fsync(w->fd) != 0)
        code = err_set_errno(e, errno, "cannot sync %s", w->path);
    if (close(w->fd) != 0 && code == ERR_OK)
        code = err_set_errno(e, errno, "cannot close %s", w->path);
    w->fd = -1;
    if (code == ERR_OK && rename(w->temporary, w->path) != 0)
        code = err_set_errno(e, errno, "cannot rename to %s", w->path);
    if (code != ERR_OK) {
        file_abandon(w);
        return code;
    }
    code = file_sync_folder_of(w->path, e);
    mem_free(w);
    return code;
}

void file_abandon(struct file_writer *w)
{
    if (w == NULL)
        return;
    if (w->fd >= 0)
        close(w->fd);
    unlink(w->temporary);
    mem_free(w);
}

enum err_code file_replace(const char *path, const void *bytes, size_t length,
                           struct err *e)
{
    struct file_writer *w = file_create(path, e);

    if (w == NULL)
        return e->code;
    if (file_write(w, bytes, length, e) != ERR_OK) {
        file_abandon(w);
        return e->code;
    }
    return file_commit(w, e);
}

const unsigned char *file_map(const char *path, size_t *length, struct err *e)
{
    static const unsigned char empty[1];
    struct stat st;
    int fd = open_regular(path, &st, e);

    if (fd < 0)
        return NULL;
    *length = (size_t)st.st_size;
    if (st.st_size == 0) {
        close(fd);
        return empty; /* mmap refuses length 0 */
    }
    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    int reason = errno;
    close(fd);
    if (map == MAP_FAILED) {
        err_set_errno(e, reason, "cannot map %s", path);
        return NULL;
    }
    return map;
}

void file_unmap(const unsigned char *map, size_t length)
{
    if (map == NULL || length == 0)
        return;
    /* munmap takes a pointer that is not const, yet changes nothing there. */
    munmap((void *)(uintptr_t)map, length);
}

enum err_code file_remove(const char *path, struct err *e)
{
    if (unlink(path) == 0 || errno == ENOENT)
        return ERR_OK;
    return err_set_errno(e, errno, "cannot remove %s", path);
}

enum err_code file_remove_folder(const char *path, struct err *e)
{
    if (rmdir(path) == 0 || errno == ENOENT)
        return ERR_OK;
    return err_set_errno(e, errno, "cannot remove folder %s", path);
}

struct file_lock {
    int fd;
};

struct file_lock *file_lock(const char *path, struct err *e)
{
    struct file_lock *lock = mem_array(1, sizeof *lock);

    if (lock == NULL) {
        err_set(e, ERR_NO_MEMORY, "no memory to lock %s", path);
        return NULL;
    }
    lock->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0644);
    if (lock->fd < 0)
        err_set_errno(e, errno, "cannot open %s", path);
    else if (flock(lock->fd, LOCK_EX | LOCK_NB) == 0)
        return lock;
    else if (errno == EWOULDBLOCK)
        err_set(e, ERR_BUSY, "%s: another process has it", path);
    else
        err_set_errno(e, errno, "cannot lock %s", path);
    file_unlock(lock);
    return NULL;
}

void file_unlock(struct file_lock *lock)
{
    if (lock == NULL)
        return;
    if (lock->fd >= 0)
        close(lock->fd);
    mem_free(lock);
}

static enum err_code make_folder(const char *path, struct err *e)
{
    if (mkdir(path, 0777) == 0)
        return file_sync_folder_of(path, e);
    int reason = errno;
    if (file_is_folder(path))
        return ERR_OK;
    return err_set_errno(e, reason, "cannot make folder %s", path);
}

enum err_code file_make_folders(const char *path, struct err *e)
{
    char part[PATH_MAX];

    if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part)
        return err_set(e, ERR_TOO_LARGE, "path too long: %s", path);
    for (char *c = part; *c != 0; c++) {
        if (*c != '/' || c == part)
            continue;
        *c = 0;
        if (make_folder(part, e) != ERR_OK)
            return e->code;
        *c = '/';
    }
    return make_folder(part, e);
}

bool file_is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool file_is_regular(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

enum err_code file_join(char *out, size_t size, const char *folder,
                        const char *name, struct err *e)
{
    size_t length = strlen(folder);
    const char *slash = length > 0 && folder[length - 1] == '/' ? "" : "/";
    int n = snprintf(out, size, "%s%s%s", folder, slash, name);

    if (n < 0 || (size_t)n >= size)
        return err_set(e, ERR_TOO_LARGE, "path too long: %s%s%s", folder, slash,
                       name);
    return ERR_OK;
}

uint64_t file_hash(uint64_t hash, const void *bytes, size_t length)
{
    const unsigned char *at = bytes;

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ at[i]) * 0x100000001b3u;
    return hash;
}
