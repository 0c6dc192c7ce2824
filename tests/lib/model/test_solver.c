/* The solver against what makes a code the best one: for l1 the conditions of
 * Karush, Kuhn and Tucker, in double.
 */
#include "lib/model/solver.h"

#include "lib/math/kernels.h"
#include "lib/model/axes.h"
#include "tests/support/coding.h"
#include "tests/support/near.h"

#include <check.h>
#include <math.h>
#include <string.h>

enum { DIGITS = 40, ROWS = 12, MOST = 64 };

static const struct solver every[] = {
    {SOLVER_ISTA, 20000, 1e-6f, false},   {SOLVER_ISTA, 20000, 1e-6f, true},
    {SOLVER_FISTA, 5000, 1e-6f, false},   {SOLVER_FISTA, 5000, 1e-6f, true},
    {SOLVER_DESCENT, 5000, 1e-6f, false}, {SOLVER_DESCENT, 5000, 1e-6f, true},
};
enum { EVERY = sizeof every / sizeof every[0] };

static struct arena memory;
static struct err e;

static void setup(void)
{
    arena_init(&memory, SIZE_MAX);
}

static void teardown(void)
{
    axes_add_test_values(NULL, NULL, NULL);
    arena_fini(&memory);
}

static struct tape solve(const struct coding *p, const struct solver *s,
                         float L, const float *known, bool keep)
{
    size_t kept = keep ? s->steps : 1;
    struct tape tape = {.keep = keep, .known = known};
    tape.z = arena_take(&memory, kept * p->B * p->n, sizeof *tape.z);
    ck_assert_ptr_nonnull(tape.z);
    ck_assert(arena_reserve(&memory, solver_scratch_bytes(s, p->l, p->B)));
    struct solver_weights w = {.L = L};
    solver_run(s, p->l, &w, &tape, p->x, p->B, &memory);
    return tape;
}

static void check_best(const struct coding *p, const struct solver *s,
                       const float *z, const float *known)
{
    for (size_t b = 0; b < p->B; b++) {
        const float *row = z + b * p->n;
        double worst = coding_breach(p, b, row, known, s->nonnegative);
        ck_assert_msg(worst < 1e-5, "method %d, row %zu: breach of %g",
                      (int)s->method, b, worst);
    }
}

/* ---- the codes are the best ---- */

START_TEST(random_inputs_meet_the_conditions)
{
    struct coding p = coding_random(ROWS, &memory);
    struct tape tape = solve(&p, &every[_i], 0, NULL, false);
    check_best(&p, &every[_i], tape.z, NULL);
    ck_assert_uint_gt(nonzeros_count(tape.z, p.B * p.n), p.B);
    ck_assert_uint_lt(tape.steps, every[_i].steps);
    model_free(p.model);
}
END_TEST

START_TEST(digits_meet_the_conditions)
{
    struct coding p = coding_digits(DIGITS, ROWS, &memory);
    struct tape tape = solve(&p, &every[_i], 0, NULL, false);
    check_best(&p, &every[_i], tape.z, NULL);
    ck_assert_uint_gt(nonzeros_count(tape.z, p.B * p.n), p.B);
    ck_assert_uint_lt(tape.steps, every[_i].steps);
    model_free(p.model);
}
END_TEST

START_TEST(asking_for_more_than_float32_holds_does_no_harm)
{
    struct coding p = coding_random(300, &memory);
    struct solver s = every[_i];
    s.tolerance = 0;
    s.steps = 500;
    check_best(&p, &s, solve(&p, &s, 0, NULL, false).z, NULL);
    model_free(p.model);
}
END_TEST

START_TEST(all_methods_agree)
{
    struct coding p = coding_digits(DIGITS, ROWS, &memory);
    for (int sign = 0; sign < 2; sign++) {
        const float *want = solve(&p, &every[sign], 0, NULL, false).z;
        for (size_t i = 2 + (size_t)sign; i < EVERY; i += 2)
            near_all(solve(&p, &every[i], 0, NULL, false).z, want, p.B * p.n,
                     2e-4);
    }
    model_free(p.model);
}
END_TEST

