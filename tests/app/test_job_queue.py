"""Jobs in a process of their own: results, events, errors, stops, turns, a process that dies."""

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from seqcast.app.job_queue import JobQueue, QueueFullError, StoppedError
from seqcast.errors import SpecError, WorkerDiedError

# A process that is started imports them by their name.
sys.path.insert(0, str(Path(__file__).parent))

from job_functions import die, double, fail, wait

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def queue():
    queue = JobQueue(max_waiting=4)
    yield queue
    queue.close()


@pytest.fixture
def anyio_backend():
    """Run asynchronous tests in an event loop of asyncio each."""
    return "asyncio"


@pytest.fixture(autouse=True)
def _no_job_is_left(queue):
    yield
    assert queue.jobs == []


def waits(queue, how="and keep"):
    """Return a job that waits for its stop, and the event that it has begun."""
    begun = asyncio.Event()
    return queue.submit(wait, how, on_event=lambda _: begun.set()), begun


async def test_results_come_in_turn_and_a_full_queue_rejects(queue):
    jobs = [queue.submit(double, number) for number in range(5)]
    assert [job.before for job in jobs] == [0, 1, 2, 3, 4]
    with pytest.raises(QueueFullError, match="at most 4 computations that wait, received 5"):
        queue.submit(double, 9)
    assert await asyncio.gather(*(job.result() for job in jobs)) == [0, 2, 4, 6, 8]
    assert await queue.submit(double, 9).result() == 18


FAILURES = [
    ("spec", SpecError, "level: expected less, received more. Take less."),
    ("unreadable", RuntimeError, "TwoArgumentsError: a"),
    ("stopped", StoppedError, "before there was any result"),
    ("result", Exception, "pickle"),
]


@pytest.mark.parametrize(("kind", "error", "message"), FAILURES)
async def test_errors_come_out_and_the_process_goes_on(queue, kind, error, message):
    process = await queue.submit(os.getpid).result()
    with pytest.raises(error, match=message):
        await asyncio.wait_for(queue.submit(fail, kind).result(), 20)
    assert await queue.submit(os.getpid).result() == process


async def test_a_stop_interrupts_what_runs_and_drops_what_waits(queue):
    first, begun = waits(queue)
    second = queue.submit(double, 1)
    third = queue.submit(double, 2)
    await begun.wait()
    second.stop()
    first.stop()
    assert await first.result() == "kept"
    with pytest.raises(StoppedError):
        await second.result()
    assert await third.result() == 4
    first.stop()  # one that has ended is left alone
    assert await queue.submit(double, 5).result() == 10


@pytest.mark.parametrize("how", ["for others", "for nothing"])
async def test_a_stop_reaches_a_job_that_waits_for_other_processes_and_never_the_event_loop(
    queue, how
):
    job, begun = waits(queue, how)
    await begun.wait()
    job.stop()
    if how == "for others":
        assert await asyncio.wait_for(job.result(), 20) == "kept"
    else:
        with pytest.raises(StoppedError, match="before there was any result"):
            await asyncio.wait_for(job.result(), 20)


async def test_a_process_that_dies_fails_its_jobs_and_another_one_takes_over(queue):
    before = await queue.submit(os.getpid).result()
    for job in [queue.submit(die), queue.submit(double, 1)]:
        with pytest.raises(
            WorkerDiedError, match=r"received its end. It may have run out of memory"
        ):
            await job.result()
    assert await queue.submit(os.getpid).result() != before


def test_one_who_waits_no_longer_leaves_the_job_alone_and_so_does_an_event_loop_that_ends(queue):
    async def leave():
        first, begun = waits(queue)
        second = queue.submit(double, 4)  # it cannot end before the first is stopped
        await begun.wait()
        task = asyncio.ensure_future(second.result())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return first, second

    first, second = asyncio.run(leave())
    first.stop()

    async def stay():
        return await first.result(), await second.result()

    assert asyncio.run(stay()) == ("kept", 8)


async def test_a_queue_that_is_closed_ends_its_process():
    queue = JobQueue(max_waiting=1)
    process = await queue.submit(os.getpid).result()
    job, begun = waits(queue)
    await begun.wait()
    queue.close()
    with pytest.raises(WorkerDiedError):
        await asyncio.wait_for(job.result(), 20)
    end = time.monotonic() + 20
    while Path(f"/proc/{process}").exists():
        assert time.monotonic() < end
