"""The pool reuses unchanged files of ended attempts and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.reporters.streams import copy_from
from runner.state import AttemptPaths, Kept, State, open_for_writing
from tests.facts import session

A, B, C = (session(n).id for n in (1, 2, 3))


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with open_for_writing(tmp_path, "s") as opened:
        yield opened


def run(state: State, one: str, params: str = "{}", attempt: int = 1) -> AttemptPaths:
    """Run an attempt that writes nothing: its backend opens its streams."""
    places = state.prepare(one, attempt, params)
    places.stdout.touch()
    places.stderr.touch()
    return places


def inode_numbers(places: AttemptPaths) -> set[int]:
    return {path.lstat().st_ino for path in (places.stdout, places.stderr, places.output, places.params)}


def test_unchanged_files_are_reused(state: State) -> None:
    first = run(state, A, '{"x": "a longer text"}')
    inodes = inode_numbers(first)
    state.tidy(A, 1, drained=True)
    second = run(state, B, '{"x": 1}')
    assert inode_numbers(second) == inodes
    assert second.params.read_text() == '{"x": 1}'
    assert not any(path.exists() for path in (first.stdout, first.stderr, first.output, first.params))
    assert state.kept(A, 1) == Kept(stdout=False, stderr=False, output=False)


def test_files_of_a_job_not_drained_are_removed(state: State) -> None:
    first = run(state, A)
    kept = os.open(first.stdout, os.O_WRONLY)
    state.tidy(A, 1)
    assert not first.stdout.exists()
    second = run(state, B)
    os.write(kept, b"late")
    os.close(kept)
    assert second.stdout.read_bytes() == second.stderr.read_bytes() == b""


def test_retry_reuses_its_own_files(state: State) -> None:
    inodes = inode_numbers(run(state, A))
    state.tidy(A, 1, drained=True)
    again = run(state, A, attempt=2)
    assert inode_numbers(again) == inodes
    run(state, B)
    assert all(path.exists() for path in (again.stdout, again.stderr, again.output, again.params))


def test_output_folder_with_files_is_never_replaced(state: State) -> None:
    (run(state, A).output / "checkpoint").touch()
    state.tidy(A, 1, drained=True)
    run(state, B)
    state.tidy(B, 1, drained=True)
    assert (run(state, A, attempt=2).output / "checkpoint").exists()
    assert run(state, C).output.is_dir()


def chmod_logs(places: AttemptPaths) -> None:
    places.stdout.chmod(0o600)
    places.stderr.chmod(0o400)


def link_logs(places: AttemptPaths) -> None:
    os.link(places.stdout, places.output.parent / "mine")
    os.link(places.stderr, places.output.parent / "mine too")


def replace_logs(places: AttemptPaths) -> None:
    for path in (places.stdout, places.stderr):
        path.unlink()
        path.symlink_to("/dev/null")


def write_logs(places: AttemptPaths) -> None:
    places.stdout.write_text("a")
    places.stderr.write_text("b")


@pytest.mark.parametrize("do", [chmod_logs, link_logs, replace_logs, write_logs])
def test_changed_logs_are_not_reused(state: State, do: Callable[[AttemptPaths], None]) -> None:
    first = run(state, A)
    do(first)
    state.tidy(A, 1, drained=True)
    second = run(state, B)
    for log in (second.stdout, second.stderr):
        assert log.is_file()
        assert not log.is_symlink()
        assert log.stat().st_nlink == 1
        assert log.read_bytes() == b""
        assert log.stat().st_mode == second.params.stat().st_mode


def close_both(places: AttemptPaths) -> None:
    places.output.chmod(0o500)
    places.params.chmod(0o400)


def fill_both(places: AttemptPaths) -> None:
    (places.output / "sub").mkdir()
    places.params.write_text("x" * 100_000)


def link_both(places: AttemptPaths) -> None:
    places.output.rmdir()
    places.output.symlink_to("/tmp")
    places.params.unlink()
    places.params.symlink_to("/dev/null")


@pytest.mark.parametrize("do", [close_both, fill_both, link_both])
def test_changed_output_and_params_are_not_reused(state: State, do: Callable[[AttemptPaths], None]) -> None:
    do(run(state, A))
    state.tidy(A, 1, drained=True)
    second = run(state, B, '{"x": 2}')
    assert list(second.output.iterdir()) == []
    assert second.output.stat().st_mode & 0o777 == 0o777 & ~current_umask()
    assert second.params.read_text() == '{"x": 2}'
    assert not second.params.is_symlink()
    assert not second.output.is_symlink()


def current_umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def test_pool_files_removed_by_others_are_created_again(state: State) -> None:
    first = run(state, A)
    state.tidy(A, 1, drained=True)
    for path in (first.stdout, first.stderr, first.params):
        path.unlink()
    first.output.rmdir()
    second = run(state, B, '{"x": 3}')
    assert second.output.is_dir()
    assert second.params.read_text() == '{"x": 3}'


def test_pool_is_removed_when_the_state_is_closed(tmp_path: Path) -> None:
    with open_for_writing(tmp_path, "s") as state:
        for one in (A, B):
            run(state, one)
        for one in (A, B):
            state.tidy(one, 1, drained=True)
    assert [list((state.folder / part).iterdir()) for part in ("logs", "output", "params")] == [[], [], []]


def test_reader_of_a_log_gets_nothing_of_a_renamed_one(tmp_path: Path) -> None:
    """The reader has the file open when it is renamed for another session: it must not return that session's output."""
    path, other = tmp_path / "A.1.out", tmp_path / "B.1.out"
    path.write_bytes(b"a" * 2_000_000)

    class Reader:
        got = b""

        def write(self, chunk: bytes) -> int:
            if not self.got:
                path.rename(other)
            self.got += chunk
            return len(chunk)

        def flush(self) -> None: ...

    reader = Reader()
    copy_from(path, 0, reader)  # type: ignore[arg-type]
    assert len(reader.got) < 2_000_000