/* Below rounding the units that are on never stand quite still; the others
 * must be asked all the same. */
START_TEST(a_tolerance_out_of_reach_still_gives_the_best_code)
{
    const struct solver descent = {SOLVER_DESCENT, 5000, 1e-10f, false};
    struct coding p = coding_random(4 * ROWS, &memory);
    check_best(&p, &descent, solve(&p, &descent, 0, NULL, false).z, NULL);
    model_free(p.model);
}
END_TEST

START_TEST(momentum_saves_steps)
{
    struct coding p = coding_digits(DIGITS, ROWS, &memory);
    size_t slow = solve(&p, &every[0], 0, NULL, false).steps;
    size_t quick = solve(&p, &every[2], 0, NULL, false).steps;
    ck_assert_msg(4 * quick < slow, "%zu steps of fista, %zu of ista", quick,
                  slow);
    model_free(p.model);
}
END_TEST

/* ---- on the way ---- */

static void check_falls(const struct coding *p, const struct tape *tape)
{
    size_t size = p->B * p->n;
    for (size_t b = 0; b < p->B; b++) {
        double before = coding_energy(p, b, tape->z + b * p->n);
        for (size_t t = 1; t < tape->steps; t++) {
            double now = coding_energy(p, b, tape->z + t * size + b * p->n);
            ck_assert_msg(now <= before + 1e-8, "row %zu, step %zu: %g to %g",
                          b, t, before, now);
            before = now;
        }
    }
}

static const enum solver_method falling[] = {SOLVER_ISTA, SOLVER_DESCENT};

START_TEST(the_energy_never_rises)
{
    struct coding p = coding_random(3, &memory);
    struct solver s = {.method = falling[_i], .steps = 100};
    struct tape tape = solve(&p, &s, 0, NULL, true);
    ck_assert_uint_gt(tape.steps, 10);
    check_falls(&p, &tape);
    model_free(p.model);
}
END_TEST

START_TEST(a_trace_ends_in_the_code)
{
    struct coding p = coding_random(ROWS, &memory);
    const struct solver *s = &every[_i];
    size_t size = p.B * p.n;
    /* A row of zeros is done at once, a short one early. */
    memset(p.x, 0, p.m * sizeof *p.x);
    struct tape trace = solve(&p, s, 0, NULL, true);
    struct tape code = solve(&p, s, 0, NULL, false);
    ck_assert_uint_eq(trace.steps, code.steps);
    near_all(trace.z + (trace.steps - 1) * size, code.z, size, 0);
    for (size_t t = 0; t < trace.steps; t++)
        ck_assert_uint_eq(nonzeros_count(trace.z + t * size, p.n), 0);
    size_t changes = 0;
    for (size_t t = 1; t < trace.steps; t++)
        changes += memcmp(trace.z + t * size, trace.z + (t - 1) * size,
                          size * sizeof *trace.z) != 0;
    ck_assert_uint_gt(2 * changes, trace.steps);
    model_free(p.model);
}
END_TEST

START_TEST(a_row_does_not_depend_on_its_batch)
{
    struct coding p = coding_random(150, &memory);
    struct solver s = every[_i];
    s.tolerance = 1e-4f;
    s.steps = 200;
    struct tape all = solve(&p, &s, 0, NULL, false);
    for (size_t b = 0; b < p.B; b += 7) {
        struct coding one = p;
        one.B = 1;
        one.x += b * p.m;
        struct tape alone = solve(&one, &s, 0, NULL, false);
        near_all(alone.z, all.z + b * p.n, p.n, 1e-5);
        ck_assert_uint_le(alone.steps, all.steps);
    }
    model_free(p.model);
}
END_TEST

