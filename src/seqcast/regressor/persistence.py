"""Files of regressors, the options that can be written to them, and checkpoints of a fit."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqcast.data.windows import ArrayWindows
from seqcast.errors import SpecError
from seqcast.regressor.arguments import Options, resolve_options
from seqcast.regressor.fitted_regressor import FittedRegressor
from seqcast.regressor.training_windows import TrainingWindows
from seqcast.runtime import from_payload, open_archive, to_payload, warn_user, write_archive
from seqcast.specs import NetworkSpec, TrainingSpec, unwritable_fields
from seqcast.training import CheckpointFolder, Checkpoints, fingerprint


@dataclass(frozen=True)
class _File:
    """The payload of a file: the estimator's options by name, and its fitted value."""

    params: dict[str, Any]
    fitted: FittedRegressor


def write_regressor(
    path: str | os.PathLike[str], kind: str, params: Mapping[str, Any], fitted: FittedRegressor
) -> None:
    """Write a file.

    Args:
        path: Path of the file, which appears whole or not at all.
        kind: Name of the estimator's class.
        params: The estimator's options.
        fitted: Its fitted value.

    Raises:
        SpecError: An option is an object that cannot be written to a file.
        SaveError: The file could not be written; an older one is unchanged.
    """
    names = unwritable_options(
        fitted.engine.network, fitted.engine.training, params["random_state"]
    )
    if names:
        raise SpecError(
            ", ".join(names),
            expected="options that can be written to a file",
            received=", ".join(repr(params[name]) for name in names),
            hint="Give names, Keras objects or registered functions, and an int as random_state.",
        )

    header, arrays = to_payload(_File({}, fitted))
    header["params"] = _plain_params(params, header["fitted"]["engine"])
    write_archive(path, kind, header, arrays)


def read_regressor(
    path: str | os.PathLike[str],
    kind: str,
    options: Collection[str],
    *,
    max_size: int | str | None = None,
) -> tuple[dict[str, Any], FittedRegressor]:
    """Read a file.

    Args:
        path: A file of `write_regressor`.
        kind: Name of the estimator's class.
        options: Names of its options, which the file has to contain.
        max_size: As for `Seq2SeqRegressor.load`.

    Returns:
        The estimator's options, and its fitted value.

    Raises:
        MissingFileError: There is no such file.
        FileFormatError: The file is damaged, foreign, of another kind or of another format.
        SpecError: An option in it is impossible, or `max_size` is no size.
    """
    with open_archive(path, kind, max_size=max_size) as payload:
        file: _File = from_payload(_File, *payload)
        params = {name: tuple(v) if isinstance(v, list) else v for name, v in file.params.items()}
        if set(params) != set(options):
            raise ValueError(f"options {', '.join(sorted(set(params) ^ set(options)))}")
        resolve_options(params)
        file.fitted.check()
        return params, file.fitted


def unwritable_options(
    network: NetworkSpec, training: TrainingSpec, random_state: object
) -> list[str]:
    """Return the names of the options that could not be read back from a file.

    Args:
        network: The network.
        training: How it is trained.
        random_state: The estimator's option.

    Returns:
        The names, in the order of the signature.

    Example:
        >>> training = TrainingSpec(loss=lambda y, forecast: y - forecast)
        >>> unwritable_options(NetworkSpec(), training, None)
        ['loss']
    """
    names = list(unwritable_fields([training, network]))
    if random_state is not None and not isinstance(random_state, int | np.integer):
        names.append("random_state")
    return names


def warn_if_unwritable(network: NetworkSpec, training: TrainingSpec, random_state: object) -> None:
    """Warn before training of options that keep the model from being saved.

    Args:
        network: The network.
        training: How it is trained.
        random_state: The estimator's option.
    """
    names = unwritable_options(network, training, random_state)
    if names:
        warn_user(
            f"{', '.join(names)}: cannot be written to a file, so save() will reject this model. "
            "Give a name, a Keras object, or a function or class registered with "
            "keras.saving.register_keras_serializable."
        )


def _plain_params(params: Mapping[str, Any], engine: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as JSON types; those of the specs as the specs have them."""
    specs = {**engine["network"], **engine["training"]}
    plain: dict[str, Any] = {}
    for name, value in params.items():
        is_plain = value is None or isinstance(value, str)
        own = value.tolist() if isinstance(value, np.ndarray) else to_payload(value)[0]
        plain[name] = specs[name] if name in specs and not is_plain else own
    return plain


def checkpoints_of(
    folder: CheckpointFolder | None, windows: TrainingWindows, options: Options, seed: int
) -> Checkpoints | None:
    """Return the checkpoints of the network.

    Args:
        folder: The folder of the fit; `None` for no checkpoints.
        windows: The batches that it is trained and validated on.
        options: The regressor's options.
        seed: Seed of the fit.

    Raises:
        SpecError: The training has a function, which cannot be written to a file.
    """
    if folder is None:
        return None

    arrays = []
    for batches in (windows.train, windows.validation):
        if isinstance(batches, ArrayWindows):
            arrays += [batches.inputs[name] for name in sorted(batches.inputs)]
            arrays += [batches.y, batches.sample_weight]
    scalers = windows.preparation.scalers
    for name in sorted(scalers):
        arrays += [scalers[name].loc, scalers[name].scale]

    trained = fingerprint(
        arrays,
        options.network,
        options.training,
        windows=windows.preparation.window.to_dict(),
        seeds={"fit": seed},
    )
    return folder.of("network", trained)
