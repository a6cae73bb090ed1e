"""Checkpoints: files with the state of a training, from which it is resumed.

```
folder/.lock                       the lock of the process that trains
folder/fit.json                    the seed of the fit
folder/<network>/1234.checkpoint   the state after 1,234 steps; the last two stay
```

A checkpoint is a file of `seqcast.runtime.model_files`, written under another name and renamed. It
has the state and the fingerprint of the training: its data, options and versions.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqcast import runtime
from seqcast._version import __version__
from seqcast.errors import FileFormatError, Option, Phrase, SaveError, SpecError
from seqcast.runtime import Array, keras, warn_user
from seqcast.specs import CheckpointSpec, NetworkSpec, TrainingSpec, check_writable
from seqcast.training.callbacks import KeepBest, Logs
from seqcast.training.divergence import is_sound
from seqcast.training.state import TrainState


def fingerprint(
    arrays: Iterable[Array | None], network: NetworkSpec, training: TrainingSpec, **more: object
) -> dict[str, Any]:
    """Return the fingerprint of a training, JSON types by name: data, options and versions.

    Args:
        arrays: The data.
        network: Options of the network.
        training: Options of the training.
        **more: Other values; underscores of the names become spaces.

    Raises:
        SpecError: A spec has a function, which cannot be compared.
    """
    check_writable(
        [network, training], where="checkpoint", expected="a training that can be written to a file"
    )
    types = runtime.NumberTypes.current()
    backend = keras.backend.backend()
    return {
        "data": runtime.digest(arrays),
        "network": network.to_dict(),
        "training": training.to_dict(),
        **{name.replace("_", " "): value for name, value in more.items()},
        # They determine the bits of a training.
        "versions": {
            "seqcast": __version__,
            "keras": keras.__version__,
            backend: __import__(backend).__version__,
            "floatx": types.floatx,
            "dtype_policy": getattr(types.dtype_policy, "name", str(types.dtype_policy)),
            "x64": types.jax_x64,
        },
    }


KIND = "Checkpoint"
SUFFIX = ".checkpoint"

# Largest share of the time for writing.
MOST_SHARE = 0.01
# Most bytes of `fit.json`.
_MOST_BYTES = 4096
# Most options in a message about another fingerprint.
MOST_NAMED = 3


@dataclass(frozen=True)
class _File:
    """The content of a checkpoint: the training's fingerprint, as JSON types, and its state."""

    fingerprint: dict[str, Any]
    state: TrainState


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of the training of one network.

    Args:
        folder: The folder.
        fingerprint: The fingerprint of the training, JSON types by name.
        minutes: Time between two checkpoints in the middle of an epoch.
        keep: Number of the newest checkpoints that stay.
        resume: Whether to resume from the newest checkpoint.
        max_size: Largest size of a checkpoint, see `CheckpointSpec`.
    """

    folder: Path
    fingerprint: Mapping[str, object]
    minutes: float = 2.0
    keep: int = 2
    resume: bool = False
    max_size: int | str | None = None

    def write(self, state: TrainState) -> None:
        """Write a state, and remove all but the newest checkpoints.

        Args:
            state: The state.

        Raises:
            SaveError: The state could not be written; older checkpoints are unchanged.
        """
        runtime.make_folder(self.folder)
        path = self.folder / f"{state.step}{SUFFIX}"
        runtime.write_archive(path, KIND, *runtime.to_payload(_File(dict(self.fingerprint), state)))
        for older in self._files()[self.keep :]:
            with contextlib.suppress(OSError):
                older.unlink()

    def newest(self) -> TrainState | None:
        """Return the newest state that can be read; `None` if there is none, or without `resume`.

        Raises:
            SpecError: It belongs to another training.
            FileFormatError: No checkpoint can be read.
        """
        if not self.resume:
            return None

        damaged: list[FileFormatError] = []
        for path in self._files():
            try:
                state = self._read(path)
            except FileFormatError as error:
                damaged.append(error)
                continue
            if damaged:
                warn_user(
                    f"{damaged[0].where} is damaged, so training goes on from {path.name}, the one "
                    "before"
                )
            return state

        if damaged:
            raise damaged[0]
        return None

    def _read(self, path: Path) -> TrainState:
        with runtime.open_archive(path, KIND, max_size=self.max_size) as (header, arrays):
            # Compared first, since another version may have another form of states.
            check_same(
                header["fingerprint"],
                self.fingerprint,
                expected=f"a checkpoint of this training; that in {path.parent}",
                otherwise="train in another folder",
            )
            file: _File = runtime.from_payload(_File, header, arrays)
        return file.state

    def _files(self) -> list[Path]:
        """Return the checkpoints, the newest first."""
        files = [path for path in self.folder.glob(f"*{SUFFIX}") if path.stem.isdigit()]
        return sorted(files, key=lambda path: -int(path.stem))


def check_same(
    found: Mapping[str, object], fingerprint: Mapping[str, object], expected: str, otherwise: str
) -> None:
    """Reject files with another fingerprint, with the difference in the message.

    Args:
        found: The fingerprint of the files, JSON types by name.
        fingerprint: The expected fingerprint.
        expected: The expected files and those found, as text that "has other data" may follow.
        otherwise: The other way to go on, as text.

    Raises:
        SpecError: The fingerprints differ.
    """
    for entry, now in json.loads(json.dumps(dict(fingerprint))).items():
        before = found.get(entry)
        if before == now:
            continue

        was = ""
        received = f"other {entry}"
        if isinstance(before, Mapping) and isinstance(now, Mapping):
            names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
            changed = names[:MOST_NAMED]
            was = f": {_listed(before, changed)}"
            received = f"{entry} with {_listed(now, changed)}"

        raise SpecError(
            "resume",
            expected=f"{expected} has other {entry}{was}",
            received=received,
            hint=f"Give the same data and options as before, or {otherwise}.",
        )


def _listed(values: Mapping[str, object], names: Sequence[str]) -> str:
    return ", ".join(f"{name}={values.get(name)!r:.80}" for name in names)


class CheckpointFolder:
    """The checkpoints of a fit: a folder for each network, under the lock of one process.

    Args:
        spec: The folder, and the times of checkpoints.
        resume: Whether to resume from checkpoints in the folder.
    """

    def __init__(self, spec: CheckpointSpec, *, resume: bool) -> None:
        self.spec = spec
        self.resume = resume
        self.folder = Path(spec.folder)

    @classmethod
    @contextmanager
    def opened(
        cls, checkpoint: str | os.PathLike[str] | CheckpointSpec | None, *, resume: bool
    ) -> Iterator[CheckpointFolder | None]:
        """Lock the folder of a fit for a `with` block.

        Args:
            checkpoint: The argument of the fit: a folder, a `CheckpointSpec`, or `None` for no
                checkpoints.
            resume: Whether to resume from checkpoints in the folder.

        Yields:
            The folder; `None` for no checkpoints.

        Raises:
            SpecError: The folder has a training and `resume` is false, or another process has the
                lock, or `resume` is true without a folder.
            SaveError: The folder cannot be written to.
        """
        if checkpoint is None:
            if resume:
                raise SpecError(
                    "resume",
                    expected="False without checkpoint",
                    received="True",
                    hint="Name the folder.",
                )
            yield None
            return

        opened = cls(CheckpointSpec.of(checkpoint), resume=resume)
        runtime.make_folder(opened.folder)
        with _locked(opened.folder):
            # Files of a process that was killed.
            for unfinished in opened.folder.glob("*/.*.part"):
                unfinished.unlink(missing_ok=True)
            if not resume and any(opened.folder.glob(f"*/*{SUFFIX}")):
                raise SpecError(
                    "checkpoint",
                    expected=Phrase("a folder without a training, or ", Option("resume", True)),
                    received=str(opened.folder),
                    hint="To begin once more, empty it or choose another.",
                )
            yield opened

    def seed(self, drawn: int) -> int:
        """Return the seed of the fit: the recorded one if it is resumed, otherwise the new one.

        A new seed is recorded.

        Args:
            drawn: The seed of a new fit.
        """
        path = self.folder / "fit.json"
        if self.resume and path.is_file() and path.stat().st_size <= _MOST_BYTES:
            with contextlib.suppress(OSError, ValueError, RecursionError):
                content = json.loads(path.read_text("utf-8"))
                seed = int(runtime.check_fields(content, {"seed": int}, "fit.json")["seed"])
                if seed >= 0:
                    return seed

        content = json.dumps({"seed": drawn}).encode()
        runtime.write_atomically(path, lambda file: file.write(content))
        return drawn

    def of(self, name: str, fingerprint: Mapping[str, object]) -> Checkpoints:
        """Return the checkpoints of one network.

        Args:
            name: Name of the network and its folder.
            fingerprint: The fingerprint of its training.
        """
        spec = self.spec
        folder = self.folder.absolute() / name
        return Checkpoints(
            folder, fingerprint, spec.minutes, spec.keep, self.resume, max_size=spec.max_size
        )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder for a `with` block."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise SpecError(
            "checkpoint",
            expected="a folder that no other training uses",
            received=str(folder),
            hint="Wait for the process that trains there, or choose another.",
        ) from None
    except OSError as error:
        raise SaveError(
            str(folder),
            expected="a folder to write to",
            received=str(error.strerror),
            hint="Choose another.",
        ) from error

    try:
        yield
    finally:
        lock.release()


class CheckpointCallback(keras.callbacks.Callback):
    """Write the state of a training at the end of epochs and, on JAX, every few minutes.

    The first checkpoint that cannot be written gives a warning, and training goes on.

    Args:
        keeper: The callback that records the training; it precedes this one.
        checkpoints: The checkpoints.
        before: Seconds of training before it was resumed.
    """

    def __init__(self, keeper: KeepBest, checkpoints: Checkpoints, before: float) -> None:
        super().__init__()
        self.keeper = keeper
        self.checkpoints = checkpoints
        self.before = before
        self.began = time.perf_counter()
        self.last = self.began
        self.cost = 0.0
        self.failed = False

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Write the state at intervals.

        Args:
            batch: Number of the step in its epoch, from 0.
            logs: Losses and metrics; empty for a step that a resumed training skips.
        """
        # Skipped steps have no logs, and the end of the epoch follows the last step.
        if keras.backend.backend() != "jax" or not logs or batch + 1 == self.params.get("steps"):
            return
        # The state after a bad step, for which the watch is about to stop the training, is not
        # written.
        is_due = time.perf_counter() - self.last >= 60 * self.checkpoints.minutes
        if is_due and is_sound(self.model):
            self._write(batch + 1)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write the state, unless writing takes too much of the time.

        Args:
            epoch: Number of the epoch, from 0.
            logs: Losses and metrics.
        """
        ends = self.model.stop_training or epoch + 1 == self.params.get("epochs")
        if ends or time.perf_counter() - self.last >= self.cost / MOST_SHARE:
            self._write(0)

    def _write(self, epoch_step: int) -> None:
        began = time.perf_counter()
        self.keeper.history.seconds = self.before + began - self.began
        state = TrainState.capture(self.model, self.keeper, epoch_step=epoch_step)
        try:
            self.checkpoints.write(state)
        except SaveError as error:
            if not self.failed:
                warn_user(
                    f"a checkpoint could not be written, training goes on without it: {error}"
                )
            self.failed = True
        self.last = time.perf_counter()
        self.cost = self.last - began


def metrics_restorer(model: keras.Model, state: TrainState) -> keras.callbacks.Callback:
    """Return what restores the metrics of an epoch that was interrupted in its middle.

    Args:
        model: The Keras model.
        state: The state from which it goes on.
    """

    def begin(epoch: int, _: Logs) -> None:
        if epoch == state.epoch:
            state.restore_metrics(model)

    return keras.callbacks.LambdaCallback(on_epoch_begin=begin)
