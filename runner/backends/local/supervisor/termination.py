"""How a process tree is ended: TERM, some grace, KILL, until some looks in a row find nothing of it.

One ending is a small machine that whoever owns the tree steps along: it is shown the living members, signals
them, and says when it wants to be shown them again. Programs that keep forking are met by looking again at
once.
"""

from __future__ import annotations

import os
import signal

from runner.backends.local.procfs import Process, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

SHORTEST, LONGEST = 0.001, 0.1
"""Seconds between two looks: doubling from the first to the second, short again while the members killed change."""

MANY = 12
"""Empty looks in a row that prove a tree gone which kept forking while it was killed."""


class Ending:
    def __init__(self, now: float, grace: float) -> None:
        self._kill_at = now + grace
        self._asked: set[tuple[int, int]] = set()
        self._members: frozenset[int] = frozenset()
        self._pause = SHORTEST
        self._empty = 0
        self._enough = 2

    def hurry(self, now: float, grace: float) -> None:
        """Shorten what is left of the grace to `grace` seconds; never lengthens it."""
        self._kill_at = min(self._kill_at, now + grace)

    def step(self, now: float, members: Collection[Process]) -> float | None:
        """Signal the living `members`; seconds until the next look is due, None once they are gone."""
        if not members:
            self._empty += 1
            return None if self._empty >= self._enough else SHORTEST
        self._empty = 0
        for member in members:
            if now >= self._kill_at:
                send(member, signal.SIGKILL)
                continue
            if (member.pid, member.start) not in self._asked:
                self._asked.add((member.pid, member.start))
                send(member, signal.SIGTERM)
            if member.state in "Tt":
                send(member, signal.SIGCONT)
        pids = frozenset(member.pid for member in members)
        # A program that forks all the time must not keep us busy for the length of its grace, only while it is killed.
        changing = now >= self._kill_at and pids != self._members
        if changing and self._members:
            # Who forks as fast as we look can slip through a look: gone before it is known whose it was.
            self._enough = MANY
        self._pause = SHORTEST if changing else min(2 * self._pause, LONGEST)
        self._members = pids
        return self._pause if now >= self._kill_at else min(self._pause, self._kill_at - now)


def send(to: Process, signum: int) -> None:
    """Signal that very process, and not one that has been given its pid since."""
    try:
        handle = _handle(to)
        if handle is None:
            os.kill(to.pid, signum)
            return
        try:
            now = process(to.pid)
            if now and now.start == to.start:
                signal.pidfd_send_signal(handle, signum)
        finally:
            os.close(handle)
    except (ProcessLookupError, PermissionError):  # it has gone, or has become somebody else's
        pass


def _handle(to: Process) -> int | None:
    """A pidfd; None where the pid has to do. Raises ProcessLookupError."""
    if to.ppid == os.getpid() or not hasattr(os, "pidfd_open"):
        return None  # a child keeps its pid until we reap it
    try:
        return os.pidfd_open(to.pid)
    except ProcessLookupError:
        raise
    except OSError:  # a kernel or sandbox without pidfds, or no descriptor left: the look was microseconds ago
        return None
