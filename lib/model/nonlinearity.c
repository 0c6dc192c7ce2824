/* The nonlinearities:
 *
 *   relu      z = max(0, a - b)                    Rolfe & LeCun 2013
 *   shrink    z = sign(a) max(0, |a| - b)          Gregor & LeCun 2010 (LISTA)
 *   tanh      z = tanh(a - b)                      Kavukcuoglu et al. 2008
 * (PSD) identity  z = a - b
 */
#include "lib/model/nonlinearity.h"

#include "lib/math/kernels.h"

#include <math.h>
#include <string.h>

/* ---- relu ---- */

KERNEL_CLONES
static void relu_apply(float *z, const float *a, const float *b, size_t B,
                       size_t n)
{
    for (size_t r = 0; r < B; r++)
        for (size_t i = 0; i < n; i++) {
            float u = a[r * n + i] - b[i];
            z[r * n + i] = u > 0.0f ? u : 0.0f;
        }
}

KERNEL_CLONES
static void relu_backward(float *da, float *db, const float *dz, const float *z,
                          size_t B, size_t n)
{
    for (size_t r = 0; r < B; r++)
        for (size_t i = 0; i < n; i++) {
            float d = z[r * n + i] > 0.0f ? dz[r * n + i] : 0.0f;
            da[r * n + i] = d;
            db[i] -= d;
        }
}

static int relu_emit(struct graph *g, int a, int b)
{
    return graph_positive(g, g->apply(g, GRAPH_SUBTRACT, a, b));
}

static const struct nonlinearity relu = {
    .name = "relu",
    .rests = true,
    .apply = relu_apply,
    .backward = relu_backward,
    .emit = relu_emit,
};

/* ---- shrink: b is a threshold, kept at 0 or above by its bound ---- */

KERNEL_CLONES
static void shrink_apply(float *z, const float *a, const float *b, size_t B,
                         size_t n)
{
    for (size_t r = 0; r < B; r++)
        for (size_t i = 0; i < n; i++) {
            float u = a[r * n + i], size = fabsf(u) - b[i];
            z[r * n + i] = size > 0.0f ? copysignf(size, u) : 0.0f;
        }
}

static void shrink_backward(float *da, float *db, const float *dz,
                            const float *z, size_t B, size_t n)
{
    for (size_t r = 0; r < B; r++)
        for (size_t i = 0; i < n; i++) {
            float d = z[r * n + i] != 0.0f ? dz[r * n + i] : 0.0f;
            da[r * n + i] = d;
            db[i] -= z[r * n + i] > 0.0f ? d : -d;
        }
}

static int shrink_emit(struct graph *g, int a, int b)
{
    int size = g->apply(g, GRAPH_ABS, a, GRAPH_NONE);
    int sign = g->apply(g, GRAPH_SIGN, a, GRAPH_NONE);
    size = graph_positive(g, g->apply(g, GRAPH_SUBTRACT, size, b));
    return g->apply(g, GRAPH_MULTIPLY, sign, size);
}

static const struct nonlinearity shrink = {
    .name = "shrink",
    .onto = true,
    .rests = true,
    .apply = shrink_apply,
    .backward = shrink_backward,
    .emit = shrink_emit,
};

/* ---- tanh ---- */

static void tanh_apply(float *z, const float *a, const float *b, size_t B,
                       size_t n)
{
    for (size_t r = 0; r < B; r++)
        for (size_t i = 0; i < n; i++)
            z[r * n + i] = tanhf(a[r * n + i] - b[i]);
}

static void tanh_backward(float *da, float *db, const float *dz, const float *z,
                          size_t B, size_t n)
{
    for (size_t r = 0; r < B; r++)
        for (size_t i = 0; i < n; i++) {
            float y = z[r * n + i];
            da[r * n + i] = dz[r * n + i] * (1.0f - y * y);
            db[i] -= da[r * n + i];
        }
}

static int tanh_emit(struct graph *g, int a, int b)
{
    return g->apply(g, GRAPH_TANH, g->apply(g, GRAPH_SUBTRACT, a, b),
                    GRAPH_NONE);
}

static const struct nonlinearity hyperbolic_tangent = {
    .name = "tanh",
    .apply = tanh_apply,
    .backward = tanh_backward,
    .emit = tanh_emit,
};

/* ---- identity ---- */

static void identity_apply(float *z, const float *a, const float *b, size_t B,
                           size_t n)
{
    for (size_t r = 0; r < B; r++)
        for (size_t i = 0; i < n; i++)
            z[r * n + i] = a[r * n + i] - b[i];
}

static void identity_backward(float *da, float *db, const float *dz,
                              const float *z, size_t B, size_t n)
{
    (void)z;
    for (size_t r = 0; r < B; r++)
        for (size_t i = 0; i < n; i++) {
            da[r * n + i] = dz[r * n + i];
            db[i] -= dz[r * n + i];
        }
}

static int identity_emit(struct graph *g, int a, int b)
{
    return g->apply(g, GRAPH_SUBTRACT, a, b);
}

static const struct nonlinearity identity = {
    .name = "identity",
    .onto = true,
    .apply = identity_apply,
    .backward = identity_backward,
    .emit = identity_emit,
};

const struct nonlinearity *const nonlinearities[] = {
    &relu, &shrink, &hyperbolic_tangent, &identity, NULL};

const struct nonlinearity *nonlinearity_find(const char *name)
{
    for (size_t i = 0; nonlinearities[i]; i++)
        if (strcmp(nonlinearities[i]->name, name) == 0)
            return nonlinearities[i];
    return NULL;
}
