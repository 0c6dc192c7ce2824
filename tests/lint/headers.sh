#!/bin/sh
# Each header compiles alone. COMPILE is the Makefile's compiler with flags.
set -eu

COMPILE=${COMPILE:-cc -std=c11 -D_GNU_SOURCE -I.}

find lib api server tests/support -name '*.h' 2>/dev/null | sort |
    xargs -P "$(nproc)" -I {} sh -c \
        "$COMPILE -Werror -Wno-unused -fsyntax-only -x c -include {} /dev/null" || {
    echo 'headers: a header does not compile alone' >&2
    exit 1
}
