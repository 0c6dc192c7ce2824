/* Config: what `sparsed serve` can be told, by a flag, an environment variable
 * SPARSED_X, a JSON file (--config) or a default, in this order.
 */
#ifndef SPARSED_SERVER_CONFIG_H
#define SPARSED_SERVER_CONFIG_H

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/json.h"
#include "server/setting.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct config {
    const char *listen;
    const char *models;
    const char *data_dir;
    const char *store; /* NULL: store.sqlite in data_dir */
    const char *rehearsal;
    const char *test_data;
    size_t max_samples;
    size_t max_labels;
    size_t keep_versions;
    size_t fine_tune_after;
    usec fine_tune_every;
    size_t fine_tune_threads;
    const char *file;
    size_t threads;
    size_t workers;
    size_t queue;
    size_t max_connections;
    size_t max_body;
    size_t max_held;
    usec timeout;
    usec request_timeout;
    usec deadline;
    usec drain;
    usec stop_timeout;
    int log_level;  /* enum log_level */
    int log_format; /* enum log_format */
    bool allow_missing_models;
    bool print_config;

    struct json *json;    /* the file, which texts above may point into */
    char data_room[4096]; /* likewise */
};

extern const struct setting config_settings[];

/* Fills the caller's zeroed *c, which config_fini empties (after errors too).
 * environment is `environ`. ERR_INVALID, or what reading the file gave. */
enum err_code config_load(struct config *c, int argc, char **argv,
                          char *const *environment, struct err *e) ERR_CHECKED;
void config_fini(struct config *c);

/* As a JSON file that --config takes. */
void config_print(FILE *out, const struct config *c);

#endif
