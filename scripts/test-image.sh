#!/bin/sh
# Builds the image and runs it as a stranger would in production: another user
# id, read-only root, no capabilities. It must answer who has the token that it
# made, be healthy, refuse to write anywhere but /data, and at SIGTERM finish the
# request that is under way and exit with 0.
#
# RUN_FLAGS adds options to `run`; see docs/container.md.
set -eu
cd "$(dirname "$0")/.."
image=${IMAGE:-sparsed}
stop_seconds=20

engine=${ENGINE:-}
if [ -z "$engine" ]; then
    for engine in docker podman none; do
        "$engine" info >/dev/null 2>&1 && break
    done
fi
if [ "$engine" = none ]; then
    echo 'test-image.sh: needs docker (with its daemon running) or podman' >&2
    exit 1
fi
command -v curl >/dev/null || { echo 'test-image.sh: needs curl' >&2; exit 1; }
export ENGINE=$engine
sh scripts/image.sh

temp=$(mktemp -d)
container=
clean_up()
{
    [ -z "$container" ] || "$engine" rm -f -v "$container" >/dev/null 2>&1 || :
    rm -rf "$temp"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

fail()
{
    echo "test-image: FAILED: $*" >&2
    [ -z "$container" ] || "$engine" logs "$container" >&2 || :
    exit 1
}

passed()
{
    echo "test-image: ok: $*"
}

# The host's network, and port 0, so that no port is assumed free.
container=$("$engine" run -d --network host --read-only --user 1000:0 \
    --cap-drop all --security-opt no-new-privileges ${RUN_FLAGS:-} "$image" \
    serve --listen 127.0.0.1:0 --models /usr/share/sparsed/models)

url=
for _ in $(seq 100); do
    url=$("$engine" logs "$container" 2>/dev/null |
        sed -n 's/^listening on \(http:[^ ]*\).*$/\1/p' | head -n 1)
    [ -z "$url" ] && sleep 0.1 || break
done
[ -n "$url" ] || fail 'it did not say where it listens within 10 s'
port=${url##*:}
for _ in $(seq 100); do
    curl -fsS "$url/readyz" >"$temp/ready" 2>&1 && break || sleep 0.1
done
curl -fsS "$url/readyz" >/dev/null || fail 'not ready within 10 s'
passed "ready at $url, read-only, as user 1000"

"$engine" exec "$container" sparsed health "127.0.0.1:$port" >/dev/null ||
    fail 'the health check'
"$engine" exec "$container" sparsed health 127.0.0.1:1 >/dev/null \
    2>&1 && fail 'the health check passes with nothing listening'
passed 'the health check tells well from ill'

[ "$("$engine" exec "$container" id -u)" = 1000 ] || fail 'not user 1000'
"$engine" exec "$container" bash -c ': > /usr/x' 2>/dev/null &&
    fail 'the root can be written'
"$engine" exec "$container" bash -c ': > /data/x && rm /data/x' ||
    fail '/data cannot be written'
passed 'only /data can be written'

token=$("$engine" exec "$container" cat /data/token) || fail 'no token'
[ "$("$engine" exec "$container" stat -c %a /data/token)" = 600 ] ||
    fail 'others may read the token'
curl -fsS "$url/v1/models" >/dev/null || fail 'without the token'
status=$(curl -sS -o /dev/null -w '%{http_code}' "$url/v1/fine-tunes")
[ "$status" = 401 ] || fail "learning without the token: $status"
# Not among the arguments, which anybody may list.
printf 'header = "Authorization: Bearer %s"\n' "$token" >"$temp/token"
curl -fsS -K "$temp/token" "$url/v1/fine-tunes" >/dev/null ||
    fail 'learning with the token'
passed 'infers for all, and learns for the token in /data only'

# One digit of noise, and a batch that takes about two seconds to send.
awk 'BEGIN {
    srand(1)
    for (r = 0; r < 64; r++) {
        line = ""
        for (i = 0; i < 784; i++)
            line = line (i ? "," : "") int(rand() * 100) / 100
        if (r == 0)
            print "{\"inputs\":[[" line "]]}" > "'"$temp"'/one"
        all = all (r ? "," : "") "[" line "]"
    }
    print "{\"inputs\":[" all "]}" > "'"$temp"'/many"
}'
post="$url/v1/models/mnist-drsae/classify"
curl -fsS -K "$temp/token" -H 'Content-Type: application/json' \
    --data-binary @"$temp/one" \
    "$post" >"$temp/answer" || fail "POST $post"
grep -q '"predictions"' "$temp/answer" || fail "$(cat "$temp/answer")"
passed "answers $(cut -c 1-60 "$temp/answer")..."

samples="$url/v1/models/mnist-drsae/samples"
curl -fsS "$url/readyz" | grep -q '"status":"ready"' ||
    fail "not ready to learn: $(curl -sS "$url/readyz")"
curl -fsS -K "$temp/token" -H 'Content-Type: application/json' \
    --data-binary @"$temp/one" \
    "$samples" >"$temp/answer" || fail "POST $samples"
"$engine" exec "$container" bash -c 'test -s /data/store.sqlite' ||
    fail 'no store in /data'
passed "keeps a sample in /data: $(cut -c 1-60 "$temp/answer")..."

rate=$(($(wc -c <"$temp/many") / 2))
curl -sS -K "$temp/token" --limit-rate "$rate" -o "$temp/slow" -w '%{http_code}' \
    -H 'Content-Type: application/json' -H 'Expect:' \
    --data-binary @"$temp/many" "$post" >"$temp/status" 2>&1 &
client=$!
sleep 1
begun=$(date +%s)
"$engine" stop -t "$stop_seconds" "$container" >/dev/null
took=$(($(date +%s) - begun))
wait "$client" || fail "cut off at stop: $(cat "$temp/status")"
[ "$(cat "$temp/status")" = 200 ] || fail "at stop: $(cat "$temp/status")"
[ "$took" -lt "$stop_seconds" ] || fail "took $took s to stop, was killed"
code=$("$engine" inspect -f '{{.State.ExitCode}}' "$container")
[ "$code" = 0 ] || fail "exit code $code"
passed "SIGTERM: the request under way was answered, exit 0 after $took s"
