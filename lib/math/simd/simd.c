/* The choice among the instruction sets. */
#include "lib/math/simd/simd.h"

#include <stdlib.h>
#include <string.h>

extern const struct simd simd_plain, simd_avx2, simd_avx512, simd_neon;

const struct simd *simd = &simd_plain;

const struct simd *const simd_all[] = {
#if defined(__x86_64__)
    &simd_avx512, &simd_avx2,
#elif defined(__aarch64__)
    &simd_neon,
#endif
    &simd_plain, NULL};

enum err_code simd_start(struct err *e)
{
    const char *wanted = getenv("SPARSED_SIMD");
    const struct simd *fastest = NULL;

    for (size_t i = 0; simd_all[i] != NULL; i++) {
        if (!simd_all[i]->runs())
            continue;
        if (fastest == NULL)
            fastest = simd_all[i];
        if (wanted != NULL && strcmp(simd_all[i]->name, wanted) == 0) {
            simd = simd_all[i];
            return ERR_OK;
        }
    }
    simd = fastest;
    if (wanted == NULL || *wanted == 0)
        return ERR_OK;
    return err_set(e, ERR_INVALID,
                   "SPARSED_SIMD: \"%.20s\" does not run on this processor",
                   wanted);
}
