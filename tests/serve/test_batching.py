"""Requests that are forecast in one call get what each gets alone; what is wrong with one is its own error."""

import asyncio
import threading
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seqcast.engine import compiled
from seqcast.errors import DataError
from seqcast.serve import ServerSettings
from seqcast.serve.batching import Lane
from seqcast.serve.forecast_requests import find_model, read_options, read_query
from seqcast.serve.forecasting import answer_all
from seqcast.serve.models import ModelShelf
from seqcast.serve.problems import RequestError

from .clients import newer

LIMITS = ServerSettings(watch=0)


@pytest.fixture(scope="module")
def shelf(models):
    return ModelShelf(ServerSettings(models=models), print)


def query(shelf, rows, **options):
    return read({"model": "sales", "rows": rows, **options}, shelf)


def read(fields, shelf):
    options = read_options(fields, [])
    return read_query(options, find_model(options, shelf, LIMITS), LIMITS)


# A good request has newer rows of known series, or rows of a new one, or both; a bad one has a
# fault of its own.
GOOD = st.builds(
    lambda known, new, count, offset: [
        *(row for name in known for row in newer(name, count, offset)),
        *(row for name in new for row in newer(name, 20, offset)),
    ],
    st.sets(st.sampled_from("abc"), max_size=2),
    st.sets(st.sampled_from(["b2", "new", "ü"]), min_size=1, max_size=2),
    st.integers(1, 6),
    st.floats(-5, 5),
)
BAD = st.sampled_from(
    [
        [*newer("a", 2), *newer("a", 2)],
        [{**newer("a", 1)[0], "ds": "2024-03-01T07:00:00"}],
        [{**row, "y": None} for row in newer("new", 3)],
    ]
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(requests=st.lists(st.one_of(GOOD, GOOD, BAD), min_size=2, max_size=9))
def test_in_one_call_each_gets_what_it_gets_alone(shelf, requests):
    queries = [query(shelf, rows) for rows in requests]
    assert len({each.shape for each in queries}) == 1
    together = answer_all(queries)
    for each, outcome in zip(queries, together, strict=True):
        [alone] = answer_all([each])
        assert type(alone) is type(outcome)
        if isinstance(outcome, DataError):
            assert str(alone) == str(outcome)
            continue
        one, several = (
            answer.table.iloc[answer.start : answer.stop] for answer in (alone, outcome)
        )
        assert one.iloc[:, :2].to_numpy().tolist() == several.iloc[:, :2].to_numpy().tolist()
        np.testing.assert_allclose(one.iloc[:, 2:], several.iloc[:, 2:], rtol=1e-6, atol=1e-6)


def test_known_futures_and_whole_ids_in_one_call(forecasters, client):
    ahead = [
        {"shop": shop, "day": f"2024-03-0{day}", "price": day % 2}
        for shop in (3, 5)
        for day in range(1, 5)
    ]
    bodies = [
        {"model": "store", "series": [5], "future": ahead},
        {"model": "store", "series": [3, 5], "future": ahead},
    ]
    first, second = (answer.json()["rows"] for answer in client.all(bodies))
    assert len(first) == 4
    assert len(second) == 8
    for one, other in zip(first, second[4:], strict=True):
        assert one["seqcast"] == pytest.approx(other["seqcast"], rel=1e-6)


def test_requests_at_once_share_calls_and_the_faulty_one_alone_is_rejected(serving):
    sizes = []
    with serving(batch_wait=50.0) as client:
        client.app.state.service.short.on_call = sizes.append
        bodies = [{"rows": newer("a", 3, place)} for place in range(12)]
        bodies[5] = {"rows": newer("a") + newer("a")}
        answers = client.all(bodies)
    assert [answer.status_code for answer in answers] == [200] * 5 + [422] + [200] * 6
    assert answers[5].json()["series"] == "a"
    assert max(sizes) > 1
    firsts = [
        answer.json()["rows"][0]["seqcast"] for answer in answers if answer.status_code == 200
    ]
    assert len(set(firsts)) == 11  # each has its own


def test_other_shapes_are_other_calls(shelf):
    base = query(shelf, newer("a"))
    assert base.shape == query(shelf, newer("b", 3)).shape
    usual = int(shelf.find("sales").forecaster.horizon)
    assert base.shape == query(shelf, newer("a"), horizon=usual).shape
    for other in (
        query(shelf, newer("a"), horizon=usual - 1),
        query(shelf, newer("a"), level=[50]),
        query(shelf, [{**row, "ds": row["ds"] + "T00:00:00Z"} for row in newer("a")]),
    ):
        assert other.shape != base.shape
    assert query(shelf, [{**row, "unique_id": 1} for row in newer("a")]).shape is None


def test_a_query_is_as_large_as_its_rows_or_its_answer(shelf):
    assert query(shelf, newer("a", 3), horizon=2).load == 3
    assert query(shelf, newer("a", 3), horizon=500).load == 500
    remembered = read({"model": "sales", "series": ["a", "b"], "horizon": 400}, shelf)
    assert (remembered.size, remembered.load) == (0, 800)


# ---------------------------------------------------------------- compilations


@pytest.fixture
def compilation(monkeypatch):
    """Return two events: a network's program beyond the served horizon is being compiled, and may be finished."""
    begun = threading.Event()
    may_end = threading.Event()
    predict = compiled.predict

    def slow(model, inputs, *, horizon):
        if horizon > model.window.horizon:
            begun.set()
            assert may_end.wait(60)
        return predict(model, inputs, horizon=horizon)

    compiled.programs_of.cache_clear()
    monkeypatch.setattr(compiled, "predict", slow)
    yield begun, may_end
    may_end.set()
    compiled.programs_of.cache_clear()


def test_no_request_waits_for_the_compilation_of_another_and_few_wait_for_their_own(
    serving, compilation
):
    begun, may_end = compilation

    def asked(client, **options):
        return client.client.post("/v1/forecast", json={"rows": newer("a"), **options})

    async def use(client):
        queue = client.app.state.service.cold.queue
        cold = [asyncio.create_task(asked(client, horizon=9))]
        assert await asyncio.to_thread(begun.wait, 60)
        for horizon in (10, 11):
            cold.append(asyncio.create_task(asked(client, horizon=horizon)))
            async with asyncio.timeout(20):
                while len(queue) < len(cold) - 1:
                    await asyncio.sleep(0.001)
        warm = [await asyncio.wait_for(asked(client, horizon=horizon), 20) for horizon in (7, 3, 7)]
        more = await asyncio.wait_for(asked(client, horizon=12), 20)
        may_end.set()
        return await asyncio.gather(*cold), warm, more

    with serving(queue=2) as client:
        cold, warm, more = client.run(use, client)
        client.app.state.service.cold = None  # the program is compiled
        again = client.post("/v1/forecast", json={"rows": newer("a"), "horizon": 12})
    assert [len(each.json()["rows"]) for each in warm] == [7, 3, 7]
    assert [len(each.json()["rows"]) for each in cold] == [9, 10, 11]
    assert more.status_code == 429
    assert int(more.headers["retry-after"]) >= 1
    assert again.json()["rows"][:9] == cold[0].json()["rows"]


def test_far_horizons_and_large_tables_do_not_hold_up_short_queries(serving):
    sizes = []
    with serving() as client:
        service = client.app.state.service
        service.short.on_call = sizes.append
        for horizon in (7, 56, 57, 400):
            assert (
                client.post(
                    "/v1/forecast", json={"rows": newer("a"), "horizon": horizon}
                ).status_code
                == 200
            )
    assert len(sizes) == 2


# ---------------------------------------------------------------- the lane


class StandIn:
    """A stand-in of a query."""

    def __init__(self, shape, size=1):
        self.shape = shape
        self.size = size
        self.load = size


def run_lane(use, **limits):
    """Return what comes of a lane in use, and the queries of each of its calls."""
    calls = []

    def run(queries):
        calls.append(list(queries))
        time.sleep(0.01)
        return [ValueError("x") if query.size == 13 else query.size for query in queries]

    async def main():
        lane = Lane(
            run, ServerSettings(**{"batch_wait": 0.0, "queue": 100, "max_rows": 1000, **limits}), 8
        )
        work = asyncio.create_task(lane.work())
        try:
            return await use(lane)
        finally:
            work.cancel()

    return asyncio.run(main()), calls


def ask_all(queries, **limits):
    """Ask for all at once."""
    return run_lane(
        lambda lane: asyncio.gather(*map(lane.ask, queries), return_exceptions=True), **limits
    )


def test_a_lane_keeps_the_order_and_gives_each_its_own():
    outcomes, calls = ask_all([StandIn("a" if n % 3 else "b", n) for n in range(12)])
    assert outcomes == list(range(12))
    assert all(len({query.shape for query in call}) == 1 for call in calls)
    assert len(calls) < 8
    assert all(len(call) <= 8 for call in calls)


def test_a_lane_limits_rows_of_a_call_and_queries_without_a_shape_go_alone():
    _, calls = ask_all([StandIn("a", 400)] * 6)
    assert max(map(len, calls)) == 2
    _, calls = ask_all([StandIn(None)] * 4)
    assert list(map(len, calls)) == [1] * 4


def test_a_full_lane_rejects():
    outcomes, _ = ask_all([StandIn("a")] * 9, queue=5, time_limit=210.0)
    rejected = [outcome for outcome in outcomes if isinstance(outcome, RequestError)]
    assert len(rejected) == 4
    assert {(error.status, error.headers["retry-after"]) for error in rejected} == {(429, "7")}


def test_errors_reach_whoever_asked_and_those_who_left_are_passed_over():
    async def use(lane):
        asks = [asyncio.ensure_future(lane.ask(StandIn("a", n))) for n in (1, 13, 3)]
        await asyncio.sleep(0)
        asks[2].cancel()
        return await asyncio.gather(*asks, return_exceptions=True)

    outcomes, calls = run_lane(use)
    assert outcomes[0] == 1
    assert isinstance(outcomes[1], ValueError)
    assert [query.size for call in calls for query in call] == [1, 13]


def test_nobody_waits_where_nobody_is_expected_and_the_lane_goes_on_after_an_unexpected_error():
    async def use(lane):
        begun = time.perf_counter()
        assert [await lane.ask(StandIn("a", size)) for size in (1, 2, 3)] == [1, 2, 3]
        assert time.perf_counter() - begun < 4
        run = lane.run
        lane.run = lambda queries: 1 / 0
        with pytest.raises(ZeroDivisionError):
            await lane.ask(StandIn("a"))
        lane.run = run
        return await lane.ask(StandIn("a", 7))

    assert run_lane(use, batch_wait=5000.0)[0] == 7
