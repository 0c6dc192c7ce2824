#!/bin/sh
# Compares the C sources with clang-format's layout; --fix writes it. Where
# clang-format is missing, or another version than the one the tree was laid out
# with, the comparison says so and passes.
#
# clang-format reads C as C++, where `operator` is a keyword; so the word goes
# through it as another one of the same length.
set -eu
version=14

fix=
[ "${1-}" != --fix ] || fix=yes
tool=
for name in clang-format-$version clang-format; do
    if "$name" --version 2>/dev/null | grep -q " $version\."; then
        tool=$name
        break
    fi
done
if [ -z "$tool" ]; then
    echo "lint: format: skipped, no clang-format $version"
    [ -z "$fix" ] || exit 1
    exit 0
fi

temp=$(mktemp)
trap 'rm -f "$temp"' EXIT
bad=0
for file in $(find lib api server tests bench -name '*.[ch]' 2>/dev/null | sort); do
    sed 's/\<operator\>/operat0r/g' "$file" |
        "$tool" --assume-filename="$file" |
        sed 's/\<operat0r\>/operator/g' > "$temp"
    cmp -s "$file" "$temp" && continue
    if [ -n "$fix" ]; then
        cat "$temp" > "$file"
        echo "$file"
    else
        diff -u --label "$file" --label "$file, formatted" "$file" "$temp" |
            head -n 12 || :
        bad=1
    fi
done
[ $bad = 0 ] || { echo 'format: run make format' >&2; exit 1; }
