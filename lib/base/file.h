/* Files: whole reads with a limit, and writes that are there whole or not at
 * all (temporary name, fsync, rename, fsync of the folder).
 */
#ifndef SPARSED_BASE_FILE_H
#define SPARSED_BASE_FILE_H

#include "lib/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The whole regular file with a 0 byte after it, freed by mem_free; NULL on
 * error (ERR_NOT_FOUND, ERR_TOO_LARGE over max_bytes, ERR_NO_MEMORY, ERR_IO).
 * Messages name the path. */
char *file_read(const char *path, size_t max_bytes, size_t *length,
                struct err *e);

/* A file being written, mode 0644 less the umask. What stood under its name
 * stays until file_commit. */
struct file_writer;
struct file_writer *file_create(const char *path, struct err *e);
enum err_code file_write(struct file_writer *w, const void *bytes,
                         size_t length, struct err *e) ERR_CHECKED;
/* fsync, rename, fsync of the folder; frees w whatever happens. */
enum err_code file_commit(struct file_writer *w, struct err *e) ERR_CHECKED;
/* Removes the temporary file; frees w. NULL is fine. */
void file_abandon(struct file_writer *w);

/* file_create, file_write, file_commit in one. */
enum err_code file_replace(const char *path, const void *bytes, size_t length,
                           struct err *e) ERR_CHECKED;

/* A read-only memory map of a regular file, with its length; an empty file
 * gives a pointer and length 0. Only for files that are replaced and never
 * shortened in place: reading behind a moved end kills the process. Unmap
 * accepts NULL, 0. */
const unsigned char *file_map(const char *path, size_t *length, struct err *e);
void file_unmap(const unsigned char *map, size_t length);

/* Removes the file, or the empty folder; one that is not there is fine. */
enum err_code file_remove(const char *path, struct err *e) ERR_CHECKED;
enum err_code file_remove_folder(const char *path, struct err *e) ERR_CHECKED;

/* Takes the file for this process alone until file_unlock or its end; makes it
 * if need be. ERR_BUSY: another has it, or this one already. */
struct file_lock;
struct file_lock *file_lock(const char *path, struct err *e);
void file_unlock(struct file_lock *lock); /* NULL is fine */

/* Makes the folder and those above it, durably. */
enum err_code file_make_folders(const char *path, struct err *e) ERR_CHECKED;

/* Makes durable that a file of this path is in its folder. */
enum err_code file_sync_folder_of(const char *path, struct err *e) ERR_CHECKED;

bool file_is_folder(const char *path);
bool file_is_regular(const char *path);

/* folder + "/" + name into out; ERR_TOO_LARGE if it does not fit. */
enum err_code file_join(char *out, size_t size, const char *folder,
                        const char *name, struct err *e) ERR_CHECKED;

/* FNV-1a, 64 bits: a fingerprint for lineage, not for security. Start with
 * hash = FILE_HASH_START. */
#define FILE_HASH_START 0xcbf29ce484222325u
uint64_t file_hash(uint64_t hash, const void *bytes, size_t length);

#endif
