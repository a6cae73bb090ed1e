"""The pages about other libraries: our programs run, and each name of ours in their tables is there.

The libraries themselves, and their programs, are in `make docs-peers`.
"""

import ast
import importlib
import inspect
import re
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "benchmarks" / "peers"))

coming_from = importlib.import_module("coming_from")
PAGES = coming_from.PAGES
PEERS = coming_from.PEERS
OURS = coming_from.OURS.split()
found = coming_from.found
names_of = coming_from.names_of
wrong = coming_from.wrong
programs_of = coming_from.programs_of

pytestmark = pytest.mark.documents

BRIEFLY = {
    "epochs=5, random_state=0": "epochs=1, random_state=0, verbose=0",
    "random_state=0": "random_state=0, verbose=0, training={'epochs': 1, 'steps_per_epoch': 2}",
    "epochs=5, verbose=0": "epochs=1, verbose=0",
}
# Of the peers only Keras is here.
RUNS_HERE = {
    peer: [name for name in programs_of(peer) if name != f"with_{peer}.py"] for peer in PEERS
}
RUNS_HERE["keras"] = list(programs_of("keras"))


@pytest.fixture(autouse=True)
def _sktime_is_here(request):
    """Skip what needs sktime where it is not installed."""
    if "[sktime]" in request.node.name:
        pytest.importorskip("sktime")


def briefly(code):
    """Return a program that trains for a moment."""
    changes = [text for text in BRIEFLY if text in code]
    assert changes or ("fit(" not in code and "evaluate(" not in code), (
        "a program that trains at full size"
    )
    return code.replace(changes[0], BRIEFLY[changes[0]]) if changes else code


@pytest.mark.parametrize("peer", PEERS)
def test_our_programs_run_and_print_what_the_page_says(peer, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", "jax")  # with_keras.py sets it
    programs = programs_of(peer)
    for name in RUNS_HERE[peer]:
        code = programs[name]
        Path(name).write_text(briefly(code))
        runpy.run_path(name)
        said = re.findall(r"^print\(.*\)  # (\([\d, ]+\)|True)", code, flags=re.MULTILINE)
        printed = capsys.readouterr().out.splitlines()[-1:]
        assert said == printed or not (said or name.startswith("with_")), name


def test_each_page_makes_its_data_first():
    assert {next(iter(programs_of(peer))) for peer in PEERS} == {"make_data.py"}


@pytest.mark.parametrize("peer", PEERS)
def test_names_of_ours_are_there_and_options_are_taken(peer):
    """Values too are right: specs are made, and estimators check what they are given."""
    from seqcast.errors import MissingPackageError
    from seqcast.forecaster.option_checks import check_options
    from seqcast.regressor.arguments import resolve_options

    names = names_of(peer)[1]
    assert len(names) > 15
    assert [error for name in names if (error := wrong(name, OURS)) is not None] == []
    for name in names:
        node = ast.parse(name, mode="eval").body
        if not isinstance(node, ast.Call) or not inspect.isclass(found(node.func, OURS)):
            continue
        class_name = ast.unparse(node.func)
        if any(
            isinstance(value, ast.Name)
            for value in (*node.args, *(item.value for item in node.keywords))
        ):
            continue  # a value that the reader has, such as callbacks
        names = {
            part.id: found(part, OURS) for part in ast.walk(node) if isinstance(part, ast.Name)
        }
        horizon = (
            class_name == "Forecaster"
            and not node.args
            and "horizon" not in {one.arg for one in node.keywords}
        )
        made = eval(name.replace("Forecaster(", "Forecaster(14, ", 1) if horizon else name, names)
        if class_name == "Forecaster":
            try:
                check_options(made)
            except MissingPackageError:
                assert "holidays:" in name  # a package that nothing else needs
        elif class_name == "Seq2SeqRegressor":
            resolve_options(made.get_params(deep=False))


def test_columns_of_ours_are_those_of_a_forecast_or_a_backtest():
    from seqcast import Forecaster, NetworkSpec
    from seqcast.data.datasets import load

    tiny = NetworkSpec(encoder_units=(2,), decoder_units=(2,), head="quantile")
    training = {"epochs": 1, "steps_per_epoch": 1}
    forecaster = Forecaster(12, preset=tiny, training=training, level=80, verbose=0).fit(
        load("elnino")
    )
    columns = {*forecaster.predict().columns, *forecaster.backtest(load("elnino")).columns}
    named = {
        name.strip('"') for peer in PEERS for name in names_of(peer)[1] if name.startswith('"')
    }
    options = {"scheduled", "autoregressive"}  # values of an option, on the page about Keras
    assert named - options
    assert named - options <= columns


WRONG = [
    "Forecaster(horizn=1)",
    "Forecaster.backtests",
    "NetworkSpec(cell='gru', units=3)",
    "No",
    "seqcast.nothing",
]


@pytest.mark.parametrize("name", WRONG)
def test_a_name_that_is_not_there_is_found(name):
    assert wrong(name, OURS).startswith(name)


def test_versions_are_those_that_are_installed():
    text = (PAGES / "index.md").read_text().split("## Which versions\n")[1]
    said = dict(re.findall(r"\| (\w+) \| (\d+(?:\.\d+)+) ", text))
    pins = {}
    for name in ("requirements-libraries.txt", "requirements-docs.txt"):
        lines = (ROOT / "benchmarks" / "peers" / name).read_text().splitlines()
        pins |= dict(
            re.findall(r"^(\w+)(?:\[\w+\])?==(\S+)$", "\n".join(lines), flags=re.MULTILINE)
        )
    assert said == {peer: pins[peer] for peer in PEERS}
