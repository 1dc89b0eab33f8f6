"""The Backend.AI backend: each job is a batch session, and a job's id is its session's id."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import httpx
import trio

from runner.backends.backendai import api
from runner.backends.backendai.client import Client
from runner.backends.backendai.errors import RequestRefused, ServerError, hint
from runner.backends.backendai.job import BackendAIJob
from runner.backends.backendai.limits import MAX_PAYLOAD
from runner.backends.backendai.options import read
from runner.backends.backendai.tracker import SessionTracker
from runner.backends.backendai.upload import CreateRequest, PayloadTooLarge, create_request
from runner.backends.base import Rejected, Started
from runner.model import Attempt, AttemptEnd
from runner.units import format_memory

MAX_ENDED_JOBS = 1000
"""Ended jobs that are kept in memory, so that `wait` can be called again."""


class BackendAI:
    """Runs attempts as batch sessions, with the account that the options and the environment name.

    Sessions outlive the client. A wrapper in the container enforces the time limit, and sends the streams and small
    output files through the container's console.
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
        self._options = read(options, environ)
        self._client = Client(self._options, transport)
        self._tracker = SessionTracker(self._client)
        self._jobs: dict[str, BackendAIJob] = {}
        self._ids: dict[str, str] = {}
        """Job ids by attempt name."""
        self._ended: deque[BackendAIJob] = deque()
        """Ended jobs, oldest first."""
        self._wanted_names: set[str] = set()
        self._find_lock = trio.Lock()

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        self._nursery_manager = trio.open_nursery()
        nursery = await self._nursery_manager.__aenter__()
        self._scope = nursery.cancel_scope
        nursery.start_soon(self._tracker.run)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._scope.cancel()
        try:
            # Without the caller's error: the nursery would wrap it into a group.
            await self._nursery_manager.__aexit__(None, None, None)
        finally:
            await self._client.__aexit__(kind, error, traceback)

    async def submit(self, attempt: Attempt, on_waiting: Callable[[str], None] | None = None) -> str:
        omitted = 0
        if attempt.name not in self._ids:
            request = await self._create_request(attempt)
            omitted = request.omitted
            try:
                self._ids[attempt.name] = await api.create(self._client, request.body)
            except RequestRefused as refusal:
                advice = hint(refusal.message)
                raise Rejected(f"{refusal.message} ({advice})" if advice else refusal.message) from refusal
            except ServerError as error:
                raise Rejected(f"{error.message}, each time the session was created") from error
        job = self._job(self._ids[attempt.name])
        job.attempt, job.omitted = attempt, job.omitted or omitted
        await trio.lowlevel.checkpoint()
        return job.session.id

    async def find(self, name: str, job: str | None = None, started: float | None = None) -> str | None:
        """Return the id of the job of that name. Names that are looked up at the same time share one query."""
        self._wanted_names.add(name)
        async with self._find_lock:
            if name in self._wanted_names:
                names = frozenset(self._wanted_names)
                found = await api.find_sessions(self._client, "name", names)
                for info in sorted(found, key=lambda it: not it.terminated):  # a live one replaces ended ones
                    self._ids[info.name] = self._tracker.update(info).id
                self._wanted_names -= names
        return self._ids.get(name)

    async def live_jobs(self, prefix: str) -> Mapping[str, str]:
        found = await api.live_sessions(self._client, prefix)
        return {info.name: self._tracker.update(info).id for info in found}

    async def started(self, job: str, on_waiting: Callable[[str], None]) -> Started:
        return await self._job(job).started(on_waiting)

    async def wait(self, job: str) -> AttemptEnd:
        followed = self._job(job)
        had_ended = followed.end is not None
        end = await followed.wait()
        if not had_ended and followed not in self._ended:
            self._ended.append(followed)
            if len(self._ended) > MAX_ENDED_JOBS:
                self._forget(self._ended.popleft())
        return end

    async def cancel(self, job: str, grace: float) -> None:
        await self._job(job).cancel(grace)

    async def refresh(self, job: str) -> bool:
        return await self._job(job).refresh()

    def _job(self, job: str) -> BackendAIJob:
        if job not in self._jobs:
            self._jobs[job] = BackendAIJob(self._client, self._tracker, self._tracker.session(job))
        return self._jobs[job]

    def _forget(self, job: BackendAIJob) -> None:
        self._jobs.pop(job.session.id, None)
        self._tracker.forget(job.session)
        if job.attempt is not None:
            self._ids.pop(job.attempt.name, None)

    async def _create_request(self, attempt: Attempt) -> CreateRequest:
        if attempt.image is None:
            raise Rejected("backend `backend.ai` needs an `image`")
        try:
            return await trio.to_thread.run_sync(create_request, attempt, self._options.job)
        except PayloadTooLarge as error:
            sizes = f"{format_memory(error.size)}, a job takes at most {format_memory(MAX_PAYLOAD)}"
            raise Rejected(f"its files are {sizes}") from error
        except (OSError, UnicodeEncodeError) as error:
            raise Rejected(f"its files or variables cannot be sent: {error}") from error
