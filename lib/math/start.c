/* Both are started; the first error is told. */
#include "lib/math/start.h"

#include "lib/math/blas.h"
#include "lib/math/simd/simd.h"

enum err_code math_start(struct err *e)
{
    struct err later;
    enum err_code code = simd_start(e);
    enum err_code blas = blas_start(&later);

    if (code == ERR_OK && blas != ERR_OK)
        *e = later;
    return code != ERR_OK ? code : blas;
}
