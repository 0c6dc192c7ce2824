/* Bodies put together in one buffer. */
#include "tests/api/oip/parcel.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int parcel_json(struct client *c, const char *path, const char *json)
{
    c->request.content_type = NULL;
    c->request.header_length = NULL;
    return client_send(c, "POST", path, json, strlen(json));
}

int parcel_send(struct client *c, const char *path, const char *json,
                const void *bytes, size_t n)
{
    char header[24];
    struct buf body;

    buf_init(&body, (size_t)1 << 20);
    buf_text(&body, json);
    snprintf(header, sizeof header, "%zu", body.length);
    buf_add(&body, bytes, n);
    ck_assert(!buf_failed(&body));
    c->request.content_type = NULL;
    c->request.header_length = header;
    int status = client_send(c, "POST", path, body.data, body.length);
    c->request.header_length = NULL;
    buf_fini(&body);
    return status;
}

const unsigned char *parcel_open(struct client *c, size_t *n)
{
    const char *header = client_header(c, "Inference-Header-Content-Length");
    const struct buf *body = &c->response.body;
    struct err e = {0};

    ck_assert_str_eq(c->response.content_type, "application/octet-stream");
    ck_assert_ptr_nonnull(header);
    size_t length = strtoul(header, NULL, 10);
    ck_assert_uint_lt(length, body->length);
    json_free(c->reply);
    c->reply = json_parse(body->data, length, &e);
    ck_assert_msg(c->reply != NULL, "%s", e.msg);
    *n = body->length - length;
    return (const unsigned char *)body->data + length;
}

void parcel_check_refused(const char *file, int line, const struct client *c,
                          int status, const char *words)
{
    const char *body = c->response.body.data;
    const struct json *error = client_find(c, "error");

    ck_assert_msg(c->response.status == status, "%s:%d: status %d, want %d: %s",
                  file, line, c->response.status, status, body);
    ck_assert_msg(strcmp(c->response.content_type, "application/json") == 0,
                  "%s:%d: %s", file, line, c->response.content_type);
    ck_assert_msg(error != NULL && strstr(json_text(error), words) != NULL,
                  "%s:%d: no \"%s\" in %s", file, line, words, body);
}

size_t parcel_place(const struct client *c, const char *name)
{
    size_t n = client_count(c, "outputs");
    char path[64];

    for (size_t i = 0; i < n; i++) {
        snprintf(path, sizeof path, "outputs[%zu].name", i);
        if (strcmp(client_text(c, path), name) == 0)
            return i;
    }
    ck_abort_msg("no output %s in %.400s", name, c->response.body.data);
    return 0;
}

const char *parcel_member(const struct client *c, const char *name,
                          const char *rest)
{
    static char path[96];

    snprintf(path, sizeof path, "outputs[%zu].%s", parcel_place(c, name), rest);
    return path;
}

void parcel_check_shape(const struct client *c, const char *name,
                        const char *datatype, size_t n, const size_t *shape)
{
    char rest[32];

    ck_assert_str_eq(client_text(c, parcel_member(c, name, "datatype")),
                     datatype);
    ck_assert_uint_eq(client_count(c, parcel_member(c, name, "shape")), n);
    for (size_t i = 0; i < n; i++) {
        snprintf(rest, sizeof rest, "shape[%zu]", i);
        ck_assert(client_number(c, parcel_member(c, name, rest)) ==
                  (double)shape[i]);
    }
}

const unsigned char *parcel_bytes(const struct client *c,
                                  const unsigned char *bytes, const char *name,
                                  size_t *size)
{
    size_t place = parcel_place(c, name);
    char path[80];

    for (size_t i = 0;; i++) {
        snprintf(path, sizeof path, "outputs[%zu].parameters.binary_data_size",
                 i);
        if (i < place && client_find(c, path) == NULL)
            continue;
        *size = (size_t)client_number(c, path);
        if (i == place)
            break;
        bytes += *size;
    }
    ck_assert_ptr_null(client_find(c, parcel_member(c, name, "data")));
    return bytes;
}
