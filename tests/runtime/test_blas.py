"""Linear algebra on one thread, and on as many as before when that ends."""

import os
import textwrap
import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from seqcast.network.randomness import Orthogonal
from seqcast.runtime.blas import one_blas_thread


def counts():
    return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]


@pytest.fixture(autouse=True)
def _two_threads():
    # Not as a context, in which other threads could set nothing.
    limits = threadpool_limits(2, user_api="blas")
    if 2 not in counts():
        pytest.skip("this NumPy has no BLAS of several threads")
    yield
    limits.restore_original_limits()


def test_inside_there_is_one_thread_and_afterwards_as_many_as_before():
    before = counts()
    with one_blas_thread(), one_blas_thread():
        assert set(counts()) == {1}
    with pytest.raises(ZeroDivisionError), one_blas_thread():
        1 / 0  # noqa: B018
    assert counts() == before


def test_threads_that_overlap_leave_the_number_as_it_was():
    before, inside, done = counts(), threading.Event(), []

    def second():
        inside.wait()
        with one_blas_thread():
            done.append(set(counts()))

    thread = threading.Thread(target=second)
    thread.start()
    with one_blas_thread():
        inside.set()
        thread.join(0.05)
        assert done == []
    thread.join()
    assert done == [{1}]
    assert counts() == before


def test_first_weights_are_drawn_on_one_thread(monkeypatch):
    seen, qr = [], np.linalg.qr
    monkeypatch.setattr(np.linalg, "qr", lambda matrix: seen.append(set(counts())) or qr(matrix))
    Orthogonal(3)((4, 8))
    assert seen == [{1}]


FORKED = """
    import os, signal, warnings
    from seqcast.runtime import blas

    warnings.simplefilter("ignore")  # Python warns of forks beside threads
    with blas._lock:  # as if another thread were inside
        child = os.fork()
        if not child:
            signal.alarm(20)
            with blas.one_blas_thread():
                os._exit(0)
    print(os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks of POSIX")
def test_a_forked_process_does_not_wait_for_its_parent(run_python):
    assert run_python(textwrap.dedent(FORKED)) == "0"
