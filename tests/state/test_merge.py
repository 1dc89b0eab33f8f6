"""Merging states: nothing lost, nothing doubled, in any order, however often, and whenever it is killed."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.errors import EnvironmentFailed
from runner.events import AttemptSubmitted, BuildEnded, BuildStarted
from runner.model import Outcome, Recipe, Session
from runner.state import State, open_at, open_for_writing
from runner.state.merge.files import merge
from runner.state.merge.foreign import open_foreign
from tests.facts import RECIPE, apply_ended, apply_started, ended, session, started
from tests.paths import ROOT
from tests.state.test_state import mounted

A, B, C = session(1), session(2), session(3)
OTHER = Recipe({**RECIPE.parts, "files": {"train.py": "new"}}, "digest-2", RECIPE.sans_files)


@contextmanager
def writing(folder: Path) -> Iterator[State]:
    with open_for_writing(folder.parent, folder.name, folder.parent) as state:
        yield state


def attempt(state: State, one: Session, at: float, outcome: Outcome | None) -> None:
    """One more attempt at a session, which leaves in its log and its output folder which one it was."""
    at, number = float(at), state.journal.next_attempt(one.id)
    name = f"{state.id}-{one.id}-{number}"
    state.journal.record(AttemptSubmitted(at, one, number, name, "local"))
    state.journal.record(started(one, number, at))
    places = state.prepare(one.id, number, "{}")
    places.stdout.write_text(f"{name} {at}")
    (places.output / "result").write_text(f"{name} {at}")
    if outcome is not None:
        state.journal.record(ended(one, outcome, number, at + 0.5))
    state.tidy(one.id, number)


def make(folder: Path, *tried: tuple[Session, float, Outcome | None], recipe: Recipe = RECIPE) -> Path:
    with writing(folder) as state:
        state.journal.record(apply_started(min((at for _, at, _ in tried), default=0), recipe))
        for one in tried:
            attempt(state, *one)
        state.journal.record(apply_ended(99))
    return folder


def copy(folder: Path, to: Path) -> Path:
    shutil.copytree(folder, to)
    return to


def join(target: Path, *folders: Path) -> None:
    with writing(target) as state:
        for folder in folders:
            with open_foreign(folder) as other:
                merge(state, other)


class Tried(NamedTuple):
    number: int
    key: str
    outcome: Outcome | None
    log: str | None


def attempts(folder: Path, one: Session) -> list[Tried]:
    with open_at(folder) as state:
        assert state is not None
        rows = state.journal.attempts(one.id)
        logs = [state.paths(one.id, row.number).stdout for row in rows]
    return [
        Tried(row.number, f"{row.name} {row.submitted}", row.outcome, log.read_text() if log.exists() else None)
        for row, log in zip(rows, logs, strict=True)
    ]


def output(folder: Path, one: Session) -> str:
    return (folder / "output" / one.id / "result").read_text()


def outcomes(folder: Path, one: Session) -> list[Outcome | None]:
    return [tried.outcome for tried in attempts(folder, one)]


def assert_sound(folder: Path, *sessions: Session) -> None:
    """Numbers without a gap, each attempt with its own log, the output of the last one, and one word on where it stands."""
    with open_at(folder) as state:
        assert state is not None
        statuses = state.journal.statuses(live=True)
        assert {path.name for path in folder.iterdir()} & {"merge"} == set()
    for one in sessions:
        tried = attempts(folder, one)
        assert [each.number for each in tried] == list(range(1, len(tried) + 1))
        assert [each.log for each in tried] == [each.key for each in tried]
        assert len({each.key for each in tried}) == len(tried)
        if tried:
            assert output(folder, one) == tried[-1].key
            with open_at(folder) as state:
                assert state is not None
                row = state.journal.row(one.id)
                assert row is not None
                assert (row.number, row.outcome) == (len(tried), tried[-1].outcome)
            assert int(one.id, 16) in statuses


S, F = Outcome.SUCCEEDED, Outcome.FAILED


def test_shards_become_one_state(tmp_path: Path) -> None:
    one = make(tmp_path / "one", (A, 1, S), (B, 2, F), (B, 3, S))
    two = make(tmp_path / "two", (C, 1.5, F), recipe=OTHER)
    join(tmp_path / "all", two, one)
    assert [outcomes(tmp_path / "all", s) for s in (A, B, C)] == [[S], [F, S], [F]]
    assert_sound(tmp_path / "all", A, B, C)
    with open_at(tmp_path / "all") as state:
        assert state is not None
        assert [apply.recipe for apply in state.journal.applies()] == [RECIPE, OTHER]  # as they were merged
        applies = {apply.number: apply.started for apply in state.journal.applies()}
        assert [applies[row.apply] for row in state.journal.attempts(B.id)] == [1, 1]
        (stored,) = state.journal.sessions_matching(B.id, live=False)
        assert (stored.params, stored.exec, stored.repeat) == (B.params, B.exec, B.repeat)
        assert state.journal.nearest(C.point) is not None
        assert state.journal.next_attempt(B.id) == 3


def test_what_is_merged_once_more_changes_nothing(tmp_path: Path) -> None:
    one, two = make(tmp_path / "one", (A, 1, F), (B, 2, S)), make(tmp_path / "two", (A, 3, F))
    join(tmp_path / "all", one, two)
    before = [attempts(tmp_path / "all", s) for s in (A, B)]
    join(tmp_path / "all", two, one, two)
    assert [attempts(tmp_path / "all", s) for s in (A, B)] == before
    with open_at(tmp_path / "all") as state:
        assert state is not None
        assert len(list(state.journal.applies())) == 2


def hosts(folder: Path) -> set[str]:
    """Of the applies that together are the last one."""
    with open_at(folder) as state:
        assert state is not None
        return {apply.host for apply in state.journal.last_applies()}


def applied(folder: Path, host: str, at: float, to_run: int = 7) -> Path:
    with writing(folder) as state:
        state.journal.record(replace(apply_started(at), host=host, to_run=to_run))
        state.journal.record(apply_ended(at + 1))
    return folder


def test_the_last_applies_are_those_of_the_shards_until_another_one_begins(tmp_path: Path) -> None:
    one, two = applied(tmp_path / "one", "one", 1), applied(tmp_path / "two", "two", 2)
    here = applied(tmp_path / "here", "here", 3)
    join(here, one, two)
    join(tmp_path / "all", here)
    assert hosts(here) == hosts(tmp_path / "all") == {"here", "one", "two"}
    join(here, two, one)
    assert hosts(here) == {"here", "one", "two"}
    applied(here, "nothing to do", 4, to_run=0)
    assert hosts(here) == {"here", "one", "two"}
    applied(here, "again", 5)
    assert hosts(here) == {"again"}


def test_an_apply_of_a_shard_that_had_nothing_to_do_is_not_its_last(tmp_path: Path) -> None:
    one, two = applied(tmp_path / "one", "one", 1), applied(tmp_path / "two", "two", 2)
    applied(one, "nothing to do", 3, to_run=0)
    join(tmp_path / "all", one, two)
    assert hosts(tmp_path / "all") == {"one", "two"}


def test_an_apply_that_another_state_went_on_from_is_not_its_last(tmp_path: Path) -> None:
    cache = applied(tmp_path / "cache", "cache", 1)
    one, two = copy(cache, tmp_path / "one"), copy(cache, tmp_path / "two")
    applied(one, "one", 2)
    applied(two, "two", 2)
    for target in (cache, tmp_path / "new"):
        join(target, one, two)
        assert hosts(target) == {"one", "two"}
    applied(one, "next one", 5)
    join(cache, one)
    assert hosts(cache) == {"next one", "two"}
    join(one, copy(two, tmp_path / "copy"))
    assert hosts(one) == {"next one", "two"}
    join(one, tmp_path / "new")  # which knows nothing that is new
    assert hosts(one) == {"next one", "two"}


def test_states_that_grew_from_one_cache_share_what_it_had(tmp_path: Path) -> None:
    """Each job restores the same cache, which makes each a state of its own id, and adds to it."""
    cache = make(tmp_path / "cache", (A, 1, S), (B, 2, F))
    one, two = copy(cache, tmp_path / "one"), copy(cache, tmp_path / "two")
    make(one, (B, 3, S))
    make(two, (C, 4, S))
    for target in (tmp_path / "new", cache):
        join(target, one, two)
        assert [outcomes(target, s) for s in (A, B, C)] == [[S], [F, S], [S]]
        assert_sound(target, A, B, C)


@pytest.mark.parametrize(
    ("here", "there", "expected"),
    [
        ([(1, S)], [(2, F)], [F, S]),  # a success is not replaced by a later failure
        ([(2, S)], [(1, F)], [F, S]),
        ([(1, F)], [(2, S)], [F, S]),
        ([(2, F)], [(1, S)], [F, S]),
        ([(1, F)], [(2, Outcome.TIMED_OUT)], [F, Outcome.TIMED_OUT]),
        ([(2, F)], [(1, Outcome.TIMED_OUT)], [Outcome.TIMED_OUT, F]),
        ([(1, F), (4, F)], [(2, F), (3, S)], [F, F, F, S]),
        ([(1, F), (4, S)], [(2, F), (3, F)], [F, F, F, S]),
    ],
)
def test_of_two_that_do_not_know_of_each_other_a_success_decides_else_the_later_one(
    tmp_path: Path,
    here: list[tuple[float, Outcome]],
    there: list[tuple[float, Outcome]],
    expected: list[Outcome],
) -> None:
    one = make(tmp_path / "one", *((A, *each) for each in here))
    join(one, make(tmp_path / "two", *((A, *each) for each in there)))
    assert outcomes(one, A) == expected
    assert_sound(one, A)


def test_a_failure_that_knows_of_the_success_decides(tmp_path: Path) -> None:
    """`--fresh` ran what had succeeded, and it failed: that is where it stands, in whichever order they meet."""
    one = make(tmp_path / "one", (A, 1, S))
    two = make(copy(one, tmp_path / "two"), (A, 2, F))
    join(tmp_path / "there", two, one)
    join(one, two)
    for folder in (one, tmp_path / "there"):
        assert outcomes(folder, A) == [S, F]
        assert_sound(folder, A)


def test_what_is_known_here_to_be_over_does_not_come_back_with_another_past(tmp_path: Path) -> None:
    """Over there the success is the last one, behind a try that is not known here; here it was followed by a failure."""
    one = make(tmp_path / "one", (A, 2, S))
    two = copy(one, tmp_path / "two")
    join(two, make(tmp_path / "three", (A, 1, Outcome.TIMED_OUT)))
    assert outcomes(two, A) == [Outcome.TIMED_OUT, S]
    make(one, (A, 3, F))
    join(one, two)
    assert outcomes(one, A) == [S, Outcome.TIMED_OUT, F]
    assert_sound(one, A)


def test_one_name_is_two_attempts_where_a_copy_was_taken_for_the_original(tmp_path: Path) -> None:
    """As after a restart of a machine whose file systems got each other's numbers."""
    one = make(tmp_path / "one", (A, 1, F))
    two = copy(one, tmp_path / "two")
    with closing(sqlite3.connect(two / "journal.db")) as journal, journal:
        journal.execute("UPDATE meta SET home = NULL")
    make(one, (A, 2, F))
    make(two, (A, 3, S))
    assert len({tried.key.split()[0] for folder in (one, two) for tried in attempts(folder, A)}) == 2
    join(one, two)
    assert outcomes(one, A) == [F, F, S]
    assert_sound(one, A)


