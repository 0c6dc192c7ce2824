/* Versions: listed with where they come from, put into service. */
#include "tests/api/client.h"

#include "lib/store/versions.h"

#include <check.h>
#include <string.h>

Suite *suite_versions(void);

#define SMALL "/v1/models/small/"
#define ONE "{\"inputs\":[[0,1,0,1,0,1]]}"

static struct client c;

static void setup(void)
{
    client_open(&c);
    client_learn(&c);
    c.finishes = true;
}

static void teardown(void)
{
    client_close(&c);
}

static int post(const char *path)
{
    c.request.content_type = NULL;
    return client_send(&c, "POST", path, NULL, 0);
}

static uint64_t recorded(void)
{
    struct err e = {0};
    uint64_t version;
    struct database *db = store_begin_read(c.learning.store, &e);

    ck_assert_msg(db != NULL, "%s", e.msg);
    ck_assert_int_eq(versions_get_service(db, "small", &version, &e), ERR_OK);
    store_end_read(c.learning.store, db);
    return version;
}

START_TEST(a_version_goes_into_service_and_back)
{
    client_post(&c, SMALL "encode", ONE);
    ck_assert(client_number(&c, "version") == 2);
    ck_assert_int_eq(post(SMALL "versions/1/activate"), 200);
    ck_assert_str_eq(client_text(&c, "model"), "small");
    ck_assert(client_number(&c, "version") == 1);
    ck_assert(client_number(&c, "previous") == 2);
    ck_assert_uint_eq(recorded(), 1);
    client_post(&c, SMALL "encode", ONE);
    ck_assert(client_number(&c, "version") == 1);
    ck_assert_int_eq(post(SMALL "versions/2/activate"), 200);
    ck_assert(client_number(&c, "previous") == 1);
    ck_assert_int_eq(post(SMALL "versions/2/activate"), 200);
    ck_assert(client_number(&c, "previous") == 2);
    ck_assert_uint_eq(recorded(), 2);
    ck_assert_uint_eq(c.n_waited, 3);
}
END_TEST

START_TEST(versions_that_are_not_there_stay_out)
{
    post(SMALL "versions/3/activate");
    client_refused(&c, 404, "no version 3");
    post("/v1/models/nobody/versions/1/activate");
    client_refused(&c, 404, "nobody");
    post(SMALL "versions/0/activate");
    client_refused(&c, 404, "no such path");
    client_post(&c, SMALL "versions/1/activate", "{}");
    client_refused(&c, 413, "takes no body");
    ck_assert_uint_eq(recorded(), 0);
    client_get(&c, SMALL "versions");
    ck_assert_ptr_nonnull(
        strstr(c.response.body.data, "{\"version\":2,\"in_service\":true"));
}
END_TEST

static enum err_code add(struct store_work *w, struct database *db,
                         struct err *e)
{
    const struct stored_version v = {.model = "small",
                                     .version = 1001,
                                     .parent = 2,
                                     .job = 5,
                                     .created_ms = 1700000000123};

    (void)w;
    return versions_add(db, &v, e);
}

START_TEST(a_list_says_where_versions_come_from)
{
    struct store_work work = {.run = add};
    struct err e = {0};

    ck_assert_int_eq(store_write(c.learning.store, &work, &e), ERR_OK);
    client_add_small(&c, 1001);
    ck_assert_int_eq(client_get(&c, SMALL "versions"), 200);
    ck_assert_uint_eq(client_count(&c, "versions"), 3);
    ck_assert_ptr_null(client_find(&c, "versions[0].parent"));
    ck_assert_ptr_null(client_find(&c, "versions[0].job"));
    ck_assert_ptr_null(client_find(&c, "versions[0].created"));
    ck_assert(client_number(&c, "versions[2].version") == 1001);
    ck_assert(client_number(&c, "versions[2].parent") == 2);
    ck_assert(client_number(&c, "versions[2].job") == 5);
    ck_assert_str_eq(client_text(&c, "versions[2].created"),
                     "2023-11-14T22:13:20.123Z");
    ck_assert_int_eq(post(SMALL "versions/1001/activate"), 200);
}
END_TEST

Suite *suite_versions(void)
{
    Suite *s = suite_create("versions");
    TCase *t = tcase_create("service");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_version_goes_into_service_and_back);
    tcase_add_test(t, versions_that_are_not_there_stay_out);
    tcase_add_test(t, a_list_says_where_versions_come_from);
    suite_add_tcase(s, t);
    return s;
}
