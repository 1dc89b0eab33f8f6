"""One parent as the spawner sees it: a process, the pipe of requests to it, and the pipe of its reports."""

from __future__ import annotations

import marshal
import os
import signal

from runner.backends.local.forkserver.request import Request
from runner.backends.local.procfs import MARK
from runner.backends.local.protocol import Frames
from runner.backends.local.supervisor.launch import launch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ROOM = 2048
"""Bytes by which a session's command line and environment may be longer than the parent's, to be shown in full."""

_PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "server", "__main__.py").encode()


class Parent:
    """Started for a first `request`, with its interpreter, flags and environment. Raises what `launch` does.

    `loaded` and `reads` are None until it is ready; `sent` has the requests it was given by key, `begun` the keys of those
    whose process is known; `status` is what waiting for it gave, None while it runs.
    """

    def __init__(self, request: Request, now: float) -> None:
        self.kind = request.kind
        self.env = request.env
        self.since = now
        self.loaded: dict[bytes, bytes] | None = None
        self.reads: list[bytes] = []
        self.sent: dict[int, Request] = {}
        self.begun: dict[int, int] = {}
        self.status: int | None = None
        self.reason: str | None = None
        self._frames = Frames()
        self.backlog = bytearray()
        request_end, self._requests = os.pipe()
        self.reports, report_end = os.pipe()
        try:
            for mine, theirs in ((self._requests, request_end), (self.reports, report_end)):
                os.set_blocking(mine, False)
                os.set_inheritable(theirs, True)
            command = [
                *(request.command[0], *request.program.flags, _PROGRAM, b",".join(_modules(request))),
                *(str(request_end).encode(), str(report_end).encode(), b" " * _ROOM),
            ]
            env = {**request.env, MARK.encode(): b"-" * _ROOM}
            self.pid = launch(command, env, request.workdir, b"/dev/null", b"/dev/null")
        except BaseException:
            self.close()
            raise
        finally:
            os.close(request_end)
            os.close(report_end)

    def serves(self, request: Request) -> bool:
        """Whether its modules would have come out the same for this request, as far as one can know by now."""
        return self.kind == request.kind and all(self.env.get(name) == request.env.get(name) for name in self.reads)

    def send(self, request: Request, join: str | None) -> None:
        self.sent[request.key] = request
        body = marshal.dumps(request.wire(join), 2)
        self.backlog += len(body).to_bytes(4, "little") + body
        self.flush()

    def flush(self) -> bool:
        """Hand over what is taken at once; whether that was everything."""
        try:
            while self.backlog:
                del self.backlog[: os.write(self._requests, self.backlog)]
        except BlockingIOError:
            return False
        except OSError:  # it has died, which its reports tell
            self.backlog.clear()
        return True

    def hear(self) -> tuple[list[tuple[Any, ...]], bool]:
        """What it and its children have reported since, and whether that was the last of it."""
        data: list[bytes] = []
        while True:
            try:
                part = os.read(self.reports, 65536)
            except BlockingIOError:
                break
            if not part:
                return list(self._frames.feed(b"".join(data))), True
            data.append(part)
        return list(self._frames.feed(b"".join(data))), False

    def bury(self) -> None:
        """Wait for its end, and see to it."""
        if self.status is None:
            try:
                os.kill(self.pid, signal.SIGKILL)
                _, self.status = os.waitpid(self.pid, 0)
            except (ProcessLookupError, ChildProcessError):
                self.status = 0
        self.close()

    def close(self) -> None:
        os.close(self._requests)
        os.close(self.reports)


def _modules(request: Request) -> list[bytes]:
    """Those to import. numpy imports its random numbers at their first use, which each fork would do again; for programs
    that have none of it, it would make each fork dearer.
    """
    lazy = b"numpy" in request.modules and b"random" in request.text()
    return [*request.modules, b"numpy.random"] if lazy else request.modules
