/* Parcels: requests and replies of the Open Inference Protocol, JSON with bytes
 * behind it, over the client of tests/api.
 */
#ifndef SPARSED_TESTS_PARCEL_H
#define SPARSED_TESTS_PARCEL_H

#include "tests/api/client.h"

#include <stddef.h>

/* A JSON body without the header; returns the status. */
int parcel_json(struct client *c, const char *path, const char *json);

/* A body of both, with the header that says where the JSON ends. */
int parcel_send(struct client *c, const char *path, const char *json,
                const void *bytes, size_t n);

/* After a reply with bytes: its JSON becomes c->reply. Where they begin; their
 * number in *n. */
const unsigned char *parcel_open(struct client *c, size_t *n);

/* The reply must be the protocol's error with this status and these words. */
#define parcel_refused(c, status, words)                                       \
    parcel_check_refused(__FILE__, __LINE__, (c), (status), (words))
void parcel_check_refused(const char *file, int line, const struct client *c,
                          int status, const char *words);

#endif
