from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from runner.errors import EnvironmentFailed
from runner.events import (
    ApplyInterrupted,
    ApplyWaiting,
    AttemptAccepted,
    AttemptAdopted,
    AttemptWaiting,
    BuildEnded,
    BuildStarted,
    Event,
    StopReached,
)
from runner.model import STATUS_AFTER, Metrics, Missing, Outcome, Recipe, Status, Usage, Value
from runner.state.host import here
from runner.state.journal import Journal, open_for_reading, open_for_writing
from tests.facts import RECIPE, apply_ended, apply_started, ended, session, started, submitted

A, B, C = session(1), session(2), session(3)
OTHER_FILES = Recipe({**RECIPE.parts, "files": {"train.py": "new"}}, "digest-2", RECIPE.sans_files)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with open_for_writing(path) as opened:
        yield opened


def record(journal: Journal, *events: Event) -> None:
    for event in events:
        journal.record(event)


def reopened(path: Path) -> Journal:
    journal = open_for_reading(path)
    assert journal is not None
    return journal


def number(session_id: str) -> int:
    return int(session_id, 16)


# What is recorded comes back


def test_an_attempt_comes_back_whole(journal: Journal) -> None:
    metrics: Metrics = {
        "loss": Value("0.25", 0.25),
        "text": Value("NaN", "NaN"),
        "steps": Value(str(10**30), 10**30),
        "version": Value("1.10", 1.1),
        "none": Missing("no match on stdout"),
        "unread": Missing("`m.json` cannot be read", unread=True),
    }
    record(
        journal,
        apply_started(),
        submitted(A),
        AttemptAccepted(2.5, A.id, 1, "77:88"),
        AttemptWaiting(2.6, A.id, 1, "queue is \udcff full"),
    )
    waiting = journal.row(A.id)
    assert waiting is not None
    assert (waiting.job, waiting.reason, waiting.outcome) == ("77:88", "queue is \\udcff full", None)
    record(journal, started(A, devices=("0", "3")))
    running = journal.row(A.id)
    assert running is not None
    assert (running.started, running.reason) == (3.0, None)
    record(journal, replace(ended(A, Outcome.TIMED_OUT), metrics=metrics))
    row = journal.row(A.id)
    assert row is not None
    assert row._asdict() == {
        "session": A.id,
        "number": 1,
        "apply": 1,
        "name": f"state-{A.id}-1",
        "backend": "local",
        "job": "1:99",
        "host": "node1",
        "devices": ("0", "3"),
        "submitted": 2.0,
        "started": 3.0,
        "ended": 4.0,
        "outcome": Outcome.TIMED_OUT,
        "exit_code": 1,
        "reason": "it timed-out",
        "duration": 1.5,
        "cpu_time": 0.25,
        "max_rss": 1 << 33,
        "metrics": metrics,
        "retry_at": None,
        "definitions": "- - - - - -",
    }
    assert journal.row(B.id) is None


def test_an_apply_comes_back_whole(journal: Journal) -> None:
    assert journal.last_apply() is None
    start = replace(apply_started(), capacity={"cpu": Fraction(3, 2), "mem": 1 << 40}, dirty=None, max_parallel=None)
    record(journal, start)
    running = journal.last_apply()
    assert running is not None
    assert (running.ended, running.outcomes, running.not_run, running.usage) == (None, {}, None, None)
    for reason in ("gpu 0 is in use by pid 1", None, "gpu 1 is in use by pid 2"):
        record(journal, ApplyWaiting(2.0, reason))
        assert (waiting := journal.last_apply()) is not None
        assert waiting.waiting == reason
    counts = {Outcome.SUCCEEDED: 3, Outcome.TIMED_OUT: 1}
    usage = Usage(2.5, {"cpu": 0.75}, {"cpu": 0.5, "mem": 0.25})
    record(
        journal,
        StopReached(5.0, "3 failed"),
        ApplyInterrupted(6.0, "SIGINT", now=True),
        apply_ended(7.0, counts, 2, usage),
    )
    row = journal.last_apply()
    assert row is not None
    for name in set(start.__slots__) - {"definitions"}:
        assert getattr(row, "started" if name == "at" else name) == getattr(start, name)
    assert (row.number, row.stopped, row.interrupted, row.ended) == (1, "3 failed", "SIGINT", 7.0)
    assert row.waiting is None
    assert (row.outcomes, row.not_run, row.usage) == (counts, 2, usage)
    record(journal, apply_started(at=9.0, recipe=OTHER_FILES))
    assert [(apply.number, apply.recipe) for apply in journal.applies()] == [(2, OTHER_FILES), (1, RECIPE)]


