#!/bin/sh
# No code outside an axis's folder asks which value it has: the name of an
# operator, encoder, structure or nonlinearity stands in its own file, in
# lib/model/axes.c, recipes, tests and documents, and nowhere else. Checked are
# string literals ("conv2d") and the tables' and enums' identifiers
# (operator_conv2d, OPERATOR_CONV2D).
#
# Names are read from the tables themselves. Where an ordinary word of another
# meaning is spelled like a value (the answer's key "groups"),
# tests/lint/axes.allow says so: "FILE WORD: why".
set -eu

# "axis name file" of each value: the first .name after a table's opening line.
values=$(find lib/model -name '*.c' | sort | xargs awk '
/^(static )?const struct (operator_kind|encoder_kind|structure_kind|nonlinearity) [a-z0-9_]+ = \{/ {
    axis = $0
    sub(/^(static )?const struct /, "", axis)
    sub(/(_kind)? .*/, "", axis)
}
axis != "" && /\.name = "/ {
    name = $0
    sub(/^.*\.name = "/, "", name)
    sub(/".*$/, "", name)
    print axis, name, FILENAME
    axis = ""
}')
[ -n "$values" ] || { echo 'axes: found no values in lib/model' >&2; exit 1; }

find lib api server bench web -name '*.[ch]' -o -name '*.js' 2>/dev/null | sort |
    xargs env VALUES="$values" awk '
BEGIN {
    n = split(ENVIRON["VALUES"], lines, "\n")
    for (i = 1; i <= n; i++) {
        split(lines[i], f, " ")
        home[f[2], f[3]] = 1
        word["\"" f[2] "\""] = f[2]
        word[f[1] "_" f[2]] = f[2]
        word[toupper(f[1] "_" f[2])] = f[2]
    }
    while ((getline line < "tests/lint/axes.allow") > 0) {
        split(line, f, "[ :]+")
        home[f[2], f[1]] = 1
    }
}
FILENAME == "lib/model/axes.c" { next }
FNR == 1 { inside = 0 }
{
    line = $0
    if (inside) {
        if (!sub(/^.*\*\//, "", line))
            next
        inside = 0
    }
    gsub(/\/\*([^*]|\*[^\/])*\*\//, "", line)
    inside = sub(/\/\*.*/, "", line)
    while (match(line, /"[^"]*"|[A-Za-z_][A-Za-z0-9_]*/)) {
        token = substr(line, RSTART, RLENGTH)
        line = substr(line, RSTART + RLENGTH)
        if (token in word && !((word[token], FILENAME) in home)) {
            print FILENAME ":" FNR ": names the axis value " token
            bad = 1
        }
    }
}
END { exit bad }
' || {
    echo 'axes: ask the value for what it can do, not for its name' >&2
    exit 1
}