def test_what_has_no_end_is_lost_and_its_end_is_taken_in_later(tmp_path: Path) -> None:
    """The job is known by the other state's id; this one must neither wait for it nor end it."""
    one = make(tmp_path / "one", (A, 1, None))
    with writing(one) as state:
        state.journal.record(BuildStarted(1, "b" * 16, "make", f"{state.id}-build", "slurm"))
    join(tmp_path / "all", one)
    with open_at(tmp_path / "all") as merged:
        assert merged is not None
        assert merged.journal.open_attempts() == []
        assert merged.journal.open_builds() == []
        row = merged.journal.row(A.id)
        assert row is not None
        assert (row.outcome, row.reason) == (Outcome.LOST, "it had not ended when its state was merged into this one")
    with writing(one) as state:
        state.journal.record(ended(A, S, 1, 2))
        state.journal.record(BuildEnded(2, "b" * 16, S, 0, None, 1))
        state.paths(A.id, 1).stdout.write_text("all of it")
        (state.paths(A.id, 1).output / "result").write_text("all of it")
    join(tmp_path / "all", one)
    assert outcomes(tmp_path / "all", A) == [S]
    assert attempts(tmp_path / "all", A)[0].log == output(tmp_path / "all", A) == "all of it"
    with open_at(tmp_path / "all") as merged:
        assert merged is not None
        assert merged.journal.build_succeeded("b" * 16)


