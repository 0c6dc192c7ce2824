/* Groups without haste. */
#include "tests/support/pools_by_hand.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct model *hand_model(size_t n, const char *structure, struct err *e)
{
    char text[4000];
    int length = snprintf(
        text, sizeof text,
        "{\"input\":{\"shape\":[4]},\"layers\":[{\"operator\":\"dense\","
        "\"units\":%zu,\"encoder\":{\"kind\":\"feedforward\"},"
        "\"structure\":%s}]}",
        n, structure);
    ck_assert_int_lt(length, (int)sizeof text);
    struct json *j = json_parse(text, (size_t)length, e);
    ck_assert_msg(j != NULL, "%s: %s", text, e->msg);
    struct model *m = model_new(j, NULL, 0, e);
    json_free(j);
    return m;
}

double hand_pool(const struct pools *p, const double *z, size_t g)
{
    double sum = 0;
    for (int64_t k = p->indptr[g]; k < p->indptr[g + 1]; k++)
        sum += (double)p->weights[k] * z[p->indices[k]] * z[p->indices[k]];
    return sqrt(sum);
}

double hand_value(const struct pools *p, double t, const double *z)
{
    double sum = 0;
    for (size_t g = 0; g < p->n; g++)
        sum += t * hand_pool(p, z, g);
    return sum;
}

double hand_energy(const struct pools *p, double t, const double *z,
                   const float *u)
{
    double sum = hand_value(p, t, z);
    for (size_t i = 0; i < p->units; i++)
        sum += (z[i] - (double)u[i]) * (z[i] - (double)u[i]) / 2;
    return sum;
}

/* |W^(1/2) z| of the group for a guess v of it, over v. */
static double response(const struct pools *p, const double *z, size_t g,
                       double t, double v)
{
    double sum = 0;
    for (int64_t k = p->indptr[g]; k < p->indptr[g + 1]; k++) {
        double w = (double)p->weights[k], x = z[p->indices[k]] / (v + t * w);
        sum += w * x * x;
    }
    return sqrt(sum);
}

/* The group takes what it may of z into taken (of its entries). */
static void serve_group(const struct pools *p, double *z, double *taken,
                        size_t g, double t)
{
    double dual = 0, low = 0, high = 0;
    for (int64_t k = p->indptr[g]; k < p->indptr[g + 1]; k++) {
        double *x = &z[p->indices[k]];
        *x += taken[k];
        dual += *x * *x / (double)p->weights[k];
        high += (double)p->weights[k] * *x * *x;
    }
    high = sqrt(high);
    for (int i = 0; i < 200; i++) {
        double v = (low + high) / 2;
        if (response(p, z, g, t, v) > 1)
            low = v;
        else
            high = v;
    }
    for (int64_t k = p->indptr[g]; k < p->indptr[g + 1]; k++) {
        double *x = &z[p->indices[k]];
        double left = sqrt(dual) <= t
                          ? 0
                          : *x * high / (high + t * (double)p->weights[k]);
        taken[k] = *x - left;
        *x = left;
    }
}

double hand_prox(const struct pools *p, double t, double *z, const float *u)
{
    double *taken = calloc(pools_entries(p), sizeof *taken), moved = 1,
           dual = 0;
    double *before = calloc(p->units, sizeof *before);
    for (size_t i = 0; i < p->units; i++)
        z[i] = (double)u[i];
    for (int sweep = 0; sweep < 20000 && moved > 1e-13; sweep++) {
        memcpy(before, z, p->units * sizeof *z);
        for (size_t size = 1; size <= p->units; size++)
            for (size_t g = 0; g < p->n; g++)
                if ((size_t)(p->indptr[g + 1] - p->indptr[g]) == size)
                    serve_group(p, z, taken, g, t);
        moved = 0;
        for (size_t i = 0; i < p->units; i++)
            moved = fmax(moved, fabs(z[i] - before[i]));
    }
    for (size_t i = 0; i < p->units; i++)
        dual += ((double)u[i] * (double)u[i] - z[i] * z[i]) / 2;
    free(before);
    free(taken);
    return dual;
}
