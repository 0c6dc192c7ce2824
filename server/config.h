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
    usec queue;
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
    double log_requests;
    size_t watch_every;
    const char *tokens;
    const char *first_token;
    const char *anonymous;
    const char *tls_cert;
    const char *tls_key;
    const char *tls_client_ca;
    double rate;
    size_t rate_burst;
    const char *cors_origins;
    bool compress;
    bool allow_missing_models;
    bool print_config;

    /* Where it came from, to be read again. */
    int argc;
    char **argv;
    char *const *environment;

    struct json *json;    /* the file, which texts above may point into */
    char data_room[4096]; /* likewise */
};

extern const struct setting config_settings[];

/* Rows that say where samples are and how many, without their braces, for the
 * tables of commands whose struct begins with a struct config too. */
/* clang-format off */
#define CONFIG_DATA_DIR_SETTING                                                \
    .name = "data-dir",                                                        \
    .type = SETTING_TEXT,                                                      \
    .offset = offsetof(struct config, data_dir),                               \
    .value = "DIR",                                                            \
    .help = "posted samples, jobs and tuned versions; made if missing, of "    \
            "one daemon at a time ($XDG_STATE_HOME/sparsed)"
#define CONFIG_STORE_SETTING                                                   \
    .name = "store",                                                           \
    .type = SETTING_TEXT,                                                      \
    .offset = offsetof(struct config, store),                                  \
    .value = "URL",                                                            \
    .help = "database of samples, jobs and versions "                          \
            "(sqlite:DATA_DIR/store.sqlite)"
#define CONFIG_MAX_SAMPLES_SETTING                                             \
    .name = "max-samples",                                                     \
    .type = SETTING_COUNT,                                                     \
    .offset = offsetof(struct config, max_samples),                            \
    .min = 1,                                                                  \
    .max = 1e9,                                                                \
    .standard = "1000000",                                                     \
    .value = "N",                                                              \
    .help = "samples kept of one model; then the label with the most gives "   \
            "one up"
#define CONFIG_MAX_LABELS_SETTING                                              \
    .name = "max-labels",                                                      \
    .type = SETTING_COUNT,                                                     \
    .offset = offsetof(struct config, max_labels),                             \
    .min = 1,                                                                  \
    .max = 65536,                                                              \
    .standard = "256",                                                         \
    .value = "N",                                                              \
    .help = "different labels of one model; more get 413"
/* clang-format on */

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

#endif
