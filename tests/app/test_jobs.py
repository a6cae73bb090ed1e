"""Jobs in a worker process: results, events, errors, stops, turns, a process that dies."""

import asyncio
import pickle
import sys
from pathlib import Path

import pytest

from seqcast.app.jobs import JobQueue, QueueFullError, StoppedError
from seqcast.app.worker import Worker
from seqcast.errors import SpecError, WorkerDiedError

# A process that is started imports them by their name.
sys.path.insert(0, str(Path(__file__).parent))

from job_functions import die, double, fail, fail_unreadably, process, wait, wait_for_others


@pytest.fixture(scope="module")
def worker():
    worker = Worker("test")
    yield worker
    worker.close()
    assert not worker.is_running


def run(worker, scenario, **options):
    return asyncio.run(scenario(JobQueue(worker, **{"max_waiting": 4, **options})))


def test_results_and_events_come_in_turn(worker):
    async def scenario(queue):
        heard = []
        jobs = [queue.submit(double, number, hear=heard.append) for number in range(5)]
        assert [job.before for job in jobs] == [0, 1, 2, 3, 4]
        assert await asyncio.gather(*(job.result() for job in jobs)) == [0, 2, 4, 6, 8]
        assert heard == [0, 1, 2, 3, 4]
        assert queue.length == 0
        assert all(job.is_done for job in jobs)

    run(worker, scenario)


def test_errors_come_out_as_themselves_and_the_process_goes_on(worker):
    async def scenario(queue):
        with pytest.raises(SpecError, match="level: expected less, received more") as caught:
            await queue.submit(fail, "spec").result()
        assert caught.value.hint == "Take less."
        for kind in ("unpicklable", "result"):
            with pytest.raises(RuntimeError):
                await queue.submit(fail, kind).result()
        assert await queue.submit(double, 3).result() == 6

    run(worker, scenario)


def test_a_stop_interrupts_what_runs_and_drops_what_waits(worker):
    async def scenario(queue):
        begun = asyncio.Event()
        first = queue.submit(wait, True, hear=lambda _: begun.set())
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

    run(worker, scenario)


def test_a_stop_with_nothing_to_keep_does_not_end_the_event_loop(worker):
    async def scenario(queue):
        begun = asyncio.Event()
        job = queue.submit(wait, False, hear=lambda _: begun.set())
        await begun.wait()
        job.stop()
        with pytest.raises(StoppedError, match="before there was anything to keep"):
            await job.result()

    run(worker, scenario)


def test_a_stop_reaches_a_job_that_waits_for_other_processes(worker):
    async def scenario(queue):
        begun = asyncio.Event()
        job = queue.submit(wait_for_others, hear=lambda _: begun.set())
        await begun.wait()
        job.stop()
        assert await asyncio.wait_for(job.result(), 20) == "kept"

    run(worker, scenario)


def test_errors_that_pickle_cannot_make_anew_end_the_job_all_the_same(worker):
    async def scenario(queue):
        with pytest.raises(RuntimeError, match="could not be read"):
            await asyncio.wait_for(queue.submit(fail_unreadably, False).result(), 20)
        with pytest.raises(StoppedError):
            await asyncio.wait_for(queue.submit(fail_unreadably, True).result(), 20)
        assert await queue.submit(double, 2).result() == 4

    run(worker, scenario)


def test_a_full_queue_refuses(worker):
    async def scenario(queue):
        jobs = [queue.submit(double, number) for number in range(3)]
        with pytest.raises(QueueFullError, match="at most 2 computations that wait, received 3"):
            queue.submit(double, 9)
        await asyncio.gather(*(job.result() for job in jobs))
        assert await queue.submit(double, 9).result() == 18

    run(worker, scenario, max_waiting=2)


def test_a_process_that_dies_fails_its_jobs_and_another_one_takes_over(worker):
    async def scenario(queue):
        before = await queue.submit(process).result()
        jobs = [queue.submit(die), queue.submit(double, 1)]
        for job in jobs:
            with pytest.raises(WorkerDiedError, match=r"received its end. It may have run out of memory"):
                await job.result()
        after = await queue.submit(process).result()
        assert after != before
        assert queue.length == 0

    run(worker, scenario)


def test_one_who_waits_no_longer_leaves_the_job_alone(worker):
    async def scenario(queue):
        begun = asyncio.Event()
        first = queue.submit(wait, True, hear=lambda _: begun.set())
        job = queue.submit(double, 4)  # it cannot end before the first is stopped
        await begun.wait()
        task = asyncio.ensure_future(job.result())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        first.stop()
        assert await first.result() == "kept"
        assert await job.result() == 8

    run(worker, scenario)


def test_a_loop_that_ends_before_its_job_leaves_the_queue_to_others(worker):
    queue = JobQueue(worker, max_waiting=0)

    async def leave():
        begun = asyncio.Event()
        job = queue.submit(wait, True, hear=lambda _: begun.set())
        await begun.wait()
        return job

    async def stay():
        # The job that was left is stopped, and ends in a loop that is closed.
        while queue.length:
            await asyncio.sleep(0.01)
        return await queue.submit(double, 4).result()

    asyncio.run(leave()).stop()
    assert asyncio.run(asyncio.wait_for(stay(), 20)) == 8


def test_a_function_that_cannot_be_sent_is_told_at_once(worker):
    async def scenario(queue):
        with pytest.raises((AttributeError, pickle.PicklingError)):
            queue.submit(lambda _: 1)
        assert queue.length == 0
        assert await queue.submit(double, 2).result() == 4

    run(worker, scenario)
