#!/bin/sh
# install.sh: the peers that `make bench` measures, each in an environment of its
# own below build/. What cannot be had is left out; the bench then says so.
#
# The libraries' environment sees the system's packages, for Debian's PyTorch.
set -u

python_env() { # FOLDER REQUIREMENTS [OPTION]
    rm -rf "build/$1"
    # shellcheck disable=SC2086
    /usr/bin/python3 -m venv ${3-} "build/$1" &&
        "build/$1/bin/python" -m pip install --quiet -r "bench/peers/$2" ||
        echo "install.sh: $1 is not complete: its rows are left out" >&2
}

python_env peers requirements.txt --system-site-packages
python_env peers-http requirements-http.txt
python_env peers-mlserver requirements-mlserver.txt

rm -rf build/peers-node
mkdir -p build/peers-node
cp bench/peers/http/node/package*.json build/peers-node
# Its install script would download; the package has all that the CPU needs.
npm ci --prefix build/peers-node --ignore-scripts --silent ||
    echo "install.sh: peers-node is not complete: its rows are left out" >&2
[ -x build/peers/bin/python ]
