"""The recipes of CONTRIBUTING.md, followed: their code runs, their entries are made, and what they promise holds."""

import gzip
import importlib
import pickle
import re
import sys
import types
from pathlib import Path

import keras
import numpy as np
import onnxruntime
import pandas as pd
import pytest
from scipy import stats
from utilsforecast import losses

from seqcast import Columns, Forecaster, NetworkSpec, Seq2Seq, Seq2SeqRegressor, WindowSpec
from seqcast.data.series.scalers import SERIES_SCALES, SeriesScaler
from seqcast.data.series.store import InMemoryStore
from seqcast.errors import DataError, SpecError
from seqcast.evaluation import evaluate
from seqcast.network.distributions import distribution_of
from seqcast.network.heads import HEADS
from seqcast.network.likelihoods import LOG_LIKELIHOODS
from seqcast.network.normalise import NORMALISERS
from seqcast.network.recurrent import RecurrentStack
from seqcast.network.seq2seq import weight_shapes
from seqcast.network.trace import trace_stack
from seqcast.tables.open_table import read_table
from tests.rejections import rejected

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
RECIPES = dict(
    zip(*[iter(re.split(r"^### (.*)\n", PAGE, flags=re.MULTILINE)[1:])] * 2, strict=True)
)
BLOCK = re.compile(r"```python\n# src/(seqcast/[\w/]+)\.py\n(.*?)```", flags=re.DOTALL)
FILE = re.compile(r"^\| `([\w/]+\.py)` \|", flags=re.MULTILINE)
ENTRY = re.compile(r"^- Enter `(.+)` in `([^`]+)` of `([\w/]+)\.py`\.$", flags=re.MULTILINE)
TINY = {"encoder_units": (4,), "decoder_units": (4,)}


def numpy(x):
    return keras.ops.convert_to_numpy(x)


def tensor(x):
    return keras.ops.convert_to_tensor(np.asarray(x, "float32"))


@pytest.fixture
def follow(monkeypatch):
    """Return a function that follows a recipe and returns the names that its code defines."""

    def run(recipe):
        text = RECIPES[recipe]
        defined = {}
        for path, code in BLOCK.findall(text):
            module = path.replace("/", ".")
            if (ROOT / "src" / f"{path}.py").exists():
                names = dict(vars(importlib.import_module(module)))
            else:
                monkeypatch.setitem(sys.modules, module, types.ModuleType(module))
                names = vars(sys.modules[module])
            before = set(names)
            exec(compile(code, f"CONTRIBUTING.md, {path}.py", "exec"), names)
            defined |= {name: names[name] for name in set(names) - before}
        for entry, table, path in ENTRY.findall(text):
            module = importlib.import_module(
                "seqcast." + path.removesuffix("/__init__").replace("/", ".")
            )
            enter(entry, table, module, defined)
        return types.SimpleNamespace(**defined)

    def enter(entry, name, module, defined):
        table = eval(name, vars(module))
        if isinstance(table, dict):
            for key, value in eval(f"{{{entry}}}", {**vars(module), **defined}).items():
                assert key not in table
                monkeypatch.setitem(table, key, value)
            return
        (option,) = [option for option, names in module.CHOICES.items() if names is table]
        monkeypatch.setitem(module.CHOICES, option, (*table, eval(entry)))

    return run


def test_every_recipe_has_code_that_is_found():
    for text in RECIPES.values():
        assert len(BLOCK.findall(text)) == text.count("```python")
        assert "```python" in text or FILE.search(text)
        assert len(ENTRY.findall(text)) == text.count("Enter `")
    named = set(re.findall(r"`((?:tests|src|benchmarks)/[\w/.]+\.py)`", PAGE))
    assert named
    assert all((ROOT / path).exists() for path in named)


# ---------------------------------------------------------------- a cell


def test_a_cells_steps_are_its_sequence_and_its_formula(follow):
    follow("A cell")
    rng = np.random.default_rng(0)
    stack = RecurrentStack((4,), 2, cell="minimal_gated", seed=1)
    for weight in stack.weights:
        weight.assign(rng.normal(size=weight.shape) * 0.5)
    kernel, recurrent, bias = stack.layers_forward[0].get_weights()
    x = rng.normal(size=(5, 6, 2)).astype("float32")
    outputs, _ = stack.sequence(tensor(x))
    states = stack.initial_state(5)
    h = np.zeros((5, 4))
    for t in range(6):
        written, states = stack.step(tensor(x[:, t]), states)
        x_z, x_g = np.split(x[:, t] @ kernel + bias, 2, -1)
        z = 1 / (1 + np.exp(-(x_z + h @ recurrent[:, :4])))
        h = z * h + (1 - z) * np.tanh(x_g + ((1 - z) * h) @ recurrent[:, 4:])
        np.testing.assert_allclose(numpy(written), h, atol=1e-5)
        np.testing.assert_allclose(numpy(outputs)[:, t], h, atol=1e-5)
    traced = trace_stack(stack, tensor(x))
    np.testing.assert_allclose(numpy(traced[-1]["states"][0]), numpy(outputs), atol=1e-5)


