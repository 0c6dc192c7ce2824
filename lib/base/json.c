/* JSON nodes over cJSON: the only file that knows it.
 *
 * A struct json is a cJSON node under another name. cJSON is given only text
 * that json_check has accepted, is asked only for exact-case members, and its
 * printer is not used (it has no depth limit and cuts integers at 15 digits).
 * It reads numbers by strtod with the locale's decimal point, and most of its
 * versions in use read none longer than CJSON_NUMBER.
 */
#include "lib/base/json.h"

#include "lib/base/file.h"
#include "lib/base/mem.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

/* Marks a node to which something could not be added: a bit of `type` that
 * cJSON does not use and cJSON_Duplicate keeps. */
#define BROKEN (1 << 16)

/* The longest number that every version of cJSON reads whole. */
#define CJSON_NUMBER 63

static const cJSON *node(const struct json *j)
{
    return (const cJSON *)j;
}

static cJSON *node_to_change(struct json *j)
{
    return (cJSON *)j;
}

static const struct json *from_node(const cJSON *c)
{
    return (const struct json *)c;
}

static void install_hooks(void)
{
    cJSON_Hooks hooks = {mem_raw, mem_free};

    cJSON_InitHooks(&hooks);
}

/* Before the first allocation by cJSON, so that its memory is ours. */
static void prepare(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, install_hooks);
}

/* Whether a string within checked text has the escape of character 0, which a
 * C string cannot carry. */
static bool has_null_escape(const char *text, size_t length)
{
    for (size_t i = 0; i + 5 < length; i++) {
        if (text[i] != '\\')
            continue;
        if (memcmp(text + i + 1, "u0000", 5) == 0)
            return true;
        i++; /* the escaped character, be it a backslash */
    }
    return false;
}

/* Copies checked text and writes numbers that are too long for cJSON, which
 * would cut them, as the doubles that they are. */
static void copy_shortened(struct buf *out, const char *text, size_t length)
{
    bool in_string = false;

    for (size_t i = 0; i < length;) {
        char c = text[i];
        double value;
        size_t step = 1;
        if (in_string && c == '\\')
            step = 2;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '-' || (c >= '0' && c <= '9')))
            step = json_scan_number(text + i, length - i, &value);
        if (step > CJSON_NUMBER)
            buf_json_double(out, value);
        else
            buf_add(out, text + i, step);
        i += step;
    }
}

