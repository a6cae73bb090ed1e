"""Files written on one backend give the same forecasts on another."""

import importlib.util
import os
import pickle
import subprocess
import sys

import keras
import numpy as np
import pytest

WRITE = """
import pathlib, pickle, sys, numpy as np, seqcast, keras
folder = sys.argv[1]
rng = np.random.default_rng(0)
past, static = rng.normal(size=(40, 9, 2)), rng.normal(size=(40, 1))
model = seqcast.Seq2SeqRegressor(
    encoder_units=(6, 5), decoder_units=(4,), cell="lstm", attention="additive", decoder_input="scheduled",
    target_features=(1,), normalise="instance", bidirectional=True, epochs=1, random_state=0, verbose=0,
)
model.fit(past, past[:, :4, :1] + past[:, 4:8, 1:], static_covariates=static)
model.save(folder + "/model.seqcast")
pathlib.Path(folder, "states").write_bytes(pickle.dumps(model.encode(past, static_covariates=static)))
model.engine_.model.save(folder + "/network.keras")
inputs = {"past": past.astype("float32"), "static": static.astype("float32")}
network = keras.ops.convert_to_numpy(model.engine_.model(inputs))
np.savez(folder + "/out.npz", past=past, static=static, model=model.predict(past, 7, static_covariates=static),
         network=network)
print(keras.backend.backend())
"""


def test_files_written_on_another_backend(tmp_path):
    here = keras.backend.backend()
    other = "jax" if here != "jax" else "torch"
    if importlib.util.find_spec(other) is None:
        pytest.skip(f"{other} is not installed; the torch run of these tests covers it")
    environment = {**os.environ, "KERAS_BACKEND": other}
    done = subprocess.run(
        [sys.executable, "-c", WRITE, str(tmp_path)],
        check=True,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == other
    import seqcast

    written = np.load(tmp_path / "out.npz")
    model = seqcast.Seq2SeqRegressor.load(tmp_path / "model.seqcast")
    forecast = model.predict(written["past"], 7, static_covariates=written["static"])
    np.testing.assert_allclose(forecast, written["model"], atol=1e-4)
    states = pickle.loads((tmp_path / "states").read_bytes())
    np.testing.assert_allclose(model.decode(states, 7), written["model"], atol=1e-4)
    network = seqcast.load_network(tmp_path / "network.keras")
    inputs = {name: written[name].astype("float32") for name in ("past", "static")}
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(network(inputs)), written["network"], atol=1e-4
    )
