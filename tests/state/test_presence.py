"""Files of a state that are removed, replaced or cut short: under its writer, or between two of them."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from runner.errors import EnvironmentFailed
from runner.model import Status
from runner.state import State, lock, open_for_reading, open_for_writing
from runner.state.check import check
from tests.facts import apply_started, ended, session, submitted
from tests.paths import ROOT
from tests.processes import HANG
from tests.state.test_state import as_nobody

A, B = session(1), session(2)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with open_for_writing(tmp_path, "s") as state:
        state.journal.record(apply_started())
        state.journal.record(submitted(A))
        yield state


def remove(path: Path) -> None:
    path.unlink()


def replace(path: Path) -> None:
    copy = path.with_name("copy")
    shutil.copyfile(path, copy)
    copy.rename(path)


def rename(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))


def empty(path: Path) -> None:
    os.truncate(path, 0)


@pytest.mark.parametrize("act", [remove, replace, rename])
@pytest.mark.parametrize("name", ["journal.db", "journal.db-wal", "journal.db-shm"])
def test_lost_file_is_noticed_by_the_next_commit(state: State, name: str, act: Callable[[Path], None]) -> None:
    act(state.folder / name)
    with pytest.raises(EnvironmentFailed, match=f"{name}` was re(moved|placed) while runner used it") as caught:
        state.journal.record(ended(A))
    assert caught.value.exit_code == 3


def test_wal_that_was_cut_short_is_noticed(state: State) -> None:
    empty(state.folder / "journal.db-wal")
    with pytest.raises(EnvironmentFailed, match=r"journal\.db-wal` was cut short"):
        state.journal.presence.require()


@pytest.mark.parametrize("act", [shutil.rmtree, rename], ids=["removed", "renamed"])
def test_lost_folder_is_noticed(state: State, act: Callable[[Path], None]) -> None:
    act(state.folder)
    with pytest.raises(EnvironmentFailed, match="was removed while runner used it"):
        state.journal.record(ended(A))


def test_journal_that_becomes_smaller_on_purpose_is_not_lost(state: State) -> None:
    state.journal.forget([A.id])
    state.journal.record(submitted(B))


# The lock


@pytest.mark.parametrize("act", [remove, replace, rename])
def test_lost_lock_is_taken_again(state: State, act: Callable[[Path], None]) -> None:
    act(state.folder / "lock")
    state.journal.record(ended(A))
    found = lock.holder(state.folder)
    assert found is not None
    assert found.pid == os.getpid()


def test_lock_that_another_process_has_taken_ends_the_writer(state: State) -> None:
    (state.folder / "lock").unlink()
    with lock.hold(state.folder), pytest.raises(EnvironmentFailed, match="lock` was replaced while runner used it"):
        state.journal.record(ended(A))


@pytest.mark.parametrize("act", [remove, replace])
def test_writer_without_its_lock_keeps_others_out(state: State, tmp_path: Path, act: Callable[[Path], None]) -> None:
    act(state.folder / "lock")
    refused = pytest.raises(EnvironmentFailed, match=r"another process uses .*, and the lock that it holds was removed")
    with refused as caught, open_for_writing(tmp_path, "s"):
        pass
    assert f"fuser {state.folder / 'journal.db'}" in (caught.value.hint or "")
    state.journal.record(ended(A))


def test_copied_state_opens_beside_its_original(state: State, tmp_path: Path) -> None:
    shutil.copytree(state.folder, tmp_path / "copy" / "s")
    with open_for_writing(tmp_path, "s", tmp_path / "copy") as copy:
        assert copy.id != state.id


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o600), (0o002, 0o660), (0o077, 0o600), (0o000, 0o666)])
def test_only_those_who_may_write_can_lock(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        with lock.hold(tmp_path):
            assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) == mode
    finally:
        os.umask(before)


def test_lock_of_an_older_runner_is_closed_to_readers(tmp_path: Path) -> None:
    (tmp_path / "lock").touch(mode=0o644)
    with lock.hold(tmp_path):
        assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) == 0o600


def test_another_user_sees_whether_it_is_held() -> None:
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)

    def look() -> None:
        assert lock.holder(folder) == lock.Holder()

    def look_again() -> None:
        assert lock.holder(folder) is None

    try:
        with lock.hold(folder):
            as_nobody(look)
        as_nobody(look_again)
    finally:
        shutil.rmtree(folder)


# Between two writers

KILLED = """
import os, signal, sys
from pathlib import Path
from runner.state import open_for_writing
from tests.state.test_presence import A, apply_started, ended, submitted

