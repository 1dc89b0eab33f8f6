"""Termination of a process tree: SIGTERM, a grace, SIGKILL, until several looks in a row find no process of it."""

from __future__ import annotations

import os
import signal
from collections import namedtuple

from runner.backends.local.procfs import Process, process, program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

SHORTEST, LONGEST = 0.001, 0.1
"""Seconds between two steps: doubled from the first to the second, and short again while new members appear during the kill."""

ENOUGH = 2
"""Empty looks in a row that prove a tree gone."""

ENOUGH_AFTER_FORKS = 12
"""The same for a tree that forked while it was killed: a look at the process table can miss a process that forks fast."""


STUCK_AFTER, STUCK_PAUSE = 2.0, 1.0
"""Seconds from SIGKILL until what still lives is reported; seconds between two steps from then on."""


Obstacle = namedtuple("Obstacle", "pid text")
"""A process that cannot be killed, and why, for people."""


class Termination:
    """A state machine that the owner of the tree steps: each step gets the living members, and signals them.

    `now` is on the owner's clock, in seconds.
    """

    def __init__(self, now: float, grace: float) -> None:
        self._kill_at = now + grace
        self._signalled: set[tuple[int, int]] = set()  # pid and start of those that got SIGTERM
        self._members: frozenset[int] = frozenset()
        self._pause = SHORTEST
        self._empty_looks = 0
        self._enough = ENOUGH
        self.stuck: Obstacle | None = None
        """Why the members live on although they should have been killed; None if there is no such trouble."""

    def shorten_grace(self, now: float, grace: float) -> None:
        """Send SIGKILL at the latest `grace` seconds from now. Never lengthens the grace."""
        self._kill_at = min(self._kill_at, now + grace)

    def step(self, now: float, members: Collection[Process]) -> float | None:
        """Signal the living `members`. Returns the seconds until the next step, None once the tree is gone."""
        if not members:
            self._empty_looks += 1
            return None if self._empty_looks >= self._enough else SHORTEST
        self._empty_looks = 0
        killing = now >= self._kill_at
        refused = []
        for member in members:
            if killing:
                if not send(member, signal.SIGKILL):
                    refused.append(member)
                continue
            if (member.pid, member.start) not in self._signalled:
                self._signalled.add((member.pid, member.start))
                send(member, signal.SIGTERM)
            if member.state in "Tt":  # a stopped process cannot handle SIGTERM
                send(member, signal.SIGCONT)
        pids = frozenset(member.pid for member in members)
        # Only while killing: a tree that forks all the time must not cost a step each millisecond for the whole grace.
        changing = killing and pids != self._members
        if changing and self._members:
            self._enough = ENOUGH_AFTER_FORKS
        self._pause = SHORTEST if changing else min(2 * self._pause, LONGEST)
        self._members = pids
        if killing and (len(refused) == len(members) or now >= self._kill_at + STUCK_AFTER):
            self.stuck = _obstacle(min(refused or members, key=lambda member: member.pid), bool(refused))
            return STUCK_PAUSE
        return self._pause if killing else min(self._pause, self._kill_at - now)


def _obstacle(member: Process, refused: bool) -> Obstacle:
    trouble = "may not be signalled, it runs as another user" if refused else "does not end after SIGKILL"
    return Obstacle(member.pid, f"process {member.pid}{program(member.pid)} {trouble}")


def send(target: Process, signum: int) -> bool:
    """Signal exactly this process, never another one that got its pid since. False if that is not permitted."""
    try:
        pidfd = _open_pidfd(target)
        if pidfd is None:
            os.kill(target.pid, signum)
            return True
        try:
            current = process(target.pid)
            if current and current.start == target.start:
                signal.pidfd_send_signal(pidfd, signum)
        finally:
            os.close(pidfd)
    except ProcessLookupError:  # it has ended
        return True
    except PermissionError:
        return not _still_lives(target)
    return True


def _still_lives(target: Process) -> bool:
    try:
        current = process(target.pid)
    except OSError:  # no free descriptor
        return True
    return current is not None and current.start == target.start and current.alive


def _open_pidfd(target: Process) -> int | None:
    """A pidfd; None if the pid is safe to use, or all there is. Raises ProcessLookupError."""
    if target.ppid == os.getpid() or not hasattr(os, "pidfd_open"):
        return None  # a child keeps its pid until this process reaps it
    try:
        return os.pidfd_open(target.pid)
    except ProcessLookupError:
        raise
    except OSError:  # no pidfds in this kernel or sandbox, or no free descriptor: the pid was read microseconds ago
        return None
