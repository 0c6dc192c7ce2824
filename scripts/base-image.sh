#!/bin/sh
# Makes the Dockerfile's base image from Debian's packages alone, for machines
# that reach a Debian mirror but no image registry. Root, podman, debootstrap.
set -eu
base=docker.io/library/debian:bookworm-slim
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

debootstrap --variant=minbase bookworm "$root"
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* \
    "$root"/usr/share/doc/* "$root"/usr/share/man/* \
    "$root"/usr/share/locale/* "$root"/var/log/*
tar -C "$root" -c . | podman import - "$base"
