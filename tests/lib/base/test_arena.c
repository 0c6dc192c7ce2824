/* Arena: bounds, alignment, marks. */
#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/base/rng.h"

#include <check.h>
#include <stdint.h>
#include <string.h>

Suite *suite_arena(void);

START_TEST(blocks_are_aligned_and_do_not_overlap)
{
    struct arena a;
    struct rng r = rng_make(1, "arena", 0);
    unsigned char *blocks[200];
    size_t sizes[200];

    arena_init(&a, 10 * 1024 * 1024);
    for (size_t i = 0; i < 200; i++) {
        sizes[i] = 1 + rng_below(&r, i % 10 == 0 ? 40000 : 300);
        blocks[i] = arena_take(&a, sizes[i], 1);
        ck_assert_ptr_nonnull(blocks[i]);
        ck_assert_uint_eq((uintptr_t)blocks[i] % MEM_ALIGN, 0);
        memset(blocks[i], (int)i, sizes[i]);
    }
    for (size_t i = 0; i < 200; i++) {
        size_t same = 0;
        while (same < sizes[i] && blocks[i][same] == (unsigned char)i)
            same++;
        ck_assert_uint_eq(same, sizes[i]);
    }
    arena_fini(&a);
}
END_TEST

START_TEST(exactly_the_maximum_is_handed_out)
{
    struct arena a;
    size_t taken = 0;

    arena_init(&a, 100 * MEM_ALIGN);
    while (arena_take(&a, 1, 1) != NULL)
        taken++;
    ck_assert_uint_eq(taken, 100);
    ck_assert_uint_eq(a.used_bytes, 100 * MEM_ALIGN);
    arena_reset(&a);
    ck_assert_ptr_nonnull(arena_take(&a, 100 * MEM_ALIGN, 1));
    ck_assert_ptr_null(arena_take(&a, 1, 1));
    arena_reset(&a);
    ck_assert_ptr_null(arena_take(&a, 100 * MEM_ALIGN + 1, 1));
    arena_fini(&a);
}
END_TEST

START_TEST(mixed_blocks_use_the_maximum_up)
{
    struct arena a;

    arena_init(&a, 1024 * 1024);
    ck_assert_ptr_nonnull(arena_take(&a, 64, 1));
    ck_assert_ptr_nonnull(arena_take(&a, 600 * 1024, 1));
    ck_assert_ptr_nonnull(arena_take(&a, 424 * 1024 - 64, 1));
    ck_assert_ptr_null(arena_take(&a, 1, 1));
    arena_fini(&a);
}
END_TEST

START_TEST(overflow_is_refused)
{
    struct arena a;

    arena_init(&a, SIZE_MAX);
    ck_assert_ptr_null(arena_take(&a, SIZE_MAX / 2, 3));
    ck_assert_ptr_null(arena_take(&a, SIZE_MAX, 1));
    ck_assert_ptr_null(arena_zeroed(&a, SIZE_MAX / 4, 8));
    ck_assert_ptr_null(arena_text(&a, "x", SIZE_MAX));
    ck_assert_uint_eq(a.used_bytes, 0);
    arena_fini(&a);
}
END_TEST

START_TEST(zeroed_blocks_are_zero_after_reuse)
{
    struct arena a;

    arena_init(&a, 4096);
    memset(arena_take(&a, 4096, 1), 0xFF, 4096);
    arena_reset(&a);
    const unsigned char *p = arena_zeroed(&a, 1024, 4);
    for (size_t i = 0; i < 4096; i++)
        ck_assert_uint_eq(p[i], 0);
    arena_fini(&a);
}
END_TEST

START_TEST(text_is_copied_and_terminated)
{
    struct arena a;

    arena_init(&a, 4096);
    ck_assert_str_eq(arena_text(&a, "hello world", 5), "hello");
    ck_assert_str_eq(arena_text(&a, NULL, 0), "");
    arena_fini(&a);
}
END_TEST

START_TEST(rewind_gives_back_what_came_after_the_mark)
{
    struct arena a;

    arena_init(&a, 1024 * 1024);
    struct arena_mark empty = arena_mark(&a);
    char *kept = arena_text(&a, "kept", 4);
    struct arena_mark mark = arena_mark(&a);
    void *first = arena_take(&a, 100, 1);
    for (int i = 0; i < 9; i++)
        ck_assert_ptr_nonnull(arena_take(&a, 100 * 1024, 1));
    arena_rewind(&a, mark);
    ck_assert_uint_eq(a.used_bytes, MEM_ALIGN);
    ck_assert_str_eq(kept, "kept");
    ck_assert_ptr_eq(arena_take(&a, 100, 1), first);
    ck_assert_ptr_nonnull(arena_take(&a, 900 * 1024, 1));
    arena_rewind(&a, empty);
    ck_assert_uint_eq(a.used_bytes, 0);
    ck_assert_ptr_nonnull(arena_take(&a, 1024 * 1024, 1));
    arena_fini(&a);
}
END_TEST

START_TEST(reset_keeps_the_largest_chunk)
{
    struct arena a;

    arena_init(&a, 1024 * 1024);
    arena_take(&a, 1, 1);
    arena_take(&a, 500 * 1024, 1);
    arena_take(&a, 200 * 1024, 1);
    arena_reset(&a);
    mem_fail_after(0); /* no allocation may be needed now */
    ck_assert_ptr_nonnull(arena_take(&a, 500 * 1024, 1));
    mem_fail_after(SIZE_MAX);
    arena_fini(&a);
}
END_TEST

START_TEST(no_memory_leaves_the_arena_usable)
{
    struct arena a;

    arena_init(&a, 1024 * 1024);
    mem_fail_after(0);
    ck_assert_ptr_null(arena_take(&a, 10, 1));
    ck_assert_ptr_nonnull(arena_take(&a, 10, 1));
    arena_fini(&a);
    arena_fini(&a);
}
END_TEST

Suite *suite_arena(void)
{
    Suite *s = suite_create("arena");
    TCase *blocks = tcase_create("blocks");
    TCase *bounds = tcase_create("bounds");
    TCase *reuse = tcase_create("reuse");

    tcase_add_test(blocks, blocks_are_aligned_and_do_not_overlap);
    tcase_add_test(blocks, text_is_copied_and_terminated);
    tcase_add_test(bounds, exactly_the_maximum_is_handed_out);
    tcase_add_test(bounds, mixed_blocks_use_the_maximum_up);
    tcase_add_test(bounds, overflow_is_refused);
    tcase_add_test(bounds, no_memory_leaves_the_arena_usable);
    tcase_add_test(reuse, zeroed_blocks_are_zero_after_reuse);
    tcase_add_test(reuse, rewind_gives_back_what_came_after_the_mark);
    tcase_add_test(reuse, reset_keeps_the_largest_chunk);
    suite_add_tcase(s, blocks);
    suite_add_tcase(s, bounds);
    suite_add_tcase(s, reuse);
    return s;
}
