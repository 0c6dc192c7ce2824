/* The route table and how a target finds its row. */
#include "api/routes.h"

#include "api/assets.h"
#include "api/handlers.h"
#include "api/percent.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define MAX_SEGMENTS 8
#define SEGMENT_BYTES (REPOSITORY_MAX_NAME + 16) /* a word may follow */

#define ANY_BODY (MEDIA_JSON | MEDIA_NPY | MEDIA_PNG | MEDIA_JPEG)
#define ANY_SAMPLES (ANY_BODY | MEDIA_NDJSON | MEDIA_NPZ)
#define NUMBERS (MEDIA_JSON | MEDIA_NPY)
#define PICTURE (MEDIA_JSON | MEDIA_NPY | MEDIA_PNG)

#define PICK (OPTION_TOP_K | OPTION_THRESHOLD)
#define RUN (OPTION_STEPS | OPTION_LAYER)
#define FOR_ENCODE (RUN | PICK | OPTION_FORMAT | OPTION_EXPLAIN)
#define FOR_CLASSIFY (OPTION_STEPS | OPTION_TOP | OPTION_EXPLAIN)
#define FOR_ATOMS (OPTION_LAYER | OPTION_MAX_SIDE | OPTION_VIEW)
#define FOR_INFER (FOR_ENCODE | OPTION_TOP | OPTION_OUTPUTS | OPTION_KEEP)
#define FOR_SAMPLES                                                            \
    (OPTION_LABEL | OPTION_UNLABELLED | OPTION_BATCH | OPTION_AFTER |          \
     OPTION_LIMIT | OPTION_INPUTS)
#define FOR_DELETION (OPTION_LABEL | OPTION_BATCH | OPTION_ALL)
#define FOR_FINE_TUNE                                                          \
    (OPTION_EPOCHS | OPTION_LEARNING_RATE | OPTION_PROMOTE | OPTION_SEED)
#define FOR_FINE_TUNES (OPTION_MODEL | OPTION_BEFORE | OPTION_LIMIT)

/* The columns after the pattern. */
#define SHOWS(handle, options, speed, scope)                                   \
    handle, 0, 0, options, 0, speed, scope
#define TAKES(handle, takes, options)                                          \
    handle, takes, 0, options, 0, ROUTE_BODY, SCOPE_LEARN
#define ENCODES                                                                \
    infer_handle, ANY_BODY, NUMBERS, FOR_ENCODE, OUTPUT_CODE, ROUTE_QUICK,     \
        SCOPE_INFER
#define POOLS                                                                  \
    infer_handle, ANY_BODY, NUMBERS, RUN | PICK, OUTPUT_GROUPS, ROUTE_QUICK,   \
        SCOPE_INFER
#define RECONSTRUCTS                                                           \
    infer_handle, ANY_BODY, PICTURE, RUN | OPTION_EXPLAIN,                     \
        OUTPUT_RECONSTRUCTION, ROUTE_QUICK, SCOPE_INFER
#define CLASSIFIES                                                             \
    infer_handle, ANY_BODY, NUMBERS, FOR_CLASSIFY, OUTPUT_CLASSES,             \
        ROUTE_QUICK, SCOPE_INFER
#define DECODES                                                                \
    decode_handle, NUMBERS, PICTURE, OPTION_LAYER, OUTPUT_RECONSTRUCTION,      \
        ROUTE_QUICK, SCOPE_INFER
#define INFERS                                                                 \
    infer_handle, ANY_BODY, MEDIA_JSON, FOR_INFER, 0, ROUTE_QUICK, SCOPE_INFER
#define OPEN_SHOWS(handle, scope) SHOWS(handle, 0, ROUTE_QUICK, scope)
#define OPEN_TAKES(handle, speed, scope)                                       \
    handle, MEDIA_ANY, 0, 0, 0, speed, scope

