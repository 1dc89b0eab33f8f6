"""What the local backend knows of a job that it has sent to the supervisor."""

from __future__ import annotations

from collections.abc import Callable

import trio

from runner.model import AttemptEnd


class SubmittedJob:
    """An attempt that was sent to the supervisor."""

    __slots__ = (
        "accepted",
        "at",
        "cold",
        "end",
        "ended",
        "id",
        "key",
        "mem",
        "name",
        "on_waiting",
        "pid",
        "refused",
    )

    def __init__(self, key: int, name: str, mem: int | None) -> None:
        self.key = key
        """Its number in messages."""
        self.name = name
        """The attempt's."""
        self.mem = mem
        """The memory limit in bytes."""
        self.on_waiting: Callable[[str], None] | None = None
        """Called with the reason why it does not end."""
        self.id = f"unstarted:{key}"
        """The job's id: the leader's pid once there is one."""
        self.pid: int | None = None
        """The leader's."""
        self.at = 0.0
        """When it was started or was found not to start (Unix time)."""
        self.cold: str | None = None
        """Why it was not forked from a preloaded interpreter, if it should have been."""
        self.refused: str | None = None
        """Why the supervisor could not start it, if the environment is at fault."""
        self.end: AttemptEnd | None = None
        """How it ended."""
        self.accepted = trio.Event()
        """Set once it was started or has ended."""
        self.ended = trio.Event()
        """Set with `end`."""
