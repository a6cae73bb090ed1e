"""How many cores a process may use, calls that share them, and linear algebra on one of them."""

import os
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

from seqcast.errors import SpecError
from seqcast.network.randomness import Orthogonal
from seqcast.runtime.threads import begin, check_threads, in_threads, one_blas_thread, threads

VARIABLES = [
    ({"SEQCAST_THREADS": "3"}, 3),
    ({"SEQCAST_THREADS": "0"}, 1),
    ({"SEQCAST_THREADS": "-4"}, 1),
    ({"OMP_NUM_THREADS": "1"}, 1),
    ({"OMP_NUM_THREADS": "1,4"}, 1),
    ({"SEQCAST_THREADS": "2", "OMP_NUM_THREADS": "1"}, 2),
    ({"OMP_NUM_THREADS": "auto"}, None),
    ({"OMP_NUM_THREADS": "9999"}, None),
    ({}, None),
]


@pytest.mark.parametrize(("variables", "expected"), VARIABLES)
def test_how_many_threads(monkeypatch, variables, expected):
    for name in ("SEQCAST_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert threads() == (cores if expected is None else expected)


@pytest.mark.parametrize("value", ["four", "1.5", "2 threads", "-"])
def test_a_number_of_threads_that_is_none(monkeypatch, value):
    monkeypatch.setenv("SEQCAST_THREADS", value)
    with pytest.raises(SpecError) as caught:
        threads()
    assert str(caught.value) == (
        "the environment variable SEQCAST_THREADS: expected a whole number of threads, such as 4, "
        f"received {value!r}. Set it to a number, or unset it to use all cores."
    )


@given(st.lists(st.integers()), st.integers(1, 8))
def test_results_come_in_the_order_of_the_items(items, count):
    assert in_threads(lambda item: item * item, items, count) == [item * item for item in items]


def test_calls_that_were_begun_are_finished_though_all_threads_wait_for_them():
    many = 4 * (os.cpu_count() or 1)
    results = [begin(lambda item: begin(lambda: item * item)(), item) for item in range(many)]
    assert [result() for result in results] == [item * item for item in range(many)]


def test_an_error_comes_out_as_itself_and_with_the_result_of_a_call_that_was_begun():
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda item: 1 / item, [1, 0, 2], 2)
    result = begin(int, "four")
    with pytest.raises(ValueError, match="four"):
        result()


def test_eight_threads_that_call_at_once_get_their_own_results():
    together = threading.Barrier(8)

    def call(caller):
        together.wait(timeout=30)
        return [in_threads(lambda item: (caller, item), range(9), 4) for _ in range(50)]

    with ThreadPoolExecutor(8) as callers:
        futures = [callers.submit(call, caller) for caller in range(8)]
        for caller, future in enumerate(futures):
            assert future.result(timeout=60) == [[(caller, item) for item in range(9)]] * 50


NESTED = """
    import os, signal
    from seqcast.runtime.threads import in_threads

    signal.alarm(30)
    count = 2 * (os.cpu_count() or 1)
    results = in_threads(lambda number: sum(in_threads(lambda item: number * item, range(4), 4)), range(99), count)
    print(results == [6 * number for number in range(99)])
"""


def test_no_call_waits_for_busy_threads(run_python):
    """Each of many calls calls again: threads that all wait for a free one would never end."""
    assert run_python(textwrap.dedent(NESTED)) == "True"


def test_after_an_error_what_was_not_begun_is_left():
    cores = os.cpu_count() or 1
    done = []
    all_busy = threading.Barrier(cores + 2)
    free = threading.Event()

    def block(item):
        all_busy.wait(timeout=30)
        free.wait(timeout=30)

    def fail(item):
        if not item:
            raise ZeroDivisionError
        done.append(item)

    with ThreadPoolExecutor(1) as caller:
        blocked = caller.submit(in_threads, block, range(cores + 1), cores + 1)
        all_busy.wait(timeout=30)
        with pytest.raises(ZeroDivisionError):
            in_threads(fail, range(4), 4)
        free.set()
        blocked.result(timeout=30)
    in_threads(abs, range(cores + 1), cores + 1)
    assert not done


FORKED = """
    import os, signal, sys, warnings
    import seqcast.runtime.threads

    threads = sys.modules["seqcast.runtime.threads"]  # not the function of that name
    warnings.simplefilter("ignore")  # Python warns of forks beside threads
    numbers = range(-8, 0)
    assert threads.in_threads(abs, numbers, 4) == list(range(8, 0, -1))
    with threads._pool._shutdown_lock, threads._blas_lock:  # as if another thread had them
        child = os.fork()
        if not child:
            signal.alarm(20)
            with threads.one_blas_thread():
                os._exit(threads.in_threads(abs, numbers, 4) != list(range(8, 0, -1)))
    print(os.waitpid(child, 0)[1], threads.in_threads(abs, [-1, -2], 2))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks of POSIX")
def test_a_forked_process_has_its_own_threads_and_locks(run_python):
    assert run_python(textwrap.dedent(FORKED)) == "0 [1, 2]"


# ---------------------------------------------------------------- linear algebra


def counts():
    return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]


@pytest.fixture
def _two_threads():
    # Not as a context, in which other threads could set nothing.
    limits = threadpool_limits(2, user_api="blas")
    if 2 not in counts():
        pytest.skip("this NumPy has no BLAS of several threads")
    yield
    limits.restore_original_limits()


@pytest.mark.usefixtures("_two_threads")
def test_inside_there_is_one_thread_and_afterwards_as_many_as_before():
    before = counts()
    with one_blas_thread(), one_blas_thread():
        assert set(counts()) == {1}
    with pytest.raises(ZeroDivisionError), one_blas_thread():
        1 / 0  # noqa: B018
    assert counts() == before


@pytest.mark.usefixtures("_two_threads")
def test_threads_that_overlap_share_the_limit_and_leave_the_number_as_it_was():
    before = counts()
    seen = []

    def second():
        with one_blas_thread():
            seen.append(set(counts()))

    with one_blas_thread():
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
        assert [*seen, set(counts())] == [{1}, {1}]
    assert counts() == before


@pytest.mark.usefixtures("_two_threads")
def test_first_weights_are_drawn_on_one_thread(monkeypatch):
    seen = []
    qr = np.linalg.qr
    monkeypatch.setattr(np.linalg, "qr", lambda matrix: seen.append(set(counts())) or qr(matrix))
    Orthogonal(3)((4, 8))
    assert seen == [{1}]


def test_threads_that_cannot_start_are_an_error(monkeypatch):
    started = []
    start = threading.Thread.start

    def start_few(thread):
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        start(thread)
        started.append(thread)

    check_threads(3)
    monkeypatch.setattr(threading.Thread, "start", start_few)
    with pytest.raises(MemoryError, match="can't start new thread"):
        check_threads(3)
    assert len(started) == 2
    assert not any(thread.is_alive() for thread in started)