/* clang-format off */
const struct route routes[] = {
    {"POST", "/v1/models/{model}/encode", ENCODES},
    {"POST", "/v1/models/{model}/pool", POOLS},
    {"POST", "/v1/models/{model}/reconstruct", RECONSTRUCTS},
    {"POST", "/v1/models/{model}/classify", CLASSIFIES},
    {"POST", "/v1/models/{model}/decode", DECODES},
    {"POST", "/v1/models/{model}/infer", INFERS},
    {"POST", "/v1/models/{model}:predict",
     OPEN_TAKES(predict_handle, ROUTE_QUICK, SCOPE_INFER)},
    {"POST", "/v1/models/{model}/versions/{version}/encode", ENCODES},
    {"POST", "/v1/models/{model}/versions/{version}/pool", POOLS},
    {"POST", "/v1/models/{model}/versions/{version}/reconstruct", RECONSTRUCTS},
    {"POST", "/v1/models/{model}/versions/{version}/classify", CLASSIFIES},
    {"POST", "/v1/models/{model}/versions/{version}/decode", DECODES},
    {"POST", "/v1/models/{model}/versions/{version}/infer", INFERS},
    {"GET", "/v1/models", SHOWS(models_list, 0, ROUTE_QUICK, SCOPE_INFER)},
    {"GET", "/v1/models/{model}", SHOWS(models_show, 0, ROUTE_QUICK, SCOPE_INFER)},
    {"GET", "/v1/models/{model}/atoms.png",
     SHOWS(atoms_show, FOR_ATOMS, ROUTE_SLOW, SCOPE_INFER)},
    {"GET", "/v1/models/{model}/units/{unit}",
     SHOWS(units_show, OPTION_LAYER, ROUTE_QUICK, SCOPE_INFER)},
    {"GET", "/v1/models/{model}/versions", SHOWS(versions_list, 0, ROUTE_SLOW, SCOPE_INFER)},
    {"GET", "/v1/models/{model}/versions/{version}",
     SHOWS(models_show, 0, ROUTE_QUICK, SCOPE_INFER)},
    {"GET", "/v1/models/{model}/versions/{version}/atoms.png",
     SHOWS(atoms_show, FOR_ATOMS, ROUTE_SLOW, SCOPE_INFER)},
    {"GET", "/v1/models/{model}/versions/{version}/units/{unit}",
     SHOWS(units_show, OPTION_LAYER, ROUTE_QUICK, SCOPE_INFER)},
    {"POST", "/v1/models/{model}/versions/{version}/activate",
     SHOWS(versions_activate, 0, ROUTE_QUICK, SCOPE_ADMIN)},
    {"POST", "/v1/models/{model}/samples",
     TAKES(samples_post, ANY_SAMPLES, OPTION_LABEL)},
    {"GET", "/v1/models/{model}/samples",
     SHOWS(samples_list, FOR_SAMPLES, ROUTE_SLOW, SCOPE_LEARN)},
    {"DELETE", "/v1/models/{model}/samples",
     SHOWS(samples_remove, FOR_DELETION, ROUTE_QUICK, SCOPE_LEARN)},
    {"PUT", "/v1/models/{model}/samples/{sample}/label",
     TAKES(labels_put, MEDIA_JSON, 0)},
    {"POST", "/v1/models/{model}/fine-tunes",
     TAKES(fine_tunes_start, MEDIA_JSON | MEDIA_NOTHING, FOR_FINE_TUNE)},
    {"GET", "/v1/fine-tunes", SHOWS(fine_tunes_list, FOR_FINE_TUNES, ROUTE_SLOW, SCOPE_LEARN)},
    {"GET", "/v1/fine-tunes/{job}", SHOWS(fine_tunes_show, 0, ROUTE_SLOW, SCOPE_LEARN)},
    {"POST", "/v1/fine-tunes/{job}/cancel",
     SHOWS(fine_tunes_cancel, 0, ROUTE_QUICK, SCOPE_LEARN)},
    {"GET", "/v1/fine-tunes/{job}/events",
     events_open, 0, MEDIA_EVENTS, 0, 0, ROUTE_SLOW, SCOPE_LEARN},
    {"GET", "/v2", OPEN_SHOWS(oip_server, 0)},
    {"GET", "/v2/", OPEN_SHOWS(oip_server, 0)},
    {"GET", "/v2/health/live", OPEN_SHOWS(oip_live, 0)},
    {"GET", "/v2/health/ready", OPEN_SHOWS(oip_ready, 0)},
    {"GET", "/v2/models", OPEN_SHOWS(oip_models, SCOPE_INFER)},
    {"GET", "/v2/models/stats", OPEN_SHOWS(oip_statistics, SCOPE_INFER)},
    {"GET", "/v2/models/{model}", OPEN_SHOWS(oip_model, SCOPE_INFER)},
    {"GET", "/v2/models/{model}/ready", OPEN_SHOWS(oip_model_ready, 0)},
    {"GET", "/v2/models/{model}/config", OPEN_SHOWS(oip_config, SCOPE_INFER)},
    {"POST", "/v2/models/{model}/infer",
     OPEN_TAKES(oip_infer, ROUTE_QUICK, SCOPE_INFER)},
    {"GET", "/v2/models/{model}/versions/{version}", OPEN_SHOWS(oip_model, SCOPE_INFER)},
    {"GET", "/v2/models/{model}/versions/{version}/ready", OPEN_SHOWS(oip_model_ready, 0)},
    {"GET", "/v2/models/{model}/versions/{version}/config",
     OPEN_SHOWS(oip_config, SCOPE_INFER)},
    {"POST", "/v2/models/{model}/versions/{version}/infer",
     OPEN_TAKES(oip_infer, ROUTE_QUICK, SCOPE_INFER)},
    {"GET", "/v2/models/{model}/stats", OPEN_SHOWS(oip_statistics, SCOPE_INFER)},
    {"GET", "/v2/models/{model}/versions/{version}/stats",
     OPEN_SHOWS(oip_statistics, SCOPE_INFER)},
    {"POST", "/v2/repository/index", OPEN_TAKES(oip_index, ROUTE_BODY, SCOPE_INFER)},
    {"POST", "/v2/repository/models/{model}/load",
     OPEN_TAKES(oip_load, ROUTE_SLOW, SCOPE_ADMIN)},
    {"POST", "/v2/repository/models/{model}/unload",
     OPEN_TAKES(oip_unload, ROUTE_SLOW, SCOPE_ADMIN)},
    {"GET", "/healthz", SHOWS(health_live, 0, ROUTE_QUICK, 0)},
    {"GET", "/readyz", SHOWS(health_ready, 0, ROUTE_QUICK, 0)},
    {"GET", "/metrics", SHOWS(metrics_show, 0, ROUTE_QUICK, 0)},
    {"GET", "/openapi.yaml", SHOWS(assets_file, 0, ROUTE_QUICK, 0)},
    {"GET", "/", SHOWS(assets_index, 0, ROUTE_QUICK, 0)},
    {NULL, NULL, SHOWS(NULL, 0, ROUTE_QUICK, 0)},
};
/* clang-format on */

