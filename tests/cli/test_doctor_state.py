from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.processes import HANG

SWEEP = "name: s\nexec: [echo, $x]\nranges: {x: 'range:3'}\n"


def runner(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "runner", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=HANG)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    assert runner(tmp_path, "apply").returncode == 0
    return tmp_path


@pytest.mark.parametrize("where", [[], ["."], [".runner"], [".runner/s"]])
def test_sound_journal(folder: Path, where: list[str]) -> None:
    done = runner(folder, "doctor", "--state", *where)
    assert (done.returncode, done.stdout.split("  ", 1)[1]) == (0, "the journal is sound\n")


def test_damaged_journal_is_reported_and_mended(folder: Path) -> None:
    with closing(sqlite3.connect(folder / ".runner/s/journal.db")) as connection, connection:
        connection.execute("UPDATE sessions SET outcome = 'suc#eeded' WHERE n = 2")
    for command in ("status", "plan", "apply"):
        done = runner(folder, command)
        assert done.returncode == 3, command
        assert "is damaged: row 2 of sessions does not match its checksum" in done.stderr
        assert "hint: `runner doctor --state " in done.stderr
    done = runner(folder, "doctor", "--state")
    assert done.returncode == 0
    assert (
        "2 sessions and 2 attempts were saved, 1 row could not be read; it is kept as `journal.db.damaged`"
        in done.stdout
    )
    assert "s: 3 sessions (1 new, 2 succeeded)" in runner(folder, "plan").stdout
    assert "1 succeeded" in runner(folder, "apply").stderr


def test_folder_without_a_state(tmp_path: Path) -> None:
    done = runner(tmp_path, "doctor", "--state")
    assert done.returncode == 2
    assert "no state in `.runner`" in done.stderr


def test_state_that_is_removed_under_an_apply_is_exit_3(tmp_path: Path) -> None:
    sweep = "name: s\nexec: 'rm -f .runner/s/journal.db*; echo x > $RUNNER_OUTPUT_DIR/x'\nrepeat: 3\nmax_parallel: 1\n"
    (tmp_path / "sweep.yaml").write_text(sweep)
    done = runner(tmp_path, "apply")
    assert done.returncode == 3
    assert "journal.db` was removed while runner used it" in done.stderr
    assert "succeeded" not in done.stderr
    assert "journal.db` is missing" in runner(tmp_path, "status").stderr
