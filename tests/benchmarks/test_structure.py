"""The figures of the house rules: what each one counts on small sources, and what it lets pass."""

import pytest

import structure
from structure import House


def house_of(sources):
    return House.of({f"{path.replace('.', '/')}.py".replace("?.py", ".pyi"): text for path, text in sources.items()})


def counted(measure, sources):
    """Return the modules and lines that a measure counts in sources by their dotted paths; a stub's ends with `?`."""
    return [(place.module.removeprefix("seqcast."), place.line) for place in measure(house_of(sources))]


def test_candidates_are_named_in_their_package_and_in_prose_alone():
    sources = {
        "forecaster.candidates.trained": 'NAME = "trained"',
        "export.file": '"""trained"""\n\nx = "finetuned"',
        "app": "x = 'trained well'\ny = trained\nz = f(a='seasonal_naive')",
    }
    assert counted(structure.candidate_literals, sources) == [("export.file", 3), ("app", 3)]


STATE = "class State:\n    _fields: int = 0\n\n    def __init__(self):\n        self._state = _made()\n"


@pytest.mark.parametrize(
    ("other", "lines"),
    [
        ("x._state = None", [1]),
        ("y = f()._state", [1]),
        ("x._fields", [1]),
        ("from seqcast.engine.state import _made", [1]),
        ("from seqcast.engine import State as _State, _made as made", [1]),
        ("x._replace(a=1)", []),  # a name of no room: NamedTuple's own
        ("import os\nos._exit(1)", []),
        ("class A:\n    def f(self):\n        return self._state, super()._state", []),
        ("_state = 1\nx._state", []),  # the own room has such a name
        ("x.__dict__, x._", []),
    ],
)
def test_private_names_of_other_rooms(other, lines):
    made = "def _made():\n    return 1"
    sources = {"engine.state": STATE, "engine.made": made, "serve.app": other}
    assert counted(structure.private_uses, sources) == [("serve.app", line) for line in lines]


def test_private_names_within_a_room_are_its_own_affair():
    assert counted(structure.private_uses, {"engine.state": STATE, "engine.engine": "x._state"}) == []


HOUSE = (
    "__init__",
    "baselines",
    "engine.__init__",
    "engine.engine",
    "data.__init__",
    "data.seasons",
    "data.frames.__init__",
    "data.frames.table",
    "forecaster.__init__",
    "forecaster.candidates.__init__",
    "forecaster.candidates.candidate",
    "app.tasks",
)


@pytest.mark.parametrize(
    ("statement", "between", "past"),
    [
        ("from seqcast.engine import Engine", 1, 0),
        ("from seqcast.engine.engine import Engine", 1, 1),
        ("from seqcast.engine import Engine, engine", 1, 1),
        ("import seqcast.engine.engine", 1, 1),
        ("import seqcast.engine", 1, 0),
        ("from seqcast.baselines import LastValue", 1, 0),
        ("from seqcast.data import frames", 1, 0),
        ("from seqcast.data.frames import LongFrame", 1, 0),
        ("from seqcast.data.frames.table import read_frame", 1, 1),
        ("from seqcast.data.seasons import Season", 1, 1),
        ("from seqcast.forecaster.candidates import TABLE", 1, 0),
        ("from seqcast.forecaster.candidates.candidate import Candidate", 1, 1),
        ("if TYPE_CHECKING:\n    from seqcast.engine.engine import Engine", 1, 1),
        ("def f():\n    from seqcast.engine.engine import Engine", 1, 1),
        ("from seqcast.app.tasks import forecast", 0, 0),
        ("from seqcast import Forecaster", 0, 0),
        ("from keras.engine import Engine", 0, 0),
    ],
)
def test_doors(statement, between, past):
    sources = {**dict.fromkeys(HOUSE, ""), "app.page": statement}
    assert len(counted(structure.past_doors, sources)) == past
    assert len(list(structure.imports_between(house_of(sources)))) == between


