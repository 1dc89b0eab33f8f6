from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import EnvironmentFailed
from runner.events import BuildStarted
from runner.model import Outcome, Status
from runner.state import Kept, State, component, locate, open_for_reading, open_for_writing
from runner.state.fs import refused
from tests.facts import apply_started, ended, session, started, submitted

A, B = session(1), session(2)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with open_for_writing(tmp_path, "s") as opened:
        yield opened


@contextmanager
def mounted(*options: str) -> Iterator[Path]:
    """A file system of its own, where this machine lets us mount one."""
    folder = Path(tempfile.mkdtemp())
    mount = shutil.which("mount")
    if mount is None or sys.platform != "linux":
        pytest.skip("no `mount` here")
    done = subprocess.run([mount, *options, str(folder)], capture_output=True, check=False)
    if done.returncode != 0:
        folder.rmdir()
        pytest.skip(f"may not mount here: {done.stderr.decode(errors='replace').strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


# Where it lies


def test_lies_beside_the_sweep_and_hides_from_git(tmp_path: Path) -> None:
    with open_for_writing(tmp_path, "lr search") as state:
        assert state.folder == tmp_path / ".runner" / "lr search"
        assert state.id == state.journal.state_id
    assert (tmp_path / ".runner" / ".gitignore").read_text() == "*\n"
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    done = subprocess.run(["git", "-C", str(tmp_path), "status", "--porcelain"], capture_output=True, check=True)
    assert done.stdout == b""


def test_state_option_replaces_the_folder(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with open_for_writing(tmp_path, "s", tmp_path / "mine"):
        pass
    assert sorted(file.name for file in (tmp_path / "mine").iterdir()) == ["s"]
    with open_for_writing(tmp_path, "s", tmp_path / "deep" / "new"):
        pass
    assert (tmp_path / "deep" / "new" / ".gitignore").exists()
    assert not (tmp_path / "deep" / ".gitignore").exists()
    assert not (tmp_path / ".runner").exists()


def test_a_gitignore_that_was_removed_stays_removed(tmp_path: Path) -> None:
    with open_for_writing(tmp_path, "s"):
        pass
    (tmp_path / ".runner" / ".gitignore").unlink()
    with open_for_writing(tmp_path, "s"):
        pass
    assert not (tmp_path / ".runner" / ".gitignore").exists()


@pytest.mark.parametrize("name", ["lr-search", "größe 7", "a.b", "x" * 200])
def test_harmless_names_stay_as_they_are(name: str) -> None:
    assert component(name) == name


@pytest.mark.parametrize(
    ("name", "safe"),
    [("a/b", "a%2Fb"), ("..", "%2E."), (".git", "%2Egit"), ("a\0b", "a%00b"), ("50%", "50%25"), ("", "%2E")],
)
def test_other_names_are_escaped(name: str, safe: str) -> None:
    assert component(name) == safe


@given(st.text(st.characters()), st.text(st.characters()))
def test_any_name_is_one_folder_of_its_own(one: str, other: str) -> None:
    folder = locate(Path("/base"), one, None)
    assert folder.parent == Path("/base/.runner")
    assert folder.name not in ("", ".", "..")
    assert len(os.fsencode(folder.name)) <= 255
    assert (component(one) == component(other)) == (one == other)


def test_long_names_stay_apart() -> None:
    one, other = component("ü" * 300 + "1"), component("ü" * 300 + "2")
    assert one != other
    assert max(len(os.fsencode(one)), len(os.fsencode(other))) <= 200


# Who may open it


def test_reading_makes_nothing(tmp_path: Path) -> None:
    with open_for_reading(tmp_path, "s") as found:
        assert found is None
    assert list(tmp_path.iterdir()) == []


def test_reading_beside_the_writer(tmp_path: Path, state: State) -> None:
    state.journal.record(apply_started())
    state.journal.record(submitted(A))
    with open_for_reading(tmp_path, "s") as found:
        assert found is not None
        assert found.id == state.id
        assert found.holder is not None
        assert found.holder.pid == os.getpid()
        assert found.journal.statuses(live=True) == {int(A.id, 16): Status.RUNNING}


def test_one_writer_at_a_time(tmp_path: Path, state: State) -> None:
    with pytest.raises(EnvironmentFailed, match="holds the state"), open_for_writing(tmp_path, "s"):
        pass
    with open_for_writing(tmp_path, "another"):
        pass


def test_the_id_stays(tmp_path: Path) -> None:
    """Also when the folder is moved: it is the same state."""
    ids = []
    for name in ("s", "s", "moved"):
        with open_for_writing(tmp_path, name) as state:
            ids.append(state.id)
        if len(ids) == 2:
            state.folder.rename(state.folder.with_name("moved"))
    assert ids[0] == ids[1] == ids[2]


def test_a_copy_becomes_a_state_of_its_own(tmp_path: Path) -> None:
    """Its jobs are the original's: in the copy they are lost, in the original they are as they were."""
    build = BuildStarted(2.5, "b", "make", "name", "local")
    with open_for_writing(tmp_path, "s") as state:
        for event in (apply_started(), submitted(A), build, submitted(B), ended(B)):
            state.journal.record(event)
    shutil.copytree(state.folder, state.folder.with_name("copy"))
    with open_for_writing(tmp_path, "copy") as copy:
        assert copy.id != state.id
        assert copy.journal.open_attempts() == []
        assert copy.journal.open_builds() == []
        row = copy.journal.row(A.id)
        assert row is not None
        assert (row.outcome, row.reason) == (Outcome.LOST, "this state is a copy, made before it ended")
        assert copy.journal.statuses(live=True) == {
            int(A.id, 16): Status.INTERRUPTED,
            int(B.id, 16): Status.SUCCEEDED,
        }
        copied = copy.id
    with open_for_writing(tmp_path, "copy") as copy:
        assert copy.id == copied
    with open_for_writing(tmp_path, "s") as original:
        assert original.id == state.id
        assert len(original.journal.open_attempts()) == len(original.journal.open_builds()) == 1


# An attempt's things


def test_prepare_and_tidy_of_a_silent_session(state: State) -> None:
    places = state.prepare(A.id, 1, '{"x": "ü\ud800"}')
    assert places == state.paths(A.id, 1)
    assert places.output.is_dir()
    assert places.params.read_bytes() == '{"x": "ü\ud800"}'.encode("utf-8", "surrogatepass")
    places.stdout.touch()
    places.stderr.touch()
    state.tidy(A.id, 1)
    for path in (places.stdout, places.stderr, places.output, places.params):
        assert not path.exists()
    state.tidy(A.id, 1)
    assert state.kept(A.id, 1) == Kept(stdout=False, stderr=False, output=False)


def test_tidy_keeps_what_was_written(state: State) -> None:
    places = state.prepare(A.id, 2, "{}")
    places.stdout.write_text("hello")
    places.stderr.touch()
    (places.output / "model.bin").write_text("weights")
    state.tidy(A.id, 2)
    assert state.kept(A.id, 2) == Kept(stdout=True, stderr=False, output=True)
    assert state.kept(A.id, 1) == Kept(stdout=False, stderr=False, output=True)
    assert not places.stderr.exists()


def test_output_lasts_over_attempts_until_it_is_emptied(state: State) -> None:
    checkpoint = state.prepare(A.id, 1, "{}").output / "deep" / "checkpoint"
    checkpoint.parent.mkdir()
    checkpoint.touch()
    state.prepare(A.id, 2, "{}")
    assert checkpoint.exists()
    places = state.prepare(A.id, 3, "{}", empty=True)
    assert list(places.output.iterdir()) == []


def a_file(path: Path) -> None:
    path.write_text("a program may do this")


def a_dangling_link(path: Path) -> None:
    path.symlink_to("nowhere")


def a_link_to_itself(path: Path) -> None:
    path.symlink_to(path)


def a_tree(path: Path) -> None:
    (path / "deep").mkdir(parents=True)
    (path / "deep" / "file").touch()


@pytest.mark.parametrize("put", [a_file, a_dangling_link, a_link_to_itself])
@pytest.mark.parametrize("empty", [False, True])
def test_whatever_a_session_makes_of_its_output_folder(state: State, put: Callable[[Path], None], empty: bool) -> None:
    output = state.prepare(A.id, 1, "{}").output
    output.rmdir()
    put(output)
    state.tidy(A.id, 1)
    assert state.kept(A.id, 1).output == (put is a_file)
    assert state.output_size(A.id) >= 0
    assert list(state.prepare(A.id, 2, "{}", empty=empty).output.iterdir()) == []
    assert not output.is_symlink()


@pytest.mark.parametrize("put", [a_file, a_dangling_link, a_link_to_itself, a_tree])
def test_whatever_a_session_makes_of_its_params_and_logs(
    state: State, tmp_path: Path, put: Callable[[Path], None]
) -> None:
    places = state.prepare(A.id, 1, "{}")
    places.params.unlink()
    for path in (places.params, places.stdout):
        put(path)
    state.prepare(A.id, 1, '{"x": 1}')
    assert places.params.read_text() == '{"x": 1}'
    assert not places.params.is_symlink()
    places.params.unlink()
    put(places.params)
    state.tidy(A.id, 1)
    assert not places.params.is_symlink()
    assert not places.params.exists()
    state.kept(A.id, 1)
    state.remove_sessions([A.id])
    assert list(state.logs()) == []
    assert list(tmp_path.glob("**/nowhere")) == []


def test_what_a_session_has_closed_is_emptied_and_removed_all_the_same(foreign: Path) -> None:
    foreign.chmod(0o777)

    def act() -> None:
        with open_for_writing(foreign, "s") as state:
            output = state.prepare(A.id, 1, "{}").output
            a_tree(output)
            (output / "deep").chmod(0)
            output.chmod(0)
            state.tidy(A.id, 1)
            assert state.kept(A.id, 1).output
            state.output_size(A.id)
            state.prepare(A.id, 2, "{}")
            output.chmod(0o700)
            assert list(state.prepare(A.id, 3, "{}", empty=True).output.iterdir()) == []
            a_tree(output)
            (output / "deep").chmod(0o500)
            state.remove_sessions([A.id])
            assert not output.exists()

    as_nobody(act)


def test_missing_folder_is_an_empty_one(state: State) -> None:
    """Archives of a CI job leave out empty folders."""
    for part in ("logs", "builds"):
        (state.folder / part).rmdir()
    assert list(state.logs()) == []
    assert state.builds() == frozenset()


def test_log_that_a_live_apply_removes_is_left_out(state: State) -> None:
    for one in ("0" * 16, "1" * 16):
        (state.folder / "logs" / f"{one}.1.out").write_text("x")
    logs = state.logs()
    first = next(logs)
    for path in (state.folder / "logs").iterdir():
        path.unlink()
    assert [first, *logs] == [first]


def test_remove_logs_and_sessions(state: State) -> None:
    for one in (A, B):
        for attempt in (1, 2):
            places = state.prepare(one.id, attempt, "{}")
            places.stdout.write_text("x" * attempt)
            (places.output / "file").write_text("y" * 5000)
    logs = sorted(state.logs(), key=lambda log: log.path)
    assert [(log.session, log.size) for log in logs] == sorted((one.id, n) for one in (A, B) for n in (1, 2))
    assert all(log.modified > 0 for log in logs)
    usage = state.disk_usage()
    assert set(usage) == {"journal", "logs", "output", "builds", "inputs"}
    assert usage["output"] > state.output_size(A.id) >= 5000
    state.remove_logs([log for log in logs if log.path.name == f"{A.id}.1.out"])
    assert state.kept(A.id, 1).stdout is False
    state.remove_sessions([A.id, "0" * 16])
    assert {log.session for log in state.logs()} == {B.id}
    assert not state.paths(A.id, 1).output.exists()
    assert state.kept(B.id, 2) == Kept(stdout=True, stderr=False, output=True)
    assert state.disk_usage()["output"] < usage["output"]


# Requests of `runner cancel`


def test_cancel_requests_arrive_once_and_in_order(tmp_path: Path, state: State) -> None:
    assert state.take_cancel_requests() == []
    with open_for_reading(tmp_path, "s") as other:
        assert other is not None
        other.request_cancel([A.id, B.id])
        other.request_cancel([])
        other.request_cancel(None)
    assert state.take_cancel_requests() == [frozenset((A.id, B.id)), frozenset(), None]
    assert state.take_cancel_requests() == []


def test_requests_to_an_apply_that_has_ended_are_dropped(tmp_path: Path) -> None:
    with open_for_writing(tmp_path, "s"):
        pass
    with open_for_reading(tmp_path, "s") as found:
        assert found is not None
        found.request_cancel(None)
    with open_for_writing(tmp_path, "s") as state:
        assert state.take_cancel_requests() == []


# What the world refuses


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / ".runner").touch()
    wanted = r"not a directory|file exists"
    with pytest.raises(EnvironmentFailed, match=wanted) as caught, open_for_writing(tmp_path, "s"):
        pass
    assert str(tmp_path / ".runner") in caught.value.message
    assert "move that file away" in (caught.value.hint or "")
    with open_for_reading(tmp_path, "s") as found:
        assert found is None


def test_read_only_file_system() -> None:
    with mounted("-t", "tmpfs", "tmpfs") as folder:
        with open_for_writing(folder, "s") as state:
            state.journal.record(apply_started())
            state.journal.record(submitted(A))
            shutil.copytree(state.folder, folder / ".runner" / "killed")
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        with pytest.raises(EnvironmentFailed, match="read-only") as caught, open_for_writing(folder, "s"):
            pass
        assert caught.value.exit_code == 3
        assert "--state" in (caught.value.hint or "")
        for name in ("s", "killed"):
            with open_for_reading(folder, name) as found:
                assert found is not None
                assert found.holder is None
                assert len(found.journal.statuses(live=False)) == 1
                with pytest.raises(EnvironmentFailed):
                    found.request_cancel(None)


def as_nobody(act: Callable[[], None]) -> None:
    """Run it in a child without our privileges, and raise if it failed."""
    if os.geteuid() != 0:
        pytest.skip("only root can act as somebody else")
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            act()
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.fixture
def foreign() -> Iterator[Path]:
    """A folder of ours that others may look into and not write to."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
        yield Path(folder)


def test_somebody_elses_state_can_be_read(foreign: Path) -> None:
    def read(live: bool) -> None:
        with open_for_reading(foreign, "s") as found:
            assert found is not None
            assert (found.holder is not None) == live
            assert found.journal.statuses(live) == {int(A.id, 16): Status.RUNNING if live else Status.INTERRUPTED}

    with open_for_writing(foreign, "s") as state:
        state.journal.record(apply_started())
        state.journal.record(submitted(A))
        as_nobody(lambda: read(live=True))
    before = sorted((foreign / ".runner" / "s").iterdir())
    as_nobody(lambda: read(live=False))
    assert sorted((foreign / ".runner" / "s").iterdir()) == before


def test_somebody_elses_state_with_changes_of_a_killed_writer(foreign: Path) -> None:
    """Better no answer than one without the last outcomes."""
    with open_for_writing(foreign, "s") as state:
        state.journal.record(apply_started())
        killed = foreign / ".runner" / "killed"
        killed.mkdir()
        for name in ("journal.db", "journal.db-wal"):
            shutil.copy(state.folder / name, killed)

    def read() -> None:
        with pytest.raises(EnvironmentFailed, match="cannot open"), open_for_reading(foreign, "killed"):
            pass

    as_nobody(read)
    with open_for_reading(foreign, "killed") as found:
        assert found is not None
        assert found.journal.last_apply() is not None


def test_somebody_elses_state_cannot_be_written(foreign: Path) -> None:
    with open_for_writing(foreign, "s"):
        pass

    def write() -> None:
        for name in ("s", "new"):
            with pytest.raises(EnvironmentFailed, match="permission denied"), open_for_writing(foreign, name):
                pass

    as_nobody(write)


def test_no_state_on_a_full_disk() -> None:
    with mounted("-t", "tmpfs", "-o", "size=32k", "tmpfs") as folder:
        with (
            pytest.raises(EnvironmentFailed, match=r"disk is full|no space") as caught,
            open_for_writing(folder, "s"),
        ):
            pass
        assert "free some space" in (caught.value.hint or "")
        with open_for_reading(folder, "s") as found:
            assert found is None


def test_full_disk_loses_nothing_recorded() -> None:
    """Fill the disk while recording; what `record` returned from is there after the death of the writer, too."""
    recorded: list[str] = []

    def record_for_ever(state: State) -> None:
        for one in map(session, range(100_000)):
            state.journal.record(submitted(one))
            state.journal.record(started(one))
            state.journal.record(ended(one))
            recorded.append(one.id)

    def prepare_for_ever(state: State) -> None:
        for one in map(session, range(10_000)):
            state.prepare(one.id, 1, "x" * 4096)

    with (
        mounted("-t", "tmpfs", "-o", "size=1m", "tmpfs") as folder,
        tempfile.TemporaryDirectory() as elsewhere,
    ):
        with open_for_writing(folder, "s") as state:
            state.journal.record(apply_started())
            with pytest.raises(EnvironmentFailed, match="disk is full") as caught:
                record_for_ever(state)
            assert caught.value.exit_code == 3
            assert "nothing recorded is lost" in (caught.value.hint or "")
            assert len(state.journal.statuses(live=True)) >= len(recorded) > 0
            with pytest.raises(EnvironmentFailed, match="no space"):
                prepare_for_ever(state)
            shutil.copytree(folder / ".runner" / "s", Path(elsewhere) / ".runner" / "s")
        with open_for_writing(Path(elsewhere), "s") as moved:
            statuses = moved.journal.statuses(live=False)
            assert all(statuses[int(one, 16)] is Status.SUCCEEDED for one in recorded)
            moved.journal.record(apply_started())


@pytest.mark.parametrize(
    ("code", "hint"), [(errno.ENOSPC, "free some space"), (errno.EACCES, "--state"), (errno.EIO, None)]
)
def test_what_the_system_says_in_our_words(code: int, hint: str | None) -> None:
    error = refused(OSError(code, os.strerror(code)), "/some/path")
    assert error.message.startswith("cannot use `/some/path`: ")
    assert not error.message.endswith(".")
    assert (hint is None and error.hint is None) or (hint is not None and hint in (error.hint or ""))
