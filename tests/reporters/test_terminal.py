"""What a real terminal shows: a block at the bottom while it runs, and nothing of it afterwards."""

from __future__ import annotations

import re
import signal
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.processes import wait_for
from tests.reporters.test_streams import ASCII, shell
from tests.terminal import TIMEOUT, Terminal, run_on_terminal

RUNNER = [sys.executable, "-m", "runner"]

WAITING = """\
name: held
exec: [sh, -c, 'test $1 != bad || { echo "boom" >&2; exit 3; }; until test -e go; do sleep 0.05; done', sh, $x]
ranges: {x: [bad, 日本語, one, two]}
capacity: {cpu: 4}
"""
"""One session fails at once; the others run until there is a file `go`."""

ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def held(tmp_path: Path) -> Path:
    (tmp_path / "sweep.yaml").write_text(WAITING, encoding="utf-8")
    return tmp_path


def blocks(terminal: Terminal) -> int:
    """The number of bars on the screen."""
    return sum("1/4  25%" in line for line in terminal.shown)


def go(folder: Path, terminal: Terminal) -> str:
    """Let the sessions end; all that the terminal has shown."""
    (folder / "go").touch()
    assert terminal.process.wait(TIMEOUT) == 1
    terminal.reader.join(TIMEOUT)
    return terminal.text


def test_block_is_below_failures_and_gone_at_end(held: Path) -> None:
    with run_on_terminal([*RUNNER, "apply"], held) as terminal:
        terminal.wait_for("x=日本語")
        wait_for(lambda: blocks(terminal) == 1)
        lines = terminal.shown
        assert re.fullmatch(r"failed \(exit code 3\): x=bad: boom", lines[0])
        assert lines[1].startswith("held  ━")
        assert lines[2].startswith("1 failed  3 running")
        assert "cpu 3/4" in lines[3]
        text = go(held, terminal)
    assert "held  " not in text
    assert "3 succeeded, 1 failed in" in text
    assert "1 failed, 1 cause" in text
    assert re.search(r"  see: runner logs sweep.yaml [0-9a-f]{16} --stderr", text)


def fills(terminal: Terminal, columns: int) -> bool:
    """Whether there is one bar, over the whole width."""
    bars = [line for line in terminal.shown if "1/4  25%" in line]
    return len(bars) == 1 and len(bars[0]) == columns - 1


def test_bar_follows_width(held: Path) -> None:
    with run_on_terminal([*RUNNER, "apply"], held) as terminal:
        terminal.wait_for("x=two")
        for columns in (120, 50, 200, 40):
            terminal.resize(columns, 24)
            wait_for(partial(fills, terminal, columns))
        go(held, terminal)


def test_block_fits_low_terminal(held: Path) -> None:
    with run_on_terminal([*RUNNER, "apply"], held, lines=4) as terminal:
        terminal.wait_for("1 failed  3 running")
        terminal.wait_for("cpu 3/4")
        text = go(held, terminal)
    assert "held  " not in text


def stop_and_continue(terminal: Terminal) -> None:
    """Press Ctrl-Z, run a command of the shell, and type `fg`; the shell shows no block."""
    terminal.type("\x1a")
    terminal.wait_for("Stopped")
    assert blocks(terminal) == 0
    terminal.type("echo in between\n")
    terminal.wait_for("\nin between")
    assert blocks(terminal) == 0
    terminal.type("fg\n")
    wait_for(lambda: blocks(terminal) == 1)


def test_ctrl_z_removes_block_and_fg_restores_it(held: Path) -> None:
    with run_on_terminal(["sh", "-i"], held, environ={"PS1": "% "}) as terminal:
        terminal.wait_for("%")
        terminal.type(" ".join([*RUNNER, "apply", "\n"]))
        terminal.wait_for("x=two")
        stop_and_continue(terminal)
        terminal.wait_for("x=two")
        assert "\nin between\n" in terminal.text
        (held / "go").touch()
        terminal.wait_for("1 failed, 1 cause")
        terminal.type("echo code=$?\n")
        terminal.wait_for("code=1")
        assert blocks(terminal) == 0
        terminal.type("exit\n")
        terminal.process.wait(TIMEOUT)


def test_background_job_does_not_draw_block(held: Path) -> None:
    with run_on_terminal(["sh", "-i"], held, environ={"PS1": "% "}) as terminal:
        terminal.wait_for("%")
        terminal.type(" ".join([*RUNNER, "apply", "&\n"]))
        terminal.wait_for("failed (exit code 3)")
        terminal.type(" ".join([*RUNNER, "status", "\n"]))
        terminal.wait_for("1 failed, 1 cause")
        assert blocks(terminal) == 0
        terminal.type("fg\n")
        wait_for(lambda: blocks(terminal) == 1)
        (held / "go").touch()
        terminal.wait_for("3 succeeded, 1 failed in")
        terminal.type("exit\n")
        terminal.process.wait(TIMEOUT)


def test_no_color_writes_no_colour(held: Path) -> None:
    with run_on_terminal([*RUNNER, "apply"], held, environ={"NO_COLOR": "1"}) as terminal:
        terminal.wait_for("x=two")
        go(held, terminal)
        codes = {code for code in ESCAPES.findall(terminal.written) if code.endswith(b"m")}
    assert not [code for code in codes if re.search(rb"[\[;][349]\d", code)]


