/* Tuned: the versions that learning has made, as files in
 * DATA/models/NAME/VERSION/ and as rows of the store. The store decides: a
 * folder that it does not know is no version.
 */
#ifndef SPARSED_ENGINE_TUNED_H
#define SPARSED_ENGINE_TUNED_H

#include "lib/engine/registry.h"
#include "lib/store/store.h"

/* Where they are; all borrowed. */
struct tuned {
    const char *data_dir;
    struct store *store;
    struct registry *registry;
};

/* ---- files, tuned_files.c ---- */

/* The file of a version. */
enum err_code tuned_path(const struct tuned *t, char *out, size_t size,
                         const char *name, uint64_t version, struct err *e)
    ERR_CHECKED;
/* The same; its folder is made. */
enum err_code tuned_make_path(const struct tuned *t, char *out, size_t size,
                              const char *name, uint64_t version, struct err *e)
    ERR_CHECKED;
/* Removes its file and what writing left there. What cannot be removed is
 * logged and left. */
void tuned_remove_files(const struct tuned *t, const char *name,
                        uint64_t version);
/* The highest number that the registry or a folder has for the model. */
uint64_t tuned_highest(const struct tuned *t, const char *name);
/* Removes folders of versions that a job of the store has made and the store
 * does not list: it was cut off, or they were deleted. */
void tuned_sweep(const struct tuned *t);

/* ---- at start, tuned_load.c ---- */

/* Loads the versions that the store lists, and puts into service what it says,
 * where it says something. What cannot be loaded becomes a failure of the
 * registry, and what served before goes on. */
enum err_code tuned_load(const struct tuned *t, struct err *e) ERR_CHECKED;

/* ---- one model, at any time, tuned_reload.c ---- */

/* Loads what is new of the model, shipped and tuned, and puts into service what
 * the store says, or the highest shipped version. Tuned versions that cannot be
 * loaded become failures, as at start. Texts begin "failed to load 'NAME'", and
 * nothing has changed: what registry_begin_load gives, and ERR_BUSY where the
 * store cannot be asked. */
enum err_code tuned_reload(const struct tuned *t, const char *name,
                           struct err *e) ERR_CHECKED;

/* ---- after a job, tuned_prune.c ---- */

/* Deletes the oldest versions of the model until at most `keep` are left
 * beside the one in service; the parent of that one goes last. */
enum err_code tuned_prune(const struct tuned *t, const char *name, size_t keep,
                          struct err *e) ERR_CHECKED;

#endif
