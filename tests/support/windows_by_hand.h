/* Codes with window rules, and the same groups listed one by one.
 */
#ifndef SPARSED_TESTS_WINDOWS_BY_HAND_H
#define SPARSED_TESTS_WINDOWS_BY_HAND_H

#include "lib/model/structure/pools.h"
#include "lib/model/structure/windows.h"

enum { WINDOWS_ROWS = 4, WINDOWS_CASES = 14 };

struct windows_case {
    struct structure s;
    struct pools lists; /* in the order of the pooled picture */
    size_t units, groups;
    /* (WINDOWS_ROWS,units): some are off, in the first row all; two more. */
    float *z, *dz, *out;
    float *v, *dv; /* (WINDOWS_ROWS,groups): empty; random */
};

void windows_case_init(struct windows_case *c, int i);
void windows_case_fini(struct windows_case *c);

/* A structure over this code from the settings in JSON; s->kind->fini is due
 * even after an error. */
enum err_code windows_make(struct structure *s, const struct space *code,
                           const char *json, struct err *e) ERR_CHECKED;

#endif
