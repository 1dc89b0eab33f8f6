"""What one sees on a real terminal: the block stays below, and it is left as it was found."""

from __future__ import annotations

import re
import signal
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.processes import wait_for
from tests.reporters.test_streams import ASCII, shell
from tests.terminal import Terminal, on_a_terminal

RUNNER = [sys.executable, "-m", "runner"]

WAITING = """\
name: held
exec: [sh, -c, 'test $1 != bad || { echo "boom" >&2; exit 3; }; until test -e go; do sleep 0.05; done', sh, $x]
ranges: {x: [bad, 日本語, one, two]}
capacity: {cpu: 4}
"""
"""One session fails at once, and the others run until there is a file `go`."""

ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def held(tmp_path: Path) -> Path:
    (tmp_path / "sweep.yaml").write_text(WAITING, encoding="utf-8")
    return tmp_path


def blocks(terminal: Terminal) -> int:
    """How many bars the screen shows."""
    return sum("1/4  25%" in line for line in terminal.shown)


def go(folder: Path, terminal: Terminal) -> str:
    (folder / "go").touch()
    assert terminal.process.wait(60) == 1
    terminal.reader.join(60)
    return terminal.text


def test_a_block_below_the_lines_of_what_failed_and_nothing_of_it_at_the_end(held: Path) -> None:
    with on_a_terminal([*RUNNER, "apply"], held) as terminal:
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
    """Whether there is one bar, as long as it may be."""
    bars = [line for line in terminal.shown if "1/4  25%" in line]
    return len(bars) == 1 and (len(re.findall("[━─]", bars[0])) == 60 if columns > 100 else len(bars[0]) == columns - 1)


def test_it_follows_the_width(held: Path) -> None:
    with on_a_terminal([*RUNNER, "apply"], held) as terminal:
        terminal.wait_for("x=two")
        for columns in (120, 50, 200, 40):
            terminal.resize(columns, 24)
            wait_for(partial(fills, terminal, columns))
        go(held, terminal)


def test_it_fits_a_terminal_of_few_lines(held: Path) -> None:
    with on_a_terminal([*RUNNER, "apply"], held, lines=4) as terminal:
        terminal.wait_for("1 failed  3 running")
        terminal.wait_for("cpu 3/4")
        text = go(held, terminal)
    assert "held  " not in text


def stop_and_go_on(terminal: Terminal) -> None:
    """Ctrl-Z, a command of the shell, and `fg`: the block is away meanwhile."""
    terminal.type("\x1a")
    terminal.wait_for("Stopped")
    assert blocks(terminal) == 0
    terminal.type("echo in between\n")
    terminal.wait_for("\nin between")
    assert blocks(terminal) == 0
    terminal.type("fg\n")
    wait_for(lambda: blocks(terminal) == 1)


def test_ctrl_z_leaves_a_clean_terminal_and_fg_brings_the_block_back(held: Path) -> None:
    with on_a_terminal(["sh", "-i"], held, environ={"PS1": "% "}) as terminal:
        terminal.wait_for("%")
        terminal.type(" ".join([*RUNNER, "apply", "\n"]))
        terminal.wait_for("x=two")
        stop_and_go_on(terminal)
        terminal.wait_for("x=two")
        assert "\nin between\n" in terminal.text
        (held / "go").touch()
        terminal.wait_for("1 failed, 1 cause")
        terminal.type("echo code=$?\n")
        terminal.wait_for("code=1")
        assert blocks(terminal) == 0
        terminal.type("exit\n")
        terminal.process.wait(60)


def test_in_the_background_it_does_not_draw_over_the_shell(held: Path) -> None:
    with on_a_terminal(["sh", "-i"], held, environ={"PS1": "% "}) as terminal:
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
        terminal.process.wait(60)


def test_without_colour_there_is_none(held: Path) -> None:
    with on_a_terminal([*RUNNER, "apply"], held, environ={"NO_COLOR": "1"}) as terminal:
        terminal.wait_for("x=two")
        go(held, terminal)
        codes = {code for code in ESCAPES.findall(terminal.written) if code.endswith(b"m")}
    assert not [code for code in codes if re.search(rb"[\[;][349]\d", code)]


def test_in_an_ascii_locale_all_is_ascii(held: Path) -> None:
    with on_a_terminal([*RUNNER, "apply"], held, environ=ASCII) as terminal:
        terminal.wait_for(r"x=\u65e5\u672c\u8a9e")
        terminal.wait_for("held  ###")
        go(held, terminal)
        assert terminal.written.isascii()


@pytest.mark.parametrize("environ", [{"TERM": "dumb"}, {"CI": "true"}, {"TERM": ""}])
def test_where_nothing_can_be_redrawn_there_are_lines(held: Path, environ: dict[str, str]) -> None:
    with on_a_terminal([*RUNNER, "apply"], held, environ=environ) as terminal:
        terminal.wait_for("failed (exit code 3): x=bad: boom")
        text = go(held, terminal)
    assert b"\x1b" not in terminal.written
    assert "25%" not in text


