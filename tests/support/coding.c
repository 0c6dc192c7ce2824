/* Problems and judges. */
#include "tests/support/coding.h"

#include "lib/base/mem.h"
#include "lib/data/dataset.h"
#include "lib/math/kernels.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char l1[] = "\"l1\",\"lambda\":0.1"; /* CODING_LAMBDA */

/* ---- problems ---- */

struct model *coding_model(size_t m, size_t n, const char *encoder,
                           const char *structure, struct err *e)
{
    char text[400];
    snprintf(text, sizeof text,
             "{\"input\":{\"shape\":[%zu]},\"layers\":[{\"operator\":"
             "\"dense\",\"units\":%zu,\"encoder\":{\"kind\":\"iterative\"%s},"
             "\"structure\":{\"kind\":%s}}]}",
             m, n, encoder, structure);
    struct json *j = json_parse(text, strlen(text), e);
    ck_assert_msg(j != NULL, "%s: %s", text, e->msg);
    struct model *model = model_new(j, NULL, 0, e);
    json_free(j);
    return model;
}

struct coding coding_new(size_t m, size_t n, size_t B, const char *structure,
                         struct arena *memory)
{
    struct err e;
    struct coding p = {.m = m, .n = n, .B = B};
    p.model = coding_model(m, n, "", structure, &e);
    ck_assert_msg(p.model != NULL, "%s", e.msg);
    ck_assert(!params_allocate(&p.model->params, &e));
    p.l = &p.model->layers[0];
    p.d = p.l->dec.weight->value;
    p.x = arena_zeroed(memory, B * m, sizeof *p.x);
    return p;
}

static void norm_1(float *x, size_t m)
{
    vec_scale(x, (float)(1 / vec_norm(x, m)), m);
}

void coding_set_atom(struct coding *p, size_t i, const float *atom)
{
    for (size_t j = 0; j < p->m; j++)
        p->d[j * p->n + i] = atom[j];
}

struct coding coding_random(size_t B, struct arena *memory)
{
    enum { M = 20, N = 40 };
    struct rng rng = rng_make(3, "solver", 0);
    struct coding p = coding_new(M, N, B, l1, memory);
    float atom[M];
    for (size_t i = 0; i < p.n; i++) {
        for (size_t j = 0; j < p.m; j++)
            atom[j] = rng_uniform(&rng, -1, 1);
        norm_1(atom, p.m);
        coding_set_atom(&p, i, atom);
    }
    for (size_t k = 0; k < B * p.m; k++)
        p.x[k] = rng_uniform(&rng, -1, 1);
    for (size_t b = 0; b < B; b++)
        norm_1(p.x + b * p.m, p.m);
    return p;
}

struct coding coding_digits(size_t n, size_t B, struct arena *memory)
{
    struct err e;
    struct dataset_want want = {.split = DATASET_TEST};
    struct dataset *d = dataset_load("tests/data/mnist-mini", &want, &e);
    ck_assert_msg(d != NULL, "%s", e.msg);
    struct coding p = coding_new(d->row_size, n, B, l1, memory);
    float *atom = arena_take(memory, p.m, sizeof *atom);
    ck_assert_uint_ge(d->n, n + B);
    for (uint32_t i = 0; i < n + B; i++) {
        float *to = i < n ? atom : p.x + (i - n) * p.m;
        dataset_rows(d, &i, 1, 0, 1, to);
        norm_1(to, p.m);
        if (i < n)
            coding_set_atom(&p, i, atom);
    }
    dataset_free(d);
    return p;
}

/* ---- judges, in double ---- */

double coding_residual(const struct coding *p, size_t b, const float *z,
                       const float *known, size_t j)
{
    double r = (double)p->x[b * p->m + j];
    if (known && known[b * p->m + j] == 0.0f)
        return 0;
    for (size_t i = 0; i < p->n; i++)
        r -= (double)p->d[j * p->n + i] * (double)z[i];
    return r;
}

double coding_energy(const struct coding *p, size_t b, const float *z)
{
    double sum = 0;
    for (size_t j = 0; j < p->m; j++)
        sum += 0.5 * pow(coding_residual(p, b, z, NULL, j), 2);
    for (size_t i = 0; i < p->n; i++)
        sum += CODING_LAMBDA * fabs((double)z[i]);
    return sum;
}

double coding_breach(const struct coding *p, size_t b, const float *z,
                     const float *known, bool nonnegative)
{
    double worst = 0;
    double *r = mem_must(p->m, sizeof *r);
    for (size_t j = 0; j < p->m; j++)
        r[j] = coding_residual(p, b, z, known, j);
    for (size_t i = 0; i < p->n; i++) {
        double pull = 0, cut = CODING_LAMBDA, much;
        for (size_t j = 0; j < p->m; j++)
            pull += (double)p->d[j * p->n + i] * r[j];
        if (z[i] != 0.0f)
            much = fabs(pull - copysign(cut, (double)z[i]));
        else
            much = (nonnegative ? pull : fabs(pull)) - cut;
        worst = fmax(worst, much);
        ck_assert(!nonnegative || z[i] >= 0.0f);
    }
    mem_free(r);
    return worst;
}