def test_a_cell_and_a_normaliser_train_every_weight_and_forecasts_are_equivariant(follow):
    follow("A cell")
    follow("A normaliser")
    spec = NetworkSpec(
        cell="minimal_gated", normalise="distance", **TINY, decoder_input="autoregressive"
    )
    network = Seq2Seq(
        WindowSpec(horizon=3, features=1, targets=1, target_features=(0,)), spec, seed=1
    )
    assert [tuple(weight.shape) for weight in network.weights] == list(
        weight_shapes(network.window, spec)
    )
    before = [numpy(weight) for weight in network.trainable_weights]
    past = np.random.default_rng(0).normal(size=(16, 6, 1)).astype("float32")
    network.compile("adam", network.decoder.head.loss())
    network.fit(past, past[:, :3], batch_size=8, verbose=0)
    for weight, old in zip(network.trainable_weights, before, strict=True):
        assert np.abs(numpy(weight) - old).max() > 0, weight.path
    expected = numpy(network(tensor(past)))
    # Up to the little that is added to the scale.
    np.testing.assert_allclose(
        numpy(network(tensor(50.0 * past - 300.0))), 50.0 * expected - 300.0, atol=0.5
    )
    np.testing.assert_allclose(numpy(network(tensor(past + 8.0))), expected + 8.0, atol=1e-4)
    options = {"normalise": "distance", "epochs": 1, "verbose": 0, "random_state": 0}
    regressor = Seq2SeqRegressor(cell="minimal_gated", **TINY, **options).fit(past, past[:, :3])
    np.testing.assert_allclose(
        regressor.decode(regressor.encode(past), 5), regressor.predict(past, 5), atol=1e-5
    )


# ---------------------------------------------------------------- a head


