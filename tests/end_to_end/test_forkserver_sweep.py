"""The key `python` of a sweep file, from the file to the output of its sessions."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from runner.config.load import load
from runner.config.python_program import Python
from runner.diagnostics import Source

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sessions are forked on Linux only")


def apply(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    (folder / "sweep.yaml").write_text(text)
    return subprocess.run(
        [sys.executable, "-m", "runner", "apply", "--format", "jsonl"],
        cwd=folder,
        env={**os.environ, "XDG_STATE_HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def logs(folder: Path) -> set[str]:
    return {path.read_text() for path in folder.glob(".runner/sweep/logs/*.out")}


def started(done: subprocess.CompletedProcess[str]) -> list[str | None]:
    """Return why each session started cold, None if it was forked."""
    events = [json.loads(line) for line in done.stdout.splitlines()]
    return [event["cold"] for event in events if event["event"] == "attempt-started"]


def test_interpreter_replaces_python_in_exec_and_code(tmp_path: Path) -> None:
    """Forked and cold; a path starts at the folder of the sweep."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "mine").symlink_to(os.path.realpath(sys.executable))
    (tmp_path / "sub").mkdir()
    python = "python: {interpreter: bin/mine, preload: [json]}"
    show = "import sys, json; print(sys.orig_argv[0], 'json' in sys.modules)"
    mine = f"{tmp_path}/bin/mine True\n"
    for text, cold in (
        (f"exec: [python, -c, {show!r}]\nworkdir: sub\n{python}", False),
        (f"exec: [bin/mine, -c, {show!r}]\n{python}", False),
        (f"code: {show}\n{python}", False),
        (f"code: {show}\nenv: {{PYTHONTRACEMALLOC: 1}}\n{python}", True),
    ):
        done = apply(tmp_path, text)
        assert done.returncode == 0, done.stderr
        assert [reason is not None for reason in started(done)] == [cold]
        assert mine in logs(tmp_path)


def test_other_programs_are_not_forked(tmp_path: Path) -> None:
    text = "exec: [$program, -c, '1 + 1']\nranges: {program: [python3, sh]}\npython: {preload: [json]}"
    done = apply(tmp_path, text)
    assert done.returncode == 1  # `sh` does not find a program `1`
    assert started(done) == [None, None]


def test_reason_of_cold_starts_is_shown_once(tmp_path: Path) -> None:
    done = apply(tmp_path, "code: print(1)\nrepeat: 5\npython: {preload: [no_such_module]}")
    reason = "`no_such_module` cannot be imported: ModuleNotFoundError: No module named 'no_such_module'"
    assert done.returncode == 0
    assert started(done) == [reason] * 5
    assert done.stderr.count(f"started cold: {reason}\n") == 1
    with sqlite3.connect(tmp_path / ".runner" / "sweep" / "journal.db") as journal:
        assert journal.execute("SELECT count(*) FROM sessions").fetchone() == (5,)


@pytest.mark.parametrize(
    ("interpreter", "program", "meant"),
    [
        (None, "python", True),
        (None, "python3", True),
        (None, "/opt/bin/python3.12", True),
        (None, "pythonic", False),
        (None, "python2", False),
        (None, "sh", False),
        ("sh", "python", True),
        ("sh", "python3", True),
        ("sh", "sh", True),
        ("sh", "python3.12", False),
    ],
)
def test_commands_that_preloading_applies_to(
    interpreter: str | None, program: str, meant: bool, tmp_path: Path
) -> None:
    given = "" if interpreter is None else f", interpreter: {interpreter}"
    sweep = load(Source("s.yaml", f"code: x\npython: {{preload: [json]{given}}}"), tmp_path)
    assert isinstance(sweep.python, Python)
    assert sweep.python.is_meant(program) is meant


def test_interpreter_path_is_kept_on_a_remote_backend(tmp_path: Path) -> None:
    text = "code: x\nbackend: backend.ai\nimage: x\npython: {interpreter: ./venv/bin/python}"
    python = load(Source("s.yaml", text), tmp_path).python
    assert python is not None
    assert python.command(("python3", "-c", "x"), None) == ("./venv/bin/python", "-c", "x")
    assert python.command(("python3", "-c", "x"), tmp_path) == (f"{tmp_path}/venv/bin/python", "-c", "x")
