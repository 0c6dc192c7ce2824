/* One reader a media type; all of them judge rows by the model's input and
 * labels by label.h.
 */
#include "api/samples_body.h"

#include "api/accept.h"
#include "api/label.h"
#include "api/routes.h"
#include "api/tensor_json.h"
#include "lib/base/mem.h"
#include "lib/data/npz.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static enum err_code no_memory(struct err *e)
{
    return err_set(e, ERR_NO_MEMORY, "no memory for the labels");
}

/* Points out->labels at the items, if any is given. */
static enum err_code take_labels(struct samples_body *out,
                                 const struct label *items, struct err *e)
{
    out->labels =
        arena_take(out->rows.memory, out->rows.B, sizeof *out->labels);
    if (out->labels == NULL)
        return no_memory(e);
    for (size_t i = 0; i < out->rows.B; i++)
        out->labels[i] = items[i].given ? items[i].text : NULL;
    return ERR_OK;
}

/* ---- JSON: {"inputs": [...], "labels": [...]} ---- */

static enum err_code check_members(const struct tensor_member *members,
                                   const struct tensor *rows,
                                   const struct label_list *list, struct err *e)
{
    if (!members[0].seen)
        return err_set(e, ERR_SHAPE,
                       "inputs: missing, want an array of inputs");
    if (members[1].seen && list->n != rows->B)
        return err_set(e, ERR_SHAPE,
                       "labels: want one an input (null for none), %zu, got "
                       "%zu",
                       rows->B, list->n);
    return ERR_OK;
}

static enum err_code read_json(struct call *call, struct samples_body *out,
                               struct err *e)
{
    static const char *const names[] = {"inputs", "labels", NULL};
    const struct api_request *request = call->request;
    struct label_list list = {.memory = request->memory};
    struct tensor_member members[2] = {
        {.name = names[0], .read = tensor_read_rows, .out = &out->rows},
        {.name = names[1], .read = label_read_list, .out = &list},
    };
    struct json *rest = tensor_json_read(request->body, request->body_length,
                                         members, 2, request->memory, e);

    if (rest == NULL)
        return e->code;
    enum err_code code = options_read_json(&call->options, 0, rest, names, e);
    json_free(rest);
    if (code != ERR_OK ||
        check_members(members, &out->rows, &list, e) != ERR_OK)
        return e->code;
    return members[1].seen ? take_labels(out, list.items, e) : ERR_OK;
}

/* ---- NDJSON: {"input": [...], "label": "7"} a line ---- */

/* The next line that is not blank; `number` counts all of them. */
static bool next_line(struct scan *s, struct json_span *line, size_t *number)
{
    while (s->at < s->end) {
        const char *end = memchr(s->at, '\n', (size_t)(s->end - s->at));
        struct scan text = {s->at, end != NULL ? end : s->end};
        *line = (struct json_span){s->at, (size_t)(text.end - text.at)};
        s->at = end != NULL ? end + 1 : s->end;
        ++*number;
        scan_space(&text);
        if (text.at < text.end)
            return true;
    }
    return false;
}

static size_t count_lines(struct scan s)
{
    struct json_span line;
    size_t n = 0, number = 0;

    while (next_line(&s, &line, &number))
        n++;
    return n;
}

static enum err_code read_line(struct call *call, struct json_span line,
                               struct tensor *rows, struct label *label,
                               struct err *e)
{
    static const char *const names[] = {"input", "label", NULL};
    struct tensor_member members[2] = {
        {.name = names[0], .read = tensor_read_row, .out = rows},
        {.name = names[1], .read = label_read, .out = label},
    };
    struct json *rest =
        tensor_json_read(line.text, line.length, members, 2, rows->memory, e);

    label->given = label->given && members[1].seen;
    if (rest == NULL)
        return e->code;
    enum err_code code = options_read_json(&call->options, 0, rest, names, e);
    json_free(rest);
    if (code == ERR_OK && !members[0].seen)
        code =
            err_set(e, ERR_SHAPE, "input: missing, want an array of numbers");
    return code;
}

/* Room for the rows, and a label each. */
static enum err_code take_lines(struct tensor *rows, struct label **labels,
                                struct scan body, struct err *e)
{
    size_t lines = count_lines(body);
    /* A number takes two bytes: with more lines than this one is short, and
     * will be refused before its turn to be stored comes. */
    size_t room = (size_t)(body.end - body.at) / 2 / rows->size + 1;

    if (lines == 0)
        return err_set(e, ERR_SHAPE, "inputs: empty, want 1 to %d lines",
                       API_MAX_ROWS);
    if (lines <= API_MAX_ROWS && lines > room)
        lines = room;
    if (tensor_take(rows, lines, e) != ERR_OK)
        return e->code;
    *labels = arena_zeroed(rows->memory, lines, sizeof **labels);
    return *labels != NULL ? ERR_OK : no_memory(e);
}

static enum err_code read_lines(struct call *call, struct samples_body *out,
                                struct err *e)
{
    const struct api_request *request = call->request;
    struct scan s = {request->body, request->body + request->body_length};
    struct tensor *rows = &out->rows;
    struct json_span line;
    struct label *labels;
    size_t number = 0;

    if (take_lines(rows, &labels, s, e) != ERR_OK)
        return e->code;
    size_t room = rows->B;
    struct arena_mark mark = arena_mark(rows->memory);
    rows->B = 0;
    while (next_line(&s, &line, &number)) {
        assert(rows->B < room);
        if (read_line(call, line, rows, &labels[rows->B], e) != ERR_OK)
            return err_wrap(e, "line %zu", number);
        arena_rewind(rows->memory, mark);
    }
    return take_labels(out, labels, e);
}

/* ---- arrays and pictures ---- */

