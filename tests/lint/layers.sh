#!/bin/sh
# Includes go one way: server -> api -> lib, inside lib
# base < math < data < model < train < store < engine, and each foreign library
# has one door. The api knows no kernels.
#
# A door's header is matched from its end, as <cjson/cJSON.h> by cJSON.h: where
# a package lies is the system's affair. A file that is a door and does not
# include its header is an error too, for then the door's name may be wrong and
# closes nothing.
set -eu

find lib api server -name '*.[ch]' | sort | xargs awk '
BEGIN {
    n = split("lib/base lib/math lib/data lib/model lib/train lib/store " \
              "lib/engine api server", layers)
    for (i = 1; i <= n; i++)
        rank[layers[i]] = i

    # header, and the files (folders) that may include it
    door["microhttpd.h"] = "server/http.c"
    door["gnutls.h"] = "server/tls.c"
    door["gnutls/abstract.h"] = "server/tls.c"
    door["gnutls/crypto.h"] = "server/tls.c"
    door["gnutls/x509.h"] = "server/tls.c"
    door["cJSON.h"] = "lib/base/json.c"
    door["cblas.h"] = "lib/math/blas_openblas.c"
    door["sqlite3.h"] = "lib/store/sqlite.c"
    door["libpq-fe.h"] = "lib/store/postgres.c"
    door["png.h"] = "lib/data/image.c"
    door["turbojpeg.h"] = "lib/data/image.c"
    door["zip.h"] = "lib/data/npz.c"
    door["zlib.h"] = "lib/data/gzip.c"
    door["onnx.pb-c.h"] = "lib/data/onnx_write.c"
    door["protobuf-c.h"] = ""
    door["lib/data/safetensors.h"] = "lib/data/ lib/model/model_file.c lib/train/checkpoint.c"
    door["immintrin.h"] = "lib/math/"
    door["pthread.h"] = "lib/base/"
    door["netinet/in.h"] = "server/"
    door["sys/socket.h"] = "server/"

    # the table of an axis is known to models and training only
    door["lib/model/operator/operator.h"] = "lib/model/ lib/train/"
    door["lib/model/encoder/encoder.h"] = "lib/model/ lib/train/"
    door["lib/model/structure/structure.h"] = "lib/model/ lib/train/"
}

function layer(path,   part) {
    split(path, part, "/")
    return part[1] == "lib" ? "lib/" part[2] : part[1]
}

function complain(text) {
    print FILENAME ":" FNR ": " text
    bad = 1
}

# A door names files, or folders by a slash at the end.
function may_pass(name,   i, n, way) {
    n = split(door[name], way, " ")
    for (i = 1; i <= n; i++)
        if (FILENAME == way[i] || (way[i] ~ /\/$/ && index(FILENAME, way[i]) == 1))
            return 1
    return 0
}

# The door that an include needs, or "".
function door_of(header,   name) {
    name = header
    while (!(name in door))
        if (!sub(/^[^\/]*\//, "", name))
            return ""
    return name
}

FNR == 1 { read[FILENAME] = 1 }

/^[ \t]*#[ \t]*include/ {
    header = $0
    sub(/^[^<"]*[<"]/, "", header)
    sub(/[>"].*$/, "", header)
    name = door_of(header)
    if (name != "" && !may_pass(name))
        complain(header " only in " door[name])
    passed[name, FILENAME] = 1
    if ($0 !~ /"/)
        next
    if (!(layer(header) in rank))
        complain("\"" header "\" is not spelled from lib/, api/ or server/")
    else if (rank[layer(header)] > rank[layer(FILENAME)])
        complain(layer(FILENAME) " may not include " layer(header))
    else if (FILENAME ~ /^(api|server)\// && layer(header) == "lib/math")
        complain("asks lib/model/numbers.h, and knows no kernels")
}

END {
    for (name in door) {
        n = split(door[name], way, " ")
        for (i = 1; i <= n; i++)
            if (way[i] in read && !((name, way[i]) in passed)) {
                print way[i] ": is a door for " name ", but includes no such"
                bad = 1
            }
    }
    exit bad
}
' || { echo 'layers: an include goes the wrong way' >&2; exit 1; }
