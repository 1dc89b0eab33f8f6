"""A pseudo-terminal with a program in its foreground, and an emulator for what the screen shows."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import pyte

from tests.processes import wait_for

TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
)
"""Makes stdin the controlling terminal, as a shell does, and executes a command."""

TIMEOUT = 300
"""Seconds until a process or a condition counts as hung."""


class Terminal:
    """The program's terminal, read by a thread."""

    def __init__(self, master: int, process: subprocess.Popen[bytes], columns: int, lines: int) -> None:
        self.process = process
        self.written = b""
        """All that the program has written."""
        self._master = master
        self._screen = pyte.HistoryScreen(columns, lines, history=10_000, ratio=0.5)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self.resumed = threading.Event()
        """Cleared: nothing is read, as after Ctrl-S."""
        self.resumed.set()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    @property
    def shown(self) -> list[str]:
        """The lines on the screen."""
        with self._lock:
            return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> str:
        """All lines, including those that have scrolled away."""
        with self._lock:
            width = self._screen.columns
            scrolled = ["".join(line[at].data for at in range(width)).rstrip() for line in self._screen.history.top]
            return "\n".join([*scrolled, *(line.rstrip() for line in self._screen.display)])

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def resize(self, columns: int, lines: int) -> None:
        """Change the size as a terminal emulator does; the kernel sends SIGWINCH."""
        with self._lock:
            self._screen.resize(lines, columns)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def wait_for(self, text: str) -> None:
        wait_for(lambda: text in self.text, TIMEOUT)

    def _read(self) -> None:
        while True:
            self.resumed.wait()
            try:
                chunk = os.read(self._master, 65536)
            except OSError:  # the program has closed the other end
                return
            with self._lock:
                self.written += chunk
                self._stream.feed(chunk)


@contextmanager
def run_on_terminal(
    command: list[str],
    folder: Path,
    columns: int = 80,
    lines: int = 24,
    environ: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Terminal]:
    """Run a command on its own terminal; SIGTERM ends it with the block."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    inherited = {name: value for name, value in os.environ.items() if name not in ("CI", "NO_COLOR", "GITHUB_ACTIONS")}
    process = subprocess.Popen(
        [sys.executable, "-c", TAKE_TERMINAL, *command],
        cwd=folder,
        env={**inherited, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **environ},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    terminal = Terminal(master, process, columns, lines)
    try:
        yield terminal
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            os.killpg(process.pid, signal.SIGCONT)
            process.wait(TIMEOUT)
        terminal.resumed.set()
        terminal.reader.join(TIMEOUT)
        os.close(master)
