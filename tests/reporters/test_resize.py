"""Resizing in a terminal that wraps long lines again and has a scrollback: a tmux of the test's own. pyte has neither."""

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

EARLIER = 24
"""Lines that the terminal shows before the apply starts."""

SUBPROCESS_SECONDS = 300


class Tmux:
    """One window on a tmux server of its own, found by its `socket`."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def __call__(self, *arguments: str) -> str:
        command = ["tmux", "-f", "/dev/null", "-u", "-S", str(self._socket), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=SUBPROCESS_SECONDS, check=True).stdout

    @property
    def lines(self) -> list[str]:
        """The screen and all that has scrolled away, without wrapping."""
        return self("capture-pane", "-p", "-J", "-S", "-").rstrip("\n").split("\n")

    def resize(self, columns: int, lines: int) -> None:
        self("resize-window", "-x", str(columns), "-y", str(lines))


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Tmux]:
    """An apply below a screen full of other lines; it goes on until there is a file `go`."""
    (tmp_path / "sweep.yaml").write_text(WAITING, encoding="utf-8")
    tmux = Tmux(tmp_path / "tmux")
    apply = f"seq {EARLIER}; exec {shlex.quote(sys.executable)} -m runner apply"
    environ = ("env", "-u", "CI", "-u", "NO_COLOR", "-u", "GITHUB_ACTIONS", "LC_ALL=C.UTF-8", "sh", "-c", apply)
    size = ("-x", "120", "-y", "24")
    keep = (";", "set", "remain-on-exit", "on")
    tmux("new-session", "-d", *size, "-c", str(tmp_path), shlex.join(environ), *keep)
    try:
        yield tmux
    finally:
        tmux("kill-server")


def elapsed(tmux: Tmux) -> int:
    """The seconds that the block shows; 0 without a block."""
    found = [re.search(r"3 running  (\d+)s", line) for line in tmux.lines]
    return max((int(match[1]) for match in found if match), default=0)


def redrawn(tmux: Tmux, before: int) -> bool:
    return elapsed(tmux) > before + 1


@pytest.mark.parametrize(
    "sizes",
    [[(50, 24), (120, 24), (40, 24), (200, 24), (60, 24), (119, 24)], [(80, 24), (50, 12), (40, 6), (200, 50)]],
    ids=["width", "width and height"],
)
def test_resizing_leaves_nothing_of_earlier_frames(held: Tmux, tmp_path: Path, sizes: list[tuple[int, int]]) -> None:
    wait_for(lambda: elapsed(held) > 0)
    for columns, lines in sizes:
        before = elapsed(held)
        held.resize(columns, lines)
        wait_for(partial(redrawn, held, before))
    shown = held.lines
    assert shown[: EARLIER + 1] == [*map(str, range(1, EARLIER + 1)), "failed (exit code 3): x=bad: boom"]
    bar, counts, use, *running = shown[EARLIER + 1 :]
    assert bar.startswith("held  ━")
    assert bar.endswith("1/4  25%")
    assert len(bar) == columns - 1
    assert counts.startswith("1 failed  3 running  ")
    assert use == "cpu 3/4"
    assert sorted(re.sub(r"^\s+\d+s  ", "", line) for line in running) == ["x=one", "x=two", "x=日本語"]
    (tmp_path / "go").touch()
    wait_for(lambda: "1 failed, 1 cause" in held.lines)
    assert not [line for line in held.lines if line.startswith("held  ")]
