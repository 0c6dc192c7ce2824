/* CSV: see csv.h. Two passes: the first counts lines and the columns of the
 * first one, so that the table is allocated once and from what is really
 * there; the second reads numbers and refuses a line of another width.
 */
#include "lib/data/csv.h"

#include "lib/base/json.h"
#include "lib/base/mem.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define SHOWN_CHARS 20               /* of a foreign text, in a message */
#define MAX_LABEL 9007199254740992.0 /* integers up to it are exact */
#define NO_LABEL SIZE_MAX

struct span {
    const char *start;
    const char *end;
};

struct reader {
    const char *p; /* start of the next line */
    const char *end;
    size_t line; /* number of the line read last, from 1 */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct span trim(struct span s)
{
    while (s.start < s.end && is_blank(*s.start))
        s.start++;
    while (s.start < s.end && is_blank(s.end[-1]))
        s.end--;
    return s;
}

/* The next line that is not empty; false at the end of the text. */
static bool next_line(struct reader *r, struct span *line)
{
    while (r->p < r->end) {
        const char *feed = memchr(r->p, '\n', (size_t)(r->end - r->p));
        struct span s = {r->p, feed != NULL ? feed : r->end};
        r->p = feed != NULL ? feed + 1 : r->end;
        r->line++;
        *line = trim(s);
        if (line->start < line->end)
            return true;
    }
    return false;
}

/* Cuts the first field off *rest, which becomes NULL after the last one. */
static bool next_field(struct span *rest, struct span *field)
{
    if (rest->start == NULL)
        return false;
    size_t length = (size_t)(rest->end - rest->start);
    const char *comma = length > 0 ? memchr(rest->start, ',', length) : NULL;
    struct span s = {rest->start, comma != NULL ? comma : rest->end};
    rest->start = comma != NULL ? comma + 1 : NULL;
    *field = trim(s);
    if (field->end - field->start >= 2 && *field->start == '"' &&
        field->end[-1] == '"') {
        field->start++;
        field->end--;
    }
    return true;
}

static bool is_number(struct span s, double *value)
{
    size_t length = (size_t)(s.end - s.start);
    return length > 0 && json_scan_number(s.start, length, value) == length;
}

static bool is_label_heading(struct span s)
{
    return s.end - s.start == 5 && memcmp(s.start, "label", 5) == 0;
}

/* What the first line tells. */
struct plan {
    bool heading;
    size_t fields; /* of each line */
    size_t label;  /* which of them is the label; NO_LABEL: none */
};

static struct plan read_plan(struct span line)
{
    struct plan plan = {.label = NO_LABEL};
    struct span field;
    for (; next_field(&line, &field); plan.fields++) {
        double value;
        plan.heading = plan.heading || !is_number(field, &value);
        if (is_label_heading(field))
            plan.label = plan.fields;
    }
    return plan;
}

static enum err_code refuse_field(const struct reader *r, size_t column,
                                  struct span s, const char *want,
                                  struct err *e)
{
    size_t length = (size_t)(s.end - s.start);
    return err_set(
        e, ERR_INVALID, "line %zu column %zu: '%.*s' is no %s", r->line, column,
        (int)(length < SHOWN_CHARS ? length : SHOWN_CHARS), s.start, want);
}

static enum err_code read_label(const struct reader *r, size_t column,
                                struct span s, long long *out, struct err *e)
{
    double value = -1;
    if (s.start < s.end && (!is_number(s, &value) || value != floor(value) ||
                            fabs(value) > MAX_LABEL))
        return refuse_field(r, column, s, "integer label", e);
    *out = (long long)value;
    return ERR_OK;
}

static enum err_code read_row(const struct csv *c, const struct plan *plan,
                              const struct reader *r, struct span line,
                              size_t row, struct err *e)
{
    struct span field;
    float *value = c->values + row * c->columns;
    size_t n = 0;
    for (; n < plan->fields && next_field(&line, &field); n++) {
        double number;
        if (n == plan->label) {
            if (read_label(r, n + 1, field, &c->labels[row], e) != ERR_OK)
                return e->code;
            continue;
        }
        if (!is_number(field, &number) || !isfinite((float)number))
            return refuse_field(r, n + 1, field, "finite number", e);
        *value++ = (float)number;
    }
    if (n < plan->fields || line.start != NULL)
        return err_set(
            e, ERR_INVALID, "line %zu has %s columns than the first line's %zu",
            r->line, n < plan->fields ? "fewer" : "more", plan->fields);
    return ERR_OK;
}

/* Sizes *c for the lines that follow the heading. */
static enum err_code allocate(struct csv *c, const struct plan *plan,
                              size_t length, size_t max_rows, struct err *e)
{
    const bool labelled = plan->label != NO_LABEL;
    c->columns = plan->fields - (labelled ? 1 : 0);
    if (c->rows == 0 || c->columns == 0)
        return err_set(e, ERR_INVALID, "no numbers in it");
    if (c->rows > max_rows)
        return err_set(e, ERR_TOO_LARGE, "%zu rows, more than %zu", c->rows,
                       max_rows);
    /* A field takes a character and what ends it, so lines as wide as the
     * first one would not fit a shorter text: they are ragged. */
    size_t fields;
    if (!mem_mul(c->rows, plan->fields, &fields) || fields > length)
        return err_set(e, ERR_INVALID,
                       "%zu lines are shorter than the first one's %zu "
                       "columns",
                       c->rows, plan->fields);
    c->values = mem_array(c->rows * c->columns, sizeof(*c->values));
    if (labelled)
        c->labels = mem_array(c->rows, sizeof(*c->labels));
    if (c->values == NULL || (labelled && c->labels == NULL))
        return err_set(e, ERR_NO_MEMORY, "no memory for %zu rows of %zu",
                       c->rows, c->columns);
    return ERR_OK;
}

static enum err_code fill(struct csv *c, struct reader r, size_t max_rows,
                          struct err *e)
{
    struct span line;
    const struct reader start = r;
    if (!next_line(&r, &line))
        return err_set(e, ERR_INVALID, "no numbers in it");
    const struct plan plan = read_plan(line);
    if (!plan.heading)
        r = start;
    const struct reader rows = r;
    while (next_line(&r, &line))
        c->rows++;
    size_t length = (size_t)(rows.end - rows.p);
    enum err_code code = allocate(c, &plan, length + 1, max_rows, e);
    r = rows;
    for (size_t i = 0; code == ERR_OK && next_line(&r, &line); i++)
        code = read_row(c, &plan, &r, line, i, e);
    return code;
}

enum err_code csv_parse(struct csv *out, const char *text, size_t length,
                        size_t max_rows, struct err *e)
{
    *out = (struct csv){0};
    struct reader r = {text, text + length, 0};
    if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        r.p += 3; /* a byte order mark, as spreadsheets write it */
    if (memchr(text, 0, length) != NULL)
        return err_set(e, ERR_INVALID, "a zero byte: this is no text");
    enum err_code code = fill(out, r, max_rows, e);
    if (code != ERR_OK)
        csv_fini(out);
    return code;
}

void csv_fini(struct csv *c)
{
    mem_free(c->values);
    mem_free(c->labels);
    *c = (struct csv){0};
}
