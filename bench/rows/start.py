"""Cold start to the first answer, and memory after load, beside the peers.

A round starts each server, asks for one digit until it is answered, reads its
memory (pages of its own and its share of the others: PSS) and stops it.
"""
import statistics

from row import Row
from rows import http

MB = 1e6


def once(make, request_of_name):
    served = make()
    try:
        took = served.wait(request_of_name(served.name))
        return served.name, took * 1e3, served.memory_bytes() / MB
    finally:
        served.stop()


def measure(bench):
    digit = bench.digits(1)
    request = lambda name: http.request_of(name, digit, http.short)
    found = {}
    for i in range(bench.rounds):
        jobs = [lambda: http.ours(bench, "start-%d" % i)]
        jobs += [lambda make=make: make(bench) for make in http.PEERS]
        for job in jobs:
            try:
                name, took, memory = once(job, request)
            except http.Missing as e:
                if i == 0:
                    bench.say("left out: %s" % e)
                continue
            found.setdefault(name, []).append((took, memory))
    starts = {n: [f[0] for f in fs] for n, fs in found.items()}
    memory = {n: [f[1] for f in fs] for n, fs in found.items()}
    weights = sum(p.stat().st_size for p in (
        bench.root / "models" / http.MODEL).glob("*/model.safetensors")) / MB
    yield Row("start", "cold start to the first answer, one model", "ms",
              starts.pop(http.OURS), starts, sense="total", must=20)
    yield Row("memory", "memory after load; the model's file is %.1f MB"
              % weights, "MB", memory.pop(http.OURS), memory, sense="total",
              must=round(weights + 12, 1))
