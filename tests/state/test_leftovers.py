"""What a killed writer leaves in a state is removed by the next one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runner.state import open_for_writing
from runner.state.fs import replacing
from runner.state.state import State
from tests.facts import apply_ended, apply_started, ended, session, started, submitted

A, B = session(1), session(2)
HOUR = 3600.0

KILLED = f"""
import os, signal, sys
from pathlib import Path
from tests.state.test_leftovers import leave
from runner.state import open_for_writing

with open_for_writing(Path(sys.argv[1]), "s") as state:
    leave(state)
    os.kill(os.getpid(), {int(signal.SIGKILL)})
"""


def leave(state: State) -> None:
    """A: ended, its files are in the pool. B: without an end. Copies and replacements are incomplete."""
    state.journal.record(apply_started())
    for one in (A, B):
        state.journal.record(submitted(one))
        state.journal.record(started(one))
        places = state.prepare(one.id, 1, "{}")
        for log in (places.stdout, places.stderr):
            log.touch()
    state.journal.record(ended(A))
    state.tidy(A.id, 1, drained=True)
    for copy in ("builds", "inputs"):
        folder = state.folder / copy / f"{A.id}.new" / "inner"
        folder.mkdir(parents=True)
        (folder / "file").write_text("half")
        folder.chmod(0o555)
    for part in ("logs", "params", "cancel"):
        with replacing(state.folder / part / "some") as file:  # killed here
            file.write(b"half")
            [temporary] = (state.folder / part).glob(".some.*.new")
            os.link(temporary, f"{temporary}.kept")
        os.rename(f"{temporary}.kept", temporary)
        (state.folder / part / "some").unlink()
        os.utime(temporary, (0, time.time() - HOUR))


def files(state: Path) -> set[str]:
    parts = ("params", "logs", "output", "builds", "inputs", "cancel")
    return {f"{part}/{name}" for part in parts if (state / part).exists() for name in os.listdir(state / part)}


def killed(folder: Path) -> set[str]:
    """The files that are left when a writer is killed."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder)], check=False)
    assert done.returncode == -signal.SIGKILL
    return files(folder / ".runner" / "s")


OPEN = {f"logs/{B.id}.1.out", f"logs/{B.id}.1.err", f"params/{B.id}.json", f"output/{B.id}"}


def test_only_files_of_attempts_without_an_end_stay(tmp_path: Path) -> None:
    left = killed(tmp_path)
    pool = {f"logs/{A.id}.1.out", f"logs/{A.id}.1.err", f"params/{A.id}.json", f"output/{A.id}"}
    assert left > OPEN | pool | {f"builds/{A.id}.new", f"inputs/{A.id}.new"}
    assert sum(name.endswith(".new") for name in left) == 5
    with open_for_writing(tmp_path, "s") as state:
        assert files(state.folder) == OPEN


def test_what_was_written_stays(tmp_path: Path) -> None:
    killed(tmp_path)
    folder = tmp_path / ".runner" / "s"
    (folder / "logs" / f"{A.id}.1.out").write_text("loss=1\n")
    (folder / "output" / A.id / "model").write_text("weights")
    (folder / "output" / "notes").mkdir()
    (folder / "logs" / "notes").touch()
    with open_for_writing(tmp_path, "s"):
        assert files(folder) - OPEN == {f"logs/{A.id}.1.out", f"output/{A.id}", "output/notes", "logs/notes"}


def test_request_that_is_being_written_stays(tmp_path: Path) -> None:
    """`runner cancel` holds no lock."""
    killed(tmp_path)
    with replacing(tmp_path / ".runner" / "s" / "cancel" / "some.json") as file:
        file.write(b"null")
        with open_for_writing(tmp_path, "s"):
            pass


def test_links_of_an_incomplete_copy_are_not_followed(tmp_path: Path) -> None:
    killed(tmp_path)
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    (tmp_path / ".runner" / "s" / "inputs" / f"{B.id}.new").symlink_to(tmp_path / "precious")
    with open_for_writing(tmp_path, "s"):
        assert (tmp_path / "precious" / "file").exists()
        assert not (tmp_path / ".runner" / "s" / "inputs" / f"{B.id}.new").is_symlink()


@pytest.mark.parametrize("ends", [True, False])
def test_folders_are_read_after_a_kill_only(tmp_path: Path, ends: bool) -> None:
    """It would take time in a state of a million sessions."""
    with open_for_writing(tmp_path, "s") as state:
        state.journal.record(apply_started())
        if ends:
            state.journal.record(apply_ended(2.0))
        (state.folder / "params" / f"{A.id}.json").touch()
    with open_for_writing(tmp_path, "s") as state:
        assert (files(state.folder) != set()) == ends
