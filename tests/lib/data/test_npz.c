/* npz: round trips, members that lie about their size, hostile bytes. The
 * archives are laid by hand (zip.h), so that every field can lie. */
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/data/npz.h"
#include "tests/lib/data/hostile.h"
#include "tests/support/tmp.h"
#include "tests/support/zip.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

Suite *suite_npz(void);

/* A small npy file: (2,3) floats 0 to 5. */
static void print_small(struct buf *b)
{
    static const float values[6] = {0, 1, 2, 3, 4, 5};
    const size_t shape[2] = {2, 3};
    buf_init(b, 1000);
    npy_print_floats(b, shape, 2, values);
}

static enum err_code read_x(const void *bytes, size_t length, size_t max_bytes,
                            struct npy *x, float *values, struct err *e)
{
    struct npz *z = npz_open(bytes, length, max_bytes, e);
    enum err_code code = z != NULL ? npz_read(z, "x", x, e) : e->code;
    if (code == ERR_OK && x->count <= 6)
        npy_to_floats(x, values);
    npz_close(z);
    return code;
}

static enum err_code parse(const void *bytes, size_t length, struct err *e)
{
    struct npy x;
    float values[6];
    return read_x(bytes, length, 10000, &x, values, e);
}

START_TEST(stored_and_deflated_members_are_read)
{
    struct buf npy, zip;
    struct npy x;
    struct err e;
    float values[6] = {0};
    print_small(&npy);
    for (int k = 0; k < 2; k++) {
        struct zip_member m = {.name = "x.npy",
                               .data = npy.data,
                               .length = npy.length,
                               .method = k == 0 ? ZIP_STORED : ZIP_DEFLATED};
        zip_lay(&zip, &m, 1);
        ck_assert_msg(
            read_x(zip.data, zip.length, npy.length, &x, values, &e) == ERR_OK,
            "%s", e.msg);
        ck_assert_uint_eq(x.rank, 2);
        ck_assert(values[5] == 5);
        ck_assert_int_eq(
            read_x(zip.data, zip.length, npy.length - 1, &x, values, &e),
            ERR_TOO_LARGE);
        ck_assert_ptr_nonnull(strstr(e.msg, "x.npy: "));
        buf_fini(&zip);
    }
    buf_fini(&npy);
}
END_TEST

START_TEST(members_share_one_limit_and_are_inflated_once)
{
    struct buf npy, zip;
    struct npy x;
    struct err e;
    print_small(&npy);
    struct zip_member m[2] = {
        {.name = "x.npy", .data = npy.data, .length = npy.length},
        {.name = "y.npy", .data = npy.data, .length = npy.length}};
    zip_lay(&zip, m, 2);
    struct npz *z = npz_open(zip.data, zip.length, npy.length, &e);
    ck_assert_ptr_nonnull(z);
    ck_assert(npz_has(z, "x") && npz_has(z, "y") && !npz_has(z, "z"));
    ck_assert_int_eq(npz_read(z, "x", &x, &e), ERR_OK);
    ck_assert_int_eq(npz_read(z, "x", &x, &e), ERR_OK);
    ck_assert_int_eq(npz_read(z, "y", &x, &e), ERR_TOO_LARGE);
    ck_assert_int_eq(npz_read(z, "z", &x, &e), ERR_NOT_FOUND);
    npz_close(z);
    buf_fini(&zip);
    buf_fini(&npy);
}
END_TEST