START_TEST(steps_bound_the_work)
{
    struct coding p = coding_digits(DIGITS, ROWS, &memory);
    struct solver s = every[_i];
    s.tolerance = 0;
    s.steps = 7;
    ck_assert_uint_eq(solve(&p, &s, 0, NULL, false).steps, 7);
    model_free(p.model);
}
END_TEST

/* ---- missing inputs ---- */

START_TEST(missing_inputs_have_no_influence)
{
    struct coding p = coding_random(ROWS, &memory);
    const struct solver *s = &every[_i];
    struct rng rng = rng_make(5, "known", 0);
    float *known = arena_take(&memory, p.B * p.m, sizeof *known);
    for (size_t k = 0; k < p.B * p.m; k++)
        known[k] = rng_below(&rng, 3) > 0 ? 1.0f : 0.0f;
    struct tape tape = solve(&p, s, 0, known, false);
    check_best(&p, s, tape.z, known);
    for (size_t k = 0; k < p.B * p.m; k++)
        p.x[k] = known[k] != 0.0f ? p.x[k] : k % 2 ? 1e30f : NAN;
    near_all(solve(&p, s, 0, known, false).z, tape.z, p.B * p.n, 0);
    model_free(p.model);
}
END_TEST

/* A coordinate's step has the curvature of what is known of its own row. */
START_TEST(one_unit_is_at_its_best_after_one_sweep)
{
    struct coding p = coding_new(2, 1, 2, "\"l1\",\"lambda\":0.1", &memory);
    const float known[] = {1, 1, 0, 1};
    struct solver s = {.method = SOLVER_DESCENT, .steps = 1};
    p.d[0] = 1;
    p.d[1] = 2;
    for (size_t k = 0; k < 4; k++)
        p.x[k] = 1;
    struct tape tape = solve(&p, &s, 0, known, false);
    near(tape.z[0], (3 - 0.1) / 5, 1e-6);
    near(tape.z[1], (2 - 0.1) / 4, 1e-6);
    model_free(p.model);
}
END_TEST

/* ---- the step ---- */

static double largest_eigenvalue(const struct coding *p)
{
    double v[MOST], drawn[MOST], size = 0;
    for (size_t i = 0; i < p->n; i++)
        v[i] = 1 + 0.01 * (double)i;
    for (int k = 0; k < 3000; k++) {
        double sum = 0;
        for (size_t j = 0; j < p->m; j++) {
            drawn[j] = 0;
            for (size_t i = 0; i < p->n; i++)
                drawn[j] += (double)p->d[j * p->n + i] * v[i];
        }
        for (size_t i = 0; i < p->n; i++) {
            v[i] = 0;
            for (size_t j = 0; j < p->m; j++)
                v[i] += (double)p->d[j * p->n + i] * drawn[j];
            sum += v[i] * v[i];
        }
        size = sqrt(sum);
        for (size_t i = 0; i < p->n; i++)
            v[i] /= size;
    }
    return size;
}

START_TEST(the_step_is_bounded_by_the_largest_eigenvalue)
{
    struct coding p = coding_random(1, &memory);
    double want = largest_eigenvalue(&p);
    double L = (double)solver_step_bound(&every[0], p.l, &memory);
    ck_assert_msg(L >= want && L < 1.05 * want, "L %g, eigenvalue %g", L, want);
    model_free(p.model);
}
END_TEST

START_TEST(a_step_that_is_too_long_is_shortened)
{
    struct coding p = coding_random(ROWS, &memory);
    float L = solver_step_bound(&every[0], p.l, &memory);
    struct solver s = {.method = SOLVER_ISTA, .steps = 200};
    struct tape tape = solve(&p, &s, L / 100, NULL, true);
    check_falls(&p, &tape);
    for (size_t i = 0; i < 4; i++) {
        tape = solve(&p, &every[i], L / 100, NULL, false);
        check_best(&p, &every[i], tape.z, NULL);
    }
    model_free(p.model);
}
END_TEST

