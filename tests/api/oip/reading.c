/* One global: Check runs each test in a process of its own. */
#include "tests/api/oip/reading.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reading reading;

void reading_model(const char *name)
{
    if (reading.run.served != NULL)
        registry_release(reading.client.api.registry, reading.run.served);
    reading.run.served =
        registry_acquire(reading.client.api.registry, name, 0, &reading.e);
    ck_assert_ptr_nonnull(reading.run.served);
    reading.run.model = reading.run.served->model;
}

void reading_setup(void)
{
    memset(&reading, 0, sizeof reading);
    client_open(&reading.client);
    reading_model("bare"); /* vectors of 6 */
}

void reading_teardown(void)
{
    registry_release(reading.client.api.registry, reading.run.served);
    free(reading.body);
    client_close(&reading.client);
}

enum err_code reading_body(const void *bytes, size_t length, const char *header)
{
    free(reading.body);
    reading.body = malloc(length > 0 ? length : 1);
    ck_assert_ptr_nonnull(reading.body);
    memcpy(reading.body, bytes, length);
    arena_reset(&reading.client.memory);
    reading.client.request.memory = &reading.client.memory;
    reading.client.request.body = reading.body;
    reading.client.request.body_length = length;
    reading.client.request.header_length = header;
    reading.call = (struct call){.api = &reading.client.api,
                                 .request = &reading.client.request,
                                 .response = &reading.client.response};
    options_init(&reading.call.options);
    reading.run.call = &reading.call;
    reading.request = (struct oip_request){.n_parts = 0};
    reading.e = (struct err){0};
    return oip_request_read(&reading.request, &reading.run, &reading.e);
}

enum err_code reading_text(const char *text)
{
    return reading_body(text, strlen(text), NULL);
}

enum err_code reading_parcel(const char *json, const void *bytes, size_t n)
{
    char header[24];
    char both[4096];
    size_t length = strlen(json);

    ck_assert_uint_lt(length + n, sizeof both);
    memcpy(both, json, length);
    memcpy(both + length, bytes, n);
    snprintf(header, sizeof header, "%zu", length);
    return reading_body(both, length + n, header);
}

void reading_check_said(const char *file, int line, enum err_code code,
                        const char *words)
{
    ck_assert_msg(code != ERR_OK, "%s:%d: was taken", file, line);
    ck_assert_msg(strstr(reading.e.msg, words) != NULL,
                  "%s:%d: no \"%s\" in \"%s\"", file, line, words,
                  reading.e.msg);
}

void reading_rows(const float *want, size_t B)
{
    ck_assert_uint_eq(reading.run.rows.B, B);
    for (size_t i = 0; i < B * reading.run.rows.size; i++)
        ck_assert_msg(reading.run.rows.data[i] == want[i],
                      "[%zu]: %.9g, want %.9g", i,
                      (double)reading.run.rows.data[i], (double)want[i]);
}
