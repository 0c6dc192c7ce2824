/* gaussian: the code is noisy, and what it tells of the input has a price in
 * nats (the variational auto-encoder: Kingma & Welling 2014).
 *
 * The encoder gives each unit a mean m and a log-variance s; the code is
 * z = m + noise e^(s/2), or the mean where no noise is drawn. A row's value is
 * lambda times the divergence of that from N(0,1),
 *
 *     KL = 1/2 sum_i (e^s_i + m_i^2 - 1 - s_i)
 *
 * (their appendix B), so lambda is the beta of Higgins et al. 2017. Nothing
 * pulls a unit to exactly 0: one that tells nothing has m near 0 and s near 0.
 *
 * Where atoms of norm 1 meet codes of variance 1 from the first step, noise is
 * all that is seen for long: s may start lower, "start".
 *
 * e^s must not overflow: above s = 20 it goes on as its tangent, and the
 * noise grows no more.
 */
#include "lib/model/structure/singles.h"

#include <math.h>
#include <string.h>

static const float most = 20.0f;

static size_t units(const struct structure *s)
{
    return space_size(&s->code);
}

static enum err_code configure(struct structure *s, const struct json *j,
                               const char *where, struct params *params,
                               struct err *e)
{
    (void)params;
    double lambda = 0, start = 0;
    if (json_get_number(j, where, "lambda", 0, 1e6, &lambda, e) ||
        json_get_number(j, where, "start", -20, 0, &start, e))
        return e->code;
    s->lambda = (float)lambda;
    s->start = (float)start;
    s->pooled = s->code;
    return ERR_OK;
}

static double value(const struct structure *s, const float *z, size_t B)
{
    size_t n = units(s);
    double sum = 0;
    for (size_t b = 0; b < B; b++, z += 2 * n)
        for (size_t i = 0; i < n; i++) {
            double mean = (double)z[i], log = (double)z[n + i];
            double over = log > (double)most ? log - (double)most : 0;
            sum += exp(log - over) * (1 + over) - 1 - log + mean * mean;
        }
    return (double)s->lambda * 0.5 * sum;
}

static void gradient(const struct structure *s, float *dz, const float *z,
                     size_t B, float scale)
{
    size_t n = units(s);
    float slope = scale * s->lambda;
    for (size_t b = 0; b < B; b++, z += 2 * n, dz += 2 * n)
        for (size_t i = 0; i < n; i++) {
            dz[i] += slope * z[i];
            dz[n + i] += slope * 0.5f * (expf(fminf(z[n + i], most)) - 1.0f);
        }
}

/* ---- the code ---- */

static float deviation(float log)
{
    return expf(0.5f * fminf(log, most));
}

static void code(const struct structure *s, float *z, const float *given,
                 const float *noise, size_t B)
{
    size_t n = units(s);
    for (size_t b = 0; b < B; b++) {
        const float *mean = given + 2 * b * n, *log = mean + n;
        memcpy(z + b * n, mean, n * sizeof *z);
        for (size_t i = 0; noise && i < n; i++)
            z[b * n + i] += noise[b * n + i] * deviation(log[i]);
    }
}

static void code_backward(const struct structure *s, float *d_given,
                          const float *dz, const float *given,
                          const float *noise, size_t B)
{
    size_t n = units(s);
    for (size_t b = 0; b < B; b++) {
        const float *log = given + 2 * b * n + n, *d = dz + b * n;
        float *d_mean = d_given + 2 * b * n, *d_log = d_mean + n;
        for (size_t i = 0; i < n; i++)
            d_mean[i] += d[i];
        for (size_t i = 0; noise && i < n; i++)
            if (log[i] < most)
                d_log[i] += 0.5f * d[i] * noise[b * n + i] * deviation(log[i]);
    }
}

static int emit_code(const struct structure *s, struct graph *g, int given)
{
    return g->first(g, given, units(s));
}

const struct structure_kind structure_gaussian = {
    .name = "gaussian",
    .help = "noisy units pay lambda a nat for what they tell",
    .settings = (const char *const[]){"lambda", "start", NULL},
    .heads = 2,
    .shares = true,
    .configure = configure,
    .value = value,
    .gradient = gradient,
    .code = code,
    .code_backward = code_backward,
    .emit_code = emit_code,
    .pool = singles_pool,
    .pool_backward = singles_pool_backward,
    .unpool = singles_unpool,
    .emit_pool = singles_emit_pool,
    .emit_unpool = singles_emit_unpool,
    .layout = singles_layout,
};
