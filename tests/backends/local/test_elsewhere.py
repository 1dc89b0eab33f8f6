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

from runner.backends.local.protocol import Cancel, Configure, Ended, Frames, Spawn, Spawned, decode, encode
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
        self._heard: list[Any] = []
        self.say(Configure(environ={b"PATH": os.environb[b"PATH"]}, memory_method="sampling"))

    def say(self, message: object) -> None:
        self._stream.sendall(encode(message))

    def hear(self) -> Any:
        while not self._heard:
            data = self._stream.recv(65536)
            assert data, "the spawner has hung up"
            self._heard += map(decode, self._frames.feed(data))
        return self._heard.pop(0)

    def start(self, key: int, command: str, grace: float) -> None:
        self.say(
            Spawn(
                key=key,
                name=f"elsewhere-{key}",
                command=command.encode(),
                env={},
                workdir=self._folder,
                stdout=self._folder + b"/out",
                stderr=self._folder + b"/err",
                mem=None,
                grace=grace,
                shape=0,
                start_when_below=None,
                preload=None,
            )
        )
        started = self.hear()
        assert isinstance(started, Spawned)
        assert started.key == key

    def end(self) -> Ended:
        ended = self.hear()
        assert isinstance(ended, Ended)
        return ended


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
    ended = spawner.end()
    assert (ended.key, ended.code) == (1, 0)
    assert not [pid for pid in pids(tmp_path, 1) if lives(pid)]


def test_jobs_are_told_apart(spawner: Spawner, tmp_path: Path) -> None:
    """Cancelling one ends its group and descendants, and nothing of another."""
    tree = f"sh -c '{SAY}; exec sleep 1000' & {SAY}; wait"
    spawner.start(1, tree, 0.2)
    trio.run(until, lambda: pids(tmp_path, 2))
    first = pids(tmp_path, 2)
    spawner.start(2, tree, 0.2)
    trio.run(until, lambda: pids(tmp_path, 4))
    spawner.say(Cancel(key=1, grace=10 * PATIENCE))
    ended = spawner.end()
    assert (ended.key, ended.code) == (1, -15)
    assert not [pid for pid in first if lives(pid)]
    second = set(pids(tmp_path, 4)) - set(first)
    assert [pid for pid in second if lives(pid)] == list(second)
    spawner.say(Cancel(key=2, grace=10 * PATIENCE))
    assert spawner.end().key == 2
    assert not [pid for pid in second if lives(pid)]
