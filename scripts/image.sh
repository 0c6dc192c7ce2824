#!/bin/sh
# Builds the container image with docker, podman or buildah, whichever works
# here (ENGINE chooses), and says its compressed size.
#
# ENGINE=podman BUILD_FLAGS='--isolation chroot' ... for unusual machines; see
# docs/container.md.
set -eu
cd "$(dirname "$0")/.."
image=${IMAGE:-sparsed}
version=${VERSION:-latest}

works()
{
    case $1 in
    docker) docker info ;;
    podman) podman info ;;
    buildah) buildah info ;;
    *) false ;;
    esac >/dev/null 2>&1
}

engine=${ENGINE:-}
if [ -z "$engine" ]; then
    for engine in docker podman buildah none; do
        works "$engine" && break
    done
fi
if [ "$engine" = none ]; then
    echo 'image.sh: needs docker (with its daemon running), podman or' \
        'buildah' >&2
    exit 1
fi

# The health check is a part of docker's image format only.
case $engine in
docker) build='docker build' ;;
*) build="$engine build --format docker" ;;
esac
echo "image.sh: $build, $image:$version"
$build ${BUILD_FLAGS:-} -t "$image:$version" -t "$image:latest" \
    -f docker/Dockerfile .

save()
{
    case $engine in
    buildah) buildah push -q "$image:$version" docker-archive:/dev/stdout ;;
    *) "$engine" save "$image:$version" ;;
    esac
}
echo "image.sh: compressed size: $(save | gzip | wc -c |
    awk '{ printf "%.1f MB", $1 / 1e6 }')"
