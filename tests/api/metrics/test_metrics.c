/* The text of /metrics: well formed in both formats, exact, bounded, and what
 * docs/monitoring.md says. */
#include "api/meters.h"
#include "api/metrics/scrape.h"
#include "api/routes.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "tests/api/client.h"

#include <check.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Suite *suite_metrics(void);

#define DOCS "docs/monitoring.md"
#define OPEN "application/openmetrics-text"
#define ONE "{\"inputs\":[[0,1,0,1,0,1]]}"

static struct client c;
static struct meters meters;

static void setup(void)
{
    client_open(&c);
    memset(&meters, 0, sizeof meters);
    c.api.meters = &meters;
}

static void teardown(void)
{
    client_close(&c);
}

static const char *scrape(const char *accept)
{
    c.request.accept = accept;
    ck_assert_int_eq(client_get(&c, "/metrics"), 200);
    c.request.accept = NULL;
    return c.response.body.data;
}

/* The rest of the line that begins so, or NULL. */
static const char *find_line(const char *text, const char *begin)
{
    static char rest[256];
    size_t length = strlen(begin);

    for (; *text != 0; text += strcspn(text, "\n") + 1) {
        if (strncmp(text, begin, length) != 0)
            continue;
        text += length;
        snprintf(rest, sizeof rest, "%.*s", (int)strcspn(text, "\n"), text);
        return rest;
    }
    return NULL;
}

static void check_line(const char *text, const char *begin, const char *want)
{
    const char *rest = find_line(text, begin);

    ck_assert_msg(rest != NULL, "no line begins with %s", begin);
    ck_assert_msg(strcmp(rest, want) == 0, "%s%s, want %s", begin, rest, want);
}

#define SMALL "{model=\"small\",version=\"2\""

/* ---- the table ---- */

START_TEST(families_have_names_that_say_what_they_are)
{
    for (const struct metric_family *f = metric_families; f->name != NULL;
         f++) {
        ck_assert_msg(strncmp(f->name, "sparsed_", 8) == 0 ||
                          strncmp(f->name, "process_", 8) == 0,
                      "%s", f->name);
        for (const char *at = f->name; *at != 0; at++)
            ck_assert_msg(islower(*at) || *at == '_', "%s", f->name);
        for (const struct metric_family *g = metric_families; g < f; g++)
            ck_assert_str_ne(f->name, g->name);
        ck_assert_msg(f->help[strlen(f->help) - 1] == '.' &&
                          strpbrk(f->help, "\n\\\"|") == NULL,
                      "%s: %s", f->name, f->help);
        if (f->unit == NULL)
            continue;
        size_t end = strlen(f->name) - strlen(f->unit);
        ck_assert_msg(f->name[end - 1] == '_' &&
                          strcmp(f->name + end, f->unit) == 0,
                      "%s does not end with %s", f->name, f->unit);
    }
}
END_TEST

static void print_table(struct buf *b)
{
    buf_text(b, "| name | type | labels | what |\n|---|---|---|---|\n");
    for (const struct metric_family *f = metric_families; f->name != NULL; f++)
        buf_printf(b, "| `%s%s` | %s | %s | %s |\n", f->name,
                   metric_suffix(f->type), metric_type_name(f->type), f->labels,
                   f->help);
}

/* With SPARSED_WRITE_DOCS set the page is written instead of judged. */
START_TEST(the_page_has_the_table)
{
    static const char begin[] = "<!-- families -->\n", end[] = "<!-- end -->\n";
    struct buf table, page;
    struct err e;
    size_t length;
    char *text = file_read(DOCS, 1 << 20, &length, &e);

    ck_assert_msg(text != NULL, "%s", e.msg);
    buf_init(&table, 1 << 20);
    print_table(&table);
    char *from = strstr(text, begin);
    ck_assert_ptr_nonnull(from);
    from += strlen(begin);
    const char *to = strstr(from, end);
    ck_assert_ptr_nonnull(to);
    if (getenv("SPARSED_WRITE_DOCS") != NULL) {
        buf_init(&page, 2 << 20);
        buf_add(&page, text, (size_t)(from - text));
        buf_add(&page, table.data, table.length);
        buf_text(&page, to);
        ck_assert_int_eq(file_replace(DOCS, page.data, page.length, &e),
                         ERR_OK);
        buf_fini(&page);
    } else {
        ck_assert_msg((size_t)(to - from) == table.length &&
                          memcmp(from, table.data, table.length) == 0,
                      DOCS " has another table: SPARSED_WRITE_DOCS=1 make unit "
                           "T=metrics writes it");
    }
    buf_fini(&table);
    mem_free(text);
}
END_TEST