def test_off_a_terminal_nothing_that_draws_is_imported(held: Path) -> None:
    (held / "go").touch()
    done = shell(held, f"{sys.executable} -X importtime -m runner apply")
    assert "1 failed, 1 cause" in done.stderr
    assert "| rich" not in re.sub(" +", " ", done.stderr)


def test_ctrl_c_takes_the_block_away(held: Path) -> None:
    with on_a_terminal([*RUNNER, "apply"], held) as terminal:
        terminal.wait_for("x=two")
        terminal.type("\x03")
        assert terminal.process.wait(60) == 130
        terminal.reader.join(60)
    assert "interrupted: ending what runs" in terminal.text
    assert "1 failed, 3 cancelled in" in terminal.text
    assert "held  " not in terminal.text


def test_a_terminal_that_is_stopped_stops_nothing(tmp_path: Path) -> None:
    """Ctrl-S: nothing is read, the sweep goes on, and the next frames show where it is by then."""
    (tmp_path / "sweep.yaml").write_text(
        "exec: [sh, -c, 'echo $1 >&2; test $1 = 1999 || exit 1; touch last; until test -e go; do sleep 0.05; done', sh, $x]\n"
        "ranges: {x: 'range:2000'}\ncapacity: {cpu: 4}\n"
    )
    with on_a_terminal([*RUNNER, "apply"], tmp_path) as terminal:
        terminal.wait_for("%")
        terminal.resumed.clear()
        wait_for(lambda: (tmp_path / "last").exists(), 120)
        terminal.resumed.set()
        terminal.wait_for("1,999/2,000  99%")
        text = go(tmp_path, terminal)
    assert "1 succeeded, 1,999 failed in" in text
    assert "1,999 failed, 1 cause" in text


def test_status_watch_draws_until_the_sweep_has_ended(held: Path) -> None:
    with on_a_terminal([*RUNNER, "apply"], held) as apply:
        apply.wait_for("x=two")
        with on_a_terminal([*RUNNER, "status", "--watch"], held) as status:
            wait_for(lambda: blocks(status) == 1)
            status.wait_for("x=日本語")
            go(held, apply)
            assert status.process.wait(60) == 0
            status.reader.join(60)
    assert blocks(status) == 0
    assert "3 succeeded, 1 failed in" in status.text
    assert re.search(r"failed \(exit code 3\): x=bad\n    boom\n  see: runner logs sweep.yaml", status.text)


def test_status_watch_waits_for_the_first_apply(held: Path) -> None:
    with on_a_terminal([*RUNNER, "status", "--watch"], held) as status:
        status.wait_for("nothing has begun yet; waiting for `runner apply`")
        with on_a_terminal([*RUNNER, "apply"], held) as apply:
            wait_for(lambda: blocks(status) == 1)
            go(held, apply)
        assert status.process.wait(60) == 0
        status.reader.join(60)
    assert "3 succeeded, 1 failed in" in status.text


def test_ctrl_z_takes_the_block_of_status_watch_away_and_fg_brings_it_back(held: Path) -> None:
    with (
        on_a_terminal([*RUNNER, "apply"], held) as apply,
        on_a_terminal(["sh", "-i"], held, environ={"PS1": "% "}) as terminal,
    ):
        apply.wait_for("x=two")
        terminal.wait_for("%")
        terminal.type(" ".join([*RUNNER, "status", "--watch", "\n"]))
        wait_for(lambda: blocks(terminal) == 1)
        stop_and_go_on(terminal)
        assert "\nin between\n" in terminal.text
        go(held, apply)
        terminal.wait_for("3 succeeded, 1 failed in")
        terminal.type("echo code=$?\n")
        terminal.wait_for("code=0")
        assert blocks(terminal) == 0
        terminal.type("exit\n")
        terminal.process.wait(60)


def test_ctrl_c_ends_the_wait_for_the_first_apply(held: Path) -> None:
    with on_a_terminal([*RUNNER, "status", "--watch"], held) as status:
        status.wait_for("nothing has begun yet")
        status.type("\x03")
        assert status.process.wait(60) == 130
    assert not (held / ".runner").exists()


def test_a_stop_that_comes_from_elsewhere_is_drawn_below(held: Path) -> None:
    """kill -STOP cannot be heard of, kill -CONT can."""
    with on_a_terminal([*RUNNER, "apply"], held) as terminal:
        terminal.wait_for("x=two")
        wait_for(lambda: blocks(terminal) == 1)
        terminal.process.send_signal(signal.SIGSTOP)
        terminal.process.send_signal(signal.SIGCONT)
        wait_for(lambda: blocks(terminal) == 2)
        go(held, terminal)
