"""The encoder and training beside the dense products of the BLAS library, and
beside reading the bytes that must be read (bench/bench.c)."""
import os
import pathlib

from rows import printed


def has_avx512():
    forced = os.environ.get("SPARSED_SIMD")
    if forced:
        return forced == "avx512"
    return " avx512f " in pathlib.Path("/proc/cpuinfo").read_text()


def measure(bench):
    argv = [bench.program("bench"), bench.weights("mnist-drsae"), "data/mnist"]
    for i, row in enumerate(printed.ask(bench, argv, "us a row")):
        row.id = "products-%d" % i
        peer, = row.peers
        if "only read" in peer:
            row.id = "bound"
            row.sense, row.must = "over", 1.5 if has_avx512() else 2.5
            middle, least, most = row.given[peer]
            row.given[peer] = [1 / middle, 1 / most, 1 / least]
        yield row
