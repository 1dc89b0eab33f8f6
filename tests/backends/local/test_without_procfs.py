"""A system without /proc and subreapers, such as macOS: a job's process group and descendants are ended.

A supervisor that takes this system for one; the tests exchange messages with it, without a backend.
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
from tests.contract import until
from tests.local_host import lives, pids
from tests.paths import ROOT
from tests.processes import HANG

SUPERVISOR = """
import sys
from runner.backends.local import procfs
procfs.LINUX = False
from runner.backends.local.supervisor.supervisor import main
main(int(sys.argv[1]))
"""
SAY = "echo $$ >> pids"

pytestmark = pytest.mark.skipif(shutil.which("ps") is None, reason="needs `ps`")


class SupervisorEnd:
    """Runner's end of the stream to a supervisor. Jobs run in `folder`."""

    def __init__(self, stream: socket.socket, folder: Path) -> None:
        self._stream = stream
        self._folder = os.fsencode(folder)
        self._frames = Frames()
        self._received: list[Any] = []
        self.send(Configure(environ={b"PATH": os.environb[b"PATH"]}, memory_method="sampling"))

    def send(self, message: object) -> None:
        self._stream.sendall(encode(message))

    def receive(self) -> Any:
        while not self._received:
            data = self._stream.recv(65536)
            assert data, "the supervisor has closed the stream"
            self._received += map(decode, self._frames.feed(data))
        return self._received.pop(0)

    def start(self, key: int, command: str, grace: float) -> None:
        self.send(
            Spawn(
                key=key,
                name=f"without-procfs-{key}",
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
        started = self.receive()
        assert isinstance(started, Spawned)
        assert started.key == key

    def end(self) -> Ended:
        ended = self.receive()
        assert isinstance(ended, Ended)
        return ended


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[SupervisorEnd]:
    mine, theirs = socket.socketpair()
    mine.settimeout(HANG)
    with mine, theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISOR, str(theirs.fileno())],
            cwd=ROOT,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        yield SupervisorEnd(mine, tmp_path)
    assert process.wait(HANG) == 0


def test_process_group_of_a_dead_leader_is_ended(supervisor: SupervisorEnd, tmp_path: Path) -> None:
    """Its processes have become children of the system."""
    left = "(trap '' TERM; sh -c 'echo $PPID' >> pids; while :; do sleep 1; done) & while [ ! -s pids ]; do :; done"
    supervisor.start(1, left, 0.2)
    ended = supervisor.end()
    assert (ended.key, ended.code) == (1, 0)
    assert not [pid for pid in pids(tmp_path, 1) if lives(pid)]


def test_cancel_ends_one_of_two_jobs(supervisor: SupervisorEnd, tmp_path: Path) -> None:
    """Its process group and descendants."""
    tree = f"sh -c '{SAY}; exec sleep 1000' & {SAY}; wait"
    supervisor.start(1, tree, 0.2)
    trio.run(until, lambda: pids(tmp_path, 2))
    first = pids(tmp_path, 2)
    supervisor.start(2, tree, 0.2)
    trio.run(until, lambda: pids(tmp_path, 4))
    supervisor.send(Cancel(key=1, grace=HANG))
    ended = supervisor.end()
    assert (ended.key, ended.code) == (1, -15)
    assert not [pid for pid in first if lives(pid)]
    second = set(pids(tmp_path, 4)) - set(first)
    assert [pid for pid in second if lives(pid)] == list(second)
    supervisor.send(Cancel(key=2, grace=HANG))
    assert supervisor.end().key == 2
    assert not [pid for pid in second if lives(pid)]
