"""A job that is to be forked, as the supervisor keeps it until its session has started."""

from __future__ import annotations

import os

from runner.backends.local.forkserver.eligibility import UnfitError, parse, startup_variables
from runner.backends.local.forkserver.server.protocol import MARK_SIZE, ForkRequest
from runner.backends.local.supervisor.job import LocalJob

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runner.backends.local.protocol import Spawn


class PendingFork:
    """Raises UnfitError if no fork server could start it.

    spawn: the message about it, to start it cold
    modules: the modules to preload
    env: all environment variables of the session
    kind: equal for sessions that one server could fork: interpreter, options, modules, start-up environment
    job: its job
    started_at: when it was sent to a server, in seconds since the epoch
    grace: None, or the seconds of grace if it was cancelled before it started
    deaths: how often a server died, or the child, before it started
    """

    __slots__ = (
        *("command", "deaths", "env", "grace", "job", "key", "kind", "modules", "program", "spawn"),
        *("started_at", "workdir"),
    )

    def __init__(self, spawn: Spawn, base: dict[bytes, bytes], now: float) -> None:
        assert isinstance(spawn.command, list)
        assert spawn.preload is not None
        self.spawn = spawn
        self.modules = spawn.preload
        self.key, self.command, self.workdir = spawn.key, spawn.command, spawn.workdir
        self.env = {**base, **spawn.env}
        self.program = parse(self.command)
        if len(spawn.name) >= MARK_SIZE:
            raise UnfitError(f"its name is longer than {MARK_SIZE - 1} bytes")
        interpreter = self.command[0]
        looked_up_from = None if interpreter.startswith(b"/") else self.workdir
        if b"/" not in interpreter:
            looked_up_from = self.env.get(b"PATH")
        variables = tuple(sorted(startup_variables(self.env).items()))
        self.kind = (interpreter, looked_up_from, self.program.options, tuple(self.modules), variables)
        self.job = LocalJob(key=spawn.key, name=spawn.name, mem=spawn.mem, grace=spawn.grace, started=now)
        self.job.forked = True
        self.started_at = 0.0
        self.grace: float | None = None
        self.deaths = 0

    def request(self, cgroup: str | None) -> ForkRequest:
        """Return what the server gets; `cgroup` is the file through which the child joins its memory group."""
        return ForkRequest(
            key=self.key,
            mode=self.program.mode,
            at=self.program.at,
            command=self.command,
            env=self.env,
            workdir=self.workdir,
            stdout=self.spawn.stdout,
            stderr=self.spawn.stderr,
            cgroup=None if cgroup is None else os.fsencode(cgroup),
        )