with open_for_writing(Path(sys.argv[1]), "s") as state:
    for event in (apply_started(), submitted(A), ended(A)):
        state.journal.record(event)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """The state of a writer that was killed."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, check=False, timeout=HANG)
    assert done.returncode == -signal.SIGKILL
    return tmp_path / ".runner" / "s"


def statuses(folder: Path) -> list[Status]:
    with open_for_reading(folder.parent.parent, "s") as state:
        assert state is not None
        return list(state.journal.statuses(live=False).values())


def test_what_a_killed_writer_has_recorded_is_there(killed: Path) -> None:
    assert statuses(killed) == [Status.SUCCEEDED]
    with open_for_writing(killed.parent.parent, "s"):
        pass
    assert not (killed / "journal.db-wal").exists()
    assert statuses(killed) == [Status.SUCCEEDED]


def test_lost_wal_of_a_killed_writer_is_noticed_until_it_is_accepted(killed: Path) -> None:
    for suffix in ("-wal", "-shm"):
        (killed / f"journal.db{suffix}").rename(killed / f"kept{suffix}")
    for _ in range(2):  # a refused writer leaves it as it is
        with pytest.raises(EnvironmentFailed, match=r"journal\.db-wal` is missing") as caught:
            statuses(killed)
        with pytest.raises(EnvironmentFailed), open_for_writing(killed.parent.parent, "s"):
            pass
    assert f"runner doctor --state {killed}" in (caught.value.hint or "")
    (killed / "kept-wal").rename(killed / "journal.db-wal")
    assert statuses(killed) == [Status.SUCCEEDED]
    (killed / "journal.db-wal").unlink()
    assert check(killed).misses_wal
    assert statuses(killed) == []


def test_wal_that_another_program_has_written_into_the_journal_is_not_missed(killed: Path) -> None:
    """`sqlite3 journal.db 'SELECT …'` does so when it ends. The writer that comes next records all of that."""
    journal = killed / "journal.db"
    with closing(sqlite3.connect(journal)) as connection:
        connection.execute("SELECT * FROM meta").fetchall()
    assert not (killed / "journal.db-wal").exists()
    written = journal.stat().st_mtime
    os.utime(killed, (written, written + 10))  # the WAL was removed later
    with pytest.raises(EnvironmentFailed, match="is missing"):
        statuses(killed)
    os.utime(killed, (written, written + 0.01))  # a busy disk may have taken longer
    with open_for_writing(killed.parent.parent, "s"):
        pass
    assert statuses(killed) == [Status.SUCCEEDED]


@pytest.mark.parametrize("error", [None, KeyError("a mistake of ours"), KeyboardInterrupt()])
def test_writer_that_ends_misses_nothing(tmp_path: Path, error: BaseException | None) -> None:
    with suppress(KeyError, KeyboardInterrupt), open_for_writing(tmp_path, "s") as state:
        state.journal.record(apply_started())
        if error is not None:
            raise error
    assert not lock.misses_wal(tmp_path / ".runner" / "s")
    assert (tmp_path / ".runner" / "s" / "lock").read_bytes() == b""


@pytest.mark.parametrize("part", ["logs", "output", "builds"])
def test_lost_journal_is_noticed(tmp_path: Path, part: str) -> None:
    with open_for_writing(tmp_path, "s") as state:
        (state.folder / part / "something").touch()
    (state.folder / "journal.db").unlink()
    with pytest.raises(EnvironmentFailed, match=r"journal\.db` is missing") as caught:
        statuses(state.folder)
    with pytest.raises(EnvironmentFailed), open_for_writing(tmp_path, "s"):
        pass
    assert f"move `{state.folder}` away" in (caught.value.hint or "")


def test_state_that_was_never_completed_is_made(tmp_path: Path) -> None:
    for part in ("logs", "output", "builds", "params"):
        (tmp_path / ".runner" / "s" / part).mkdir(parents=True)
    with open_for_writing(tmp_path, "s") as state:
        assert state.journal.empty