def test_an_end_that_is_taken_in_later_goes_with_the_number_that_its_attempt_has_by_then(tmp_path: Path) -> None:
    one = make(tmp_path / "one", (A, 2, None))
    join(tmp_path / "all", one)
    with writing(one) as state:
        state.journal.record(ended(A, S, 1, 3))
        state.paths(A.id, 1).stdout.write_text("all of it")
        (state.paths(A.id, 1).output / "result").write_text("all of it")
    join(one, make(tmp_path / "two", (A, 1, F)))
    join(tmp_path / "all", one)
    for folder in (one, tmp_path / "all"):
        first, last = attempts(folder, A)
        assert (first.outcome, last.outcome) == (F, S)
        assert first.log == first.key
        assert last.log == output(folder, A) == "all of it"


def test_an_attempt_that_runs_on_here_is_not_lost_by_a_copy_that_gave_it_up(tmp_path: Path) -> None:
    one = make(tmp_path / "one", (A, 1, None))
    two = make(copy(one, tmp_path / "two"))
    assert outcomes(two, A) == [Outcome.LOST]
    join(one, two)
    assert outcomes(one, A) == [None]
    with open_at(one) as state:
        assert state is not None
        assert [left.session for left in state.journal.open_attempts()] == [A.id]


def test_of_builds_their_logs_come_along(tmp_path: Path) -> None:
    """What they made does not: carried about as an artifact, a program is no longer executable."""
    build = "0123456789abcdef"
    with writing(tmp_path / "one") as state:
        state.journal.record(apply_started())
        state.journal.record(BuildStarted(1, build, "make", "name", "local"))
        state.build_folder(build).mkdir()
        (state.build_folder(build) / "program").write_text("#!")
        state.build_folder(build).with_suffix(".err").write_text("warning")
        state.journal.record(BuildEnded(2, build, S, 0, None, 1))
    join(tmp_path / "all", tmp_path / "one", tmp_path / "one")
    with open_at(tmp_path / "all") as opened:
        assert opened is not None
        assert opened.journal.build_succeeded(build)
        assert not opened.build_folder(build).exists()
        assert opened.build_folder(build).with_suffix(".err").read_text() == "warning"


