/* Codes of groups and trees found by steps: the best ones, alone or among
 * others, and with some of the inputs missing.
 */
#include "lib/model/structure/pools.h"
#include "tests/support/coding.h"
#include "tests/support/near.h"
#include "tests/support/pools_by_hand.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { M = 16, N = 36, ROWS = 70 };

static const struct {
    const char *structure;
    double breach; /* of the best code, as a share of max|D'x| */
} cases[] = {
    {"\"groups\",\"lambda\":0.2,\"blocks\":4", 1e-5},
    {"\"groups\",\"lambda\":0.2,\"lists\":[[0,1,2],[3,4,5,6,7],[9,35]],"
     "\"weights\":[[1,2,3],[1,1,0.1,1,1],[1,5]]",
     1e-5},
    {"\"tree\",\"lambda\":0.07,\"branching\":[5,3,1]", 1e-5},
    {"\"groups\",\"lambda\":1.1,\"map\":{\"height\":6,\"width\":6,"
     "\"window\":4,\"stride\":2,\"sigma\":1}",
     1e-3},
    {"\"groups\",\"lambda\":0.25,\"map\":{\"height\":6,\"width\":6,"
     "\"window\":3,\"stride\":1}",
     2e-3},
};
enum { CASES = sizeof cases / sizeof cases[0] };

static struct err e;
static struct arena memory;
static struct model *model;
static const struct layer *l;
static float x[ROWS * M], known[ROWS * M];

static void make(int i, const char *encoder)
{
    struct rng rng = rng_make(7, "codes", 0);
    arena_init(&memory, SIZE_MAX);
    model = coding_model(M, N, encoder, cases[i].structure, &e);
    ck_assert_msg(model != NULL, "%s", e.msg);
    l = &model->layers[0];
    for (size_t k = 0; k < ROWS * M; k++)
        x[k] = rng_uniform(&rng, -0.5f, 0.5f);
    ck_assert(!model_start(model, 1, x, ROWS, &e));
}

static void end(void)
{
    arena_fini(&memory);
    model_free(model);
}

static const float *codes(const float *rows, const float *marks, size_t B)
{
    struct pass p;
    struct model_options options = {.known = marks};
    ck_assert_msg(!model_encode(model, &p, rows, B, &options, &memory, &e),
                  "%s", e.msg);
    return p.layers[0].z;
}

/* D'(x - D z) of row b, of its known inputs. */
static void pull(double *out, const float *z, size_t b, const float *marks)
{
    const float *d = l->dec.weight->value;
    memset(out, 0, N * sizeof *out);
    for (size_t j = 0; j < M; j++) {
        double r = (double)x[b * M + j];
        for (size_t i = 0; i < N; i++)
            r -= (double)d[j * N + i] * (double)z[b * N + i];
        for (size_t i = 0; i < N; i++)
            out[i] +=
                marks && marks[b * M + j] == 0 ? 0 : (double)d[j * N + i] * r;
    }
}

/* At the best code z = prox(z + D'(x - D z)). */
static void check_best(const float *z, const float *marks, bool nonnegative,
                       double breach)
{
    const struct structure *s = &l->structure;
    static const float nothing[ROWS * N];
    size_t on = 0;
    for (size_t b = 0; b < ROWS; b++) {
        double forces[N], moved[N], scale = 0;
        float u[N];
        pull(forces, nothing, b, marks);
        for (size_t i = 0; i < N; i++)
            scale = fmax(scale, fabs(forces[i]));
        pull(forces, z, b, marks);
        for (size_t i = 0; i < N; i++) {
            u[i] = (float)((double)z[b * N + i] + forces[i]);
            if (nonnegative)
                u[i] = fmaxf(0, u[i]);
            on += z[b * N + i] != 0;
        }
        hand_prox(s->kind->pools(s), (double)s->lambda, moved, u);
        for (size_t i = 0; i < N; i++)
            ck_assert_msg(fabs(moved[i] - (double)z[b * N + i]) <
                              breach * scale,
                          "row %zu unit %zu: %g moves to %g", b, i,
                          (double)z[b * N + i], moved[i]);
    }
    ck_assert(on > 0 && on < ROWS * N);
}

#define PATIENT ",\"steps\":1000,\"tolerance\":1e-6"

START_TEST(fista_finds_the_best_code)
{
    make(_i, PATIENT);
    check_best(codes(x, NULL, ROWS), NULL, false, cases[_i].breach);
    end();
}
END_TEST

START_TEST(ista_finds_it_too)
{
    make(_i, PATIENT ",\"method\":\"ista\"");
    check_best(codes(x, NULL, ROWS), NULL, false, 10 * cases[_i].breach);
    end();
}
END_TEST

START_TEST(codes_that_are_not_negative_are_the_best_such)
{
    make(_i, PATIENT ",\"nonnegative\":true");
    const float *z = codes(x, NULL, ROWS);
    check_best(z, NULL, true, cases[_i].breach);
    for (size_t k = 0; k < ROWS * N; k++)
        ck_assert(z[k] >= 0);
    end();
}
END_TEST

START_TEST(missing_inputs_do_not_matter)
{
    make(_i, PATIENT);
    for (size_t k = 0; k < ROWS * M; k++)
        known[k] = k % 3 != 0;
    check_best(codes(x, known, ROWS), known, false, cases[_i].breach);
    end();
}
END_TEST

/* Rows leave the batch when they are done; what the prox keeps for the others
 * must stay with them. */
START_TEST(a_row_gets_the_code_that_it_gets_alone)
{
    make(_i, ",\"steps\":300");
    const float *all = codes(x, NULL, ROWS);
    for (size_t b = 0; b < ROWS; b += 7)
        near_all(codes(x + b * M, NULL, 1), all + b * N, N, 2e-5);
    end();
}
END_TEST

START_TEST(coordinate_descent_is_refused)
{
    ck_assert(coding_model(M, N, ",\"method\":\"descent\"", cases[_i].structure,
                           &e) == NULL);
    ck_assert_int_eq(e.code, ERR_INVALID);
    ck_assert_msg(strstr(e.msg, "encoder.method") != NULL, "%s", e.msg);
}
END_TEST

Suite *suite_groups_codes(void);
Suite *suite_groups_codes(void)
{
    Suite *s = suite_create("groups_codes");
    TCase *t = tcase_create("every kind of groups");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, fista_finds_the_best_code, 0, CASES);
    tcase_add_loop_test(t, ista_finds_it_too, 0, CASES);
    tcase_add_loop_test(t, codes_that_are_not_negative_are_the_best_such, 0,
                        CASES);
    tcase_add_loop_test(t, missing_inputs_do_not_matter, 0, CASES);
    tcase_add_loop_test(t, a_row_gets_the_code_that_it_gets_alone, 0, CASES);
    tcase_add_loop_test(t, coordinate_descent_is_refused, 0, CASES);
    suite_add_tcase(s, t);
    return s;
}
