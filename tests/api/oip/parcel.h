/* Parcels: requests and replies of the Open Inference Protocol, JSON with bytes
 * behind it, over the client of tests/api.
 */
#ifndef SPARSED_TESTS_PARCEL_H
#define SPARSED_TESTS_PARCEL_H

#include "tests/api/client.h"

#include <stddef.h>

#define INFER "/v2/models/small/infer"
#define NUMBERS                                                                \
    "0.5,0.25,0,1,0.125,0.75,"                                                 \
    "1,0,0,0.5,0.5,0.25"
#define INPUT                                                                  \
    "\"inputs\":[{\"name\":\"input\",\"shape\":[2,6],\"datatype\":\"FP32\","   \
    "\"data\":[" NUMBERS "]}]"
#define OUTPUTS(list) "{" INPUT ",\"outputs\":[" list "]}"
#define NAME(name) "{\"name\":\"" name "\"}"
#define AS_BYTES(name)                                                         \
    "{\"name\":\"" name "\",\"parameters\":{\"binary_data\":true}}"

/* A JSON body without the header; returns the status. */
int parcel_json(struct client *c, const char *path, const char *json);

/* A body of both, with the header that says where the JSON ends. */
int parcel_send(struct client *c, const char *path, const char *json,
                const void *bytes, size_t n);

/* After a reply with bytes: its JSON becomes c->reply. Where they begin; their
 * number in *n. */
const unsigned char *parcel_open(struct client *c, size_t *n);

/* The output's place among the reply's, which must have it. */
size_t parcel_place(const struct client *c, const char *name);

/* The path of an output's member; valid until the next call. */
const char *parcel_member(const struct client *c, const char *name,
                          const char *rest);

/* The bytes of an output in a reply that parcel_open has opened. */
const unsigned char *parcel_bytes(const struct client *c,
                                  const unsigned char *bytes, const char *name,
                                  size_t *size);

/* The output must have this datatype and these sizes. */
#define shape_is(c, name, datatype, ...)                                       \
    parcel_check_shape(c, name, datatype,                                      \
                       sizeof((size_t[]){__VA_ARGS__}) / sizeof(size_t),       \
                       (const size_t[]){__VA_ARGS__})
void parcel_check_shape(const struct client *c, const char *name,
                        const char *datatype, size_t n, const size_t *shape);

/* The reply must be the protocol's error with this status and these words. */
#define parcel_refused(c, status, words)                                       \
    parcel_check_refused(__FILE__, __LINE__, (c), (status), (words))
void parcel_check_refused(const char *file, int line, const struct client *c,
                          int status, const char *words);

#endif