START_TEST(members_that_lie_are_refused)
{
    struct buf npy;
    print_small(&npy);
    const struct {
        struct zip_member member;
        const char *message;
    } cases[] = {
        {{.method = ZIP_DEFLATED, .claimed = 900000}, "cannot hold them"},
        {{.method = ZIP_STORED, .claimed = 200}, ""},
        {{.method = ZIP_DEFLATED, .claimed = 200}, ""},
        {{.method = ZIP_DEFLATED, .claimed = 100}, ""},
        {{.method = 12}, "compression method 12"},
        {{.method = ZIP_STORED, .flags = 1}, "encrypted"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct zip_member m = cases[i].member;
        struct buf zip;
        struct npy x;
        float values[6];
        struct err e = {.code = ERR_OK};
        m.name = "x.npy";
        m.data = npy.data;
        m.length = npy.length;
        zip_lay(&zip, &m, 1);
        ck_assert_msg(read_x(zip.data, zip.length, 1 << 20, &x, values, &e) ==
                          ERR_INVALID,
                      "case %zu: %s", i, e.msg);
        ck_assert_msg(strstr(e.msg, cases[i].message) != NULL, "case %zu: %s",
                      i, e.msg);
        buf_fini(&zip);
    }
    buf_fini(&npy);
}
END_TEST

START_TEST(a_wrong_checksum_is_found)
{
    struct buf npy, zip;
    struct err e;
    print_small(&npy);
    struct zip_member m = {
        .name = "x.npy", .data = npy.data, .length = npy.length};
    zip_lay(&zip, &m, 1);
    zip.data[30 + 5 + npy.length - 1] ^= 1; /* in the last float */
    ck_assert_int_eq(parse(zip.data, zip.length, &e), ERR_INVALID);
    buf_fini(&zip);
    buf_fini(&npy);
}
END_TEST

START_TEST(too_many_members_are_refused)
{
    struct zip_member m[NPZ_MAX_MEMBERS + 1];
    char names[NPZ_MAX_MEMBERS + 1][16];
    struct buf zip;
    struct err e;
    for (size_t i = 0; i <= NPZ_MAX_MEMBERS; i++) {
        snprintf(names[i], sizeof(names[i]), "%zu.npy", i);
        m[i] = (struct zip_member){.name = names[i], .data = "", .length = 0};
    }
    zip_lay(&zip, m, NPZ_MAX_MEMBERS + 1);
    ck_assert_ptr_null(npz_open(zip.data, zip.length, 1000, &e));
    ck_assert_int_eq(e.code, ERR_TOO_LARGE);
    ck_assert_ptr_nonnull(strstr(e.msg, "65 members, more than 64"));
    buf_fini(&zip);
}
END_TEST

START_TEST(no_prefix_and_no_changed_byte_does_harm)
{
    struct buf npy, zip;
    print_small(&npy);
    struct zip_member m = {.name = "x.npy",
                           .data = npy.data,
                           .length = npy.length,
                           .method = ZIP_DEFLATED};
    zip_lay(&zip, &m, 1);
    hostile_prefixes(zip.data, zip.length, parse);
    ck_assert_uint_gt(hostile_mutations(zip.data, zip.length, parse), 500);
    buf_fini(&zip);
    buf_fini(&npy);
}
END_TEST

static const float floats[4] = {1, 2, 3, -4};
static const long long ints[2] = {7, -1};
static const struct npz_array two[] = {
    {.key = "x", .rank = 2, .shape = {2, 2}, .floats = floats},
    {.key = "y", .rank = 1, .shape = {2}, .ints = ints},
};

static enum err_code write_and_read(void *path, struct err *e)
{
    if (npz_write(path, two, 2, e) != ERR_OK)
        return e->code;
    size_t length;
    const unsigned char *map = file_map(path, &length, e);
    if (map == NULL)
        return e->code;
    struct npz *z = npz_open(map, length, 10000, e);
    struct npy x, y;
    enum err_code code = z == NULL ? e->code : npz_read(z, "x", &x, e);
    if (code == ERR_OK)
        code = npz_read(z, "y", &y, e);
    if (code == ERR_OK) {
        float got[4];
        long long labels[2];
        ck_assert_uint_eq(x.rank, 2);
        npy_to_floats(&x, got);
        ck_assert(got[3] == -4);
        ck_assert_int_eq(npy_to_int64(&y, labels, e), ERR_OK);
        ck_assert(labels[1] == -1);
    }
    npz_close(z);
    file_unmap(map, length);
    return code;
}

START_TEST(what_is_written_is_read_back_and_always_the_same)
{
    char *folder = tmp_folder();
    char path[256], again[256];
    struct err e;
    size_t n, m;
    snprintf(path, sizeof(path), "%s/a.npz", folder);
    snprintf(again, sizeof(again), "%s/b.npz", folder);
    ck_assert_msg(write_and_read(path, &e) == ERR_OK, "%s", e.msg);
    ck_assert_int_eq(npz_write(again, two, 2, &e), ERR_OK);
    char *a = file_read(path, 10000, &n, &e);
    char *b = file_read(again, 10000, &m, &e);
    ck_assert_uint_eq(n, m);
    ck_assert_int_eq(memcmp(a, b, n), 0);
    mem_free(a);
    mem_free(b);
    snprintf(path, sizeof(path), "%s/no/a.npz", folder);
    ck_assert_int_eq(npz_write(path, two, 2, &e), ERR_NOT_FOUND);
    tmp_remove(folder);
}
END_TEST

START_TEST(out_of_memory_is_an_error_like_others)
{
    char *folder = tmp_folder();
    char path[256];
    snprintf(path, sizeof(path), "%s/a.npz", folder);
    hostile_memory(write_and_read, path);
    tmp_remove(folder);
}
END_TEST

Suite *suite_npz(void)
{
    Suite *s = suite_create("npz");
    TCase *t = tcase_create("files");
    tcase_add_test(t, stored_and_deflated_members_are_read);
    tcase_add_test(t, members_share_one_limit_and_are_inflated_once);
    tcase_add_test(t, what_is_written_is_read_back_and_always_the_same);
    suite_add_tcase(s, t);
    t = tcase_create("hostile files");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, members_that_lie_are_refused);
    tcase_add_test(t, a_wrong_checksum_is_found);
    tcase_add_test(t, too_many_members_are_refused);
    tcase_add_test(t, no_prefix_and_no_changed_byte_does_harm);
    tcase_add_test(t, out_of_memory_is_an_error_like_others);
    suite_add_tcase(s, t);
    return s;
}
