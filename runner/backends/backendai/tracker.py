"""Follows sessions: one event stream, and one query at a growing interval, for all of them together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from runner.backends.backendai import event_stream, progress
from runner.backends.backendai.api import SessionInfo, find_sessions
from runner.backends.backendai.client import Client
from runner.backends.backendai.errors import RequestRefused, Unavailable
from runner.backends.backendai.session import ComputeSession, is_session_id
from runner.backends.poller import Poller

SHORTEST, LONGEST = 1.0, 20.0
"""Seconds between two queries: after a change, and when nothing has changed for long."""

LONGEST_WITHOUT_EVENTS = 6.0
"""The same without an event stream."""

GROWTH = 1.5
EVENT_DELAY = 0.2
"""Seconds from an event to a query: events of several sessions share one."""

UNLISTED_LIMIT = 3
"""Lists in a row without a session after which it is gone."""

PROGRESS_INTERVAL = 5.0
"""Seconds between two looks for sessions without progress."""

LONGEST_STREAM_PAUSE = 60.0
"""Seconds between two attempts to open the event stream, at most."""

RESULTS = {"session_success": "SUCCESS", "session_failure": "FAILURE"}
STATUS_EVENTS = frozenset(
    ("kernel_started", "session_started", "session_terminated", "session_cancelled", "kernel_cancelled")
)
"""Events after which the list shows a new status."""


class SessionTracker:
    """Keeps sessions up to date while `run` runs; `until` waits for a condition of one.

    The list is the only source of a session's status. Events say when to query it, and the exit code.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._sessions: dict[str, ComputeSession] = {}
        self._poller = Poller(self._poll, shortest=SHORTEST, growth=GROWTH)
        self._streaming = False

    def session(self, session_id: str) -> ComputeSession:
        if session_id not in self._sessions:
            self._sessions[session_id] = ComputeSession(session_id, gone=not is_session_id(session_id))
        return self._sessions[session_id]

    def update(self, info: SessionInfo) -> ComputeSession:
        """Return the session after recording how it was just listed."""
        session = self.session(info.id)
        self._record(session, info)
        return session

    def forget(self, session: ComputeSession) -> None:
        """Drop a session that is not needed any more."""
        self._sessions.pop(session.id, None)

    async def until(self, session: ComputeSession, condition: Callable[[], bool]) -> None:
        """Return when the condition holds. Raises the error that ended the polling."""
        await self._poller.until(session, condition)

    def is_polled(self, session: ComputeSession) -> bool:
        """Return whether a task waits for the session: only then it is kept up to date."""
        return self._poller.waits_for(session)

    def poll_soon(self) -> None:
        """Query soon, and then at short intervals: something has changed."""
        self._poller.ask_soon(EVENT_DELAY)

    async def run(self) -> None:
        """Poll, listen and check for progress until cancelled. Errors go to the tasks that wait in `until`."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._poller.run)
            nursery.start_soon(self._run, self._listen)
            nursery.start_soon(self._run, self._check_progress)

    async def _run(self, loop: Callable[[], Awaitable[None]]) -> None:
        try:
            await loop()
        except Exception as error:
            self._poller.fail(error)

    async def _poll(self, sessions: list[ComputeSession]) -> float:
        """Query these sessions. Return the longest interval until the next query, in seconds."""
        listed = {info.id: info for info in await find_sessions(self._client, "id", [it.id for it in sessions])}
        changed = [self._record(session, listed.get(session.id)) for session in sessions]
        if self._streaming:
            return LONGEST  # events say when to query sooner
        if any(changed):
            self._poller.ask_soon(SHORTEST)
        return LONGEST_WITHOUT_EVENTS

    def _record(self, session: ComputeSession, info: SessionInfo | None) -> bool:
        """Record how a session was listed. Return whether its status or result has changed."""
        if info is None:
            session.unlisted += 1
            session.gone = session.unlisted >= UNLISTED_LIMIT
            session.notify()
            return True
        if session.info is not None and session.info.terminated:
            return False  # lists can overtake each other
        before, session.info, session.unlisted = session.info, info, 0
        if before is None or before.status != info.status:
            session.status_since = trio.current_time()
        if before != info:
            session.notify()
        return before is None or (before.status, before.result) != (info.status, info.result)

    async def _listen(self) -> None:
        pause = 1.0
        query = {
            "sessionName": "*",
            "ownerAccessKey": self._client.options.access_key,
            "groupName": "*",
            "scope": "*",
        }
        while True:
            opened = trio.current_time()
            try:
                async with self._client.stream("/events/session", query) as lines:
                    self._streaming = True
                    self.poll_soon()  # the stream does not repeat earlier events
                    async for event in event_stream.parse(lines):
                        self._handle(event)
            except (Unavailable, RequestRefused):
                pass
            finally:
                self._streaming = False
            lasted = trio.current_time() - opened
            pause = 1.0 if lasted > LONGEST_STREAM_PAUSE else min(LONGEST_STREAM_PAUSE, pause * 2)
            await trio.sleep(pause)

    def _handle(self, event: event_stream.SessionEvent) -> None:
        session = self._sessions.get(event.session)
        if session is None or session.terminated:
            return
        if result := RESULTS.get(event.name):
            session.event_result, session.exit_code = result, event.exit_code
            session.notify()
        elif event.name in STATUS_EVENTS:
            self.poll_soon()

    async def _check_progress(self) -> None:
        while True:
            await trio.sleep(PROGRESS_INTERVAL)
            for session in self._poller.waited_for:
                if progress.next_check(self._client, session) <= trio.current_time():
                    await progress.check(self._client, session)
