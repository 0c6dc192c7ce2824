/* Listings, descriptions, pictures, units and health. */
#include "tests/api/client.h"

#include "lib/data/image.h"
#include "tests/support/near.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

Suite *suite_models(void);

static struct client c;

static void setup(void)
{
    client_open(&c);
}

static void teardown(void)
{
    client_close(&c);
}

START_TEST(the_list_has_every_model)
{
    ck_assert_int_eq(client_get(&c, "/v1/models"), 200);
    ck_assert_uint_eq(client_count(&c, "models"), 4);
    ck_assert_str_eq(client_text(&c, "models[0].name"), "bare");
    ck_assert_str_eq(client_text(&c, "models[2].name"), "small");
    ck_assert(client_number(&c, "models[2].version") == 2);
    ck_assert_uint_eq(client_count(&c, "models[2].versions"), 2);
    ck_assert_uint_eq(client_count(&c, "models[2].input.shape"), 2);
    ck_assert(client_number(&c, "models[2].input.size") == 6);
    ck_assert(client_number(&c, "models[0].input.range[0]") == -1);
    ck_assert(client_number(&c, "models[2].code_size") == 5);
    ck_assert(client_number(&c, "models[2].class_count") == 3);
    ck_assert(client_number(&c, "models[0].class_count") == 0);
    ck_assert(client_number(&c, "models[3].code_size") == 3);
    ck_assert(client_number(&c, "models[2].parameter_count") > 0);
    ck_assert_uint_eq(client_count(&c, "models[2].actions"), 6);
    ck_assert_uint_eq(client_count(&c, "models[0].actions"), 3);
    ck_assert_str_eq(client_text(&c, "models[0].actions[2]"), "infer");
}
END_TEST

START_TEST(actions_are_the_routes_that_work)
{
    static const char *const names[] = {"encode",   "pool",   "reconstruct",
                                        "classify", "decode", "infer"};

    for (size_t model = 0; model < 4; model++) {
        char path[64], name[32], known[400] = "";
        ck_assert_int_eq(client_get(&c, "/v1/models"), 200);
        snprintf(path, sizeof path, "models[%zu].name", model);
        snprintf(name, sizeof name, "%s", client_text(&c, path));
        snprintf(path, sizeof path, "models[%zu].actions", model);
        for (const struct json *j = json_first(client_find(&c, path));
             j != NULL; j = json_next(j)) {
            size_t used = strlen(known);
            snprintf(known + used, sizeof known - used, "%s ", json_text(j));
        }
        for (size_t i = 0; i < 6; i++) {
            snprintf(path, sizeof path, "/v1/models/%s/%s", name, names[i]);
            int status = client_post(&c, path, "{}");
            bool listed = strstr(known, names[i]) != NULL;
            ck_assert_msg(status == (listed ? 422 : 409), "%s: %d, %s", path,
                          status, known);
        }
    }
}
END_TEST

START_TEST(one_model_is_described_in_full)
{
    ck_assert_int_eq(client_get(&c, "/v1/models/small"), 200);
    ck_assert_str_eq(client_text(&c, "name"), "small");
    ck_assert(json_bool(client_find(&c, "in_service")));
    ck_assert_str_eq(client_text(&c, "classes[1]"), "b");
    ck_assert(json_bool(client_find(&c, "preprocess.scales_rows")));
    ck_assert_uint_eq(client_count(&c, "layers"), 1);
    ck_assert(client_number(&c, "layers[0].inputs") == 6);
    ck_assert(client_number(&c, "layers[0].units") == 5);
    ck_assert_uint_eq(client_count(&c, "layers[0].code_shape"), 1);
    ck_assert(json_bool(client_find(&c, "layers[0].decoder")));
    ck_assert_str_eq(client_text(&c, "config.layers[0].encoder.kind"),
                     "recurrent");
    ck_assert_ptr_nonnull(strstr(c.response.body.data, "\"metrics\":null"));
    ck_assert(client_number(&c, "rehearsal") == 0);
    ck_assert_int_eq(client_get(&c, "/v1/models/bare"), 200);
    ck_assert_ptr_nonnull(strstr(c.response.body.data, "\"classes\":null"));
}
END_TEST