static bool in_number(char c)
{
    return (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.' ||
           c == 'e' || c == 'E';
}

/* Whether any run of characters of numbers is too long for cJSON. */
static bool has_long_number(const char *text, size_t length)
{
    size_t run = 0;

    for (size_t i = 0; i < length; i++) {
        run = in_number(text[i]) ? run + 1 : 0;
        if (run > CJSON_NUMBER)
            return true;
    }
    return false;
}

static cJSON *parse_checked(const char *text, size_t length)
{
    if (!has_long_number(text, length))
        return cJSON_ParseWithLength(text, length);
    struct buf shortened;
    cJSON *c = NULL;
    buf_init(&shortened, length);
    copy_shortened(&shortened, text, length);
    if (!buf_failed(&shortened))
        c = cJSON_ParseWithLength(shortened.data, shortened.length);
    buf_fini(&shortened);
    return c;
}

struct json *json_parse(const char *text, size_t length, struct err *e)
{
    prepare();
    if (json_check(text, length, e) != ERR_OK)
        return NULL;
    if (has_null_escape(text, length)) {
        err_set(e, ERR_INVALID, "JSON: \\u0000 is not taken in text");
        return NULL;
    }
    cJSON *c = parse_checked(text, length);
    if (c == NULL)
        err_set(e, ERR_NO_MEMORY, "JSON: no memory for %zu bytes", length);
    return (struct json *)c;
}

struct json *json_parse_file(const char *path, size_t max_bytes, struct err *e)
{
    size_t length;
    char *text = file_read(path, max_bytes, &length, e);

    if (text == NULL)
        return NULL;
    struct json *j = json_parse(text, length, e);
    if (j == NULL)
        err_wrap(e, "%s", path);
    mem_free(text);
    return j;
}

void json_free(struct json *j)
{
    cJSON_Delete(node_to_change(j));
}

struct json *json_copy(const struct json *j)
{
    prepare();
    return (struct json *)cJSON_Duplicate(node(j), 1);
}

const struct json *json_get(const struct json *j, const char *key)
{
    if (!json_is_object(j))
        return NULL;
    const cJSON *c = cJSON_GetObjectItemCaseSensitive(node(j), key);
    return cJSON_IsNull(c) ? NULL : from_node(c);
}

size_t json_count(const struct json *j)
{
    size_t n = 0;

    if (!json_is_array(j))
        return 0;
    for (const cJSON *c = node(j)->child; c != NULL; c = c->next)
        n++;
    return n;
}

const struct json *json_at(const struct json *j, size_t i)
{
    if (!json_is_array(j))
        return NULL;
    const cJSON *c = node(j)->child;
    while (c != NULL && i-- > 0)
        c = c->next;
    return from_node(c);
}

const struct json *json_first(const struct json *j)
{
    return json_is_array(j) || json_is_object(j) ? from_node(node(j)->child)
                                                 : NULL;
}

const struct json *json_next(const struct json *j)
{
    return from_node(node(j)->next);
}

const char *json_key(const struct json *j)
{
    return node(j)->string;
}

bool json_is_object(const struct json *j)
{
    return cJSON_IsObject(node(j));
}

bool json_is_array(const struct json *j)
{
    return cJSON_IsArray(node(j));
}

bool json_is_text(const struct json *j)
{
    return cJSON_IsString(node(j));
}

bool json_is_number(const struct json *j)
{
    return cJSON_IsNumber(node(j));
}

bool json_is_bool(const struct json *j)
{
    return cJSON_IsBool(node(j));
}

bool json_is_null(const struct json *j)
{
    return cJSON_IsNull(node(j));
}

const char *json_text(const struct json *j)
{
    assert(json_is_text(j));
    return node(j)->valuestring;
}

double json_number(const struct json *j)
{
    assert(json_is_number(j));
    return node(j)->valuedouble;
}

bool json_bool(const struct json *j)
{
    assert(json_is_bool(j));
    return cJSON_IsTrue(node(j));
}

struct json *json_new_object(void)
{
    prepare();
    return (struct json *)cJSON_CreateObject();
}

struct json *json_new_array(void)
{
    prepare();
    return (struct json *)cJSON_CreateArray();
}

struct json *json_new_number(double value)
{
    prepare();
    return (struct json *)cJSON_CreateNumber(value);
}

struct json *json_new_text(const char *text)
{
    prepare();
    return (struct json *)cJSON_CreateString(text);
}

struct json *json_new_bool(bool value)
{
    prepare();
    return (struct json *)cJSON_CreateBool(value);
}

struct json *json_new_null(void)
{
    prepare();
    return (struct json *)cJSON_CreateNull();
}

void json_set(struct json *object, const char *key, struct json *value)
{
    cJSON *c = node_to_change(object);

    if (c == NULL) {
        json_free(value);
        return;
    }
    assert(json_is_object(object));
    if (value == NULL) {
        c->type |= BROKEN;
        return;
    }
    cJSON *old = cJSON_GetObjectItemCaseSensitive(c, key);
    cJSON *added = node_to_change(value);
    if (!cJSON_AddItemToObject(c, key, added)) {
        cJSON_Delete(added);
        c->type |= BROKEN;
        return;
    }
    if (old != NULL) {
        cJSON_DetachItemViaPointer(c, added);
        cJSON_ReplaceItemViaPointer(c, old, added);
    }
}

void json_remove(struct json *object, const char *key)
{
    cJSON_DeleteItemFromObjectCaseSensitive(node_to_change(object), key);
}

void json_add(struct json *array, struct json *value)
{
    cJSON *c = node_to_change(array);

    if (c == NULL) {
        json_free(value);
        return;
    }
    assert(json_is_array(array));
    if (value == NULL || !cJSON_AddItemToArray(c, node_to_change(value))) {
        json_free(value);
        c->type |= BROKEN;
    }
}

static void print_number(struct buf *b, double value)
{
    if (!isfinite(value))
        b->failed = true; /* JSON has no way to write it */
    else
        buf_json_double(b, value);
}

static void print_node(struct buf *b, const cJSON *c, unsigned depth)
{
    bool object = cJSON_IsObject(c);

    if (c == NULL || (c->type & BROKEN) != 0 ||
        (depth == JSON_MAX_DEPTH && (object || cJSON_IsArray(c)))) {
        b->failed = true;
        return;
    }
    if (cJSON_IsString(c)) {
        buf_json_text(b, c->valuestring);
    } else if (cJSON_IsNumber(c)) {
        print_number(b, c->valuedouble);
    } else if (object || cJSON_IsArray(c)) {
        buf_char(b, object ? '{' : '[');
        for (const cJSON *child = c->child; child != NULL;
             child = child->next) {
            if (child != c->child)
                buf_char(b, ',');
            if (object) {
                buf_json_text(b, child->string);
                buf_char(b, ':');
            }
            print_node(b, child, depth + 1);
        }
        buf_char(b, object ? '}' : ']');
    } else if (cJSON_IsBool(c)) {
        buf_text(b, cJSON_IsTrue(c) ? "true" : "false");
    } else {
        buf_text(b, "null");
    }
}

void json_print(struct buf *b, const struct json *j)
{
    print_node(b, node(j), 0);
}

bool json_whole(const struct json *j)
{
    struct buf text;
    buf_init(&text, SIZE_MAX / 4);
    json_print(&text, j);
    bool whole = !buf_failed(&text);
    buf_fini(&text);
    return whole;
}
