/* How families and samples are written. */
#include "api/metrics/scrape.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *metric_type_name(enum metric_type type)
{
    static const char *const names[] = {"counter", "gauge", "histogram",
                                        "info"};

    return names[type];
}

const char *metric_suffix(enum metric_type type)
{
    return type == METRIC_COUNTER ? "_total"
           : type == METRIC_INFO  ? "_info"
                                  : "";
}

/* ---- a family's head ---- */

/* Prometheus calls a counter by its samples' name, and knows no infos. */
static void print_head(struct scrape *s)
{
    const struct metric_family *f = s->family;
    const char *suffix = s->open_metrics ? "" : metric_suffix(f->type);
    const char *type = f->type == METRIC_INFO && !s->open_metrics
                           ? "gauge"
                           : metric_type_name(f->type);

    buf_printf(s->out, "# HELP %s%s %s\n# TYPE %s%s %s\n", f->name, suffix,
               f->help, f->name, suffix, type);
    if (s->open_metrics && f->unit != NULL)
        buf_printf(s->out, "# UNIT %s %s\n", f->name, f->unit);
}

void scrape_print(struct scrape *s)
{
    for (s->family = metric_families; s->family->name != NULL; s->family++) {
        print_head(s);
        s->family->print(s);
    }
    if (s->open_metrics)
        buf_text(s->out, "# EOF\n");
}

/* ---- a sample ---- */

static void print_value(struct buf *b, const char *text)
{
    for (size_t n; *text != 0; text += n) {
        n = strcspn(text, "\\\"\n");
        buf_add(b, text, n);
        if (text[n] == 0)
            return;
        buf_char(b, '\\');
        buf_char(b, text[n] == '\n' ? 'n' : text[n]);
        n++;
    }
}

/* {a="1",b="2"}, with the bound of a bucket, if there is one, as the last. */
static void print_labels(struct buf *b, const struct scrape_label *labels,
                         const char *bound)
{
    char before = '{';

    for (; labels != NULL && labels->name != NULL; labels++) {
        buf_char(b, before);
        buf_text(b, labels->name);
        buf_text(b, "=\"");
        print_value(b, labels->value);
        buf_char(b, '"');
        before = ',';
    }
    if (bound != NULL)
        buf_printf(b, "%cle=\"%s\"", before, bound);
    if (bound != NULL || before == ',')
        buf_char(b, '}');
    buf_char(b, ' ');
}

static void open_sample(struct scrape *s, const char *suffix,
                        const struct scrape_label *labels, const char *bound)
{
    buf_text(s->out, s->family->name);
    buf_text(s->out, suffix);
    print_labels(s->out, labels, bound);
}

static void open_single(struct scrape *s, const struct scrape_label *labels)
{
    open_sample(s, metric_suffix(s->family->type), labels, NULL);
}

/* "0.05", "1.0": the same in both formats, so that a series stays the same
 * whichever is asked for. */
static const char *text_of_units(char out[48], uint64_t n, double unit)
{
    uint64_t one = 1;
    int digits = 0;

    for (; unit < 0.5; unit *= 10, one *= 10)
        digits++;
    int length =
        snprintf(out, 48, "%llu.%0*llu", (unsigned long long)(n / one),
                 digits > 0 ? digits : 1, (unsigned long long)(n % one));
    while (out[length - 1] == '0' && out[length - 2] != '.')
        out[--length] = 0;
    return out;
}

void scrape_count(struct scrape *s, const struct scrape_label *labels,
                  uint64_t n)
{
    open_single(s, labels);
    buf_json_uint(s->out, n);
    buf_char(s->out, '\n');
}

void scrape_number(struct scrape *s, const struct scrape_label *labels,
                   double value)
{
    open_single(s, labels);
    if (isnan(value))
        buf_text(s->out, "NaN");
    else if (isinf(value))
        buf_text(s->out, value > 0 ? "+Inf" : "-Inf");
    else
        buf_json_double(s->out, value);
    buf_char(s->out, '\n');
}

void scrape_units(struct scrape *s, const struct scrape_label *labels,
                  uint64_t n, double unit)
{
    char text[48];

    open_single(s, labels);
    buf_text(s->out, text_of_units(text, n, unit));
    buf_char(s->out, '\n');
}

void scrape_histogram(struct scrape *s, const struct scrape_label *labels,
                      const struct histogram *h,
                      const struct histogram_scale *scale)
{
    struct histogram_view view;
    char text[48];

    histogram_look(h, scale, &view);
    for (size_t i = 0; i <= scale->n; i++) {
        open_sample(s, "_bucket", labels,
                    i == scale->n
                        ? "+Inf"
                        : text_of_units(text, scale->bounds[i], scale->unit));
        buf_json_uint(s->out, view.counts[i]);
        buf_char(s->out, '\n');
    }
    open_sample(s, "_sum", labels, NULL);
    buf_text(s->out, text_of_units(text, view.sum, scale->unit));
    buf_char(s->out, '\n');
    open_sample(s, "_count", labels, NULL);
    buf_json_uint(s->out, view.counts[scale->n]);
    buf_char(s->out, '\n');
}
