/* Completion: one function a shell. They share what a value can be.
 *
 * bash: "Programmable Completion" of its manual; zsh: _arguments of
 * zshcompsys(1); fish: complete(1).
 */
#include "server/completion.h"

#include <string.h>

const char *const completion_shells[] = {"bash", "zsh", "fish", NULL};

enum kind { KIND_NONE, KIND_OTHER, KIND_CHOICE, KIND_FILE, KIND_FOLDER };

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* What a shell can offer as the setting's value; KIND_NONE: it has none. */
static enum kind kind_of(const struct setting *s)
{
    if (s->type == SETTING_FLAG)
        return KIND_NONE;
    if (s->type == SETTING_CHOICE)
        return KIND_CHOICE;
    if (s->type != SETTING_TEXT || s->value == NULL)
        return KIND_OTHER;
    if (begins(s->value, "DIR"))
        return KIND_FOLDER;
    if (begins(s->value, "FILE") || begins(s->value, "PATH") ||
        begins(s->value, "MODEL"))
        return KIND_FILE;
    return KIND_OTHER;
}

static const struct setting *first(const struct command *c)
{
    static const struct setting none[] = {{0}};

    return c->settings != NULL ? c->settings : none;
}

static void print_words(FILE *out, const char *const *words)
{
    for (size_t i = 0; words != NULL && words[i] != NULL; i++)
        fprintf(out, "%s%s", i > 0 ? " " : "", words[i]);
}

/* Text within single quotes of a shell; `marks` get `escape` before them. */
static void print_quoted(FILE *out, const char *text, const char *marks,
                         const char *escape, const char *quote)
{
    for (; *text != 0; text++) {
        if (*text == '\'')
            fputs(quote, out);
        else if (strchr(marks, *text) != NULL)
            fprintf(out, "%s%c", escape, *text);
        else
            fputc(*text, out);
    }
}

/* ---- bash ---- */

/* bash cuts words at '=' too: --log=json is three. */
static const char bash_head[] =
    "# bash completion of sparsed\n"
    "_sparsed()\n"
    "{\n"
    "    local word=${COMP_WORDS[COMP_CWORD]} before= "
    "command=${COMP_WORDS[1]}\n"
    "    local words= flags= value=\n"
    "    before=${COMP_WORDS[COMP_CWORD-1]}\n"
    "    if [[ $word == = ]]; then\n"
    "        word=\n"
    "    elif [[ $before == = ]] && (( COMP_CWORD > 2 )); then\n"
    "        before=${COMP_WORDS[COMP_CWORD-2]}\n"
    "    fi\n"
    "    COMPREPLY=()\n"
    "    if (( COMP_CWORD == 1 )); then\n";

static const char bash_tail[] =
    "    case $value in\n"
    "    other)\n"
    "        ;;\n"
    "    words)\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
    "        ;;\n"
    "    folder)\n"
    "        compopt -o filenames 2> /dev/null\n"
    "        mapfile -t COMPREPLY < <(compgen -d -- \"$word\")\n"
    "        ;;\n"
    "    *)\n"
    "        if [[ $word == -* && -z $value ]]; then\n"
    "            mapfile -t COMPREPLY < <(compgen -W \"$flags\" -- \"$word\")\n"
    "        else\n"
    "            compopt -o filenames 2> /dev/null\n"
    "            mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
    "        fi\n"
    "        ;;\n"
    "    esac\n"
    "}\n"
    "complete -F _sparsed sparsed\n";

static void bash_value(FILE *out, const struct command *c,
                       const struct setting *s)
{
    static const char *const values[] = {[KIND_OTHER] = "other",
                                         [KIND_CHOICE] = "words",
                                         [KIND_FILE] = "file",
                                         [KIND_FOLDER] = "folder"};
    enum kind kind = kind_of(s);

    if (kind == KIND_NONE)
        return;
    fprintf(out, "    %s:--%s) value=%s", c->name, s->name, values[kind]);
    if (kind == KIND_CHOICE) {
        fputs(" words='", out);
        print_words(out, s->choices);
        fputc('\'', out);
    }
    fputs(" ;;\n", out);
}

static void print_bash(FILE *out, const struct command *const *all)
{
    fputs(bash_head, out);
    fputs("        value=words words='", out);
    for (size_t i = 0; all[i] != NULL; i++)
        fprintf(out, "%s ", all[i]->name);
    fputs("--help --version'\n    fi\n    case $command in\n", out);
    for (size_t i = 0; all[i] != NULL; i++) {
        fprintf(out, "    %s) flags='--help", all[i]->name);
        for (const struct setting *s = first(all[i]); s->name != NULL; s++)
            fprintf(out, " --%s", s->name);
        fputs("' ;;\n", out);
    }
    fputs("    esac\n    case $command:$before in\n", out);
    for (size_t i = 0; all[i] != NULL; i++) {
        if (all[i]->words != NULL) {
            fprintf(out, "    %s:%s) [[ $word == -* ]] || value=words words='",
                    all[i]->name, all[i]->name);
            print_words(out, all[i]->words);
            fputs("' ;;\n", out);
        }
        for (const struct setting *s = first(all[i]); s->name != NULL; s++)
            bash_value(out, all[i], s);
    }
    fputs("    esac\n", out);
    fputs(bash_tail, out);
}

