/* Manual: the same facts laid out twice, for a terminal and for man. */
#include "server/manual.h"

#include <string.h>

#define WIDTH 80
/* Where the text beside a flag begins. */
#define COLUMN 30
/* "usage: ", which the later lines of a command's usage stand below. */
#define USAGE_INDENT 7

/* ---- one setting ---- */

/* What a setting does, takes and is by default, as one text. */
static void describe(struct buf *out, const struct setting *s)
{
    bool off = s->type == SETTING_FLAG && s->standard != NULL &&
               strcmp(s->standard, "false") == 0;
    bool standard = s->standard != NULL && !off;

    buf_text(out, s->help);
    for (int i = 0; s->type == SETTING_CHOICE && s->choices[i] != NULL; i++)
        buf_printf(out, "%s%s", i > 0 ? ", " : ": ", s->choices[i]);
    if (standard || s->live)
        buf_printf(out, " (%s%s%s)", standard ? s->standard : "",
                   standard && s->live ? "; " : "", s->live ? "live" : "");
}

static void init_text(struct buf *text)
{
    buf_init(text, (size_t)1 << 16);
}

/* ---- for a terminal ---- */

/* Words from `column` on, broken before WIDTH; `at` is where the line is. */
static void print_wrapped(FILE *out, const char *text, int at, int column)
{
    while (*text != 0) {
        int length = (int)strcspn(text, " ");
        if (at > column && at + 1 + length >= WIDTH) {
            fputc('\n', out);
            at = 0;
        }
        int space = at < column ? column - at : at > column;
        fprintf(out, "%*s%.*s", space, "", length, text);
        at += space + length;
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

static void print_setting(FILE *out, const struct setting *s)
{
    struct buf text;
    int at = fprintf(out, "  --%s%s%s", s->name, s->value != NULL ? " " : "",
                     s->value != NULL ? s->value : "");

    if (at >= COLUMN) {
        fputc('\n', out);
        at = 0;
    }
    init_text(&text);
    describe(&text, s);
    if (!buf_failed(&text))
        print_wrapped(out, text.data, at, COLUMN);
    buf_fini(&text);
}

void manual_print_command(FILE *out, const struct command *c)
{
    fprintf(out, "usage: sparsed %s %s\n\n", c->name, c->usage);
    print_wrapped(out, c->help, 0, 0);
    for (const struct setting *s = c->settings; s != NULL && s->name != NULL;
         s++) {
        if (s == c->settings || s->section != NULL)
            fputc('\n', out);
        if (s->section != NULL)
            fprintf(out, "%s:\n", s->section);
        print_setting(out, s);
    }
    if (c->notes != NULL) {
        fputc('\n', out);
        print_wrapped(out, c->notes, 0, 0);
    }
}

void manual_print_commands(FILE *out, const struct command *const *all)
{
    fputs("usage: sparsed COMMAND ...\n\n", out);
    for (; *all != NULL; all++)
        fprintf(out, "  %-10s  %s\n", (*all)->name, (*all)->help);
    fputs("\n  sparsed COMMAND --help   its arguments and settings\n"
          "  sparsed --version        which version this is\n",
          out);
}

/* ---- for man ---- */

/* Text that troff is to show as it is. */
static void page_text_n(FILE *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        bool first = i == 0 || text[i - 1] == '\n';
        if (first && (text[i] == '.' || text[i] == '\''))
            fputs("\\&", out);
        if (text[i] == '\\')
            fputs("\\e", out);
        else if (text[i] == '-')
            fputs("\\-", out);
        else if (text[i] == '\'')
            fputs("\\(aq", out);
        else if (text[i] == '`')
            fputs("\\(ga", out);
        else if (text[i] == '^')
            fputs("\\(ha", out);
        else if (text[i] == '~')
            fputs("\\(ti", out);
        else
            fputc(text[i], out);
    }
}

static void page_text(FILE *out, const char *text)
{
    page_text_n(out, text, strlen(text));
}

/* A paragraph, in lines that fit. */
static void page_words(FILE *out, const char *text)
{
    size_t at = 0;

    while (*text != 0) {
        size_t length = strcspn(text, " ");
        bool fits = at + 1 + length < WIDTH - 4; /* some need an escape */
        if (at > 0)
            fputc(fits ? ' ' : '\n', out);
        at = at > 0 && fits ? at + 1 + length : length;
        page_text_n(out, text, length);
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

/* As it stands, but for the indent that leaves room for "usage: ". */
static void page_usage(FILE *out, const struct command *c)
{
    fprintf(out, ".nf\n\\fBsparsed %s\\fR ", c->name);
    for (const char *line = c->usage; *line != 0;) {
        size_t indent = strspn(line, " ");
        size_t length = strcspn(line, "\n");
        size_t cut = indent < USAGE_INDENT ? indent : USAGE_INDENT;
        page_text_n(out, line + cut, length - cut);
        fputc('\n', out);
        line += length + (line[length] == '\n');
    }
    fputs(".fi\n", out);
}

static void page_setting(FILE *out, const struct setting *s)
{
    struct buf text;

    fputs(".TP\n\\fB\\-\\-", out);
    page_text(out, s->name);
    fputs("\\fR", out);
    if (s->value != NULL) {
        fputs(" \\fI", out);
        page_text(out, s->value);
        fputs("\\fR", out);
    }
    fputc('\n', out);
    init_text(&text);
    describe(&text, s);
    if (!buf_failed(&text))
        page_words(out, text.data);
    buf_fini(&text);
}

static void page_command(FILE *out, const struct command *c)
{
    fprintf(out, ".SS %s\n", c->name);
    page_usage(out, c);
    fputs(".PP\n", out);
    page_words(out, c->help);
    for (const struct setting *s = c->settings; s != NULL && s->name != NULL;
         s++) {
        if (s->section != NULL)
            fprintf(out, ".PP\n%s:\n", s->section);
        page_setting(out, s);
    }
    if (c->notes != NULL) {
        fputs(".PP\n", out);
        page_words(out, c->notes);
    }
}

/* No date: the page would differ from build to build. */
static const char head[] =
    ".TH SPARSED 1 \"\" \"sparsed %s\" \"User Commands\"\n"
    ".SH NAME\n"
    "sparsed \\- serve and train sparse\\-code models\n"
    ".SH SYNOPSIS\n"
    "\\fBsparsed\\fR \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]\n"
    ".br\n"
    "\\fBsparsed\\fR \\fICOMMAND\\fR \\fB\\-\\-help\\fR\n"
    ".br\n"
    "\\fBsparsed\\fR \\fB\\-\\-version\\fR\n"
    ".SH DESCRIPTION\n"
    "sparsed turns vectors and pictures into sparse codes, answers over HTTP,\n"
    "and learns from labelled samples while it serves.\n"
    "\\fBsparsed serve\\fR is the daemon; the other commands train, measure "
    "and\n"
    "look at models, and work beside it.\n"
    "Results go to standard output, messages to standard error.\n"
    ".SH COMMANDS\n";

static const char tail[] =
    ".SH SIGNALS\n"
    "Of \\fBsparsed serve\\fR:\n"
    ".TP\n"
    "\\fBSIGHUP\\fR\n"
    "Reads the settings again, and the files that they name. What is marked\n"
    "live changes while requests run; for the rest the log says that it needs\n"
    "a restart. Settings with an error change nothing.\n"
    ".TP\n"
    "\\fBSIGTERM\\fR, \\fBSIGINT\\fR\n"
    "Answers what has been received, then ends; a second one ends it at once.\n"
    ".SH EXIT STATUS\n"
    ".TP\n"
    "\\fB0\\fR\n"
    "The command has done what it was asked to.\n"
    ".TP\n"
    "\\fB1\\fR\n"
    "It has failed, and says why.\n"
    ".TP\n"
    "\\fB2\\fR\n"
    "It does not take these arguments or settings.\n"
    ".SH ENVIRONMENT\n"
    ".TP\n"
    "\\fBSPARSED_\\fINAME\\fR\n"
    "The setting \\fINAME\\fR of \\fBsparsed serve\\fR, in capitals and with "
    "_\n"
    "for \\-.\n"
    ".TP\n"
    "\\fBXDG_STATE_HOME\\fR, \\fBHOME\\fR\n"
    "Where the data folder is, if nothing else says so.\n"
    ".TP\n"
    "\\fBNOTIFY_SOCKET\\fR\n"
    "Set by systemd, which is told when the daemon is ready, reloads, stops.\n"
    ".SH SEE ALSO\n"
    "The daemon serves its own contract at /openapi.yaml.\n";

void manual_print_page(FILE *out, const struct command *const *all,
                       const char *version)
{
    fprintf(out, head, version);
    for (; *all != NULL; all++)
        page_command(out, *all);
    fputs(tail, out);
}
