"""Forecast with onnxruntime and NumPy alone: `python forecast.py model.onnx values.txt`.

`Forecaster.export` wrote the model; the values are numbers, one a line. What is no number is
missing.
"""

import json
import sys

import numpy as np
import onnxruntime

if __name__ == "__main__":
    session = onnxruntime.InferenceSession(sys.argv[1])
    past = np.genfromtxt(sys.argv[2], dtype=float)[
        None, :
    ]  # one series; more of one length are forecast at once
    point, *quantiles = session.run(None, {"past": past})
    told = json.loads(session.get_modelmeta().custom_metadata_map["seqcast"])["outputs"]
    print("step", told["point"], *(each["name"] for each in told["quantiles"]))
    for step, row in enumerate(np.concatenate([point[..., None], *quantiles], axis=2)[0], start=1):
        print(step, *(f"{value:.6g}" for value in row))
