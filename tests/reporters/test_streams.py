"""Streams that are lost, full or closed: the sweep goes on, and the exit code tells how it went."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runner.reporters.streams import Writer
from tests.processes import wait_for

RUNNER = f"{sys.executable} -m runner"
FAILING = "exec: [sh, -c, 'echo out $1; test $1 != 7', sh, $x]\nranges: {x: 'range:10'}\nmax_parallel: 2\n"

full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    path = tmp_path / "sweep.yaml"
    path.write_text(FAILING)
    return path


def shell(folder: Path, command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """A shell command in which `runner` stands for ours, and `; code` keeps its exit code in the file `code`."""
    return subprocess.run(
        ["sh", "-c", f'runner() {{ {RUNNER} "$@"; }}; code() {{ echo $? >code; }}\n{command}'],
        cwd=folder,
        env={**os.environ, "XDG_STATE_HOME": str(folder / "xdg"), **environ},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def statuses(folder: Path) -> list[str]:
    found = shell(folder, "runner results --format json")
    return [row["status"] for row in json.loads(found.stdout)]


@pytest.mark.parametrize(
    "command",
    [
        "(runner apply 2>&1; code) | head -n 1",
        "(runner apply --format jsonl; code) | head -n 1",
        pytest.param("runner apply --format jsonl >/dev/full; code", marks=full),
        pytest.param("runner apply 2>/dev/full; code", marks=full),
        "runner apply 2>&-; code",
        "runner apply --format jsonl >&-; code",
        "runner apply <&- >&- 2>&-; code",
    ],
)
def test_a_sweep_without_its_streams_goes_on_and_tells_that_something_failed(sweep: Path, command: str) -> None:
    shell(sweep.parent, command)
    assert (sweep.parent / "code").read_text() == "1\n"
    assert statuses(sweep.parent) == ["succeeded"] * 7 + ["failed"] + ["succeeded"] * 2


@full
def test_events_that_cannot_be_written_are_missed_aloud(sweep: Path) -> None:
    assert (
        "warning: the output is cut off: no space left on device"
        in shell(sweep.parent, "runner apply --format jsonl >/dev/full").stderr
    )


@pytest.mark.parametrize("flags", ["", "-q"])
def test_a_run_whose_output_is_cut_off_tells_that_something_failed(tmp_path: Path, flags: str) -> None:
    command = f"run {flags} --exec 'seq $X 100000; test $X != 7' --exec-range X=range:10"
    assert shell(tmp_path, f"(runner {command} 2>&1; code) | head -n 1").stderr == ""
    assert (tmp_path / "code").read_text() == "1\n"


@full
def test_a_run_keeps_what_could_not_be_printed(tmp_path: Path) -> None:
    done = shell(tmp_path, "runner run --exec 'echo precious' >/dev/full")
    assert done.returncode == 0
    (kept,) = (tmp_path / "xdg/runner/runs").glob("*/run/logs/*.out")
    assert kept.read_text() == "precious\n"
    assert "logs are kept in" in done.stderr


@full
@pytest.mark.parametrize("command", ["results", "plan", "status", "schema", "doctor", "--help", "logs x=1"])
def test_an_answer_that_cannot_be_written_is_a_failed_environment(sweep: Path, command: str) -> None:
    shell(sweep.parent, "runner apply")
    done = shell(sweep.parent, f"runner {command} >/dev/full")
    assert (done.returncode, done.stderr) == (3, "error: cannot write the output: no space left on device\n")


@full
@pytest.mark.parametrize("command", ["plan", "plan nowhere.yaml", "apple", "run --mem"])
def test_messages_that_cannot_be_written_change_no_exit_code(sweep: Path, command: str) -> None:
    heard = shell(sweep.parent, f"runner {command}")
    for lost in ("2>/dev/full", "2>&-"):
        assert shell(sweep.parent, f"runner {command} {lost}").returncode == heard.returncode


@pytest.mark.parametrize(
    "command", ["results", "plan --format json", "status", "validate", "schema", "doctor", "--help"]
)
def test_a_reader_that_has_seen_enough_is_no_failure(sweep: Path, command: str) -> None:
    done = shell(sweep.parent, f"(runner {command}; code) | true")
    assert (done.stderr.replace("sweep.yaml: valid, 10 sessions\n", ""), (sweep.parent / "code").read_text()) == (
        "",
        "0\n",
    )


def test_closed_descriptors_are_filled_before_the_journal_gets_their_number(sweep: Path) -> None:
    """SQLite would be written over by the first message otherwise."""
    for _ in range(2):
        shell(sweep.parent, "runner apply --format jsonl <&- >&- 2>&-; code")
        assert (sweep.parent / "code").read_text() == "1\n"
    assert (sweep.parent / ".runner/sweep/journal.db").read_bytes().startswith(b"SQLite format 3\0")


@pytest.mark.parametrize(
    "arguments", [("apply", "--format", "jsonl"), ("run", "--exec", "yes; #$X", "--exec-range", "X=range:1")]
)
def test_a_full_pipe_that_nobody_reads_keeps_no_signal_away(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "sweep.yaml").write_text(
        "exec: [sh, -c, 'test $1 -lt 300 || { touch last; exec sleep 60; }', sh, $x]\nranges: {x: 'range:301'}\n"
        "max_parallel: 2\n"
    )
    unread, filled = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-m", "runner", *arguments],
        cwd=tmp_path,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
        stdout=filled,
        stderr=subprocess.PIPE,
    ) as runner:
        try:
            os.set_blocking(unread, False)
            wait_for(lambda: (tmp_path / "last").exists() if arguments[0] == "apply" else waiting(unread) >= 60_000)
            assert waiting(unread) >= 60_000, "the pipe was meant to be full"
            runner.send_signal(signal.SIGTERM)
            assert runner.wait(60) == 143
        finally:
            runner.kill()
            os.close(unread)
            os.close(filled)


def waiting(pipe: int) -> int:
    """Bytes in a pipe."""
    import array
    import fcntl
    import termios

    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


def test_a_slow_reader_gets_everything(tmp_path: Path) -> None:
    command = "runner run --exec 'seq 100000; : $X' --exec-range X=range:4 2>/dev/null"
    assert shell(tmp_path, f"{command} | (read first; sleep 1; wc -l)").stdout.strip() == "399999"


def test_what_nobody_reads_is_given_up_once_it_is_too_much(tmp_path: Path) -> None:
    unread, filled = os.pipe()
    lost: list[OSError] = []
    writer = Writer(filled, 3, on_lost=lost.append)
    for _ in range(5):
        writer.write("x" * 1_000_000)
    assert [str(error.strerror) for error in lost] == ["nobody reads it"]
    assert writer.idle
    os.close(unread)


def test_where_gaps_do_no_harm_lines_are_dropped_until_there_is_room() -> None:
    unread, filled = os.pipe()
    writer = Writer(filled, 2, gaps=True)
    writer.write("x" * 1_000_000)
    writer.write("kept")
    for _ in range(5):
        writer.write("dropped")
    seen = b""
    while len(seen) < 1_000_004:
        seen += os.read(unread, 65536)
    writer.drain(60)
    writer.write("later")
    assert seen.endswith(b"xkept")
    assert os.read(unread, 65536) == b"later"
    os.close(unread)
    os.close(filled)


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize("command", ["plan", "results", "results --format md", "status", "validate"])
def test_a_locale_that_lacks_the_letters(tmp_path: Path, command: str) -> None:
    (tmp_path / "sweep.yaml").write_text("exec: [echo, $x]\nranges: {x: [日本]}\n", encoding="utf-8")
    done = shell(tmp_path, f"runner {command}", **ASCII)
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()


@pytest.mark.parametrize(
    "command", ["plan --format json", "plan --format jsonl", "results --format json", "results --format csv"]
)
def test_what_programs_read_is_utf_8_in_every_locale(tmp_path: Path, command: str) -> None:
    (tmp_path / "sweep.yaml").write_text("exec: [echo, $x]\nranges: {x: [日本]}\n", encoding="utf-8")
    assert "日本" in shell(tmp_path, f"runner {command}", **ASCII).stdout
