"""MLServer + ONNX Runtime: a runtime of one's own (MODEL: the ONNX file)."""
import os

import numpy as np
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceResponse


class Digits(MLModel):
    async def load(self):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            os.environ["MODEL"], options, providers=["CPUExecutionProvider"])
        return True

    async def predict(self, payload):
        x = NumpyCodec.decode_input(payload.inputs[0]).astype(np.float32)
        p, = self.session.run(["probabilities"],
                              {"input": x.reshape(-1, 28, 28)})
        names = [str(k) for k in p.argmax(axis=1)]
        return InferenceResponse(
            model_name=self.name,
            outputs=[StringCodec.encode_output("class", names),
                     NumpyCodec.encode_output("probabilities", p)])
