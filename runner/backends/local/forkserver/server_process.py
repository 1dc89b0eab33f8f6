"""A fork server as the supervisor sees it: a process, and a socket for requests to it and reports from it."""

from __future__ import annotations

import errno
import os
import signal
from _socket import AF_UNIX, SOCK_SEQPACKET, socketpair  # `socket` would add 3 ms to the start of every apply

from runner.backends.local import procfs
from runner.backends.local.forkserver.eligibility import parse, startup_variables
from runner.backends.local.forkserver.server import protocol
from runner.backends.local.supervisor.job import LocalJob
from runner.backends.local.supervisor.launch import launch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runner.backends.local.protocol import Spawn

_PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "server", "__main__.py").encode()


class PendingFork:
    """A job that is to be forked, until it ends. Raises UnfitError if no fork server could start it."""

    def __init__(self, spawn: Spawn, base: dict[bytes, bytes], now: float) -> None:
        assert isinstance(spawn.command, list)
        if not procfs.LINUX:
            raise protocol.UnfitError("sessions are forked on Linux only")
        self.spawn = spawn
        self.key = spawn.key
        self.env = {**base, **spawn.env}
        """All environment variables."""
        self.options, self.mode, self.at = parse(spawn.command)
        interpreter = spawn.command[0]
        self.interpreter = os.path.join(spawn.workdir, interpreter) if b"/" in interpreter else interpreter
        if len(self.env[protocol.MARK]) >= protocol.MARK_SIZE:
            raise protocol.UnfitError(f"its name is longer than {protocol.MARK_SIZE - 1} bytes")
        self.modules = tuple(spawn.preload or ())
        self.kind = (self.interpreter, self.options, self.modules, startup_variables(self.env))
        """Equal for sessions that one server could fork."""
        self.job = LocalJob(key=spawn.key, name=spawn.name, mem=spawn.mem, grace=spawn.grace, started=now)
        self.job.forked = True


class ForkServer:
    """Started with the interpreter, options and environment of a first session. Raises what `launch` raises."""

    def __init__(self, first: PendingFork) -> None:
        self.kind = first.kind
        self.modules = first.modules
        self.variables: list[bytes] | None = None
        """Names that its modules have looked up or set in the environment; None until it is ready."""
        self.pending: dict[int, PendingFork] = {}
        """The forks that it was asked for, by key, until they end."""
        self.status: int | None = None
        """Its wait status, None until the supervisor has reaped it."""
        self._env = {
            **first.env,
            protocol.MARK: b"-" * protocol.MARK_SIZE,
        }  # each session writes its own mark over this one
        self._socket, other = socketpair(AF_UNIX, SOCK_SEQPACKET)
        with_socket = (str(number).encode() for number in (other.fileno(), os.getpid()))
        command = [first.interpreter, *first.options, _PROGRAM, b",".join(first.modules), *with_socket]
        try:
            self._socket.setblocking(False)
            os.set_inheritable(other.fileno(), True)
            self.pid = launch(command, self._env, first.spawn.workdir, b"/dev/null", b"/dev/null")
        except BaseException:
            self._socket.close()
            raise
        finally:
            other.close()

    def fileno(self) -> int:
        """The descriptor of the reports."""
        return self._socket.fileno()

    def serves(self, fork: PendingFork) -> bool:
        """Return whether its modules would be the same had this session imported them, as far as is known by now."""
        return self.kind == fork.kind and all(
            self._env.get(name) == fork.env.get(name) for name in self.variables or ()
        )

    def send(self, fork: PendingFork, cgroup: str | None) -> None:
        """Ask it to fork a session that joins this memory group.

        Raises BlockingIOError if it takes no more requests at present, and UnfitError if this one is too long.
        """
        spawn = fork.spawn
        changed: dict[bytes, bytes | None] = dict.fromkeys(self._env.keys() - fork.env.keys())
        changed.update(fork.env.items() - self._env.items())
        request = protocol.Request(
            key=fork.key,
            mode=fork.mode,
            at=fork.at,
            command=spawn.command,
            env=changed,
            workdir=spawn.workdir,
            stdout=spawn.stdout,
            stderr=spawn.stderr,
            cgroup=cgroup,
        )
        try:
            self._socket.send(protocol.encode(request))
        except BlockingIOError:
            raise
        except OSError as error:
            if error.errno == errno.EMSGSIZE:
                raise protocol.UnfitError("its arguments and environment are too long") from None
        self.pending[fork.key] = fork  # if it is dead, the end of its reports says so

    def receive(self) -> tuple[list[tuple[Any, ...]], bool]:
        """Return the new reports of it and its children, and whether they were the last."""
        reports: list[tuple[Any, ...]] = []
        try:
            while packet := self._socket.recv(protocol.MAX_PACKET):
                reports.append(protocol.decode(packet))
        except BlockingIOError:
            return reports, False
        except ConnectionError:  # it died with requests unread
            pass
        return reports, True

    def reap(self) -> int:
        """Kill it if it lives, and return its wait status; 0 if that is unknown."""
        if self.status is None:
            try:
                os.kill(self.pid, signal.SIGKILL)
                _, self.status = os.waitpid(self.pid, 0)
            except (ProcessLookupError, ChildProcessError):
                self.status = 0
        self._socket.close()
        return self.status
