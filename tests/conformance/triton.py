"""tritonclient[http] as it is published, over threads and asyncio: metadata,
configuration, statistics, inference in JSON and binary, classification,
compression, errors, the repository. Its numbers are those of /v1."""
import asyncio
import sys

import ml_dtypes
import numpy as np
import tritonclient.http as sync
import tritonclient.http.aio as aio
from tritonclient.utils import InferenceServerException

import host
from host import CLASSES, MODEL, SIZE, near, own, rows

def ask(x, name="input", datatype="FP32", binary=True, module=sync):
    one = module.InferInput(name, list(x.shape), datatype)
    one.set_data_from_numpy(x, binary_data=binary)
    return [one]


def want(*names, binary=True, classes=0):
    return [sync.InferRequestedOutput(name, binary_data=binary,
                                      class_count=classes) for name in names]


def refused(call, *words):
    """The call must fail with words that help."""
    try:
        call()
    except InferenceServerException as error:
        text = str(error)
        assert all(word in text for word in words), text
        return text
    raise AssertionError("was taken")


class Checks:
    """One daemon and one client; the checks in the order of their names."""

    def __init__(self, server):
        self.server = server
        self.address = "%s:%d" % server.address
        self.client = sync.InferenceServerClient(self.address, concurrency=4)

    def health(self):
        """it is live and ready, its models too, an unknown one is not"""
        assert self.client.is_server_live()
        assert self.client.is_server_ready()
        assert self.client.is_model_ready(MODEL)
        assert self.client.is_model_ready(MODEL, "1")
        assert not self.client.is_model_ready("nobody")
        assert not self.client.is_model_ready(MODEL, "77")

    def metadata(self):
        """metadata and configuration say what the model takes and gives"""
        about = self.client.get_server_metadata()
        assert about["name"] == "sparsed"
        assert {"binary_tensor_data", "classification", "statistics",
                "model_repository", "model_configuration"} <= set(
                    about["extensions"]), about
        model = self.client.get_model_metadata(MODEL)
        assert model["versions"] == ["1"]
        assert model["inputs"] == [{"name": "input", "datatype": "FP32",
                                    "shape": [-1, 28, 28]}], model
        config = self.client.get_model_config(MODEL, "1")
        assert config["max_batch_size"] > 0
        assert config["input"][0]["dims"] == [28, 28]

    def every_form(self):
        """every output in JSON and binary, asked in JSON and binary"""
        x = rows(3)
        mine = own(self.server, "infer", x, format="dense", top=CLASSES)
        for given in (False, True):
            for got in (False, True):
                reply = self.client.infer(
                    MODEL, ask(x.reshape(3, 28, 28), binary=given),
                    outputs=want("code", "groups", "reconstruction",
                                 "probabilities", "class", binary=got))
                near(reply.as_numpy("code"), mine["codes"])
                near(reply.as_numpy("groups"), mine["groups"])
                near(reply.as_numpy("reconstruction").reshape(3, SIZE),
                     mine["reconstructions"])
                self.same_classes(reply, mine)

    def same_classes(self, reply, mine):
        labels = reply.as_numpy("class").reshape(-1)
        labels = [v.decode() if isinstance(v, bytes) else v for v in labels]
        assert labels == [p["class"] for p in mine["predictions"]], labels
        for row, p in zip(reply.as_numpy("probabilities"),
                          mine["predictions"]):
            near(row[[one["index"] for one in p["top"]]],
                 [one["probability"] for one in p["top"]])

    def defaults(self):
        """without outputs come all dense ones, binary"""
        reply = self.client.infer(MODEL, ask(rows(2)), request_id="abc")
        about = reply.get_response()
        assert about["id"] == "abc" and about["model_name"] == MODEL
        assert about["model_version"] == "1"
        names = [one["name"] for one in about["outputs"]]
        assert names == ["code", "groups", "reconstruction", "probabilities",
                         "class"], names

    def sparse(self):
        """codes come as a sparse matrix by rows"""
        x = rows(4, seed=2)
        mine = own(self.server, "encode", x)["codes"]
        reply = self.client.infer(MODEL, ask(x), outputs=want(
            "code_indptr", "code_indices", "code_values"))
        begin = reply.as_numpy("code_indptr")
        for i, code in enumerate(mine):
            part = slice(begin[i], begin[i + 1])
            assert reply.as_numpy("code_indices")[part].tolist() == \
                code["indices"]
            near(reply.as_numpy("code_values")[part], code["values"])

    def datatypes(self):
        """every number type gives what floats give"""
        whole = (rows(2) > 0.5)
        plain = self.client.infer(MODEL, ask(whole.astype(np.float32)),
                                  outputs=want("code")).as_numpy("code")
        for datatype, kind in (
                ("BOOL", np.bool_), ("UINT8", np.uint8), ("INT8", np.int8),
                ("UINT16", np.uint16), ("INT16", np.int16),
                ("UINT32", np.uint32), ("INT32", np.int32),
                ("UINT64", np.uint64), ("INT64", np.int64),
                ("FP16", np.float16), ("BF16", ml_dtypes.bfloat16),
                ("FP64", np.float64)):
            # Half floats are never JSON numbers.
            for binary in (True,) if datatype in ("FP16", "BF16") else (
                    True, False):
                got = self.client.infer(
                    MODEL, ask(whole.astype(kind), datatype=datatype,
                               binary=binary), outputs=want("code"))
                near(got.as_numpy("code"), plain)

    def classification(self):
        """the classification extension names the most probable classes"""
        x = rows(2)
        mine = own(self.server, "classify", x, top=3)["predictions"]
        for binary in (True, False):
            got = self.client.infer(MODEL, ask(x), outputs=want(
                "probabilities", binary=binary, classes=3))
            table = got.as_numpy("probabilities")
            assert table.shape == (2, 3), table.shape
            for row, p in zip(table, mine):
                for text, one in zip(row, p["top"]):
                    text = text.decode() if isinstance(text, bytes) else text
                    value, index, label = text.split(":")
                    assert (int(index), label) == (one["index"], one["class"])
                    near(float(value), one["probability"])

    def compression(self):
        """bodies and replies packed with gzip and deflate, both ways"""
        x = rows(64)
        plain = self.client.infer(MODEL, ask(x)).as_numpy("code")
        for sent in (None, "gzip", "deflate"):
            for got in (None, "gzip", "deflate"):
                for binary in (True, False):
                    reply = self.client.infer(
                        MODEL, ask(x, binary=binary),
                        outputs=want("code", binary=binary),
                        request_compression_algorithm=sent,
                        response_compression_algorithm=got)
                    near(reply.as_numpy("code"), plain)

    def errors(self):
        """what is wrong is said: model, version, name, shape, type, output"""
        client, x = self.client, rows(1)
        refused(lambda: client.infer("nobody", ask(x)), "404", "nobody")
        refused(lambda: client.infer(MODEL, ask(x), model_version="77"), "404")
        refused(lambda: client.get_model_metadata("nobody"), "nobody")
        refused(lambda: client.infer(MODEL, ask(x, name="image")), "400",
                "input")
        refused(lambda: client.infer(MODEL, ask(x[:, :9])), "400", "784")
        refused(lambda: client.infer(MODEL, ask(x), outputs=want("nothing")),
                "400", "nothing")
        words = np.array([["a"] * SIZE], dtype=np.object_)
        refused(lambda: client.infer(MODEL, ask(words, datatype="BYTES")),
                "400", "BYTES")
        assert self.client.is_server_live()

    def parameters(self):
        """a time limit that is long enough changes nothing"""
        self.client.infer(MODEL, ask(rows(1)), timeout=60_000_000,
                          priority=1, query_params={"test_1": 1},
                          headers={"X-Request-Id": "mine"})

    def statistics(self):
        """statistics count rows, runs and nanoseconds"""
        before = self.counts()
        self.client.infer(MODEL, ask(rows(5)))
        after = self.counts()
        assert after["inference_count"] == before["inference_count"] + 5
        assert after["execution_count"] > before["execution_count"]
        stats = after["inference_stats"]
        assert stats["success"]["ns"] > 0 and stats["compute_infer"]["ns"] > 0
        everyone = self.client.get_inference_statistics()["model_stats"]
        assert MODEL in [one["name"] for one in everyone]

    def counts(self):
        return self.client.get_inference_statistics(MODEL)["model_stats"][0]

    def concurrency(self):
        """forty requests at once on four connections"""
        x = [rows(1 + i % 7, seed=i) for i in range(40)]
        waiting = [self.client.async_infer(MODEL, ask(one)) for one in x]
        for one, reply in zip(x, waiting):
            near(reply.get_result().as_numpy("code"),
                 own(self.server, "encode", one, format="dense")["codes"])

    def repository(self):
        """models are listed, unloaded, and loaded again"""
        client, other = self.client, "fashion-drsae"
        index = {one["name"]: one for one in
                 client.get_model_repository_index()}
        assert index[MODEL]["state"] == index[other]["state"] == "READY"
        client.unload_model(other)
        assert not client.is_model_ready(other)
        refused(lambda: client.infer(other, ask(rows(1))), "404")
        index = {one["name"]: one for one in
                 client.get_model_repository_index()}
        assert index[other]["state"] == "UNAVAILABLE", index[other]
        client.load_model(other)
        assert client.is_model_ready(other)
        client.load_model(MODEL)  # again, while it serves
        client.infer(MODEL, ask(rows(1)))
        refused(lambda: client.load_model("nobody"), "failed to load")

    def asyncio(self):
        """the same over asyncio, packed and not, many at once"""
        asyncio.run(self.over_asyncio())

    async def over_asyncio(self):
        async with aio.InferenceServerClient(self.address) as client:
            assert await client.is_server_ready()
            assert await client.is_model_ready(MODEL)
            model = await client.get_model_metadata(MODEL)
            assert model["name"] == MODEL
            assert (await client.get_model_config(MODEL))["name"] == MODEL
            assert await client.get_model_repository_index()
            assert await client.get_inference_statistics(MODEL)
            await self.asyncio_infer(client)
            try:
                await client.infer("nobody", ask(rows(1), module=aio))
            except InferenceServerException as error:
                assert "nobody" in str(error), error
            else:
                raise AssertionError("an unknown model was taken")
            await client.unload_model("fashion-drsae")
            await client.load_model("fashion-drsae")

    async def asyncio_infer(self, client):
        x = rows(3)
        mine = own(self.server, "encode", x, format="dense")["codes"]
        for packed in (None, "gzip", "deflate"):
            replies = await asyncio.gather(*(client.infer(
                MODEL, ask(x, binary=binary, module=aio),
                outputs=[aio.InferRequestedOutput("code", binary_data=got)],
                request_compression_algorithm=packed,
                response_compression_algorithm=packed)
                for binary in (True, False) for got in (True, False)))
            for reply in replies:
                near(reply.as_numpy("code"), mine)


def main():
    with host.serving(host.link_two) as server:
        checks = Checks(server)
        host.run("triton", [
            checks.health, checks.metadata, checks.every_form,
            checks.defaults, checks.sparse, checks.datatypes,
            checks.classification, checks.compression, checks.errors,
            checks.parameters, checks.statistics, checks.concurrency,
            checks.repository, checks.asyncio])


if __name__ == "__main__":
    sys.exit(main())