def test_a_stored_session_comes_back_whole(journal: Journal) -> None:
    shell = B._replace(exec="train 'x' \0")
    code = C._replace(exec=None)
    record(journal, apply_started(), submitted(A), submitted(shell), submitted(code), ended(A))
    found = list(journal.orphans(lambda _: False, live=True))
    for stored, one in zip(found, (A, shell, code), strict=True):
        assert (stored.id, stored.point, stored.repeat) == (one.id, one.point, one.repeat)
        assert (stored.params, stored.exec, stored.attempts) == (one.params, one.exec, 1)
    assert [stored.status for stored in found] == [Status.SUCCEEDED, Status.RUNNING, Status.RUNNING]


def test_attempts_are_numbered_over_a_sessions_life(journal: Journal) -> None:
    assert journal.next_attempt(A.id) == 1
    record(journal, apply_started(), submitted(A), ended(A, Outcome.FAILED), submitted(A, 2), ended(A, attempt=2))
    assert journal.next_attempt(A.id) == 3
    record(journal, apply_started(), submitted(A, 3), started(A, 3))
    assert [(row.number, row.apply, row.outcome) for row in journal.attempts(A.id)] == [
        (1, 1, Outcome.FAILED),
        (2, 1, Outcome.SUCCEEDED),
        (3, 2, None),
    ]
    row = journal.row(A.id)
    assert row is not None
    assert (row.number, row.job, row.outcome) == (3, "3:99", None)


def test_the_next_apply_settles_what_was_left_open(path: Path) -> None:
    with open_for_writing(path) as first:
        record(first, apply_started(), submitted(A), started(A), submitted(B), submitted(C), ended(C))
        state = first.state_id
    with open_for_writing(path) as second:
        assert second.state_id == state
        assert [(one.session, one.number, one.job, one.started) for one in second.open_attempts()] == [
            (A.id, 1, "1:99", 3.0),
            (B.id, 1, None, None),
        ]
        record(
            second,
            apply_started(),
            AttemptAdopted(5.0, B, 1, "slurm 7"),
            ended(A, Outcome.LOST),
            submitted(A, 2),
        )
        assert [(one.session, one.number, one.job) for one in second.open_attempts()] == [
            (A.id, 2, None),
            (B.id, 1, "slurm 7"),
        ]
        record(second, ended(B))
        assert second.statuses(live=True) == {
            number(A.id): Status.RUNNING,
            number(B.id): Status.SUCCEEDED,
            number(C.id): Status.SUCCEEDED,
        }
    # Somebody who only ends left-over jobs settles them without an apply.
    with open_for_writing(path) as third:
        record(third, ended(A, Outcome.CANCELLED, attempt=2))
        assert third.statuses(live=False)[number(A.id)] is Status.INTERRUPTED


def test_a_late_end_of_an_older_attempt_is_not_the_last_word(journal: Journal) -> None:
    record(journal, apply_started(), submitted(A), submitted(A, 2), ended(A, Outcome.LOST))
    assert journal.statuses(live=True) == {number(A.id): Status.RUNNING}


def test_an_attempt_nobody_submitted_is_a_mistake(journal: Journal) -> None:
    record(journal, apply_started(), submitted(A))
    for event in (started(B), ended(A, attempt=2)):
        with pytest.raises(LookupError):
            journal.record(event)
    assert journal.statuses(live=True) == {number(A.id): Status.RUNNING}
    record(journal, ended(A))
    assert journal.statuses(live=True) == {number(A.id): Status.SUCCEEDED}


def test_nearest_is_the_last_tried_with_the_same_variables(journal: Journal) -> None:
    newer = session(1, OTHER_FILES)
    assert A.point == newer.point
    record(journal, apply_started(), submitted(A), ended(A), submitted(B))
    record(journal, apply_started(recipe=OTHER_FILES), submitted(newer, at=9.0), ended(newer, Outcome.FAILED))
    found = journal.nearest(A.point)
    assert found is not None
    assert (found.id, found.outcome, found.recipe) == (newer.id, Outcome.FAILED, OTHER_FILES)
    never_ended = journal.nearest(B.point)
    assert never_ended is not None
    assert never_ended.outcome is None
    assert journal.nearest(C.point) is None


