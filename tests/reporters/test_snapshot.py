"""`status` shows from the state what the apply itself shows."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from runner.config.load import load
from runner.diagnostics import Source
from runner.events import (
    ApplyInterrupted,
    ApplyStarted,
    AttemptEnded,
    AttemptStarted,
    AttemptSubmitted,
    AttemptWaiting,
    Event,
    StopReached,
)
from runner.model import Outcome, Session, Usage
from runner.plan.plan import Plan
from runner.reporters.html.report import read_report
from runner.reporters.progress.block import render
from runner.reporters.progress.snapshot import take_snapshot
from runner.reporters.progress.summary import cause_lines
from runner.reporters.progress.tracker import Tracker
from runner.results.rows import results
from runner.state import open_for_reading, open_for_writing
from runner.state.merge.files import merge
from tests.journalled import BEGIN, Ending, record_apply
from tests.reporters.test_streams import shell


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    text = "name: s\nexec: [echo, $x]\nranges: {x: 'range:40'}\nresources: {cpu: 2}\ncapacity: {cpu: 16}\n"
    return Plan.of(load(Source("s.yaml", text), tmp_path))


def facts(plan: Plan) -> list[Event]:
    """Twenty have ended, every fifth failed; four run, two are queued, two wait for a retry."""
    about = (40, 40, "local", {"cpu": 16}, 8, "node1", "ada", 4711, "0.1.0", None, None, "", plan.recipe)
    events: list[Event] = [ApplyStarted(BEGIN, "s", *about)]
    for session in list(plan)[:28]:
        at = BEGIN + session.index
        events.append(AttemptSubmitted(at, session, 1, f"n-{session.id}-1", "local"))
        if session.index not in (24, 25):
            events.append(AttemptStarted(at, session.id, 1, "1:1", "node1", ()))
        else:
            events.append(AttemptWaiting(at, session.id, 1, "no room"))
        if session.index < 20:
            bad = session.index % 5 == 0
            outcome, reason = (Outcome.FAILED, "exit code 1") if bad else (Outcome.SUCCEEDED, None)
            events.append(AttemptEnded(at + 3, session.id, 1, outcome, int(bad), reason, 3.0, None, None, {}, None))
        if session.index > 25:
            failed = (Outcome.FAILED, 1, "exit code 1")
            events.append(AttemptEnded(at + 3, session.id, 1, *failed, 3.0, None, None, {}, 100.0))
    return events


def test_snapshot_of_live_apply_equals_tracker(tmp_path: Path, plan: Plan) -> None:
    seen = Tracker()
    with open_for_writing(tmp_path, "s") as state:
        for event in facts(plan):
            state.journal.record(event)
            seen.take(event)
        with open_for_reading(tmp_path, "s") as read:
            assert read is not None
            found = take_snapshot(plan, read)
            statuses = Counter(result.status for result in results(plan, read))
            explained = read_report(plan, read, "s.yaml", None, BEGIN + 60, "0.1.0").causes
            planned = Counter(state.journal.statuses(live=True).values())
    assert found.live
    assert statuses == {"succeeded": 16, "failed": 4, "running": 8, "new": 12}
    assert planned == {"succeeded": 16, "failed": 4, "running": 8}
    assert [len(one.cause.failures) for one in explained] == [4]
    now = BEGIN + 60
    block = [line.plain for line in render(found.tracker, now, 100)]
    assert block == [line.plain for line in render(seen, now, 100)]
    assert block[1].startswith("16 succeeded  4 failed  2 retries  4 running  2 waiting")
    assert "  2 waiting to be tried again, next in 1m 09s" in block
    assert [kind.count for kind in found.tracker.causes.values()] == [4]


@pytest.mark.parametrize("end", ["death", "a stop", "an interruption"])
def test_cancelled_retry_counts_as_failure(tmp_path: Path, plan: Plan, end: str) -> None:
    with open_for_writing(tmp_path, "s") as state:
        for event in facts(plan):
            state.journal.record(event)
        if end != "death":
            reached = (
                StopReached(BEGIN + 60, "4 failed") if end == "a stop" else ApplyInterrupted(BEGIN + 60, "", False)
            )
            state.journal.record(reached)
            with open_for_reading(tmp_path, "s") as read:
                assert read is not None
                found = take_snapshot(plan, read)
    if end == "death":
        with open_for_reading(tmp_path, "s") as read:
            assert read is not None
            found = take_snapshot(plan, read)
    assert not found.tracker.retries_due
    assert found.tracker.outcomes[Outcome.FAILED] == 6


def test_lines_of_ended_apply(tmp_path: Path, plan: Plan) -> None:
    def tell(session: Session) -> Ending:
        if session.index % 4:
            return Ending(duration=9.99)
        return Ending(Outcome.FAILED, 1, stderr=f"boom {session.index}\n", duration=9.99)

    usage = Usage(99.0, {"cpu": 0.5}, {"cpu": 0.25})
    record_apply(plan, tmp_path, tell, slots=4, capacity={"cpu": 16}, usage=usage)
    with open_for_reading(tmp_path, "s") as read:
        assert read is not None
        found = take_snapshot(plan, read)
    assert list(found.lines()) == [
        "30 succeeded, 10 failed in 1m 40s",
        "in use: cpu 50%; no resource was a bottleneck",
    ]
    lines = list(
        cause_lines(found.tracker.causes.values(), lambda kind, stream: f"logs {kind.example.session} {stream}")
    )
    assert lines[0] == "10 failed, 1 cause"
    assert lines[2] == "10 failed (exit code 1), such as x=0:"
    assert lines[3] == "    boom 0"
    assert lines[4] == f"  see: logs {next(iter(plan)).id} stderr"


def test_status_repeats_summary_of_apply(tmp_path: Path) -> None:
    """The sessions run one after another, so that cpu limits the apply."""
    (tmp_path / "sweep.yaml").write_text(
        "exec: [sh, -c, 'sleep 0.6; exit $1', sh, $x]\nranges: {x: [0, 0, 3], y: [1]}\n"
        "env: {Y: $y}\nresources: {cpu: 2}\ncapacity: {cpu: 2}\n"
    )
    said = shell(tmp_path, "runner apply").stderr.splitlines()
    counts = next(at for at, line in enumerate(said) if line.startswith("1 succeeded, 1 failed in "))
    assert "limited by cpu" in said[counts + 1]
    found = shell(tmp_path, "runner status").stdout.splitlines()
    assert said[counts:] == [line for line in found if not line.startswith(("sweep: ", "last apply: "))]


def test_merged_states_share_a_summary(tmp_path: Path, plan: Plan) -> None:
    """A session of both states counts once; the time is that in which any apply ran."""
    halves = {"one": range(21), "two": range(20, 38)}
    for name, half in halves.items():
        usage = Usage(len(half), {"cpu": 0.5 if name == "one" else 1.0}, {"cpu": 0.25})
        record_apply(plan, tmp_path / name, partial(tell_of, half), slots=1, host=name, usage=usage)
    with open_for_writing(tmp_path, "s") as state:
        for name in halves:
            with open_for_reading(tmp_path / name, "s") as other:
                assert other is not None
                merge(state, other)
    with open_for_reading(tmp_path, "s") as read:
        assert read is not None
        found = take_snapshot(plan, read)
        assert {apply.host for apply in found.applies} == set(halves)
        assert list(found.lines()) == [
            "38 succeeded, 2 not run in 31.7s",
            "in use: cpu 73%; no resource was a bottleneck",
        ]


def tell_of(half: range, session: Session) -> Ending | None:
    return Ending() if session.index in half else None


def test_no_lines_before_first_apply(tmp_path: Path, plan: Plan) -> None:
    with open_for_writing(tmp_path, "s"):
        pass
    with open_for_reading(tmp_path, "s") as read:
        assert read is not None
        assert list(take_snapshot(plan, read).lines()) == []
