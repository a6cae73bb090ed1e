"""Executors: order, errors, number types and threads of a worker, Ctrl-C, and scripts without a guard."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor

from seqcast.errors import SpecError, WorkerDiedError
from seqcast.runtime import executors
from seqcast.runtime.executors import LokyExecutor, SerialExecutor, choose_executor, stop_workers
from tests.rejections import rejected

each_executor = pytest.mark.parametrize(
    "make",
    [
        pytest.param(SerialExecutor, id="serial"),
        pytest.param(lambda: LokyExecutor(2), id="loky", marks=pytest.mark.processes),
    ],
)
needs_processes = pytest.mark.skipif(not hasattr(os, "fork"), reason="signals and forks of POSIX")


@pytest.fixture(scope="module", autouse=True)
def _no_worker_is_left():
    yield
    stop_workers()


def runs(process):
    """Tell whether a process exists."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


# ---------------------------------------------------------------- what every executor promises


@each_executor
def test_results_come_in_the_order_of_the_jobs(make):
    told = []
    jobs = [(2, np.arange(3)), (3, np.ones(2)), (5, np.zeros(0)), (1, np.ones((1, 2)))]
    results = make().map(
        lambda factor, values: factor * values,
        (job for job in jobs),
        finished=lambda place, result: told.append((place, result)),
    )
    for result, (factor, values) in zip(results, jobs, strict=True):
        np.testing.assert_array_equal(result, factor * values)
    assert sorted(place for place, _ in told) == [0, 1, 2, 3]
    assert all(result is results[place] for place, result in told)
    assert make().map(abs, []) == []


# ---------------------------------------------------------------- which one is chosen


CHOSEN = [
    (0, None, 4, SerialExecutor),
    (1, None, 4, SerialExecutor),
    (2, 1, 4, SerialExecutor),
    (2, None, 1, SerialExecutor),
    (2, None, 4, LokyExecutor),
    (9, 3, 1, LokyExecutor),
]


@pytest.mark.parametrize(("jobs", "workers", "cores", "kind"), CHOSEN)
def test_which_executor_is_chosen(monkeypatch, jobs, workers, cores, kind):
    monkeypatch.setattr(executors, "threads", lambda: cores)
    assert type(choose_executor(jobs, workers)) is kind


def test_a_daemonic_process_has_no_workers(monkeypatch):
    monkeypatch.setattr(executors, "current_process", lambda: SimpleNamespace(daemon=True))
    assert type(choose_executor(8, workers=4)) is SerialExecutor


# ---------------------------------------------------------------- workers


@pytest.mark.processes
def test_a_worker_is_another_process_with_one_thread_and_our_backend():
    def look():
        import keras

        from seqcast.runtime.threads import threads

        names = (
            "OMP_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
            "MKL_NUM_THREADS",
            "TF_NUM_INTRAOP_THREADS",
        )
        return os.getpid(), threads(), {os.environ[name] for name in names}, keras.backend.backend()

    for process, *rest in LokyExecutor(2).map(look, [(), ()]):
        assert process != os.getpid()
        assert rest == [1, {"1"}, keras.backend.backend()]


@pytest.mark.processes
@needs_processes
def test_workers_do_not_hear_ctrl_c():
    """It goes to all processes of a terminal; the one that waits for the workers ends them."""

    def interrupt(number):
        os.kill(os.getpid(), signal.SIGINT)
        return number

    assert LokyExecutor(2).map(interrupt, [(0,), (1,)]) == [0, 1]


@pytest.mark.processes
@needs_processes
def test_workers_do_not_wait_for_those_of_joblib():
    """Each call of joblib.Parallel with other settings waits for the one before, and this one never ends by itself."""

    def too_late(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, too_late)
    signal.alarm(60)
    try:
        outer = Parallel(n_jobs=2, return_as="generator", pre_dispatch=2)(
            delayed(abs)(-number) for number in range(6)
        )
        inner = [LokyExecutor(2).map(abs, [(-number,), (number,)]) for number in outer]
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        get_reusable_executor().shutdown()
    assert inner == [[number, number] for number in range(6)]