def test_done_points_leave_files_out_of_account(journal: Journal) -> None:
    newer = session(3, OTHER_FILES)
    record(journal, apply_started(), submitted(A), ended(A), submitted(B), ended(B, Outcome.FAILED))
    record(journal, apply_started(recipe=OTHER_FILES), submitted(newer), ended(newer))
    assert journal.done_points(RECIPE.sans_files) == {number(A.point), number(C.point)}
    assert journal.done_points("another") == set()


def test_latest_follows_the_plan_whatever_its_size(journal: Journal) -> None:
    sessions = [session(at) for at in range(1203)]
    record(journal, apply_started())
    for one in sessions[::2]:
        record(journal, submitted(one))
    rows = list(journal.latest(iter(sessions)))
    assert [one for one, _ in rows] == sessions
    assert [row.session if row else None for _, row in rows] == [
        None if at % 2 else one.id for at, one in enumerate(sessions)
    ]
    assert list(journal.latest([])) == []


def test_sessions_are_found_by_prefix(journal: Journal) -> None:
    sessions = [session(at) for at in range(40)]
    record(journal, apply_started(), *map(submitted, sessions))
    ids = sorted(one.id for one in sessions)
    for prefix in (*"0123456789abcdef", "A", ids[0][:3], ids[7], "0" * 16, "f" * 16):
        expected = [one for one in ids if one.startswith(prefix.lower())]
        assert [one.id for one in journal.sessions_matching(prefix, live=True)] == expected[:10]
    assert len(journal.sessions_matching(ids[0][:1], live=True, limit=1)) == 1
    for nonsense in ("", "xyz", "lr=1", "0" * 17, "é"):
        assert journal.sessions_matching(nonsense, live=True) == []


def test_builds(journal: Journal) -> None:
    record(journal, apply_started())
    assert not journal.build_succeeded("b1")
    record(journal, BuildStarted(2.0, "b1", "make", "s-b1-x", "local"))
    assert not journal.build_succeeded("b1")
    record(journal, BuildEnded(3.0, "b1", Outcome.SUCCEEDED, 0, None, 1.0))
    assert journal.build_succeeded("b1")
    record(journal, apply_started(), BuildStarted(4.0, "b1", "make", "s-b1-y", "local"))
    record(journal, BuildEnded(5.0, "b1", Outcome.FAILED, 2, "no compiler", 1.0))
    assert not journal.build_succeeded("b1")


def test_order_is_that_of_the_journal_when_the_clock_was_set_back(journal: Journal) -> None:
    older, newer = A, session(1, OTHER_FILES)
    record(journal, apply_started(at=1000.0), BuildStarted(1001.0, "b1", "make", "s-b1-x", "local"))
    record(journal, BuildEnded(1002.0, "b1", Outcome.SUCCEEDED, 0, None, 1.0))
    record(journal, submitted(older, at=1003.0), ended(older, at=1004.0), apply_ended(1005.0))
    record(journal, apply_started(at=1.0, recipe=OTHER_FILES), BuildStarted(2.0, "b1", "make", "s-b1-y", "local"))
    record(journal, BuildEnded(3.0, "b1", Outcome.FAILED, 2, None, 1.0))
    record(journal, submitted(newer, at=4.0), ended(newer, Outcome.FAILED, at=5.0), apply_ended(6.0))
    assert not journal.build_succeeded("b1")
    assert [apply.number for apply in journal.applies()] == [2, 1]
    assert [apply.number for apply in journal.last_applies()] == [2]
    found = journal.nearest(older.point)
    assert found is not None
    assert found.id == newer.id


