/* A client without a socket: a registry with small models, requests built from
 * a few words, replies parsed.
 *
 * Models: "small" takes (2,3) pictures of 0..1 with rows scaled, has 5 units,
 * 4 steps, a decoder and the classes a, b, c; its versions are 1 and 2. "bare"
 * takes vectors of 6 from -1 to 1 and has 4 units, no decoder, no classifier.
 * "tall" has two layers of 5 and 3 units over (2,3). "colour" takes (3,2,2).
 */
#ifndef SPARSED_TESTS_CLIENT_H
#define SPARSED_TESTS_CLIENT_H

#include "api/api.h"
#include "lib/base/json.h"
#include "lib/base/lock.h"
#include "lib/store/store.h"

#define CLIENT_WAITING_BYTES ((size_t)1 << 20)

struct client {
    struct api api;
    struct api_request request; /* set content_type, accept ... between calls */
    struct api_response response;
    struct arena memory;
    struct json *reply; /* of the last call, if it was JSON */
    /* Of client_learn: */
    struct learning learning;
    char *folder;
    /* Replies that wait: set `finishes` to have them come from elsewhere. */
    bool finishes;
    struct lock lock;
    struct cond cond;
    size_t n_waited;   /* calls that api_handle left open */
    size_t n_finished; /* guarded by lock */
};

void client_open(struct client *c);
void client_close(struct client *c);

/* Opens a store, with room for 40 samples and 4 labels of a model, and no
 * learner: jobs stay queued. Again: closes it and opens the same one. */
void client_learn(struct client *c);

/* One model more, of the config `text`, with the classes a, b, c. */
void client_add(struct client *c, const char *name, uint64_t version,
                const char *text);

/* One version more of "small". */
void client_add_small(struct client *c, uint64_t version);

/* Each returns the status. A '?' in the path starts the query. */
int client_get(struct client *c, const char *path);
int client_post(struct client *c, const char *path, const char *json);
int client_put(struct client *c, const char *path, const char *json);
int client_delete(struct client *c, const char *path);
int client_send(struct client *c, const char *method, const char *path,
                const void *body, size_t length);

/* Part of the reply by a path like "predictions[0].top[1].class"; NULL if it
 * is not there (or null). */
const struct json *client_find(const struct client *c, const char *path);

/* The same, which must be there and a number, or text. */
double client_number(const struct client *c, const char *path);
const char *client_text(const struct client *c, const char *path);

/* Elements of the array at the path. */
size_t client_count(const struct client *c, const char *path);

/* The floats at the path must be exactly these n. */
void client_same_floats(const struct client *c, const char *path,
                        const float *want, size_t n);

/* Value of a header of the reply, NULL if it has none of that name. */
const char *client_header(const struct client *c, const char *name);

/* The reply must be a problem with this status whose detail has these words;
 * names the request if not. */
#define client_refused(c, status, words)                                       \
    client_check_refused(__FILE__, __LINE__, (c), (status), (words))
void client_check_refused(const char *file, int line, const struct client *c,
                          int status, const char *words);

#endif
