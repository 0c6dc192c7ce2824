/* Weighted groups by plain loops in double: what tests hold the fast ones
 * against.
 */
#ifndef SPARSED_TESTS_POOLS_BY_HAND_H
#define SPARSED_TESTS_POOLS_BY_HAND_H

#include "lib/model/model.h"
#include "lib/model/structure/pools.h"

/* A model of one layer of n units with this structure ("{\"kind\":...}"), or
 * NULL. */
struct model *hand_model(size_t n, const char *structure, struct err *e);

/* v_g of one row, and all of them times t together. */
double hand_pool(const struct pools *p, const double *z, size_t g);
double hand_value(const struct pools *p, double t, const double *z);

/* 1/2 |z - u|^2 + t sum_g v_g(z). */
double hand_energy(const struct pools *p, double t, const double *z,
                   const float *u);

/* The z that minimises it, group after group until nothing moves: each gets
 * what is best for it alone, found by bisection, smaller groups first. Returns
 * a bound that no energy is below: the dual's value. */
double hand_prox(const struct pools *p, double t, double *z, const float *u);

#endif
