#!/bin/sh
# Writes the C table of api/assets.h for the files given: web/app.js becomes
# "/app.js". Each array ends with a 0 that its size leaves out, so that an
# empty file is still an array.
set -eu
export LC_ALL=C

content_type()
{
    case $1 in
    *.html) echo 'text/html; charset=utf-8' ;;
    *.js | *.mjs) echo 'text/javascript; charset=utf-8' ;;
    *.css) echo 'text/css; charset=utf-8' ;;
    *.json) echo 'application/json' ;;
    *.yaml) echo 'application/yaml' ;;
    *.svg) echo 'image/svg+xml' ;;
    *.png) echo 'image/png' ;;
    *.ico) echo 'image/x-icon' ;;
    *.woff2) echo 'font/woff2' ;;
    *) echo 'application/octet-stream' ;;
    esac
}

# "path file" lines, sorted by path.
files=$(for file in "$@"; do
    printf '/%s %s\n' "${file#web/}" "$file"
done | sort)

echo '#include "api/assets.h"'
n=0
rows=
while read -r path file; do
    [ -n "$path" ] || continue
    printf 'static const unsigned char data_%d[] = {\n' "$n"
    od -An -v -tu1 "$file" | sed 's/[0-9][0-9]*/&,/g'
    echo '0};'
    rows="$rows    {\"$path\", \"$(content_type "$file")\", data_$n,
     sizeof data_$n - 1, 0x$(sha256sum "$file" | cut -c 1-16)},
"
    n=$((n + 1))
done <<END
$files
END
printf 'const struct asset assets[] = {\n%s    {NULL, NULL, NULL, 0, 0},\n};\n' \
    "$rows"
echo "const size_t assets_count = $n;"
