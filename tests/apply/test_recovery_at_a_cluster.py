"""What the commands show of jobs that a dead or detached runner has left at a cluster, without asking the cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from runner.cli.run import recovery
from runner.config.load import load
from runner.config.yaml import read
from runner.events import AttemptAccepted, AttemptEnded, AttemptStarted, AttemptSubmitted, AttemptWaiting, Event
from runner.model import Outcome, Session
from runner.plan.plan import Plan
from runner.state import open_for_writing
from tests.facts import apply_started

SWEEP = "exec: [echo, $k]\nranges: {k: [1, 2, 3]}\nimage: python\nbackend: backend.ai\n"

AT = 1_790_000_000.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    return tmp_path


def record(folder: Path, events: Callable[[Session, str], list[Event]], directory: Path | None = None) -> list[str]:
    """Record these events for each session, with the name of its attempt, and close the state. Returns the ids."""
    sweep = load(read(str(folder / "sweep.yaml")), folder)
    plan = Plan.of(sweep)
    with open_for_writing(folder, "sweep", directory) as state:
        state.journal.record(replace(apply_started(AT, plan.recipe), text=sweep.source.text))
        for session in plan:
            for event in events(session, f"{state.id}-{session.id}-1"):
                state.journal.record(event)
        return [session.id for session in plan]


def submitted(session: Session, name: str) -> list[Event]:
    return [
        AttemptSubmitted(AT, session, 1, name, "backend.ai"),
        AttemptAccepted(AT, session.id, 1, f"job-{session.params['k'].text}"),
    ]


def runner(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "runner", *arguments]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BACKEND_")}
    environ = {**kept, "XDG_STATE_HOME": str(folder / "xdg")}
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=120, check=False)


def test_attempt_without_a_known_job_is_shown_as_submitted(folder: Path) -> None:
    """It may long run: `waiting` would be a claim."""

    def tell(session: Session, name: str) -> list[Event]:
        k = session.params["k"].text
        waits = AttemptWaiting(AT, session.id, 1, "no-available-instances")
        started = AttemptStarted(AT, session.id, 1, "job-3", "node", ())
        return [*submitted(session, name), *([waits] if k == "2" else []), *([started] if k == "3" else [])]

    record(folder, tell)
    shown = [line.split() for line in runner(folder, "status").stdout.splitlines() if line.startswith("  ")]
    assert [(line[0], line[2].rstrip(":")) for line in shown] == [
        ("submitted", "k=1"),
        ("waiting", "k=2"),
        ("running", "k=3"),
    ]


def test_an_orphan_whose_job_runs_is_not_for_prune(folder: Path) -> None:
    ids = record(folder, submitted)
    (folder / "sweep.yaml").write_text(SWEEP.replace("[1, 2, 3]", "[1, 2]"))
    shown = runner(folder, "status").stdout
    assert f"orphaned  {ids[2]}  runs as job-3 at backend.ai" in shown
    assert "prune" not in shown
    assert json.loads(runner(folder, "status", "--format", "json").stdout)["orphaned"] == 1


def test_logs_are_offered_only_where_something_was_written(folder: Path) -> None:
    def tell(session: Session, name: str) -> list[Event]:
        reason = "no such image"
        end = AttemptEnded(AT, session.id, 1, Outcome.REJECTED, None, reason, None, None, None, {}, None)
        return [*submitted(session, name), end]

    ids = record(folder, tell)
    shown = runner(folder, "status").stdout
    assert "3 rejected, 1 cause\n\n3 rejected (no such image), such as k=1\n" in shown
    assert "runner logs" not in shown
    stderr = folder / ".runner/sweep/logs" / f"{ids[1]}.1.err"
    stderr.write_text("a reason\n")
    assert f"see: runner logs sweep.yaml {ids[1]} --stderr\n" in runner(folder, "status").stdout
    found = json.loads(runner(folder, "status", "--format", "json").stdout)["failed"]
    assert [row["stderr"] for row in found] == [None, str(stderr), None]


def test_what_another_backend_has_was_selected_all_the_same(folder: Path) -> None:
    """It is left to that one, and is said to be; `not selected` is what the selection leaves out."""
    record(folder, lambda session, name: submitted(session, name) if session.params["k"].text != "1" else [])
    done = runner(folder, "apply", "--backend", "local")
    assert done.returncode == 1
    assert "1 succeeded, 2 left to another backend, which has their jobs in" in done.stderr
    assert "2 jobs still run at backend.ai" in done.stderr
    assert "not selected" not in done.stderr
    done = runner(folder, "apply", "--backend", "local", "--only", "failed", "--select", "k=2")
    assert "1 left to another backend, which has its job" in done.stderr


# Of `runner run`


def left_by_a_run(folder: Path) -> Path:
    """As a `runner run` leaves it that was killed with three jobs at a cluster; where the run has its state."""
    run = folder / "xdg/runner/runs/run-1"
    record(folder, submitted, run)
    recovery.save(run, "name: sweep\n" + SWEEP, str(folder))
    return run


def test_the_next_run_says_once_how_to_go_on_with_one_that_died(folder: Path) -> None:
    run = left_by_a_run(folder)
    text = (run / "run.yaml").read_text()
    assert text == f"# in {folder}\nname: sweep\n{SWEEP}"
    quiet = runner(folder, "run", "-q", "--exec", "echo quiet")
    assert (quiet.stdout, quiet.stderr) == ("quiet\n", "")
    first = runner(folder, "run", "--exec", "echo first")
    assert first.stdout == "first\n"
    state = f"--state {run} - <{run}/run.yaml"
    assert (
        f"warning: a `runner run` died and left 3 jobs at backend.ai; `cd {folder} && runner apply {state}` adopts them,"
        f" `cd {folder} && runner cancel {state}` ends them\n" in first.stderr
    )
    assert "died" not in runner(folder, "run", "--exec", "echo second").stderr


def test_of_a_run_that_lives_or_has_ended_nothing_is_said(folder: Path) -> None:
    run = left_by_a_run(folder)
    with open_for_writing(folder, "sweep", run) as state:
        assert "died" not in runner(folder, "run", "--exec", "true").stderr
        for left in state.journal.open_attempts():
            end = AttemptEnded(AT, left.session, 1, Outcome.SUCCEEDED, 0, None, None, None, None, {}, None)
            state.journal.record(end)
    assert "died" not in runner(folder, "run", "--exec", "true").stderr


def test_what_a_run_left_in_a_folder_with_an_odd_name_is_found(tmp_path: Path) -> None:
    """The command that is shown is one for a shell, and finds the state and the sweep; shown by `plan` in place of `apply`."""
    folder = tmp_path / "a b\n'c"
    folder.mkdir()
    (folder / "sweep.yaml").write_text(SWEEP)
    left_by_a_run(folder)
    errors = runner(folder, "run", "--exec", "true").stderr
    command = errors[errors.index("`cd ") + 1 : errors.index("` adopts them")]
    command = command.replace("runner apply", f"{sys.executable} -m runner plan --format json")
    shown = subprocess.run(["sh", "-c", command], cwd="/", capture_output=True, text=True, check=True)
    assert [session["status"] for session in json.loads(shown.stdout)["sessions"]] == ["running"] * 3
