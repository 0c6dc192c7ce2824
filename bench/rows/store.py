"""Durable posts a second, beside one fsync each (bench/store.c)."""
from rows import printed


def measure(bench):
    folder = bench.folder / "store"
    folder.mkdir()
    argv = [bench.program("store"), folder]
    for row in printed.ask(bench, argv, "posts/s", less=False):
        row.id = "store-" + row.name
        row.name = "durable posts, threads: " + row.name
        yield row
