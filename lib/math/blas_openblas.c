/* OpenBLAS, the only file that knows it.
 *
 * Its own threads queue behind each other, so it gets one, and ours are the
 * parallelism. Some builds compute wrong results on some processors: blas_start
 * compares it with plain loops before the first use and does without it if the
 * results differ.
 */
#include "lib/math/blas.h"
#include "lib/base/mem.h"
#include "lib/base/rng.h"

#include <cblas.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>

static bool distrusted; /* set once, by blas_start, before other threads */
static char name[160] = "OpenBLAS";

/* Shapes that models use: a single row, odd sizes, a training batch. */
static const struct {
    size_t M, N, K;
} probes[] = {
    {1, 400, 784}, {1, 400, 400}, {7, 33, 61}, {64, 400, 400}, {128, 100, 784}};

struct probe {
    float *a, *b, *got, *want;
};

static double worst_difference(struct probe *p, size_t M, size_t N, size_t K,
                               enum blas_form a_form, enum blas_form b_form)
{
    double worst = 0;
    struct rng rng = rng_make(1, "blas", M + N + K);
    for (size_t i = 0; i < M * K; i++)
        p->a[i] = rng_uniform(&rng, -1, 1);
    for (size_t i = 0; i < K * N; i++)
        p->b[i] = rng_uniform(&rng, -1, 1);
    for (size_t i = 0; i < M * N; i++)
        p->got[i] = p->want[i] = rng_uniform(&rng, -1, 1);
    blas_gemm(p->got, a_form, p->a, b_form, p->b, M, N, K, 0.5f, 1.0f);
    plain_gemm(p->want, a_form, p->a, b_form, p->b, M, N, K, 0.5f, 1.0f);
    for (size_t i = 0; i < M * N; i++) {
        double d = fabs((double)p->got[i] - (double)p->want[i]);
        if (!(d <= worst))
            worst = d;
    }
    return worst;
}

/* Sums of up to 784 products of numbers up to 1: float32 keeps about 1e-5. */
static const double tolerance = 1e-3;

static enum err_code check_all(struct probe *p, struct err *e)
{
    for (size_t i = 0; i < sizeof probes / sizeof probes[0]; i++)
        for (int forms = 0; forms < 4; forms++) {
            enum blas_form a = forms & 1 ? BLAS_TRANSPOSED : BLAS_PLAIN;
            enum blas_form b = forms & 2 ? BLAS_TRANSPOSED : BLAS_PLAIN;
            double d = worst_difference(p, probes[i].M, probes[i].N,
                                        probes[i].K, a, b);
            if (!(d <= tolerance)) {
                distrusted = true;
                return err_set(e, ERR_INTERNAL,
                               "%s computes wrong products here (differs by "
                               "%g at %zux%zux%zu): plain loops are used, "
                               "slower; try OPENBLAS_CORETYPE=Haswell",
                               openblas_get_config(), d, probes[i].M,
                               probes[i].N, probes[i].K);
            }
        }
    return ERR_OK;
}

enum err_code blas_start(struct err *e)
{
    openblas_set_num_threads(1);
    snprintf(name, sizeof name, "%s", openblas_get_config());
    struct probe p = {
        .a = mem_must(784 * 128, sizeof(float)),
        .b = mem_must(784 * 400, sizeof(float)),
        .got = mem_must(128 * 400, sizeof(float)),
        .want = mem_must(128 * 400, sizeof(float)),
    };
    enum err_code code = check_all(&p, e);
    mem_free(p.a);
    mem_free(p.b);
    mem_free(p.got);
    mem_free(p.want);
    return code;
}

const char *blas_name(void)
{
    return distrusted ? "plain loops" : name;
}

void blas_gemm(float *out, enum blas_form a_form, const float *a,
               enum blas_form b_form, const float *b, size_t M, size_t N,
               size_t K, float scale, float keep)
{
    if (M == 0 || N == 0)
        return;
    if (distrusted || K == 0 || M > INT_MAX || N > INT_MAX || K > INT_MAX) {
        plain_gemm(out, a_form, a, b_form, b, M, N, K, scale, keep);
        return;
    }
    cblas_sgemm(CblasRowMajor, a_form == BLAS_PLAIN ? CblasNoTrans : CblasTrans,
                b_form == BLAS_PLAIN ? CblasNoTrans : CblasTrans, (int)M,
                (int)N, (int)K, scale, a, (int)(a_form == BLAS_PLAIN ? K : M),
                b, (int)(b_form == BLAS_PLAIN ? N : K), keep, out, (int)N);
}
