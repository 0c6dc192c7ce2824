"""FastAPI + ONNX Runtime as a user who has tuned it would write it: the body
read by orjson, no pydantic on the way, no thread for a call that takes 0.1 ms.

    uvicorn fastapi_app:app --workers 2    (MODEL: the ONNX file)
"""
import os

import numpy as np
import onnxruntime
import orjson
from fastapi import FastAPI, Request, Response

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(
    os.environ["MODEL"], options, providers=["CPUExecutionProvider"])
app = FastAPI()


@app.post("/classify")
async def classify(request: Request):
    x = np.array(orjson.loads(await request.body())["inputs"], np.float32)
    p, = session.run(["probabilities"], {"input": x.reshape(-1, 28, 28)})
    answer = {"predictions": [
        {"class": str(k), "probabilities": row}
        for k, row in zip(p.argmax(axis=1), p)]}
    return Response(orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY),
                    media_type="application/json")