/* ---- both formats ---- */

/* Whether the line is a sample of the family. */
static bool is_sample(const struct metric_family *f, const char *line)
{
    static const char *const parts[] = {"_bucket", "_sum", "_count"};
    size_t length = strlen(f->name);
    size_t n = strcspn(line, "{ ");

    if (strncmp(line, f->name, length) != 0)
        return false;
    line += length;
    n -= length;
    if (f->type != METRIC_HISTOGRAM)
        return strlen(metric_suffix(f->type)) == n &&
               memcmp(line, metric_suffix(f->type), n) == 0;
    for (size_t i = 0; i < 3; i++) {
        if (strlen(parts[i]) == n && memcmp(line, parts[i], n) == 0)
            return true;
    }
    return false;
}

/* A family's lines are together: head, then samples, each once. */
static void check_form(const char *text, bool open)
{
    const struct metric_family *f = metric_families - 1;
    char head[128];

    for (const char *line = text; *line != 0; line += strcspn(line, "\n") + 1) {
        ck_assert_ptr_nonnull(strchr(line, '\n'));
        if (strncmp(line, "# HELP ", 7) == 0) {
            f++;
            ck_assert_ptr_nonnull(f->name);
            snprintf(head, sizeof head, "# HELP %s%s ", f->name,
                     open ? "" : metric_suffix(f->type));
            ck_assert_msg(strncmp(line, head, strlen(head)) == 0, "%.80s, %s",
                          line, head);
        } else if (line[0] != '#') {
            ck_assert_msg(is_sample(f, line), "%.80s in %s", line, f->name);
            const char *before = strstr(text, line);
            ck_assert_msg(before == line, "twice: %.80s", line);
        }
    }
    ck_assert_ptr_null(f[1].name);
}

START_TEST(the_text_is_prometheus_unless_openmetrics_is_preferred)
{
    const char *text = scrape(NULL);

    ck_assert_str_eq(c.response.content_type,
                     "text/plain; version=0.0.4; charset=utf-8");
    check_form(text, false);
    check_line(text, "# TYPE sparsed_refused_total ", "counter");
    check_line(text, "# TYPE sparsed_model_info ", "gauge");
    ck_assert_ptr_null(strstr(text, "# UNIT"));
    ck_assert_ptr_null(strstr(text, "# EOF"));
    scrape(OPEN ";q=0.5, text/plain");
    ck_assert_ptr_null(strstr(c.response.content_type, "openmetrics"));
    scrape("image/png");
    ck_assert_ptr_null(strstr(c.response.content_type, "openmetrics"));
}
END_TEST

START_TEST(openmetrics_has_units_infos_and_an_end)
{
    const char *text =
        scrape(OPEN ";version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1");

    ck_assert_str_eq(c.response.content_type,
                     OPEN "; version=1.0.0; charset=utf-8");
    check_form(text, true);
    check_line(text, "# TYPE sparsed_refused ", "counter");
    check_line(text, "# TYPE sparsed_model ", "info");
    check_line(text, "# UNIT process_cpu_seconds ", "seconds");
    check_line(text, "sparsed_refused_total{reason=\"rate\"} ", "0");
    size_t length = strlen(text);
    ck_assert_str_eq(text + length - 6, "# EOF\n");
}
END_TEST

START_TEST(label_values_are_escaped)
{
    struct metric_family one[] = {{"x", METRIC_GAUGE, NULL, "a", "X.", NULL}};
    const struct scrape_label labels[] = {
        {"a", "b\\c\"d\ne"}, {"f", "\\"}, {NULL, NULL}};
    struct buf b;
    struct scrape s = {.out = &b, .family = one};

    buf_init(&b, 1000);
    scrape_count(&s, labels, 7);
    ck_assert_str_eq(b.data, "x{a=\"b\\\\c\\\"d\\ne\",f=\"\\\\\"} 7\n");
    buf_fini(&b);
}
END_TEST

