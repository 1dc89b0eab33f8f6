"""What a dead runner left behind: attempts that were submitted and have no end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from runner.backends.base import Backend
from runner.events import AttemptEnded, Emit
from runner.model import Ended, Outcome
from runner.state import State
from runner.state.records import OpenAttempt


@dataclass
class Settled:
    """`adopt` maps sessions to jobs that this runner takes over; of `ended` an end was recorded."""

    adopt: dict[str, str] = field(default_factory=dict)
    ended: list[OpenAttempt] = field(default_factory=list)


async def settle(
    state: State,
    backend: Backend,
    grace: float,
    emit: Emit,
    wanted: Callable[[frozenset[str]], frozenset[str]] = frozenset,
) -> Settled:
    """Adopt what outlives its client; end everything else that still runs, and record it as lost.

    Of the sessions whose jobs could be adopted, `wanted` picks those that are: the jobs of all others are ended, and so
    is every job under a name of this state that the journal does not wait for. Attempts of other backends than the one
    at hand are left alone.
    """
    settled = Settled()
    attempts = [attempt for attempt in state.journal.open_attempts() if attempt.backend == backend.name]
    found = await _find(backend, [attempt.name for attempt in attempts])
    adoptable = [attempt.session for attempt in attempts if attempt.name in found] if backend.outlives_client else []
    adopted = wanted(frozenset(adoptable)) if adoptable else frozenset()
    settled.adopt = {a.session: found[a.name] for a in attempts if a.name in found and a.session in adopted}
    stray = await backend.living(f"{state.id}-")
    unwanted = {**stray, **found}
    await _end(backend, [job for job in unwanted.values() if job not in settled.adopt.values()], grace)
    for attempt in attempts:
        if attempt.session in settled.adopt:
            continue
        job = found.get(attempt.name)
        # The end of a job that has outlived its runner is known, even if nobody wants it any more.
        ended = await backend.wait(job) if job and backend.outlives_client else _lost(found=job is not None)
        emit(_record(attempt, ended))
        settled.ended.append(attempt)
    return settled


async def _find(backend: Backend, names: list[str]) -> dict[str, str]:
    """All at once: a backend may then answer all of them by one question."""
    found: dict[str, str] = {}

    async def one(name: str) -> None:
        if (job := await backend.find(name)) is not None:
            found[name] = job

    async with trio.open_nursery() as nursery:
        for name in names:
            nursery.start_soon(one, name)
    return found


async def _end(backend: Backend, jobs: list[str], grace: float) -> None:
    async with trio.open_nursery() as nursery:
        for job in jobs:
            nursery.start_soon(backend.cancel, job, grace)


def _lost(*, found: bool) -> Ended:
    what = "it still ran, and was ended" if found else "it no longer ran"
    return Ended(Outcome.LOST, None, f"runner died before it ended; {what}")


def _record(attempt: OpenAttempt, ended: Ended) -> AttemptEnded:
    return AttemptEnded(
        at=time.time(),
        session=attempt.session,
        attempt=attempt.number,
        outcome=ended.outcome,
        exit_code=ended.exit_code,
        reason=ended.reason,
        duration=ended.duration,
        cpu_time=ended.cpu_time,
        max_rss=ended.max_rss,
        metrics={},
        retry_in=None,
    )