def test_plain_files_and_folders_of_outputs_are_copied(tmp_path: Path) -> None:
    one = make(tmp_path / "one", (A, 1, S))
    folder = one / "output" / A.id
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "\udcff").write_bytes(b"\0")
    (folder / "link").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")
    os.utime(folder / "result", (5, 5))
    join(tmp_path / "all", one)
    there = tmp_path / "all" / "output" / A.id
    assert (there / "deep" / "er" / "\udcff").read_bytes() == b"\0"
    assert not os.path.lexists(there / "link")
    assert not (there / "pipe").exists()
    assert (there / "result").stat().st_mtime == 5


def test_folders_that_were_left_out_as_they_were_empty_are_missed_by_nobody(tmp_path: Path) -> None:
    """As artifacts of CI leave them out; they may not be writable, either."""
    one = make(tmp_path / "one", (A, 1, S))
    for part in ("cancel", "params", "builds"):
        shutil.rmtree(one / part)
    shutil.rmtree(one / "output")
    shutil.rmtree(one / "logs")
    (one / "lock").unlink()
    join(tmp_path / "all", one)
    assert outcomes(tmp_path / "all", A) == [S]


def test_a_full_disk_costs_nothing_and_is_not_kept_full(tmp_path: Path) -> None:
    there = make(tmp_path / "there", (A, 2, S), (B, 3, S))
    (there / "output" / B.id / "big").write_bytes(bytes(4 << 20))
    with mounted("-t", "tmpfs", "-o", "size=2m", "tmpfs") as disk:
        here = make(disk / "here", (A, 1, F))
        with pytest.raises(EnvironmentFailed):
            join(here, there)
        assert [outcomes(here, one) for one in (A, B)] == [[F], []]
        assert_sound(here, A)
        (there / "output" / B.id / "big").unlink()
        join(here, there)
        assert [outcomes(here, one) for one in (A, B)] == [[F, S], [S]]
        assert_sound(here, A, B)