START_TEST(numbers_have_all_their_digits)
{
    struct metric_family one[] = {{"x", METRIC_GAUGE, NULL, "", "X.", NULL}};
    struct buf b;
    struct scrape s = {.out = &b, .family = one};

    buf_init(&b, 1000);
    scrape_units(&s, NULL, 1234567890123456789u, 1e-9);
    scrape_units(&s, NULL, 50000, 1e-9);
    scrape_units(&s, NULL, 0, 1e-6);
    scrape_units(&s, NULL, 1024, 1);
    scrape_units(&s, NULL, 1000000, 1e-6);
    scrape_number(&s, NULL, (double)NAN);
    scrape_number(&s, NULL, -(double)INFINITY);
    scrape_number(&s, NULL, 0.25);
    ck_assert_str_eq(b.data, "x 1234567890.123456789\nx 0.00005\nx 0.0\n"
                             "x 1024.0\nx 1.0\nx NaN\nx -Inf\nx 0.25\n");
    buf_fini(&b);
}
END_TEST

/* ---- values ---- */

START_TEST(histograms_are_cumulative_and_end_with_all)
{
    struct metric_family one[] = {
        {"h", METRIC_HISTOGRAM, NULL, "", "H.", NULL}};
    static const struct histogram_scale scale = {
        .unit = 1e-3, .n = 2, .bounds = {500, 1000}};
    struct histogram h = {.sum = 0};
    struct buf b;
    struct scrape s = {.out = &b, .family = one};

    buf_init(&b, 1000);
    histogram_add(&h, &scale, 500);
    histogram_add(&h, &scale, 501);
    histogram_add(&h, &scale, 7000);
    scrape_histogram(&s, NULL, &h, &scale);
    ck_assert_str_eq(b.data,
                     "h_bucket{le=\"0.5\"} 1\nh_bucket{le=\"1.0\"} 2\n"
                     "h_bucket{le=\"+Inf\"} 3\nh_sum 8.001\nh_count 3\n");
    buf_fini(&b);
}
END_TEST

START_TEST(requests_to_models_are_told)
{
    c.api.watch_every = 1;
    client_post(&c, "/v1/models/small/classify", ONE);
    client_post(&c, "/v1/models/small/classify", ONE);
    client_post(&c, "/v1/models/small/encode", ONE);
    client_post(&c, "/v1/models/small/encode", "{}");
    const char *text = scrape(NULL);
    check_line(text, "sparsed_inference_requests_total" SMALL "} ", "4");
    check_line(text, "sparsed_inference_failures_total" SMALL "} ", "1");
    check_line(text, "sparsed_inference_rows_total" SMALL "} ", "3");
    check_line(text, "sparsed_model_in_service" SMALL "} ", "1");
    check_line(text, "sparsed_model_in_service{model=\"small\",version=\"1\"} ",
               "0");
    check_line(text,
               "sparsed_inference_duration_seconds_count" SMALL
               ",route=\"/v1/models/{model}/classify\"} ",
               "2");
    check_line(
        text, "sparsed_inference_batch_rows_bucket" SMALL ",le=\"1.0\"} ", "3");
    check_line(text, "sparsed_active_units_ratio_count" SMALL "} ", "3");
    check_line(text, "sparsed_confidence_ratio_count" SMALL "} ", "2");
    check_line(text, "sparsed_reconstruction_error_ratio_count" SMALL "} ",
               "3");
    check_line(text, "sparsed_watched_rows_total" SMALL "} ", "3");
    check_line(text, "sparsed_groups" SMALL "} ", "5");
    ck_assert_ptr_nonnull(
        find_line(text, "sparsed_group_rows_total" SMALL ",group=\"4\"} "));
    ck_assert_ptr_null(
        find_line(text, "sparsed_group_rows_total" SMALL ",group=\"5\"} "));
    /* Never asked: counters, and nothing that is long. */
    check_line(
        text, "sparsed_inference_requests_total{model=\"bare\",version=\"1\"} ",
        "0");
    ck_assert_ptr_null(
        strstr(text, "sparsed_active_units_ratio_count{model=\"bare\""));
}
END_TEST

