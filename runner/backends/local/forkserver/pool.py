"""Warm sessions on the spawner's side: which parent forks which, and what becomes of them until they have begun.

A session waits for a parent that is still importing; it runs cold, for a reason that is told, where none can serve it.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from time import monotonic, time

from runner.backends.local.cgroups import UnusableError
from runner.backends.local.forkserver.eligibility import Hiding, UnfitError, first_folder
from runner.backends.local.forkserver.request import Request
from runner.backends.local.forkserver.server_process import Parent
from runner.backends.local.procfs import LINUX
from runner.backends.local.supervisor.launch import LaunchError, ShortageError, StreamError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runner.backends.local.forkserver.owner import Owner
    from runner.backends.local.protocol import Spawn


MOST = 8
"""How many parents there may be at once: each holds all of its modules in memory."""

PATIENCE = 600.0
"""Seconds that a parent may take to import its modules."""

_DEATHS = 2
"""After so many parents have died over the same import, or before the same session had begun, it is cold."""

_SOON = 0.005

READY, UNFIT, BEGUN, FAULT, ENDED = 1, 2, 3, 4, 5  # as in parent/serve.py, which has another interpreter


class Parents:
    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._waiting: list[Request] = []
        self._parents: dict[int, Parent] = {}  # by the descriptor of their reports
        self._unfit: dict[tuple[Any, ...], str] = {}
        self._deaths: Counter[tuple[Any, ...]] = Counter()
        self._hiding = Hiding()

    def __bool__(self) -> bool:
        return bool(self._parents)

    @property
    def busy(self) -> bool:
        """Whether a session has been handed over that has not begun yet."""
        return any(parent.sent.keys() - parent.begun.keys() for parent in self._parents.values())

    def due(self) -> float | None:
        """When (monotonic) to `tick`: to send the rest of what was not taken, or as a parent imports for too long."""
        if any(parent.backlog for parent in self._parents.values()):
            return monotonic() + _SOON
        importing = [parent.since + PATIENCE for parent in self._parents.values() if parent.loaded is None]
        return min(importing, default=None)

    def take(self, spawn: Spawn) -> None:
        """A session that shall be forked."""
        if not LINUX:
            self._owner.cold(spawn, "sessions are forked on Linux only")
            return
        try:
            self._waiting.append(Request(spawn, self._owner.environ, monotonic()))
        except UnfitError as reason:
            self._owner.cold(spawn, str(reason))

    def cancel(self, key: int, grace: float) -> None:
        """If it waits here, it never begins; if it has been handed over, it is ended once it has begun."""
        for request in self._waiting:
            if request.key == key:
                self._waiting.remove(request)
                self._owner.never_began(key)
                return
        for parent in self._parents.values():
            if key in parent.sent and key not in parent.begun:
                parent.sent[key].grace = grace

    def cancel_all(self) -> None:
        self._waiting.clear()
        for parent in self._parents.values():
            for request in parent.sent.values():
                request.grace = request.job.grace

    def advance(self) -> None:
        """Hand over every session whose parent is ready; find or start a parent for the others."""
        if not self._waiting or not self._owner.up_to_date():
            return
        waiting, self._waiting = self._waiting, []
        for request in waiting:
            try:
                if not self._place(request):
                    self._waiting.append(request)
            except UnfitError as reason:
                self._owner.cold(request.spawn, str(reason))
            except UnusableError as fault:
                self._owner.refused(request.key, None, str(fault))

    def _place(self, request: Request) -> bool:
        """Whether it has been handed over. Raises UnfitError where it has to run cold."""
        if request.kind in self._unfit:
            raise UnfitError(self._unfit[request.kind])
        if request.deaths >= _DEATHS:
            raise UnfitError(f"{_DEATHS} interpreters died when it was to be forked")
        parent = next((one for one in self._parents.values() if one.serves(request)), None)
        if parent is None:
            self._start(request)
            return False
        if parent.loaded is None:
            return False
        folder = first_folder(request.program, request.command, request.workdir)
        if parent.loaded and (hidden := self._hiding(folder, parent.loaded)):
            name = f"`{os.fsdecode(hidden)}`"
            raise UnfitError(f"{name} in `{os.fsdecode(folder)}` would be hidden by the preloaded module {name}")
        request.at, request.job.started = time(), monotonic()
        parent.send(request, self._owner.limits.prepare(request.job))
        return True

    def _start(self, request: Request) -> None:
        if len(self._parents) >= MOST:
            raise UnfitError(f"there are {MOST} interpreters already, for other variables that are read at their start")
        try:
            parent = Parent(request, monotonic())
        except (LaunchError, StreamError, ShortageError) as fault:
            raise UnfitError(f"no interpreter could be started for it: {fault}") from None
        self._parents[parent.reports] = parent
        self._owner.watch(parent)

    # What they report

    def hear(self, file: int) -> None:
        """What there is to be read from this descriptor, unless its parent has just been found dead."""
        parent = self._parents.get(file)
        if parent is None:
            return
        parent.flush()
        reports, over = parent.hear()
        for report in reports:
            self._report(parent, *report)
        if over:
            self._over(parent)

    def hear_all(self) -> None:
        for file in list(self._parents):
            self.hear(file)

    def exited(self, pid: int, status: int) -> bool:
        """Whether the process that has been waited for was a parent."""
        for parent in self._parents.values():
            if parent.pid == pid:
                parent.status = status
                return True
        return False

    def tick(self) -> None:
        for parent in self._parents.values():
            parent.flush()
            if parent.loaded is None and monotonic() >= parent.since + PATIENCE:
                parent.reason = f"its modules were not imported within {PATIENCE:.0f} seconds"
                os.kill(parent.pid, signal.SIGKILL)

    def _report(self, parent: Parent, kind: int, *report: Any) -> None:
        if kind == READY:
            parent.loaded, parent.reads = report
        elif kind == UNFIT:
            parent.reason = report[0]
        elif kind == BEGUN:
            key, pid = report
            request = parent.sent[key]
            parent.begun[key] = request.job.pid = pid
            self._owner.begun(request.job, request.at)
            if request.grace is not None:
                request.job.cancelled = True
                self._owner.end(request.job, request.grace)
        elif kind == FAULT:
            key, code, reason = report
            self._owner.limits.abandon(parent.sent.pop(key).job)
            self._owner.refused(key, code, reason)
        elif kind == ENDED:
            key, pid, status, cpu_time, max_rss = report
            if key in parent.begun:
                del parent.begun[key], parent.sent[key]
                self._owner.ended(key, status, cpu_time, max_rss)
            elif key in parent.sent:  # killed before it could say a word: it has done nothing
                self._again(parent.sent.pop(key))

    def _again(self, request: Request) -> None:
        self._owner.limits.abandon(request.job)
        request.deaths += 1
        if request.grace is None:
            self._waiting.append(request)
        else:
            self._owner.never_began(request.key)

    def _over(self, parent: Parent) -> None:
        """It has died. What it had forked has become the spawner's own; what it had not, another one will."""
        del self._parents[parent.reports]
        self._owner.forget(parent)
        ready = parent.loaded is not None
        parent.bury()
        died = f"the interpreter that it was forked from died ({_how(parent.status or 0)})"
        if not ready:
            self._deaths[parent.kind] += 1
            if parent.reason or self._deaths[parent.kind] == _DEATHS:
                what = f"the interpreter that imports {_listed(parent.kind)} died ({_how(parent.status or 0)})"
                self._unfit[parent.kind] = parent.reason or what
        for key, request in parent.sent.items():
            if key not in parent.begun:
                self._again(request)
            elif not _ours(parent.begun[key]):
                self._owner.lost(key, f"its end was not seen: {died}")


def _ours(pid: int) -> bool:
    """Whether it is a child of this process, dead or alive."""
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _listed(kind: tuple[Any, ...]) -> str:
    return ", ".join(f"`{os.fsdecode(module)}`" for module in kind[3])


def _how(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
