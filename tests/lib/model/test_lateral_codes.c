/* Codes under lateral inhibition, found by coordinate descent, and S learned
 * along with the atoms.
 */
#include "lib/model/model_file.h"
#include "lib/train/trainer.h"
#include "tests/support/blobs.h"
#include "tests/support/coding.h"
#include "tests/support/near.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <math.h>
#include <string.h>

static struct arena memory;
static struct err e;

static void setup(void)
{
    arena_init(&memory, SIZE_MAX);
}

static void teardown(void)
{
    arena_fini(&memory);
}

static struct param *inhibition_of(struct model *m)
{
    return params_find(&m->params, "layers.0.structure.inhibition");
}

/* Codes of all rows; all steps if the tape keeps them. */
static struct tape encode(const struct coding *p, size_t steps, bool keep)
{
    const struct encoder_kind *kind = p->l->encoder.kind;
    struct tape tape = {.keep = keep};
    tape.z =
        arena_take(&memory, (keep ? steps : 1) * p->B * p->n, sizeof *tape.z);
    ck_assert(arena_reserve(&memory, kind->scratch_bytes(p->l, p->B, steps)));
    kind->forward(p->l, &tape, p->x, p->B, steps, &memory);
    return tape;
}

static double energy(const struct coding *p, size_t b, const float *z)
{
    const struct structure *s = &p->l->structure;
    double sum = s->kind->value(s, z, 1);
    for (size_t j = 0; j < p->m; j++)
        sum += 0.5 * pow(coding_residual(p, b, z, NULL, j), 2);
    return sum;
}

/* Random atoms and inputs of norm 1, and S with `strength` everywhere. */
static struct coding random_problem(const char *structure, size_t B)
{
    struct coding l1 = coding_random(B, &memory);
    struct coding p = coding_new(l1.m, l1.n, B, structure, &memory);
    memcpy(p.d, l1.d, p.m * p.n * sizeof *p.d);
    memcpy(p.x, l1.x, B * p.m * sizeof *p.x);
    p.l->structure.kind->start(&p.model->layers[0].structure);
    model_free(l1.model);
    return p;
}

/* The parallel step would alternate for ever between (1/2,1/2) and (0,0). */
START_TEST(of_two_equal_atoms_one_wins)
{
    struct coding p = coding_new(
        1, 2, 1, "\"lateral\",\"pattern\":\"all\",\"strength\":5", &memory);
    p.d[0] = p.d[1] = p.x[0] = 1;
    p.l->structure.kind->start(&p.model->layers[0].structure);
    const float *z = encode(&p, 20, false).z;
    near(z[0], 1, 1e-6);
    near(z[1], 0, 0);
    model_free(p.model);
}
END_TEST

START_TEST(the_energy_falls_and_no_unit_alone_can_lower_it)
{
    enum { B = 20, STEPS = 300 };
    struct coding p = random_problem("\"lateral\",\"lambda\":0.02,\"pattern\":"
                                     "\"ring\",\"strength\":0.5,\"near\":1,"
                                     "\"far\":9",
                                     B);
    struct tape tape = encode(&p, STEPS, true);
    const float *last = tape.z + (tape.steps - 1) * B * p.n;
    ck_assert_uint_lt(tape.steps, STEPS);
    for (size_t b = 0; b < B; b++) {
        double before = energy(&p, b, tape.z + b * p.n);
        for (size_t t = 1; t < tape.steps; t++) {
            double now = energy(&p, b, tape.z + (t * B + b) * p.n);
            ck_assert_msg(now <= before + 1e-6, "row %zu, sweep %zu", b, t);
            before = now;
        }
        float z[64];
        memcpy(z, last + b * p.n, p.n * sizeof *z);
        for (size_t i = 0; i < p.n; i++)
            for (int side = -1; side < 2; side += 2) {
                float old = z[i];
                z[i] += 0.01f * (float)side;
                ck_assert_msg(energy(&p, b, z) > before - 1e-6,
                              "row %zu, unit %zu", b, i);
                z[i] = old;
            }
    }
    model_free(p.model);
}
END_TEST

