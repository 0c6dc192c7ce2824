/* By the kernels. */
#include "lib/model/numbers.h"

#include "lib/math/blas.h"
#include "lib/math/kernels.h"
#include "lib/math/simd/simd.h"
#include "lib/math/start.h"

bool numbers_finite(const float *x, size_t n)
{
    return vec_finite(x, n);
}

size_t numbers_count(const float *x, size_t n)
{
    return nonzeros_count(x, n);
}

size_t numbers_list(uint32_t *index, const float *x, size_t n)
{
    return simd->nonzeros(index, x, n);
}

float numbers_largest(const float *x, size_t n)
{
    return vec_largest(x, n);
}

double numbers_norm(const float *x, size_t n)
{
    return vec_norm(x, n);
}

enum err_code numbers_start(struct err *e)
{
    return math_start(e);
}

const char *numbers_instructions(void)
{
    return simd->name;
}

const char *numbers_library(void)
{
    return blas_name();
}