START_TEST(versions_are_listed_and_described)
{
    ck_assert_int_eq(client_get(&c, "/v1/models/small/versions"), 200);
    ck_assert_str_eq(client_text(&c, "model"), "small");
    ck_assert_uint_eq(client_count(&c, "versions"), 2);
    ck_assert(client_number(&c, "versions[0].version") == 1);
    ck_assert(!json_bool(client_find(&c, "versions[0].in_service")));
    ck_assert(json_bool(client_find(&c, "versions[1].in_service")));
    ck_assert_int_eq(client_get(&c, "/v1/models/small/versions/1"), 200);
    ck_assert(client_number(&c, "version") == 1);
    ck_assert(!json_bool(client_find(&c, "in_service")));
    client_get(&c, "/v1/models/none/versions");
    client_refused(&c, 404, "none");
}
END_TEST

START_TEST(unknown_query_parameters_are_refused_under_v1_only)
{
    client_get(&c, "/v1/models?top=3");
    client_refused(&c, 422, "\"top\"");
    client_get(&c, "/v1/models/small?x");
    client_refused(&c, 422, "no options");
    ck_assert_int_eq(client_get(&c, "/healthz?x=1"), 200);
}
END_TEST

START_TEST(atoms_are_a_picture_with_a_tag)
{
    struct image image = {0};
    struct err e = {0};
    char tag[64];

    ck_assert_int_eq(client_get(&c, "/v1/models/small/atoms.png"), 200);
    ck_assert_str_eq(c.response.content_type, "image/png");
    ck_assert_msg(image_decode(&image, c.response.body.data,
                               c.response.body.length, 1, &e) == ERR_OK,
                  "%s", e.msg);
    image_fini(&image);
    snprintf(tag, sizeof tag, "\"other\", W/%s", client_header(&c, "ETag"));
    c.request.if_none_match = tag;
    ck_assert_int_eq(client_get(&c, "/v1/models/small/atoms.png"), 304);
    ck_assert_uint_eq(c.response.body.length, 0);
    ck_assert_ptr_nonnull(client_header(&c, "ETag"));
    c.request.if_none_match = "*";
    ck_assert_int_eq(client_get(&c, "/v1/models/small/atoms.png"), 304);
    c.request.if_none_match = "\"0123456789abcdef\"";
    ck_assert_int_eq(client_get(&c, "/v1/models/small/atoms.png"), 200);
    c.request.if_none_match = NULL;
    ck_assert_int_eq(client_get(&c, "/v1/models/small/versions/1/atoms.png"),
                     200);
    ck_assert_int_eq(
        client_get(&c, "/v1/models/tall/atoms.png?layer=1&max_side=64"), 200);
    client_get(&c, "/v1/models/tall/atoms.png?layer=2");
    client_refused(&c, 422, "layer");
    client_get(&c, "/v1/models/small/atoms.png?max_side=1");
    client_refused(&c, 422, "max_side");
    client_get(&c, "/v1/models/bare/atoms.png");
    client_refused(&c, 409, "decoder");
    ck_assert_int_eq(client_get(&c, "/v1/models/small/atoms.png?view=atoms"),
                     200);
    client_get(&c, "/v1/models/small/atoms.png?view=orientation");
    client_refused(&c, 409, "no pictures of at least 3 x 3");
    client_get(&c, "/v1/models/small/atoms.png?view=Atoms");
    client_refused(&c, 422, "view: want \"atoms\" or \"orientation\"");
}
END_TEST

START_TEST(a_unit_shows_its_atom_and_votes)
{
    double sum = 0;

    ck_assert_int_eq(client_get(&c, "/v1/models/small/units/3"), 200);
    ck_assert(client_number(&c, "unit") == 3);
    ck_assert_uint_eq(client_count(&c, "atom"), 6);
    for (size_t i = 0; i < 6; i++) {
        char path[16];
        snprintf(path, sizeof path, "atom[%zu]", i);
        sum += client_number(&c, path) * client_number(&c, path);
    }
    near(client_number(&c, "norm"), sqrt(sum), 1e-5);
    ck_assert_uint_eq(client_count(&c, "votes"), 3);
    ck_assert_str_eq(client_text(&c, "votes[2].class"), "c");
    client_number(&c, "votes[2].weight");
    client_get(&c, "/v1/models/small/units/5");
    client_refused(&c, 404, "units 0 to 4");
    ck_assert_int_eq(client_get(&c, "/v1/models/bare/units/0"), 200);
    ck_assert_ptr_null(client_find(&c, "atom"));
    ck_assert_ptr_null(client_find(&c, "votes"));
    ck_assert_int_eq(client_get(&c, "/v1/models/tall/units/4?layer=0"), 200);
    ck_assert_ptr_null(client_find(&c, "votes"));
    client_get(&c, "/v1/models/tall/units/4");
    client_refused(&c, 404, "units 0 to 2");
}
END_TEST

