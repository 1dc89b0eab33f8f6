"""Journals of older versions: migrated in place by a writer, read from a copy by readers."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

import runner
from runner.errors import EnvironmentFailed
from runner.model import Outcome, metric_values
from runner.state import checksums, migration
from runner.state.journal import Journal, open_for_reading, open_for_writing
from runner.state.merge.files import merge
from runner.state.open import open_at
from runner.state.open import open_for_writing as open_state
from runner.state.schema import TABLES, VERSION
from tests.paths import ROOT
from tests.processes import HANG
from tests.state.samples import SAMPLES, restore, version

each_sample = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.stem)


def outcomes(journal: Journal) -> Counter[Outcome | None]:
    sessions = list(journal.orphans(lambda _: False, live=False))
    return Counter(attempt.outcome for session in sessions for attempt in journal.attempts(session.id))


def assert_whole(journal: Journal) -> None:
    """What make.sh has made is there."""
    assert outcomes(journal) == {
        Outcome.SUCCEEDED: 4,
        Outcome.FAILED: 12,
        Outcome.TIMED_OUT: 4,
        Outcome.OUT_OF_MEMORY: 2,
        Outcome.CANCELLED: 2,
        Outcome.LOST: 2,
        None: 2,
    }
    applies = list(journal.applies())
    assert [apply.ended is None for apply in applies] == [True, False, True, False, False]
    assert applies[-1].interrupted is not None
    (recipe,) = {apply.recipe.digest for apply in applies}
    assert [found.count for found in journal.succeeded(recipe)] == [4]
    metrics = [
        metric_values(row.metrics) for _, row in journal.latest(journal.orphans(lambda _: False, live=False)) if row
    ]
    assert metrics.count({"loss": 0.25, "acc": 0.5}) == 2
    assert journal.last_applies() == applies[:1]
    assert len(journal.open_attempts()) == 2
    assert journal.open_builds() == []


def tables(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: list(connection.execute(f"PRAGMA table_info({name})")) for name in sorted(names)}


def test_every_older_version_has_a_sample() -> None:
    """Before VERSION is raised, `tests/state/journals/make.sh` makes a sample of the version so far."""
    assert {version(sample) for sample in SAMPLES} == set(range(migration.OLDEST, VERSION))


@each_sample
def test_writer_migrates_in_place_and_keeps_a_copy(sample: Path, tmp_path: Path) -> None:
    path = restore(sample, tmp_path / "s")
    before = path.read_bytes()
    with open_for_writing(path) as journal:
        assert_whole(journal)
    with open_for_writing(tmp_path / "new.db"):
        assert tables(path) == tables(tmp_path / "new.db")
    with closing(sqlite3.connect(path)) as connection:
        checksums.install(connection)
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert connection.execute("SELECT version FROM meta").fetchone() == (runner.__version__,)
        for table in checksums.COLUMNS:
            final = checksums.FINAL.get(table, "true")
            wrong = f"SELECT count(*) FROM {table} WHERE {final} AND crc IS NOT {checksums.of_row(table)}"
            assert connection.execute(wrong).fetchone() == (0,), table
    copy = tmp_path / "s" / f"journal.db.v{version(sample)}"
    path.unlink()
    copy.rename(path)
    with open_for_reading(path) or pytest.fail("no journal") as journal:
        assert_whole(journal)
    assert len(path.read_bytes()) == len(before)


@each_sample
def test_reader_changes_nothing(sample: Path, tmp_path: Path) -> None:
    path = restore(sample, tmp_path / "s")
    before = path.read_bytes()
    with open_for_reading(path) or pytest.fail("no journal") as journal:
        assert_whole(journal)
    assert path.read_bytes() == before
    assert not (tmp_path / "s" / f"journal.db.v{version(sample)}").exists()


@each_sample
def test_reader_beside_a_live_older_writer(sample: Path, tmp_path: Path) -> None:
    path = restore(sample, tmp_path / "s")
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("UPDATE attempts SET reason = 'committed' WHERE outcome IS NULL")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM attempts")
        with open_for_reading(path) or pytest.fail("no journal") as journal:
            assert_whole(journal)
            (reason,) = {row.reason for left in journal.open_attempts() if (row := journal.row(left.session))}
            assert reason == "committed"
        writer.execute("ROLLBACK")


@each_sample
def test_state_of_an_older_version_is_merged(sample: Path, tmp_path: Path) -> None:
    theirs = restore(sample, tmp_path / "shard" / "sample").parent
    for part in ("logs", "output", "builds"):
        (theirs / part).mkdir()
    before = (theirs / "journal.db").read_bytes()
    with open_state(tmp_path, "sample") as held, open_at(theirs) as other:
        assert other is not None
        union = merge(held, other)
        assert (len(union.sessions), union.copied) == (14, 28)
        assert outcomes(held.journal)[Outcome.LOST] == 4
    assert (theirs / "journal.db").read_bytes() == before


@each_sample
def test_state_of_an_older_version_takes_a_merge(sample: Path, tmp_path: Path) -> None:
    restore(sample, tmp_path / ".runner" / "sample")
    theirs = restore(SAMPLES[-1], tmp_path / "shard" / "sample").parent
    with open_state(tmp_path, "sample") as held, open_at(theirs) as other:
        assert other is not None
        merge(held, other)
        assert len(held.journal.statuses(live=False)) == 14


KILLED = """
import os, shutil, signal, sqlite3, sys
from pathlib import Path
from runner.state.journal import open_for_writing

