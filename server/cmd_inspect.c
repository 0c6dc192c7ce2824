/* sparsed inspect: what a model file holds: composition, parameters with their
 * shapes, measured figures, lineage, what it keeps for later training.
 *
 * The composition is printed as its config says it, so an axis value that is
 * new needs no line here.
 */
#include "lib/base/buf.h"
#include "server/command.h"
#include "server/load.h"

#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define MAX_RESULT_BYTES ((size_t)16 << 20)
#define MAX_PATH_TEXT 160
#define CLASSES_SHOWN 20

struct arguments {
    const char *model;
    bool json;
};

static const struct setting table[] = {
    {.name = "json",
     .type = SETTING_FLAG,
     .offset = offsetof(struct arguments, json),
     .help = "one JSON object on stdout"},
    {0},
};

/* What the dimensions of a parameter count, by enum param_axis. */
static const char *const axis_names[] = {"input", "code", "group", "class",
                                         "fixed"};

/* ---- JSON ---- */

static struct json *copy_or_null(const struct json *j)
{
    return j != NULL ? json_copy(j) : json_new_null();
}

static struct json *classes_json(const struct model *m)
{
    struct json *list = json_new_array();

    for (size_t i = 0; m->classes != NULL && i < m->classifier.classes; i++)
        json_add(list, json_new_text(m->classes[i]));
    return list;
}

static struct json *layers_json(const struct model *m)
{
    struct json *list = json_new_array();

    for (size_t i = 0; i < m->n_layers; i++) {
        const struct layer *l = &m->layers[i];
        struct json *o = json_new_object();
        json_set(o, "inputs", json_new_number((double)layer_inputs(l)));
        json_set(o, "units", json_new_number((double)layer_units(l)));
        json_set(o, "pools", json_new_number((double)layer_groups(l)));
        json_add(list, o);
    }
    return list;
}

static struct json *parameters_json(const struct model *m)
{
    struct json *list = json_new_array();

    for (size_t i = 0; i < m->params.n; i++) {
        const struct param *p = &m->params.list[i];
        struct json *o = json_new_object();
        struct json *shape = json_new_array();
        struct json *axes = json_new_array();
        for (size_t d = 0; d < p->rank; d++) {
            json_add(shape, json_new_number((double)p->dims[d]));
            json_add(axes, json_new_text(axis_names[p->axes[d]]));
        }
        json_set(o, "name", json_new_text(p->name));
        json_set(o, "shape", shape);
        json_set(o, "axes", axes);
        json_add(list, o);
    }
    return list;
}

static struct json *rehearsal_json(const struct rehearsal *r)
{
    struct json *o = json_new_object();

    json_set(o, "rows", json_new_number((double)r->n));
    json_set(o, "held_out", json_new_number((double)rehearsal_held_out(r)));
    return o;
}

static enum err_code print_json(const struct model *m, const char *path,
                                struct err *e)
{
    struct json *o = json_new_object();
    struct buf text;

    json_set(o, "path", json_new_text(path));
    json_set(o, "config", copy_or_null(m->config));
    json_set(o, "classes", classes_json(m));
    json_set(o, "layers", layers_json(m));
    json_set(o, "parameters", parameters_json(m));
    json_set(o, "numbers", json_new_number((double)m->params.total));
    json_set(o, "metrics", copy_or_null(m->metrics));
    json_set(o, "lineage", copy_or_null(m->lineage));
    json_set(o, "training", copy_or_null(m->training));
    json_set(o, "rehearsal", rehearsal_json(&m->rehearsal));
    buf_init(&text, MAX_RESULT_BYTES);
    json_print(&text, o);
    json_free(o);
    bool failed = buf_failed(&text);
    if (!failed)
        puts(text.data);
    buf_fini(&text);
    return failed ? err_set(e, ERR_NO_MEMORY, "no memory for the result")
                  : ERR_OK;
}

/* ---- text ---- */

static bool is_plain(const struct json *j)
{
    return !json_is_object(j) && !json_is_array(j);
}

