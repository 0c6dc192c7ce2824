"""LitServe + ONNX Runtime, two workers and as many servers before them.

    litserve_app.py PORT    (MODEL: the ONNX file)
"""
import os
import sys

import litserve
import numpy as np


class Digits(litserve.LitAPI):
    def setup(self, device):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            os.environ["MODEL"], options, providers=["CPUExecutionProvider"])

    def decode_request(self, request):
        return np.array(request["inputs"], np.float32).reshape(-1, 28, 28)

    def predict(self, x):
        return self.session.run(["probabilities"], {"input": x})[0]

    def encode_response(self, p):
        return {"predictions": [
            {"class": str(k), "probabilities": row}
            for k, row in zip(p.argmax(axis=1).tolist(), p.tolist())]}


if __name__ == "__main__":
    server = litserve.LitServer(
        Digits(api_path="/classify"), accelerator="cpu", workers_per_device=2,
        fast_queue=True)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=2,
               generate_client_file=False, log_level="warning",
               access_log=False)