def test_a_build_that_was_left_open_is_settled_by_a_later_apply(path: Path) -> None:
    with open_for_writing(path) as first:
        record(first, apply_started(), BuildStarted(2.0, "b1", "make", "s-b1-x", "slurm"))
        record(first, BuildStarted(2.0, "b2", "make", "s-b2-x", "local"))
        record(first, BuildEnded(3.0, "b2", Outcome.SUCCEEDED, 0, None, 1.0))
    with open_for_writing(path) as second:
        record(second, apply_started())
        [left] = second.open_builds()
        assert (left.build, left.name, left.backend) == ("b1", "s-b1-x", "slurm")
        assert left.machine is not None
        record(second, BuildEnded(4.0, "b1", Outcome.LOST, None, "runner died", None))
        assert second.open_builds() == []
        assert second.build_succeeded("b2")
        record(second, BuildStarted(5.0, "b1", "make", "s-b1-y", "slurm"))
        assert [left.name for left in second.open_builds()] == ["s-b1-y"]


def test_what_is_open_knows_the_machine_of_its_apply(path: Path) -> None:
    with open_for_writing(path) as journal:
        record(journal, submitted(A))
        assert [left.machine for left in journal.open_attempts()] == [None]
        record(journal, apply_started(), submitted(A, 2))
        assert [left.machine for left in journal.open_attempts()] == [here()._replace(host="node1")]


def test_empty_is_without_sessions(journal: Journal) -> None:
    record(journal, apply_started())
    assert journal.empty
    record(journal, submitted(A))
    empty = journal.empty
    assert not empty


def test_forget_drops_sessions_and_gives_back_space(journal: Journal, path: Path) -> None:
    sessions = [session(at)._replace(exec="x" * 3000) for at in range(300)]
    record(journal, apply_started(), *map(submitted, sessions), *map(ended, sessions))
    journal.forget([])
    before = path.stat().st_size
    gone, kept = sessions[5:], sessions[:5]
    journal.forget([one.id for one in gone] + [session(999).id])
    assert path.stat().st_size < before / 5
    assert set(journal.statuses(live=False)) == {number(one.id) for one in kept}
    assert journal.attempts(gone[0].id) == []
    assert journal.next_attempt(gone[0].id) == 1
    record(journal, submitted(gone[0]), ended(gone[0]))
    assert journal.attempts(gone[0].id)[0].outcome is Outcome.SUCCEEDED
    assert journal.last_apply() is not None


# It survives


EVENTS: list[Event] = [
    apply_started(),
    BuildStarted(1.1, "b", "make", "s-b-z", "local"),
    BuildEnded(1.2, "b", Outcome.SUCCEEDED, 0, None, 0.1),
    submitted(A),
    AttemptAccepted(2.1, A.id, 1, "1:99"),
    AttemptWaiting(2.2, A.id, 1, "quota"),
    started(A),
    ended(A, Outcome.FAILED),
    submitted(B),
    submitted(A, 2),
    AttemptAdopted(2.3, A, 2, "5"),
    started(A, 2),
    ended(A, attempt=2),
    StopReached(5.0, "enough"),
    ApplyWaiting(5.05, "gpu 0 is in use"),
    ApplyInterrupted(5.1, "SIGTERM", now=False),
    ended(B, Outcome.CANCELLED),
    apply_ended(6.0, {Outcome.SUCCEEDED: 1, Outcome.CANCELLED: 1}),
]


@pytest.mark.parametrize("cut", range(len(EVENTS) + 1))
def test_cut_after_any_event_and_resumed(tmp_path: Path, cut: int) -> None:
    """What stands on the disk after each event, as a killed writer leaves it, is whole, and can be gone on with."""
    (tmp_path / "live").mkdir()
    with open_for_writing(tmp_path / "live" / "journal.db") as journal:
        record(journal, *EVENTS[:cut])
        expected = journal.statuses(live=False), journal.open_attempts(), list(journal.applies())
        shutil.copytree(tmp_path / "live", tmp_path / "killed")
    with open_for_writing(tmp_path / "killed" / "journal.db") as resumed:
        assert (resumed.statuses(live=False), resumed.open_attempts(), list(resumed.applies())) == expected
        record(resumed, apply_started(at=10.0))
        for left in resumed.open_attempts():
            one = {A.id: A, B.id: B}[left.session]
            record(resumed, ended(one, Outcome.LOST, left.number))
            record(resumed, submitted(one, left.number + 1), ended(one, attempt=left.number + 1))
        assert Status.RUNNING not in resumed.statuses(live=True).values()
        assert resumed.open_attempts() == []


