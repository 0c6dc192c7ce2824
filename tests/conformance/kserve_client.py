"""The kserve SDK's REST client as it is published, in both of its protocols:
liveness, readiness, inference in JSON and binary, and what it is refused."""
import asyncio
import sys

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferOutput, InferRequest
from kserve.inference_client import RESTConfig
from kserve.protocol.infer_type import RequestedOutput

import host
from host import CLASSES, MODEL, SIZE, near, own, rows


async def refused(call, status, *words):
    """The call must fail with this status and words that help."""
    try:
        await call
    except httpx.HTTPStatusError as error:
        text = str(error)
        assert error.response.status_code == status, text
        assert all(word in text for word in words), text
        return
    raise AssertionError("was taken")


def request(x, binary, outputs=()):
    one = InferInput("input", list(x.shape), "FP32")
    one.set_data_from_numpy(x, binary_data=binary)
    return InferRequest(
        model_name=MODEL, infer_inputs=[one],
        request_outputs=[RequestedOutput(name, {"binary_data": binary})
                         for name in outputs] or None)


class Checks:
    def __init__(self, server):
        self.server = server
        self.first = InferenceRESTClient(RESTConfig(protocol="v1"))
        self.second = InferenceRESTClient(RESTConfig(protocol="v2"))

    def ask(self, client, call, *arguments):
        return getattr(client, call)(self.server.url, *arguments)

    async def health(self):
        """v2: it is live and ready, its model too, an unknown one is not"""
        assert await self.ask(self.second, "is_server_live") is True
        assert await self.ask(self.second, "is_server_ready") is True
        assert await self.ask(self.second, "is_model_ready", MODEL) is True
        assert not await self.ask(self.second, "is_model_ready", "nobody")

    async def first_health(self):
        """v1: it is alive, its model is ready, an unknown one is not"""
        # By itself it takes anything, and so gets the demo page.
        assert await self.ask(self.first, "is_server_live",
                              {"Accept": "application/json"}) is True
        assert await self.ask(self.first, "is_model_ready", MODEL) is True
        await refused(self.ask(self.first, "is_model_ready", "nobody"), 404)

    async def infer(self):
        """v2: inference in JSON and binary"""
        x = rows(3)
        mine = own(self.server, "infer", x, format="dense", top=CLASSES)
        for binary in (False, True):
            for names in ((), ("code", "probabilities", "class")):
                reply = await self.second.infer(
                    self.server.url, request(x, binary, names),
                    model_name=MODEL)
                found = {one.name: one for one in reply.outputs}
                near(found["code"].as_numpy(), mine["codes"])
                near(np.sort(found["probabilities"].as_numpy(), axis=1),
                     np.sort([[one["probability"] for one in p["top"]]
                              for p in mine["predictions"]], axis=1))
                labels = np.ravel(found["class"].as_numpy())
                assert [v.decode() if isinstance(v, bytes) else v
                        for v in labels] == [
                    p["class"] for p in mine["predictions"]]

    async def predict(self):
        """v1: predictions are those of classify"""
        x = rows(3)
        mine = own(self.server, "classify", x)["predictions"]
        reply = await self.first.infer(
            self.server.url, {"instances": x.tolist()}, model_name=MODEL)
        assert [p["class"] for p in reply["predictions"]] == [
            p["class"] for p in mine]

    async def errors(self):
        """what is wrong is said, in both protocols"""
        x = rows(1)
        await refused(self.second.infer(
            self.server.url, request(x, False), model_name="nobody"), 404,
            "nobody")
        await refused(self.second.infer(
            self.server.url, request(x[:, :9], True), model_name=MODEL), 400,
            str(SIZE))
        await refused(self.first.infer(
            self.server.url, {"instances": [[1, 2]]}, model_name=MODEL), 400,
            str(SIZE))
        await refused(self.first.infer(
            self.server.url, {"instances": []}, model_name="nobody"), 404)
        # There is no second kind of model that explains the first.
        await refused(self.ask(self.first, "explain", MODEL,
                               {"instances": x.tolist()}), 404)


def main():
    with host.serving(host.link_two) as server, asyncio.Runner() as runner:
        async def make():
            return Checks(server)

        checks = runner.run(make())

        def sync(check):
            def call():
                runner.run(check())
            call.__doc__ = check.__doc__
            return call

        host.run("kserve", [sync(check) for check in (
            checks.health, checks.first_health, checks.infer, checks.predict,
            checks.errors)])


if __name__ == "__main__":
    sys.exit(main())
