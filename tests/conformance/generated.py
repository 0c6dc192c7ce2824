"""The client that the Open Inference Protocol's working group generates from
its own OpenAPI description."""
import sys

from open_inference.openapi.client import InferenceRequest, OpenInferenceClient
from open_inference.openapi.core.api_error import ApiError
from open_inference.openapi.errors.bad_request_error import BadRequestError

import host
from host import MODEL, SIZE, near, own, rows


def request(x, *outputs, **members):
    return InferenceRequest(
        inputs=[{"name": "input", "shape": list(x.shape), "datatype": "FP32",
                 "data": x.tolist()}],
        outputs=[{"name": name} for name in outputs] or None, **members)


def refused(call, status, *words):
    try:
        call()
    except ApiError as error:
        text = str(error)
        assert error.status_code == status, text
        assert all(word in text for word in words), text
        return error
    raise AssertionError("was taken")


class Checks:
    def __init__(self, server):
        self.server = server
        self.client = OpenInferenceClient(base_url=server.url)

    def health(self):
        """it is live and ready, its model too, an unknown one is not"""
        self.client.check_server_liveness()
        self.client.check_server_readiness()
        self.client.check_model_readiness(MODEL)
        self.client.check_model_version_readiness(MODEL, "1")
        refused(lambda: self.client.check_model_readiness("nobody"), 404)

    def metadata(self):
        """metadata is as the description has it"""
        assert self.client.read_server_metadata().name == "sparsed"
        for model in (self.client.read_model_metadata(MODEL),
                      self.client.read_model_version_metadata(MODEL, "1")):
            assert model.name == MODEL and model.versions == ["1"]
            assert model.inputs[0].shape == [-1, 28, 28]

    def infer(self):
        """inference, with and without a version, nested and flat"""
        x = rows(2)
        mine = own(self.server, "infer", x, format="dense")
        wanted = request(x, "code", "class", id="abc")
        flat = InferenceRequest(inputs=[{
            "name": "input", "shape": list(x.shape), "datatype": "FP32",
            "data": x.reshape(-1).tolist()}])
        for reply in (self.client.model_infer(MODEL, request=wanted),
                      self.client.model_version_infer(MODEL, "1",
                                                      request=wanted),
                      self.client.model_infer(MODEL, request=flat)):
            found = {one.name: one for one in reply.outputs}
            code = [v.__root__ if hasattr(v, "__root__") else v
                    for v in found["code"].data.__root__]
            near(code, sum(mine["codes"], []))
            # This client reads texts as numbers where it can.
            labels = found["class"].data.__root__
            assert labels == [float(p["class"])
                              for p in mine["predictions"]], labels
        assert reply.model_name == MODEL

    def errors(self):
        """what is wrong is said"""
        error = refused(lambda: self.client.model_infer(
            MODEL, request=request(rows(1)[:, :9])), 400, str(SIZE))
        assert isinstance(error, BadRequestError)
        refused(lambda: self.client.read_model_metadata("nobody"), 404,
                "nobody")


def main():
    with host.serving(host.link_two) as server:
        checks = Checks(server)
        host.run("generated", [checks.health, checks.metadata, checks.infer,
                               checks.errors])


if __name__ == "__main__":
    sys.exit(main())