/* ---- zsh ---- */

static void zsh_text(FILE *out, const char *text)
{
    print_quoted(out, text, "\\[]:", "\\", "'\\''");
}

static void zsh_setting(FILE *out, const struct setting *s)
{
    enum kind kind = kind_of(s);

    fprintf(out, " \\\n            '--%s%s[", s->name,
            kind == KIND_NONE ? "" : "=");
    zsh_text(out, s->help);
    fputc(']', out);
    if (kind != KIND_NONE) {
        fputc(':', out);
        zsh_text(out, s->value != NULL ? s->value : "value");
        fputc(':', out);
    }
    if (kind == KIND_FILE || kind == KIND_FOLDER)
        fputs(kind == KIND_FILE ? "_files" : "_files -/", out);
    if (kind == KIND_CHOICE) {
        fputc('(', out);
        print_words(out, s->choices);
        fputc(')', out);
    }
    fputc('\'', out);
}

static void zsh_command(FILE *out, const struct command *c)
{
    fprintf(out, "    %s)\n        _arguments '--help[what it takes]'",
            c->name);
    for (const struct setting *s = first(c); s->name != NULL; s++)
        zsh_setting(out, s);
    if (c->words != NULL) {
        fputs(" \\\n            '1:word:(", out);
        print_words(out, c->words);
        fputs(")'", out);
    }
    fputs(" \\\n            '*:file:_files'\n        ;;\n", out);
}

static void print_zsh(FILE *out, const struct command *const *all)
{
    fputs("#compdef sparsed\n"
          "local -a commands=(\n",
          out);
    for (size_t i = 0; all[i] != NULL; i++) {
        fprintf(out, "    '%s:", all[i]->name);
        zsh_text(out, all[i]->help);
        fputs("'\n", out);
    }
    fputs(")\n"
          "if (( CURRENT == 2 )); then\n"
          "    _describe -t commands command commands\n"
          "    return\n"
          "fi\n"
          "shift words\n"
          "(( CURRENT-- ))\n"
          "case $words[1] in\n",
          out);
    for (size_t i = 0; all[i] != NULL; i++)
        zsh_command(out, all[i]);
    fputs("esac\n", out);
}

/* ---- fish ---- */

static void fish_text(FILE *out, const char *text)
{
    print_quoted(out, text, "\\", "\\", "\\'");
}

static void fish_setting(FILE *out, const struct command *c,
                         const struct setting *s)
{
    static const char *const takes[] = {[KIND_NONE] = "",
                                        [KIND_OTHER] = " -x",
                                        [KIND_CHOICE] = " -x",
                                        [KIND_FILE] = " -r -F",
                                        [KIND_FOLDER] = " -x"};
    enum kind kind = kind_of(s);

    fprintf(out,
            "complete -c sparsed -n '__fish_seen_subcommand_from %s' -l %s%s",
            c->name, s->name, takes[kind]);
    if (kind == KIND_FOLDER)
        fputs(" -a '(__fish_complete_directories)'", out);
    if (kind == KIND_CHOICE) {
        fputs(" -a '", out);
        print_words(out, s->choices);
        fputc('\'', out);
    }
    fputs(" -d '", out);
    fish_text(out, s->help);
    fputs("'\n", out);
}

static void print_fish(FILE *out, const struct command *const *all)
{
    fputs("# fish completion of sparsed\n", out);
    for (size_t i = 0; all[i] != NULL; i++) {
        fprintf(out,
                "complete -c sparsed -n __fish_use_subcommand -f -a %s -d '",
                all[i]->name);
        fish_text(out, all[i]->help);
        fputs("'\n", out);
    }
    for (size_t i = 0; all[i] != NULL; i++) {
        if (all[i]->words != NULL) {
            fprintf(out,
                    "complete -c sparsed -n '__fish_seen_subcommand_from %s' "
                    "-f -a '",
                    all[i]->name);
            print_words(out, all[i]->words);
            fputs("'\n", out);
        }
        for (const struct setting *s = first(all[i]); s->name != NULL; s++)
            fish_setting(out, all[i], s);
    }
}

void completion_print(FILE *out, size_t shell, const struct command *const *all)
{
    static void (*const print[])(FILE *, const struct command *const *) = {
        print_bash, print_zsh, print_fish};

    print[shell](out, all);
}
