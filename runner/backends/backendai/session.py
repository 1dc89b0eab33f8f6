"""A compute session that is followed: what the manager's list, its events and the console say about it."""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass

from runner.backends.backendai.api import STARTED, SessionInfo
from runner.backends.poller import PolledJob


@dataclass(eq=False)
class ComputeSession(PolledJob):
    """A session of the cluster."""

    id: str
    info: SessionInfo | None = None
    """The session as last listed."""
    status_since: float = -math.inf
    """When it was first listed with its status (trio's time)."""
    checked_at: float = -math.inf
    """When its console was last read for progress (trio's time)."""
    event_result: str | None = None
    """`SUCCESS` or `FAILURE`, from an event; the list may show it later."""
    exit_code: int | None = None
    """The exit code, from an event; the list never has it."""
    unlisted: int = 0
    """Lists in a row without the session."""
    gone: bool = False
    """The manager does not know the session."""
    command_started: bool = False
    """The console shows that the command has started."""
    command_ended: bool = False
    """The console shows that the command has ended; the manager has missed it."""
    never_started: bool = False
    """The manager does not start the command."""

    def __post_init__(self) -> None:
        super().__init__()

    @property
    def terminated(self) -> bool:
        """The session has no container any more, or never had one."""
        return self.gone or (self.info is not None and self.info.terminated)

    @property
    def result(self) -> str | None:
        return (self.info.result if self.info is not None else None) or self.event_result

    @property
    def failed(self) -> bool:
        """The manager could not start the session and keeps it with the status ERROR."""
        return self.info is not None and self.info.status == "ERROR"

    @property
    def ended(self) -> bool:
        """The command has ended, or will never start. The container may still exist."""
        return self.terminated or self.stuck or self.result is not None

    @property
    def stuck(self) -> bool:
        """The manager will not terminate the session by itself."""
        return self.failed or self.command_ended or self.never_started

    @property
    def started(self) -> bool:
        return self.ended or self.command_started or (self.info is not None and self.info.status in STARTED)


def is_session_id(text: str) -> bool:
    """Return whether `text` can be a session's id; the manager fails on a list with anything else."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
