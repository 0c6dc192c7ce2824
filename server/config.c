/* Config: the one table of settings, and its four sources.
 */
#include "server/config.h"

#include "api/api.h"
#include "lib/base/file.h"
#include "lib/base/team.h"

#include <math.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_FILE_BYTES ((size_t)1 << 20)
#define DAY 86400.0
/* Where `make install` puts the models; the Makefile says. */
#ifndef SPARSED_MODELS_DIR
#define SPARSED_MODELS_DIR "/usr/local/share/sparsed/models"
#endif

static const char *const log_levels[] = {"error", "warn", "info", "debug",
                                         NULL};
static const char *const log_formats[] = {"text", "json", NULL};

/* A row's type, member, range, and what help calls its value. */
#define MEMBER(m) .offset = offsetof(struct config, m)
#define TEXT(m, what) .type = SETTING_TEXT, MEMBER(m), .value = what
#define FLAG(m) .type = SETTING_FLAG, MEMBER(m), .standard = "false"
#define COUNT(m, from, to)                                                     \
    .type = SETTING_COUNT, MEMBER(m), .min = from, .max = to, .value = "N"
#define BYTES(m, from, to)                                                     \
    .type = SETTING_BYTES, MEMBER(m), .min = from, .max = to, .value = "BYTES"
#define SECONDS(m, from, to)                                                   \
    .type = SETTING_SECONDS, MEMBER(m), .min = from, .max = to,                \
    .value = "SECONDS"
#define NUMBER(m, from, to, what)                                              \
    .type = SETTING_NUMBER, MEMBER(m), .min = from, .max = to, .value = what
#define CHOICE(m, names, what)                                                 \
    .type = SETTING_CHOICE, MEMBER(m), .choices = names, .value = what

