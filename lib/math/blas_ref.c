/* A build without a BLAS library: plain loops do all of it. For sanitizers that
 * cannot see into OpenBLAS, and for machines that have none.
 */
#include "lib/math/blas.h"

enum err_code blas_start(struct err *e)
{
    e->code = ERR_OK;
    return ERR_OK;
}

const char *blas_name(void)
{
    return "plain loops";
}

void blas_gemm(float *out, enum blas_form a_form, const float *a,
               enum blas_form b_form, const float *b, size_t M, size_t N,
               size_t K, float scale, float keep)
{
    plain_gemm(out, a_form, a, b_form, b, M, N, K, scale, keep);
}
