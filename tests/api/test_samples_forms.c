/* Samples by every other form of body: NDJSON, npy, npz, a picture. */
#include "tests/api/client.h"

#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/data/image.h"
#include "lib/data/npy.h"
#include "lib/data/npz.h"
#include "tests/support/tmp.h"
#include "tests/support/zip.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

Suite *suite_samples_forms(void);

#define SAMPLES "/v1/models/small/samples"

static const float two[] = {0, 0.25f, 0.5f, 1, 0, 1, 1, 1, 0, 0, 0.75f, 0};

static struct client c;

static void setup(void)
{
    client_open(&c);
    client_learn(&c);
}

static void teardown(void)
{
    client_close(&c);
}

static int post(const char *type, const char *path, const void *body,
                size_t length)
{
    c.request.content_type = type;
    return client_send(&c, "POST", path, body, length);
}

static int post_lines(const char *text)
{
    return post("application/x-ndjson", SAMPLES, text, strlen(text));
}

/* The label of each sample in order; NULL: none. */
static void check_labels(const char *const *labels, size_t n)
{
    ck_assert_int_eq(client_get(&c, SAMPLES "?inputs=true"), 200);
    ck_assert_uint_eq(client_count(&c, "samples"), n);
    for (size_t i = 0; i < n; i++) {
        char path[40];
        snprintf(path, sizeof path, "samples[%zu].label", i);
        if (labels[i] == NULL)
            ck_assert_ptr_null(client_find(&c, path));
        else
            ck_assert_str_eq(client_text(&c, path), labels[i]);
    }
}

START_TEST(lines_are_samples)
{
    static const float second[] = {1, 1, 0, 0, 0.75f, 0};

    ck_assert_int_eq(
        post_lines("{\"input\":[0,0,0,0,0,1],\"label\":\"a\"}\n"
                   "\r\n"
                   "{\"label\":null,\"input\":[[1,1,0],[0,0.75,0]]}\r\n"
                   "  \n"
                   "{ \"input\": [0,0,0,0,0,0] }"),
        201);
    ck_assert(client_number(&c, "accepted") == 3);
    check_labels((const char *const[]){"a", NULL, NULL}, 3);
    client_same_floats(&c, "samples[1].input", second, 6);
}
END_TEST

