"""One job: a session of the cluster and the attempt that it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import trio

from runner import clock
from runner.backends.backendai import api, collect, outcome
from runner.backends.backendai.client import Client
from runner.backends.backendai.console import has_end, has_lines
from runner.backends.backendai.session import ComputeSession
from runner.backends.backendai.tracker import SessionTracker
from runner.backends.base import Started
from runner.model import Attempt, AttemptEnd, Cause, Outcome, Reason

TERMINATES_WITHIN = 8.0
"""Seconds that the manager gets to terminate a session whose command has ended, before runner destroys it."""

COLLECTS_WITHIN = 5.0
"""Seconds after the second interrupt that the wrapper gets to send output files."""


class BackendAIJob:
    """Follows one session to its end.

    `attempt` is None for a job that was found but not submitted by this process; `omitted` is the number of output files
    of earlier attempts that the session was created without.
    """

    def __init__(self, client: Client, tracker: SessionTracker, session: ComputeSession) -> None:
        self.session = session
        self.attempt: Attempt | None = None
        self.omitted = 0
        self.end: AttemptEnd | None = None
        self._client = client
        self._tracker = tracker
        self._started: Started | None = None
        self._cancelled = False
        self._end_lock = trio.Lock()
        self._file_lock = trio.Lock()

    async def started(self, on_waiting: Callable[[str], None]) -> Started:
        """Return when the command has started, or will never start; report each new reason why it waits."""
        session, reported = self.session, ""

        def started() -> bool:
            nonlocal reported
            reason = session.info.pending_reason if session.info and not session.started else None
            if reason and reason != reported:
                reported = reason
                on_waiting(reason)
            return session.started

        await self._tracker.until(session, started)
        if self._started is None:
            info = session.info
            at = (info.running_since if info else None) or clock.now()
            self._started = Started(at, info.agent if info else None)
        await trio.lowlevel.checkpoint()
        return self._started

    async def wait(self) -> AttemptEnd:
        """Return how the attempt ended, once its session is terminated and its logs and outputs are in place."""
        async with self._end_lock:
            if self.end is None:
                await self._tracker.until(self.session, lambda: self.session.ended)
                self.end = await (self._give_up() if self.session.never_started else self._collect())
        await trio.lowlevel.checkpoint()
        return self.end

    async def cancel(self, grace: float) -> None:
        """End the command, with TERM and after `grace` seconds with KILL, and then the session."""
        session = self.session
        if self.end is not None or session.terminated:
            await trio.lowlevel.checkpoint()
            return
        if not session.ended:
            self._cancelled = True
            if session.started:
                await self._interrupt(grace)
        if not session.terminated and await api.destroy(
            self._client, session.id, forced=grace <= 0 or not session.started
        ):
            self._tracker.poll_soon()
            await self._terminated()

    async def refresh(self) -> bool:
        """Write what the command has printed so far to the log files. Return whether more may come."""
        if self.end is not None:
            await trio.lowlevel.checkpoint()
            return False
        session = self.session
        if not self._tracker.is_polled(session):
            for info in await api.find_sessions(self._client, "id", [session.id]):
                self._tracker.update(info)
        terminated = session.terminated
        log = await api.console_log(self._client, session.id) or ""
        if log and self.attempt is not None:
            async with self._file_lock:
                if self.end is None:
                    await trio.to_thread.run_sync(collect.update_logs, log, self.attempt)
        return not terminated and not has_end(log, self._name)

    @property
    def _name(self) -> str:
        if self.attempt is not None:
            return self.attempt.name
        return self.session.info.name if self.session.info else ""

    async def _interrupt(self, grace: float) -> None:
        """Interrupt the wrapper: it sends TERM at the first SIGINT, KILL at the second, and then reports the end."""
        for seconds in (grace, COLLECTS_WITHIN):
            if not self.session.ended:
                await api.interrupt(self._client, self.session.id)
                with trio.move_on_after(seconds):
                    await self._tracker.until(self.session, lambda: self.session.ended)
        if self.session.ended:
            await self._terminated()

    async def _terminated(self) -> bool:
        """Return whether the session is terminated, after waiting for that for a short time."""
        with trio.move_on_after(TERMINATES_WITHIN):
            await self._tracker.until(self.session, lambda: self.session.terminated)
        return self.session.terminated

    async def _terminate(self) -> None:
        """Return when the session is terminated; destroy one that the manager does not terminate by itself."""
        if self.session.stuck or not await self._terminated():
            await api.destroy(self._client, self.session.id, forced=True)
            self._tracker.poll_soon()
            await self._terminated()

    async def _collect(self) -> AttemptEnd:
        """Take the session's logs and outputs from its console, and terminate it.

        A session counts as ended only once it is terminated: until then its resources are not free.
        """
        session, log = self.session, ""
        has_result = session.result is not None or session.command_ended
        if has_result and not session.terminated:
            log = await api.console_log(self._client, session.id) or ""
        await self._terminate()
        ran = has_result or session.command_started or bool(session.info and session.info.running_since)
        if ran and not has_end(log, self._name):
            attempts = collect.FETCH_ATTEMPTS if has_result else 2
            log = await collect.fetch(self._client, session.id, self._name, attempts=attempts)
        info = None
        if session.info is not None and not session.gone:
            info = replace(session.info, result=session.result)
        async with self._file_lock:
            console = await trio.to_thread.run_sync(
                partial(
                    collect.collect,
                    log,
                    self._name,
                    self.attempt,
                    expected=info is not None and info.result is not None,
                    omitted=self.omitted,
                )
            )
        return outcome.attempt_end(info, session.exit_code, console, self.attempt, cancelled=self._cancelled)

    async def _give_up(self) -> AttemptEnd:
        """Destroy a session whose command was never started, and check that it has not started at the last moment."""
        await self._terminate()
        log = await api.console_log(self._client, self.session.id)
        if log is None:
            began = self.session.info is not None and self.session.info.running_since is not None
        else:
            began = has_lines(log, self._name)
        reason = Reason(Cause.NODE_FAILED, "the cluster never started its command")
        return AttemptEnd(outcome=Outcome.LOST, reason=reason, began=began)
