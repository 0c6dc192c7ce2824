/* safetensors: round trips, each refusal of the reference reader, hostile
 * bytes. */
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/data/safetensors.h"
#include "lib/data/safetensors_header.h"
#include "tests/lib/data/hostile.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Suite *suite_safetensors(void);

static char *folder;

static void make_folder(void)
{
    folder = tmp_folder();
}

static void remove_folder(void)
{
    tmp_remove(folder);
}

/* A file of this header and `buffer_bytes` bytes 0, 1, 2 ... after it. */
static char *make_file(const char *header, size_t buffer_bytes, size_t *length)
{
    size_t n = strlen(header);
    *length = 8 + n + buffer_bytes;
    char *file = malloc(*length);
    for (size_t i = 0; i < 8; i++)
        file[i] = (char)(n >> (8 * i) & 255);
    memcpy(file + 8, header, n);
    for (size_t i = 0; i < buffer_bytes; i++)
        file[8 + n + i] = (char)i;
    return file;
}

static enum err_code parse(const void *bytes, size_t length, struct err *e)
{
    struct st_header h;
    enum err_code code = st_header_read(&h, bytes, length, e);
    /* What was accepted can be read to its last byte. */
    volatile unsigned char last = 0;
    for (size_t i = 0; code == ERR_OK && i < h.n; i++) {
        const struct st_tensor *t = &h.entries[i].tensor;
        if (t->bytes > 0)
            last = ((const unsigned char *)t->data)[t->bytes - 1];
    }
    (void)last;
    st_header_fini(&h);
    return code;
}

static void write_three(const char *path, bool backwards)
{
    static const float weight[6] = {1, 2, 3, 4, 5, -6};
    static const int64_t index[2] = {1, -2};
    static const uint8_t flag[3] = {1, 0, 255};
    struct st_tensor tensors[] = {
        {.name = "weight",
         .type = ST_F32,
         .rank = 2,
         .shape = {2, 3},
         .data = weight},
        {.name = "index",
         .type = ST_I64,
         .rank = 1,
         .shape = {2},
         .data = index},
        {.name = "a \"flag\"\n",
         .type = ST_U8,
         .rank = 1,
         .shape = {3},
         .data = flag},
        {.name = "scalar", .type = ST_F32, .rank = 0, .data = weight + 5},
        {.name = "empty", .type = ST_F32, .rank = 2, .shape = {0, 7}},
    };
    if (backwards)
        for (size_t i = 0; i < 2; i++) {
            struct st_tensor t = tensors[i];
            tensors[i] = tensors[4 - i];
            tensors[4 - i] = t;
        }
    const struct st_meta meta[] = {{"format", "sparsed"},
                                   {"config", "{\"steps\": 11}"}};
    struct err e;
    ck_assert_msg(safetensors_write(path, tensors, 5, meta, 2, &e) == ERR_OK,
                  "%s", e.msg);
}

START_TEST(what_is_written_is_read_back)
{
    const char *path = tmp_path(folder, "a.safetensors");
    struct err e;
    write_three(path, false);
    struct safetensors *s = safetensors_open(path, &e);
    ck_assert_msg(s != NULL, "%s", e.msg);
    ck_assert_uint_eq(safetensors_count(s), 5);
    const struct st_tensor *t = safetensors_find(s, "weight");
    ck_assert_ptr_nonnull(t);
    ck_assert_int_eq(t->type, ST_F32);
    ck_assert_uint_eq(t->rank, 2);
    ck_assert_uint_eq(t->shape[0], 2);
    ck_assert_uint_eq(t->shape[1], 3);
    ck_assert_uint_eq(t->count, 6);
    ck_assert_uint_eq(t->bytes, 24);
    ck_assert(((const float *)t->data)[5] == -6.0f);
    t = safetensors_find(s, "index");
    ck_assert(((const int64_t *)t->data)[1] == -2);
    t = safetensors_find(s, "a \"flag\"\n");
    ck_assert_ptr_nonnull(t);
    ck_assert_uint_eq(((const uint8_t *)t->data)[2], 255);
    t = safetensors_find(s, "scalar");
    ck_assert_uint_eq(t->count, 1);
    ck_assert(((const float *)t->data)[0] == -6.0f);
    t = safetensors_find(s, "empty");
    ck_assert_uint_eq(t->count, 0);
    ck_assert_ptr_null(safetensors_find(s, "weigh"));
    ck_assert_ptr_null(safetensors_find(s, "__metadata__"));
    ck_assert_str_eq(safetensors_meta(s, "config"), "{\"steps\": 11}");
    ck_assert_ptr_null(safetensors_meta(s, "none"));
    for (size_t i = 1; i < safetensors_count(s); i++)
        ck_assert_int_lt(
            strcmp(safetensors_at(s, i - 1)->name, safetensors_at(s, i)->name),
            0);
    safetensors_close(s);
}
END_TEST

