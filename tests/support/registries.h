/* Registries: one registry at a time over a temporary folder of small models,
 * for tests of loading. Failures end the test.
 */
#ifndef SPARSED_TESTS_REGISTRIES_H
#define SPARSED_TESTS_REGISTRIES_H

#include "lib/engine/registry.h"

extern struct registry *registry;
extern char *registries_folder;

void registries_open(void); /* the folder is empty */
void registries_close(void);

/* A model whose values depend on `content`; not prepared. */
struct model *registries_model(unsigned content);
/* The same as a file, in a place like "m/1"; and a file that is no model. */
void registries_save(const char *place, unsigned content);
void registries_damage(const char *place);

void registries_load(const char *name);
void registries_unload(const char *name);

const struct served *registries_acquire(const char *name, uint64_t version);
uint64_t registries_serve(const char *name); /* the version that does */
uint64_t registries_digest(const char *name, uint64_t version);
int registries_failures(void); /* how many */

/* "m:1 ready; n:0 out unloaded; ": all states; good until the next call. */
const char *registries_tell(void);

#endif