@pytest.mark.processes
def test_workers_are_kept_and_stopped_when_they_are_no_longer_needed():
    processes = LokyExecutor(2).map(os.getpid, [()] * 4)
    assert {*processes} & {*LokyExecutor(2).map(os.getpid, [()] * 4)}
    assert all(map(runs, processes))
    stop_workers()
    assert not any(map(runs, processes))
    stop_workers()  # none is left to stop


@pytest.mark.processes
def test_the_first_error_comes_out_as_itself_and_leaves_no_worker():
    executor = LokyExecutor(2)
    processes = executor.map(os.getpid, [()] * 4)

    def fail(number):
        if not number:
            raise SpecError("number", expected="1 or more", received=str(number), hint="Give 1.")
        time.sleep(60)

    began = time.perf_counter()
    with pytest.raises(SpecError, match="number: expected 1 or more, received 0") as caught:
        executor.map(fail, [(1,), (0,)])
    assert caught.value.received == "0"
    assert time.perf_counter() - began < 30
    assert not any(map(runs, processes))


@pytest.mark.processes
def test_a_worker_that_is_killed_is_said_in_words_and_others_take_over():
    executor = LokyExecutor(2)
    with pytest.raises(
        WorkerDiedError,
        match=r"expected it to run until its work is done.*Try again with fewer rows",
    ):
        executor.map(lambda: os.kill(os.getpid(), signal.SIGKILL), [()] * 2)
    assert executor.map(abs, [(-1,), (2,)]) == [1, 2]


def test_one_after_another_an_error_comes_out_as_itself():
    done = []
    with pytest.raises(ZeroDivisionError):
        SerialExecutor().map(lambda number: done.append(1 / number), [(1,), (0,), (2,)])
    assert done == [1]


@each_executor
def test_an_error_of_the_callback_comes_out_too(make):
    def finished(place, result):
        raise LookupError(f"place {place}")

    rejected(LookupError, "place", make().map, abs, [(1,), (2,)], finished=finished)


# ---------------------------------------------------------------- a script without a guard

# All that takes an interpreter and workers of its own, in one: starting each takes seconds.
SCRIPT = """
    import os, signal, sys, time, warnings
    from pathlib import Path
    import jax, keras
    import numpy as np
    import pandas as pd
    from joblib.externals.loky import get_reusable_executor
    from sklearn.model_selection import GridSearchCV
    from seqcast import Forecaster, NetworkSpec, Seq2SeqRegressor, TrainingSpec
    from seqcast.runtime import executors
    from seqcast.runtime.program_cache import cache_compilations

    def look(number):
        result = keras.ops.exp(keras.ops.convert_to_tensor(number, dtype=keras.config.floatx()))
        layer = keras.layers.Dense(1)
        types = keras.config.floatx(), layer.compute_dtype, layer.variable_dtype, result.dtype.name
        return jax.config.jax_enable_x64, *types

    def wave_loss(y_true, y_pred):
        return (y_true - y_pred) ** 2

    def wait(number):
        Path(sys.argv[1], str(os.getpid())).touch()
        time.sleep(120)

    def folder():
        return cache_compilations(), Path(jax.config.jax_compilation_cache_dir).name

    executor = executors.LokyExecutor(2)
    jax.config.update("jax_compilation_cache_dir", str(Path(sys.argv[1]).with_name("mine")))
    jax.config.update("jax_enable_x64", True)
    keras.config.set_floatx("float64")
    print("double:", *set(executor.map(look, [(1.0,), (2.0,)])))

    jax.config.update("jax_enable_x64", False)
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("mixed_bfloat16")
    print("half:", *set(executor.map(look, [(1.0,), (2.0,)])))
    keras.config.set_dtype_policy("float32")
    print("programs:", *set(executor.map(folder, [()] * 2)))

    warnings.simplefilter("ignore")  # JAX and Python warn of forks
    processes = executor.map(os.getpid, [()] * 4)
    sys.stdout.flush()
    with executors._pool.turn:  # as if another thread were in the middle of a map
        child = os.fork()
        if not child:
            signal.alarm(30)
            executors.stop_workers()
            os._exit(0)
    kept = bool(set(executor.map(os.getpid, [()] * 4)) & set(processes))
    print("fork:", os.waitpid(child, 0)[1], kept)

    del os.environ["PYTHONWARNINGS"]  # of joblib's workers
    waves = np.sin(np.arange(11) * 0.5 + np.linspace(0, 6, 40)[:, None])
    model = Seq2SeqRegressor(encoder_units=4, epochs=1, random_state=0, loss=wave_loss, verbose=0)
    search = GridSearchCV(model, {"batch_size": [8, 16]}, cv=2, n_jobs=2, error_score="raise")
    search.fit(waves[:, :8, None], waves[:, 8:, None])
    print("trials:", np.isfinite(search.cv_results_["mean_test_score"]).all())
    get_reusable_executor().shutdown()

    frame = pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2024", periods=60), "y": np.sin(np.arange(60.0))})
    small = NetworkSpec(encoder_units=(4,), decoder_units=(4,))
    few = TrainingSpec(epochs=1, loss=wave_loss)
    ensemble = Forecaster(3, context_length=6, preset=small, training=few, members=2, random_state=0, verbose=0)
    print("members:", len(ensemble.fit(frame).engines_))
    print("refits:", len(ensemble.backtest(frame, n_windows=2, refit=True)))

    sys.stdout.flush()
    try:
        executor.map(wait, [(0,), (1,), (2,)])
    except KeyboardInterrupt:
        print("interrupted:", True)
"""


