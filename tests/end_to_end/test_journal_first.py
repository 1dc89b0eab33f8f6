"""Events may share a transaction, but neither a program nor a display sees one before it is committed."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

from tests.processes import HANG

LOOK = """
import os, sqlite3, sys
journal = sqlite3.connect("file:.runner/sweep/journal.db?mode=ro", uri=True)
session = bytes.fromhex(os.environ["RUNNER_SESSION"])
found = "SELECT count(*) FROM attempts a JOIN sessions s ON s.n = a.session WHERE s.id = ?"
(count,) = journal.execute(found, [session]).fetchone()
sys.exit(0 if count == 1 else 3)
"""


def test_running_program_finds_its_attempt_in_the_journal(tmp_path: Path) -> None:
    (tmp_path / "look.py").write_text(LOOK)
    (tmp_path / "sweep.yaml").write_text(f"exec: ['{sys.executable}', look.py]\nrepeat: 40\nmax_parallel: 8\n")
    command = [sys.executable, "-m", "runner", "apply"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=HANG, check=False)
    assert done.returncode == 0, done.stderr


def test_every_printed_end_is_in_the_journal(tmp_path: Path) -> None:
    """Each line is checked while runner goes on."""
    (tmp_path / "sweep.yaml").write_text("exec: [/bin/true]\nrepeat: 200\nmax_parallel: 8\n")
    command = [sys.executable, "-m", "runner", "apply", "--format", "jsonl"]
    shown = 0
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as runner:
        assert runner.stdout is not None
        for line in runner.stdout:
            event = json.loads(line)
            if event["event"] == "attempt-ended":
                shown += 1
                assert outcome_in(tmp_path, event["session"]) == "succeeded"
    assert shown == 200
    assert runner.returncode == 0


def outcome_in(folder: Path, session: str) -> str | None:
    journal = sqlite3.connect(f"file:{folder}/.runner/sweep/journal.db?mode=ro", uri=True)
    (outcome,) = journal.execute("SELECT outcome FROM sessions WHERE id = ?", [bytes.fromhex(session)]).fetchone()
    journal.close()
    return None if outcome is None else str(outcome)
