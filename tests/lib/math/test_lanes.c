/* Rows side by side: into lanes and back, whatever their number and length.
 */
#include "lib/math/lanes.h"

#include <check.h>

enum { MOST = 21, STRIDE = 25 };

static float rows[LANES * STRIDE], back[LANES * STRIDE];
static lanes tile[MOST];

static void fill(void)
{
    for (size_t k = 0; k < LANES * STRIDE; k++) {
        rows[k] = (float)k + 1;
        back[k] = -1;
    }
}

START_TEST(every_number_has_its_lane)
{
    for (size_t B = 1; B <= LANES; B++)
        for (size_t n = 0; n <= MOST; n++) {
            fill();
            lanes_load(tile, rows, STRIDE, B, n);
            for (size_t i = 0; i < n; i++)
                for (size_t b = 0; b < LANES; b++)
                    ck_assert(tile[i][b] == (b < B ? rows[b * STRIDE + i] : 0));
        }
}
END_TEST

START_TEST(storing_touches_only_its_rows)
{
    for (size_t B = 1; B <= LANES; B++)
        for (size_t n = 0; n <= MOST; n++) {
            fill();
            lanes_load(tile, rows, STRIDE, B, n);
            lanes_store(back, STRIDE, tile, B, n);
            for (size_t b = 0; b < LANES; b++)
                for (size_t i = 0; i < STRIDE; i++) {
                    size_t k = b * STRIDE + i;
                    ck_assert(back[k] == (b < B && i < n ? rows[k] : -1));
                }
        }
}
END_TEST

START_TEST(lanes_are_chosen_and_rooted_one_by_one)
{
    lanes x, y;
    for (size_t b = 0; b < LANES; b++)
        x[b] = (float)(b * b);
    y = LANES_PICK(x > 9.0f, x, LANES_ALL(-2.0f));
    for (size_t b = 0; b < LANES; b++)
        ck_assert(y[b] == (b > 3 ? (float)(b * b) : -2));
    y = LANES_KEEP(x < 9.0f, x);
    LANES_SQRT(x);
    for (size_t b = 0; b < LANES; b++) {
        ck_assert(x[b] == (float)b);
        ck_assert(y[b] == (b < 3 ? (float)(b * b) : 0));
    }
}
END_TEST

Suite *suite_lanes(void);
Suite *suite_lanes(void)
{
    Suite *s = suite_create("lanes");
    TCase *t = tcase_create("tiles");
    tcase_add_test(t, every_number_has_its_lane);
    tcase_add_test(t, storing_touches_only_its_rows);
    tcase_add_test(t, lanes_are_chosen_and_rooted_one_by_one);
    suite_add_tcase(s, t);
    return s;
}
