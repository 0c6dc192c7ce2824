/* What S may be: its projection while it is learned, its check when it comes
 * from a file.
 *
 * Rows are scaled to their sums one after another, each with its column, which
 * sets that row right at once and keeps S symmetric: coordinate descent on the
 * convex problem behind symmetric matrix scaling (Sinkhorn & Knopp 1967).
 */
#include "lib/model/structure/inhibition.h"

#include <math.h>

enum { SWEEPS = 5 };
static const double close_enough = 1e-6;

static float clip(float x, float bound)
{
    return x > bound ? bound : x > 0.0f ? x : 0.0f;
}

static void symmetrise(float *S, size_t n, float bound)
{
    for (size_t a = 0; a < n; a++) {
        S[a * n + a] = 0.0f;
        for (size_t b = 0; b < a; b++) {
            float mean = 0.5f * (S[a * n + b] + S[b * n + a]);
            S[a * n + b] = S[b * n + a] = clip(mean, bound);
        }
    }
}

/* Row and column i of S; false if they were right before. */
static bool scale(float *S, size_t n, size_t i, float wanted, float bound)
{
    double sum = 0;
    for (size_t k = 0; k < n; k++)
        sum += (double)S[i * n + k];
    if (sum <= 0 || fabs((double)wanted / sum - 1) < close_enough)
        return false;
    float factor = (float)((double)wanted / sum);
    for (size_t k = 0; k < n; k++)
        S[i * n + k] = S[k * n + i] = clip(factor * S[i * n + k], bound);
    return true;
}

void inhibition_project(struct param *p)
{
    size_t n = p->dims[0];
    bool changed = true;
    symmetrise(p->value, n, p->bound);
    for (size_t sweep = 0; changed && sweep < SWEEPS; sweep++) {
        changed = false;
        for (size_t i = 0; i < n; i++)
            changed |= scale(p->value, n, i, p->sums[i], p->bound);
    }
}

enum err_code inhibition_check(const struct param *p, struct err *e)
{
    size_t n = p->dims[0];
    for (size_t a = 0; a < n; a++) {
        if (p->value[a * n + a] != 0.0f)
            return err_set(e, ERR_CORRUPT,
                           "tensor %s: unit %zu inhibits itself", p->name, a);
        for (size_t b = 0; b < n; b++) {
            if (p->value[a * n + b] < 0.0f)
                return err_set(e, ERR_CORRUPT,
                               "tensor %s: negative at %zu, %zu", p->name, a,
                               b);
            if (p->value[a * n + b] != p->value[b * n + a])
                return err_set(e, ERR_CORRUPT,
                               "tensor %s: not symmetric at %zu, %zu", p->name,
                               a, b);
        }
    }
    return ERR_OK;
}
