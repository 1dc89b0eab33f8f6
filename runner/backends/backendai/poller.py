"""Where the jobs stand: one event stream and one query at a growing interval, for all of them together."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import trio

from runner.backends.backendai import event_stream
from runner.backends.backendai.api import BEGUN, Seen, listing
from runner.backends.backendai.client import Client
from runner.backends.backendai.errors import Refused, Unavailable

SHORT, LONG = 1.0, 20.0
"""Seconds between two queries: after something has changed, and when nothing has for long."""

BLIND = 6.0
"""The longest interval while there is no event stream."""

GROWTH = 1.5
SOON = 0.2
"""Seconds from an event to the query that it makes necessary: others may come meanwhile."""

PRECIOUS = 5.0
"""Seconds between two queries, from which on events are taken at their word to save one."""

MISSES = 3
"""How often in a row a session must be missing from the list to count as gone."""


@dataclass(eq=False)
class Job:
    """A session that is followed. `seen` is its last known state, and `since` when it was first seen in that status (trio's
    time); `exit_code` came by an event.
    """

    id: str
    seen: Seen | None = None
    since: float = -math.inf
    exit_code: int | None = None
    gone: bool = False
    misses: int = 0
    proved: bool = False
    """Whether its command is known to have begun, whatever the cluster says."""
    missed: bool = False
    """Whether its command is known to have ended although the cluster does not say so."""
    waiters: int = 0
    changed: trio.Event = field(default_factory=trio.Event)

    @property
    def over(self) -> bool:
        """Whether its container is no more, or never was."""
        return self.gone or (self.seen is not None and self.seen.over)

    @property
    def leaving(self) -> bool:
        """Whether the cluster is at least about to clear it away: nobody has to see to that."""
        return self.over or (self.seen is not None and self.seen.status == "TERMINATING")

    @property
    def ended(self) -> bool:
        """Whether its command is known to be over; the cluster may yet have to clear it away."""
        return self.over or self.missed or (self.seen is not None and (self.seen.result is not None or self.failed))

    @property
    def failed(self) -> bool:
        return self.seen is not None and self.seen.status == "ERROR"

    @property
    def stuck(self) -> bool:
        """Whether the cluster will not clear it away by itself."""
        return self.failed or self.missed

    @property
    def preparing(self) -> bool:
        return self.seen is not None and self.seen.status == "PREPARING"

    @property
    def begun(self) -> bool:
        return self.ended or self.proved or (self.seen is not None and self.seen.status in BEGUN)

    def tell(self) -> None:
        self.changed.set()
        self.changed = trio.Event()


class Watch:
    """Run `run` in the background; `until` returns when a job is as wanted."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._jobs: dict[str, Job] = {}
        self._wanted: dict[str, Job] = {}
        """Those that somebody waits for."""
        self._interval = SHORT
        self._due = math.inf
        self._moved = trio.Event()
        self._streaming = False
        self._error: Exception | None = None

    def job(self, session: str) -> Job:
        if session not in self._jobs:
            self._jobs[session] = Job(session, gone=not _is_session(session))
        return self._jobs[session]

    def known(self, seen: Seen) -> Job:
        """A job that was just listed."""
        job = self.job(seen.id)
        self._update(job, seen)
        return job

    async def until(self, job: Job, condition: Callable[[], bool]) -> None:
        """Raises what keeps the watch from going on."""
        job.waiters += 1
        self._wanted[job.id] = job
        try:
            while not condition():
                if self._error is not None:
                    raise self._error
                self._look_in(self._interval)
                await job.changed.wait()
        finally:
            job.waiters -= 1
            if not job.waiters:
                self._wanted.pop(job.id, None)

    def forget(self, job: Job) -> None:
        """Nobody will ask for it again."""
        self._jobs.pop(job.id, None)

    async def run(self) -> None:
        """Never returns. What goes wrong for good is told to whoever waits."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._poll)
            nursery.start_soon(self._listen)

    @property
    def frugal(self) -> bool:
        """Whether requests are so few that none should be made to be quicker."""
        return self._pace() >= PRECIOUS

    def look_now(self) -> None:
        """Something has changed for which there may be no event."""
        self._interval = SHORT
        self._look_in(SOON)

    def _look_in(self, seconds: float) -> None:
        pace = self._pace()
        due = trio.current_time() + max(seconds, 0.0 if pace < 1 else pace)
        if due < self._due:
            self._due = due
            self._moved.set()

    def _pace(self) -> float:
        """Each job still needs its console and perhaps a destruction; those come before curiosity."""
        return self._client.budget.pace(reserve=3 + 3 * len(self._wanted))

    async def _poll(self) -> None:
        while True:
            while trio.current_time() < self._due:
                self._moved = trio.Event()
                with trio.move_on_at(self._due):
                    await self._moved.wait()
            self._due = math.inf
            wanted = list(self._wanted.values())
            if not wanted:
                continue
            try:
                found = {seen.id: seen for seen in await listing(self._client, "id", [job.id for job in wanted])}
            except Exception as error:
                self._fail(error)
                continue
            changed = [self._update(job, found.get(job.id)) for job in wanted]
            longest = LONG if self._streaming else BLIND
            news = any(changed) and not self._streaming  # else events tell what is worth another look
            self._interval = SHORT if news else min(longest, self._interval * GROWTH)
            self._look_in(self._interval)

    def _update(self, job: Job, seen: Seen | None) -> bool:
        """Take in what was listed. Returns whether that is news."""
        if seen is None:
            job.misses += 1
            job.gone = job.misses >= MISSES
            if job.gone:
                job.tell()
            return True
        job.misses = 0
        if job.seen is not None:
            if job.seen.over and not seen.over:
                return False  # the list is older than the event that told us so
            result = seen.result or job.seen.result
            seen = replace(seen, result=result, began=job.seen.began or seen.began)
        news = job.seen is None or (job.seen.status, job.seen.result) != (seen.status, seen.result)
        if job.seen is None or job.seen.status != seen.status:
            job.since = trio.current_time()
        told = news or (job.seen is not None and job.seen.waits_for != seen.waits_for)
        job.seen = seen
        if told:
            job.tell()
        return news

    def _fail(self, error: Exception) -> None:
        self._error = error
        for job in self._jobs.values():
            job.tell()

    async def _listen(self) -> None:
        pause = 1.0
        query = {
            "sessionName": "*",
            "ownerAccessKey": self._client.config.access_key,
            "groupName": "*",
            "scope": "*",
        }
        while True:
            since = trio.current_time()
            try:
                async with self._client.listen("/events/session", query) as lines:
                    self._streaming = True
                    self.look_now()  # what has happened before is not told again
                    async for event in event_stream.parse(lines):
                        self._hear(event)
            except (Unavailable, Refused):
                pass
            except Exception as error:
                self._fail(error)
                return
            finally:
                self._streaming = False
            pause = 1.0 if trio.current_time() - since > 60 else min(60.0, pause * 2)
            await trio.sleep(max(pause, self._pace()))

    def _hear(self, event: event_stream.Event) -> None:
        job = self._jobs.get(event.session)
        if job is None or job.over:
            return
        seen = job.seen or Seen(event.session, event.session_name, "PENDING", "", None, None, None, None, None)
        if event.name in ("kernel_started", "session_started"):
            if seen.status in BEGUN:
                return
            if not self.frugal:
                self._look_in(SOON)  # that tells where it runs, too
                return
            seen = replace(seen, status="RUNNING", began=time.time(), waits_for=None)
        elif event.name in ("session_success", "session_failure"):
            job.exit_code = event.exit_code
            seen = replace(seen, result="SUCCESS" if event.name == "session_success" else "FAILURE")
        elif event.name == "session_terminating":
            seen = replace(seen, status="TERMINATING", info=event.reason)
        elif event.name == "session_terminated" and seen.result is not None:
            seen = replace(seen, status="TERMINATED", info=event.reason)
        elif event.name in ("session_terminated", "session_cancelled", "kernel_cancelled"):
            self.look_now()  # how it ended, only the list knows
            return
        else:
            return
        if seen != job.seen:
            job.seen = seen
            job.tell()


def _is_session(text: str) -> bool:
    """Whether it can be a session's id at all; the list takes nothing else."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
