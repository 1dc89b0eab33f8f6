"""Recovery: what happens first to builds and attempts that a dead runner left without a recorded end.

Three steps: find their jobs, decide what to do with each (pure), carry it out. A job that outlives its runner is adopted
or cancelled; a local one is cancelled, if it still runs, and its attempt is recorded as lost.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import trio

from runner import clock
from runner.backends import BACKENDS
from runner.backends.base import Backend
from runner.errors import EnvironmentFailed
from runner.events import AttemptEnded, BuildEnded, Emit, Event
from runner.executor.shutdown import plain_error
from runner.model import AttemptEnd, Cause, Outcome, Reason
from runner.state import State
from runner.state.host import Machine, Sight, here, sight
from runner.state.rows import OpenAttempt, OpenBuild
from runner.text.reasons import describe, reason_text

LOCAL = "local"
"""The backend whose jobs end with their runner. Its leftovers use this machine, also if the apply uses another backend."""

Open: TypeAlias = OpenAttempt | OpenBuild


class Action(enum.Enum):
    ADOPT = "adopt"
    """The executor follows the job."""
    CANCEL = "cancel"
    """Cancel the job, and record its own end."""
    CANCEL_AS_LOST = "cancel as lost"
    """Cancel the job, and record the attempt or build as lost."""
    RECORD_AS_LOST = "record as lost"
    """No job is left."""


class Found(NamedTuple):
    """An open attempt or build, and what is left of it.

    job: id of its job; None if there is none.
    gone: why its processes cannot run any more; None if they were looked for.
    outlives_client: whether jobs of its backend outlive their runner.
    """

    open: Open
    job: str | None
    gone: str | None
    outlives_client: bool

    @property
    def adoptable(self) -> bool:
        return self.job is not None and self.outlives_client and isinstance(self.open, OpenAttempt)


@dataclass
class Recovered:
    """adopted: ids of the jobs that this runner follows, by session. ended: what got an end."""

    adopted: dict[str, str] = field(default_factory=dict)
    ended: list[Open] = field(default_factory=list)


Verified: TypeAlias = Callable[[OpenAttempt, AttemptEnd, float | None], AttemptEnd]
"""The end of an attempt as it counts, given the Unix time at which it began: `stale` if its inputs may have been others."""

Wanted: TypeAlias = Callable[[frozenset[str]], frozenset[str]]
"""Of the sessions with a job that can be adopted, those whose job is adopted."""


def decide(found: Found, wanted: frozenset[str]) -> Action:
    """What to do with a leftover, if the jobs of the `wanted` sessions are to be adopted. Builds are never adopted."""
    if found.job is None:
        return Action.RECORD_AS_LOST
    if not found.adoptable:
        return Action.CANCEL_AS_LOST
    assert isinstance(found.open, OpenAttempt)
    return Action.ADOPT if found.open.session in wanted else Action.CANCEL


async def recover(
    state: State,
    backend: Backend,
    grace: float,
    record: Emit,
    wanted: Wanted = frozenset,
    *,
    verified: Verified,
    gone: bool = False,
) -> Recovered:
    """Adopt the `wanted` jobs, cancel all others, and `record` how they ended.

    Jobs at the backend that belong to this state, but to no open attempt, are cancelled, too. Leftovers of another backend
    wait until that one is used again, except local ones. Raises EnvironmentFailed, before anything is changed, if local jobs
    were on another machine and may still run there; `gone` declares that they do not.
    """
    ours = [left for left in _open(state) if left.backend in (backend.name, LOCAL)]
    ended_by = {left.name: why for left in ours if left.backend == LOCAL and (why := _why_gone(left.machine, gone))}
    async with AsyncExitStack() as stack:
        backends = {backend.name: backend}
        if backend.name != LOCAL and any(left.backend == LOCAL and left.name not in ended_by for left in ours):
            backends[LOCAL] = await stack.enter_async_context(BACKENDS[LOCAL]({}, {}, state.jobs(LOCAL)))
        jobs = await _find_jobs(backends, [left for left in ours if left.name not in ended_by])
        leftovers = [
            Found(
                left,
                jobs.get(left.name),
                ended_by.get(left.name),
                left.backend in backends and backends[left.backend].outlives_client,
            )
            for left in ours
        ]
        adoptable = frozenset(it.open.session for it in leftovers if it.adoptable and isinstance(it.open, OpenAttempt))
        chosen = wanted(adoptable) if adoptable else frozenset()
        known = set(jobs.values())
        unknown = [
            (at, job)
            for at in backends.values()
            for job in (await at.live_jobs(f"{state.id}-")).values()
            if job not in known
        ]
        recovered = Recovered()
        async with trio.open_nursery() as nursery:
            for at, job in unknown:
                nursery.start_soon(at.cancel, job, grace)
            for it in leftovers:
                action = decide(it, chosen)
                if action is Action.ADOPT:
                    assert isinstance(it.open, OpenAttempt)
                    assert it.job is not None
                    recovered.adopted[it.open.session] = it.job
                else:
                    there = backends.get(it.open.backend)
                    nursery.start_soon(_end, state, there, it, action, grace, record, verified, recovered)
    return recovered


async def _end(
    state: State,
    backend: Backend | None,
    found: Found,
    action: Action,
    grace: float,
    record: Emit,
    verified: Verified,
    recovered: Recovered,
) -> None:
    """Carry out any action but ADOPT."""
    left = found.open
    if found.job is not None:
        assert backend is not None
        await backend.cancel(found.job, grace)
    if action is Action.CANCEL:
        assert backend is not None
        assert found.job is not None
        assert isinstance(left, OpenAttempt)
        end = await backend.wait(found.job)
        began = left.started
        if began is None:
            began = (await backend.started(found.job, lambda reason: None)).at
        record(_attempt_ended(left, verified(left, end, began)))
    else:
        how = found.gone or ("it no longer ran" if found.job is None else "it still ran, and was ended")
        record(_lost(left, Reason(Cause.RUNNER_DIED, how)))
    if isinstance(left, OpenAttempt):
        state.tidy(left.session, left.number)
    recovered.ended.append(left)


async def _find_jobs(backends: Mapping[str, Backend], left: Iterable[Open]) -> dict[str, str]:
    """The jobs of these attempts and builds, by name. All are asked for at once: a backend may answer with one query."""
    jobs: dict[str, str] = {}

    async def find(it: Open) -> None:
        known = (it.job, it.started) if isinstance(it, OpenAttempt) else (None, None)
        if (job := await backends[it.backend].find(it.name, *known)) is not None:
            jobs[it.name] = job

    async with trio.open_nursery() as nursery:
        for it in left:
            nursery.start_soon(find, it)
    return jobs


def end_leftovers(
    state: State,
    backends: Mapping[str, Mapping[str, Any]],
    environ: Mapping[str, str],
    grace: float,
    sessions: frozenset[str] = frozenset(),
    *,
    verified: Verified,
    gone: bool = False,
) -> int:
    """End what was left at these backends (options by name), outside of an apply. Returns how many ends were recorded.

    sessions: of the jobs that outlive their runner, end only those of these sessions; empty: all.
    """

    def kept(found: frozenset[str]) -> frozenset[str]:
        return found - sessions if sessions else frozenset()

    async def main() -> int:
        ended = 0
        for kind, options in backends.items():
            async with BACKENDS[kind](options, environ, state.jobs(kind)) as backend:
                recovered = await recover(
                    state, backend, grace, state.journal.record, kept, verified=verified, gone=gone
                )
                ended += len(recovered.ended)
        return ended

    try:
        return trio.run(main)
    except BaseExceptionGroup as group:
        raise plain_error(group) from None


def holders(state: State) -> frozenset[str]:
    """The backends that may still have jobs of this state."""
    return frozenset(left.backend for left in _open(state))


def _open(state: State) -> Iterator[Open]:
    yield from state.journal.open_builds()
    yield from state.journal.open_attempts()


def _why_gone(machine: Machine | None, gone: bool) -> str | None:
    """Why processes of that machine cannot run any more; None if they have to be looked for."""
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
        "end it there with `runner cancel`; once nothing runs there any more, run `runner cancel --gone` here",
    )


def _lost(left: Open, reason: Reason) -> Event:
    if isinstance(left, OpenBuild):
        return BuildEnded(clock.now(), left.build, Outcome.LOST, None, reason_text(reason), None)
    return _attempt_ended(left, AttemptEnd(outcome=Outcome.LOST, reason=reason))


def _attempt_ended(left: OpenAttempt, end: AttemptEnd) -> AttemptEnded:
    return AttemptEnded(
        at=clock.now(),
        session=left.session,
        attempt=left.number,
        outcome=end.outcome,
        exit_code=end.exit_status,
        reason=describe(end),
        duration=end.duration,
        cpu_time=end.cpu_time,
        max_rss=end.max_rss,
        metrics={},
        retry_in=None,
    )
