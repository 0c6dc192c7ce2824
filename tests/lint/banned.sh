#!/bin/sh
# Functions that cannot be used safely, compiler flags that change results, and
# marks of unfinished work.
set -eu
export LC_ALL=C

sources=$(find lib api server tests bench -name '*.[ch]' 2>/dev/null | sort)
others=$(find Makefile openapi.yaml web bench scripts tests docker -type f \
    ! -name '*.[ch]' ! -name '*.md' 2>/dev/null | sort)
bad=0

# Calls, with comments and strings left out.
awk '
FNR == 1 { inside = 0 }
{
    line = $0
    gsub(/\\./, "", line)
    gsub(/"[^"]*"/, "\"\"", line)
    if (inside) {
        if (!sub(/^.*\*\//, "", line))
            next
        inside = 0
    }
    gsub(/\/\*([^*]|\*[^\/])*\*\//, "", line)
    sub(/\/\/.*/, "", line)
    inside = sub(/\/\*.*/, "", line)
    if (match(line, /(^|[^A-Za-z0-9_])(strcpy|strcat|v?sprintf|strtok|gets|atoi|atol|atof|[fsv]*scanf|alloca|setjmp|longjmp)[ \t]*\(/)) {
        print FILENAME ":" FNR ": banned: " substr($0, 1, 70)
        bad = 1
    }
}
END { exit bad }
' /dev/null $sources || bad=1

# The words are cut in two so that this file passes its own test.
marks='TO''DO|FIX''ME|XX''X|HA''CK'
if grep -nwIE "$marks" /dev/null $sources $others; then
    echo 'banned: a mark of unfinished work' >&2
    bad=1
fi
flags='-f''fast-math|-m''arch=native'
if grep -nIE -e "$flags" /dev/null $sources $others; then
    echo 'banned: a flag that changes results or ties to one machine' >&2
    bad=1
fi
[ $bad = 0 ] || exit 1