START_TEST(the_same_tensors_give_the_same_bytes)
{
    size_t n, m;
    struct err e;
    write_three(tmp_path(folder, "a"), false);
    write_three(tmp_path(folder, "b"), true);
    char *a = file_read(tmp_path(folder, "a"), 10000, &n, &e);
    char *b = file_read(tmp_path(folder, "b"), 10000, &m, &e);
    ck_assert_uint_eq(n, m);
    ck_assert_int_eq(memcmp(a, b, n), 0);
    ck_assert_uint_eq((unsigned char)a[0] % 8, 0);
    mem_free(a);
    mem_free(b);
}
END_TEST

START_TEST(tensors_out_of_line_are_copied_into_line)
{
    size_t length;
    struct err e;
    /* The header has an odd length, and a byte stands before the float. */
    char *file = make_file("{\"b\":{\"dtype\":\"U8\",\"shape\":[1],"
                           "\"data_offsets\":[0,1]},"
                           "\"f\":{\"dtype\":\"F32\",\"shape\":[2],"
                           "\"data_offsets\":[1,9]},"
                           "\"d\":{\"dtype\":\"F64\",\"shape\":[],"
                           "\"data_offsets\":[9,17]}} ",
                           17, &length);
    const char *path = tmp_write(folder, "odd", file, length);
    struct safetensors *s = safetensors_open(path, &e);
    ck_assert_msg(s != NULL, "%s", e.msg);
    const struct st_tensor *f = safetensors_find(s, "f");
    const struct st_tensor *d = safetensors_find(s, "d");
    ck_assert_uint_eq((uintptr_t)f->data % 4, 0);
    ck_assert_uint_eq((uintptr_t)d->data % 8, 0);
    ck_assert_int_eq(memcmp(f->data, "\1\2\3\4\5\6\7\10", 8), 0);
    ck_assert_int_eq(memcmp(d->data, "\11\12\13\14\15\16\17\20", 8), 0);
    safetensors_close(s);
    free(file);
}
END_TEST

#define I32(shape, offsets)                                                    \
    "{\"test\":{\"dtype\":\"I32\",\"shape\":" shape                            \
    ",\"data_offsets\":" offsets "}}"
#define TWO(a, b)                                                              \
    "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" a               \
    "},\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" b "}}"

