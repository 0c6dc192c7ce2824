/* Settings: where their texts come from (arguments, environment, JSON), and
 * the JSON that they are printed as.
 */
#include "server/nearest.h"
#include "server/setting.h"

#include <string.h>

#define MAX_JSON_BYTES ((size_t)1 << 20)

/* ERR_INVALID: there is no row of that name (length bytes), "--" before it. */
static enum err_code refuse_name(const struct setting *table, const char *mark,
                                 const char *name, size_t length, bool in_file,
                                 struct err *e)
{
    int shown = length > 50 ? 50 : (int)length;
    struct nearest near;

    nearest_begin(&near, name, length);
    for (const struct setting *s = table; s->name != NULL; s++) {
        if (!in_file || !s->not_in_file)
            nearest_try(&near, s->name);
    }
    if (near.best == NULL)
        return err_set(e, ERR_INVALID, "there is no setting '%s%.*s'", mark,
                       shown, name);
    return err_set(e, ERR_INVALID,
                   "there is no setting '%s%.*s': did you mean '%s%s'?", mark,
                   shown, name, mark, near.best);
}

/* ---- arguments ---- */

/* Reads the flag argv[*i], with its value if that is the next argument. */
static enum err_code read_argument(const struct setting *table, void *into,
                                   char **argv, int *i, struct err *e)
{
    const char *name = argv[*i] + 2;
    size_t length = strcspn(name, "=");
    const struct setting *s = setting_find(table, name, length);
    const char *value = "true";
    char source[64];

    if (s == NULL)
        return refuse_name(table, "--", name, length, false, e);
    snprintf(source, sizeof source, "--%s", s->name);
    if (name[length] == '=') {
        value = name + length + 1;
    } else if (s->type != SETTING_FLAG) {
        if (argv[*i + 1] == NULL)
            return err_set(e, ERR_INVALID, "%s needs a value: %s", source,
                           s->value);
        value = argv[++*i];
    }
    return setting_read(s, into, value, source, e);
}

enum err_code settings_read_flags(const struct setting *table, void *into,
                                  int argc, char **argv,
                                  const char *const *what,
                                  const char **operands, size_t n,
                                  struct err *e)
{
    size_t got = 0;

    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) == 0) {
            if (read_argument(table, into, argv, &i, e) != ERR_OK)
                return e->code;
        } else if (got < n) {
            operands[got++] = argv[i];
        } else {
            return err_set(e, ERR_INVALID, "one argument too many: '%.60s'",
                           argv[i]);
        }
    }
    if (got < n)
        return err_set(e, ERR_INVALID, "%s is missing", what[got]);
    return ERR_OK;
}

/* ---- environment ---- */

/* SPARSED_MAX_BODY=1MiB -> max-body; NULL if it is no setting. */
static const struct setting *find_variable(const struct setting *table,
                                           const char *variable)
{
    static const char prefix[] = "SPARSED_";
    char name[64];
    size_t n = 0;

    if (strncmp(variable, prefix, sizeof prefix - 1) != 0)
        return NULL;
    for (const char *c = variable + sizeof prefix - 1; *c != '='; c++) {
        if (*c == 0 || n == sizeof name)
            return NULL;
        bool capital = *c >= 'A' && *c <= 'Z';
        name[n++] = *c == '_' ? '-' : capital ? (char)(*c - 'A' + 'a') : *c;
    }
    return setting_find(table, name, n);
}

/* Others of that prefix are no error: Kubernetes sets SPARSED_PORT and more in
 * the pods beside a service called sparsed. */
enum err_code settings_read_environment(const struct setting *table, void *into,
                                        char *const *environment, struct err *e)
{
    for (; *environment != NULL; environment++) {
        const char *variable = *environment;
        const struct setting *s = find_variable(table, variable);
        char source[80];
        if (s == NULL)
            continue;
        const char *equals = strchr(variable, '=');
        snprintf(source, sizeof source, "%.*s", (int)(equals - variable),
                 variable);
        if (setting_read(s, into, equals + 1, source, e) != ERR_OK)
            return e->code;
    }
    return ERR_OK;
}

/* ---- JSON ---- */

static enum err_code read_member(const struct setting *table, void *into,
                                 const struct json *member, struct err *e)
{
    const char *key = json_key(member);
    const struct setting *s = setting_find(table, key, strlen(key));
    char number[32];
    const char *text;

    if (s == NULL || s->not_in_file)
        return refuse_name(table, "", key, strlen(key), true, e);
    if (json_is_text(member)) {
        text = json_text(member);
    } else if (json_is_bool(member)) {
        text = json_bool(member) ? "true" : "false";
    } else if (json_is_number(member) && s->type != SETTING_TEXT) {
        snprintf(number, sizeof number, "%.17g", json_number(member));
        text = number;
    } else {
        return err_set(e, ERR_INVALID, "%s: wrong type", key);
    }
    return setting_read(s, into, text, key, e);
}

enum err_code settings_read_json(const struct setting *table, void *into,
                                 const struct json *object, struct err *e)
{
    if (!json_is_object(object))
        return err_set(e, ERR_INVALID, "not a JSON object");
    for (const struct json *m = json_first(object); m != NULL;
         m = json_next(m)) {
        if (!json_is_null(m) && read_member(table, into, m, e) != ERR_OK)
            return e->code;
    }
    return ERR_OK;
}

static struct json *value_of(const struct setting *s, const void *from)
{
    const void *member = (const char *)from + s->offset;

    switch (s->type) {
    case SETTING_TEXT:
        return *(const char *const *)member != NULL
                   ? json_new_text(*(const char *const *)member)
                   : json_new_null();
    case SETTING_FLAG:
        return json_new_bool(*(const bool *)member);
    case SETTING_COUNT:
    case SETTING_BYTES:
        return json_new_number((double)*(const size_t *)member);
    case SETTING_SECONDS:
        return json_new_number((double)*(const usec *)member / 1e6);
    case SETTING_NUMBER:
        return json_new_number(*(const double *)member);
    case SETTING_CHOICE:
        return json_new_text(s->choices[*(const int *)member]);
    }
    return NULL;
}

void setting_print(struct buf *out, const struct setting *s, const void *from)
{
    struct json *value = value_of(s, from);

    json_print(out, value);
    json_free(value);
}

void settings_print_json(FILE *out, const struct setting *table,
                         const void *from)
{
    const char *before = "{\n  ";
    struct buf text;

    buf_init(&text, MAX_JSON_BYTES);
    for (const struct setting *s = table; s->name != NULL; s++) {
        if (s->not_in_file)
            continue;
        buf_text(&text, before);
        buf_json_text(&text, s->name);
        buf_text(&text, ": ");
        setting_print(&text, s, from);
        before = ",\n  ";
    }
    buf_text(&text, "\n}\n");
    if (!buf_failed(&text))
        fputs(text.data, out);
    buf_fini(&text);
}
