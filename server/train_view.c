/* Bars, lines and NDJSON of a training. */
#include "server/train_view.h"

#include "lib/base/buf.h"
#include "lib/base/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define REDRAW ((usec)100 * 1000)
#define BAR_CELLS 20
#define MIN_CELLS 4
#define MAX_LINE ((size_t)64 << 10)

void train_view_init(struct train_view *v, bool json)
{
    *v = (struct train_view){.json = json,
                             .terminal = isatty(STDERR_FILENO) == 1,
                             .figure = (double)NAN,
                             .figure_name = ""};
}

static double rows_per_second(const struct train_progress *p)
{
    double seconds = (double)p->elapsed / 1e6;
    return seconds > 0 ? (double)p->rows_done / seconds : 0;
}

static double mean_loss(const struct train_progress *p)
{
    return p->loss.rows ? p->loss.total / (double)p->loss.rows : 0;
}

/* Keeps the validation figure that says most: the error where classes are
 * learned, else how well inputs are drawn. */
static void keep_figure(struct train_view *v, const struct train_progress *p)
{
    const struct measures *m = &p->validation;
    bool error = p->measure == RECIPE_ERROR || isnan(m->relative_error);
    if (m->rows == 0)
        return;
    v->figure_name = error ? "error" : "rel. error";
    v->figure = error ? m->error : m->relative_error;
}

static const char *print_figure(const struct train_view *v, char *out,
                                size_t size)
{
    out[0] = 0;
    if (!isnan(v->figure))
        snprintf(out, size, "  %s %.2f %%", v->figure_name, 100 * v->figure);
    return out;
}

static const char *print_time(double seconds, char *out, size_t size)
{
    unsigned long s = seconds < 1e8 ? (unsigned long)seconds : 100000000;
    if (s >= 3600)
        snprintf(out, size, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, size, "%lu:%02lu", s / 60, s % 60);
    return out;
}

/* ---- the bar ---- */

static size_t columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return 80;
    return size.ws_col;
}

/* "[####....] " in what is left of the line, or nothing. */
static const char *print_bar(char out[BAR_CELLS + 4],
                             const struct train_progress *p, size_t room)
{
    size_t cells = room < MIN_CELLS + 3 ? 0 : room - 3;
    cells = cells > BAR_CELLS ? BAR_CELLS : cells;
    size_t full = p->rows ? cells * p->row / p->rows : cells;
    out[0] = 0;
    if (cells == 0)
        return out;
    out[0] = '[';
    memset(out + 1, '.', cells);
    memset(out + 1, '#', full);
    memcpy(out + 1 + cells, "] ", 3);
    return out;
}

/* One line, never longer than the terminal is wide: a wrapped line could not
 * be drawn over. */
static void draw(struct train_view *v, const struct train_progress *p)
{
    char head[48], tail[160], figure[48], left[32], bar[BAR_CELLS + 4];
    double speed = rows_per_second(p);
    size_t width = columns() - 1;
    snprintf(head, sizeof head, "%.16s %zu/%zu ", p->phase, p->epoch,
             p->epochs);
    snprintf(tail, sizeof tail, "loss %.3g%s %.0f rows/s %s left", mean_loss(p),
             print_figure(v, figure, sizeof figure), speed,
             print_time(speed > 0 ? (double)p->rows_left / speed : 0, left,
                        sizeof left));
    size_t used = strlen(head) + strlen(tail);
    print_bar(bar, p, used < width ? width - used : 0);
    used += strlen(bar);
    size_t over = used > width ? used - width : 0;
    size_t shown = strlen(tail) > over ? strlen(tail) - over : 0;
    fprintf(stderr, "\r%s%s%.*s\x1b[K", head, bar, (int)shown, tail);
    fflush(stderr);
    v->drawn = true;
    v->last = p->elapsed;
}

static void tell_terminal(struct train_view *v, const struct train_progress *p)
{
    bool phase_over = p->epoch_done && p->epoch == p->epochs;
    if (p->epoch_done || !v->drawn || p->elapsed - v->last >= REDRAW)
        draw(v, p);
    if (phase_over)
        train_view_end(v);
}

void train_view_end(struct train_view *v)
{
    if (v->drawn)
        fputc('\n', stderr);
    v->drawn = false;
}

/* ---- lines ---- */

static void tell_line(const struct train_view *v,
                      const struct train_progress *p)
{
    char figure[48], left[32];
    double speed = rows_per_second(p);
    fprintf(stderr, "%s %zu/%zu loss %.5g%s%s %.0f rows/s %s left\n", p->phase,
            p->epoch, p->epochs, mean_loss(p),
            print_figure(v, figure, sizeof figure), p->best ? " *" : "", speed,
            print_time(speed > 0 ? (double)p->rows_left / speed : 0, left,
                       sizeof left));
}

static struct json *epoch_json(const struct train_progress *p)
{
    const struct loss_sums *sums = &p->loss;
    double rows = sums->rows ? (double)sums->rows : 1;
    struct json *j = json_new_object(), *loss = json_new_object();
    json_set(j, "phase", json_new_text(p->phase));
    json_set(j, "phase_number", json_new_number((double)(p->phase_index + 1)));
    json_set(j, "phases", json_new_number((double)p->n_phases));
    json_set(j, "epoch", json_new_number((double)p->epoch));
    json_set(j, "epochs", json_new_number((double)p->epochs));
    json_set(loss, "total", json_new_number(sums->total / rows));
    json_set(loss, "reconstruction",
             json_new_number(sums->reconstruction / rows));
    json_set(loss, "structure", json_new_number(sums->structure / rows));
    json_set(loss, "classification",
             sums->labelled ? json_new_number(sums->classification /
                                              (double)sums->labelled)
                            : json_new_null());
    json_set(loss, "predict", json_new_number(sums->predict / rows));
    json_set(j, "loss", loss);
    json_set(j, "active_units", json_new_number(sums->active / rows));
    json_set(j, "validation",
             p->validation.rows ? measures_json(&p->validation)
                                : json_new_null());
    json_set(j, "best", json_new_bool(p->best));
    json_set(j, "rate", json_new_number(p->rate));
    json_set(j, "rows_per_second", json_new_number(rows_per_second(p)));
    json_set(j, "seconds", json_new_number((double)p->elapsed / 1e6));
    return j;
}

static bool tell_json(const struct train_progress *p)
{
    struct buf b;
    struct json *j = epoch_json(p);
    buf_init(&b, MAX_LINE);
    json_print(&b, j);
    buf_char(&b, '\n');
    bool told = !buf_failed(&b) &&
                fwrite(b.data, 1, b.length, stdout) == b.length &&
                fflush(stdout) == 0;
    json_free(j);
    buf_fini(&b);
    return told;
}

bool train_view_show(struct train_view *v, const struct train_progress *p)
{
    if (p->epoch_done)
        keep_figure(v, p);
    if (v->terminal)
        tell_terminal(v, p);
    else if (p->epoch_done && !v->json)
        tell_line(v, p);
    return !p->epoch_done || !v->json || tell_json(p);
}