/* The label that the query gives to all rows. */
static enum err_code share_label(struct call *call, struct samples_body *out,
                                 struct err *e)
{
    const char *text = call->options.label;
    struct label *label = arena_zeroed(out->rows.memory, 1, sizeof *label);

    if ((call->options.given & OPTION_LABEL) == 0)
        return ERR_OK;
    out->labels =
        arena_take(out->rows.memory, out->rows.B, sizeof *out->labels);
    if (label == NULL || out->labels == NULL)
        return no_memory(e);
    if (label_set(label, text, strlen(text), e) != ERR_OK)
        return err_wrap(e, "label");
    for (size_t i = 0; i < out->rows.B; i++)
        out->labels[i] = label->text;
    return ERR_OK;
}

static enum err_code name_class(const struct model *m, struct label *label,
                                long long number, struct err *e)
{
    char digits[24];
    bool named = m->classifier.present &&
                 (unsigned long long)number < m->classifier.classes;

    if (number < 0)
        return err_set(e, ERR_SHAPE,
                       "want class indices from 0, got %lld; for rows without "
                       "a label make y texts and leave theirs empty",
                       number);
    snprintf(digits, sizeof digits, "%lld", number);
    const char *text = named ? m->classes[number] : digits;
    return label_set(label, text, strlen(text), e);
}

/* Whole numbers: the class of that index, or the number as a text. */
static enum err_code name_classes(const struct model *m, struct label *labels,
                                  const struct npy *y, struct err *e)
{
    long long *numbers = mem_array(y->count, sizeof *numbers);

    if (numbers == NULL)
        return no_memory(e);
    enum err_code code = npy_to_int64(y, numbers, e);
    for (size_t i = 0; code == ERR_OK && i < y->count; i++) {
        code = name_class(m, &labels[i], numbers[i], e);
        if (code != ERR_OK)
            err_wrap(e, "y[%zu]", i);
    }
    mem_free(numbers);
    return code;
}

/* Texts as they are; an empty one is none. */
static enum err_code read_texts(struct label *labels, const struct npy *y,
                                struct err *e)
{
    char text[SAMPLES_MAX_LABEL_BYTES + 1];
    size_t length;

    for (size_t i = 0; i < y->count; i++) {
        if (npy_text(y, i, text, sizeof text, &length, e) != ERR_OK) {
            e->code = ERR_SHAPE;
            return err_wrap(e, "y");
        }
        if (length > 0 && label_set(&labels[i], text, length, e) != ERR_OK)
            return err_wrap(e, "y[%zu]", i);
    }
    return ERR_OK;
}

static enum err_code read_classes(const struct model *m,
                                  struct samples_body *out, struct npz *z,
                                  struct err *e)
{
    struct npy y;

    if (npz_read_any(z, "y", &y, e) != ERR_OK)
        return e->code;
    if (y.rank > 1 || y.count != out->rows.B)
        return err_set(e, ERR_SHAPE,
                       "y: want one label an input, shape (%zu), got %zu in "
                       "%zu axes",
                       out->rows.B, y.count, y.rank);
    if (y.kind == NPY_FLOAT)
        return err_set(e, ERR_SHAPE,
                       "y: want whole numbers or texts, got floats: convert "
                       "them, as with y.astype(int)");
    struct label *labels =
        arena_zeroed(out->rows.memory, y.count, sizeof *labels);
    if (labels == NULL)
        return no_memory(e);
    enum err_code code = npy_is_text(&y) ? read_texts(labels, &y, e)
                                         : name_classes(m, labels, &y, e);
    if (code != ERR_OK)
        return code;
    return take_labels(out, labels, e);
}

static enum err_code read_archive(const struct model *m,
                                  struct samples_body *out, struct npz *z,
                                  struct err *e)
{
    struct npy x;

    if (!npz_has(z, "x"))
        return err_set(e, ERR_SHAPE,
                       "npz: no member x.npy: save the inputs as x, and labels "
                       "as y");
    if (npz_read(z, "x", &x, e) != ERR_OK ||
        tensor_read_array(&out->rows, &x, e) != ERR_OK)
        return e->code;
    return npz_has(z, "y") ? read_classes(m, out, z, e) : ERR_OK;
}

static enum err_code read_npz(struct call *call, const struct model *m,
                              struct samples_body *out, struct err *e)
{
    struct npz *z = npz_open(call->request->body, call->request->body_length,
                             API_MAX_BODY_BYTES, e);

    if (z == NULL)
        return e->code;
    enum err_code code = read_archive(m, out, z, e);
    npz_close(z);
    return code;
}

/* ---- all ---- */

enum err_code samples_body_read(struct call *call, const struct model *m,
                                struct samples_body *out, struct err *e)
{
    const struct api_request *request = call->request;
    unsigned labelled = MEDIA_JSON | MEDIA_NDJSON | MEDIA_NPZ;

    *out = (struct samples_body){.rows = tensor_of_inputs(m, request->memory)};
    if ((call->options.given & OPTION_LABEL) != 0 &&
        (call->body & labelled) != 0)
        return err_set(e, ERR_SHAPE,
                       "label: goes with a picture or npy; %s has the labels "
                       "in the body",
                       media_name(call->body));
    enum err_code code = ERR_OK;
    if (call->body == MEDIA_JSON)
        return read_json(call, out, e);
    if (call->body == MEDIA_NDJSON)
        return read_lines(call, out, e);
    if (call->body == MEDIA_NPZ)
        return read_npz(call, m, out, e);
    if (call->body == MEDIA_NPY)
        code =
            tensor_read_npy(&out->rows, request->body, request->body_length, e);
    else
        code = tensor_read_image(&out->rows, request->body,
                                 request->body_length, e);
    return code == ERR_OK ? share_label(call, out, e) : code;
}
