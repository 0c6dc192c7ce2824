/* Sums of outer products: the same by every way, whatever is 0. */
#include "lib/base/rng.h"
#include "lib/math/blas.h"
#include "lib/math/outer.h"
#include "tests/support/near.h"

#include <check.h>
#include <stdlib.h>

enum { MOST_M = 133, MOST_N = 90, MOST_B = 300 };

static float dy[MOST_B * MOST_M], x[MOST_B * MOST_N];
static float got[MOST_M * MOST_N + 1], want[MOST_M * MOST_N + 1];

static void fill(struct rng *rng, float *to, size_t n, float share)
{
    for (size_t i = 0; i < n; i++)
        to[i] = rng_uniform(rng, 0, 1) < share ? rng_uniform(rng, -1, 1) : 0;
}

static void check(size_t M, size_t N, size_t B, float dy_share, float x_share)
{
    struct arena memory;
    struct rng rng = rng_make(1, "outer", M + N + B);
    fill(&rng, dy, B * M, dy_share);
    fill(&rng, x, B * N, x_share);
    for (size_t i = 0; i < M * N + 1; i++)
        got[i] = want[i] = 1;
    arena_init(&memory, outer_scratch_bytes(M, N));
    ck_assert(arena_reserve(&memory, outer_scratch_bytes(M, N)));
    outer_add(got, dy, x, M, N, B, &memory);
    ck_assert_uint_eq(memory.used_bytes, 0);
    plain_gemm(want, BLAS_TRANSPOSED, dy, BLAS_PLAIN, x, M, N, B, 1, 1);
    near_all(got, want, M * N + 1, 1e-5 * (double)B);
    arena_fini(&memory);
}

/* Row counts over a block, sizes over a panel, and remainders of both. */
START_TEST(equals_the_dense_product)
{
    static const float shares[] = {0, 0.05f, 0.4f, 1};
    static const size_t sizes[][3] = {{1, 1, 1},     {5, 3, 2},
                                      {64, 16, 128}, {MOST_M, MOST_N, MOST_B},
                                      {16, 90, 129}, {70, 4, 300}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int i = 0; i < 16; i++)
            check(sizes[s][0], sizes[s][1], sizes[s][2], shares[i % 4],
                  shares[i / 4]);
}
END_TEST

Suite *suite_outer(void);
Suite *suite_outer(void)
{
    Suite *s = suite_create("outer");
    TCase *t = tcase_create("sums");
    tcase_add_test(t, equals_the_dense_product);
    suite_add_tcase(s, t);
    return s;
}
