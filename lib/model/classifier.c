/* softmax(C z/||z|| + c) and its adjoint. */
#include "lib/model/classifier.h"

#include "lib/math/blas.h"
#include "lib/math/kernels.h"

#include <string.h>

static const double smallest_norm = 1e-12;
static const float row_bound = 5.0f; /* of C's rows (paper, section 2) */
static const float rate = 0.2f;      /* C learns slower (paper, footnote) */

enum err_code classifier_configure(struct classifier *c, const struct json *j,
                                   const struct layer *top, size_t classes,
                                   struct params *params, struct err *e)
{
    static const char *const members[] = {"input", NULL};
    const char *input = "code";
    if (json_only(j, "classifier", members, e) ||
        json_get_text(j, "classifier", "input", &input, e))
        return e->code;
    if (strcmp(input, "code") != 0 && strcmp(input, "pooled") != 0)
        return err_set(e, ERR_INVALID,
                       "classifier.input: must be \"code\" or \"pooled\", "
                       "not \"%s\"",
                       input);
    if (classes < 2 || classes > CLASSIFIER_MAX_CLASSES)
        return err_set(e, ERR_INVALID,
                       "classifier: %zu classes, must be 2 to %d", classes,
                       CLASSIFIER_MAX_CLASSES);
    c->pooled = strcmp(input, "pooled") == 0;
    c->inputs = c->pooled ? layer_groups(top) : layer_units(top);
    c->classes = classes;
    c->weight = params_add(
        params, "classifier.weight", 2, (size_t[]){classes, c->inputs},
        (enum param_axis[]){AXIS_CLASS, c->pooled ? AXIS_GROUP : AXIS_CODE}, e);
    if (!c->weight)
        return e->code;
    c->bias = params_add(params, "classifier.bias", 1, &classes,
                         (enum param_axis[]){AXIS_CLASS}, e);
    if (!c->bias)
        return e->code;
    c->weight->layer = c->bias->layer = top->index + 1;
    c->weight->project = param_limit_rows;
    c->weight->bound = row_bound;
    c->weight->rate = c->bias->rate = rate;
    c->present = true;
    return ERR_OK;
}

void classifier_start(struct classifier *c, struct rng *rng)
{
    for (size_t k = 0; k < c->classes; k++) {
        float *row = c->weight->value + k * c->inputs;
        for (size_t i = 0; i < c->inputs; i++)
            row[i] = rng_uniform(rng, -1, 1);
        vec_scale(row, 1.0f / (float)vec_norm(row, c->inputs), c->inputs);
        c->bias->value[k] = 0.0f;
    }
}

static void normalise(float *h, float *norm, const float *z, size_t n)
{
    double size = vec_norm(z, n);
    *norm = (float)(size > smallest_norm ? size : smallest_norm);
    for (size_t i = 0; i < n; i++)
        h[i] = z[i] / *norm;
}

void classifier_forward(const struct classifier *c, float *h, float *norm,
                        float *probabilities, const float *z, size_t B)
{
    for (size_t b = 0; b < B; b++)
        normalise(h + b * c->inputs, norm + b, z + b * c->inputs, c->inputs);
    blas_gemm(probabilities, BLAS_PLAIN, h, BLAS_TRANSPOSED, c->weight->value,
              B, c->classes, c->inputs, 1, 0);
    for (size_t b = 0; b < B; b++)
        vec_add(probabilities + b * c->classes, c->bias->value, 1, c->classes);
    softmax_rows(probabilities, probabilities, B, c->classes);
}

void classifier_backward(const struct classifier *c, float *grads, float *dz,
                         const float *d_scores, const float *h,
                         const float *norm, size_t B, float *dh)
{
    size_t n = c->inputs, k = c->classes;
    if (grads) {
        blas_gemm(grads + c->weight->offset, BLAS_TRANSPOSED, d_scores,
                  BLAS_PLAIN, h, k, n, B, 1, 1);
        for (size_t b = 0; b < B; b++)
            vec_add(grads + c->bias->offset, d_scores + b * k, 1, k);
    }
    if (!dz)
        return;
    blas_gemm(dh, BLAS_PLAIN, d_scores, BLAS_PLAIN, c->weight->value, B, n, k,
              1, 0);
    for (size_t b = 0; b < B; b++) {
        const float *hb = h + b * n;
        float *g = dh + b * n;
        /* Along z itself nothing changes; a norm that was guarded is fixed. */
        float along =
            (double)norm[b] > smallest_norm ? (float)vec_dot(hb, g, n) : 0.0f;
        for (size_t i = 0; i < n; i++)
            dz[b * n + i] += (g[i] - hb[i] * along) / norm[b];
    }
}

int classifier_emit(const struct classifier *c, struct graph *g, int z)
{
    int h = g->apply(g, GRAPH_DIVIDE, z, graph_guarded_norm(g, z));
    int scores = g->apply(g, GRAPH_PRODUCT, h, param_emit(c->weight, g));
    scores = g->apply(g, GRAPH_ADD, scores, param_emit(c->bias, g));
    return g->apply(g, GRAPH_SOFTMAX, scores, GRAPH_NONE);
}