def test_a_name_that_a_door_offers_is_no_module_of_its_name():
    statement = "from seqcast.engine import engine, other"
    sources = {**dict.fromkeys(HOUSE, ""), "engine.other": "", "app.page": statement}
    assert counted(structure.past_doors, sources) == [("app.page", 1)]
    sources |= {"engine.__init__?": "from .engine import engine as engine", "app.page": statement}
    assert counted(structure.past_doors, sources) == [("app.page", 1)]
    sources["engine.__init__"] = "from seqcast.engine.other import other"
    assert counted(structure.past_doors, sources) == []


MADE = "def f(ax: int, **options):\n    bundle: dict[str, Any] = {'a': 1}\n    "


@pytest.mark.parametrize(
    ("use", "count"),
    [
        ("own(**bundle)", 1),
        ("own(bundle)", 1),
        ("own(x=bundle)", 1),
        ("Own.of(**bundle)", 1),
        ("self.method(1, bundle)", 1),
        ("imported(2, **bundle)", 1),
        ("some.thing.method(**bundle)", 1),
        ("partial(own, **bundle)", 1),
        ("functools.partial(json.dumps, **bundle)", 0),
        ("json.dumps(bundle)", 0),
        ("json.method(**bundle)", 0),
        ("pandas.DataFrame(**bundle)", 0),
        ("other.update(bundle)", 0),
        ("keras.Model(bundle)", 0),
        ("return bundle", 0),
        ("own(bundle['a'])", 0),
    ],
)
def test_dictionaries_of_arguments(use, count):
    head = "import json\nimport pandas\nfrom seqcast.runtime.backend import keras\nfrom seqcast.b import imported\n"
    classes = "class Own:\n    def method(self): ...\n    def update(self): ...\n\ndef own(): ...\n\n"
    assert len(counted(structure.argument_bundles, {"a": f"{head}{classes}{MADE}{use}"})) == count


@pytest.mark.parametrize(
    ("made", "count"),
    [
        ("bundle: Any = {'a': 1}", 1),
        ("bundle: dict[str, Any] = {name: 1 for name in x}", 1),
        ("bundle: dict[str, Any] = dict(a=1)", 1),
        ("bundle: dict[str, Any] = {} if x else {'a': 1}", 1),
        ("bundle: dict[str, int] = {'a': 1}", 0),
        ("bundle: Any = 1 if x else other()", 0),
        ("bundle: dict[str, Any] = given", 0),
    ],
)
def test_dictionaries_that_carry_anything(made, count):
    assert len(counted(structure.argument_bundles, {"a": f"def f():\n    {made}\n    f(**bundle)"})) == count


def test_long_calls_count_what_is_unpacked_on_the_spot():
    calls = "f(1, 2, 3, 4, 5)\nf(1, 2, 3, 4, 5, 6)\nf(*(1, 2), 3, 4, 5, 6)\nf(*x, 2, 3, 4, 5)\nf(1, 2, 3, 4, 5, a=6)"
    assert counted(structure.long_calls, {"a": calls}) == [("a", 2), ("a", 3)]


def test_assertions_that_something_is_there():
    sources = {"a": "assert x is not None\nassert x is None\nassert y and x is not None"}
    assert counted(structure.none_assertions, sources) == [("a", 1), ("a", 3)]


def test_the_program_says_what_is_over_its_limit(tmp_path, capsys):
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "__init__.py").write_text("")
    (tmp_path / "engine" / "engine.py").write_text(STATE)
    assert structure.main(["--source", str(tmp_path)]) == 0
    assert "OVER" not in capsys.readouterr().out
    (tmp_path / "serve.py").write_text("from seqcast.engine.engine import State\n\nx._state\n")
    assert structure.main(["--source", str(tmp_path), "--list"]) == 1
    out = capsys.readouterr().out
    assert "1 of at most   0  uses of another room's private names  OVER\n        seqcast.serve:3 x._state" in out
    assert "1 of at most   0  imports past a door  OVER" in out


def test_all_modules_of_the_checkout_are_measured():
    house = House.read(structure.SOURCE)
    assert {"seqcast", "seqcast.errors", "seqcast.data.frames", "seqcast.baselines"} <= set(house.modules)
    assert {place.module for measure in structure.MEASURES for place in measure.places(house)} <= set(house.modules)
