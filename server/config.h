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
    const char *cors_origins;
    bool compress;
    bool allow_missing_models;
    bool print_config;

    struct json *json;    /* the file, which texts above may point into */
    char data_room[4096]; /* likewise */
};

extern const struct setting config_settings[];

/* Rows that say where samples are and how many, for the tables of commands
 * whose struct begins with a struct config. */
#define CONFIG_STORE_SETTINGS                                                  \
    {"data-dir",                                                               \
     SETTING_TEXT,                                                             \
     offsetof(struct config, data_dir),                                        \
     0,                                                                        \
     0,                                                                        \
     NULL,                                                                     \
     "DIR",                                                                    \
     "posted samples, jobs and tuned versions; made if missing, of one "       \
     "daemon at a time ($XDG_STATE_HOME/sparsed)",                             \
     NULL,                                                                     \
     false},                                                                   \
        {"store",                                                              \
         SETTING_TEXT,                                                         \
         offsetof(struct config, store),                                       \
         0,                                                                    \
         0,                                                                    \
         NULL,                                                                 \
         "URL",                                                                \
         "database of samples, jobs and versions "                             \
         "(sqlite:DATA_DIR/store.sqlite)",                                     \
         NULL,                                                                 \
         false},                                                               \
        {"max-samples",                                                        \
         SETTING_COUNT,                                                        \
         offsetof(struct config, max_samples),                                 \
         1,                                                                    \
         1e9,                                                                  \
         "1000000",                                                            \
         "N",                                                                  \
         "samples kept of one model; then the label with the most gives one "  \
         "up",                                                                 \
         NULL,                                                                 \
         false},                                                               \
    {                                                                          \
        "max-labels", SETTING_COUNT, offsetof(struct config, max_labels), 1,   \
            65536, "256", "N", "different labels of one model; more get 413",  \
            NULL, false                                                        \
    }

/* Fills the caller's zeroed *c, which config_fini empties (after errors too).
 * environment is `environ`. ERR_INVALID, or what reading the file gave. */
enum err_code config_load(struct config *c, int argc, char **argv,
                          char *const *environment, struct err *e) ERR_CHECKED;
void config_fini(struct config *c);

/* The store's URL into out; ERR_INVALID if it does not fit. */
enum err_code config_store_url(const struct config *c, char *out, size_t size,
                               struct err *e) ERR_CHECKED;

/* Makes the data folder, for its owner's eyes only: what clients posted is in
 * it. */
enum err_code config_make_data_dir(const struct config *c, struct err *e)
    ERR_CHECKED;

/* As a JSON file that --config takes. */
void config_print(FILE *out, const struct config *c);

#endif
