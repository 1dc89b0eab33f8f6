"""What a dead runner left behind: builds and attempts that were begun and have no end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import trio

from runner.backends import BACKENDS
from runner.backends.base import Backend
from runner.errors import EnvironmentFailed
from runner.events import AttemptEnded, BuildEnded, Emit, Event
from runner.model import AttemptEnd, Cause, Outcome, Reason
from runner.reasons import describe, reason_text
from runner.state import State
from runner.state.host import Machine, Sight, here, sight
from runner.state.rows import OpenAttempt, OpenBuild

HERE = "local"
"""The backend whose jobs end with their runner, so that what is left of them is in the way whatever is used now."""


@dataclass
class Settled:
    """`adopt` maps sessions to jobs that this runner takes over, running or ended; of `ended` an end was recorded."""

    adopt: dict[str, str] = field(default_factory=dict)
    ended: list[OpenAttempt | OpenBuild] = field(default_factory=list)


Wanted: TypeAlias = Callable[[frozenset[str]], frozenset[str]]
"""Of the sessions whose jobs could be adopted, those that are."""


async def settle(
    state: State, backend: Backend, grace: float, emit: Emit, wanted: Wanted = frozenset, *, gone: bool = False
) -> Settled:
    """Adopt what outlives its client and is `wanted`; end everything else that still runs, and record how it ended.

    What belongs to this state at the backend, though no journal waits for it, is ended, too. Builds are never adopted. What
    belongs to another backend than the one at hand is left alone until that one is used again, except where the jobs were
    processes of this machine. Raises EnvironmentFailed, before anything is touched, where those were on another machine and
    may still run there; `gone` takes it for certain that they do not.
    """
    settled = Settled()
    ours = [left for left in _left(state) if left.backend in (backend.name, HERE)]
    over = {left.name: why for left in ours if left.backend == HERE and (why := _why_over(left.machine, gone))}
    async with AsyncExitStack() as stack:
        at = {backend.name: backend}
        if any(left.backend == HERE and left.name not in over for left in ours) and backend.name != HERE:
            at[HERE] = await stack.enter_async_context(BACKENDS[HERE]({}, {}, state.jobs(HERE)))
        jobs = await _find(at, [left for left in ours if left.name not in over])
        adoptable = {
            left.session: jobs[left.name]
            for left in ours
            if isinstance(left, OpenAttempt) and left.name in jobs and at[left.backend].outlives_client
        }
        if adoptable:
            settled.adopt = {session: adoptable[session] for session in wanted(frozenset(adoptable))}
        strays = set((await backend.live_jobs(f"{state.id}-")).values()) - set(jobs.values())

        async def end(left: OpenAttempt | OpenBuild) -> None:
            if isinstance(left, OpenAttempt) and left.session in settled.adopt:
                return
            job = jobs.get(left.name)
            if job is not None:
                await at[left.backend].cancel(job, grace)
            if job is not None and isinstance(left, OpenAttempt) and at[left.backend].outlives_client:
                emit(_ended(left, await backend.wait(job)))
            else:
                what = over.get(left.name) or ("it no longer ran" if job is None else "it still ran, and was ended")
                emit(_lost(left, Reason(Cause.RUNNER_DIED, what)))
            if isinstance(left, OpenAttempt):
                state.tidy(left.session, left.number)
            settled.ended.append(left)

        async with trio.open_nursery() as nursery:
            for stray in strays:
                nursery.start_soon(backend.cancel, stray, grace)
            for left in ours:
                nursery.start_soon(end, left)
    return settled


async def _find(at: Mapping[str, Backend], left: Iterable[OpenAttempt | OpenBuild]) -> dict[str, str]:
    """The jobs of what was left, by their names. All at once: a backend may then answer all of them by one question."""
    jobs: dict[str, str] = {}

    async def one(it: OpenAttempt | OpenBuild) -> None:
        known = (it.job, it.started) if isinstance(it, OpenAttempt) else (None, None)
        if (job := await at[it.backend].find(it.name, *known)) is not None:
            jobs[it.name] = job

    async with trio.open_nursery() as nursery:
        for it in left:
            nursery.start_soon(one, it)
    return jobs


def end_leftovers(
    state: State,
    backends: Mapping[str, Mapping[str, Any]],
    environ: Mapping[str, str],
    grace: float,
    sessions: frozenset[str] = frozenset(),
    *,
    gone: bool = False,
) -> int:
    """Outside of an apply: end what was left at these backends (options by name), and record how it ended; how many there
    were. With `sessions`, of jobs that have outlived their runner only theirs.
    """

    def spared(found: frozenset[str]) -> frozenset[str]:
        return found - sessions if sessions else frozenset()

    async def main() -> int:
        ended = 0
        for kind, options in backends.items():
            async with BACKENDS[kind](options, environ, state.jobs(kind)) as backend:
                settled = await settle(state, backend, grace, state.journal.record, spared, gone=gone)
                ended += len(settled.ended)
        return ended

    try:
        return trio.run(main)
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None


def holders(state: State) -> frozenset[str]:
    """The backends at which something was left, for all that is recorded."""
    return frozenset(left.backend for left in _left(state))


def _left(state: State) -> Iterator[OpenAttempt | OpenBuild]:
    yield from state.journal.open_builds()
    yield from state.journal.open_attempts()


def _why_over(machine: Machine | None, gone: bool) -> str | None:
    """Why processes of that machine run no more, None where they have to be looked for."""
    seen = Sight.HERE if machine is None else sight(machine, here())
    if machine is None or seen is Sight.HERE:
        return None
    if seen is Sight.OVER:
        return f"`{machine.host}` has been started again since"
    if gone:
        return f"`{machine.host}` was declared gone with `--gone`"
    where = f"on host `{machine.host}`" if machine.host != here().host else "in another container or PID namespace"
    raise EnvironmentFailed(
        f"an earlier runner died {where}, and what it ran may still run there",
        "end it there with `runner cancel`; once nothing runs there any more, `runner cancel --gone` settles it from here",
    )


def _lost(left: OpenAttempt | OpenBuild, reason: Reason) -> Event:
    if isinstance(left, OpenBuild):
        return BuildEnded(time.time(), left.build, Outcome.LOST, None, reason_text(reason), None)
    return _ended(left, AttemptEnd(outcome=Outcome.LOST, reason=reason))


def _ended(left: OpenAttempt, ended: AttemptEnd) -> AttemptEnded:
    return AttemptEnded(
        at=time.time(),
        session=left.session,
        attempt=left.number,
        outcome=ended.outcome,
        exit_code=ended.exit_status,
        reason=describe(ended),
        duration=ended.duration,
        cpu_time=ended.cpu_time,
        max_rss=ended.max_rss,
        metrics={},
        retry_in=None,
    )