/* ---- odd weights ---- */

START_TEST(an_atom_of_zeros_stays_off)
{
    struct coding p = coding_random(ROWS, &memory);
    float zeros[MOST] = {0};
    coding_set_atom(&p, 3, zeros);
    struct tape tape = solve(&p, &every[_i], 0, NULL, false);
    check_best(&p, &every[_i], tape.z, NULL);
    for (size_t b = 0; b < p.B; b++)
        ck_assert(tape.z[b * p.n + 3] == 0.0f);
    memset(p.d, 0, p.m * p.n * sizeof *p.d);
    tape = solve(&p, &every[_i], 0, NULL, false);
    ck_assert_uint_eq(nonzeros_count(tape.z, p.B * p.n), 0);
    ck_assert_uint_eq(tape.steps, 1);
    model_free(p.model);
}
END_TEST

/* Rows that pass float32 must not come out as a quiet code of zeros. */
START_TEST(numbers_too_large_are_told)
{
    struct coding p = coding_random(3, &memory);
    for (size_t j = 0; j < p.m; j++)
        p.x[p.m + j] = j % 2 ? 3e38f : -3e38f;
    float *z = solve(&p, &every[_i], 0, NULL, false).z;
    ck_assert(vec_finite(z, p.n));
    ck_assert(!vec_finite(z + p.n, p.n));
    ck_assert(vec_finite(z + 2 * p.n, p.n));
    vec_scale(p.d, 1e25f, p.m * p.n);
    z = solve(&p, &every[_i], 0, NULL, false).z;
    ck_assert(!vec_finite(z, p.n));
    model_free(p.model);
}
END_TEST

START_TEST(scratch_keeps_to_its_stated_bytes)
{
    struct coding p = coding_random(100, &memory);
    float *known = arena_zeroed(&memory, p.B * p.m, sizeof *known);
    struct arena tight;
    for (int packed = 0; packed < 2; packed++) {
        struct tape tape = {.known = known};
        tape.z = arena_take(&memory, p.B * p.n, sizeof *tape.z);
        arena_init(&tight, solver_scratch_bytes(&every[_i], p.l, p.B));
        ck_assert(arena_reserve(&tight, tight.max_bytes));
        solver_run(&every[_i], p.l, NULL, &tape, p.x, p.B, &tight);
        ck_assert_uint_eq(nonzeros_count(tape.z, p.B * p.n), 0);
        arena_fini(&tight);
        ck_assert(!model_prepare(p.model, &e));
    }
    model_free(p.model);
}
END_TEST

/* ---- a structure that is not convex: units that are rivals pay for being on
 * together, 5 sum_{i<j} |z_i| |z_j| ---- */

static const double rivalry = 5;

static enum err_code rivals_configure(struct structure *s, const struct json *j,
                                      const char *where, struct params *params,
                                      struct err *err)
{
    (void)j, (void)where, (void)params, (void)err;
    s->pooled = s->code;
    return ERR_OK;
}

static float rivals_threshold(const struct structure *s, const float *z,
                              size_t i)
{
    double others = 0;
    for (size_t k = 0; k < space_size(&s->code); k++)
        others += k == i ? 0 : fabs((double)z[k]);
    return (float)(rivalry * others);
}

static const struct structure_kind rivals = {
    .name = "rivals",
    .settings = (const char *const[]){NULL},
    .heads = 1,
    .configure = rivals_configure,
    .threshold = rivals_threshold,
};

static double rivals_energy(const struct coding *p, size_t b, const float *z)
{
    double sum = 0, one = 0, two = 0;
    for (size_t j = 0; j < p->m; j++)
        sum += 0.5 * pow(coding_residual(p, b, z, NULL, j), 2);
    for (size_t i = 0; i < p->n; i++) {
        one += fabs((double)z[i]);
        two += pow((double)z[i], 2);
    }
    return sum + rivalry / 2 * (one * one - two);
}

