"""Bad model files and folders: the server starts without that model, says why
in readyz and in the log, and serves the others."""
import json
import shutil
import socket
import struct
import subprocess

import numpy as np
from safetensors.numpy import save_file
from support import models, server

CONFIG = models.compose((4,), models.dense(6))
BODY = {"inputs": [[1, 2, 3, 4]]}


def parts(path):
    """Header as JSON, and buffer, of a model file."""
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8:8 + size]), data[8 + size:]


def join(header, buffer):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + buffer


def with_config(header, **changes):
    meta = header["__metadata__"]
    config = {**json.loads(meta["config"]), **changes}
    return {**header, "__metadata__": {**meta, "config": json.dumps(config)}}


def with_tensor(header, name, **changes):
    return {**header, name: {**header[name], **changes}}


def with_meta(header, **changes):
    meta = {**header["__metadata__"], **changes}
    return {**header, "__metadata__": {k: v for k, v in meta.items()
                                       if v is not None}}


def layer(**changes):
    return {**CONFIG["layers"][0], **changes}


E = "layers.0.encoder.weight"
B = "layers.0.encoder.bias"


def damages(path):
    """(name, bytes) of files that lie, made from a good one."""
    header, buffer = parts(path)
    good = path.read_bytes()
    begin, end = header[B]["data_offsets"]
    yield "empty", b""
    yield "seven-bytes", good[:7]
    yield "header-cut", good[:50]
    yield "buffer-cut", good[:-1]
    yield "half", good[:len(good) // 2]
    yield "left-over", good + b"\0"
    yield "no-safetensors", b"PK\3\4" + b"x" * 1000
    yield "header-beyond-the-file", struct.pack("<Q", 1 << 40) + good[8:]
    yield "header-length-overflow", b"\xff" * 8 + good[8:]
    yield "header-not-json", join(b"{" * 100, buffer)
    yield "header-not-utf8", join(b'{"\xff": 1}', buffer)
    yield "header-an-array", join(b"[]", buffer)
    yield "no-metadata", join({k: v for k, v in header.items()
                               if k != "__metadata__"}, buffer)
    yield "metadata-number", join(with_meta(header, x=1), buffer)
    yield "other-format", join(with_meta(header, format="pt"), buffer)
    yield "no-config", join(with_meta(header, config=None), buffer)
    yield "config-not-json", join(with_meta(header, config="{"), buffer)
    yield "config-an-array", join(with_meta(header, config="[]"), buffer)
    yield "classes-not-texts", join(with_meta(header, classes="[1, 2, 3]"),
                                    buffer)
    yield "classes-too-few", join(with_meta(header, classes='["a"]'), buffer)
    yield "overlap", join(with_tensor(header, B, data_offsets=[0, 24]), buffer)
    yield "beyond-the-end", join(with_tensor(
        header, B, data_offsets=[begin + len(buffer), end + len(buffer)]),
                                 buffer)
    yield "offsets-backwards", join(with_tensor(
        header, B, data_offsets=[end, begin]), buffer)
    yield "negative-offset", join(with_tensor(header, B,
                                              data_offsets=[-1, 23]), buffer)
    yield "shape-overflow", join(with_tensor(
        header, B, shape=[2**62 + 6]), buffer)
    yield "other-shape", join(with_tensor(header, E, shape=[4, 6]), buffer)
    yield "other-type", join(with_tensor(header, B, dtype="I32"), buffer)
    yield "unknown-type", join(with_tensor(header, B, dtype="F31"), buffer)
    yield "tensor-missing", join(
        {("other" if k == B else k): v for k, v in header.items()}, buffer)
    yield "not-finite", join(header, buffer[:begin] + struct.pack(
        "<f", float("nan")) + buffer[begin + 4:])
    yield "unknown-operator", join(with_config(
        header, layers=[layer(operator="magic")]), buffer)
    yield "unknown-member", join(with_config(header, colour="red"), buffer)
    yield "no-layers", join(with_config(header, layers=[]), buffer)
    yield "nine-layers", join(with_config(header, layers=[layer()] * 9),
                              buffer)
    yield "huge-units", join(with_config(
        header, layers=[layer(units=10**9)]), buffer)
    yield "large-units", join(with_config(
        header, layers=[layer(units=10**6)]), buffer)
    yield "negative-units", join(with_config(
        header, layers=[layer(units=-1)]), buffer)
    yield "huge-input", join(with_config(
        header, input={"shape": [2**31, 2**31, 4], "range": [0, 1]}), buffer)
    yield "empty-range", join(with_config(
        header, input={"shape": [4], "range": [1, 1]}), buffer)


GROUPS = models.compose((4,), models.coding(6, {
    "kind": "groups", "lambda": 0.1, "lists": [[0, 1, 2], [3, 4, 5]],
    "partition": True}))
TREE = models.compose((4,), models.coding(6, {
    "kind": "tree", "lambda": 0.1, "parents": [-1, 0, 0, 1, 1, 2]}))
LATERAL = models.compose((4,), models.coding(6, {
    "kind": "lateral", "lambda": 0.1, "pattern": "all", "strength": 0.5},
    method="descent"))


def with_structure(header, **changes):
    layer = json.loads(header["__metadata__"]["config"])["layers"][0]
    layer["structure"].update(changes)
    return with_config(header, layers=[layer])


def structure_damages(groups, tree, lateral):
    """(name, bytes, words of the reason) of impossible structures, made from
    good files."""
    for name, (header, buffer), changes, words in (
            ("out-of-range", groups, {"lists": [[0, 1, 2], [3, 4, 6]]},
             "lists[1][2]"),
            ("overlap", groups, {"lists": [[0, 1, 2, 3], [3, 4, 5]]},
             "more than one group"),
            ("left-out", groups, {"lists": [[0, 1, 2], [3, 4]]}, "no group"),
            ("other-groups", groups, {"lists": [[0, 1, 3], [2, 4, 5]]},
             "groups.indices is not what the config says"),
            ("cycle", tree, {"parents": [1, 2, 0, 1, 1, 2]}, "cycle"),
            ("two-parents", tree, {"parents": [-1, 0, 0, [1, 2], 1, 2]},
             "parents[3]"),
            ("other-tree", tree, {"parents": [-1, 0, 0, 1, 2, 2]},
             "groups.indptr is not what the config says"),
            ("negative-strength", lateral, {"strength": -0.5}, "strength")):
        yield name, join(with_structure(header, **changes), buffer), words
    header, buffer = groups
    name = "layers.0.structure.groups.weights"
    yield "no-weights", join({k: v for k, v in header.items() if k != name} |
                             {"other": header[name]}, buffer), name
    header, buffer = lateral
    begin, _ = header["layers.0.structure.inhibition"]["data_offsets"]
    for name, places, value, words in (
            ("negative", (1, 6), -0.5, "negative at 0, 1"),
            ("lopsided", (1,), 0.25, "not symmetric at 0, 1"),
            ("of-itself", (7,), 0.5, "unit 1 inhibits itself")):
        bad = bytearray(buffer)
        for place in places:
            struct.pack_into("<f", bad, begin + 4 * place, value)
        yield name, join(header, bytes(bad)), words


def keeping(header, buffer, training="{}", without=None, **changes):
    """A good file that keeps two rows to rehearse, with changes: shapes and
    bytes by the tensors' names."""
    tensors = {"inputs": ("U8", [2, 4], bytes(range(8))),
               "labels": ("I32", [2], struct.pack("<2i", 0, -1)),
               "held_out": ("U8", [2], b"\0\1")}
    header = with_meta(header, training=training)
    for name, (dtype, shape, data) in {**tensors, **changes}.items():
        if name == without:
            continue
        header["rehearsal." + name] = {
            "dtype": dtype, "shape": shape,
            "data_offsets": [len(buffer), len(buffer) + len(data)]}
        buffer += data
    return join(header, buffer)


def kept_damages(header, buffer):
    """(name, bytes, words of the reason) of what is kept for later training"""
    for name, words, changes in (
            ("training-a-list", "training", {"training": "[]"}),
            ("training-not-json", "training", {"training": "{"}),
            ("no-labels", "rehearsal.labels is missing",
             {"without": "labels"}),
            ("no-flags", "rehearsal.held_out is missing",
             {"without": "held_out"}),
            ("no-inputs", "rehearsal.inputs is missing",
             {"without": "inputs"}),
            ("three-numbers-a-row", "rehearsal.inputs has not",
             {"inputs": ("U8", [2, 3], bytes(6))}),
            ("more-rows", "rehearsal.",
             {"inputs": ("U8", [3, 4], bytes(12))}),
            ("float-rows", "rehearsal.inputs has not",
             {"inputs": ("F32", [2, 4], bytes(32))}),
            ("label-of-no-class", "rehearsal.labels[1]: 9 is none",
             {"labels": ("I32", [2], struct.pack("<2i", 0, 9))}),
            ("label-too-low", "rehearsal.labels[0]: -2 is none",
             {"labels": ("I32", [2], struct.pack("<2i", -2, 0))}),
            ("flag-of-two", "rehearsal.held_out[1]: 2",
             {"held_out": ("U8", [2], b"\0\2")}),
            ("no-rows", "0 rows", {"inputs": ("U8", [0, 4], b""),
                                   "labels": ("I32", [0], b""),
                                   "held_out": ("U8", [0], b"")})):
        yield name, keeping(header, buffer, **changes), words


def put(folder, name, data):
    path = models.path_of(folder, name, 1)
    path.parent.mkdir(parents=True)
    path.write_bytes(data)


def run_serve(t, *args):
    """Of a server that should not start."""
    return subprocess.run(
        [server.BINARY, "serve", "--data-dir", str(t.folder()), *args],
        capture_output=True, text=True, timeout=60, check=False)


def test_damaged_files(t):
    """Each truncated or lying file is named with its reason; others serve"""
    folder = t.folder()
    models.write(folder, "good", CONFIG)
    names = []
    for name, data in damages(models.path_of(folder, "good", 1)):
        put(folder, name, data)
        names.append(name)
    own = t.start(folder)
    reasons = own.wait_ready(503).json()
    assert reasons["status"] == "failed" and reasons["models"] == 1, reasons
    log = own.log()
    for name in names:
        why = [r for r in reasons["reasons"] if "/%s/" % name in r]
        assert len(why) == 1, "%s: %s" % (name, reasons["reasons"])
        assert name in log, "%s is not in the log" % name
        assert t.call("POST", "/v1/models/%s/encode" % name, BODY,
                      server=own).status == 404
    assert t.call("POST", "/v1/models/good/encode", BODY,
                  server=own).status == 200
    assert t.call("GET", "/healthz", server=own).status == 200


def test_impossible_structures(t):
    """Groups, trees and inhibition that cannot be are told as such"""
    folder, good = t.folder(), []
    for name, config in (("g", GROUPS), ("t", TREE), ("l", LATERAL)):
        models.write(folder, name, config)
        good.append(parts(models.path_of(folder, name, 1)))
    wanted = {}
    for name, data, words in structure_damages(*good):
        put(folder, name, data)
        wanted[name] = words
    state = t.start(folder).wait_ready(503).json()
    assert state["models"] == 3, state
    assert len(state["reasons"]) == len(wanted), state["reasons"]
    for name, words in wanted.items():
        why = [r for r in state["reasons"] if "/%s/" % name in r]
        assert len(why) == 1 and words in why[0], (name, words, why)


def test_what_is_kept_for_later(t):
    """Rows to rehearse are counted; those that cannot be are told as such"""
    folder, wanted = t.folder(), {}
    models.write(folder, "good", CONFIG)
    header, buffer = parts(models.path_of(folder, "good", 1))
    put(folder, "keeps", keeping(header, buffer))
    for name, data, words in kept_damages(header, buffer):
        put(folder, name, data)
        wanted[name] = words
    own = t.start(folder)
    state = own.wait_ready(503).json()
    assert state["models"] == 2, state
    assert len(state["reasons"]) == len(wanted), state["reasons"]
    for name, words in wanted.items():
        why = [r for r in state["reasons"] if "/%s/" % name in r]
        assert len(why) == 1 and words in why[0], (name, words, why)
    for name, rows in (("good", 0), ("keeps", 2)):
        shown = t.call("GET", "/v1/models/" + name, server=own).json()
        assert shown["rehearsal"] == rows and "training" not in shown, shown


def test_damage_to_any_byte(t):
    """A file with any byte of its header changed loads or is refused"""
    folder = t.folder()
    models.write(folder, "good", CONFIG)
    good = models.path_of(folder, "good", 1).read_bytes()
    header = 8 + struct.unpack("<Q", good[:8])[0]
    rng = np.random.default_rng(0)
    for i in range(300):
        at = int(rng.integers(0, header))
        put(folder, "m%d" % i, good[:at] + bytes([rng.integers(0, 256)]) +
            good[at + 1:])
    own = t.start(folder)
    state = own.wait_ready(503).json()
    assert state["models"] + len(state["reasons"]) >= 300, state["models"]
    assert t.call("POST", "/v1/models/good/encode", BODY,
                  server=own).status == 200


def test_older_version_serves(t):
    """With its newest version damaged, a model serves the one before"""
    folder = t.folder()
    for version in (1, 2):
        models.write(folder, "one", CONFIG, version)
    path = models.path_of(folder, "one", 2)
    path.write_bytes(path.read_bytes()[:-1])
    own = t.start(folder)
    own.wait_ready(503)
    reply = t.call("POST", "/v1/models/one/encode", BODY, server=own)
    assert reply.status == 200 and reply.json()["version"] == 1, str(reply)


def test_allowed_failures(t):
    """--allow-missing-models makes it ready, with the reasons still told"""
    folder = t.folder()
    models.write(folder, "good", CONFIG)
    put(folder, "bad", b"")
    own = t.start(folder, ["--allow-missing-models"])
    state = own.wait_ready(200).json()
    assert len(state["reasons"]) == 1 and "bad" in state["reasons"][0], state


def test_other_peoples_files(t):
    """A safetensors file of another project is refused with a reason"""
    folder = t.folder()
    path = models.path_of(folder, "alien", 1)
    path.parent.mkdir(parents=True)
    save_file({"weight": np.zeros((2, 2), np.float32)}, path,
              {"format": "pt"})
    own = t.start(folder)
    state = own.wait_ready(503).json()
    assert "format" in state["reasons"][0], state


def test_missing_folder(t):
    """Without the models folder it does not start, and names it"""
    done = run_serve(t, "--listen", "127.0.0.1:0", "--models",
                     str(t.folder() / "nowhere"))
    assert done.returncode == 1 and done.stdout == "", done
    assert "nowhere" in done.stderr and "--models" in done.stderr, done


def test_missing_folder_allowed(t):
    """With --allow-missing-models it starts without the folder and tells"""
    own = t.start(t.folder() / "nowhere", ["--allow-missing-models"])
    state = own.wait_ready().json()
    assert any("nowhere" in why for why in state["reasons"]), state
    assert "nowhere" in own.log()
    assert t.call("GET", "/v1/models", server=own).json() == {"models": []}
    assert t.call("GET", "/healthz", server=own).status == 200


def test_empty_folder(t):
    """An empty models folder is not ready either"""
    own = t.start(t.folder())
    assert own.wait_ready(503).json()["models"] == 0


def test_folder_is_a_file(t):
    """A models folder that is a file does not do"""
    path = t.folder() / "file"
    path.write_text("x")
    done = run_serve(t, "--listen", "127.0.0.1:0", "--models", str(path))
    assert done.returncode == 1 and str(path) in done.stderr, done


def test_port_in_use(t):
    """A port in use ends the start with exit 1 and its number"""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        folder = models.write(t.folder(), "one", CONFIG)
        done = run_serve(t, "--listen", "127.0.0.1:%d" % port,
                         "--models", str(folder))
    assert done.returncode == 1, done
    assert str(port) in done.stderr and done.stdout == "", done


def test_two_servers_on_one_port(t):
    """A second server does not take a share of the first one's port"""
    folder = models.write(t.folder(), "one", CONFIG)
    first = t.start(folder)
    done = run_serve(t, "--listen", "127.0.0.1:%d" % first.address[1],
                     "--models", str(folder))
    assert done.returncode == 1 and str(first.address[1]) in done.stderr, done
    first.wait_ready()


def test_bad_flags(t):
    """Wrong flags end the start with exit 2 and their names"""
    for flags in (["--listen", "nonsense"], ["--listen", "127.0.0.1:99999"],
                  ["--listen", "127.0.0.1:x"], ["--nonsense"], ["extra"],
                  ["--models"]):
        done = run_serve(t, *flags)
        assert done.returncode == 2, "%s: %s" % (flags, done)
        assert flags[0].lstrip("-") in done.stderr, done
        assert done.stdout == "", done


def test_files_are_not_watched(t):
    """A file that goes or changes after the start disturbs nothing"""
    folder = models.write(t.folder(), "one", CONFIG)
    own = t.start(folder)
    own.wait_ready()
    want = t.call("POST", "/v1/models/one/infer", BODY, server=own).json()
    path = models.path_of(folder, "one", 1)
    path.write_bytes(b"")
    shutil.rmtree(folder)
    got = t.call("POST", "/v1/models/one/infer", BODY, server=own).json()
    assert got == want
