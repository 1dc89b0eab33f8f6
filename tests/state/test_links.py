"""Nothing below a state is followed through a link."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from runner.errors import EnvironmentFailed
from runner.reporters.streams import copy_from
from runner.results.failures import last_lines
from runner.state import State, open_at, open_for_writing
from runner.state.folders import Folder, open_file
from runner.state.fs import remove, replacing
from tests.facts import session

A = session(1)
PARTS = ("logs", "output", "params", "builds", "cancel", "jobs", "merge")
FILES = ("journal.db", "journal.db-wal", "journal.db-shm", "journal.db-journal", "lock")


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with open_for_writing(tmp_path, "s", tmp_path) as opened:
        yield opened


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A folder of somebody's with a file."""
    folder = tmp_path / "victim"
    folder.mkdir()
    (folder / f"{A.id}.1.out").write_text("precious")
    return folder


def precious(victim: Path) -> bool:
    return (victim / f"{A.id}.1.out").read_text() == "precious"


@pytest.mark.parametrize("name", [*PARTS, *FILES])
def test_state_with_a_link_in_place_of_a_part_is_not_opened(tmp_path: Path, victim: Path, name: str) -> None:
    with open_for_writing(tmp_path, "s", tmp_path):
        pass
    place = tmp_path / "s" / name
    if place.is_dir():
        place.rmdir()
    place.unlink(missing_ok=True)
    place.symlink_to(victim)
    with pytest.raises(EnvironmentFailed, match="symbolic link"), open_at(tmp_path / "s"):
        pass
    with pytest.raises(EnvironmentFailed, match="symbolic link"), open_for_writing(tmp_path, "s", tmp_path):
        pass
    assert precious(victim)


@pytest.mark.parametrize("name", ["journal.db", "lock"])
def test_pipe_in_place_of_a_file_is_not_opened(tmp_path: Path, name: str) -> None:
    """Opening it would block."""
    (tmp_path / "s").mkdir()
    os.mkfifo(tmp_path / "s" / name)
    with pytest.raises(EnvironmentFailed, match="not a regular file"), open_at(tmp_path / "s"):
        pass


@pytest.mark.parametrize("part", ["logs", "output", "builds"])
def test_folder_that_becomes_a_link_under_a_live_apply(state: State, victim: Path, part: str) -> None:
    (state.folder / part).rmdir()
    (state.folder / part).symlink_to(victim)
    for act in (
        lambda: state.remove_sessions([A.id]),
        lambda: state.remove_logs(state.logs()),
        lambda: deque(map(state.remove_build, [*state.builds(), A.id])),
    ):
        with suppress(EnvironmentFailed):  # two of them do not touch this part
            act()
    assert precious(victim)
    assert last_lines(state.folder / part / f"{A.id}.1.out", 1) == []


def test_prepare_replaces_links(state: State, victim: Path) -> None:
    file = victim / f"{A.id}.1.out"
    places = state.paths(A.id, 1)
    places.output.symlink_to(victim)
    for path in (places.params, places.stdout, places.stderr):
        path.symlink_to(file)
    state.prepare(A.id, 1, "{}")
    assert precious(victim)
    assert places.output.is_dir()
    assert not any(path.is_symlink() for path in places._fields and [places.output, places.params])
    assert not places.stdout.is_symlink()


def test_prepare_removes_a_log_that_is_in_the_way(state: State, tmp_path: Path) -> None:
    """A pipe would block, a second name of another file would be written to, a folder cannot be opened."""
    other = tmp_path / "other"
    other.write_text("original")
    places = state.paths(A.id, 1)
    os.link(other, places.stdout)
    os.mkfifo(places.stderr)
    state.prepare(A.id, 1, "{}")
    assert not places.stdout.exists()
    assert not places.stderr.exists()
    places.stdout.mkdir()
    state.prepare(A.id, 1, "{}")
    assert not places.stdout.exists()


def test_linked_log_counts_as_missing(state: State, victim: Path, tmp_path: Path) -> None:
    places = state.paths(A.id, 1)
    places.stderr.symlink_to(victim / f"{A.id}.1.out")
    places.output.symlink_to(victim)
    assert not state.kept(A.id, 1).stderr
    assert not state.kept(A.id, 1).output
    assert last_lines(places.stderr, 5) == []
    with (tmp_path / "out").open("wb") as out, pytest.raises(OSError, match="symbolic"):
        copy_from(places.stderr, 0, out)


def test_linked_build_is_not_built(state: State, victim: Path) -> None:
    state.build_folder(A.id).symlink_to(victim)
    assert not state.has_build(A.id)
    state.remove_build(A.id)
    assert precious(victim)


def test_names_that_are_no_digests_belong_to_nothing(state: State) -> None:
    """A dotfile in `builds` was the build of the empty name, which is the folder itself."""
    for name in (".DS_Store", ".nfs0001", "notes", f"{A.id}.out", A.id):
        (state.folder / "builds" / name).touch()
    for name in (".x.1.out", "x.1.out", A.id, f"{A.id}.1.out"):
        (state.folder / "logs" / name).touch()
    assert state.builds() == {A.id}
    assert [log.path.name for log in state.logs()] == [f"{A.id}.1.out"]


@pytest.mark.parametrize("content", ["{", "7", '"x"', "[1]", "{}", "[" * 100_000, "\udcff"])
def test_request_that_is_none_is_removed_and_ignored(state: State, content: str) -> None:
    (state.folder / "cancel" / "1.json").write_bytes(os.fsencode(content))
    (state.folder / "cancel" / "2.json").symlink_to("/etc/hostname")
    (state.folder / "cancel" / "3.json").mkdir()
    os.mkfifo(state.folder / "cancel" / "4.json")
    state.request_cancel([A.id])
    assert state.take_cancel_requests() == [frozenset([A.id])]
    assert os.listdir(state.folder / "cancel") == []


def test_remove_does_not_follow_links(tmp_path: Path, victim: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "deep").mkdir(parents=True)
    (tree / "deep" / "link").symlink_to(victim)
    (tree / "deep").chmod(0o500)
    remove(tree)
    assert not tree.exists()
    (tmp_path / "linked").symlink_to(victim)
    with pytest.raises(OSError, match=r"[Nn]ot a directory|symbolic"):
        remove(tmp_path / "linked" / f"{A.id}.1.out")
    remove(tmp_path / "linked")
    assert precious(victim)


def test_only_regular_files_are_opened(tmp_path: Path, victim: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(victim / f"{A.id}.1.out")
    for name in ("pipe", "link", "victim"):
        with pytest.raises(OSError):  # noqa: PT011  # the errors differ, and no descriptor is left open
            open_file(tmp_path / name)
    with Folder(tmp_path) as folder, folder.folder("victim") as inner, open(inner.open(f"{A.id}.1.out")) as file:
        assert file.read() == "precious"


def test_replacing_keeps_the_old_file_after_an_error(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with suppress(RuntimeError), replacing(path) as file:
        file.write(b"new")
        raise RuntimeError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]
    with replacing(path, flush=True) as file:
        file.write(json.dumps({}).encode())
    assert path.read_text() == "{}"
    with pytest.raises(FileNotFoundError) as caught, replacing(tmp_path / "none" / "x"):
        pass
    assert caught.value.filename == str(tmp_path / "none" / "x")