static const struct {
    const char *header;
    size_t buffer_bytes;
    const char *message; /* a part of it; NULL: accepted */
} cases[] = {
    {"{}", 0, NULL},
    {" \n\t{} \n ", 0, NULL},
    {I32("[2,2]", "[0,16]"), 16, NULL},
    {I32("[]", "[0,4]"), 4, NULL},
    {I32("[0,3]", "[0,0]"), 0, NULL},
    {I32("[0,18446744073709551615]", "[0,0]"), 0, NULL},
    {"{\"t\":{\"dtype\":\"U8\",\"more\":[{}],\"shape\":[1],"
     "\"data_offsets\":[0,1]}}",
     1, NULL},
    {TWO("[4,8]", "[0,4]"), 8, NULL},
    {"{\"__metadata__\":{},\"__metadata__x\":{\"dtype\":\"U8\",\"shape\":[0],"
     "\"data_offsets\":[0,0]}}",
     0, NULL},

    {"", 0, "header: "},
    {"{", 0, "header: "},
    {"\xff", 0, "header: "},
    {"{\"a\xff\":1}", 0, "header: "},
    {"[]", 0, "not an object"},
    {"{} {}", 0, "header: "},
    {"{\"t\":1}", 0, "tensor t: not an object"},
    {"{\"t\":{}}", 0, "dtype is missing"},
    {"{\"t\":{\"dtype\":\"U8\",\"shape\":[0]}}", 0, "data_offsets is missing"},
    {"{\"t\":{\"dtype\":\"U8\",\"data_offsets\":[0,0]}}", 0,
     "shape is missing"},
    {"{\"t\":{\"dtype\":\"F4\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
     "dtype \"F4\" is not supported"},
    {"{\"t\":{\"dtype\":32,\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
     "dtype 32"},
    {I32("4", "[0,16]"), 16, "shape is no list"},
    {I32("[-4]", "[0,16]"), 16, "shape is no list"},
    {I32("[4.0]", "[0,16]"), 16, "shape is no list"},
    {I32("[4e0]", "[0,16]"), 16, "shape is no list"},
    {I32("[\"4\"]", "[0,16]"), 16, "shape is no list"},
    {I32("[18446744073709551620]", "[0,16]"), 16, "shape is no list"},
    {I32("[1,1,1,1,1,1,1,1,4]", "[0,16]"), 16, "shape is no list"},
    {I32("[4]", "[0]"), 16, "data_offsets is no pair"},
    {I32("[4]", "[0,16,32]"), 16, "data_offsets is no pair"},
    {I32("[4]", "{}"), 16, "data_offsets is no pair"},
    {I32("[2,18446744073709551614]", "[0,16]"), 16, "overflows"},
    {I32("[4611686018427387904]", "[0,0]"), 0, "overflows"},
    {I32("[4]", "[16,0]"), 16, "before they begin"},
    {I32("[5]", "[0,16]"), 16, "want 20 bytes, data_offsets give 16"},
    {I32("[4]", "[4,20]"), 20, "begins at byte 4"},
    {I32("[4]", "[0,16]"), 14, "take 16 bytes, but 14 follow"},
    {I32("[4]", "[0,16]"), 17, "take 16 bytes, but 17 follow"},
    {"{}", 1, "take 0 bytes, but 1 follow"},
    {I32("[1]", "[9007199254740992,9007199254740996]"), 4, "begins at"},
    {TWO("[0,4]", "[5,9]"), 9, "a hole"},
    {TWO("[0,4]", "[3,7]"), 7, "an overlap"},
    {TWO("[0,4]", "[0,4]"), 4, "an overlap"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
     "\"\\u0061\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
     2, "twice"},
    {"{\"a\\u0000\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}",
     0, "name of tensor"},
    {"{\"__metadata__\":{\"a\":1}}", 0, "__metadata__ a is no text"},
    {"{\"__metadata__\":[]}", 0, "__metadata__ is no object"},
    {"{\"__metadata__\":{\"a\":\"\\u0000\"}}", 0, "__metadata__"},
};

START_TEST(header_is_judged_as_the_reference_reader_does)
{
    size_t length;
    struct err e = {.code = ERR_OK};
    char *file = make_file(cases[_i].header, cases[_i].buffer_bytes, &length);
    enum err_code code = parse(file, length, &e);
    if (cases[_i].message == NULL) {
        ck_assert_msg(code == ERR_OK, "%s: %s", cases[_i].header, e.msg);
    } else {
        ck_assert_msg(code == ERR_CORRUPT, "%s: %s", cases[_i].header,
                      err_name(code));
        ck_assert_msg(strstr(e.msg, cases[_i].message) != NULL,
                      "%s: want '%s', got '%s'", cases[_i].header,
                      cases[_i].message, e.msg);
    }
    free(file);
}
END_TEST

START_TEST(header_length_is_not_believed)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *message;
    } lengths[] = {
        {"", 0, "too short"},
        {"\2\0\0\0\0\0\0", 7, "too short"},
        {"\2\0\0\0\0\0\0\0{", 9, "cut off"},
        {"\x3c\0\0\0\0\xff\xff\xff{}", 10, "more than"},
        {"\xff\xff\xff\xff\xff\xff\xff\xff{}", 10, "more than"},
        {"\1\0\0\1\0\0\0\0{}", 10, "more than"},
        {"\xff\xff\xff\0\0\0\0\0{}", 10, "cut off"},
    };
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct err e = {.code = ERR_OK};
        ck_assert_int_eq(parse(lengths[i].bytes, lengths[i].length, &e),
                         ERR_CORRUPT);
        ck_assert_msg(strstr(e.msg, lengths[i].message) != NULL, "%s", e.msg);
    }
}
END_TEST

START_TEST(no_prefix_and_no_changed_byte_does_harm)
{
    size_t length;
    struct err e;
    const char *path = tmp_path(folder, "a");
    write_three(path, false);
    char *file = file_read(path, 10000, &length, &e);
    hostile_prefixes(file, length, parse);
    ck_assert_uint_gt(hostile_mutations(file, length, parse), 1000);
    mem_free(file);
}
END_TEST

