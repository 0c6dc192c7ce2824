/* Cost: learned by kind, guessed from the family, never nothing. */
#include "lib/engine/cost.h"

#include <check.h>

Suite *suite_cost(void);

static struct costs costs;

static struct cost_kind kind(uint64_t family, uint64_t own, size_t units)
{
    struct cost_kind k = {.units = units};

    k.family = cost_hash(7, &family, sizeof family);
    k.kind = cost_hash(k.family, &own, sizeof own);
    return k;
}

START_TEST(a_kind_costs_what_it_took_by_its_units)
{
    struct cost_kind small = kind(1, 1, 1000), big = kind(1, 1, 4000);

    cost_learn(&costs, &small, 3000000);
    ck_assert_int_eq(cost_estimate(&costs, &small), 3000000);
    ck_assert_int_eq(cost_estimate(&costs, &big), 12000000);
}
END_TEST

START_TEST(the_mean_follows_what_changes)
{
    struct cost_kind k = kind(2, 1, 1);

    cost_learn(&costs, &k, 1000000);
    cost_learn(&costs, &k, 9000000); /* an eighth of the difference */
    ck_assert_int_eq(cost_estimate(&costs, &k), 2000000);
    for (int i = 0; i < 100; i++)
        cost_learn(&costs, &k, 9000000);
    ck_assert_int_gt(cost_estimate(&costs, &k), 8900000);
}
END_TEST

START_TEST(an_unknown_kind_costs_what_its_family_does)
{
    struct cost_kind known = kind(3, 1, 100), other = kind(3, 2, 100);
    struct cost_kind stranger = kind(4, 1, 100);

    cost_learn(&costs, &known, 50000000);
    ck_assert_int_eq(cost_estimate(&costs, &other), 50000000);
    ck_assert_int_lt(cost_estimate(&costs, &stranger), 1000000);
    ck_assert_int_gt(cost_estimate(&costs, &stranger), 0);
    cost_learn(&costs, &other, 1000000);
    ck_assert_int_eq(cost_estimate(&costs, &known), 50000000);
    ck_assert_int_eq(cost_estimate(&costs, &other), 1000000);
}
END_TEST

START_TEST(more_kinds_than_places_are_forgotten_not_mixed)
{
    struct cost_kind first = kind(5, 0, 1);

    cost_learn(&costs, &first, 77000000);
    for (uint64_t i = 1; i < 20 * COST_PLACES; i++) {
        struct cost_kind k = kind(i + 100, i, 1);
        cost_learn(&costs, &k, 1000000);
        ck_assert_int_eq(cost_estimate(&costs, &k), 1000000);
    }
    ck_assert_int_lt(cost_estimate(&costs, &first), 77000000);
}
END_TEST

Suite *suite_cost(void)
{
    Suite *s = suite_create("cost");
    TCase *t = tcase_create("means");

    tcase_add_test(t, a_kind_costs_what_it_took_by_its_units);
    tcase_add_test(t, the_mean_follows_what_changes);
    tcase_add_test(t, an_unknown_kind_costs_what_its_family_does);
    tcase_add_test(t, more_kinds_than_places_are_forgotten_not_mixed);
    suite_add_tcase(s, t);
    return s;
}
