"""Resizing in a terminal that wraps long lines anew, which pyte's does not: a tmux of the test's own."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.processes import wait_for
from tests.reporters.test_terminal import WAITING

pytestmark = pytest.mark.skipif(
    shutil.which("tmux") is None, reason="no tmux on this machine; `apt install tmux` brings one"
)

LINES = 24


class Tmux:
    """One window on a server of its own, found by its `socket`."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def __call__(self, *arguments: str) -> str:
        command = ["tmux", "-f", "/dev/null", "-u", "-S", str(self._socket), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout

    @property
    def shown(self) -> list[str]:
        return self("capture-pane", "-p").rstrip("\n").split("\n")

    def resize(self, columns: int) -> None:
        self("resize-window", "-x", str(columns), "-y", str(LINES))


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Tmux]:
    """An apply below a screen full of other lines; it goes on until there is a file `go`."""
    (tmp_path / "sweep.yaml").write_text(WAITING, encoding="utf-8")
    tmux = Tmux(tmp_path / "tmux")
    apply = f"seq {LINES}; exec {shlex.quote(sys.executable)} -m runner apply"
    environ = ("env", "-u", "CI", "-u", "NO_COLOR", "-u", "GITHUB_ACTIONS", "LC_ALL=C.UTF-8", "sh", "-c", apply)
    tmux(
        "new-session",
        "-d",
        "-x",
        "120",
        "-y",
        str(LINES),
        "-c",
        str(tmp_path),
        shlex.join(environ),
        ";",
        "set",
        "remain-on-exit",
        "on",
    )
    try:
        yield tmux
    finally:
        tmux("kill-server")


def seconds(tmux: Tmux) -> int:
    """How long the block says that the apply has taken; 0 where there is none."""
    found = [re.search(r"3 running  (\d+)s", line) for line in tmux.shown]
    return max((int(match[1]) for match in found if match), default=0)


def test_nothing_of_a_block_is_left_nor_of_the_lines_above_taken_by_another_width(held: Tmux, tmp_path: Path) -> None:
    wait_for(lambda: seconds(held) > 0)
    for columns in (50, 120, 40, 200, 60, 119):
        before = seconds(held)
        held.resize(columns)
        wait_for(partial(lambda before: seconds(held) > before + 1, before))  # it was drawn, and tmux is at rest
        lines = held.shown
        top = next(at for at, line in enumerate(lines) if line.startswith("held  "))
        assert [re.sub(r"^\s+\d+s  ", "", line) for line in lines[top - 2 :]] == [
            str(LINES),
            "failed (exit code 3): x=bad: boom",
            lines[top],
            lines[top + 1],
            "cpu 3/4",
            *sorted(("x=日本語", "x=one", "x=two"), key=lambda name: [name in line for line in lines].index(True)),
        ]
        assert lines[top].endswith("1/4  25%")
        assert len(lines[top]) == min(columns - 1, len("held    1/4  25%") + 60)
    (tmp_path / "go").touch()
    wait_for(lambda: "1 failed, 1 cause" in held.shown)
    assert not [line for line in held.shown if line.startswith("held  ")]
