"""Seasons are detected where they are planted, and not in walks and noise that lasts."""

import numpy as np
import pandas as pd
import pytest

from seqcast.data import describe
from seqcast.data.detection import detect_seasons, main_season, seasons_of, whitened
from seqcast.data.frames import read_frame


def planted(season, rows, seed=0, noise=1.0):
    """Return a random season of the size of its noise."""
    rng = np.random.default_rng([seed, season])
    pattern = rng.normal(size=season)
    return np.resize((pattern - pattern.mean()) / pattern.std(), rows) + noise * rng.normal(
        size=rows
    )


@pytest.mark.parametrize(
    ("season", "rows"), [(4, 200), (7, 100), (12, 96), (37, 160), (168, 700), (400, 1_600)]
)
def test_a_season_as_large_as_its_noise_is_detected(season, rows):
    assert [seasons_of([planted(season, rows, seed)])[:1] for seed in range(4)] == [[season]] * 4


def test_two_seasons_are_detected_at_once():
    assert sorted(seasons_of([planted(7, 600) + planted(45, 600, noise=0.3)])) == [7, 45]
    # Beyond a known one the other is the strongest.
    assert seasons_of([2 * planted(7, 600) + planted(45, 600, noise=0.3)], beyond=7)[0] == 45


def test_a_panel_shows_a_season_that_none_of_its_series_shows():
    panel = [planted(30, 70, seed, noise=2.0) for seed in range(40)]
    assert seasons_of(panel)[:1] == [30]
    assert seasons_of(panel[:1]) == []


@pytest.mark.parametrize("root", [0.0, 0.7, 0.95, 1.0])
def test_noise_that_lasts_has_no_season(root):
    claimed = 0
    for seed in range(20):
        values = np.random.default_rng(seed).normal(size=300)
        for step in range(1, 300):
            values[step] += root * values[step - 1]
        claimed += bool(seasons_of([values]))
    assert claimed <= 1


def test_panels_of_noise_have_no_season():
    rng = np.random.default_rng(5)
    panels = [rng.normal(size=(50, rng.integers(60, 400))) for _ in range(20)]
    assert [seasons_of(list(panel)) for panel in panels] == [[]] * 20


def test_series_that_move_together_count_once():
    walk = np.cumsum(np.random.default_rng(3).normal(size=120))
    assert (
        seasons_of(
            [walk + 0.01 * np.random.default_rng(each).normal(size=120) for each in range(50)]
        )
        == []
    )


def test_units_order_and_gaps_of_series_do_not_matter():
    panel = [planted(12, 120, seed) for seed in range(5)]
    holes = [
        np.where(np.arange(120) % 17 == seed, np.nan, values) for seed, values in enumerate(panel)
    ]
    for same in (panel[::-1], [1e6 * values - 3e7 for values in panel], holes):
        assert seasons_of(same) == seasons_of(panel) == [12]


def test_series_that_show_nothing_are_left_out():
    nothing = [np.zeros(0), np.full(50, np.nan), np.full(300, 2.0), np.arange(5.0)]
    assert seasons_of(nothing) == []
    assert seasons_of([*nothing, planted(9, 120)]) == [9]
    # Without noise the spectrum is lines alone, or zero.
    for values in (
        np.resize([1.0, 2.0, 4.0], 60),
        np.resize([1.0, -1.0], 60),
        np.arange(60.0),
        np.eye(1, 60)[0],
    ):
        assert np.isfinite(whitened(values)).all()
    assert [
        seasons_of([np.resize(each, 60)])
        for each in ([1.0, 2.0, 4.0], [1.0, -1.0], np.arange(60.0))
    ] == [
        [3],
        [2],
        [],
    ]


def test_the_main_season_is_the_shortest_that_the_strongest_contains():
    assert [main_season(found) for found in ([24, 168], [168, 24], [30, 7], [7, 30], [])] == [
        24,
        24,
        30,
        7,
        1,
    ]


def test_rows_after_the_stops_are_not_read():
    frame = pd.DataFrame({"unique_id": "a", "ds": range(200), "y": planted(8, 200)})
    changed = frame.assign(y=np.where(frame["ds"] < 120, frame["y"], planted(5, 200, noise=0.1)))
    found = [detect_seasons(read_frame(rows), np.array([120])) for rows in (frame, changed)]
    assert found[0] == found[1] == [8]


def test_the_year_of_days_is_a_season_and_no_trend():
    days = pd.date_range("2020-01-01", periods=1_200)
    rng = np.random.default_rng(0)
    year = 10 * np.sin(2 * np.pi * np.arange(1_200) / 365.25) + rng.normal(size=1_200)
    facts = describe(pd.DataFrame({"ds": days, "y": year}))
    assert (facts.season_length, facts.detected) == (7, (364,))
    assert facts.series[0].longer_season > 0.9 > 0.2 > facts.series[0].trend
    assert "; 364 steps (detected), strength 0.9" in str(facts)
    assert facts.to_dict()["detected"] == [364]


@pytest.mark.parametrize("lengths", [(9, 17), (16, 31), (45, 86), (29, 249)])
def test_two_sines_are_not_taken_for_a_longer_season_that_nearly_contains_both(lengths):
    steps = np.arange(6 * lengths[1])
    sines = sum(np.sin(2 * np.pi * steps / length) for length in lengths)
    noise = np.random.default_rng(lengths[1]).normal(size=len(steps))
    assert sorted(seasons_of([sines + 0.3 * noise])) == pytest.approx(lengths, rel=0.02)
