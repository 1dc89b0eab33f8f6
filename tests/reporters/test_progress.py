"""Progress of an apply: its lines, its end, and the log of a failed build."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from runner.model import Outcome
from tests import facts
from tests.reporters.progress_events import (
    FakeOutput,
    apply_began,
    ended,
    fail,
    progress_on,
    session,
    started,
)
from tests.reporters.test_streams import shell

BUILDS = """\
build: 'echo made; echo "x.c:1: syntax error" >&2; exit 2'
files: [sweep.yaml]
exec: [echo, $x]
ranges: {x: [1, 2]}
"""


def test_failed_build_shows_its_stderr(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(BUILDS)
    done = shell(tmp_path, "runner apply")
    assert done.returncode == 1
    assert "    x.c:1: syntax error\n" in done.stderr
    logs = shell(tmp_path, "runner logs x=1")
    assert (logs.returncode, logs.stdout) == (0, "made\n")
    assert "x.c:1: syntax error" in logs.stderr
    assert shell(tmp_path, "runner logs x=1 --stderr").stdout == "x.c:1: syntax error\n"


def test_log_of_failed_build_is_found_with_invalid_file(tmp_path: Path) -> None:
    """The key of the build includes `files`; it is taken from the last apply."""
    (tmp_path / "sweep.yaml").write_text(BUILDS)
    shell(tmp_path, "runner apply")
    (tmp_path / "sweep.yaml").write_text(BUILDS + "ranges: [\n")
    logs = shell(tmp_path, "runner logs x=1 --stderr")
    assert (logs.returncode, logs.stdout) == (0, "x.c:1: syntax error\n")
    assert "used as it was last applied" in logs.stderr


def test_failed_build_of_run_shows_its_stderr(tmp_path: Path) -> None:
    (tmp_path / "a.c").touch()
    done = shell(tmp_path, "runner run --build 'echo no such type >&2; exit 1' --exec true a.c")
    assert done.returncode == 1
    assert "    no such type\n" in done.stderr


def test_verbose_writes_line_for_every_end() -> None:
    output = FakeOutput()
    progress = progress_on(output, verbose=True)
    progress(apply_began(10))
    for number in range(10):
        for event in started(number, 0.0, f"m{number}"):
            progress(event)
        progress(ended(number, 1.0))
    assert output.lines == [f"succeeded in 1.0s: model=m{number} lr=0.1" for number in range(10)]


def test_prefetched_attempt_that_ends_is_counted() -> None:
    output = FakeOutput()
    progress = progress_on(output)
    progress(apply_began(2))
    for number, outcome in enumerate((Outcome.CANCELLED, Outcome.REJECTED)):
        progress(replace(facts.submitted(session(number, "m")), ahead=True))
        progress(ended(number, 1.0, outcome, reason="interrupted", duration=None))
    assert output.lines == ["rejected (interrupted): model=m lr=0.1"]
    assert progress.tracker.outcomes == {Outcome.CANCELLED: 1, Outcome.REJECTED: 1}


def test_end_lists_failures_by_cause() -> None:
    now = [0.0]
    output = FakeOutput()
    progress = progress_on(output, clock=lambda: now[0])
    progress(apply_began(374))
    for number in range(370):
        fail(progress, number, "exit code 1")
    for number in range(370, 372):
        for event in (*started(number, 0.0), ended(number, 9.0, Outcome.TIMED_OUT, reason="after 9s")):
            progress(event)
    output.written.clear()
    now[0] = 65.0
    progress.finish(facts.apply_ended(65.0, {Outcome.FAILED: 370, Outcome.TIMED_OUT: 2}, 2))
    assert output.lines == [
        "370 failed, 2 timed-out, 2 not run in 1m 05s",
        "",
        "370 failed, 2 timed-out, 2 causes",
        "",
        "370 failed (exit code 1), such as model=x lr=0.1:",
        "    no output",
        "",
        "2 timed-out (after 9s), such as model=x lr=0.1",
    ]


def test_failure_counts_if_its_retry_never_came() -> None:
    """A session that was tried again counts for its last attempt."""
    output = FakeOutput()
    progress = progress_on(output)
    progress(apply_began(2))
    for number in range(2):
        for event in (*started(number, 0.0), ended(number, 1.0, Outcome.FAILED, retry_in=1.0, reason="no")):
            progress(event)
    for event in (*started(0, 2.0, attempt=2), ended(0, 3.0, attempt=2)):
        progress(event)
    output.written.clear()
    progress.finish(facts.apply_ended(4.0, {Outcome.FAILED: 1, Outcome.SUCCEEDED: 1}, 0))
    assert [line for line in output.lines if "cause" in line] == ["1 failed, 1 cause"]
