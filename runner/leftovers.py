"""What a dead runner left behind: attempts that were submitted and have no end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from runner.backends.base import Backend
from runner.events import AttemptEnded, Emit
from runner.model import Outcome
from runner.state import State
from runner.state.records import OpenAttempt


@dataclass
class Settled:
    """`adopt` maps sessions to live jobs that this runner takes over; `ended` were recorded as lost."""

    adopt: dict[str, str] = field(default_factory=dict)
    ended: list[OpenAttempt] = field(default_factory=list)


async def settle(state: State, backend: Backend, grace: float, emit: Emit) -> Settled:
    """Adopt what outlives its client; end everything else that still runs, and record it as lost.

    An attempt of another backend than the one at hand is left alone until that one is used again, unless its jobs cannot
    have outlived their runner.
    """
    settled = Settled()
    for attempt in state.journal.open_attempts():
        job = await backend.find(attempt.name) if attempt.backend == backend.name else None
        if job is not None and backend.outlives_client:
            settled.adopt[attempt.session] = job
            continue
        if job is not None:
            await backend.cancel(job, grace)
        emit(_lost(attempt, found=job is not None))
        settled.ended.append(attempt)
    return settled


def _lost(attempt: OpenAttempt, *, found: bool) -> AttemptEnded:
    what = "it still ran, and was ended" if found else "it no longer ran"
    return AttemptEnded(
        at=time.time(),
        session=attempt.session,
        attempt=attempt.number,
        outcome=Outcome.LOST,
        exit_code=None,
        reason=f"runner died before it ended; {what}",
        duration=None,
        cpu_time=None,
        max_rss=None,
        metrics={},
        retry_in=None,
    )