before, folders = map(Path, sys.argv[1:])
left = -1

def count(*_):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), 9)

def audit(event, arguments):
    if event in ("open", "os.rename", "os.remove"):
        count()

def traced(*arguments, **options):
    connection = connect(*arguments, **options)
    connection.set_trace_callback(count)  # before each statement
    return connection

sys.addaudithook(audit)
connect, sqlite3.connect = sqlite3.connect, traced
for step in range(1, 500):
    folder = folders / str(step)
    shutil.copytree(before, folder)
    child = os.fork()
    if child == 0:
        left = step
        with open_for_writing(folder / "journal.db"):
            os._exit(0)
    if (code := os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])) != -signal.SIGKILL:
        sys.exit(code)
sys.exit("never came through")
"""


def test_migration_that_is_killed_anywhere_is_done_by_the_next_writer(tmp_path: Path) -> None:
    before = restore(SAMPLES[0], tmp_path / "before").parent
    (tmp_path / "killed").mkdir()
    command = [sys.executable, "-c", KILLED, str(before), str(tmp_path / "killed")]
    subprocess.run(command, cwd=ROOT, check=True, timeout=2 * HANG)
    reached = Counter[int]()
    for folder in sorted((tmp_path / "killed").iterdir(), key=lambda folder: int(folder.name)):
        with closing(sqlite3.connect(folder / "journal.db")) as connection:
            reached[connection.execute("PRAGMA user_version").fetchone()[0]] += 1
        with open_for_writing(folder / "journal.db") as journal:
            assert_whole(journal)
        with open_for_reading(folder / "journal.db.v2") or pytest.fail("no copy") as copy:
            assert_whole(copy)
    assert reached[version(SAMPLES[0])] > 20
    assert set(reached) == {version(SAMPLES[0]), VERSION}


def test_full_disk_leaves_the_older_journal(tmp_path: Path) -> None:
    path = restore(SAMPLES[0], tmp_path / "s")
    before = path.read_bytes()
    os.mkdir(f"{path}.v2.new")  # in the way of the copy
    with pytest.raises(EnvironmentFailed) as caught:
        open_for_writing(path)
    assert caught.value.exit_code == 3
    assert path.read_bytes() == before


def test_checksum_covers_every_column() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(TABLES)
        for table, columns in checksums.COLUMNS.items():
            info = [(name, kind) for _, name, kind, *_ in connection.execute(f"PRAGMA table_info({table})")]
            assert [*columns.items(), ("crc", "INTEGER")] == sorted(info, key=lambda column: column[0] == "crc")