/* The demo's files: in the embedded table, and no operations. */
static const struct route file_route = {"GET", "/{file}",
                                        SHOWS(assets_file, 0, ROUTE_QUICK, 0)};

enum route_family route_family_of(const char *target)
{
    static const char predict[] = ":predict";
    size_t length = target != NULL ? strlen(target) : 0;

    if (length < 3 || memcmp(target, "/v", 2) != 0 ||
        (target[2] != '1' && target[2] != '2') ||
        (target[3] != 0 && target[3] != '/'))
        return FAMILY_PLAIN;
    bool open = target[2] == '2' ||
                (length >= sizeof predict &&
                 strcmp(target + length + 1 - sizeof predict, predict) == 0);
    return open ? FAMILY_OPEN : FAMILY_NATIVE;
}

/* ---- matching ---- */

struct path {
    size_t n;
    char segments[MAX_SEGMENTS][SEGMENT_BYTES];
};

/* False if the target cannot match any row. */
static bool split(struct path *p, const char *target)
{
    p->n = 0;
    if (target == NULL || *target != '/')
        return false;
    while (*target == '/') {
        target++;
        size_t length = strcspn(target, "/");
        if (p->n == MAX_SEGMENTS)
            return false;
        char *segment = p->segments[p->n++];
        if (!percent_decode(segment, SEGMENT_BYTES, target, length) ||
            strchr(segment, '/') != NULL)
            return false;
        target += length;
    }
    return true;
}

