"""What the scripts here share: a daemon on folders of its own, small models,
and how a script tells what it found."""
import contextlib
import json
import pathlib
import sys
import tempfile

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "http"))

from support import models  # noqa: E402
from support.server import BINARY, SHIPPED, Server  # noqa: E402

# Numbers a row and units of each small model: one that can do all, and one
# without decoder and classifier.
SMALL = {"tiny": (4, 6), "plain": (4, 6)}


def write_small(folder):
    models.write(folder, "tiny", models.compose((4,), models.dense(6)))
    models.write(folder, "plain", models.compose(
        (4,), models.dense(6, decoder=False), classifier=None))
    return folder


# What the clients ask, and what it takes and tells apart.
MODEL, SIZE, CLASSES = "mnist-drsae", 784, 10


def link_two(folder):
    for name in (MODEL, "fashion-drsae"):
        (folder / name).symlink_to(SHIPPED / name)
    return folder


def rows(count, seed=1):
    """Inputs like digits: most of them paper."""
    rng = np.random.default_rng(seed)
    ink = rng.uniform(0, 1, (count, SIZE))
    return (ink * (rng.uniform(0, 1, ink.shape) < 0.2)).astype(np.float32)


def own(server, action, x, **options):
    """The reply of the daemon's own route, which clients must agree with."""
    body = json.dumps({"inputs": x.tolist(), **options}).encode()
    reply = server.ask("POST", "/v1/models/%s/%s" % (MODEL, action), body,
                       [("Content-Type", "application/json")])
    assert reply.status == 200, str(reply)
    return reply.json()


def near(got, want):
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


@contextlib.contextmanager
def serving(fill, args=(), env=None):
    """A ready daemon whose folder of models `fill` makes; it must end well."""
    with tempfile.TemporaryDirectory(prefix="sparsed-conformance-") as name:
        base = pathlib.Path(name)
        (base / "models").mkdir()
        server = Server(base, fill(base / "models"), args, env)
        try:
            server.wait_ready()
            yield server
        finally:
            server.stop()


def run(name, checks):
    """Runs functions that each show what their docstrings say; ends the
    process with what came of it, told in the last line."""
    failed = 0
    for check in checks:
        line = check.__doc__.split("\n")[0].rstrip(".")
        try:
            check()
        except Exception as error:  # whatever a client may throw
            failed += 1
            text = " ".join(("%s: %s" % (type(error).__name__, error)).split())
            print("FAIL  %s: %s" % (line, text[:600]), flush=True)
        else:
            print("ok    %s" % line, flush=True)
    print("%s: %d of %d checks passed" % (
        name, len(checks) - failed, len(checks)))
    sys.exit(1 if failed else 0)
