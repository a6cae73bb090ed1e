"""The file of a regressor: from raw windows to what `predict` and `predict_quantiles` return."""

import numpy as np
import pytest

from seqcast import Seq2SeqRegressor
from seqcast.data.signals import random_sines
from seqcast.errors import NotFittedError, SpecError

SMALL = {"encoder_units": (6,), "epochs": 1, "steps_per_epoch": 2, "random_state": 0, "verbose": 0}
PAST, FUTURE = (
    10 + 3 * each.astype(np.float64) for each in random_sines(64, past=15, future=5, seed=1)
)


CASES = {
    "classic": {},
    "covariates": {},
    "segment": {"preset": "segment", "segment": 5, "encoder_units": (6,)},
    "attention": {"attention": "dot", "normalise": "instance"},
    "scheduled": {"decoder_input": "scheduled"},
    "unscaled": {"scale": "none"},
    "non-negative": {"support": "non-negative"},
    "counts": {"support": "counts"},
}


@pytest.mark.parametrize("name", CASES)
def test_it_forecasts_as_we_do(name, tmp_path, run_file):
    rng = np.random.default_rng(0)
    given = {"static": rng.normal(size=(64, 2)), "future": 5 + rng.normal(size=(64, 5, 3))}
    inputs = given if name == "covariates" else {}
    covariates = {f"{key}_covariates": values for key, values in inputs.items()}
    y = np.rint(FUTURE) if name == "counts" else FUTURE
    model = Seq2SeqRegressor(**{**SMALL, **CASES[name]}).fit(PAST, y, **covariates)
    model.export(tmp_path / "model.onnx")
    found = run_file(tmp_path / "model.onnx")(past=PAST, **inputs)["point"]
    np.testing.assert_allclose(found, model.predict(PAST, **covariates), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("head", ["quantile", "normal"])
def test_quantiles(head, tmp_path, run_file):
    model = Seq2SeqRegressor(head=head, **SMALL).fit(PAST, FUTURE)
    model.export(tmp_path / "model.onnx", horizon="any", probabilities=(0.9, 0.2))
    session = run_file(tmp_path / "model.onnx")
    found = session(past=PAST[:3], horizon=np.array([9]))
    assert [each["probability"] for each in session.metadata["outputs"]["quantiles"]] == [0.2, 0.9]
    np.testing.assert_allclose(found["point"], model.predict(PAST[:3], 9), rtol=1e-4, atol=1e-4)
    expected = model.predict_quantiles(PAST[:3], (0.2, 0.9), 9)
    np.testing.assert_allclose(found["quantiles"], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("axes", [1, 2])
def test_flat_windows(axes, tmp_path, run_file):
    y = FUTURE[:, 0, 0] if axes == 1 else FUTURE[:, :, 0]
    model = Seq2SeqRegressor(**SMALL).fit(PAST[:, :, 0], y)
    model.export(tmp_path / "model.onnx")
    session = run_file(tmp_path / "model.onnx")
    assert session.inputs == {"past": ["batch", 15]}
    found = session(past=PAST[:3, :, 0])["point"]
    np.testing.assert_allclose(
        found.reshape(3, -1), model.predict(PAST[:3, :, 0]).reshape(3, -1), rtol=1e-4
    )


def test_errors(tmp_path):
    with pytest.raises(NotFittedError):
        Seq2SeqRegressor().export(tmp_path / "model.onnx")
    model = Seq2SeqRegressor(**SMALL).fit(PAST, FUTURE)
    with pytest.raises(SpecError, match="probabilities: expected None with head='point'"):
        model.export(tmp_path / "model.onnx", probabilities=(0.1,))