WRITE_FOR_EVER = """
import sys
from pathlib import Path
from runner.state.journal import open_for_writing
from tests.facts import apply_started, ended, session, submitted
with open_for_writing(Path(sys.argv[1])) as journal:
    journal.record(apply_started())
    for number in range(10**9):
        one = session(number)
        journal.record(submitted(one))
        journal.record(ended(one))
        print(number, flush=True)
"""


def test_what_is_noted_lasts_from_its_commit_on(journal: Journal, path: Path) -> None:
    record(journal, apply_started())
    journal.note(submitted(A))
    journal.note(started(A))
    with reopened(path) as reader:
        assert reader.attempts(A.id) == []
        journal.commit()
        assert [row.started for row in reader.attempts(A.id)] == [3.0]
    journal.commit()


def test_an_event_that_cannot_be_noted_takes_back_what_was_not_committed(journal: Journal) -> None:
    """The caller gets an error, nothing since the last commit is recorded, and the journal stays usable."""
    record(journal, apply_started(), submitted(A))
    journal.note(submitted(B))
    with pytest.raises(LookupError):
        journal.note(started(C))
    journal.commit()
    assert [len(journal.attempts(one.id)) for one in (A, B)] == [1, 0]
    record(journal, submitted(B), ended(B))
    assert len(journal.attempts(B.id)) == 1


