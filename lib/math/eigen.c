/* Symmetric eigenvalues, on whole rows: the matrix is kept in full, so that
 * every loop runs along memory.
 */
#include "lib/math/eigen.h"

#include "lib/base/mem.h"
#include "lib/math/kernels.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#define MAX_STEPS 40 /* for one eigenvalue; two or three are usual */

KERNEL_CLONES
static double dot(const double *a, const double *b, size_t n)
{
    /* Eight sums side by side: one alone would wait for each addition. */
    double sums[8] = {0};
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t j = 0; j < 8; j++)
            sums[j] += a[i + j] * b[i + j];
    for (; i < n; i++)
        sums[i % 8] += a[i] * b[i];
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) +
           ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

/* out += p * x + q * y */
KERNEL_CLONES
static void add_two(double *restrict out, double p, const double *restrict x,
                    double q, const double *restrict y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] += p * x[i] + q * y[i];
}

/* (a, b) = (c a + s b, c b - s a) */
KERNEL_CLONES
static void rotate(double *restrict a, double *restrict b, double c, double s,
                   size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double t = c * a[i] + s * b[i];
        b[i] = c * b[i] - s * a[i];
        a[i] = t;
    }
}

/* ---- to a tridiagonal matrix ---- */

/* x (n) becomes v with (I - beta v v') x = (r, 0, ... 0); returns beta, which
 * is 0 where nothing has to be done. */
static double reflector(double *x, size_t n, double *r)
{
    double rest = dot(x + 1, x + 1, n - 1);
    double first = x[0];
    *r = first;
    if (rest == 0)
        return 0;
    /* The sign that adds in first - r, so that nothing is cancelled. */
    *r = -copysign(sqrt(first * first + rest), first);
    x[0] = first - *r;
    return 2 / (x[0] * x[0] + rest);
}

/* Both sides of the block that starts at row and column k are reflected:
 * A - v w' - w v' with p = beta A v, w = p - (beta/2 v.p) v. */
static void reflect_block(double *a, size_t n, size_t k, const double *v,
                          double beta, double *w)
{
    size_t rest = n - k;
    for (size_t i = 0; i < rest; i++)
        w[i] = beta * dot(a + (k + i) * n + k, v, rest);
    double half = beta / 2 * dot(v, w, rest);
    for (size_t i = 0; i < rest; i++)
        w[i] -= half * v[i];
    for (size_t i = 0; i < rest; i++)
        add_two(a + (k + i) * n + k, -v[i], w, -w[i], v, rest);
}

/* The diagonal d (n) and what stands beside it, e (n - 1); row k of a keeps
 * its reflector right of the diagonal, beta[k] the factor. */
static void reduce(double *a, size_t n, double *d, double *e, double *beta,
                   double *w)
{
    for (size_t k = 0; k + 1 < n; k++) {
        double *row = a + k * n;
        d[k] = row[k];
        beta[k] = reflector(row + k + 1, n - k - 1, &e[k]);
        if (beta[k] != 0)
            reflect_block(a, n, k + 1, row + k + 1, beta[k], w);
    }
    d[n - 1] = a[n * n - 1];
}

/* The product of all reflections in place of a, the last factor first: when
 * reflector k is applied, only the rows after it have to be there. */
static void gather(double *a, size_t n, const double *beta)
{
    for (size_t k = n; k-- > 0;) {
        double *row = a + k * n;
        for (size_t i = k + 1; i < n && beta[k] != 0; i++) {
            double *other = a + i * n + k + 1;
            double share = beta[k] * dot(other, row + k + 1, n - k - 1);
            add_two(other, -share, row + k + 1, 0, row + k + 1, n - k - 1);
        }
        memset(row, 0, n * sizeof *row);
        row[k] = 1;
    }
}

/* ---- to a diagonal matrix ---- */

/* What is nothing beside the largest entry: the reflections have rounded by as
 * much, so smaller values are not known better. */