const struct setting config_settings[] = {
    {.section = "Network",
     .name = "listen",
     TEXT(listen, "ADDR:PORT"),
     .standard = "127.0.0.1:8080",
     .help = "where to listen; port 0 picks one"},
    {.name = "threads",
     COUNT(threads, 0, 256),
     .standard = "0",
     .help = "threads that answer; 0: one a processor"},
    {.name = "max-connections",
     COUNT(max_connections, 1, 65536),
     .standard = "1024",
     .live = true,
     .help = "connections at once; more wait to be accepted"},
    {.name = "timeout",
     SECONDS(timeout, 1, DAY),
     .standard = "75",
     .live = true,
     .help = "a connection without traffic is closed"},
    {.name = "request-timeout",
     SECONDS(request_timeout, 0.1, DAY),
     .standard = "60",
     .live = true,
     .help = "a request must be received within"},

    {.section = "Security",
     .name = "tokens",
     TEXT(tokens, "FILE"),
     .live = true,
     .help = "who may do what: a line `NAME SCOPES SHA256HEX` each, which "
             "`sparsed token` adds"},
    {.name = "first-token",
     TEXT(first_token, "FILE"),
     .live = true,
     .help = "a token of all scopes in plain text; made if missing"},
    {.name = "anonymous",
     TEXT(anonymous, "SCOPES"),
     .live = true,
     .help = "scopes that need no token: none, or some of infer,learn,admin "
             "(none with --tokens; else infer, and all on a loopback address "
             "without --first-token)"},
    {.name = "tls-cert",
     TEXT(tls_cert, "FILE"),
     .help = "certificate and those that signed it, PEM: the daemon speaks "
             "HTTPS; SIGHUP reads it again"},
    {.name = "tls-key",
     TEXT(tls_key, "FILE"),
     .help = "the certificate's key, PEM"},
    {.name = "tls-client-ca",
     TEXT(tls_client_ca, "FILE"),
     .help = "clients must show a certificate that one of these signed"},
    {.name = "rate",
     NUMBER(rate, 0, 1e6, "N"),
     .standard = "0",
     .live = true,
     .help = "requests a second of one address; more get 429; 0: no limit"},
    {.name = "rate-burst",
     COUNT(rate_burst, 0, 1e6),
     .standard = "0",
     .live = true,
     .help = "so many of them may come at once; 0: those of a second"},

    {.section = "Models",
     .name = "models",
     TEXT(models, "DIR"),
     .help = "folder of models, DIR/NAME/VERSION/model.safetensors (models, or "
             "else " SPARSED_MODELS_DIR ")"},
    {.name = "allow-missing-models",
     FLAG(allow_missing_models),
     .help = "be ready without a model that cannot be loaded"},

    {.section = "Learning", CONFIG_DATA_DIR_SETTING},
    {CONFIG_STORE_SETTING},
    {CONFIG_MAX_SAMPLES_SETTING, .live = true},
    {CONFIG_MAX_LABELS_SETTING, .live = true},
    {.name = "keep-versions",
     COUNT(keep_versions, 0, 1000),
     .standard = "5",
     .live = true,
     .help = "tuned versions kept of one model, beside the one in service"},
    {.name = "fine-tune-after",
     COUNT(fine_tune_after, 0, 1e9),
     .standard = "0",
     .live = true,
     .help = "new samples of a model that start a fine-tune; 0: none do"},
    {.name = "fine-tune-every",
     SECONDS(fine_tune_every, 0, 365 * DAY),
     .standard = "0",
     .live = true,
     .help = "a fine-tune starts so often if there are new samples; 0: none "
             "does"},
    {.name = "fine-tune-threads",
     COUNT(fine_tune_threads, 0, 256),
     .standard = "0",
     .help = "threads that fine-tune, at low priority; 0: one for each "
             "processor but one"},
    {.name = "rehearsal",
     TEXT(rehearsal, "NAME=PATH[,...]"),
     .help = "data set of a model that its fine-tunes mix in, not to forget"},
    {.name = "test-data",
     TEXT(test_data, "NAME=PATH[,...]"),
     .help = "test set of a model that its versions are compared on too"},

    {.section = "Limits",
     .name = "max-body",
     BYTES(max_body, 1024, (double)API_MAX_BODY_BYTES),
     .standard = "64MiB",
     .live = true,
     .help = "longest body of a request; a longer one gets 413"},
    {.name = "max-held",
     BYTES(max_held, 1 << 20, 1ull << 40),
     .standard = "512MiB",
     .live = true,
     .help = "bodies and replies held at once; over it 503; as much may wait "
             "for the disk"},
    {.name = "workers",
     COUNT(workers, 0, 256),
     .standard = "0",
     .help = "threads for slow requests; 0: one a processor"},
    {.name = "queue-seconds",
     SECONDS(queue, 0, 3600),
     .standard = "0.1",
     .help = "how long slow requests of a burst may have to wait, as is "
             "estimated; more get 503, and when more is asked for than can "
             "be done, all that would wait longer than a part of what they "
             "take",
     .live = true},
    {.name = "deadline",
     SECONDS(deadline, 0.01, DAY),
     .standard = "30",
     .live = true,
     .help = "a slow request must be begun within, or gets 504"},

    {.section = "Manners",
     .name = "compress",
     .type = SETTING_FLAG,
     MEMBER(compress),
     .standard = "true",
     .live = true,
     .help = "compress replies for clients that ask for it; --compress=false: "
             "none"},
    {.name = "cors-origins",
     TEXT(cors_origins, "ORIGIN[,...]"),
     .live = true,
     .help = "sites whose pages may ask, as in https://example.org, or * for "
             "all; none without it"},

    {.section = "Stopping",
     .name = "drain",
     SECONDS(drain, 0, 3600),
     .standard = "0",
     .live = true,
     .help = "go on accepting after SIGTERM, with readyz at 503"},
    {.name = "stop-timeout",
     SECONDS(stop_timeout, 0, 3600),
     .standard = "25",
     .live = true,
     .help = "then cut what is not answered yet"},

    {.section = "Logs",
     .name = "log-level",
     CHOICE(log_level, log_levels, "LEVEL"),
     .standard = "info",
     .live = true,
     .help = "how much to log"},
    {.name = "log",
     CHOICE(log_format, log_formats, "FORMAT"),
     .standard = "text",
     .live = true,
     .help = "how to log"},
    {.name = "log-requests",
     NUMBER(log_requests, 0, 1, "SHARE"),
     .standard = "1",
     .live = true,
     .help = "share of good requests that are logged; errors always are"},
    {.name = "watch-every",
     COUNT(watch_every, 0, 1e9),
     .standard = "32",
     .live = true,
     .help = "one of so many inferences is also watched for its error of "
             "reconstruction and its groups; 0: none is"},

    {.section = "Settings",
     .name = "config",
     TEXT(file, "FILE"),
     .not_in_file = true,
     .help = "JSON file of settings; flags and environment win"},
    {.name = "print-config",
     FLAG(print_config),
     .not_in_file = true,
     .help = "print the settings as such a file, and stop"},
    {0},
};

