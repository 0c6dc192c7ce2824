/* Registry: the models that are served now, and which version of each.
 *
 * A served version is immutable and counted: a request acquires it, works and
 * releases it; replacing the version in service swaps one pointer under the
 * lock, and the old one goes when its last request has answered.
 *
 * A model has one version in service, or it is out of service as a whole: then
 * nothing of it can be acquired, until a load brings it back.
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
    uint64_t digest;   /* of what it computes: its values, config, classes */
    struct slot *slot; /* the registry's own */
};

struct registry *registry_new(void);    /* NULL: out of memory */
void registry_free(struct registry *r); /* nothing may be acquired */

/* Loads every complete version under the folder and puts the highest of each
 * name into service; logs each. The folder is remembered for later loads, also
 * where it is not there (yet). A file that cannot be loaded, or a model whose
 * folder cannot be listed, is kept as a failure with its reason, and the others
 * are served. ERR_NOT_FOUND without the folder. */
enum err_code registry_load(struct registry *r, const char *folder,
                            struct err *e) ERR_CHECKED;

/* Adds one version, prepared (model_prepare), and takes the model over, on
 * errors too; the first of its name goes into service. That of a model that is
 * out of service waits for the model's load.
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

/* Version 0: the one in service. NULL: ERR_NOT_FOUND that names what there is,
 * or says that the model is not loaded. The caller gives it back with
 * registry_release. */
const struct served *registry_acquire(struct registry *r, const char *name,
                                      uint64_t version, struct err *e);
void registry_release(struct registry *r, const struct served *s);

/* ---- loading and unloading while others use it ---- */

/* One model on its way in. */
struct registry_load;

/* Reads what the folder of registry_load has of the model: versions that are
 * new, or whose file is another than the one that was loaded. Slow; what is
 * served does not change yet. NULL, with a text that begins "failed to load
 * 'NAME'": ERR_INVALID (the name), ERR_NOT_FOUND (no complete version),
 * ERR_BUSY (it is being loaded already), and what a file gave: a single bad one
 * refuses them all. */
struct registry_load *registry_begin_load(struct registry *r, const char *name,
                                          struct err *e);

/* Reads one version more, from elsewhere, unless it is there already. What
 * cannot be loaded becomes a failure of the registry, with the rest.
 * ERR_NO_MEMORY. */
enum err_code registry_load_file(struct registry_load *l, uint64_t version,
                                 const char *path, struct err *e) ERR_CHECKED;
/* Leaves out what registry_load_file has made of a version. */
void registry_load_forget(struct registry_load *l, uint64_t version);

/* Puts all of it in at once, in the place of what had the same numbers, and the
 * load's failures in the place of those noted of the model before. In service
 * is then `version`; if that is 0, or there is no such (which is a failure
 * too), the highest of the folder. Quick; frees l, on errors too:
 * ERR_NO_MEMORY, ERR_CONFLICT (all was removed meanwhile), and nothing has
 * changed. */
enum err_code registry_end_load(struct registry_load *l, uint64_t version,
                                struct err *e) ERR_CHECKED;

/* Gives up: nothing has changed. */
void registry_drop_load(struct registry_load *l);

/* The whole of it, for models that have nothing elsewhere. */
enum err_code registry_load_model(struct registry *r, const char *name,
                                  struct err *e) ERR_CHECKED;

/* Takes a model out of service, and its versions out of the registry; each is
 * freed when its last request has answered. Failures that were noted are
 * forgotten; a model that only failed can be unloaded too. One that is out of
 * service stays so. With a text that begins "failed to unload 'NAME'":
 * ERR_NOT_FOUND; ERR_BUSY: it is being loaded. */
enum err_code registry_unload(struct registry *r, const char *name,
                              struct err *e) ERR_CHECKED;

/* ---- looking ---- */

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

enum registry_state {
    REGISTRY_READY,      /* this version can be acquired */
    REGISTRY_LOADING,    /* it is being read */
    REGISTRY_UNAVAILABLE /* and `why` */
};

/* All that is known: every version that can be acquired or is being read, one
 * of number 0 for each model that is out of service, and failures. */
void registry_each_state(struct registry *r,
                         bool (*visit)(void *arg, const char *name,
                                       uint64_t version,
                                       enum registry_state state,
                                       const char *why),
                         void *arg);

#endif
