#!/bin/sh
# run.sh BENCH BINARY CONV STORE: measures the shipped model, convolutions and
# durable posts, and writes bench/RESULTS.md. Rows whose peer (wrk, ONNX Runtime, PyTorch) is
# missing are left out.
set -eu
bench=$1
binary=$2
conv=$3
store=$4
model=models/mnist-drsae
results=bench/RESULTS.md

machine() {
    sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1
}

requests() { # NAME PATH SCRIPT
    wrk -t1 -c64 -d5s -s "$3" "$url$2" | awk -v name="$1" '
        /^Requests\/sec/ {rate = $2}
        /Non-2xx/ {bad = $NF}
        END {printf "| %s | %.0f%s |\n", name, rate,
             bad ? " (" bad " refused)" : ""}'
}

sh scripts/data.sh mnist
{
    echo "# Results"
    echo
    echo "- machine: $(nproc) x $(machine)"
    echo "- commit: $(git describe --always --dirty 2>/dev/null || echo none)"
    echo "- command: make bench"
    echo
    "$bench" "$model/1/model.safetensors" data/mnist
    echo
    rm -rf build/bench-store
    mkdir -p build/bench-store
    "$store" build/bench-store
    rm -rf build/bench-store
} > "$results.new"

peers=build/peers/bin/python
if "$peers" -c 'import onnx, onnxruntime' 2> /dev/null; then
    echo >> "$results.new"
    "$peers" bench/peers/conv.py "$conv" >> "$results.new"
else
    echo "run.sh: ONNX Runtime is not installed: no convolution rows" >&2
fi

if command -v wrk > /dev/null; then
    log=$(mktemp)
    learned=$(mktemp -d)
    "$binary" serve --listen 127.0.0.1:0 --models models \
        --data-dir "$learned" --log-level warn > "$log" 2>&1 &
    server=$!
    trap 'kill $server; rm -rf "$learned"' EXIT
    until url=$(sed -n 's/^listening on //p' "$log") && [ -n "$url" ]; do
        sleep 0.1
    done
    {
        echo
        echo "Requests a second, 64 connections, client on the same machine."
        echo
        echo "| request | a second |"
        echo "|---|---|"
        requests "GET /healthz (the same server, constant answer)" \
            /healthz bench/get.lua
        requests "POST classify, one JSON digit" \
            /v1/models/mnist-drsae/classify bench/classify.lua
    } >> "$results.new"
else
    echo "run.sh: wrk is not installed: no request rows" >&2
fi
mv "$results.new" "$results"
cat "$results"