/* How often both of a pair are on, over the pairs that S joins. */
static double together(const struct coding *p, const float *S, const float *z)
{
    double both = 0, pairs = 0;
    for (size_t i = 0; i < p->n; i++)
        for (size_t j = 0; j < i; j++) {
            if (S[i * p->n + j] == 0.0f)
                continue;
            pairs++;
            for (size_t b = 0; b < p->B; b++)
                both += z[b * p->n + i] != 0.0f && z[b * p->n + j] != 0.0f;
        }
    return both / pairs / (double)p->B;
}

START_TEST(units_that_inhibit_each_other_are_seldom_on_together)
{
    enum { B = 60 };
    static const char given[] =
        "\"lateral\",\"lambda\":0.05,\"pattern\":\"ring\",\"strength\":2,"
        "\"near\":0,\"far\":5";
    struct coding p = random_problem(given, B);
    struct param *S = inhibition_of(p.model);
    float *joined = arena_take(&memory, S->count, sizeof *joined);
    memcpy(joined, S->value, S->count * sizeof *joined);
    double with = together(&p, joined, encode(&p, 200, false).z);
    memset(S->value, 0, S->count * sizeof *joined);
    double without = together(&p, joined, encode(&p, 200, false).z);
    ck_assert_msg(with < 0.2 * without, "%g with, %g without", with, without);
    model_free(p.model);
}
END_TEST

/* ---- learned with the atoms ---- */

static const char recipe_text[] =
    "{\"seed\":3,\"validation\":0,\"batch\":32,"
    "\"model\":{\"input\":{\"shape\":[12]},\"preprocess\":[{\"op\":"
    "\"unit_norm\"}],\"layers\":[{\"operator\":\"dense\",\"units\":16,"
    "\"encoder\":{\"kind\":\"iterative\"},\"structure\":{\"kind\":\"lateral\","
    "\"lambda\":0.02,\"pattern\":\"all\",\"strength\":0.05,\"learned\":true,"
    "\"bound\":0.4}}]},"
    "\"rates\":{\"structure.inhibition\":2},"
    "\"phases\":[{\"epochs\":6,\"weights\":{\"reconstruction\":1,"
    "\"structure\":1},\"optimiser\":{\"kind\":\"sgd\",\"rate\":0.5}}]}";

static struct model *train(struct dataset *d)
{
    struct recipe *r = recipe_parse(recipe_text, sizeof recipe_text - 1, &e);
    ck_assert_msg(r != NULL, "%s", e.msg);
    struct train_options options = {.threads = 2, .seed = r->seed};
    struct model *m = train_run(r, d, &options, &e);
    ck_assert_msg(m != NULL, "%s", e.msg);
    recipe_free(r);
    return m;
}

START_TEST(a_training_learns_a_matrix_within_its_bounds)
{
    char *folder = tmp_folder();
    const char *path = tmp_path(folder, "m");
    struct model *m = train(blobs(300, 1));
    const struct param *S = inhibition_of(m);
    double least = INFINITY, most = 0;
    for (size_t i = 0; i < 16; i++) {
        double sum = 0;
        for (size_t j = 0; j < 16; j++) {
            double s = (double)S->value[i * 16 + j];
            sum += s;
            least = i == j ? least : fmin(least, s);
            most = fmax(most, s);
        }
        near(sum, 15 * 0.05, 0.01);
    }
    ck_assert_msg(most > 0.08 && most <= 0.4 + 1e-6 && least < 0.045,
                  "from %g to %g", least, most);
    ck_assert(!model_save(m, path, &e));
    struct model *back = model_load(path, &e);
    ck_assert_msg(back != NULL, "%s", e.msg);
    model_free(back);
    model_free(m);
    tmp_remove(folder);
}
END_TEST

Suite *suite_lateral_codes(void);
Suite *suite_lateral_codes(void)
{
    Suite *s = suite_create("lateral_codes");
    TCase *t = tcase_create("codes");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, of_two_equal_atoms_one_wins);
    tcase_add_test(t, the_energy_falls_and_no_unit_alone_can_lower_it);
    tcase_add_test(t, units_that_inhibit_each_other_are_seldom_on_together);
    suite_add_tcase(s, t);
    TCase *l = tcase_create("learning");
    tcase_add_test(l, a_training_learns_a_matrix_within_its_bounds);
    suite_add_tcase(s, l);
    return s;
}