def test_ascii_locale_gets_only_ascii(held: Path) -> None:
    with run_on_terminal([*RUNNER, "apply"], held, environ=ASCII) as terminal:
        terminal.wait_for(r"x=\u65e5\u672c")
        terminal.wait_for("held  ###")
        go(held, terminal)
        assert terminal.written.isascii()


@pytest.mark.parametrize("environ", [{"TERM": "dumb"}, {"CI": "true"}, {"TERM": ""}])
def test_terminal_that_cannot_redraw_gets_lines(held: Path, environ: dict[str, str]) -> None:
    with run_on_terminal([*RUNNER, "apply"], held, environ=environ) as terminal:
        terminal.wait_for("failed (exit code 3): x=bad: boom")
        text = go(held, terminal)
    assert b"\x1b" not in terminal.written
    assert "25%" not in text


def test_rich_is_not_imported_without_terminal(held: Path) -> None:
    (held / "go").touch()
    done = shell(held, f"{sys.executable} -X importtime -m runner apply")
    assert "1 failed, 1 cause" in done.stderr
    assert "| rich" not in re.sub(" +", " ", done.stderr)


def test_ctrl_c_removes_block(held: Path) -> None:
    with run_on_terminal([*RUNNER, "apply"], held) as terminal:
        terminal.wait_for("x=two")
        terminal.type("\x03")
        assert terminal.process.wait(TIMEOUT) == -signal.SIGINT
        terminal.reader.join(TIMEOUT)
    assert "interrupted: ending the running sessions" in terminal.text
    assert "1 failed, 3 cancelled in" in terminal.text
    assert "held  " not in terminal.text


def test_stopped_terminal_does_not_stop_sweep(tmp_path: Path) -> None:
    """After Ctrl-S the terminal accepts no output; the sweep continues, and later frames show its progress."""
    (tmp_path / "sweep.yaml").write_text(
        "exec: [sh, -c, 'echo $1 >&2; test $1 = 1999 || exit 1; touch last; until test -e go; do sleep 0.05; done', sh, $x]\n"
        "ranges: {x: 'range:2000'}\ncapacity: {cpu: 4}\n"
    )
    with run_on_terminal([*RUNNER, "apply"], tmp_path) as terminal:
        terminal.wait_for("%")
        terminal.resumed.clear()
        wait_for(lambda: (tmp_path / "last").exists(), TIMEOUT)
        terminal.resumed.set()
        terminal.wait_for("1,999/2,000  99%")
        text = go(tmp_path, terminal)
    assert "1 succeeded, 1,999 failed in" in text
    assert "1,999 failed, 1 cause" in text


def test_status_watch_draws_until_apply_ends(held: Path) -> None:
    with run_on_terminal([*RUNNER, "apply"], held) as apply:
        apply.wait_for("x=two")
        with run_on_terminal([*RUNNER, "status", "--watch"], held) as status:
            wait_for(lambda: blocks(status) == 1)
            status.wait_for("x=日本語")
            go(held, apply)
            assert status.process.wait(TIMEOUT) == 0
            status.reader.join(TIMEOUT)
    assert blocks(status) == 0
    assert "3 succeeded, 1 failed in" in status.text
    assert re.search(r"failed \(exit code 3\): x=bad\n    boom\n  see: runner logs sweep.yaml", status.text)


def test_status_watch_waits_for_first_apply(held: Path) -> None:
    with run_on_terminal([*RUNNER, "status", "--watch"], held) as status:
        status.wait_for("waiting for the first `runner apply`")
        with run_on_terminal([*RUNNER, "apply"], held) as apply:
            wait_for(lambda: blocks(status) == 1)
            go(held, apply)
        assert status.process.wait(TIMEOUT) == 0
        status.reader.join(TIMEOUT)
    assert "3 succeeded, 1 failed in" in status.text


def test_ctrl_z_and_fg_work_with_status_watch(held: Path) -> None:
    with (
        run_on_terminal([*RUNNER, "apply"], held) as apply,
        run_on_terminal(["sh", "-i"], held, environ={"PS1": "% "}) as terminal,
    ):
        apply.wait_for("x=two")
        terminal.wait_for("%")
        terminal.type(" ".join([*RUNNER, "status", "--watch", "\n"]))
        wait_for(lambda: blocks(terminal) == 1)
        stop_and_continue(terminal)
        assert "\nin between\n" in terminal.text
        go(held, apply)
        terminal.wait_for("3 succeeded, 1 failed in")
        terminal.type("echo code=$?\n")
        terminal.wait_for("code=0")
        assert blocks(terminal) == 0
        terminal.type("exit\n")
        terminal.process.wait(TIMEOUT)


def test_ctrl_c_ends_wait_for_first_apply(held: Path) -> None:
    with run_on_terminal([*RUNNER, "status", "--watch"], held) as status:
        status.wait_for("waiting for the first")
        status.type("\x03")
        assert status.process.wait(TIMEOUT) == -signal.SIGINT
    assert not (held / ".runner").exists()


def test_block_is_drawn_again_after_sigstop(held: Path) -> None:
    """SIGSTOP cannot be handled, SIGCONT can: the next block is drawn below the old one."""
    with run_on_terminal([*RUNNER, "apply"], held) as terminal:
        terminal.wait_for("x=two")
        wait_for(lambda: blocks(terminal) == 1)
        terminal.process.send_signal(signal.SIGSTOP)
        terminal.process.send_signal(signal.SIGCONT)
        wait_for(lambda: blocks(terminal) == 2)
        go(held, terminal)
