"""Forecast with onnxruntime and NumPy alone.

    python examples/export/forecast.py model.onnx values.txt

The model is what `Forecaster.export` wrote, and the values are numbers, one a line; what is no number is missing.
"""

import json
import sys

import numpy as np
import onnxruntime


def main(model: str, values: str) -> None:
    session = onnxruntime.InferenceSession(model)
    told = json.loads(session.get_modelmeta().custom_metadata_map["seqcast"])["outputs"]
    past = np.genfromtxt(values, dtype=float)[None, :]  # one series; more of one length are forecast at once
    point, *quantiles = session.run(None, {"past": past})
    names = [told["point"], *(each["name"] for each in told["quantiles"])]
    print("step", *names)
    for step, row in enumerate(np.concatenate([point[..., None], *quantiles], axis=2)[0], start=1):
        print(step, *(f"{value:.6g}" for value in row))


if __name__ == "__main__":
    main(*sys.argv[1:])