/* A plain decimal number: no sign, no leading zero, at most 18 digits, so that
 * it is an int64 too. */
static bool read_number(const char *text, uint64_t *value)
{
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > 18 || text[digits] != 0 ||
        (digits > 1 && text[0] == '0'))
        return false;
    *value = 0;
    for (; *text != 0; text++)
        *value = *value * 10 + (uint64_t)(*text - '0');
    return true;
}

/* Segments that are numbers, and where they go. */
static const struct {
    const char *name;
    size_t offset; /* in struct call */
    uint64_t min;
} numbers[] = {
    {"{version}", offsetof(struct call, version), 1},
    {"{unit}", offsetof(struct call, unit), 0},
    {"{sample}", offsetof(struct call, sample), 1},
    {"{job}", offsetof(struct call, job), 1},
};

#define N_NUMBERS (sizeof numbers / sizeof numbers[0])

static bool match_number(struct call *call, size_t i, const char *text)
{
    uint64_t value;

    if (!read_number(text, &value) || value < numbers[i].min) {
        /* The Open Inference Protocol's versions are any text. */
        if (route_family_of(call->request->target) != FAMILY_OPEN)
            return false;
        value = CALL_NO_VERSION;
    }
    memcpy((char *)call + numbers[i].offset, &value, sizeof value);
    return true;
}

/* A name, and the word after it if the pattern has one. */
static bool match_model(struct call *call, const char *word, size_t length,
                        const char *text)
{
    size_t size = strlen(text);

    if (size < length || memcmp(text + size - length, word, length) != 0 ||
        !repository_name_ok(text, size - length))
        return false;
    memcpy(call->model, text, size - length);
    call->model[size - length] = 0;
    return true;
}

static bool match_segment(struct call *call, const char *pattern, size_t length,
                          const char *text)
{
    static const char model[] = "{model}";
    size_t name = sizeof model - 1;

    if (length >= name && memcmp(pattern, model, name) == 0)
        return match_model(call, pattern + name, length - name, text);
    for (size_t i = 0; i < N_NUMBERS; i++) {
        if (strlen(numbers[i].name) == length &&
            memcmp(pattern, numbers[i].name, length) == 0)
            return match_number(call, i, text);
    }
    return strlen(text) == length && memcmp(pattern, text, length) == 0;
}

/* Whether the words of a pattern are those of the path: where most rows end. */
static bool match_words(const char *pattern, const struct path *p)
{
    for (size_t i = 0; i < p->n; i++) {
        const char *text = p->segments[i];
        bool named = pattern[0] == '/' && pattern[1] == '{';
        if (*pattern++ != '/')
            return false;
        for (; *pattern != 0 && *pattern != '/'; pattern++) {
            if (!named && *pattern != *text++)
                return false;
        }
        if (!named && *text != 0)
            return false;
    }
    return *pattern == 0;
}

static bool match(struct call *call, const char *pattern, const struct path *p)
{
    call->model[0] = 0;
    call->version = 0;
    if (!match_words(pattern, p))
        return false;
    for (size_t i = 0; i < p->n; i++) {
        if (*pattern != '/')
            return false;
        size_t length = strcspn(++pattern, "/");
        if (!match_segment(call, pattern, length, p->segments[i]))
            return false;
        pattern += length;
    }
    return *pattern == 0;
}