def test_a_heads_loss_and_distribution_are_scipys(follow):
    follow("A head")
    rng = np.random.default_rng(0)
    head = HEADS["laplace"](3, 2, seed=0)
    distribution = distribution_of(NetworkSpec(head="laplace"))
    parameters = head(tensor(rng.normal(size=(4, 5, 3))))
    y = rng.normal(size=(4, 5, 2))
    missing = rng.random(y.shape) < 0.3
    values = stats.laplace.logpdf(y, *np.moveaxis(numpy(parameters).astype(float), -1, 0))
    loss = float(head.loss()(tensor(np.where(missing, np.nan, y)), parameters))
    assert loss == pytest.approx(-values[~missing].mean(), rel=1e-4)
    np.testing.assert_allclose(
        numpy(LOG_LIKELIHOODS["laplace"](tensor(y), parameters)), values, rtol=1e-4
    )
    loc = rng.normal(size=(4, 1, 2)) * 9
    scale = rng.uniform(0.1, 20.0, size=(4, 1, 2))
    asked = (0.05, 0.5, 0.8)
    moved = numpy(head.in_units(parameters, tensor(loc), tensor(scale)))
    quantiles = distribution.quantile(moved, asked)
    expected = distribution.quantile(numpy(parameters), asked) * scale[..., None] + loc[..., None]
    np.testing.assert_allclose(quantiles, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(
        numpy(head.point(tensor(moved))), quantiles[..., 1], rtol=1e-5, atol=1e-5
    )
    places = np.moveaxis(moved.astype(float), -1, 0)
    np.testing.assert_allclose(
        quantiles, stats.laplace.ppf(asked, *(place[..., None] for place in places)), rtol=1e-6
    )
    np.testing.assert_allclose(distribution.cdf(moved, quantiles[..., 2]), 0.8, rtol=1e-6)
    np.testing.assert_allclose(distribution.mean(moved), places[0])
    uniform = rng.random((4, 5, 2, 1))
    drawn = head.draw(tensor(moved), tensor(head.noise(uniform)))
    np.testing.assert_allclose(
        numpy(drawn), stats.laplace.ppf(uniform[..., 0], *places), rtol=1e-3, atol=1e-3
    )


# ---------------------------------------------------------------- a normaliser


def test_a_normalisers_statistics_are_numpys_over_what_was_observed(follow):
    follow("A normaliser")
    rng = np.random.default_rng(0)
    normaliser = NORMALISERS["distance"](3, (2, 0))
    past = rng.normal(size=(6, 7, 3)) * 5 + 7
    seen = rng.random(past.shape) < 0.7
    seen[1] = False
    loc, scale = (
        numpy(x) for x in normaliser.statistics(tensor(np.where(seen, past, 1e6)), tensor(seen))
    )
    targets = np.where(seen, past, np.nan)[:, :, [2, 0]]
    rows = [0, 2, 3, 4, 5]
    means = np.nanmean(targets[rows], axis=1)
    np.testing.assert_allclose(loc[rows], means, rtol=1e-5)
    distances = np.nanmean(np.abs(targets[rows] - means[:, None]), axis=1)
    np.testing.assert_allclose(scale[rows], distances + normaliser.epsilon, rtol=1e-4)
    assert np.isfinite(loc[1]).all()
    assert (scale[1] > 0).all()
    whole = numpy(normaliser.statistics(tensor(past), None)[0])
    np.testing.assert_allclose(whole, np.mean(past[:, :, [2, 0]], axis=1), rtol=1e-5)


def test_a_normaliser_is_written_to_a_file(follow, tmp_path):
    follow("A normaliser")
    past = np.random.default_rng(0).normal(size=(16, 6, 1)) * 5 + 7
    options = {"normalise": "distance", "epochs": 1, "verbose": 0, "random_state": 0}
    regressor = Seq2SeqRegressor(**TINY, **options).fit(past, past[:, :3])
    regressor.export(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    forecast = session.run(["point"], {"past": past})[0]
    np.testing.assert_allclose(forecast, regressor.predict(past), rtol=1e-4, atol=1e-4)


# ---------------------------------------------------------------- a metric


@pytest.mark.skipif(not hasattr(losses, "cfe"), reason="utilsforecast of autogluon.timeseries")
@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_a_metric_is_that_of_numpy(follow, make_backtest, kind):
    follow("A metric")
    history, backtest = make_backtest(kind=kind)
    options = {
        "models": ["good"],
        "train_df": history,
        "season_length": 7,
        "by": ["unique_id", "cutoff"],
    }
    scores = evaluate(backtest, ["mdase", "cfe", "mae", "mase"], **options)
    scores, rows = (x if kind == "pandas" else x.to_pandas() for x in (scores, backtest))
    table = scores.pivot(index=["unique_id", "cutoff"], columns="metric", values="good")
    groups = rows.assign(error=rows["good"] - rows["y"]).groupby(["unique_id", "cutoff"])["error"]
    unit = table["mae"] / table["mase"]
    np.testing.assert_allclose(
        table["mdase"], groups.apply(lambda e: e.abs().median()) / unit, rtol=1e-9
    )
    np.testing.assert_allclose(table["cfe"].abs(), groups.sum().abs(), rtol=1e-9)


# ---------------------------------------------------------------- a store


@pytest.fixture
def stores(follow, tmp_path, monkeypatch):
    """Return the same series in memory and in a file, in which they lie in another order."""
    recipe = follow("A store")
    monkeypatch.setattr(sys.modules[recipe.NpyStore.__module__], "SERIES_A_BATCH", 2)
    rng = np.random.default_rng(0)
    series = {
        f"s{number}": rng.normal(size=(length, 2))
        for number, length in enumerate((9, 1, 14, 12, 8))
    }
    series["s2"][3:5, 0] = np.nan
    order = ["s3", "s0", "s4", "s2", "s1"]
    np.save(tmp_path / "series.npy", np.concatenate([series[name] for name in order]))
    first = dict(
        zip(order, np.cumsum([0, *(len(series[name]) for name in order[:-1])]), strict=True)
    )
    ids = tuple(series)
    places = np.array([first[name] for name in series])
    lengths = np.array([len(values) for values in series.values()])
    return InMemoryStore.of(series), recipe.NpyStore(tmp_path / "series.npy", ids, places, lengths)


def test_a_store_reads_what_lies_in_memory(stores):
    memory, file = stores
    assert (file.ids, file.width) == (memory.ids, memory.width)
    np.testing.assert_array_equal(file.lengths, memory.lengths)
    rows = np.random.default_rng(1).integers(0, len(memory.values), size=(3, 4))
    np.testing.assert_array_equal(file.read(rows), memory.read(rows))
    numbers, batches = zip(*file.batches(), strict=True)
    np.testing.assert_array_equal(np.concatenate(numbers), np.arange(5))
    np.testing.assert_array_equal(np.concatenate(batches), memory.values)
    some = file.take(np.array([3, 0]))
    np.testing.assert_array_equal(some.read(np.arange(21)), memory.take(np.array([3, 0])).values)
    sent = pickle.dumps(file)  # takes no rows along
    assert memory.values[:1].tobytes() not in sent
    np.testing.assert_array_equal(pickle.loads(sent).read(rows), memory.read(rows))
    for scale in SERIES_SCALES:
        ours, expected = (
            SeriesScaler.learn(store, np.array([7, 1, 10, 12, 5]), scale)
            for store in (file, memory)
        )
        for name in ("loc", "scale", "unit"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(expected, name))


# ---------------------------------------------------------------- a kind of file


def test_a_kind_of_file_is_read(follow, tmp_path):
    follow("A kind of file")
    data = b'[{"ds": "2024-01-01", "y": 2.5}, {"ds": "2024-01-02", "y": "x"}]'
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(data))
    with pytest.raises(
        DataError, match=r"column 'y', row 2: expected numbers, received 'x' in 1 row"
    ):
        read_table(tmp_path / "a.json.gz", Columns())


# ---------------------------------------------------------------- a candidate, and a zero-shot
# model


def trends(rows=60, count=3):
    """Return noisy series that rise."""
    rng = np.random.default_rng(0)
    tables = []
    for place in range(count):
        y = 10 * place + np.arange(rows) * (0.5 + 0.1 * place) + rng.normal(size=rows)
        tables.append(
            pd.DataFrame(
                {"unique_id": f"s{place}", "ds": pd.date_range("2024-01-01", periods=rows), "y": y}
            )
        )
    return pd.concat(tables, ignore_index=True)


def test_a_candidate_goes_through_everything(follow, tmp_path):
    recipe = follow("A candidate")
    df = trends()
    # The pretrained network, which would have all, does not reach a level of 99.
    brief = {"epochs": 1, "steps_per_epoch": 1, "learning_rate": 1e-9}
    options = {
        "level": (80, 99),
        "training": brief,
        "season_length": 1,
        "random_state": 0,
        "verbose": 0,
    }
    model = Forecaster(6, **options).fit(df)
    assert model.choice_.losses["theta"] < model.choice_.losses["seasonal_naive"]
    assert model.choice_.shares["theta"] > 0
    assert "the Theta method" in str(model.choice_)
    (theta,) = [each for each in model.fitted_.candidates if isinstance(each, recipe.FittedTheta)]
    forecast = model.predict(9)
    model.save(tmp_path / "model")
    loaded = Forecaster.load(tmp_path / "model")
    assert loaded.choice_ == model.choice_
    assert theta in loaded.fitted_.candidates
    pd.testing.assert_frame_equal(loaded.predict(9), forecast)
    assert len(loaded.predict(samples=5)) == 5 * 6 * 3
    assert len(model.backtest(df, n_windows=2)) == 2 * 6 * 3
    model.report(tmp_path / "page.html", n_windows=1)
    assert "the Theta method" in (tmp_path / "page.html").read_text()
    assert model.refit(df).choice_.shares.keys() == loaded.choice_.shares.keys()
    rejected(
        SpecError,
        "a share of 'theta', which has no operators",
        model.export,
        tmp_path / "model.onnx",
    )


def test_a_zero_shot_model_is_a_preset(follow, tmp_path):
    follow("A zero-shot model")
    df = trends()
    model = Forecaster(4, preset="drift", verbose=0).fit(df)
    forecast = model.predict()
    series = df["y"].to_numpy().reshape(3, -1)
    expected = series[:, -1:] + np.arange(1, 5) * np.diff(series).mean(axis=1, keepdims=True)
    np.testing.assert_allclose(forecast["seqcast"], expected.ravel(), rtol=1e-4)
    assert (forecast["seqcast-lo-80"] < forecast["seqcast"]).all()
    assert str(model.choice_) == "the pretrained network"
    model.save(tmp_path / "model")
    pd.testing.assert_frame_equal(Forecaster.load(tmp_path / "model").predict(), forecast)
    assert len(model.backtest(df, n_windows=2)) == 2 * 4 * 3
    for call in (model.encode, model.model_inputs, lambda: model.finetune(df)):
        with pytest.raises(SpecError):
            call()
    rejected(
        SpecError,
        r"export: expected networks .* a share of 'pretrained'",
        model.export,
        tmp_path / "model.onnx",
    )


# ---------------------------------------------------------------- an option


def test_an_option_stands_in_the_files_of_its_recipe_and_in_no_others():
    source = ROOT / "src" / "seqcast"
    word = re.compile(r"\bweighting\b")
    packages = ("cli", "forecaster", "interop", "tune", "serve", "app")
    paths = [path for package in packages for path in (source / package).rglob("*.py")]
    found = {path.relative_to(source).as_posix() for path in paths if word.search(path.read_text())}
    assert found == set(FILE.findall(RECIPES["An option of a forecaster"]))
