/* Pace: how many requests a second one client may make, and how many a day.
 *
 * A rate is kept as one number a client, the time at which it will be even
 * (the generic cell rate algorithm, ITU-T I.371): each request moves it on by
 * the time that one is worth, and one that would move it too far ahead is
 * refused. So a client is one atomic number, and needs no clock of its own.
 * Addresses share a table of fixed size: who has been even the longest goes.
 */
#ifndef SPARSED_SERVER_PACE_H
#define SPARSED_SERVER_PACE_H

#include "lib/base/clock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct sockaddr;

/* Zeroed: no limit. */
struct pace_rule {
    nsec each;  /* what one request is worth */
    nsec ahead; /* how far ahead of its time a client may get */
};

/* rate: requests a second, 0: no limit; burst: that may come at once, 0: those
 * of a second, and one at least. */
struct pace_rule pace_rule(double rate, uint64_t burst);

/* Zeroed: a client that has asked for nothing. */
typedef _Atomic nsec pace;

/* 0: the request may be made, and is counted; else how long to wait. */
nsec pace_take(pace *p, struct pace_rule rule, nsec now);

/* Zeroed: nothing used today. The day ends at midnight UTC. */
typedef atomic_uint_fast64_t quota;

#define QUOTA_MAX UINT32_MAX

/* 0: the request is one of the `daily`, and is counted (daily 0: no limit);
 * else the seconds that are left of the day, 1 at least. */
unsigned quota_take(quota *q, uint64_t daily, usec wall);

/* What an address counts as: an IPv4 address, or the /64 of an IPv6 one, of
 * which one client may have all. 0: none of these. */
uint64_t pace_client(const struct sockaddr *address);

struct pace_table;

/* NULL: no memory. */
struct pace_table *pace_table_new(void);
void pace_table_free(struct pace_table *t);

/* pace_take of a client; from any thread. */
nsec pace_table_take(struct pace_table *t, uint64_t client,
                     struct pace_rule rule, nsec now);

#endif
