"""Streams that are lost, full or closed: the sweep continues, and the exit code reports its result."""

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
    """Run a shell command in which `runner` is a function, and `; code` writes the last exit code to the file `code`."""
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
def test_sweep_continues_without_its_streams(sweep: Path, command: str) -> None:
    shell(sweep.parent, command)
    assert (sweep.parent / "code").read_text() == "1\n"
    assert statuses(sweep.parent) == ["succeeded"] * 7 + ["failed"] + ["succeeded"] * 2


@full
def test_lost_event_stream_is_reported(sweep: Path) -> None:
    assert (
        "warning: the output is cut off: no space left on device"
        in shell(sweep.parent, "runner apply --format jsonl >/dev/full").stderr
    )


@pytest.mark.parametrize("flags", ["", "-q"])
def test_run_without_reader_reports_failure(tmp_path: Path, flags: str) -> None:
    command = f"run {flags} --exec 'seq $X 100000; test $X != 7' --exec-range X=range:10"
    assert shell(tmp_path, f"(runner {command} 2>&1; code) | head -n 1").stderr == ""
    assert (tmp_path / "code").read_text() == "1\n"


@full
def test_run_keeps_output_that_was_not_printed(tmp_path: Path) -> None:
    done = shell(tmp_path, "runner run --exec 'echo precious' >/dev/full")
    assert done.returncode == 0
    (kept,) = (tmp_path / "xdg/runner/runs").glob("*/run/logs/*.out")
    assert kept.read_text() == "precious\n"
    assert "logs are kept in" in done.stderr


@full
@pytest.mark.parametrize("command", ["results", "plan", "status", "schema", "doctor", "--help", "logs x=1"])
def test_unwritable_stdout_is_exit_3(sweep: Path, command: str) -> None:
    shell(sweep.parent, "runner apply")
    done = shell(sweep.parent, f"runner {command} >/dev/full")
    assert (done.returncode, done.stderr) == (3, "error: cannot write the output: no space left on device\n")


@full
@pytest.mark.parametrize("command", ["plan", "plan nowhere.yaml", "apple", "run --mem"])
def test_unwritable_stderr_keeps_exit_code(sweep: Path, command: str) -> None:
    heard = shell(sweep.parent, f"runner {command}")
    for lost in ("2>/dev/full", "2>&-"):
        assert shell(sweep.parent, f"runner {command} {lost}").returncode == heard.returncode


@pytest.mark.parametrize(
    "command", ["results", "plan --format json", "status", "validate", "schema", "doctor", "--help"]
)
def test_closed_pipe_is_not_a_failure(sweep: Path, command: str) -> None:
    done = shell(sweep.parent, f"(runner {command}; code) | true")
    assert (done.stderr.replace("sweep.yaml: valid, 10 sessions\n", ""), (sweep.parent / "code").read_text()) == (
        "",
        "0\n",
    )


def test_journal_does_not_reuse_closed_descriptors(sweep: Path) -> None:
    """Else the first message would overwrite the database."""
    for _ in range(2):
        shell(sweep.parent, "runner apply --format jsonl <&- >&- 2>&-; code")
        assert (sweep.parent / "code").read_text() == "1\n"
    assert (sweep.parent / ".runner/sweep/journal.db").read_bytes().startswith(b"SQLite format 3\0")


@pytest.mark.parametrize(
    "arguments", [("apply", "--format", "jsonl"), ("run", "--exec", "yes; #$X", "--exec-range", "X=range:1")]
)
def test_full_pipe_does_not_delay_signals(tmp_path: Path, arguments: tuple[str, ...]) -> None:
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
            assert runner.wait(60) == -signal.SIGTERM
        finally:
            runner.kill()
            os.close(unread)
            os.close(filled)


def waiting(pipe: int) -> int:
    """The number of bytes in a pipe."""
    import array
    import fcntl
    import termios

    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


def test_slow_reader_gets_everything(tmp_path: Path) -> None:
    command = "runner run --exec 'seq 100000; : $X' --exec-range X=range:4 2>/dev/null"
    assert shell(tmp_path, f"{command} | (read first; sleep 1; wc -l)").stdout.strip() == "399999"


def test_stream_is_lost_at_queue_limit(tmp_path: Path) -> None:
    unread, filled = os.pipe()
    lost: list[OSError] = []
    writer = Writer(filled, 3, on_lost=lost.append)
    for _ in range(5):
        writer.write("x" * 1_000_000)
    assert [str(error.strerror) for error in lost] == ["its reader does not read"]
    assert writer.idle
    os.close(unread)


def test_writer_with_gaps_drops_pieces_at_queue_limit() -> None:
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
def test_ascii_locale_gets_escapes(tmp_path: Path, command: str) -> None:
    (tmp_path / "sweep.yaml").write_text("exec: [echo, $x]\nranges: {x: [日本]}\n", encoding="utf-8")
    done = shell(tmp_path, f"runner {command}", **ASCII)
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()


@pytest.mark.parametrize(
    "command", ["plan --format json", "plan --format jsonl", "results --format json", "results --format csv"]
)
def test_machine_readable_output_is_utf_8(tmp_path: Path, command: str) -> None:
    (tmp_path / "sweep.yaml").write_text("exec: [echo, $x]\nranges: {x: [日本]}\n", encoding="utf-8")
    assert "日本" in shell(tmp_path, f"runner {command}", **ASCII).stdout