START_TEST(too_many_tensors_are_refused)
{
    size_t room = (size_t)ST_MAX_TENSORS * 80;
    char *header = malloc(room);
    size_t used = 0;
    for (size_t i = 0; i <= ST_MAX_TENSORS; i++)
        used += (size_t)snprintf(header + used, room - used,
                                 "%c\"%zu\":{\"dtype\":\"U8\",\"shape\":[0],"
                                 "\"data_offsets\":[0,0]}",
                                 i == 0 ? '{' : ',', i);
    snprintf(header + used, room - used, "}");
    size_t length;
    char *file = make_file(header, 0, &length);
    struct err e;
    ck_assert_int_eq(parse(file, length, &e), ERR_CORRUPT);
    ck_assert_msg(strstr(e.msg, "4097 tensors, more than 4096"), "%s", e.msg);
    free(header);
    free(file);
}
END_TEST

static enum err_code open_file(void *arg, struct err *e)
{
    struct safetensors *s = safetensors_open(arg, e);
    enum err_code code = s != NULL ? ERR_OK : e->code;
    safetensors_close(s);
    return code;
}

START_TEST(out_of_memory_is_an_error_like_others)
{
    size_t length;
    char *file = make_file("{\"__metadata__\":{\"a\":\"b\"},"
                           "\"\\n\":{\"dtype\":\"F32\",\"shape\":[1],"
                           "\"data_offsets\":[0,4]}}   ",
                           4, &length);
    char path[256];
    snprintf(path, sizeof(path), "%s", tmp_write(folder, "a", file, length));
    hostile_memory(open_file, path);
    free(file);
}
END_TEST

START_TEST(files_that_cannot_be_opened_say_why)
{
    struct err e;
    ck_assert_ptr_null(safetensors_open(tmp_path(folder, "none"), &e));
    ck_assert_int_eq(e.code, ERR_NOT_FOUND);
    ck_assert_ptr_null(safetensors_open(folder, &e));
    ck_assert_int_ne(e.code, ERR_OK);
    ck_assert_ptr_null(
        safetensors_open(tmp_write(folder, "bad", "PK\3\4", 4), &e));
    ck_assert_int_eq(e.code, ERR_CORRUPT);
    ck_assert_ptr_nonnull(strstr(e.msg, "/bad: "));
}
END_TEST

START_TEST(what_cannot_be_written_is_refused)
{
    const char *path = tmp_path(folder, "a");
    struct err e;
    static const uint8_t byte[1] = {7};
    struct st_tensor two[2] = {
        {.name = "x", .type = ST_U8, .rank = 1, .shape = {1}, .data = byte},
        {.name = "x", .type = ST_I8, .rank = 1, .shape = {1}, .data = byte}};
    ck_assert_int_eq(safetensors_write(path, two, 2, NULL, 0, &e), ERR_INVALID);
    two[1].name = "__metadata__";
    ck_assert_int_eq(safetensors_write(path, two, 2, NULL, 0, &e), ERR_INVALID);
    two[1].name = "y";
    two[1].rank = 2;
    two[1].shape[0] = two[1].shape[1] = (size_t)1 << 33;
    ck_assert_int_eq(safetensors_write(path, two, 2, NULL, 0, &e),
                     ERR_TOO_LARGE);
    ck_assert(!file_is_regular(path));
    const char *nowhere = tmp_path(folder, "no/folder/a");
    ck_assert_int_eq(safetensors_write(nowhere, two, 1, NULL, 0, &e),
                     ERR_NOT_FOUND);
}
END_TEST

Suite *suite_safetensors(void)
{
    Suite *s = suite_create("safetensors");
    TCase *t = tcase_create("files");
    tcase_add_checked_fixture(t, make_folder, remove_folder);
    tcase_add_test(t, what_is_written_is_read_back);
    tcase_add_test(t, the_same_tensors_give_the_same_bytes);
    tcase_add_test(t, tensors_out_of_line_are_copied_into_line);
    tcase_add_test(t, files_that_cannot_be_opened_say_why);
    tcase_add_test(t, what_cannot_be_written_is_refused);
    suite_add_tcase(s, t);
    t = tcase_create("hostile files");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, make_folder, remove_folder);
    tcase_add_loop_test(t, header_is_judged_as_the_reference_reader_does, 0,
                        sizeof(cases) / sizeof(cases[0]));
    tcase_add_test(t, header_length_is_not_believed);
    tcase_add_test(t, no_prefix_and_no_changed_byte_does_harm);
    tcase_add_test(t, too_many_tensors_are_refused);
    tcase_add_test(t, out_of_memory_is_an_error_like_others);
    suite_add_tcase(s, t);
    return s;
}