/* Where the parallel step alternates for ever between (1/2,1/2) and (0,0). */
START_TEST(of_two_equal_rivals_one_wins)
{
    axes_add_test_values(NULL, NULL, &rivals);
    struct coding p = coding_new(1, 2, 1, "\"rivals\"", &memory);
    struct solver s = {.method = SOLVER_DESCENT, .steps = 1};
    p.d[0] = p.d[1] = p.x[0] = 1;
    const float *z = solve(&p, &s, 0, NULL, false).z;
    near(z[0], 1, 1e-6);
    near(z[1], 0, 0);
    p.d[0] = 1e-24f; /* whose square is 0 in float32 */
    z = solve(&p, &s, 0, NULL, false).z;
    near(z[0], 0, 0);
    near(z[1], 1, 1e-6);
    model_free(p.model);
}
END_TEST

START_TEST(the_energy_of_rivals_never_rises)
{
    axes_add_test_values(NULL, NULL, &rivals);
    struct coding from = coding_random(ROWS, &memory);
    struct coding p = coding_new(from.m, from.n, from.B, "\"rivals\"", &memory);
    struct solver s = {.method = SOLVER_DESCENT, .steps = 100};
    memcpy(p.d, from.d, p.m * p.n * sizeof *p.d);
    p.x = from.x;
    struct tape tape = solve(&p, &s, 0, NULL, true);
    for (size_t b = 0; b < p.B; b++) {
        double before = rivals_energy(&p, b, tape.z + b * p.n);
        ck_assert_double_lt(before, 0.5); /* of z = 0 */
        for (size_t t = 1; t < tape.steps; t++) {
            double now = rivals_energy(&p, b, tape.z + (t * p.B + b) * p.n);
            ck_assert_double_le(now, before + 1e-8);
            before = now;
        }
    }
    model_free(from.model);
    model_free(p.model);
}
END_TEST

Suite *suite_solver(void);
Suite *suite_solver(void)
{
    Suite *s = suite_create("solver");
    TCase *t = tcase_create("every method");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, random_inputs_meet_the_conditions, 0, EVERY);
    tcase_add_loop_test(t, digits_meet_the_conditions, 0, EVERY);
    tcase_add_loop_test(t, asking_for_more_than_float32_holds_does_no_harm, 2,
                        EVERY);
    tcase_add_loop_test(t, a_trace_ends_in_the_code, 2, EVERY);
    tcase_add_loop_test(t, a_row_does_not_depend_on_its_batch, 0, EVERY);
    tcase_add_loop_test(t, steps_bound_the_work, 0, EVERY);
    tcase_add_loop_test(t, missing_inputs_have_no_influence, 0, EVERY);
    tcase_add_loop_test(t, an_atom_of_zeros_stays_off, 0, EVERY);
    tcase_add_loop_test(t, numbers_too_large_are_told, 0, EVERY);
    tcase_add_loop_test(t, scratch_keeps_to_its_stated_bytes, 0, EVERY);
    suite_add_tcase(s, t);
    TCase *way = tcase_create("the way there");
    tcase_add_checked_fixture(way, setup, teardown);
    tcase_set_timeout(way, 60);
    tcase_add_test(way, all_methods_agree);
    tcase_add_test(way, a_tolerance_out_of_reach_still_gives_the_best_code);
    tcase_add_test(way, momentum_saves_steps);
    tcase_add_test(way, one_unit_is_at_its_best_after_one_sweep);
    tcase_add_loop_test(way, the_energy_never_rises, 0, 2);
    tcase_add_test(way, the_step_is_bounded_by_the_largest_eigenvalue);
    tcase_add_test(way, a_step_that_is_too_long_is_shortened);
    tcase_add_test(way, of_two_equal_rivals_one_wins);
    tcase_add_test(way, the_energy_of_rivals_never_rises);
    suite_add_tcase(s, way);
    return s;
}