Histories = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from([A, B]), st.sampled_from([S, F, Outcome.LOST])), max_size=8
)


@settings(max_examples=40, deadline=None)
@given(Histories, st.integers(0, 3), st.permutations([0, 1, 2]))
def test_any_histories_in_any_order_are_all_there_once(
    history: list[tuple[int, Session, Outcome]], shared: int, order: list[int]
) -> None:
    """Three states, the first `shared` events of which they have in common, and a target that may have them, too."""
    with tempfile.TemporaryDirectory() as name:
        base = make(Path(name) / "base", *((one, at, how) for at, (_, one, how) in enumerate(history[:shared])))
        folders = [copy(base, Path(name) / str(number)) for number in range(4)]
        for at, (number, one, how) in enumerate(history[shared:], shared):
            make(folders[number], (one, at, how))
        before = {
            (one.id, tried.key, tried.outcome)
            for folder in folders
            for one in (A, B)
            for tried in attempts(folder, one)
        }
        join(folders[3], *(folders[number] for number in order))
        after = [(one.id, tried.key, tried.outcome) for one in (A, B) for tried in attempts(folders[3], one)]
        assert sorted(after) == sorted(before)
        assert_sound(folders[3], A, B)


KILLED = """
import itertools, os, shutil, sys
from pathlib import Path
from runner.state.merge.files import merge
from runner.state.merge.foreign import open_foreign
from tests.state.test_merge import writing

here, there, targets = map(Path, sys.argv[1:])
left = 0

def count(event, arguments):
    global left
    if event in ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.listdir", "shutil.copyfile"):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), 9)

for step in itertools.count(1):
    target = targets / str(step)
    shutil.copytree(here, target)
    child = os.fork()
    if child == 0:
        with writing(target) as state, open_foreign(there) as other:
            left = step
            sys.addaudithook(count)
            merge(state, other)
            os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        break
"""


def test_a_merge_that_is_killed_anywhere_is_set_right_by_the_same_merge(tmp_path: Path) -> None:
    """Killed at one touch of the disk after another, until it comes through. The next writer finds what was or what was to
    be, whole: logs, outputs and all.
    """
    here = make(tmp_path / "here", (A, 1, F), (A, 5, S), (B, 1, F), (B, 2, F))
    there = make(tmp_path / "there", (A, 2, F), (A, 3, Outcome.TIMED_OUT), (B, 3, S), (C, 4, S))
    ours, theirs = [outcomes(here, one) for one in (A, B, C)], [outcomes(there, one) for one in (A, B, C)]
    merged: list[list[Outcome | None]] = [[F, F, Outcome.TIMED_OUT, S], [F, F, S], [S]]
    targets = tmp_path / "targets"
    targets.mkdir()
    command = [sys.executable, "-c", KILLED, str(here), str(there), str(targets)]
    (tmp_path / "tmp").mkdir()
    environ = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    subprocess.run(command, cwd=ROOT, env=environ, check=True, timeout=300)
    seen = []
    for target in sorted(targets.iterdir(), key=lambda target: int(target.name)):
        seen.append([outcomes(target, one) for one in (A, B, C)])
        assert seen[-1] in (ours, merged)
        with writing(target):
            assert_sound(target, A, B, C)
        join(target, there)
        assert [outcomes(target, one) for one in (A, B, C)] == merged
        assert_sound(target, A, B, C)
    assert [outcomes(there, one) for one in (A, B, C)] == theirs
    assert seen.count(ours) > 20
    assert seen.count(merged) > 5  # what comes after the transaction