/* ---- health ---- */

static bool yes(void *arg)
{
    (void)arg;
    return true;
}

START_TEST(a_live_program_says_so)
{
    ck_assert_int_eq(client_get(&c, "/healthz"), 200);
    ck_assert_str_eq(client_text(&c, "status"), "ok");
}
END_TEST

START_TEST(ready_is_ready_with_all_models)
{
    ck_assert_int_eq(client_get(&c, "/readyz"), 200);
    ck_assert_str_eq(client_text(&c, "status"), "ready");
    ck_assert(client_number(&c, "models") == 4);
    ck_assert_ptr_null(client_find(&c, "reasons"));
}
END_TEST

START_TEST(draining_and_loading_are_not_ready)
{
    struct registry *registry = c.api.registry;

    c.api.draining = yes;
    ck_assert_int_eq(client_get(&c, "/readyz"), 503);
    ck_assert_str_eq(client_text(&c, "status"), "draining");
    c.api.draining = NULL;
    c.api.registry = NULL;
    ck_assert_int_eq(client_get(&c, "/readyz"), 503);
    ck_assert_str_eq(client_text(&c, "status"), "loading");
    c.api.registry = registry;
}
END_TEST

START_TEST(a_missing_folder_is_not_ready_unless_it_may_be)
{
    c.api.missing_models = "models: no such folder";
    ck_assert_int_eq(client_get(&c, "/readyz"), 503);
    ck_assert_str_eq(client_text(&c, "status"), "failed");
    ck_assert_str_eq(client_text(&c, "reasons[0]"), "models: no such folder");
    c.api.allow_missing_models = true;
    ck_assert_int_eq(client_get(&c, "/readyz"), 200);
    ck_assert_str_eq(client_text(&c, "status"), "ready");
    ck_assert_uint_eq(client_count(&c, "reasons"), 1);
}
END_TEST

START_TEST(no_model_at_all_is_not_ready)
{
    struct registry *registry = c.api.registry;

    c.api.registry = registry_new();
    ck_assert_int_eq(client_get(&c, "/readyz"), 503);
    ck_assert_str_eq(client_text(&c, "status"), "failed");
    ck_assert_int_eq(client_get(&c, "/v1/models"), 200);
    ck_assert_uint_eq(client_count(&c, "models"), 0);
    c.api.allow_missing_models = true;
    ck_assert_int_eq(client_get(&c, "/readyz"), 200);
    registry_free(c.api.registry);
    c.api.registry = registry;
}
END_TEST

Suite *suite_models(void)
{
    Suite *s = suite_create("models");
    TCase *t = tcase_create("descriptions");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, the_list_has_every_model);
    tcase_add_test(t, actions_are_the_routes_that_work);
    tcase_add_test(t, one_model_is_described_in_full);
    tcase_add_test(t, versions_are_listed_and_described);
    tcase_add_test(t, unknown_query_parameters_are_refused_under_v1_only);
    tcase_add_test(t, atoms_are_a_picture_with_a_tag);
    tcase_add_test(t, a_unit_shows_its_atom_and_votes);
    suite_add_tcase(s, t);

    t = tcase_create("health");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_live_program_says_so);
    tcase_add_test(t, ready_is_ready_with_all_models);
    tcase_add_test(t, draining_and_loading_are_not_ready);
    tcase_add_test(t, a_missing_folder_is_not_ready_unless_it_may_be);
    tcase_add_test(t, no_model_at_all_is_not_ready);
    suite_add_tcase(s, t);
    return s;
}
