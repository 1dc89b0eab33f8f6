"""One session that is to be forked, as the spawner knows it until it has begun."""

from __future__ import annotations

import os

from runner.backends.local.forkserver.eligibility import CODE, parse, startup
from runner.backends.local.supervisor.job import LocalJob

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runner.backends.local.protocol import Spawn


_LONGEST = 1 << 20


class Request:
    """`spawn` is the message, for a cold start; `kind` tells apart the parents that could serve it.

    `grace` is set once its end is wanted before it has begun, `deaths` counts the parents that have died over it. Raises
    UnfitError where no parent could.
    """

    __slots__ = (
        "at",
        "command",
        "deaths",
        "env",
        "grace",
        "job",
        "key",
        "kind",
        "modules",
        "program",
        "spawn",
        "workdir",
    )

    def __init__(self, spawn: Spawn, base: dict[bytes, bytes], now: float) -> None:
        assert isinstance(spawn.command, list)
        assert spawn.preload is not None
        self.spawn = spawn
        self.modules = spawn.preload
        self.key, self.command, self.workdir = spawn.key, spawn.command, spawn.workdir
        self.env = {**base, **spawn.env}
        self.program = parse(self.command)
        interpreter = self.command[0]
        place = None if interpreter.startswith(b"/") else self.workdir
        if b"/" not in interpreter:
            place = self.env.get(b"PATH")
        variables = tuple(sorted(startup(self.env).items()))
        self.kind = (interpreter, place, self.program.flags, tuple(self.modules), variables)
        self.job = LocalJob(key=spawn.key, name=spawn.name, mem=spawn.mem, grace=spawn.grace, started=now)
        self.job.forked = True
        self.at = 0.0
        self.grace: float | None = None
        self.deaths = 0

    def text(self) -> bytes:
        """The program's source; empty where it is not at hand."""
        target: bytes = self.command[self.program.at]
        if self.program.mode == CODE:
            return target
        try:
            with open(os.path.join(self.workdir, target), "rb") as file:
                text: bytes = file.read(_LONGEST)
                return text
        except OSError:
            return b""

    def wire(self, join: str | None) -> tuple[Any, ...]:
        """What the parent is told; `join` is where to join a memory group."""
        spawn = self.spawn
        program = self.program
        group = None if join is None else os.fsencode(join)
        return (
            self.key,
            program.mode,
            program.at,
            self.command,
            self.env,
            self.workdir,
            spawn.stdout,
            spawn.stderr,
            group,
        )
