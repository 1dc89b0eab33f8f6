"""What a dead runner left behind: builds and attempts that were begun and have no end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import trio

from runner.backends import BACKENDS
from runner.backends.base import Backend
from runner.errors import EnvironmentFailed
from runner.events import AttemptEnded, BuildEnded, Emit, Event
from runner.model import Outcome
from runner.state import State
from runner.state.machine import Machine, Sight, here, sight
from runner.state.records import OpenAttempt, OpenBuild

HERE = "local"
"""The backend whose jobs end with their runner, so that what is left of them is in the way whatever is used now."""


@dataclass
class Settled:
    """`adopt` maps sessions to live jobs that this runner takes over; `ended` were recorded as lost."""

    adopt: dict[str, str] = field(default_factory=dict)
    ended: list[OpenAttempt | OpenBuild] = field(default_factory=list)


async def settle(state: State, backend: Backend, grace: float, emit: Emit, *, gone: bool = False) -> Settled:
    """Adopt what outlives its client; end everything else that still runs, all at once, and record it as lost.

    Builds are never adopted. What belongs to another backend than the one at hand is left alone until that one is used
    again, except where the jobs were processes of this machine. Raises EnvironmentFailed, before anything is touched, where
    those were on another machine and may still run there; `gone` takes it for certain that they do not.
    """
    settled = Settled()
    ours = [left for left in _left(state) if left.backend in (backend.name, HERE)]
    over = {left.name: why for left in ours if left.backend == HERE and (why := _why_over(left.machine, gone))}
    async with AsyncExitStack() as stack:
        at = {backend.name: backend}
        if any(left.backend == HERE and left.name not in over for left in ours) and backend.name != HERE:
            at[HERE] = await stack.enter_async_context(BACKENDS[HERE]({}, {}))

        async def end(left: OpenAttempt | OpenBuild) -> None:
            if left.name in over:
                what = over[left.name]
            else:
                where = at[left.backend]
                job = await _find(where, left)
                if job is not None and where.outlives_client and isinstance(left, OpenAttempt):
                    settled.adopt[left.session] = job
                    return
                if job is not None:
                    await where.cancel(job, grace)
                what = "it no longer ran" if job is None else "it still ran, and was ended"
            emit(_lost(left, f"runner died before it ended; {what}"))
            settled.ended.append(left)

        async with trio.open_nursery() as nursery:
            for left in ours:
                nursery.start_soon(end, left)
    return settled


def end_leftovers(state: State, grace: float, *, gone: bool = False) -> int:
    """Outside of an apply: end what was left on this machine, and record it as lost; how many there were."""

    async def main() -> int:
        async with BACKENDS[HERE]({}, {}) as backend:
            return len((await settle(state, backend, grace, state.journal.record, gone=gone)).ended)

    if not any(left.backend == HERE for left in _left(state)):
        return 0
    try:
        return trio.run(main)
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None


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
        return f"`{machine.host}` is gone, it was said"
    where = f"on host `{machine.host}`" if machine.host != here().host else "in another container or PID namespace"
    raise EnvironmentFailed(
        f"an earlier runner died {where}, and what it ran may still run there",
        "end it there with `runner cancel`; once nothing runs there any more, `runner cancel --gone` settles it from here",
    )


async def _find(backend: Backend, left: OpenAttempt | OpenBuild) -> str | None:
    if isinstance(left, OpenBuild):
        return await backend.find(left.name)
    return await backend.find(left.name, left.job, left.started)


def _lost(left: OpenAttempt | OpenBuild, reason: str) -> Event:
    if isinstance(left, OpenBuild):
        return BuildEnded(time.time(), left.build, Outcome.LOST, None, reason, None)
    return AttemptEnded(
        at=time.time(),
        session=left.session,
        attempt=left.number,
        outcome=Outcome.LOST,
        exit_code=None,
        reason=reason,
        duration=None,
        cpu_time=None,
        max_rss=None,
        metrics={},
        retry_in=None,
    )