START_TEST(wrong_lines_are_numbered_and_keep_nothing)
{
#define GOOD "{\"input\":[0,0,0,0,0,1]}\n"
    static const struct {
        const char *body;
        int status;
        const char *words;
    } cases[] = {
        {GOOD "\n{\"input\":[0,0,1]}", 422, "line 3: inputs[1]: want 6"},
        {GOOD "{\"input\":[0,0,0,0,0,1],\"label\":7}", 422,
         "line 2: label: want"},
        {GOOD "{\"label\":\"a\"}", 422, "line 2: input: missing"},
        {GOOD "[0,0,0,0,0,1]", 422, "line 2"},
        {GOOD "{\"input\":[0,0,0,0,0,1],\"weight\":1}", 422,
         "line 2: unknown member \"weight\""},
        {GOOD "{\"input\":[0,0,0,0,0,1]", 400, "line 2: JSON"},
        {GOOD GOOD "x", 400, "line 3: JSON"},
        {GOOD "{\"input\":7}", 422, "line 2"},
        {"\n \n", 422, "empty"},
        {"", 422, "empty"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        post_lines(cases[i].body);
        client_refused(&c, cases[i].status, cases[i].words);
    }
    check_labels(NULL, 0);
}
END_TEST

START_TEST(lines_have_a_limit)
{
    char *text = mem_raw(1100 * sizeof GOOD);
    size_t used = 0;

    for (int i = 0; i < 1025; i++, used += sizeof GOOD - 1)
        memcpy(text + used, GOOD, sizeof GOOD);
    post_lines(text);
    client_refused(&c, 413, "1024");
    text[1024 * (sizeof GOOD - 1)] = 0;
    ck_assert_int_eq(post_lines(text), 201);
    ck_assert(client_number(&c, "accepted") == 1024);
    /* Many lines with too little on them take no room for rows. */
    memset(text, '\n', 600);
    for (int i = 0; i < 200; i++)
        memcpy(text + 3 * i, "{}", 2);
    text[600] = 0;
    post_lines(text);
    client_refused(&c, 422, "line 1: input: missing");
    mem_free(text);
}
END_TEST

START_TEST(npy_rows_share_a_label)
{
    struct buf b;

    buf_init(&b, 4096);
    npy_print_floats(&b, (const size_t[]){2, 6}, 2, two);
    ck_assert_int_eq(
        post("application/x-npy", SAMPLES "?label=caf%C3%A9", b.data, b.length),
        201);
    ck_assert_int_eq(post("application/x-npy", SAMPLES, b.data, b.length), 201);
    check_labels(
        (const char *const[]){"caf\xc3\xa9", "caf\xc3\xa9", NULL, NULL}, 4);
    client_same_floats(&c, "samples[1].input", two + 6, 6);
    post("application/x-npy", SAMPLES "?label=a%07", b.data, b.length);
    client_refused(&c, 422, "label: byte 1 is a control character");
    buf_fini(&b);
}
END_TEST

START_TEST(a_label_in_the_query_is_for_arrays_and_pictures)
{
    c.request.content_type = "application/json";
    client_post(&c, SAMPLES "?label=a", "{\"inputs\":[[0,1,0,1,0,1]]}");
    client_refused(&c, 422, "label: goes with a picture or npy");
}
END_TEST

START_TEST(a_picture_is_one_sample)
{
    uint8_t pixels[] = {0, 51, 102, 153, 204, 255};
    const struct image image = {
        .width = 3, .height = 2, .channels = 1, .pixels = pixels};
    const float want[] = {0, 0.2f, 0.4f, 0.6f, 0.8f, 1};
    struct err e = {0};
    struct buf b;

    buf_init(&b, 4096);
    ck_assert_int_eq(image_encode_png(&b, &image, &e), ERR_OK);
    ck_assert_int_eq(post("image/png", SAMPLES "?label=b", b.data, b.length),
                     201);
    check_labels((const char *const[]){"b"}, 1);
    client_same_floats(&c, "samples[0].input", want, 6);
    post("image/png", "/v1/models/bare/samples", b.data, b.length);
    client_refused(&c, 422, "not pictures");
    buf_fini(&b);
}
END_TEST

/* Writes an archive and posts it. */
static int post_npz(const struct npz_array *arrays, size_t n)
{
    const char *path = tmp_path(c.folder, "samples.npz");
    struct err e = {0};
    size_t length;

    ck_assert_int_eq(npz_write(path, arrays, n, &e), ERR_OK);
    char *bytes = file_read(path, 1 << 20, &length, &e);
    ck_assert_msg(bytes != NULL, "%s", e.msg);
    int status = post("application/x-npz", SAMPLES, bytes, length);
    mem_free(bytes);
    return status;
}

START_TEST(whole_numbers_are_classes_or_texts)
{
    static const long long y[] = {1, 12};
    const struct npz_array arrays[] = {
        {.key = "x", .rank = 3, .shape = {2, 2, 3}, .floats = two},
        {.key = "y", .rank = 1, .shape = {2}, .ints = y},
    };

    ck_assert_int_eq(post_npz(arrays, 2), 201);
    ck_assert_int_eq(post_npz(arrays, 1), 201);
    check_labels((const char *const[]){"b", "12", NULL, NULL}, 4);
    client_same_floats(&c, "samples[1].input", two + 6, 6);
}
END_TEST

/* Texts of three, two of them, as numpy.savez writes them. */
static int post_texts(const char *texts, size_t length)
{
    static const char dict[] = "{'descr': '<U3', 'fortran_order': False, "
                               "'shape': (2,), }";
    struct buf x, y, zip;

    buf_init(&x, 4096);
    buf_init(&y, 4096);
    npy_print_floats(&x, (const size_t[]){2, 6}, 2, two);
    buf_add(&y, "\x93NUMPY\1", 8);
    buf_char(&y, sizeof dict - 1);
    buf_char(&y, 0);
    buf_text(&y, dict);
    buf_add(&y, texts, length);
    const struct zip_member members[] = {
        {.name = "x.npy", .data = x.data, .length = x.length},
        {.name = "y.npy", .data = y.data, .length = y.length},
    };
    zip_lay(&zip, members, 2);
    int status = post("application/x-npz", SAMPLES, zip.data, zip.length);
    buf_fini(&zip);
    buf_fini(&y);
    buf_fini(&x);
    return status;
}

START_TEST(texts_are_labels_as_they_are)
{
    static const char good[24] = "\xe9\0\0\0t";
    static const char bad[24] = "a\0\0\0\n";

    ck_assert_int_eq(post_texts(good, 24), 201);
    check_labels((const char *const[]){"\xc3\xa9t", NULL}, 2);
    post_texts(bad, 24);
    client_refused(&c, 422, "y[0]: byte 1 is a control character");
}
END_TEST

START_TEST(wrong_archives_are_refused)
{
    static const long long y[] = {1, 2, 3};
    const struct npz_array wrong[] = {
        {.key = "x", .rank = 2, .shape = {2, 6}, .floats = two},
        {.key = "y", .rank = 1, .shape = {3}, .ints = y},
        {.key = "x", .rank = 2, .shape = {3, 4}, .floats = two},
        {.key = "z", .rank = 1, .shape = {3}, .ints = y},
    };
    static const long long signs[] = {0, -1};
    const struct npz_array negative[] = {
        wrong[0], {.key = "y", .rank = 1, .shape = {2}, .ints = signs}};
    const struct npz_array floats[] = {
        wrong[0], {.key = "y", .rank = 1, .shape = {2}, .floats = two}};

    post_npz(wrong, 2);
    client_refused(&c, 422, "y: want one label an input");
    post_npz(wrong + 2, 1);
    client_refused(&c, 422, "want an array of shape (B,6)");
    post_npz(wrong + 3, 1);
    client_refused(&c, 422, "x.npy");
    post_npz(floats, 2);
    client_refused(&c, 422, "y: want whole numbers or texts");
    post_npz(negative, 2);
    client_refused(&c, 422, "y[1]: want class indices from 0, got -1");
    post("application/x-npz", SAMPLES, "PK", 2);
    client_refused(&c, 400, "");
    post("text/csv", SAMPLES, "1,2", 3);
    client_refused(&c, 415, "application/x-ndjson, application/x-npz");
    check_labels(NULL, 0);
}
END_TEST

Suite *suite_samples_forms(void)
{
    Suite *s = suite_create("samples_forms");
    TCase *t = tcase_create("forms");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, lines_are_samples);
    tcase_add_test(t, wrong_lines_are_numbered_and_keep_nothing);
    tcase_add_test(t, lines_have_a_limit);
    tcase_add_test(t, npy_rows_share_a_label);
    tcase_add_test(t, a_label_in_the_query_is_for_arrays_and_pictures);
    tcase_add_test(t, a_picture_is_one_sample);
    tcase_add_test(t, whole_numbers_are_classes_or_texts);
    tcase_add_test(t, texts_are_labels_as_they_are);
    tcase_add_test(t, wrong_archives_are_refused);
    suite_add_tcase(s, t);
    return s;
}
