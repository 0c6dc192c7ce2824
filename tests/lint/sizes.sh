#!/bin/sh
# A file of more than 500 lines, or a function of more than 60, is more than
# one idea. (A test's list of tests, and other languages, have files counted
# only.)
set -eu

find lib api server bench web tests -name '*.[ch]' -o -name '*.js' \
    -o -name '*.py' 2>/dev/null | sort | xargs awk '
function complain(text) {
    print text
    bad = 1
}
function close_file() {
    if (lines > 500)
        complain(file " has " lines " lines, at most 500")
}
FNR == 1 { close_file(); file = FILENAME; start = 0 }
{ lines = FNR }
FILENAME !~ /^(lib|api|server|bench)\// { next }
/^[{]/ { start = FNR }
/^[}]/ && start {
    if (FNR - start - 1 > 60)
        complain(FILENAME ":" start ": a function of " FNR - start - 1 \
            " lines, at most 60")
    start = 0
}
END {
    close_file()
    exit bad
}
' || { echo 'sizes: cut it where a second idea begins' >&2; exit 1; }
