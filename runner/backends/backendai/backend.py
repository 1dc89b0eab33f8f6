"""Jobs are batch sessions of a Backend.AI cluster. A job's id is its session's id."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import httpx
import trio

from runner.backends.backendai import api, download, outcome, stuck_sessions, upload
from runner.backends.backendai.client import Client
from runner.backends.backendai.errors import Refused, hint
from runner.backends.backendai.options import read
from runner.backends.backendai.poller import Job, Watch
from runner.backends.base import Rejected, Started
from runner.model import Attempt, AttemptEnd
from runner.units import format_memory

REMEMBERED = 1000
"""How many jobs whose end has been told are kept in memory, for those who ask again."""

LEAVING = 5.0
"""Seconds beyond its grace that a wrapper gets to bring back what there is, before its session is destroyed."""


class BackendAI:
    """Submits, finds, follows, ends sessions, with the account and the options that `options` and `environ` give.

    Jobs outlive the client. Their time limits are carried out by a wrapper inside their containers, which also sends
    their streams and small output files through the container's console.
    """

    name = "backend.ai"
    outlives_client = True
    max_jobs: int | None = None
    prefetch_limit = 0

    def __init__(
        self,
        options: Mapping[str, Any],
        environ: Mapping[str, str],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._config = read(options, environ)
        self._client = Client(self._config, transport)
        self._watch = Watch(self._client)
        self._ids: dict[str, str] = {}  # by name
        self._attempts: dict[str, Attempt] = {}  # by id
        self._started: dict[str, Started] = {}
        self._ended: dict[str, AttemptEnd] = {}
        self._locks: dict[str, trio.Lock] = {}
        self._asked: set[str] = set()
        self._going: set[Job] = set()
        self._behind: dict[str, int] = {}  # by name: output files of earlier attempts that did not go along
        self._told: deque[str] = deque()
        self._writing = trio.Lock()
        self._sought: set[str] = set()
        self._seeking = trio.Lock()

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        self._manager = trio.open_nursery()
        nursery = await self._manager.__aenter__()
        self._scope = nursery.cancel_scope
        nursery.start_soon(self._watch.run)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        try:
            if error is None:
                await self._see_off()
        finally:
            await self._close(kind, error, traceback)
        return None

    async def _close(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._scope.cancel()
        try:
            # The caller's error is the caller's: a nursery would make a group of it.
            await self._manager.__aexit__(None, None, None)
        finally:
            await self._client.__aexit__(kind, error, traceback)

    async def _see_off(self) -> None:
        """A manager that was away may have forgotten to clear away what has ended: then it is told to."""
        if self._client.failed_at > -math.inf:
            with trio.move_on_after(2 * stuck_sessions.CLEARED_WITHIN):
                await self._room()
                for it in self._going:
                    await api.destroy(self._client, it.id, forced=True)

    async def submit(self, attempt: Attempt, on_waiting: Callable[[str], None] | None = None) -> str:
        if attempt.name not in self._ids:
            await self._room()
            if attempt.image is None:
                raise Rejected("backend `backend.ai` needs an `image`")
            try:
                body = await trio.to_thread.run_sync(upload.request, attempt, self._config.job)
                self._behind[attempt.name] = await trio.to_thread.run_sync(upload.left_behind, attempt)
                self._ids[attempt.name] = await api.create(self._client, body)
            except upload.TooLarge as error:
                most = format_memory(upload.LARGEST_PAYLOAD)
                raise Rejected(f"its files come to {format_memory(error.size)}, a job can take {most} along") from error
            except (OSError, UnicodeEncodeError) as error:
                raise Rejected(f"its files or variables cannot be sent: {error}") from error
            except Refused as refusal:
                advice = hint(refusal.words)
                raise Rejected(f"{refusal.words} ({advice})" if advice else refusal.words) from refusal
        job = self._ids[attempt.name]
        self._attempts[job] = attempt
        await trio.lowlevel.checkpoint()
        return job

    async def find(self, name: str, job: str | None = None, started: float | None = None) -> str | None:
        """All that are asked for at the same time are found by one query."""
        self._sought.add(name)
        async with self._seeking:
            if name in self._sought:
                names = frozenset(self._sought)
                for seen in sorted(await api.listing(self._client, "name", names), key=lambda it: not it.over):
                    self._ids[seen.name] = self._watch.known(seen).id
                self._sought -= names
        return self._ids.get(name)

    async def live_jobs(self, prefix: str) -> Mapping[str, str]:
        found = await api.living(self._client, prefix)
        for seen in found:
            self._watch.known(seen)
        return {seen.name: seen.id for seen in found}

    async def started(self, job: str, on_waiting: Callable[[str], None]) -> Started:
        it = self._watch.job(job)
        told: str | None = None

        def begun() -> bool:
            nonlocal told
            why = it.seen.waits_for if it.seen and not it.begun else None
            if why and why != told:
                told = why
                on_waiting(why)
            return it.begun

        if job not in self._ended and not await stuck_sessions.begin(
            self._client, self._watch, it, self._name(it), begun
        ):
            self._ended[job] = await stuck_sessions.give_up(self._client, self._watch, it, self._name(it))
        if job not in self._started:
            at = it.seen.began if it.seen and it.seen.began else time.time()
            self._started[job] = Started(at, it.seen.host if it.seen else None)
        await trio.lowlevel.checkpoint()
        return self._started[job]

    async def wait(self, job: str) -> AttemptEnd:
        it = self._watch.job(job)
        async with self._locks.setdefault(job, trio.Lock()):
            if job not in self._ended:
                await self.started(job, lambda _: None)
            if job not in self._ended:
                if await stuck_sessions.end(self._client, self._watch, it, self._name(it)):
                    self._ended[job] = await self._follow_out(it)
                else:
                    self._ended[job] = await stuck_sessions.give_up(self._client, self._watch, it, self._name(it))
                self._remember(it)
            return self._ended[job]

    def _remember(self, it: Job) -> None:
        """Its end has been told; in time it may be forgotten."""
        self._told.append(it.id)
        if len(self._told) > REMEMBERED:
            old = self._told.popleft()
            attempt = self._attempts.pop(old, None)
            if attempt is not None:
                self._ids.pop(attempt.name, None)
                self._behind.pop(attempt.name, None)
            for known in (self._started, self._ended, self._locks):
                known.pop(old, None)
            self._asked.discard(old)
            self._watch.forget(self._watch.job(old))

    async def _room(self) -> None:
        """Whoever submits next may count on the room of those that have ended: let their containers go first."""
        with trio.move_on_after(stuck_sessions.CLEARED_WITHIN):
            for it in list(self._going):
                await self._watch.until(it, lambda: it.over)  # noqa: B023
        self._going = {it for it in self._going if not it.over}

    async def _follow_out(self, it: Job) -> AttemptEnd:
        """Clear an ended job away and take in what it leaves: at once, if all of it is on its console already."""
        await self._clear_away(it, lambda: it.leaving)
        attempt = self._attempts.get(it.id)
        if not it.over and attempt is not None and not self._watch.frugal:
            log = await api.console(self._client, it.id)
            if log and download.whole(log, attempt.name):
                self._going.add(it)
                return await self._bring_back(it, log)
        await self._clear_away(it, lambda: it.over)
        return await self._collect(it)

    async def cancel(self, job: str, grace: float) -> None:
        it = self._watch.job(job)
        if job in self._ended or it.over:
            await trio.lowlevel.checkpoint()
            return
        if not it.ended:
            self._asked.add(job)
        if it.begun and not it.ended:
            await self._ask_to_end(it, grace)
        if not it.over and await api.destroy(self._client, job, forced=grace <= 0 or not it.begun):
            self._watch.look_now()
            with trio.move_on_after(stuck_sessions.CLEARED_WITHIN):
                await self._watch.until(it, lambda: it.over)

    async def _ask_to_end(self, it: Job, grace: float) -> None:
        """Its wrapper sends TERM when it is interrupted, KILL at the second time, and tells how it ended."""
        await api.interrupt(self._client, it.id)
        with trio.move_on_after(grace):
            await self._watch.until(it, lambda: it.ended)
        if not it.ended:
            await api.interrupt(self._client, it.id)
            with trio.move_on_after(LEAVING):
                await self._watch.until(it, lambda: it.ended)
        if it.ended:
            with trio.move_on_after(stuck_sessions.CLEARED_WITHIN):
                await self._watch.until(it, lambda: it.over)

    async def refresh(self, job: str) -> bool:
        """What an ended job has written is in place already. Where requests are few, they are not spent on this."""
        if job in self._ended or self._watch.frugal:
            return job not in self._ended
        it = self._watch.job(job)
        if not it.waiters:
            for seen in await api.listing(self._client, "id", [job]):
                self._watch.known(seen)
        over = it.over
        log = await api.console(self._client, job)
        attempt = self._attempts.get(job)
        if log and attempt is not None:
            async with self._writing:
                if job not in self._ended:
                    await trio.to_thread.run_sync(download.logs, log, attempt)
        return not over and not download.whole(log or "", self._name(it))

    async def _clear_away(self, it: Job, done: Callable[[], bool]) -> None:
        """A session whose command is over goes by itself; one that does not is helped on."""
        with trio.move_on_after(0 if it.stuck else stuck_sessions.CLEARED_WITHIN):
            await self._watch.until(it, done)
        if not done():
            await api.destroy(self._client, it.id, forced=True)
            self._watch.look_now()
            with trio.move_on_after(stuck_sessions.CLEARED_WITHIN):
                await self._watch.until(it, done)

    async def _collect(self, it: Job) -> AttemptEnd:
        expected = it.missed or (it.seen is not None and it.seen.result is not None)
        ran = expected or it.proved or (it.seen is not None and it.seen.began is not None)
        log = await download.fetch(self._client, it.id, self._name(it), expected=expected) if ran else ""
        return await self._bring_back(it, log)

    async def _bring_back(self, it: Job, log: str) -> AttemptEnd:
        attempt = self._attempts.get(it.id)
        expected = not it.gone and it.seen is not None and it.seen.result is not None
        async with self._writing:
            missing = self._behind.get(self._name(it), 0)
            console = await trio.to_thread.run_sync(
                download.bring_back, log, self._name(it), attempt, expected, missing
            )
        seen = None if it.gone else it.seen
        return outcome.ended(seen, it.exit_code, console, attempt, asked=it.id in self._asked)

    def _name(self, it: Job) -> str:
        attempt = self._attempts.get(it.id)
        return attempt.name if attempt else it.seen.name if it.seen else ""
