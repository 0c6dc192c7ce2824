#!/bin/sh
# A file of more than 500 lines, or a function of more than 60, is more than
# one idea: said, but no failure.
set -eu

find lib api server web -name '*.[ch]' -o -name '*.js' 2>/dev/null | sort | xargs awk '
function close_file() {
    if (lines > 500)
        print "lint: sizes: " file " has " lines " lines"
}
FNR == 1 { close_file(); file = FILENAME; start = 0 }
{ lines = FNR }
/^[{]/ { start = FNR }
/^[}]/ && start {
    if (FNR - start - 1 > 60)
        print "lint: sizes: " FILENAME ":" start ": a function of " \
            FNR - start - 1 " lines"
    start = 0
}
END { close_file() }
'
echo 'lint: sizes: ok'
