"""Slots of attempts and the use of the capacity."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import partial
from pathlib import Path

import altair
import pytest

from runner.model import Outcome, Session
from runner.plan.plan import Plan
from runner.reporters.html import sections, timeline
from runner.reporters.html.page import render
from runner.reporters.progress.snapshot import take_snapshot
from runner.state import open_for_reading, open_for_writing
from runner.state.merge.files import merge
from runner.state.rows import AttemptRow
from tests.facts import apply_ended, apply_started
from tests.journalled import BEGIN, Ending, record_apply
from tests.reporters.html_reports import report_of, sweep_of


def attempt(start: float, duration: float | None, outcome: Outcome | None = Outcome.SUCCEEDED) -> AttemptRow:
    end = None if outcome is None else start + (duration or 500)
    ids = (f"{int(start * 10):016x}", 1, 1, "name", "local", "1:1", "node1", ())
    return AttemptRow(*ids, start, start, end, outcome, 0, None, duration, None, None, {})


def test_attempt_takes_lowest_free_slot() -> None:
    attempts = [attempt(0, 3), attempt(1, 1), attempt(1.5, 4), attempt(2, 1), attempt(3, 1), attempt(9, 1)]
    found = timeline.bars(attempts, 100, live=False)
    assert [(bar.slot, bar.start, bar.end) for bar in found] == [
        *((0, 0, 3), (1, 1, 2), (2, 1.5, 5.5), (1, 2, 3), (0, 3, 4)),
        (0, 9, 10),
    ]


def test_bar_without_known_end() -> None:
    """A running attempt ends now; a lost one with the last known end, as its loss was noticed later."""
    running, lost = attempt(1, None, None), attempt(1, None, Outcome.LOST)
    assert [(bar.status, bar.end) for bar in timeline.bars([attempt(0, 3), running], 7, live=True)][1] == ("running", 7)
    assert [(bar.status, bar.end) for bar in timeline.bars([attempt(0, 3), running], 7, live=False)][1] == ("lost", 3)
    assert [(bar.status, bar.end) for bar in timeline.bars([attempt(0, 3), lost], 7, live=False)][1] == ("lost", 3)


def test_use_of_capacity_over_time(tmp_path: Path) -> None:
    plan = sweep_of(tmp_path, "a: [1, 2, 3]", "resources: {cpu: 1, mem: 256m}")
    record_apply(plan, tmp_path, lambda _: Ending(duration=2), slots=2, capacity={"cpu": 2, "mem": 1 << 30, "gpu": 0})
    report, _, _ = report_of(plan, tmp_path)
    bars = timeline.bars(report.attempts, report.made, live=False)
    used = timeline.use(bars, report.last, report.resources)
    assert {name: [(round(at - BEGIN, 2), share) for at, share in steps] for name, steps in used.items()} == {
        "cpu": [(0, 1.0), (2, 0.0), (2.01, 0.5), (4.01, 0.0)],
        "mem": [(0, 0.5), (2, 0.0), (2.01, 0.25), (4.01, 0.0)],
    }
    altair.VConcatChart.from_dict(timeline.timeline_spec(bars, used), validate=True)
    altair.VConcatChart.from_dict(timeline.timeline_spec(bars, {}), validate=True)


def in_shard(shard: tuple[int, ...], session: Session) -> Ending | None:
    return Ending() if session.index in shard else None


def test_merged_states_share_a_timeline(tmp_path: Path) -> None:
    """The capacity is that of both machines."""
    plan = sweep_of(tmp_path, "a: [1, 2, 3]", "resources: {cpu: 1}")
    for name, shard in (("one", (0, 1)), ("two", (2,))):
        record_apply(plan, tmp_path / name, partial(in_shard, shard), slots=2, host=name)
    with open_for_writing(tmp_path, "sweep") as state:
        for name in ("one", "two"):
            with open_for_reading(tmp_path / name, "sweep") as other:
                assert other is not None
                merge(state, other)
    report, _, _ = report_of(plan, tmp_path)
    bars = timeline.bars(report.attempts, report.made, live=False)
    assert [bar.slot for bar in bars] == [0, 1, 2]
    used = timeline.use(bars, report.last, report.resources)
    assert [share for _, share in used["cpu"]] == [0.75, 0]
    assert "of 2 applies of merged states" in render(report, "/* plots */")


def test_shards_of_different_days_use_own_capacity(tmp_path: Path) -> None:
    """The capacity of a shard counts only while that shard runs."""
    plan = sweep_of(tmp_path, "a: [1, 2, 3]", "resources: {cpu: 1}")
    day = 86400.0
    for name, shard, begin in (("one", (0, 1), BEGIN), ("two", (2,), BEGIN + day)):
        record_apply(plan, tmp_path / name, partial(in_shard, shard), slots=2, host=name, begin=begin)
    with open_for_writing(tmp_path, "sweep") as state:
        for name in ("one", "two"):
            with open_for_reading(tmp_path / name, "sweep") as other:
                assert other is not None
                merge(state, other)
    report, _, _ = report_of(plan, tmp_path)
    bars = timeline.bars(report.attempts, report.made, live=False)
    used = timeline.use(bars, report.last, report.resources)
    assert [(at - BEGIN, share) for at, share in used["cpu"]] == [(0, 1), (1.5, 0), (day, 0.5), (day + 1.5, 0)]
    assert "<dt>last applies</dt><dd><b>3.0s</b>" in sections.overview(report)
    with open_for_reading(tmp_path, "sweep") as state:
        assert state is not None
        assert list(take_snapshot(plan, state).lines()) == ["3 succeeded in 3.0s"]


def test_dead_apply_has_no_duration(tmp_path: Path) -> None:
    plan = sweep_of(tmp_path, "a: [1]")
    with open_for_writing(tmp_path, "sweep") as state:
        state.journal.record(apply_started(BEGIN, plan.recipe))
        report, _, _ = report_of(plan, tmp_path)
        assert "<dd><b>16m 40s</b><small>still running</small></dd>" in sections.overview(report)
    report, _, _ = report_of(plan, tmp_path)
    assert "<dd><b>-</b><small>died before its end</small></dd>" in sections.overview(report)


def test_last_apply_ignores_one_with_nothing_to_run(tmp_path: Path) -> None:
    plan = sweep_of(tmp_path, "a: [1]")
    record_apply(plan, tmp_path, lambda _: Ending())
    record_idle_apply(tmp_path, plan, BEGIN + 100)
    report, _, _ = report_of(plan, tmp_path)
    assert "<dt>last apply</dt><dd><b>1.5s</b>" in sections.overview(report)
    with open_for_reading(tmp_path, "sweep") as state:
        assert state is not None
        assert list(take_snapshot(plan, state).lines()) == ["1 succeeded in 1.5s"]
    record_idle_apply(tmp_path / "new", plan, BEGIN)
    with open_for_reading(tmp_path / "new", "sweep") as state:
        assert state is not None
        assert list(take_snapshot(plan, state).lines()) == ["nothing to run in 4ms"]


def record_idle_apply(folder: Path, plan: Plan, at: float) -> None:
    with open_for_writing(folder, "sweep") as state:
        state.journal.record(replace(apply_started(at, plan.recipe), to_run=0))
        state.journal.record(apply_ended(at + 0.004))


def test_thinned_curve_keeps_its_area() -> None:
    steps = [(float(at), float(at % 2)) for at in range(10_001)]
    thinned = timeline.thinned(steps)
    assert len(thinned) == timeline.MOST_STEPS + 1
    area = sum(level * (after - at) for (at, level), (after, _) in itertools.pairwise(thinned))
    assert area == pytest.approx(5000)
