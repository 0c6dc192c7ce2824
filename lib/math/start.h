/* Start: chooses what this processor computes fastest with. */
#ifndef SPARSED_MATH_START_H
#define SPARSED_MATH_START_H

#include "lib/base/err.h"

/* Call first in main, before other threads: simd_start and blas_start. An error
 * is a warning: the program may go on. */
enum err_code math_start(struct err *e) ERR_CHECKED;

#endif
