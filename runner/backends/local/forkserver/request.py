"""One session that is to be forked, as the spawner knows it until it has begun."""

from __future__ import annotations

import os

from runner.backends.local.forkserver.eligibility import CODE, parse, startup
from runner.backends.local.supervisor.job import Job

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


_LONGEST = 1 << 20


class Request:
    """`message` is the rest of SPAWN for a cold start; `kind` tells apart the parents that could serve it.

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
        "message",
        "modules",
        "program",
        "workdir",
    )

    def __init__(self, message: tuple[Any, ...], modules: list[bytes], base: dict[bytes, bytes], now: float) -> None:
        self.message = message
        self.modules = modules
        self.key, name, self.command, env, self.workdir, _, _, mem, grace = message
        self.env = {**base, **env}
        self.program = parse(self.command)
        interpreter = self.command[0]
        place = None if interpreter.startswith(b"/") else self.workdir
        if b"/" not in interpreter:
            place = self.env.get(b"PATH")
        variables = tuple(sorted(startup(self.env).items()))
        self.kind = (interpreter, place, self.program.flags, tuple(modules), variables)
        self.job = Job(self.key, name, mem, grace, now)
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
        _, _, _, _, workdir, stdout, stderr, _, _ = self.message
        program = self.program
        group = None if join is None else os.fsencode(join)
        return (self.key, program.mode, program.at, self.command, self.env, workdir, stdout, stderr, group)
