/* Pace: the arithmetic, and a table of sets of eight, each with a lock for as
 * long as it takes to look at eight numbers.
 */
#include "server/pace.h"

#include "lib/base/lock.h"
#include "lib/base/mem.h"
#include "server/tls.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define SECOND_NS 1e9
#define DAY_SECONDS 86400
/* Keys of IPv4 addresses: prefixes that IPv6 does not give to anybody
 * (RFC 4291, 2.5.5: only all zeros are reserved). */
#define IPV4_KEY ((uint64_t)1 << 32)

#define SETS 2048 /* a power of two */
#define WAYS 8

/* ---- one client ---- */

struct pace_rule pace_rule(double rate, uint64_t burst)
{
    if (rate <= 0)
        return (struct pace_rule){.each = 0};
    double each = SECOND_NS / rate;
    double most = burst > 0 ? (double)burst : rate;

    return (struct pace_rule){
        .each = (nsec)each,
        .ahead = most > 1 ? (nsec)((most - 1) * each) : 0,
    };
}

nsec pace_take(pace *p, struct pace_rule rule, nsec now)
{
    nsec even = atomic_load_explicit(p, memory_order_relaxed);

    if (rule.each <= 0)
        return 0;
    for (;;) {
        nsec from = even > now ? even : now;
        if (from - now > rule.ahead)
            return from - now - rule.ahead;
        if (atomic_compare_exchange_weak(p, &even, from + rule.each))
            return 0;
    }
}

unsigned quota_take(quota *q, uint64_t daily, usec wall)
{
    uint64_t seconds = (uint64_t)(wall / 1000000);
    uint64_t day = seconds / DAY_SECONDS;
    uint_fast64_t was = atomic_load_explicit(q, memory_order_relaxed);

    if (daily == 0)
        return 0;
    for (;;) {
        uint64_t used = was >> 32 == day ? was & UINT32_MAX : 0;
        if (used >= daily)
            return (unsigned)(DAY_SECONDS - seconds % DAY_SECONDS);
        if (atomic_compare_exchange_weak(q, &was, day << 32 | (used + 1)))
            return 0;
    }
}

/* ---- addresses ---- */

static uint64_t big_endian(const unsigned char *bytes, int n)
{
    uint64_t value = 0;

    for (int i = 0; i < n; i++)
        value = value << 8 | bytes[i];
    return value;
}

uint64_t pace_client(const struct sockaddr *address)
{
    if (address == NULL)
        return 0;
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        return IPV4_KEY | ntohl(in.sin_addr.s_addr);
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof in6);
        const unsigned char *bytes = in6.sin6_addr.s6_addr;
        return IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)
                   ? IPV4_KEY | big_endian(bytes + 12, 4)
                   : big_endian(bytes, 8);
    }
    return 0;
}

/* ---- the table ---- */

struct pace_table {
    uint64_t seed; /* nobody can choose addresses that share a set */
    struct pace_set {
        struct lock lock;
        uint64_t clients[WAYS];
        pace paces[WAYS];
    } sets[SETS];
};

struct pace_table *pace_table_new(void)
{
    struct pace_table *t = mem_array(1, sizeof *t);

    if (t == NULL)
        return NULL;
    tls_random(&t->seed, sizeof t->seed);
    for (size_t i = 0; i < SETS; i++)
        lock_init(&t->sets[i].lock);
    return t;
}

void pace_table_free(struct pace_table *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < SETS; i++)
        lock_fini(&t->sets[i].lock);
    mem_free(t);
}

static struct pace_set *find_set(struct pace_table *t, uint64_t client)
{
    uint64_t z = (client ^ t->seed) * 0x9E3779B97F4A7C15u;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    return &t->sets[(z >> 40) % SETS];
}

/* The client's place, or that of whoever has been even the longest. */
static pace *find_locked(struct pace_set *set, uint64_t client)
{
    size_t oldest = 0;

    for (size_t i = 0; i < WAYS; i++) {
        if (set->clients[i] == client)
            return &set->paces[i];
        if (set->paces[i] < set->paces[oldest])
            oldest = i;
    }
    set->clients[oldest] = client;
    set->paces[oldest] = 0;
    return &set->paces[oldest];
}

nsec pace_table_take(struct pace_table *t, uint64_t client,
                     struct pace_rule rule, nsec now)
{
    struct pace_set *set = find_set(t, client);

    lock_take(&set->lock);
    nsec wait = pace_take(find_locked(set, client), rule, now);
    lock_drop(&set->lock);
    return wait;
}
