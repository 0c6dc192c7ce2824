/* Shifting: pictures move as a whole, by as much as they may, and each row by
 * its own number alone.
 */
#include "lib/train/shift.h"

#include <check.h>
#include <string.h>

Suite *suite_shift(void);

#define SIDE 6
#define PIXELS (SIDE * SIDE)
#define ROWS 200

/* As much of a model as shifting looks at. */
static struct model pictures(size_t channels)
{
    struct model m = {.input_rank = 3, .input_shape = {channels, SIDE, SIDE}};
    m.input =
        (struct space){.channels = channels, .height = SIDE, .width = SIDE};
    return m;
}

/* Each pixel says where it came from. */
static void fill(float *x, size_t rows, size_t channels)
{
    for (size_t i = 0; i < rows * channels * PIXELS; i++)
        x[i] = (float)(i % (channels * PIXELS));
}

/* How far row x has moved, told by the pixel in the middle; the whole picture
 * must agree. */
static void moved(const float *x, size_t channels, int *down, int *right)
{
    int middle = (int)x[2 * SIDE + 2];
    *down = middle / SIDE - 2;
    *right = middle % SIDE - 2;
    for (size_t c = 0; c < channels; c++)
        for (int i = 0; i < SIDE; i++)
            for (int j = 0; j < SIDE; j++) {
                int y = i + *down, z = j + *right;
                y = y < 0 ? 0 : y >= SIDE ? SIDE - 1 : y;
                z = z < 0 ? 0 : z >= SIDE ? SIDE - 1 : z;
                ck_assert_int_eq((int)x[c * PIXELS + (size_t)(i * SIDE + j)],
                                 (int)(c * PIXELS) + y * SIDE + z);
            }
}

START_TEST(pictures_move_as_a_whole_both_ways)
{
    struct model m = pictures(2);
    float x[ROWS * 2 * PIXELS], scratch[2 * PIXELS];
    size_t seen[5][5] = {{0}};
    fill(x, ROWS, 2);
    shift_rows(&m, x, ROWS, 2, 7, 0, scratch);
    for (size_t b = 0; b < ROWS; b++) {
        int down, right;
        moved(x + b * 2 * PIXELS, 2, &down, &right);
        ck_assert(down >= -2 && down <= 2 && right >= -2 && right <= 2);
        seen[down + 2][right + 2]++;
    }
    for (size_t i = 0; i < 25; i++)
        ck_assert_uint_gt(seen[i / 5][i % 5], 0);
}
END_TEST

START_TEST(a_row_depends_on_its_number_not_on_the_shard)
{
    struct model m = pictures(1);
    float whole[8 * PIXELS], part[3 * PIXELS], scratch[PIXELS];
    fill(whole, 8, 1);
    fill(part, 3, 1);
    shift_rows(&m, whole, 8, 2, 3, 0, scratch);
    shift_rows(&m, part, 3, 2, 3, 5, scratch);
    ck_assert_mem_eq(part, whole + 5 * PIXELS, sizeof part);
    fill(part, 3, 1);
    shift_rows(&m, part, 3, 2, 4, 5, scratch);
    ck_assert_mem_ne(part, whole + 5 * PIXELS, sizeof part);
}
END_TEST

START_TEST(only_pictures_that_are_large_enough_suit)
{
    struct model m = pictures(1);
    ck_assert(shift_suits(&m, 2));
    ck_assert(!shift_suits(&m, 3));
    m.input_rank = 1;
    ck_assert(!shift_suits(&m, 1));
}
END_TEST

Suite *suite_shift(void)
{
    Suite *s = suite_create("shift");
    TCase *t = tcase_create("shift");
    tcase_add_test(t, pictures_move_as_a_whole_both_ways);
    tcase_add_test(t, a_row_depends_on_its_number_not_on_the_shard);
    tcase_add_test(t, only_pictures_that_are_large_enough_suit);
    suite_add_tcase(s, t);
    return s;
}