static double rounding(const double *d, const double *e, size_t n)
{
    double top = 0;
    for (size_t i = 0; i < n; i++)
        top = fmax(top, fmax(fabs(d[i]), fabs(e[i])));
    return DBL_EPSILON * top;
}

/* The eigenvalue of the block's last 2 x 2 corner that is nearer its end. */
static double wilkinson_shift(const double *d, const double *e, size_t last)
{
    double half = (d[last - 1] - d[last]) / 2, beside = e[last - 1];
    return d[last] -
           beside * (beside / (half + copysign(hypot(half, beside), half)));
}

/* One implicit step on rows first..last: the rotation that begins it makes an
 * entry outside the three diagonals, the others chase it down and out. */
static void qr_step(double *d, double *e, double *v, size_t n, size_t first,
                    size_t last)
{
    double x = d[first] - wilkinson_shift(d, e, last), z = e[first];
    for (size_t k = first; k < last; k++) {
        double r = hypot(x, z);
        double c = r > 0 ? x / r : 1, s = r > 0 ? z / r : 0;
        double up = d[k], down = d[k + 1], beside = e[k];
        if (k > first)
            e[k - 1] = r;
        d[k] = c * c * up + 2 * c * s * beside + s * s * down;
        d[k + 1] = s * s * up - 2 * c * s * beside + c * c * down;
        e[k] = c * s * (down - up) + (c * c - s * s) * beside;
        if (k + 1 < last) {
            x = e[k];
            z = s * e[k + 1];
            e[k + 1] *= c;
        }
        rotate(v + k * n, v + (k + 1) * n, c, s, n);
    }
}

static enum err_code diagonalise(double *d, double *e, double *v, size_t n,
                                 struct err *error)
{
    const double small = rounding(d, e, n);
    size_t steps = 0;
    for (size_t last = n - 1; last > 0;) {
        if (fabs(e[last - 1]) <= small) {
            last--;
            steps = 0;
            continue;
        }
        size_t first = last - 1;
        while (first > 0 && fabs(e[first - 1]) > small)
            first--;
        if (steps++ == MAX_STEPS)
            return err_set(error, ERR_INTERNAL,
                           "eigenvalues of a %zu x %zu matrix: not found in %d "
                           "steps",
                           n, n, MAX_STEPS);
        qr_step(d, e, v, n, first, last);
    }
    return ERR_OK;
}

/* ---- all of it ---- */

static void sort(double *values, double *v, size_t n)
{
    for (size_t i = 0; i + 1 < n; i++) {
        size_t least = i;
        for (size_t k = i + 1; k < n; k++)
            if (values[k] < values[least])
                least = k;
        if (least == i)
            continue;
        double value = values[i];
        values[i] = values[least];
        values[least] = value;
        /* A quarter turn exchanges the rows; the sign of one is free. */
        rotate(v + i * n, v + least * n, 0, 1, n);
    }
}

static bool all_finite(const double *a, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(a[i]))
            return false;
    return true;
}

enum err_code eigen_symmetric(double *a, double *values, size_t n,
                              struct err *error)
{
    if (!all_finite(a, n * n))
        return err_set(error, ERR_INTERNAL,
                       "eigenvalues of a matrix that is not finite");
    double *e = mem_array(n, sizeof *e);
    double *beta = mem_array(n, sizeof *beta);
    double *w = mem_array(n, sizeof *w);
    enum err_code code = ERR_OK;
    if (!e || !beta || !w) {
        code = err_set(error, ERR_NO_MEMORY, "eigenvalues of %zu x %zu", n, n);
    } else if (n > 0) {
        reduce(a, n, values, e, beta, w);
        gather(a, n, beta);
        code = diagonalise(values, e, a, n, error);
    }
    if (!code)
        sort(values, a, n);
    mem_free(e);
    mem_free(beta);
    mem_free(w);
    return code;
}