def start(code, folder, **how):
    """Start a script with a folder for the names of its workers; return the process when two of them wait."""
    waiting = folder / "waiting"
    path = folder / "script.py"
    waiting.mkdir()
    path.write_text(textwrap.dedent(code))
    process = subprocess.Popen([sys.executable, path, waiting], **how)
    deadline = time.monotonic() + 280
    while len(os.listdir(waiting)) < 2 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    return process, [int(name) for name in os.listdir(waiting)]


@pytest.mark.processes
@needs_processes
@pytest.mark.skipif(keras.backend.backend() != "jax", reason="64 bits are an option of JAX")
def test_a_script_without_a_guard(tmp_path):
    """Its functions go to the workers and nothing of it runs twice.

    The same workers take each change of the number types; a fork neither waits for nor ends its
    parent's workers. Ctrl-C, which a terminal sends to the whole group of processes, ends them all.
    """
    # On a slow machine JAX would keep programs in the folder that the script gives it, and some
    # jaxlibs log an error of processors whenever one is read.
    keeps_none = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "3600"}
    environment = {**os.environ, "SEQCAST_THREADS": "2", "PYTHONWARNINGS": "error", **keeps_none}
    with open(tmp_path / "out", "w+") as out, open(tmp_path / "err", "w+") as err:
        process, workers = start(
            SCRIPT, tmp_path, env=environment, start_new_session=True, stdout=out, stderr=err
        )
        try:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(timeout=30)
        finally:
            process.kill()
    assert ((tmp_path / "err").read_text(), process.returncode) == ("", 0)
    assert (
        dict(line.split(": ") for line in (tmp_path / "out").read_text().splitlines())
        == {
            "double": "(True, 'float64', 'float64', 'float64', 'float64')",
            "half": "(False, 'float32', 'bfloat16', 'float32', 'float32')",
            "programs": "(None, 'mine')",  # the folder of compiled programs that the script has given JAX
            "fork": "0 True",  # the end of the child, and whether its parent's workers are the ones from before
            "trials": "True",
            "members": "2",
            "refits": "6",
            "interrupted": "True",
        }
    )
    assert len(workers) == 2
    assert not any(map(runs, workers))


ORPHANED = """
    import os, pathlib, sys, time
    from seqcast.runtime.executors import LokyExecutor

    waiting = sys.argv[1]

    def wait(_):
        pathlib.Path(waiting, str(os.getpid())).touch()
        time.sleep(300)

    LokyExecutor(2).map(wait, [(0,), (1,)])
"""


@pytest.mark.processes
@needs_processes
def test_workers_end_when_their_parent_is_killed(tmp_path):
    process, workers = start(
        ORPHANED, tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    process.kill()
    process.wait()
    assert len(workers) == 2
    deadline = time.monotonic() + 30
    while any(map(runs, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(runs, workers))