/* Whether a row for `method` serves a request; GET rows serve HEAD too. */
static bool serves(const char *method, const char *asked)
{
    return strcmp(method, asked) == 0 ||
           (strcmp(method, "GET") == 0 && strcmp(asked, "HEAD") == 0);
}

static void add_allow(char *allow, size_t size, const char *method)
{
    size_t used = strlen(allow);

    snprintf(allow + used, size - used, "%s%s", used > 0 ? ", " : "",
             strcmp(method, "GET") == 0 ? "GET, HEAD" : method);
}

/* Takes the row if its method serves; else notes what the path allows. */
static bool take(struct call *call, const struct route *row, char *allow,
                 size_t size)
{
    if (serves(row->method, call->request->method)) {
        call->route = row;
        return true;
    }
    add_allow(allow, size, row->method);
    return false;
}

static bool find_row(struct call *call, char *allow, size_t size)
{
    struct path path;
    const char *target = call->request->target;

    if (!split(&path, target))
        return false;
    for (const struct route *row = routes; row->method != NULL; row++) {
        if (match(call, row->pattern, &path) && take(call, row, allow, size))
            return true;
    }
    if (allow[0] == 0 && assets_find(target) != NULL)
        return take(call, &file_route, allow, size);
    return false;
}

/* Of the server as a whole (RFC 9110, section 9.3.7). */
static void allow_all(char *allow, size_t size)
{
    for (const struct route *row = routes; row->method != NULL; row++) {
        if (strstr(allow, row->method) == NULL)
            add_allow(allow, size, row->method);
    }
}

static void take_match(struct call *call, const struct route_match *m)
{
    call->route = m->route;
    memcpy(call->model, m->model, sizeof call->model);
    call->version = m->version;
    call->unit = m->unit;
    call->sample = m->sample;
    call->job = m->job;
}

bool route_find(struct call *call, char *allow, size_t size)
{
    const struct api_request *request = call->request;

    allow[0] = 0;
    if (request->match != NULL) {
        take_match(call, request->match);
        return true;
    }
    call->route = NULL;
    if (find_row(call, allow, size))
        return true;
    if (request->target != NULL && strcmp(request->target, "*") == 0 &&
        strcmp(request->method, "OPTIONS") == 0)
        allow_all(allow, size);
    if (allow[0] != 0)
        add_allow(allow, size, "OPTIONS");
    return false;
}

static size_t count_rows(void)
{
    size_t n = 0;

    while (routes[n].method != NULL)
        n++;
    return n;
}

size_t route_index(const struct route *route)
{
    if (route == NULL)
        return 0;
    return route == &file_route ? count_rows() + 1
                                : (size_t)(route - routes) + 1;
}

const struct route *route_at(size_t index)
{
    size_t n = count_rows();

    if (index == 0 || index > n + 1)
        return NULL;
    return index == n + 1 ? &file_route : &routes[index - 1];
}

/* Whether the row only lets a client name the version for another one. */
static bool has_twin(const struct route *row)
{
    const struct route *other = routes;

    if (strstr(row->pattern, "{version}/") == NULL)
        return false;
    while (other->method != NULL &&
           (other->handle != row->handle ||
            strstr(other->pattern, "{version}") != NULL))
        other++;
    return other->method != NULL;
}

void route_list(struct buf *b, enum route_family family)
{
    const char *before = "";

    for (const struct route *row = routes; row->method != NULL; row++) {
        bool open = route_family_of(row->pattern) == FAMILY_OPEN;
        if (has_twin(row) || open != (family == FAMILY_OPEN))
            continue;
        buf_printf(b, "%s%s %s", before, row->method, row->pattern);
        before = ", ";
    }
}
