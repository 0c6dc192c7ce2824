/* Memory: alignment, overflow, the fault hook. */
#include "lib/base/mem.h"

#include <check.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

Suite *suite_mem(void);

START_TEST(arrays_are_aligned_and_zeroed)
{
    for (size_t n = 0; n < 300; n += 7) {
        unsigned char *p = mem_array(n, 3);
        ck_assert_ptr_nonnull(p);
        ck_assert_uint_eq((uintptr_t)p % MEM_ALIGN, 0);
        for (size_t i = 0; i < 3 * n; i++)
            ck_assert_uint_eq(p[i], 0);
        memset(p, 0xFF, 3 * n); /* the next one must be cleared again */
        mem_free(p);
    }
}
END_TEST

START_TEST(overflow_is_refused)
{
    size_t product = 42;

    ck_assert_ptr_null(mem_array(SIZE_MAX / 2, 3));
    ck_assert_ptr_null(mem_array(SIZE_MAX, 1));
    ck_assert_ptr_null(mem_raw(SIZE_MAX));
    ck_assert(!mem_mul(SIZE_MAX / 2, 3, &product));
    ck_assert_uint_eq(product, 42);
    ck_assert(mem_mul(6, 7, &product));
    ck_assert_uint_eq(product, 42);
    ck_assert(mem_mul(0, SIZE_MAX, &product));
    ck_assert_uint_eq(product, 0);
}
END_TEST

START_TEST(empty_requests_give_blocks_that_can_be_freed)
{
    void *a = mem_array(0, 8);
    void *b = mem_array(8, 0);
    void *c = mem_raw(0);

    ck_assert(a != NULL && b != NULL && c != NULL);
    mem_free(a);
    mem_free(b);
    mem_free(c);
    mem_free(NULL);
}
END_TEST

START_TEST(text_is_copied)
{
    char original[] = "one";
    char *copy = mem_text(original);

    original[0] = 'x';
    ck_assert_str_eq(copy, "one");
    mem_free(copy);
}
END_TEST

START_TEST(the_chosen_allocation_fails_once)
{
    mem_fail_after(2);
    void *a = mem_array(1, 1);
    char *b = mem_text("b");
    void *c = mem_raw(1);
    void *d = mem_array(1, 1);

    ck_assert_ptr_nonnull(a);
    ck_assert_ptr_nonnull(b);
    ck_assert_ptr_null(c);
    ck_assert_ptr_nonnull(d);
    mem_fail_after(0);
    ck_assert_ptr_null(mem_text("x"));
    mem_fail_after(0);
    mem_fail_after(SIZE_MAX);
    void *e = mem_raw(1);
    ck_assert_ptr_nonnull(e);
    mem_free(a);
    mem_free(b);
    mem_free(d);
    mem_free(e);
}
END_TEST

START_TEST(must_aborts_when_memory_is_out)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        close(STDERR_FILENO);
        mem_fail_after(0);
        mem_must(1, 1);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}
END_TEST

Suite *suite_mem(void)
{
    Suite *s = suite_create("mem");
    TCase *blocks = tcase_create("blocks");
    TCase *faults = tcase_create("faults");

    tcase_add_test(blocks, arrays_are_aligned_and_zeroed);
    tcase_add_test(blocks, overflow_is_refused);
    tcase_add_test(blocks, empty_requests_give_blocks_that_can_be_freed);
    tcase_add_test(blocks, text_is_copied);
    tcase_add_test(faults, the_chosen_allocation_fails_once);
    tcase_add_test(faults, must_aborts_when_memory_is_out);
    suite_add_tcase(s, blocks);
    suite_add_tcase(s, faults);
    return s;
}
