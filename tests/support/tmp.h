/* Temporary folders for tests: made under $TMPDIR or /tmp, removed with all
 * that is in them.
 */
#ifndef SPARSED_TESTS_TMP_H
#define SPARSED_TESTS_TMP_H

#include <stddef.h>

/* The path of a new, empty folder, freed by tmp_remove. Failures end the
 * test. */
char *tmp_folder(void);

/* Removes the folder with its contents and frees the text. NULL is fine. */
void tmp_remove(char *folder);

/* folder/name, in a static buffer of which four are used in turn. */
const char *tmp_path(const char *folder, const char *name);

/* Writes folder/name; returns tmp_path of it. */
const char *tmp_write(const char *folder, const char *name, const void *bytes,
                      size_t length);

#endif