static enum err_code read_file(struct config *c, struct err *e)
{
    c->json = json_parse_file(c->file, MAX_FILE_BYTES, e);
    if (c->json == NULL)
        return e->code;
    return settings_read_json(config_settings, c, c->json, e) == ERR_OK
               ? ERR_OK
               : err_wrap(e, "%s", c->file);
}

static const char *variable(char *const *environment, const char *name)
{
    size_t length = strlen(name);

    for (; *environment != NULL; environment++) {
        if (strncmp(*environment, name, length) == 0 &&
            (*environment)[length] == '=' && (*environment)[length + 1] != 0)
            return *environment + length + 1;
    }
    return NULL;
}

static void choose_data_dir(struct config *c, char *const *environment)
{
    const char *state = variable(environment, "XDG_STATE_HOME");
    const char *home = variable(environment, "HOME");

    if (state != NULL)
        snprintf(c->data_room, sizeof c->data_room, "%s/sparsed", state);
    else
        snprintf(c->data_room, sizeof c->data_room, "%s/.local/state/sparsed",
                 home != NULL ? home : "");
    c->data_dir = c->data_room;
}

enum err_code config_load(struct config *c, int argc, char **argv,
                          char *const *environment, struct err *e)
{
    c->argc = argc;
    c->argv = argv;
    c->environment = environment;
    /* The file's name comes from flag or environment, and they win over what
     * the file says: so they are read twice. */
    settings_standard(config_settings, c);
    for (int round = 0; round < 2; round++) {
        if (settings_read_environment(config_settings, c, environment, e) !=
                ERR_OK ||
            settings_read_flags(config_settings, c, argc, argv, NULL, NULL, 0,
                                e) != ERR_OK)
            return e->code;
        if (c->file == NULL)
            break;
        if (round == 0 && read_file(c, e) != ERR_OK)
            return e->code;
    }
    if (c->models == NULL)
        c->models = file_is_folder("models") ? "models" : SPARSED_MODELS_DIR;
    if (c->data_dir == NULL)
        choose_data_dir(c, environment);
    if (c->threads == 0)
        c->threads = team_processors();
    if (c->workers == 0)
        c->workers = team_processors();
    /* A processor that training leaves alone keeps the slowest replies quick.
     */
    if (c->fine_tune_threads == 0)
        c->fine_tune_threads =
            team_processors() > 1 ? team_processors() - 1 : 1;
    return ERR_OK;
}

enum err_code config_store_url(const struct config *c, char *out, size_t size,
                               struct err *e)
{
    int n = c->store != NULL
                ? snprintf(out, size, "%s", c->store)
                : snprintf(out, size, "sqlite:%s/store.sqlite", c->data_dir);

    if (n < 0 || (size_t)n >= size)
        return err_set(e, ERR_INVALID, "--store: over %zu bytes", size - 1);
    return ERR_OK;
}

enum err_code config_make_data_dir(const struct config *c, struct err *e)
{
    mode_t before = umask(077);
    enum err_code code = file_make_folders(c->data_dir, e);

    umask(before);
    return code == ERR_OK ? ERR_OK : err_wrap(e, "--data-dir");
}

void config_fini(struct config *c)
{
    json_free(c->json);
    c->json = NULL;
}