def test_read_beside_a_writer_and_killed_with_nothing_lost(path: Path) -> None:
    command = [sys.executable, "-c", WRITE_FOR_EVER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            done = int(line)
            if done % 25 == 0:
                with reopened(path) as reader:
                    statuses = reader.statuses(live=True)
                    assert all(statuses[number(session(at).id)] is Status.SUCCEEDED for at in range(done + 1))
                    assert reader.row(session(done).id) is not None
            if done == 300:
                writer.send_signal(signal.SIGKILL)
                break
        said = done + len(writer.stdout.readlines())
    with open_for_writing(path) as journal:
        statuses = journal.statuses(live=False)
        assert all(statuses[number(session(at).id)] is Status.SUCCEEDED for at in range(said + 1))
        assert journal.open_attempts() == [] or len(journal.open_attempts()) == 1


class AnyHistory(RuleBasedStateMachine):
    """For any legal order of events, and with the journal reopened at any time, the statuses are the model's."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.journal = open_for_writing(self.folder / "journal.db")
        self.journal.record(apply_started())
        self.attempts: dict[int, list[Outcome | None]] = {}

    def teardown(self) -> None:
        if hasattr(self, "journal"):
            with self.journal:
                shutil.rmtree(self.folder)

    def open(self) -> list[int]:
        return [at for at, outcomes in self.attempts.items() if outcomes[-1] is None]

    @rule(at=st.integers(0, 5))
    def submit(self, at: int) -> None:
        outcomes = self.attempts.setdefault(at, [])
        if not outcomes or outcomes[-1] is not None:
            outcomes.append(None)
            assert self.journal.next_attempt(session(at).id) == len(outcomes)
            self.journal.record(submitted(session(at), len(outcomes)))

    @precondition(lambda self: self.open())
    @rule(data=st.data(), outcome=st.none() | st.sampled_from(Outcome))
    def go_on(self, data: st.DataObject, outcome: Outcome | None) -> None:
        at = data.draw(st.sampled_from(self.open()))
        attempt = len(self.attempts[at])
        self.attempts[at][-1] = outcome
        self.journal.record(started(session(at), attempt) if outcome is None else ended(session(at), outcome, attempt))

    @rule(ordinary=st.booleans())
    def reopen(self, ordinary: bool) -> None:
        if ordinary:
            self.journal.__exit__(None, None, None)
        else:
            killed = self.folder / "killed"
            killed.mkdir()
            for file in self.folder.glob("journal.db*"):
                shutil.copy(file, killed)
            self.journal.__exit__(None, None, None)
            for file in killed.iterdir():
                file.replace(self.folder / file.name)
            killed.rmdir()
        self.journal = open_for_writing(self.folder / "journal.db")
        self.journal.record(apply_started())

    @rule(at=st.integers(0, 5))
    def forget(self, at: int) -> None:
        if at not in self.open():
            self.attempts.pop(at, None)
            self.journal.forget([session(at).id])

    @invariant()
    def says_what_happened(self) -> None:
        if not hasattr(self, "journal"):
            return
        for live, running in ((True, Status.RUNNING), (False, Status.INTERRUPTED)):
            assert self.journal.statuses(live) == {
                number(session(at).id): STATUS_AFTER[outcomes[-1]] if outcomes[-1] else running
                for at, outcomes in self.attempts.items()
            }
        assert {one.session for one in self.journal.open_attempts()} == {session(at).id for at in self.open()}
        for at, outcomes in self.attempts.items():
            assert [row.outcome for row in self.journal.attempts(session(at).id)] == outcomes


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(deadline=None, max_examples=30, stateful_step_count=25)


# It refuses


def test_no_journal_is_no_journal(path: Path) -> None:
    assert open_for_reading(path) is None
    assert list(path.parent.iterdir()) == []


def test_newer_version(path: Path) -> None:
    with open_for_writing(path):
        pass
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute("UPDATE meta SET version = '7.1.0'")
    for opener in (open_for_reading, open_for_writing):
        with pytest.raises(EnvironmentFailed, match=r"was written by runner 7\.1\.0 \(journal version 99;") as caught:
            opener(path)
        assert caught.value.exit_code == 3
        assert (caught.value.hint or "").startswith("use runner 7.1.0 or newer")


@pytest.mark.parametrize("change", ["UPDATE meta SET version = NULL", "DROP TABLE meta", "DELETE FROM meta"])
def test_newer_version_that_does_not_name_its_runner(path: Path, change: str) -> None:
    with open_for_writing(path):
        pass
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute(change)
    with pytest.raises(EnvironmentFailed, match="was written by a newer runner") as caught:
        open_for_reading(path)
    assert (caught.value.hint or "").startswith("upgrade runner")


@pytest.mark.parametrize("version", [0, 1])
def test_version_that_was_never_released(path: Path, version: int) -> None:
    with open_for_writing(path):
        pass
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    for opener in (open_for_reading, open_for_writing):
        with pytest.raises(EnvironmentFailed, match=f"has journal version {version}") as caught:
            opener(path)
        assert "--state DIR" in (caught.value.hint or "")


@pytest.mark.parametrize("content", [b"", b"not a database at all, but long enough to have a header" * 40])
def test_file_that_is_no_journal(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    for opener in (open_for_reading, open_for_writing):
        with pytest.raises(EnvironmentFailed) as caught:
            opener(path)
        assert "move it away" in (caught.value.hint or "") or "runner doctor" in (caught.value.hint or "")
    assert path.read_bytes() == content


def test_damaged_pages(path: Path) -> None:
    with open_for_writing(path) as journal:
        record(journal, apply_started(), *(submitted(session(at)) for at in range(200)))
    content = bytearray(path.read_bytes())
    content[32768:] = b"\xa5" * (len(content) - 32768)  # behind the schema
    path.write_bytes(content)
    with open_for_writing(path) as journal, pytest.raises(EnvironmentFailed, match="damaged") as caught:
        journal.statuses(live=False)
    assert "runner doctor --state" in (caught.value.hint or "")


def test_log_of_a_deleted_journal_is_not_taken_for_the_new_ones(tmp_path: Path, path: Path) -> None:
    (tmp_path / "old").mkdir()
    with open_for_writing(tmp_path / "old" / "journal.db") as old:
        record(old, apply_started(), submitted(A))
        shutil.copy(tmp_path / "old" / "journal.db-wal", tmp_path)
    with open_for_writing(path) as fresh:
        assert fresh.empty
        record(fresh, apply_started(), submitted(B))
        assert set(fresh.statuses(live=True)) == {number(B.id)}


def test_a_half_made_journal_is_made_anew(path: Path) -> None:
    path.with_name("journal.db.new").write_bytes(b"half")
    path.with_name("journal.db.new-journal").write_bytes(b"half")
    with open_for_writing(path) as journal:
        assert len(journal.state_id) == 12
    assert [file.name for file in path.parent.iterdir()] == ["journal.db"]


def test_a_journal_opened_to_be_read_takes_no_events(path: Path) -> None:
    with open_for_writing(path):
        pass
    with reopened(path) as reader, pytest.raises(EnvironmentFailed, match="cannot open or write"):
        reader.record(apply_started())
