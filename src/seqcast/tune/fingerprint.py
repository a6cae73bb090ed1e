"""What a study depends on, by which it is told from another one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from seqcast.errors import Option, Phrase, SpecError
from seqcast.specs import Spec
from seqcast.training import digest
from seqcast.tune.objective import Objective
from seqcast.tune.space import Choice, Range

FINGERPRINT, SEED = "seqcast fingerprint", "seqcast seed"
# Options that change neither the networks nor how they are judged.
_FREE = ("verbose", "random_state", "alias", "calibrate", "preset", "training")


def study_fingerprint(
    objective: Objective, space: Mapping[str, Choice | Range], *, n_windows: int, step_size: int | None
) -> dict[str, Any]:
    """Return what a study depends on, JSON types by name.

    Args:
        objective: How a setting is judged.
        space: What is searched.
        n_windows: Number of origins.
        step_size: Steps from one origin to the next.
    """
    frame = objective.frame
    stamps = np.array([str(stamp) for stamp in (*frame.first_stamps, *frame.last_stamps)]).astype("U")
    names = np.array([repr(name) for name in frame.source.ids]).astype("U")
    data = digest([frame.source.values, frame.source.lengths, frame.static, _bytes(stamps), _bytes(names)])
    options = {name: _plain(value) for name, value in objective.options.items() if name not in _FREE}
    return {
        "data": data,
        "horizon": int(objective.options["horizon"]),
        "windows": {"n_windows": n_windows, "step_size": step_size},
        "space": {name: parameter.to_dict() for name, parameter in space.items()},
        "untuned network": objective.untuned.to_dict(),
        "options": options,
    }


def _bytes(texts: Any) -> Any:
    return np.frombuffer("\n".join(texts.tolist()).encode(), dtype=np.uint8)


def _plain(value: Any) -> Any:
    return value.to_dict() if isinstance(value, Spec) else repr(value)


def check_fingerprint(study: Any, described: Mapping[str, Any], seed: int, *, resume: bool, drawn: bool) -> int:
    """Refuse a study that is another one, and return its seed.

    Args:
        study: Optuna's study.
        described: The result of `study_fingerprint`.
        seed: The seed of this call.
        resume: Whether the study may be there already.
        drawn: Whether the seed was drawn, and not given.

    Raises:
        SpecError: There is a study and `resume` is false, or it differs.
    """
    before = study.user_attrs
    ours = json.loads(json.dumps(dict(described)))
    if FINGERPRINT not in before:
        study.set_user_attr(FINGERPRINT, ours)
        study.set_user_attr(SEED, seed)
        return seed
    if not resume:
        raise SpecError(
            "storage",
            expected=Phrase("one without a study, or ", Option("resume", True)),
            received=f"a study with {len(study.get_trials(deepcopy=False))} trials",
            hint="Go on with it, or name another storage.",
        )
    for part, value in ours.items():
        found = before[FINGERPRINT].get(part)
        if found == value:
            continue
        changed = (
            [name for name in {**found, **value} if found.get(name) != value.get(name)]
            if isinstance(value, dict) and isinstance(found, dict)
            else []
        )
        raise SpecError(
            "resume",
            expected=f"the study of this search, which has other {part}"
            + (f": {', '.join(changed)}" if changed else ""),
            received=f"other {part}",
            hint="Give what was given before, or name another storage.",
        )
    return int(before[SEED]) if drawn else seed