START_TEST(meters_are_told)
{
    struct account a;

    account_begin(&a);
    meters_add(&meters, &a, 404, 7, 70);
    a.refusal = METERS_RATE;
    a.route = &routes[0];
    meters_add(&meters, &a, 429, 0, 3);
    meters.in_flight = 2;
    meters.connections = 3;
    meters.waiting = 4;
    meters.waiting_cost_ns = 1500000000;
    meters.started_wall = 12345678;
    const char *text = scrape(NULL);
    check_line(
        text,
        "sparsed_http_requests_total{method=\"\",route=\"\",code=\"404\"}"
        " ",
        "1");
    check_line(text,
               "sparsed_http_requests_total{method=\"POST\",route=\"/v1/models/"
               "{model}/encode\",code=\"429\"} ",
               "1");
    check_line(text, "sparsed_refused_total{reason=\"rate\"} ", "1");
    check_line(text, "sparsed_refused_total{reason=\"queue_full\"} ", "0");
    check_line(text, "sparsed_http_request_bytes_total ", "7");
    check_line(text, "sparsed_http_response_bytes_total ", "73");
    check_line(text, "sparsed_http_requests_in_flight ", "2");
    check_line(text, "sparsed_connections ", "3");
    check_line(text, "sparsed_queue_requests ", "4");
    check_line(text, "sparsed_queue_work_seconds ", "1.5");
    check_line(text, "process_start_time_seconds ", "12.345678");
    check_line(text,
               "sparsed_http_request_duration_seconds_count{method=\"\","
               "route=\"\"} ",
               "1");
}
END_TEST

START_TEST(the_store_and_its_samples_are_told)
{
    client_learn(&c);
    client_post(&c, "/v1/models/small/samples",
                "{\"inputs\":[[0,1,0,1,0,1],[0,1,0,1,1,1]]}");
    const char *text = scrape(NULL);
    check_line(text, "sparsed_store_up ", "1");
    check_line(text, "sparsed_samples{model=\"small\"} ", "2");
    check_line(text, "sparsed_samples_accepted_total{model=\"small\"} ", "2");
    ck_assert_int_gt(strtol(find_line(text, "sparsed_store_bytes "), NULL, 10),
                     4096);
    ck_assert_ptr_null(find_line(text, "sparsed_fine_tunes_running "));
    c.api.learning = NULL;
    c.api.no_learning = "no disk";
    check_line(scrape(NULL), "sparsed_store_up ", "0");
}
END_TEST

START_TEST(before_the_models_are_loaded_there_is_less)
{
    struct registry *registry = c.api.registry;

    c.api.registry = NULL;
    const char *text = scrape(NULL);
    c.api.registry = registry;
    check_form(text, false);
    ck_assert_ptr_null(strstr(text, "sparsed_model_info{"));
    ck_assert_ptr_nonnull(find_line(text, "sparsed_build_info{"));
}
END_TEST

/* A thousand versions, of which some were asked. */
START_TEST(many_models_fit_into_a_reply)
{
    for (uint64_t i = 3; i <= 1000; i++)
        client_add_small(&c, i);
    for (int i = 1; i <= 1000; i += 100) {
        char path[64];
        snprintf(path, sizeof path, "/v1/models/small/versions/%d/infer", i);
        ck_assert_int_eq(client_post(&c, path, ONE), 200);
    }
    const char *text = scrape(NULL);
    ck_assert_ptr_nonnull(find_line(
        text, "sparsed_model_info{model=\"small\",version=\"1000\"} "));
    ck_assert_ptr_nonnull(
        find_line(text, "sparsed_active_units_ratio_count{model=\"small\","
                        "version=\"901\"} "));
    ck_assert_uint_lt(c.response.body.length, 2 << 20);
}
END_TEST

Suite *suite_metrics(void)
{
    Suite *s = suite_create("metrics");
    TCase *t = tcase_create("metrics");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, families_have_names_that_say_what_they_are);
    tcase_add_test(t, the_page_has_the_table);
    tcase_add_test(t, the_text_is_prometheus_unless_openmetrics_is_preferred);
    tcase_add_test(t, openmetrics_has_units_infos_and_an_end);
    tcase_add_test(t, label_values_are_escaped);
    tcase_add_test(t, numbers_have_all_their_digits);
    tcase_add_test(t, histograms_are_cumulative_and_end_with_all);
    tcase_add_test(t, requests_to_models_are_told);
    tcase_add_test(t, meters_are_told);
    tcase_add_test(t, the_store_and_its_samples_are_told);
    tcase_add_test(t, before_the_models_are_loaded_there_is_less);
    tcase_add_test(t, many_models_fit_into_a_reply);
    suite_add_tcase(s, t);
    return s;
}