static bool is_plain_list(const struct json *j)
{
    if (!json_is_array(j))
        return false;
    for (j = json_first(j); j != NULL; j = json_next(j)) {
        if (!is_plain(j))
            return false;
    }
    return true;
}

static void print_value(const char *path, const struct json *j)
{
    struct buf text;

    buf_init(&text, MAX_RESULT_BYTES);
    json_print(&text, j);
    if (!buf_failed(&text))
        printf("  %-34s %s\n", path, text.data);
    buf_fini(&text);
}

/* One line a plain value, or list of plain values: "layers[0].units  400". */
static void print_tree(const struct json *j, char *path, size_t used)
{
    size_t i = 0;

    if (is_plain(j) || is_plain_list(j)) {
        print_value(path, j);
        return;
    }
    for (const struct json *m = json_first(j); m != NULL; m = json_next(m)) {
        int n = json_is_array(j)
                    ? snprintf(path + used, MAX_PATH_TEXT - used, "[%zu]", i++)
                    : snprintf(path + used, MAX_PATH_TEXT - used, "%s%s",
                               used > 0 ? "." : "", json_key(m));
        if (n > 0 && (size_t)n < MAX_PATH_TEXT - used)
            print_tree(m, path, used + (size_t)n);
    }
    path[used] = 0;
}

static void print_section(const char *title, const struct json *j)
{
    char path[MAX_PATH_TEXT] = "";

    if (j == NULL)
        return;
    printf("\n%s\n", title);
    print_tree(j, path, 0);
}

static void print_classes(const struct model *m)
{
    if (!m->classifier.present)
        return;
    printf("\nclasses\n  %zu:", m->classifier.classes);
    for (size_t i = 0; i < m->classifier.classes && i < CLASSES_SHOWN; i++)
        printf(" %s", m->classes[i]);
    puts(m->classifier.classes > CLASSES_SHOWN ? " ..." : "");
}

static void print_parameters(const struct model *m)
{
    printf("\nparameters\n");
    for (size_t i = 0; i < m->params.n; i++) {
        const struct param *p = &m->params.list[i];
        printf("  %-34s (", p->name);
        for (size_t d = 0; d < p->rank; d++)
            printf("%s%zu", d > 0 ? ", " : "", p->dims[d]);
        printf(")\n");
    }
    printf("  %-34s %zu\n", "numbers in all", m->params.total);
}

static void print_text(const struct model *m, const char *path)
{
    printf("%s\n", path);
    print_section("composition", m->config);
    printf("\nlayers\n");
    for (size_t i = 0; i < m->n_layers; i++)
        printf("  %zu: %zu inputs, %zu units, %zu pools\n", i,
               layer_inputs(&m->layers[i]), layer_units(&m->layers[i]),
               layer_groups(&m->layers[i]));
    print_classes(m);
    print_parameters(m);
    print_section("figures", m->metrics);
    print_section("lineage", m->lineage);
    print_section("training", m->training);
    if (m->rehearsal.n > 0)
        printf("\nrehearsal\n  %zu rows, %zu of them held out\n",
               m->rehearsal.n, rehearsal_held_out(&m->rehearsal));
}

static int run(int argc, char **argv)
{
    static const char *const what[] = {"MODEL"};
    struct arguments args = {.json = false};
    char path[PATH_MAX];
    struct err e;
    enum err_code code = ERR_OK;

    if (settings_read_flags(table, &args, argc, argv, what, &args.model, 1,
                            &e) != ERR_OK)
        return command_refuse(&command_inspect, e.msg);
    struct model *m = load_model(args.model, path, sizeof path, &e);
    if (m == NULL)
        return command_fail(&command_inspect, &e);
    if (args.json)
        code = print_json(m, path, &e);
    else
        print_text(m, path);
    model_free(m);
    return code == ERR_OK ? COMMAND_DONE : command_fail(&command_inspect, &e);
}

const struct command command_inspect = {
    .name = "inspect",
    .usage = "MODEL [--json]",
    .help = "says what a model is made of and where it comes from",
    .run = run,
    .starts_itself = true,
    .settings = table,
};
