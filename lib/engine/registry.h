/* Registry: the models that are served now, and which version of each.
 *
 * A served version is immutable and counted: a request acquires it, works and
 * releases it; replacing the version in service swaps one pointer under the
 * lock, and the old one goes when its last request has answered.
 */
#ifndef SPARSED_ENGINE_REGISTRY_H
#define SPARSED_ENGINE_REGISTRY_H

#include "lib/base/err.h"
#include "lib/engine/usage.h"
#include "lib/model/model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct registry;

/* One trained state of a model, loaded and prepared. Read-only, but for what is
 * counted of its use. */
struct served {
    const char *name;
    uint64_t version;
    const struct model *model;
    struct usage *usage;
    struct slot *slot; /* the registry's own */
};

struct registry *registry_new(void);    /* NULL: out of memory */
void registry_free(struct registry *r); /* nothing may be acquired */

/* Loads every complete version under the folder and puts the highest of each
 * name into service; logs each. A file that cannot be loaded, or a model whose
 * folder cannot be listed, is kept as a failure with its reason, and the others
 * are served. ERR_NOT_FOUND without the folder. */
enum err_code registry_load(struct registry *r, const char *folder,
                            struct err *e) ERR_CHECKED;

/* Adds one version, prepared (model_prepare), and takes the model over, on
 * errors too; it goes into service only if nothing of its name is.
 * ERR_CONFLICT if it is there already, ERR_INVALID for a name that
 * repository_name_ok refuses, ERR_NO_MEMORY. */
enum err_code registry_add(struct registry *r, const char *name,
                           uint64_t version, struct model *model, struct err *e)
    ERR_CHECKED;

/* The same from a model file, which is loaded and prepared; logged. Besides:
 * ERR_NOT_FOUND, ERR_CORRUPT, with the path. */
enum err_code registry_add_file(struct registry *r, const char *name,
                                uint64_t version, const char *path,
                                struct err *e) ERR_CHECKED;

/* Puts a version into service. ERR_NOT_FOUND that names what there is. */
enum err_code registry_activate(struct registry *r, const char *name,
                                uint64_t version, struct err *e) ERR_CHECKED;

/* Takes a version out; it is freed when its last request has answered.
 * ERR_NOT_FOUND; ERR_CONFLICT if it is in service. */
enum err_code registry_remove(struct registry *r, const char *name,
                              uint64_t version, struct err *e) ERR_CHECKED;

/* Notes that a version could not be loaded, and why, and logs it. */
enum err_code registry_fail(struct registry *r, const char *name,
                            uint64_t version, const struct err *why,
                            struct err *e) ERR_CHECKED;

/* Version 0: the one in service. NULL: ERR_NOT_FOUND that names what there is.
 * The caller gives it back with registry_release. */
const struct served *registry_acquire(struct registry *r, const char *name,
                                      uint64_t version, struct err *e);
void registry_release(struct registry *r, const struct served *s);

/* Names of the models served, and the versions of one, for listings: called
 * with each in order; false stops. The callbacks must not call the registry. */
void registry_each_model(struct registry *r,
                         bool (*visit)(void *arg, const char *name,
                                       uint64_t in_service),
                         void *arg);
void registry_each_version(struct registry *r, const char *name,
                           bool (*visit)(void *arg, uint64_t version,
                                         bool in_service),
                           void *arg);

/* What was configured and failed to load, with the reason. Version 0: the
 * whole model. */
void registry_each_failure(struct registry *r,
                           bool (*visit)(void *arg, const char *name,
                                         uint64_t version, const char *why),
                           void *arg);

#endif
