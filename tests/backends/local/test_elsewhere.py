"""Where there is no /proc and no subreaper, as on macOS: a session's process group and descendants are ended.

The spawner is made to believe so, and is spoken to in its own frames, without a backend.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from runner.backends.local.protocol import CANCEL, ENDED, HELLO, SPAWN, SPAWNED, Frames, frame
from tests.contract import PATIENCE, until
from tests.local_host import lives, pids
from tests.paths import ROOT

SPAWNER = """
import sys
from runner.backends.local import procfs
procfs.LINUX = False
from runner.backends.local.supervisor.supervisor import main
main(int(sys.argv[1]))
"""
SAY = "echo $$ >> pids"

pytestmark = pytest.mark.skipif(shutil.which("ps") is None, reason="needs `ps`")


class Spawner:
    """Runner's end of the line to a spawner that works in `folder`."""

    def __init__(self, stream: socket.socket, folder: Path) -> None:
        self._stream = stream
        self._folder = os.fsencode(folder)
        self._frames = Frames()
        self._heard: list[tuple[Any, ...]] = []
        self.say(HELLO, {b"PATH": os.environb[b"PATH"]}, None)

    def say(self, *message: object) -> None:
        self._stream.sendall(frame(message))

    def hear(self) -> tuple[Any, ...]:
        while not self._heard:
            data = self._stream.recv(65536)
            assert data, "the spawner has hung up"
            self._heard += self._frames.feed(data)
        return self._heard.pop(0)

    def start(self, key: int, command: str, grace: float) -> None:
        streams = (self._folder + b"/out", self._folder + b"/err")
        self.say(SPAWN, 0, None, key, f"elsewhere-{key}", command.encode(), {}, self._folder, *streams, None, grace)
        assert self.hear()[:2] == (SPAWNED, key)


@pytest.fixture
def spawner(tmp_path: Path) -> Iterator[Spawner]:
    mine, theirs = socket.socketpair()
    mine.settimeout(PATIENCE)
    with mine, theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", SPAWNER, str(theirs.fileno())],
            cwd=ROOT,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        yield Spawner(mine, tmp_path)
    assert process.wait(PATIENCE) == 0


def test_group_of_a_dead_leader_is_ended(spawner: Spawner, tmp_path: Path) -> None:
    """What a leader leaves behind in its group has become the system's child; it ends with its job all the same."""
    left = "(trap '' TERM; sh -c 'echo $PPID' >> pids; while :; do sleep 1; done) & while [ ! -s pids ]; do :; done"
    spawner.start(1, left, 0.2)
    kind, key, code, *_ = spawner.hear()
    assert (kind, key, code) == (ENDED, 1, 0)
    assert not [pid for pid in pids(tmp_path, 1) if lives(pid)]


def test_jobs_are_told_apart(spawner: Spawner, tmp_path: Path) -> None:
    """Cancelling one ends its group and descendants, and nothing of another."""
    tree = f"sh -c '{SAY}; exec sleep 1000' & {SAY}; wait"
    spawner.start(1, tree, 0.2)
    trio.run(until, lambda: pids(tmp_path, 2))
    first = pids(tmp_path, 2)
    spawner.start(2, tree, 0.2)
    trio.run(until, lambda: pids(tmp_path, 4))
    spawner.say(CANCEL, 1, 10 * PATIENCE)
    kind, key, code, *_ = spawner.hear()
    assert (kind, key, code) == (ENDED, 1, -15)
    assert not [pid for pid in first if lives(pid)]
    second = set(pids(tmp_path, 4)) - set(first)
    assert [pid for pid in second if lives(pid)] == list(second)
    spawner.say(CANCEL, 2, 10 * PATIENCE)
    assert spawner.hear()[:2] == (ENDED, 2)
    assert not [pid for pid in second if lives(pid)]
